"""Measure how well cheap fidelities rank architectures as a thorough training does, and its cost.

    python benchmarks/fidelity/run.py --architectures 24

trains each architecture on each task at each fidelity of `CANDIDATES` and at `full` with one
member, the reference. Each evaluation is appended to evaluations.jsonl as soon as it is there, so
the script goes on from where it stopped; results.json and results.md are written anew from all that
is there. `--summary` trains nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from ambient.child import FULL, SEARCH, Fidelity, train_child
from ambient.data.corpus import read_corpus
from ambient.data.prepare import prepare_corpus
from ambient.data.task import TaskData
from ambient.errors import RunError
from ambient.files import write_atomic, write_json_atomic
from ambient.space import Architecture, named_space

HERE = Path(__file__).resolve().parent
CORPUS = HERE.parent / "yeast" / "corpus.yaml"
RECORDS = HERE / "evaluations.jsonl"
TASKS = ("Sko1", "Bdf1", "H3")  # a small factor, a broad one, a histone; all are training tasks
SEED = 0  # of the training of every child
LEAST = 12  # architectures on a task, below which a rank correlation is not told
OTHER_SEED = 1  # the reference once more: the agreement that chance leaves
ARCHITECTURES_SEED = 11  # of the draw of the architectures

REFERENCE = replace(FULL, name="full, one member", members=1)
CANDIDATES = (
    SEARCH,
    replace(SEARCH, name="search, 600 windows an epoch", windows_per_epoch=600),
    replace(SEARCH, name="search, 2,400 windows an epoch", windows_per_epoch=2400),
    replace(SEARCH, name="search in float32", precision="float32"),
)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--architectures", type=int, default=24, help="drawn from ambient-10")
    parser.add_argument("--summary", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    rng = np.random.default_rng(ARCHITECTURES_SEED)
    space = named_space("ambient-10")
    architectures = [space.sample(rng) for _ in range(arguments.architectures)]
    known = {_key(row): row for row in read_records()}
    if not arguments.summary:
        tasks = prepare()
        for request in requests(architectures):
            task, architecture, fidelity, seed = request
            if (task, architecture.key, fidelity.hash, seed) not in known:
                row = evaluate(tasks[task], architecture, fidelity, seed)
                known[_key(row)] = row
                with RECORDS.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(row) + "\n")
                print(
                    f"{len(known):4d} {task:6s} {fidelity.name:26s} {row['cpu_seconds']:6.1f} s "
                    f"{row['validation_auroc'] or 0:.3f}  {row['architecture']}",
                    flush=True,
                )
    summary = summarise(list(known.values()))
    write_json_atomic(HERE / "results.json", summary)
    table = as_table(summary)
    write_atomic(HERE / "results.md", table)
    print(table)


def prepare() -> dict[str, TaskData]:
    """Read the tasks from the yeast corpus."""
    return prepare_corpus(read_corpus(CORPUS), CORPUS.parent / "cache" / "tasks", names=TASKS)


def requests(
    architectures: list[Architecture],
) -> Iterator[tuple[str, Architecture, Fidelity, int]]:
    """Go through everything: what decides first, the second reference last."""
    for candidates in ((REFERENCE, *CANDIDATES[:2]), CANDIDATES[2:]):
        for architecture in architectures:
            for task in TASKS:
                for fidelity in candidates:
                    yield task, architecture, fidelity, SEED
    for architecture in architectures:
        for task in TASKS:
            yield task, architecture, REFERENCE, OTHER_SEED


def evaluate(
    task: TaskData, architecture: Architecture, fidelity: Fidelity, seed: int
) -> dict[str, Any]:
    """Train once and describe what came out."""
    wall, cpu = time.perf_counter(), time.process_time()
    metrics: dict[str, float | None] = {"validation_auroc": None, "test_auroc": None}
    restarts = 0
    try:
        trained = train_child(task, architecture, fidelity, seed)
        metrics.update(trained.metrics)
        restarts = trained.restarts
    except RunError as error:
        print(f"failed: {error}", flush=True)
    return {
        "task": task.name,
        "task_hash": task.hash,
        "architecture": architecture.summary(),
        "key": architecture.key,
        "fidelity": fidelity.name,
        "fidelity_hash": fidelity.hash,
        "seed": seed,
        "validation_auroc": metrics["validation_auroc"],
        "test_auroc": metrics["test_auroc"],
        "restarts": restarts,
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "wall_seconds": round(time.perf_counter() - wall, 2),
    }


def read_records() -> list[dict[str, Any]]:
    """Read all evaluations so far."""
    if not RECORDS.exists():
        return []
    return [json.loads(line) for line in RECORDS.read_text(encoding="utf-8").splitlines()]


def _key(row: dict[str, Any]) -> tuple[str, str, str, int]:
    return row["task"], row["key"], row["fidelity_hash"], row["seed"]


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Compare each candidate with the reference, over the architectures that both have."""
    reference = [row for row in rows if row["fidelity_hash"] == REFERENCE.hash]
    truth = {(r["task"], r["key"]): r for r in reference if r["seed"] == SEED}
    again = [r for r in reference if r["seed"] == OTHER_SEED]
    summary: dict[str, Any] = {
        "reference": REFERENCE.to_dict(),
        "reference_cpu_seconds": _mean([r["cpu_seconds"] for r in truth.values()]),
        "candidates": [],
    }
    named = [
        (f.name, f.to_dict(), [r for r in rows if r["fidelity_hash"] == f.hash]) for f in CANDIDATES
    ]
    for name, constants, found in [*named, ("reference, another seed", REFERENCE.to_dict(), again)]:
        entry: dict[str, Any] = {"name": name, "fidelity": constants, "tasks": {}}
        for task in TASKS:
            pairs = [
                (row, truth[task, row["key"]])
                for row in found
                if row["task"] == task and (task, row["key"]) in truth
            ]
            pairs = [
                p for p in pairs if None not in (p[0]["validation_auroc"], p[1]["validation_auroc"])
            ]
            if len(pairs) >= LEAST:
                entry["tasks"][task] = _agreement(pairs)
        if entry["tasks"]:
            for key in ("spearman", "spearman_test", "regret", "cpu_seconds"):
                entry[key] = _mean([one[key] for one in entry["tasks"].values()])
            summary["candidates"].append(entry)
    return summary


def _agreement(pairs: list[tuple[dict[str, Any], dict[str, Any]]]) -> dict[str, Any]:
    """Rank agreement on one task, and what choosing by the cheap one costs in the reference."""
    cheap = np.array([row["validation_auroc"] for row, _ in pairs])
    thorough = np.array([row["validation_auroc"] for _, row in pairs])
    test = np.array([row["test_auroc"] for _, row in pairs])
    return {
        "architectures": len(pairs),
        "spearman": float(spearmanr(cheap, thorough).statistic),
        "spearman_test": float(spearmanr(cheap, test).statistic),
        "regret": float(thorough.max() - thorough[np.argmax(cheap)]),
        "mean_validation_auroc": float(cheap.mean()),
        "mean_reference_auroc": float(thorough.mean()),
        "cpu_seconds": _mean([row["cpu_seconds"] for row, _ in pairs]),
    }


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def as_table(summary: dict[str, Any]) -> str:
    """Write the summary as a table in Markdown."""
    lines = [
        f"| fidelity | {' | '.join(TASKS)} | mean | with test AUROC | regret | CPU s |",
        "|---|" + "---|" * (len(TASKS) + 4),
    ]
    for entry in summary["candidates"]:
        cells = [
            f"{entry['tasks'][task]['spearman']:.2f}" if task in entry["tasks"] else ""
            for task in TASKS
        ]
        numbers = f"{entry['spearman']:.2f} | {entry['spearman_test']:.2f} | {entry['regret']:.3f}"
        lines.append(
            f"| {entry['name']} | {' | '.join(cells)} | {numbers} | {entry['cpu_seconds']:.1f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
