"""Zero-shot proposals for 12 yeast data sets that no controller ever saw, beside every control.

    python benchmarks/yeast/zero_shot.py [--space ambient-plus] [--full]

learns controllers from the evaluations of the 36 training tasks in table.tsv.gz alone (`table.py` makes it), lets each
propose one architecture for each held-out task from its descriptors, trains what was proposed (`--full`: the first
controller's proposals at `full` once more, beside 5-mer regression), and measures. Before that, one controller asks:
what it proposes for each training task is trained and joins the table (two rounds of `ambient train --real-every`), so
that the predictor knows what it is like where a policy goes. Controllers and proposals are kept in zero-shot/SPACE,
evaluations in table.tsv.gz: what is there is not made again. `--recorded` trains nothing, neither controllers nor
children, and writes results.json and results.md in zero-shot/SPACE anew.

Ways to choose:

- **controller**: PPO on what a predictor expects (`--engine predictor:`), over training seeds;
- **shuffled descriptors**: the same, but each training task has another one's descriptors;
- **no descriptors**: the first controllers, asked for a data set of which nothing is known;
- **nearest task's best**, **best of the category** and **best single**: of the recorded random architectures, by their
  mean validation AUROC on the nearest training task, on those of the same category, on all;
- **predictor's best recorded**: of the same random architectures the one of which the predictor expects most;
- **random**: the mean of the recorded random architectures.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Container, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from table import ARCHITECTURES_SEED, CACHE, HERE, TABLE

from ambient.child.fidelity import FULL, SEARCH
from ambient.child.kmer import fit_kmer_baseline
from ambient.cli.progress import progress
from ambient.controller.card import Controller
from ambient.data.corpus import Corpus, read_corpus
from ambient.data.describe import describe_corpus
from ambient.data.prepare import prepare_corpus
from ambient.data.task import TaskData
from ambient.evaluate import Evaluation, PoolEngine, Remembering, Request, Store
from ambient.evaluate.choose import EngineChoice
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.files import read_json, write_atomic, write_json_atomic
from ambient.report.summary import mean_interval
from ambient.search.config import AmbientConfig
from ambient.search.joint import JointConfig, train_jointly
from ambient.space import Architecture, SearchSpace, named_space
from ambient.zero_shot import draw_random
from descriptors import Descriptors

RANDOM = {"ambient-plus": 40, "ambient-10": 20}  # architectures of the table that all tasks have
LEAST_RANDOM = 10
SEEDS = 5  # trainings of a controller
STEPS = 200
ASKING_STEPS, REAL_EVERY = 300, 100  # of the controller that asks: two rounds
CONFIG = AmbientConfig(tasks_per_step=12)
SHUFFLED = replace(CONFIG, shuffle_descriptors=True)
CHILD_SEEDS = (0, 1)  # the scores of a proposal are means over these

Proposals = dict[str, dict[str, list[dict[str, Any]]]]  # way -> held-out task -> repeats


def main() -> None:
    """Learn, propose, train, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--space", choices=list(RANDOM), default="ambient-plus")
    parser.add_argument("--full", action="store_true", help="also train at full")
    parser.add_argument("--recorded", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    space = named_space(arguments.space)
    folder = HERE / "zero-shot" / space.name
    folder.mkdir(parents=True, exist_ok=True)
    corpus = read_corpus(HERE / "corpus.yaml")
    tasks = prepare_corpus(corpus, CACHE / "tasks")
    with Store(CACHE / "table.sqlite") as store:
        if TABLE.exists():
            import_tsv(store, TABLE)
        if not arguments.recorded:
            described = describe_corpus(corpus, cache=CACHE / "descriptors")
            proposals = propose(corpus, space, tasks, described, store, folder)
            evaluate(proposals, space, tasks, store, arguments.full)
        proposals = read_json(folder / "proposals.json", "file of proposals")
        result = measure(proposals, corpus, space, tasks, store)
    write_json_atomic(folder / "results.json", result)
    text = as_text(result)
    write_atomic(folder / "results.md", text)
    print(text)


def propose(
    corpus: Corpus,
    space: SearchSpace,
    tasks: Mapping[str, TaskData],
    described: Mapping[str, Descriptors],
    store: Store,
    folder: Path,
) -> Proposals:
    """Learn the controllers that are not there; write what each proposes, before anything is trained on it."""
    held_out = [spec.name for spec in corpus.held_out_tasks]
    recorded = scores(store, space, [spec.name for spec in corpus.training_tasks])
    found: Proposals = {
        way: {name: [] for name in held_out}
        for way in ("controller", "shuffled descriptors", "no descriptors")
    }

    ask(corpus, space, tasks, described, store)
    learn_all(space, folder)
    for seed in range(SEEDS):
        controller = Controller.load(run_of(space, "controller", seed))
        shuffled = Controller.load(run_of(space, "shuffled", seed))
        if seed == 0:
            controller.save(folder / "controller")
        for name in held_out:
            for way, one, of in (
                ("controller", controller, described[name]),
                ("shuffled descriptors", shuffled, described[name]),
                ("no descriptors", controller, None),
            ):
                (proposal,) = one.propose(of)
                expected = None if proposal.expected is None else asdict(proposal.expected)
                found[way][name].append(
                    {
                        "architecture": proposal.architecture.to_dict(),
                        "summary": proposal.architecture.summary(),
                        "expected": expected,
                    }
                )
    nearest = {name: controller.nearest(described[name])[0][0] for name in held_out}
    found |= choose_recorded(corpus, space, recorded, nearest)
    found["predictor's best recorded"] = {
        name: [expected_best(controller, described[name], set(recorded))] for name in held_out
    }
    write_json_atomic(folder / "proposals.json", found)
    return found


def ask(
    corpus: Corpus,
    space: SearchSpace,
    tasks: Mapping[str, TaskData],
    described: Mapping[str, Descriptors],
    store: Store,
) -> None:
    """Have a controller ask for what it would propose for the training tasks; add that to the table."""
    run = CACHE / "zero-shot" / f"{space.name}-asking"
    if (run / "controller").exists():
        return
    run.parent.mkdir(exist_ok=True)
    joint = JointConfig(
        steps=ASKING_STEPS,
        seed=0,
        controller=CONFIG,
        engine=EngineChoice(f"predictor:{TABLE}"),
        store=store.path,
        real_every=REAL_EVERY,
    )
    resume = (run / "config.yaml").exists()
    train_jointly(run, corpus, space, tasks, described, joint, resume, say=print)
    export_tsv(store, TABLE)


def run_of(space: SearchSpace, name: str, seed: int) -> Path:
    """Name the folder of a training."""
    return CACHE / "zero-shot" / f"{space.name}-{name}-{seed}"


def learn_all(space: SearchSpace, folder: Path) -> None:
    """Learn the controllers that are not there, one on each core; keep what each took."""
    wanted = [(name, seed) for seed in range(SEEDS) for name in ("controller", "shuffled")]
    missing = [one for one in wanted if not (run_of(space, *one) / "controller").exists()]
    path = folder / "learning.json"
    took = read_json(path, "file of durations") if path.exists() else {}
    with (
        progress("controllers", len(missing)) as advance,
        ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        running = {pool.submit(learn, space, *one): one for one in missing}
        for done in as_completed(running):
            name, seed = running[done]
            took[f"{name} {seed}"] = done.result()
            write_json_atomic(path, dict(sorted(took.items())))
            advance(f"{name} {seed}")


def learn(space: SearchSpace, name: str, seed: int) -> float:
    """Learn a controller from the records alone; give the seconds that it took, without preparing the data."""
    corpus = read_corpus(HERE / "corpus.yaml")
    tasks = prepare_corpus(corpus, CACHE / "tasks")
    described = describe_corpus(corpus, cache=CACHE / "descriptors")
    joint = JointConfig(
        steps=STEPS,
        seed=seed,
        controller=SHUFFLED if name == "shuffled" else CONFIG,
        engine=EngineChoice(f"predictor:{TABLE}"),
    )
    run = run_of(space, name, seed)
    started = time.monotonic()
    train_jointly(run, corpus, space, tasks, described, joint, (run / "config.yaml").exists())
    return time.monotonic() - started


def choose_recorded(
    corpus: Corpus,
    space: SearchSpace,
    reached: Mapping[str, Mapping[str, float]],
    nearest: Mapping[str, str],
) -> Proposals:
    """Choose among the recorded random architectures by their means over some of the training tasks."""
    training = {spec.name: spec.category for spec in corpus.training_tasks}
    recorded = pd.DataFrame(reached).T  # architectures x tasks
    by_key = {one.key: one for one in random_architectures(space)}
    asked_of = {
        "nearest task's best": lambda spec: [nearest[spec.name]],
        "best of the category": lambda spec: [
            name for name, category in training.items() if category == spec.category
        ],
        "best single": lambda spec: list(training),
    }

    def entry(tasks: list[str]) -> dict[str, Any]:
        architecture = by_key[recorded[tasks].mean(axis=1).idxmax()]
        return {"architecture": architecture.to_dict(), "summary": architecture.summary()}

    return {
        way: {spec.name: [entry(tasks(spec))] for spec in corpus.held_out_tasks}
        for way, tasks in asked_of.items()
    }


def expected_best(
    controller: Controller, of: Descriptors, recorded: Container[str]
) -> dict[str, Any]:
    """Choose the recorded random architecture of which the controller's predictor expects most."""
    known = [one for one in random_architectures(controller.space) if one.key in recorded]
    vectors = np.tile(controller.scaler.transform(of), (len(known), 1))
    assert controller.predictor is not None
    expected = controller.predictor.predict(vectors, np.array([one.tokens for one in known])).mean
    best = known[int(np.argmax(expected))]
    return {"architecture": best.to_dict(), "summary": best.summary()}


def random_architectures(space: SearchSpace) -> list[Architecture]:
    """Give the random architectures that the table has for all tasks."""
    return draw_random(space, RANDOM[space.name], ARCHITECTURES_SEED)


def scores(
    store: Store, space: SearchSpace, tasks: Sequence[str], metric: str = "validation_auroc"
) -> dict[str, dict[str, float]]:
    """Give for each random architecture that all these tasks have what it reached on each, from seed 0."""
    keys = {one.key for one in random_architectures(space)}
    found: dict[str, dict[str, float]] = {}
    for row in store.rows(list(tasks), space.name, SEARCH.hash, "done"):
        if row.seed == 0 and row.architecture.key in keys:
            found.setdefault(row.architecture.key, {})[row.task] = row.metrics[metric]
    whole = {key: of for key, of in found.items() if len(of) == len(tasks)}
    if len(whole) < LEAST_RANDOM:
        raise SystemExit(
            f"table.tsv.gz: all {len(tasks)} tasks have {len(whole)} random architectures of {space.name}, at least "
            f"{LEAST_RANDOM} are needed; go on with table.py"
        )
    return whole


def evaluate(
    proposals: Proposals,
    space: SearchSpace,
    tasks: Mapping[str, TaskData],
    store: Store,
    full: bool,
) -> None:
    """Train what was proposed; write all that is known."""
    asked = {
        Request(name, Architecture.from_dict(entry["architecture"]), seed, SEARCH): None
        for seed in CHILD_SEEDS
        for by_task in proposals.values()
        for name, entries in by_task.items()
        for entry in entries
    }
    if full:
        for name, entries in proposals["controller"].items():
            asked[Request(name, Architecture.from_dict(entries[0]["architecture"]), 0, FULL)] = None
    held_out = {name: tasks[name] for name in proposals["controller"]}
    with (
        progress("proposals", len(asked)) as advance,
        Remembering(PoolEngine(held_out), store) as engine,
    ):
        engine.submit(list(asked))
        for done in engine.results():
            advance(done.task)
    export_tsv(store, TABLE)


def measure(
    proposals: Proposals,
    corpus: Corpus,
    space: SearchSpace,
    tasks: Mapping[str, TaskData],
    store: Store,
) -> dict[str, Any]:
    """Hold every proposal against the random architectures and the best that is known of its task."""
    held_out = [spec.name for spec in corpus.held_out_tasks]
    random = {
        metric: scores(store, space, held_out, metric)
        for metric in ("validation_auroc", "test_auroc")
    }
    known: dict[str, list[Evaluation]] = {name: [] for name in held_out}
    thorough: dict[tuple[str, str], Evaluation] = {}
    for row in store.rows(held_out, space.name, state="done"):
        if row.fidelity_hash == SEARCH.hash:
            known[row.task].append(row)
        elif row.fidelity_hash == FULL.hash:
            thorough[row.task, row.architecture.key] = row
    ways: dict[str, Any] = {}
    for way, by_task in proposals.items():
        ways[way] = {
            name: measured(
                [Architecture.from_dict(entry["architecture"]).key for entry in by_task[name]],
                known[name],
                [of[name] for of in random["test_auroc"].values()],
            )
            for name in held_out
        }
    ways["random"] = {
        name: measured(list(random["test_auroc"]), known[name], None) for name in held_out
    }
    result: dict[str, Any] = {
        "space": space.name,
        "random_architectures": len(random["test_auroc"]),
        "ways": ways,
        "coverage": coverage(proposals["controller"], known),
    }
    if thorough:
        result["full"] = {
            name: {
                "full": thorough[
                    name,
                    Architecture.from_dict(proposals["controller"][name][0]["architecture"]).key,
                ].metrics["test_auroc"],
                "kmer": fit_kmer_baseline(tasks[name])["test_auroc"],
            }
            for name in held_out
        }
    return result


def measured(
    keys: Sequence[str], known: Sequence[Evaluation], random: Sequence[float] | None
) -> dict[str, float]:
    """Give the mean over repeats of test AUROC, percentile among random ones, and regret to the best known.

    The best known is the one of the highest validation AUROC; its test AUROC is what the regret refers to.
    """
    tests: dict[str, list[float]] = {}
    for row in known:
        tests.setdefault(row.architecture.key, []).append(row.metrics["test_auroc"])
    reached = [float(np.mean(tests[key])) for key in keys]
    best = max(known, key=lambda row: row.metrics["validation_auroc"]).architecture.key
    found = {
        "test_auroc": float(np.mean(reached)),
        "regret": float(np.mean(tests[best]) - np.mean(reached)),
    }
    if random is not None:
        found["percentile"] = float(
            np.mean([100 * np.mean(np.array(random) < value) for value in reached])
        )
    return found


def coverage(
    proposals: Mapping[str, Sequence[Mapping[str, Any]]], known: Mapping[str, Sequence[Evaluation]]
) -> float:
    """Give the share of trainings of proposals whose validation AUROC lies in the 80% interval that was given."""
    inside = []
    for name, entries in proposals.items():
        for entry in entries:
            key = Architecture.from_dict(entry["architecture"]).key
            low, high = entry["expected"]["low"], entry["expected"]["high"]
            inside += [
                low <= row.metrics["validation_auroc"] <= high
                for row in known[name]
                if row.architecture.key == key
            ]
    return float(np.mean(inside))


def as_text(result: Mapping[str, Any]) -> str:
    """Write what came out as Markdown: means, then each task."""
    ways = result["ways"]
    tasks = list(ways["controller"])
    lines = [
        f"**{result['space']}**: 12 held-out tasks, {result['random_architectures']} random architectures; "
        f"{SEEDS} trainings of each controller; each child from {len(CHILD_SEEDS)} seeds.",
        "",
        "| choice | test AUROC | the controller is better by (95% interval over tasks) | on tasks | percentile "
        "| regret |",
        "|---|---|---|---|---|---|",
    ]

    def values(way: str, key: str) -> np.ndarray:
        return np.array([ways[way][name].get(key, np.nan) for name in tasks])

    own = values("controller", "test_auroc")
    for way in ways:
        reached = values(way, "test_auroc")
        gain = mean_interval((own - reached).tolist())
        percentile = values(way, "percentile").mean()
        told = "" if np.isnan(percentile) else f"{percentile:.0f}"
        better = (
            " | "
            if way == "controller"
            else f"{gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}) | {(own > reached).sum()}"
        )
        lines.append(
            f"| {way} | {reached.mean():.4f} | {better} | {told} | {values(way, 'regret').mean():.4f} |"
        )
    lines += [
        "",
        f"The 80% intervals of the proposals hold {result['coverage']:.0%} of their trainings.",
        "",
        "| task | " + " | ".join(ways) + (" | at `full` | 5-mers |" if "full" in result else " |"),
        "|---|" + "---|" * (len(ways) + 2 * ("full" in result)),
    ]
    for name in tasks:
        cells = [f"{ways[way][name]['test_auroc']:.3f}" for way in ways]
        if "full" in result:
            cells += [f"{result['full'][name][key]:.3f}" for key in ("full", "kmer")]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
