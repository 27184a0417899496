"""How busy the pool keeps its workers, what it adds to a child, and what a second worker brings.

Run:  python benchmarks/scale/pool.py [--evaluations 200]

Real children: random ambient-10 networks on four made-up tasks, all through a store. The second part hands out
children that train nothing, so that only the pool and the store are left. Other load on the machine lowers the speed-up
of two workers, so it is written beside the result.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from ambient.child.fidelity import SEARCH, Fidelity
from ambient.data.task import TaskData
from ambient.evaluate import Evaluation, PoolEngine, Remembering, Request, Store
from ambient.evaluate.engines import Engine
from ambient.evaluate.estimate import estimate_seconds
from ambient.space import Architecture, open_space

HERE = Path(__file__).parent
WINDOW_BP, WINDOWS = 200, 600
CHILD = replace(SEARCH, name="benchmark", windows_per_epoch=384, epochs=4)
EMPTY = 2000  # children that train nothing


@dataclass(frozen=True)
class Nothing:
    """What a child that trains nothing gives."""

    metrics: dict[str, float]


def train_nothing(
    task: TaskData, architecture: Architecture, fidelity: Fidelity, seed: int, device: str
) -> Nothing:
    """Give a number at once."""
    return Nothing({"validation_auroc": 0.5})


def made_up_task(number: int) -> TaskData:
    """Make windows of which the positives hold a motif."""
    rng = np.random.default_rng(number)
    codes = rng.integers(0, 4, (WINDOWS, WINDOW_BP + 64), dtype=np.uint8)
    labels = (np.arange(WINDOWS) % 3 == 0).astype(np.float32)[:, None]
    middle = codes.shape[1] // 2
    codes[labels[:, 0] == 1, middle : middle + 6] = (0, 3, 2, 1, 0, number % 4)
    split = np.array([0, 0, 0, 0, 1, 2], dtype=np.uint8)[np.arange(WINDOWS) % 6]
    origin = (1 - labels[:, 0]).astype(np.uint8)
    return TaskData(f"task{number}", "tf", WINDOW_BP, codes, labels, split, origin)


def made_up_requests(tasks: dict[str, TaskData], count: int, fidelity: Fidelity) -> list[Request]:
    """Draw networks for the tasks in turn."""
    rng, space, names = np.random.default_rng(5), open_space("ambient-10"), list(tasks)
    return [Request(names[i % len(names)], space.sample(rng), i, fidelity) for i in range(count)]


def run(engine: Engine, requests: list[Request]) -> tuple[list[Evaluation], float, float]:
    """Carry out all through a new store; give results, wall seconds and this process's CPU seconds."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder) / "store.sqlite") as store,
    ):
        wall, cpu = time.perf_counter(), time.process_time()
        rows = list(Remembering(engine, store).run(requests))
        return rows, time.perf_counter() - wall, time.process_time() - cpu


def train(tasks: dict[str, TaskData], count: int, workers: int) -> dict[str, Any]:
    """Train children on so many workers, which have imported all before the clock starts."""
    requests = made_up_requests(tasks, count, CHILD)
    with PoolEngine(tasks, workers) as pool:
        run(pool, made_up_requests(tasks, 4 * workers, replace(CHILD, epochs=1)))
        rows, wall, _ = run(pool, requests)
    assert all(row.is_done for row in rows)
    guesses = [estimate_seconds(row.request, tasks[row.task]) for row in rows]
    return {
        "workers": workers,
        "evaluations": count,
        "wall_seconds": round(wall, 2),
        "child_cpu_seconds": round(sum(row.cpu_seconds for row in rows), 2),
        "busy_share": round(sum(row.wall_seconds for row in rows) / (workers * wall), 4),
        "estimate_spearman": round(
            float(spearmanr(guesses, [row.cpu_seconds for row in rows])[0]), 3
        ),
    }


def hand_out(tasks: dict[str, TaskData], count: int) -> dict[str, float]:
    """Measure what pool and store add to a child."""
    requests = made_up_requests(tasks, count, CHILD)
    with PoolEngine(tasks, 2, train_nothing) as pool:
        run(pool, requests[:20])
        _, wall, cpu = run(pool, requests)
    return {
        "wall_ms_an_evaluation": round(1000 * wall / count, 3),
        "cpu_ms_an_evaluation": round(1000 * cpu / count, 3),
    }


def main() -> None:
    """Measure, print, write `pool.json` and `pool.md` beside this file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evaluations", type=int, default=200)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    tasks = {f"task{number}": made_up_task(number) for number in range(4)}
    trained = [train(tasks, arguments.evaluations, workers) for workers in (1, 2)]
    result = {
        "trained": trained,
        "speed_up": round(trained[0]["wall_seconds"] / trained[1]["wall_seconds"], 3),
        "nothing_trained": hand_out(tasks, EMPTY),
        "cores": os.cpu_count(),
        "load_at_the_start": round(load, 2),
        "load_at_the_end": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    (HERE / "pool.json").write_text(json.dumps(result, indent=1) + "\n")
    lines = [
        "| workers | evaluations | wall seconds | CPU seconds of the children | workers busy |",
        "|---|---|---|---|---|",
        *(
            f"| {one['workers']} | {one['evaluations']} | {one['wall_seconds']} | "
            f"{one['child_cpu_seconds']} | {one['busy_share']:.1%} |"
            for one in trained
        ),
        "",
        f"Two workers give {result['speed_up']} times one. Pool and store add "
        f"{result['nothing_trained']['wall_ms_an_evaluation']} ms to an evaluation "
        f"({result['nothing_trained']['cpu_ms_an_evaluation']} ms of CPU time in this process). The guess of a "
        f"child's time orders children with a rank correlation of {trained[0]['estimate_spearman']}. "
        f"Load of the machine: {result['load_at_the_start']} before, {result['load_at_the_end']} after, on "
        f"{result['cores']} cores.",
    ]
    (HERE / "pool.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
