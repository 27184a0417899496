"""Where the right choice is known and differs: does a controller learn it from descriptors?

    python benchmarks/grammar/run.py

simulates eight genomes with twelve data sets each, two of each of six kinds (one short motif, one long motif, a pair
of motifs at a distance, a cluster of weak motifs that count together, composition alone, starts of genes), and
trains all sixteen architectures of space.yaml on all of them, from two seeds: the whole truth. Four genomes are the
training corpus, the other four are held out. Controllers then learn by PPO from the recorded evaluations of the
training tasks alone, and choose for the held-out ones from descriptors.

Evaluations are remembered in cache/ and written to table.tsv.gz, from which all else follows in minutes
(`--recorded` trains no child). Writes results.json and results.md.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ambient.child.fidelity import SEARCH
from ambient.child.threads import one_thread
from ambient.data.corpus import read_corpus
from ambient.data.describe import describe_corpus
from ambient.data.prepare import prepare_corpus
from ambient.data.simulate import simulate_corpus
from ambient.data.task import TaskData
from ambient.evaluate import PoolEngine, Remembering, Request, Store, TableEngine
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.files import write_atomic, write_json_atomic
from ambient.report.summary import mean_interval
from ambient.search.ambient import AmbientSearcher
from ambient.search.config import AmbientConfig
from ambient.search.loop import run_search
from ambient.space import Architecture, SearchSpace
from descriptors import Descriptors

HERE = Path(__file__).resolve().parent
CACHE = HERE / "cache"
TABLE = HERE / "table.tsv.gz"
TRAINING, HELD_OUT = 4, 4  # genomes
TASKS, GENOME_BP = 12, 400_000  # of each genome
SEEDS = (0, 1)  # of the children
CONTROLLERS = 5  # seeds of the controllers
STEPS = 150
FIDELITY = replace(SEARCH, name="grammar", windows_per_epoch=600, epochs=8)
CONFIG = AmbientConfig(tasks_per_step=12)


@dataclass(frozen=True)
class Data:
    """All data sets of all genomes, by the name `genome/task`."""

    tasks: Mapping[str, TaskData]
    described: Mapping[str, Descriptors]
    space: SearchSpace

    @property
    def training(self) -> list[str]:
        """Names of the training tasks."""
        return [name for name in self.tasks if int(name.split("/")[0]) < TRAINING]

    @property
    def held_out(self) -> list[str]:
        """Names of the tasks of the other genomes."""
        return [name for name in self.tasks if int(name.split("/")[0]) >= TRAINING]


def main() -> None:
    """Evaluate what is missing, learn, measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recorded", action="store_true", help="train no child")
    arguments = parser.parse_args()
    CACHE.mkdir(exist_ok=True)
    data = read_data()
    with Store(CACHE / "table.sqlite") as store:
        if TABLE.exists():
            import_tsv(store, TABLE)
        if not arguments.recorded:
            evaluate(data, store)
        rows = list(store.rows())
    truth = {
        (metric, seed): table(rows, data, metric, seed)
        for metric in ("validation_auroc", "test_auroc")
        for seed in SEEDS
    }
    with one_thread():
        started = time.process_time()
        chosen = choices(data, truth, TableEngine(rows))
        seconds = (time.process_time() - started) / (2 * CONTROLLERS)
    result = {
        "cpu_seconds_of_a_controller": round(seconds, 1),
        "kinds": by_kind(truth, data),
        "held_out": {way: measured(of, truth) for way, of in chosen.items()},
    }
    write_json_atomic(HERE / "results.json", result)
    text = as_text(result)
    write_atomic(HERE / "results.md", text)
    print(text)


def read_data() -> Data:
    """Simulate what is not there; prepare and describe all."""
    tasks, described = {}, {}
    for genome in range(TRAINING + HELD_OUT):
        folder = CACHE / f"genome-{genome}"
        if not folder.exists():
            simulate_corpus(folder, TASKS, GENOME_BP, seed=genome)
        corpus = read_corpus(folder / "corpus.yaml")
        prepared = prepare_corpus(corpus, CACHE / "tasks", [spec.name for spec in corpus.tasks])
        for name, one in describe_corpus(corpus, cache=CACHE / "descriptors").items():
            tasks[f"{genome}/{name}"] = replace(prepared[name], name=f"{genome}/{name}")
            described[f"{genome}/{name}"] = one
    return Data(tasks, described, SearchSpace.read(HERE / "space.yaml"))


def all_architectures(space: SearchSpace) -> list[Architecture]:
    """Give the whole space."""
    return [space.architecture(tokens) for tokens in np.ndindex(2, 2, 2, 2)]


def evaluate(data: Data, store: Store) -> None:
    """Train everything on everything."""
    requests = [
        Request(task, architecture, seed, FIDELITY)
        for seed in SEEDS
        for task in data.tasks
        for architecture in all_architectures(data.space)
    ]
    with Remembering(PoolEngine(data.tasks), store) as engine:
        engine.submit(requests)
        for number, _ in enumerate(engine.results(), 1):
            if number % 100 == 0:
                print(f"{number} of {len(requests)}", flush=True)
    export_tsv(store, TABLE)


def table(rows: list, data: Data, metric: str, seed: int) -> pd.DataFrame:
    """Give what was recorded as tasks x architectures."""
    keys = [architecture.key for architecture in all_architectures(data.space)]
    found = pd.DataFrame(
        [(one.task, one.architecture.key, one.metrics[metric]) for one in rows if one.seed == seed],
        columns=["task", "architecture", "value"],
    ).pivot_table(index="task", columns="architecture", values="value")
    return found.loc[list(data.tasks), keys]


Chosen = dict[
    str, dict[str, list[str]]
]  # way -> held-out task -> architectures, one for each repeat


def choices(data: Data, truth: Mapping, engine: TableEngine) -> Chosen:
    """Choose an architecture for each held-out task in each way; none sees a held-out evaluation but the last."""
    known = truth["validation_auroc", 0].loc[data.training]
    single = known.mean().idxmax()
    chosen: Chosen = {}
    for way, config in (
        ("controller", CONFIG),
        ("controller, shuffled descriptors", replace(CONFIG, shuffle_descriptors=True)),
    ):
        chosen[way] = {name: [] for name in data.held_out}
        for seed in range(CONTROLLERS):
            controller = learn(data, engine, config, seed)
            for name in data.held_out:
                (proposal,) = controller.propose(data.described[name])
                chosen[way][name].append(proposal.architecture.key)
    nearest = {name: controller.nearest(data.described[name])[0][0] for name in data.held_out}
    chosen["nearest task's best"] = {
        name: [known.loc[nearest[name]].idxmax()] for name in data.held_out
    }
    chosen["best single"] = {name: [single] for name in data.held_out}
    chosen["random"] = {name: list(known.columns) for name in data.held_out}
    return chosen


def learn(data: Data, engine: TableEngine, config: AmbientConfig, seed: int):
    """Train a controller on the recorded evaluations of the training tasks."""
    described = {name: data.described[name] for name in data.training}
    searcher = AmbientSearcher(data.space, described, FIDELITY, config, seed)
    run_search(searcher, engine, config.tasks_per_step * config.architectures_per_task, steps=STEPS)
    return searcher.controller()


def measured(chosen: Mapping[str, list[str]], truth: Mapping) -> dict[str, object]:
    """Score the choices for held-out tasks by test AUROC, the mean of both seeds, beside each task's own best."""
    scores = (truth["test_auroc", 0] + truth["test_auroc", 1]) / 2
    reached = {
        name: float(np.mean([scores.loc[name, key] for key in keys]))
        for name, keys in chosen.items()
    }
    best = {name: own_best(truth, name) for name in chosen}
    percentile = {
        name: float(
            np.mean(
                [100 * np.mean(scores.loc[name].drop(key) < scores.loc[name, key]) for key in keys]
            )
        )
        for name, keys in chosen.items()
    }
    return {"test_auroc": reached, "own_best": best, "percentile": percentile}


def own_best(truth: Mapping, name: str) -> float:
    """Give the test AUROC of a task's own best: chosen by one seed's validation, scored by the other seed's test."""
    return float(
        np.mean(
            [
                truth["test_auroc", 1 - seed].loc[
                    name, truth["validation_auroc", seed].loc[name].idxmax()
                ]
                for seed in SEEDS
            ]
        )
    )


def by_kind(truth: Mapping, data: Data) -> dict[str, dict[str, object]]:
    """Give the best architecture of each kind of training task, and how far apart the choices are."""
    values = (truth["validation_auroc", 0] + truth["validation_auroc", 1]).loc[data.training] / 2
    kinds = [kind_of(name) for name in data.training]
    words = {one.key: one.summary() for one in all_architectures(data.space)}
    means = values.groupby(kinds).mean()
    single = values.mean().idxmax()
    return {
        kind: {
            "best": words[row.idxmax()],
            "best_auroc": float(row.max()),
            "single_auroc": float(row[single]),
            "mean_auroc": float(row.mean()),
        }
        for kind, row in means.iterrows()
    }


def as_text(result: Mapping) -> str:
    """Write what came out as Markdown."""
    held_out = result["held_out"]
    single = held_out["best single"]
    lines = [
        "| kind (training tasks) | best architecture | its validation AUROC | the best single one's | mean of all |",
        "|---|---|---|---|---|",
        *(
            f"| {kind} | {one['best']} | {one['best_auroc']:.3f} | {one['single_auroc']:.3f} "
            f"| {one['mean_auroc']:.3f} |"
            for kind, one in result["kinds"].items()
        ),
        "",
        "| choice for held-out tasks | test AUROC | over the best single one (95% interval over tasks) | percentile |",
        "|---|---|---|---|",
    ]
    rows = {way: of["test_auroc"] for way, of in held_out.items()}
    rows["each task's own best, by the other seed"] = single["own_best"]
    for way, reached in rows.items():
        percentile = held_out.get(way, {}).get("percentile")
        told = "" if percentile is None else f"{np.mean(list(percentile.values())):.0f}"
        lines.append(
            f"| {way} | {np.mean(list(reached.values())):.4f} | {difference(reached, single['test_auroc'])} | {told} |"
        )
    controller = held_out["controller"]["test_auroc"]
    lines += ["", "The controller's test AUROC, less that of", ""]
    lines += [
        f"- {way}: {difference(controller, of['test_auroc'])}"
        for way, of in held_out.items()
        if way != "controller"
    ]
    kinds = sorted(result["kinds"])
    lines += ["", f"| held-out tasks | {' | '.join(kinds)} |", "|---|" + "---|" * len(kinds)]
    for way, reached in rows.items():
        means = [
            np.mean([value for name, value in reached.items() if kind_of(name) == kind])
            for kind in kinds
        ]
        lines.append(f"| {way} | {' | '.join(f'{mean:.3f}' for mean in means)} |")
    lines += ["", f"One controller learned in {result['cpu_seconds_of_a_controller']:.0f} CPU s."]
    return "\n".join(lines) + "\n"


def difference(one: Mapping[str, float], other: Mapping[str, float]) -> str:
    """Say the mean difference over tasks with its interval."""
    gain = mean_interval([one[name] - other[name] for name in one])
    return f"{gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"


def kind_of(name: str) -> str:
    """Give the kind of the task `genome/KindNumber`."""
    return name.split("/")[1].rstrip("0123456789")


if __name__ == "__main__":
    main()
