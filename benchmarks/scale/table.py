"""How many evaluations a second the loop replays: random search over a recorded table.

Run:  python benchmarks/scale/table.py [--evaluations 20000] [--profile]

The searcher draws from ambient-10 on 36 tasks, 100 a step; every architecture that it will draw is recorded with three
repeats beforehand. Measured is the whole of `run_search`: drawing, asking, replaying, telling.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import platform
import pstats
import time
from pathlib import Path
from typing import Any

from ambient.child.fidelity import SEARCH
from ambient.evaluate import Evaluation, Request, TableEngine
from ambient.search.loop import run_search
from ambient.search.random import RandomSearcher
from ambient.space import open_space

HERE = Path(__file__).parent
TASKS = [f"task{number}" for number in range(36)]
BATCH, SEEDS, REPEATS = 100, (0, 1, 2), 5


def searcher() -> RandomSearcher:
    """Make the same searcher each time."""
    return RandomSearcher(open_space("ambient-10"), TASKS, SEARCH, seed=7, child_seed=9)


def record(count: int) -> TableEngine:
    """Make a table of all that the searcher will ask for, each with three repeats."""
    rows = [
        Evaluation.of(
            Request(asked.task, asked.architecture, seed, asked.fidelity),
            f"hash of {asked.task}",
            metrics={"validation_auroc": 0.5 + (number + seed) % 97 / 200},
        )
        for number, asked in enumerate(searcher().ask(count))
        for seed in SEEDS
    ]
    return TableEngine(rows)


def replay(table: TableEngine, count: int) -> tuple[float, float]:
    """Search once; give wall and CPU seconds."""
    fresh = searcher()
    wall, cpu = time.perf_counter(), time.process_time()
    results = run_search(fresh, table, BATCH, evaluations=count)
    spent = time.perf_counter() - wall, time.process_time() - cpu
    assert len(results) == count
    return spent


def main() -> None:
    """Measure, print, write `table.json` and `table.md` beside this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, default=20_000)
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    count = arguments.evaluations
    table = record(count)
    if arguments.profile:
        with cProfile.Profile() as profile:
            replay(table, count)
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        return
    spent = [replay(table, count) for _ in range(REPEATS)]
    wall, cpu = (min(column) for column in zip(*spent, strict=True))
    result: dict[str, Any] = {
        "evaluations": count,
        "batch": BATCH,
        "repeats": REPEATS,
        "evaluations_per_second": round(count / wall),
        "evaluations_per_cpu_second": round(count / cpu),
        "python": platform.python_version(),
    }
    (HERE / "table.json").write_text(json.dumps(result, indent=1) + "\n")
    lines = [
        "| evaluations | a second of wall time | a second of CPU time |",
        "|---|---|---|",
        f"| {count:,} | {result['evaluations_per_second']:,} | {result['evaluations_per_cpu_second']:,} |",
    ]
    (HERE / "table.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
