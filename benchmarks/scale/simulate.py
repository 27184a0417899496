"""Where does a search on 10 to 10,000 workers wait? A discrete-event simulation over recorded durations.

    python benchmarks/scale/simulate.py

Children last as long as those of benchmarks/yeast/table.tsv.gz did. One process, the driver, does the rest, one
thing after the other: it takes a result in, stores it, hands the next child out, and after each step lets the
controller learn. What each of these costs is measured first, on this machine, with the real searcher, store
and pool. Then the loop of `ambient.search.loop` is replayed in simulated time, with 0 (synchronous), 1 and 3
steps ahead.
"""

from __future__ import annotations

import heapq
import tempfile
import time
from collections import deque
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import torch

from ambient.child import SEARCH
from ambient.data.task import TaskData
from ambient.evaluate import Evaluation, PoolEngine, Store
from ambient.files import write_atomic, write_json_atomic
from ambient.search import AmbientConfig, AmbientSearcher, RandomSearcher
from ambient.space import named_space

HERE = Path(__file__).resolve().parent
RECORDED = HERE.parent / "yeast" / "table.tsv.gz"
WORKERS = (10, 100, 1_000, 10_000)
AHEAD = (0, 1, 3)
ROUNDS = 20  # children for each worker
STEP_PER_WORKER = 2  # a step holds so many children for each worker
TASKS = 36


@dataclass(frozen=True)
class Costs:
    """What the driver does, in seconds."""

    hand_out: float  # one child to a worker, and its result taken in
    store_one: float  # one result made durable by itself
    store_more: float  # each further result in the same transaction
    ask: float  # one architecture sampled
    learn: float  # one result told, the update of the controller included


@dataclass(frozen=True)
class Outcome:
    """What a simulated search came to."""

    utilisation: float  # share of the workers' time in which they train
    driver_busy: float  # share of the time in which the driver works
    controller_share: float  # of the driver's work: asking and learning
    children_per_second: float
    results_per_transaction: float


def simulate(
    durations: np.ndarray, workers: int, ahead: int, costs: Costs, grouped: bool, seed: int = 0
) -> Outcome:
    """Replay the loop in simulated time.

    Parameters
    ----------
    durations : array, float64, shape (n,)
        Seconds; children draw theirs from here.
    workers : int
    ahead : int
        Steps that may be under way beside the oldest one.
    costs : Costs
    grouped : bool
        Whether results that wait for the driver are stored in one transaction.
    seed : int
        Of the draw of the durations.

    Returns
    -------
    Outcome
    """
    rng = np.random.default_rng(seed)
    batch = STEP_PER_WORKER * workers
    steps = max(2, ROUNDS // STEP_PER_WORKER)
    now = controller = driver = trained = 0.0
    transactions = 0
    running: list[tuple[float, int]] = []  # (end, step)
    idle, queue = workers, deque[int]()  # steps of the children that nobody trains yet
    missing: dict[int, int] = {}
    asked = told = 0
    while told < steps:
        while asked < steps and asked - told <= ahead:
            now += costs.ask * batch
            controller += costs.ask * batch
            queue.extend([asked] * batch)
            missing[asked] = batch
            asked += 1
        while idle and queue:
            now += costs.hand_out
            driver += costs.hand_out
            duration = float(rng.choice(durations))
            trained += duration
            heapq.heappush(running, (now + duration, queue.popleft()))
            idle -= 1
            if running[0][0] <= now:
                break  # a result waits: it is taken in before more is handed out
        now = max(now, running[0][0]) if running else now
        arrived = 0
        while running and running[0][0] <= now and (grouped or arrived == 0):
            missing[heapq.heappop(running)[1]] -= 1
            idle += 1
            arrived += 1
        if arrived:
            spent = costs.store_one + (arrived - 1) * costs.store_more
            now += spent
            driver += spent
            transactions += 1
        while told < asked and missing[told] == 0:
            now += costs.learn * batch
            controller += costs.learn * batch
            told += 1
    children = steps * batch
    return Outcome(
        utilisation=trained / (workers * now),
        driver_busy=(driver + controller) / now,
        controller_share=controller / (driver + controller),
        children_per_second=children / now,
        results_per_transaction=children / transactions,
    )


def measured() -> Costs:
    """Measure what the driver does, with the real parts."""
    ask, learn = controller_costs()
    store_one, store_more = store_costs()
    return Costs(hand_out(), store_one, store_more, ask, learn)


def controller_costs(tasks: int = TASKS, each: int = 20) -> tuple[float, float]:
    """Time the joint searcher over steps of `tasks` times `each` architectures."""
    torch.set_num_threads(1)
    config = AmbientConfig(tasks_per_step=tasks, architectures_per_task=each)
    names = [f"task{number}" for number in range(tasks)]
    searcher = AmbientSearcher(named_space("ambient-10"), dict.fromkeys(names), SEARCH, config)
    asking, learning, count = [], [], 0
    for _ in range(3):
        began = time.perf_counter()
        requests = searcher.ask(tasks * each)
        asking.append(time.perf_counter() - began)
        results = [
            Evaluation.of(request, "0" * 16, metrics={"validation_auroc": 0.5 + 0.001 * (i % 97)})
            for i, request in enumerate(requests)
        ]
        began = time.perf_counter()
        searcher.tell(results)
        learning.append(time.perf_counter() - began)
        count += len(requests)
    return sum(asking) / count, sum(learning) / count


def store_costs(rows: int = 2000) -> tuple[float, float]:
    """Time durable writes, one by one and many at once."""
    searcher = RandomSearcher(named_space("ambient-10"), ["task"], SEARCH)
    results = [
        Evaluation.of(request, "0" * 16, metrics={"validation_auroc": 0.5, "test_auroc": 0.5})
        for request in searcher.ask(2 * rows)
    ]
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
        began = time.perf_counter()
        for result in results[: rows // 10]:
            store.put(result)
        one = (time.perf_counter() - began) / (rows // 10)
        began = time.perf_counter()
        store.put(*results[rows:])
        return one, (time.perf_counter() - began) / rows


def nothing(task: TaskData, architecture: Any, fidelity: Any, seed: int, device: str) -> Any:
    """Train nothing: what is left is the pool's own cost."""
    return SimpleNamespace(metrics={"validation_auroc": 0.5})


def hand_out(children: int = 2000) -> float:
    """Time a pool of one worker over children that cost nothing."""
    codes = np.zeros((4, 8), dtype=np.uint8)
    labels = np.array([[0], [1], [0], [1]], dtype=np.float32)
    split, origin = np.array([0, 0, 1, 2], dtype=np.uint8), np.array([1, 0, 1, 0], dtype=np.uint8)
    task = TaskData("task", "tf", 8, codes, labels, split, origin)
    requests = RandomSearcher(named_space("ambient-10"), ["task"], SEARCH).ask(children)
    with PoolEngine({"task": task}, 1, train=nothing) as pool:
        list(pool.run(requests[:1]))
        began = time.process_time()
        list(pool.run(requests))
        return (time.process_time() - began) / children


def main() -> None:
    """Measure, simulate, write."""
    table = pd.read_csv(RECORDED, sep="\t")
    durations = table.loc[table["state"] == "done", "cpu_seconds"].to_numpy(dtype=np.float64)
    costs = measured()
    rows = [
        {"workers": workers, "ahead": ahead, "grouped": grouped}
        | asdict(simulate(durations, workers, ahead, costs, grouped))
        for workers in WORKERS
        for grouped in (False, True)
        for ahead in AHEAD
    ]
    free = replace(costs, ask=0.0, learn=0.0)
    limit = {
        workers: simulate(durations, workers, 1, free, True).utilisation for workers in WORKERS
    }
    summary = {
        "children": len(durations),
        "mean_seconds": float(durations.mean()),
        "longest_seconds": float(durations.max()),
        "costs": asdict(costs),
        "rows": rows,
        "utilisation_if_the_controller_were_free": limit,
    }
    write_json_atomic(HERE / "simulate.json", summary)
    text = as_table(summary)
    write_atomic(HERE / "simulate.md", text)
    print(text)


def as_table(summary: dict[str, Any]) -> str:
    """Write the summary as a table in Markdown."""
    lines = [
        "| cost of the driver | milliseconds |",
        "|---|---|",
        *(f"| {name} | {1000 * seconds:.3f} |" for name, seconds in summary["costs"].items()),
        "",
        "| workers | results stored | steps ahead | workers busy | driver busy | of it controller "
        "| children a second |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in summary["rows"]:
        lines.append(
            f"| {row['workers']:,} | {'together' if row['grouped'] else 'one by one'} | {row['ahead']} | "
            f"{row['utilisation']:.1%} | {row['driver_busy']:.1%} | {row['controller_share']:.0%} | "
            f"{row['children_per_second']:,.1f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
