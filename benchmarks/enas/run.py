"""Does ENAS find a better architecture than chance does, at the same share of skips?

Run:  python benchmarks/enas/run.py [--turns 200] [--seeds 3] [--workers 2]
      python benchmarks/enas/run.py --corpus CORPUS.yaml --space amber-12 --epoch-windows 4800 --output FOLDER

The searched architecture is what one search by shared weights derives. It is held against 6 architectures
that are drawn uniformly with as many skips as it has. All are trained from scratch, with several seeds, to the same
convergence criterion, and scored on test windows that nothing before has read. Without --corpus, on a simulated task of
two labels whose structure is known (simulate.py), over the space in space.yaml. Written into the folder: rows.jsonl
(every training), results.json, results.md. The run and the store of trainings lie in cache/, so that what was
interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from simulate import simulated_task

from ambient.child.count import count_parameters
from ambient.child.fidelity import SEARCH, Fidelity
from ambient.data import prepare_task, read_corpus
from ambient.data.task import TaskData
from ambient.evaluate import Evaluation, Remembering, Request, Store
from ambient.evaluate.choose import open_engine
from ambient.files import read_json, write_atomic, write_json_atomic
from ambient.search.enas import EnasConfig
from ambient.search.enas_run import EnasRunConfig, search_enas
from ambient.search.journal import read_journal
from ambient.search.loop import Step
from ambient.search.run_folder import JOURNAL, hold_run
from ambient.space import Architecture, SearchSpace, open_space, sample_with_skips

HERE = Path(__file__).parent
RANDOM = 6  # architectures that chance draws
FIRST_RANDOM_SEED = 1000

# The convergence criterion: no better validation AUROC in 4 epochs of the second half of the schedule.
CONVERGED = replace(SEARCH, name="converged", epochs=16, keep_from=0.5, patience=4)
# Words of the simulation lie on one strand, at places that a shift would take out of the window.
SIMULATED = replace(
    CONVERGED, windows_per_epoch=6000, shift_bp=0, reverse_complement=False, seeded_filters=0.75
)


def search(
    folder: Path, task: TaskData, space: SearchSpace, fidelity: Fidelity, given: argparse.Namespace
) -> tuple[Architecture, dict[str, Any]]:
    """Give what one search derives, and what the search was."""
    config = EnasRunConfig(
        turns=given.turns,
        evaluations=1,
        seed=given.seed,
        fidelity=fidelity,
        engine="inline",
        enas=EnasConfig(
            child_steps=given.child_steps,
            warm_up_passes=given.warm_up,
            child_learning_rate=given.child_rate,
            controller_learning_rate=given.controller_rate,
            judged_windows=given.judged_windows,
            metric=given.metric,
        ),
    )

    path = folder.with_suffix(".json")  # what it took, over all calls
    spent = {"wall_seconds": 0.0, "cpu_seconds": 0.0}
    spent |= read_json(path) if path.exists() else {}
    clocks = {"wall_seconds": time.perf_counter, "cpu_seconds": time.process_time}
    read = {name: clock() for name, clock in clocks.items()}

    def tell(step: Step) -> None:
        for name, clock in clocks.items():
            now = clock()
            spent[name] = round(spent[name] + now - read[name], 1)
            read[name] = now
        write_json_atomic(path, spent)
        said = {name: round(value, 3) for name, value in step.logs.items()}
        print(f"turn {step.number}: {said}", flush=True)

    resume = (folder / "config.yaml").exists()
    with hold_run(folder, resume, print):
        outcome = search_enas(folder, task, space, config, "benchmarks/enas", resume, tell, print)
    logs = [line["logs"] for line in read_journal(folder / "supernet" / JOURNAL)]
    return outcome.best.architecture, {
        **spent,
        "judged": outcome.sampled,
        "first_turn": logs[0],
        "last_turn": logs[-1],
        "rewards": [round(log["reward"], 3) for log in logs],  # means, turn by turn
        "enas": config.enas.to_dict(),
        "turns": config.turns,
    }


def train(
    path: Path,
    task: TaskData,
    architectures: Sequence[Architecture],
    fidelity: Fidelity,
    seeds: int,
    workers: int,
) -> list[Evaluation]:
    """Train each architecture with each seed, in the order of the architectures; the store at the path remembers."""
    requests = [
        Request(task.name, one, seed, fidelity) for one in architectures for seed in range(seeds)
    ]
    kind = "pool" if workers > 1 else "inline"
    with (
        Store(path) as store,
        Remembering(open_engine(kind, {task.name: task}, workers or None), store) as engine,
    ):
        found = {(one.architecture.key, one.seed): one for one in engine.run(requests)}
    return [found[request.architecture.key, request.seed] for request in requests]


def row_of(name: str, one: Evaluation, outputs: int, window_bp: int) -> dict[str, Any]:
    """Give one training as a line of rows.jsonl."""
    return {
        "architecture": name,
        "key": one.architecture.key,
        "tokens": list(one.architecture.tokens),
        "summary": one.architecture.summary(),
        "skips": len(one.architecture.skips),
        "parameters": count_parameters(one.architecture.build(window_bp, outputs)),
        "seed": one.seed,
        "state": one.state,
        "reason": one.reason,
        "cpu_seconds": round(one.cpu_seconds, 1),
        "metrics": dict(one.metrics),
    }


def compare(rows: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """Hold the searched architecture against the others on each test metric: means over seeds, then a t-test.

    One-sided: are the means of the random architectures less than that of the searched one?
    """
    means: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        for metric, value in row["metrics"].items():
            if metric.startswith("test_") and value is not None:
                means[metric][row["architecture"]].append(value)
    found = {}
    for metric, by_architecture in sorted(means.items()):
        each = {name: float(np.mean(values)) for name, values in by_architecture.items()}
        searched = each.pop("searched", None)
        if searched is None or len(each) < 2:
            continue
        others = list(each.values())
        test = stats.ttest_1samp(others, searched, alternative="less")
        found[metric] = {
            "searched": searched,
            "random_mean": float(np.mean(others)),
            "random_sd": float(np.std(others, ddof=1)),
            "random_best": max(others),
            "t": float(test.statistic),
            "p": float(test.pvalue),
        }
    return found


def table(rows: Sequence[dict[str, Any]], results: dict[str, Any]) -> str:
    """Write results.md."""
    lines = [
        f"# ENAS on {results['task']}, space {results['space']}",
        "",
        f"Search: {results['search']['turns']} controller steps, {results['search']['judged']} architectures judged by "
        f"shared weights, {results['search']['wall_seconds']:g} s of wall time, "
        f"{results['search']['cpu_seconds']:g} s of CPU. {results['machine']}.",
        "",
        "| architecture | skips | parameters | test AUROC, each seed | test AUPR, each seed |",
        "|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["architecture"] for row in rows):
        mine = [row for row in rows if row["architecture"] == name]
        scores = [
            ", ".join(_rounded(row["metrics"].get(metric)) for row in mine)
            for metric in ("test_auroc", "test_aupr")
        ]
        head = f"{name}: {mine[0]['summary']}"
        lines.append(
            f"| {head} | {mine[0]['skips']} | {mine[0]['parameters']:,} | {' | '.join(scores)} |"
        )
    lines += [
        "",
        "Means over seeds; one-sided t-test of the six against the searched one.",
        "",
        "| metric | searched | random, mean (sd) | best random | t | p |",
        "|---|---|---|---|---|---|",
    ]
    for metric, one in results["comparison"].items():
        lines.append(
            f"| {metric} | {one['searched']:.4f} | {one['random_mean']:.4f} ({one['random_sd']:.4f}) | "
            f"{one['random_best']:.4f} | {one['t']:.2f} | {one['p']:.2g} |"
        )
    return "\n".join(lines) + "\n"


def _rounded(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def main() -> None:
    """Search, draw, train, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, help="of one task; else a simulated one")
    parser.add_argument("--space", default=str(HERE / "space.yaml"), help="a name, or a YAML file")
    parser.add_argument("--output", type=Path, default=HERE, help="folder of the record")
    parser.add_argument("--windows", type=int, default=20000, help="of the simulated task")
    parser.add_argument("--turns", type=int, default=200, help="controller steps")
    parser.add_argument("--child-steps", type=int, default=60, help="before each controller step")
    parser.add_argument("--warm-up", type=int, default=1, help="passes before the first one")
    parser.add_argument("--child-rate", type=float, default=0.003, help="of Adam, shared weights")
    parser.add_argument("--controller-rate", type=float, default=0.005, help="of Adam")
    parser.add_argument("--judged-windows", type=int, default=256)
    parser.add_argument("--metric", default="validation_auroc", help="what is rewarded")
    parser.add_argument(
        "--epoch-windows", type=int, default=1200, help="in an epoch of a training, with --corpus"
    )
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each architecture")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the search and of the simulated task"
    )
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    if given.corpus:
        corpus = read_corpus(given.corpus)
        task = prepare_task(corpus, corpus.tasks[0])
        fidelity = replace(CONVERGED, windows_per_epoch=given.epoch_windows)
    else:
        task, fidelity = simulated_task(given.windows, given.seed), SIMULATED
    space = open_space(given.space)
    given.output.mkdir(exist_ok=True)
    cache = HERE / "cache" / f"{task.name}-{space.name}"
    cache.mkdir(parents=True, exist_ok=True)
    searched, facts = search(cache / f"search-{given.seed}", task, space, fidelity, given)
    rng = np.random.default_rng(FIRST_RANDOM_SEED + given.seed)
    drawn = [sample_with_skips(space, len(searched.skips), rng) for _ in range(RANDOM)]
    names = ["searched", *(f"random {number}" for number in range(1, RANDOM + 1))]
    found = train(
        cache / "store.sqlite", task, [searched, *drawn], fidelity, given.seeds, given.workers
    )
    rows = [
        row_of(names[number // given.seeds], one, task.outputs, task.window_bp)
        for number, one in enumerate(found)
    ]
    results = {
        "task": task.name,
        "task_hash": task.hash,
        "labels": task.outputs,
        "space": f"{space.name} (version {space.version})",
        "architectures_in_space": space.size,
        "seed": given.seed,
        "seeds": given.seeds,
        "search": facts,
        "fidelity": fidelity.to_dict(),
        "machine": f"{platform.processor() or platform.machine()}, {given.workers} workers",
        "comparison": compare(rows),
    }
    write_atomic(given.output / "rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    write_json_atomic(given.output / "results.json", results)
    text = table(rows, results)
    write_atomic(given.output / "results.md", text)
    print(text)


if __name__ == "__main__":
    main()
