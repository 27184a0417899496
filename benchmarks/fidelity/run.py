"""Measure how well cheap fidelities rank architectures as a thorough training does, and its cost.

    python benchmarks/fidelity/run.py --architectures 24 [--space ambient-plus]

trains each architecture on each task at each fidelity of `CANDIDATES` and at `full` with one
member, the reference. Each evaluation is appended to SPACE/evaluations.jsonl as soon as it is there,
so the script goes on from where it stopped; results.json and results.md beside it are written anew
from all that is there. `--summary` trains nothing.
"""

from __future__ import annotations

import argparse
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from ambient.child import FULL, SEARCH
from ambient.data.corpus import read_corpus
from ambient.data.prepare import prepare_corpus
from ambient.data.task import TaskData
from ambient.evaluate import Evaluation, PoolEngine, Request
from ambient.files import write_atomic, write_json_atomic
from ambient.space import Architecture, named_space
from ambient.zero_shot import draw_random

HERE = Path(__file__).resolve().parent
CORPUS = HERE.parent / "yeast" / "corpus.yaml"
TASKS = ("Sko1", "Bdf1", "H3")  # a small factor, a broad one, a histone; all are training tasks
SEED = 0  # of the training of every child
LEAST = 10  # architectures on a task, below which a rank correlation is not told
OTHER_SEED = 1  # the reference once more: the agreement that chance leaves
# Of the draw of the architectures; those of ambient-plus are the first of benchmarks/yeast/table.py.
ARCHITECTURES_SEEDS = {"ambient-10": 11, "ambient-plus": 2027}

REFERENCE = replace(FULL, name="full, one member", members=1)
CANDIDATES = (
    SEARCH,
    replace(SEARCH, name="search, 2,400 windows an epoch", windows_per_epoch=2400),
    replace(SEARCH, name="search, 600 windows an epoch", windows_per_epoch=600),
    replace(SEARCH, name="search in float32", precision="float32"),
)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--architectures", type=int, default=24, help="drawn at random")
    parser.add_argument("--space", choices=list(ARCHITECTURES_SEEDS), default="ambient-10")
    parser.add_argument("--parts", type=int, default=3, help="of the work, the first ones")
    parser.add_argument("--summary", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    architectures = draw_random(
        named_space(arguments.space),
        arguments.architectures,
        ARCHITECTURES_SEEDS[arguments.space],
    )
    folder = HERE / arguments.space
    folder.mkdir(exist_ok=True)
    records = folder / "evaluations.jsonl"
    known = {_key(row): row for row in read_records(records)}
    if not arguments.summary:
        wanted = [
            [r for r in part if (r.task, r.architecture.key, r.fidelity.hash, r.seed) not in known]
            for part in parts(architectures)[: arguments.parts]
        ]
        with PoolEngine(prepare()) as pool, records.open("a", encoding="utf-8") as stream:
            for done in itertools.chain.from_iterable(map(pool.run, wanted)):
                row = row_of(done)
                known[_key(row)] = row
                stream.write(json.dumps(row) + "\n")
                stream.flush()
                print(
                    f"{len(known):4d} {done.task:6s} {row['fidelity']:26s} {row['cpu_seconds']:6.1f} s "
                    f"{row['validation_auroc'] or 0:.3f}  {row['architecture']}  {done.reason}",
                    flush=True,
                )
    summary = summarise(list(known.values()))
    write_json_atomic(folder / "results.json", summary)
    table = as_table(summary)
    write_atomic(folder / "results.md", table)
    print(table)


def prepare() -> dict[str, TaskData]:
    """Read the tasks from the yeast corpus."""
    return prepare_corpus(read_corpus(CORPUS), CORPUS.parent / "cache" / "tasks", names=TASKS)


def parts(architectures: list[Architecture]) -> list[list[Request]]:
    """Give everything in three parts: what decides first, the second reference last."""
    settings = [
        [(REFERENCE, SEED), *((one, SEED) for one in CANDIDATES[:2])],
        [(one, SEED) for one in CANDIDATES[2:]],
        [(REFERENCE, OTHER_SEED)],
    ]
    return [
        [
            Request(task, architecture, seed, fidelity)
            for architecture in architectures
            for task in TASKS
            for fidelity, seed in part
        ]
        for part in settings
    ]


def row_of(done: Evaluation) -> dict[str, Any]:
    """Describe what came out of one training."""
    return {
        "task": done.task,
        "task_hash": done.task_hash,
        "architecture": done.architecture.summary(),
        "key": done.architecture.key,
        "fidelity": done.fidelity.name,
        "fidelity_hash": done.fidelity_hash,
        "seed": done.seed,
        "validation_auroc": done.metrics.get("validation_auroc"),
        "test_auroc": done.metrics.get("test_auroc"),
        "restarts": done.details.get("restarts", 0),
        "cpu_seconds": round(done.cpu_seconds, 2),
        "wall_seconds": round(done.wall_seconds, 2),
    }


def read_records(path: Path) -> list[dict[str, Any]]:
    """Read all evaluations so far."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


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
