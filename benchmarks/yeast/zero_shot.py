"""Zero-shot proposals for 12 yeast data sets that no controller ever saw, beside every control.

    python benchmarks/yeast/zero_shot.py [--space ambient-plus] [--full] [--untried]
    python benchmarks/yeast/zero_shot.py [--space ambient-plus] --recorded [--first]

learns controllers from the evaluations of the 36 training tasks in table.tsv.gz alone (`table.py` makes it), lets each
propose one architecture for each held-out task from its descriptors, trains what was proposed (`--full`: the first
controller's proposals at `full` once more, beside 5-mer regression; `--untried`: also what is most probable and what is
proposed without descriptors), and measures. Before that, one controller asks:
what it proposes for each training task is trained and joins the table (two rounds of `ambient train --real-every`), so
that the predictor knows what it is like where a policy goes. Proposals are kept in zero-shot/SPACE with the first
controller, evaluations in table.tsv.gz: what is there is not made again. `--recorded` trains neither controllers nor
children, and writes results.json and results.md in zero-shot/SPACE anew; with `--first` those of the first
measurement, in zero-shot/SPACE-first. Its controllers learned from the table as it was at commit 22f0baa, before
good.json and with each task's own records, and proposed what was most probable; folds.py then said what to change.

Ways to choose:

- **controller**: PPO on what a predictor expects of the other tasks (`--engine predictor:`, `leave_own_out`), over
  training seeds: the first proposal, which may be what is proven on all training tasks;
- **most probable**: of the same proposals the most probable one under the policy;
- **shuffled descriptors**: the first proposal of controllers for which each training task had another one's
  descriptors;
- **no descriptors**: the most probable one for a data set of which nothing is known;
- **nearest task's best**, **best of the category** and **best single**: of the recorded random architectures, by their
  mean validation AUROC on the nearest training task, on those of the same category, on all;
- **predictor's best recorded**: of the same random architectures the one of which the predictor expects most;
- **best proposed before**: of good.json (what controllers had proposed for training tasks or without descriptors,
  trained on all training tasks), by the mean validation AUROC on these;
- **random**: the mean of the recorded random architectures;
- **random search of the task**: of the same ones the one that validates best on the held-out task itself, which takes a
  training of each.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Container, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measure import (
    LATER,
    RANDOM,
    SEEDS,
    WAYS,
    Proposals,
    good_architectures,
    left_out,
    measure,
    never_seen,
    random_architectures,
    scores,
)
from measured_text import as_text
from script import begin, tell
from table import CACHE, HERE, TABLE

from ambient.child.fidelity import FULL, SEARCH
from ambient.cli.progress import progress
from ambient.controller.card import Controller
from ambient.controller.proposal import Proposal
from ambient.data.corpus import Corpus, read_corpus
from ambient.data.describe import describe_corpus
from ambient.data.prepare import prepare_corpus
from ambient.data.task import TaskData
from ambient.evaluate import PoolEngine, Remembering, Request, Store
from ambient.evaluate.choose import EngineChoice
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.files import read_json, write_atomic, write_json_atomic
from ambient.search.config import AmbientConfig
from ambient.search.joint import JointConfig, train_jointly
from ambient.search.rounds import read_rounds
from ambient.space import Architecture, SearchSpace, named_space
from descriptors import Descriptors

DESCRIBED = (
    HERE / "zero-shot" / "descriptors.json"
)  # what controllers were told of the held-out tasks
STEPS = 200
ASKING_STEPS, REAL_EVERY = 201, 100  # of the controller that asks: rounds after 100 and 200
CONFIG = AmbientConfig(
    tasks_per_step=12, leave_own_out=True
)  # folds.py: better than with own records
ASKING = AmbientConfig(tasks_per_step=12)  # the controller that asked in the rounds was of before
SHUFFLED = replace(CONFIG, shuffle_descriptors=True)
CHILD_SEEDS = (0, 1)  # the scores of a proposal are means over these


def main() -> None:
    """Learn, propose, train, measure."""
    parser = begin(__doc__)
    parser.add_argument("--space", choices=list(RANDOM), default="ambient-plus")
    parser.add_argument("--full", action="store_true", help="also train at full")
    parser.add_argument(
        "--untried", action="store_true", help="also train the ways of measure.LATER"
    )
    parser.add_argument(
        "--first", action="store_true", help="with --recorded: the first measurement"
    )
    arguments = parser.parse_args()
    if arguments.first and not arguments.recorded:
        parser.error("the first measurement cannot be made again from this table; add --recorded")
    space = named_space(arguments.space)
    folder = HERE / "zero-shot" / (space.name + ("-first" if arguments.first else ""))
    folder.mkdir(parents=True, exist_ok=True)
    corpus = read_corpus(HERE / "corpus.yaml")
    tasks = prepare_corpus(corpus, CACHE / "tasks")
    with Store(CACHE / "table.sqlite") as store:
        if TABLE.exists():
            import_tsv(store, TABLE)
        path = folder / "proposals.json"
        if not arguments.recorded:
            described = describe_corpus(corpus, cache=CACHE / "descriptors")
            if not path.exists():
                propose(corpus, space, tasks, described, store, folder)
            held_out = [replace(described[spec.name], motifs=()) for spec in corpus.held_out_tasks]
            write_json_atomic(DESCRIBED, [json.loads(one.to_json()) for one in held_out])
            proposals = read_json(path, "file of proposals")
            evaluate(proposals, space, tasks, store, arguments.full, arguments.untried)
        result = measure(read_json(path, "file of proposals"), corpus, space, tasks, store)
        if arguments.first:
            result.pop("played")  # beside the proposals of the second measurement
        if (folder / "controller").exists():
            controller = Controller.load(folder / "controller")
            described = {one.task: one for one in descriptors_in(DESCRIBED)}
            result["left_out"] = left_out(controller)
            result["never_seen"] = never_seen(controller, described, store)
    tell(folder, result, as_text(result))


def descriptors_in(path: Path) -> list[Descriptors]:
    """Read what the controllers were told of the held-out tasks."""
    entries = read_json(path, "file of descriptors")
    return [Descriptors.from_json(json.dumps(entry)) for entry in entries]


def propose(
    corpus: Corpus,
    space: SearchSpace,
    tasks: Mapping[str, TaskData],
    described: Mapping[str, Descriptors],
    store: Store,
    folder: Path,
) -> None:
    """Learn the controllers that are not there; write what each proposes, before anything is trained on it."""
    held_out = [spec.name for spec in corpus.held_out_tasks]
    recorded = scores(store, space, [spec.name for spec in corpus.training_tasks])
    found: Proposals = {
        way: {name: [] for name in held_out}
        for way in ("controller", "most probable", "no descriptors", "shuffled descriptors")
    }

    ask(corpus, space, tasks, described, store)
    rounds = [vars(one) for one in read_rounds(asking(space))]
    write_atomic(folder / "rounds.json", json.dumps(rounds) + "\n")  # in one line: for programs
    learn_all(space, folder)
    for seed in range(SEEDS):
        controller = Controller.load(run_of(space, "controller", seed))
        shuffled = Controller.load(run_of(space, "shuffled", seed))
        if seed == 0:
            controller.save(folder / "controller")
        for name in held_out:
            (first,) = controller.propose(described[name])
            chosen = {
                "controller": first,
                "most probable": most_probable(controller, described[name]),
                "no descriptors": most_probable(controller, None),
                "shuffled descriptors": shuffled.propose(described[name])[0],
            }
            for way, one in chosen.items():
                expected = None if one.expected is None else asdict(one.expected)
                found[way][name].append(
                    {**entry_of(one.architecture), "expected": expected, "proven": one.proven}
                )
    nearest = {name: controller.nearest(described[name])[0][0] for name in held_out}
    found |= choose_recorded(corpus, space, recorded, nearest)
    found["predictor's best recorded"] = {
        name: [expected_best(controller, described[name], set(recorded))] for name in held_out
    }
    found |= best_proposed(corpus, space, store)
    write_atomic(folder / "proposals.json", json.dumps(found) + "\n")


def most_probable(controller: Controller, of: Descriptors | None) -> Proposal:
    """Propose as the policy does; it is second where something proven comes first."""
    return max(controller.propose(of, top=2), key=lambda one: one.probability)


def best_proposed(corpus: Corpus, space: SearchSpace, store: Store) -> Proposals:
    """Choose among what controllers had proposed before, by its mean over all training tasks."""
    good = good_architectures(space)
    known = scores(store, space, [spec.name for spec in corpus.training_tasks], of=good)
    if not known:
        return {}
    best = pd.DataFrame(known).mean().idxmax()
    entry = entry_of(next(one for one in good if one.key == best))
    return {"best proposed before": {spec.name: [entry] for spec in corpus.held_out_tasks}}


def ask(
    corpus: Corpus,
    space: SearchSpace,
    tasks: Mapping[str, TaskData],
    described: Mapping[str, Descriptors],
    store: Store,
) -> None:
    """Have a controller ask for what it would propose for the training tasks; add that to the table."""
    run = asking(space)
    if (run / "controller").exists():
        return
    run.parent.mkdir(exist_ok=True)
    joint = JointConfig(
        steps=ASKING_STEPS,
        seed=0,
        controller=ASKING,
        engine=EngineChoice(f"predictor:{TABLE}"),
        store=store.path,
        real_every=REAL_EVERY,
    )
    resume = (run / "config.yaml").exists()
    train_jointly(run, corpus, space, tasks, described, joint, resume, say=print)
    export_tsv(store, TABLE)


def asking(space: SearchSpace) -> Path:
    """Name the folder of the controller that asks."""
    return CACHE / "zero-shot" / f"{space.name}-asking"


def run_of(space: SearchSpace, name: str, seed: int) -> Path:
    """Name the folder of a training; those of the first measurement lie in zero-shot."""
    return CACHE / "zero-shot-second" / f"{space.name}-{name}-{seed}"


def learn_all(space: SearchSpace, folder: Path) -> None:
    """Learn the controllers that are not there, one on each core; keep what each took."""
    wanted = [(name, seed) for name in ("controller", "shuffled") for seed in range(SEEDS)]
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
    run.parent.mkdir(exist_ok=True)
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
        return entry_of(by_key[recorded[tasks].mean(axis=1).idxmax()])

    return {
        way: {spec.name: [entry(tasks(spec))] for spec in corpus.held_out_tasks}
        for way, tasks in asked_of.items()
    }


def entry_of(architecture: Architecture) -> dict[str, Any]:
    """Write an architecture of the space."""
    return {"tokens": list(architecture.tokens), "summary": architecture.summary()}


def expected_best(
    controller: Controller, of: Descriptors, recorded: Container[str]
) -> dict[str, Any]:
    """Choose the recorded random architecture of which the controller's predictor expects most."""
    known = [one for one in random_architectures(controller.space) if one.key in recorded]
    vectors = np.tile(controller.scaler.transform(of), (len(known), 1))
    assert controller.predictor is not None
    expected = controller.predictor.predict(vectors, np.array([one.tokens for one in known])).mean
    return entry_of(known[int(np.argmax(expected))])


def evaluate(
    proposals: Proposals,
    space: SearchSpace,
    tasks: Mapping[str, TaskData],
    store: Store,
    full: bool,
    untried: bool,
) -> None:
    """Train what was proposed; write all that is known."""
    in_order = [
        (way, seed)
        for later in (False, True)[: 2 if untried else 1]
        for seed in CHILD_SEEDS
        for way in WAYS
        if way in proposals and (way in LATER) == later
    ]
    stages = [
        [
            Request(name, space.architecture(entry["tokens"]), seed, SEARCH)
            for name, entries in proposals[way].items()
            for entry in entries
        ]
        for way, seed in in_order
    ]
    if full:
        stages.insert(
            0,
            [
                Request(name, space.architecture(entries[0]["tokens"]), 0, FULL)
                for name, entries in proposals["controller"].items()
            ],
        )
    held_out = {name: tasks[name] for name in proposals["controller"]}
    try:
        with (
            progress("proposals", sum(map(len, stages))) as advance,
            Remembering(PoolEngine(held_out), store) as engine,
        ):
            for stage in stages:  # one after the other: what is there by now can be measured
                for done in engine.run(stage):
                    advance(done.task)
    finally:
        export_tsv(store, TABLE)


if __name__ == "__main__":
    main()
