"""Children per minute: our pool against a plain training loop and against the arithmetic alone.

    python benchmarks/throughput/run.py --children 50

Random architectures of `ambient-10` at `search` on one yeast task, in blocks: each block is trained by
`plain.py`, one process after the other with torch's default threads, and then by the pool, one worker for
each core, so that both meet the same noise of a shared machine. The arithmetic limit is the number of
floating-point operations over the machine's rate of matrix products, measured in the same run. Rows are
appended to rows.jsonl as they come, and the script goes on from there; results.json and results.md are
written at the end. `--profile` also says where a child's time goes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from ambient.child import SEARCH, train_child
from ambient.child.count import count_flops
from ambient.data.corpus import read_corpus
from ambient.data.prepare import prepare_corpus
from ambient.data.task import TaskData
from ambient.evaluate import PoolEngine, Request
from ambient.files import write_atomic, write_json_atomic
from ambient.space import Architecture, named_space

HERE = Path(__file__).resolve().parent
CORPUS = HERE.parent / "yeast" / "corpus.yaml"
ROWS = HERE / "rows.jsonl"
TASK = "Bdf1"
BLOCK = 10  # architectures that one way trains before the other does
SEED = 21  # of the draw of the architectures

# Substrings of the names of torch's operations, in the order in which they are looked for.
GROUPS = {
    "convolutions": ("convolution",),
    "LSTM": ("rnn", "lstm"),
    "matrix products": ("addmm", "::mm", "bmm"),
    "normalisation": ("batch_norm",),
    "pooling": ("pool",),
    "optimiser": ("adam", "clip_grad", "foreach", "linalg_vector_norm"),
    "activations and dropout": (
        "clamp_min",
        "threshold",
        "random_",
        "::ge",
        "::mul",
        "relu",
        "exp",
    ),
    "copies and casts": ("copy_", "fill_", "zero_", "cat", "contiguous"),
}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--children", type=int, default=50, help="random architectures")
    parser.add_argument("--profile", action="store_true", help="also profile ten of them")
    arguments = parser.parse_args()
    rng = np.random.default_rng(SEED)
    space = named_space("ambient-10")
    architectures = [space.sample(rng) for _ in range(arguments.children)]
    task = prepare_corpus(read_corpus(CORPUS), CORPUS.parent / "cache" / "tasks", names=[TASK])[
        TASK
    ]
    rows = [json.loads(line) for line in ROWS.read_text().splitlines()] if ROWS.exists() else []
    with PoolEngine({TASK: task}) as pool, tempfile.TemporaryDirectory() as folder:
        list(pool.run([_request(one) for one in architectures[: pool.capacity]]))  # warm
        for start in range(0, len(architectures), BLOCK):
            block = architectures[start : start + BLOCK]
            if not any(row["block"] == start for row in rows):
                rows.append(measure(start, block, task, pool, Path(folder)))
                with ROWS.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps(rows[-1]) + "\n")
                print(
                    json.dumps({k: v for k, v in rows[-1].items() if "auroc" not in k}), flush=True
                )
    summary = summarise(rows)
    if arguments.profile:
        summary["profile"] = profiled(architectures[:10], task)
    write_json_atomic(HERE / "results.json", summary)
    write_atomic(HERE / "results.md", as_table(summary))
    print(as_table(summary))


def _request(architecture: Architecture) -> Request:
    return Request(TASK, architecture, 0, SEARCH)


def measure(
    start: int, block: list[Architecture], task: TaskData, pool: PoolEngine, folder: Path
) -> dict[str, Any]:
    """Train one block both ways, and measure the machine's rates."""
    task.save(folder / "task.npz")
    began = time.perf_counter()
    plain = []
    for architecture in block:
        (folder / "architecture.json").write_text(json.dumps(architecture.to_dict()))
        command = [sys.executable, str(HERE / "plain.py"), "task.npz", "architecture.json", "0"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
        plain.append(json.loads(done.stdout))
    plain_seconds = time.perf_counter() - began
    began = time.perf_counter()
    ours = list(pool.run([_request(architecture) for architecture in block]))
    return {
        "block": start,
        "children": len(block),
        "workers": pool.capacity,
        "plain_seconds": plain_seconds,
        "pool_seconds": time.perf_counter() - began,
        "pool_cpu_seconds": sum(one.cpu_seconds for one in ours),
        "gigaflops": sum(operations(architecture, task) for architecture in block) / 1e9,
        "rate_gigaflops": {
            name: rate(kind)
            for name, kind in (("bfloat16", torch.bfloat16), ("float32", torch.float32))
        },
        "plain_validation_auroc": [one["validation_auroc"] for one in plain],
        "plain_test_auroc": [one["test_auroc"] for one in plain],
        "pool_validation_auroc": [
            one.metrics["validation_auroc"] for one in pool_order(block, ours)
        ],
        "pool_test_auroc": [one.metrics["test_auroc"] for one in pool_order(block, ours)],
    }


def pool_order(block: list[Architecture], evaluations: list[Any]) -> list[Any]:
    """Put results into the order of their architectures."""
    by_key = {one.architecture.key: one for one in evaluations}
    return [by_key[architecture.key] for architecture in block]


def operations(architecture: Architecture, task: TaskData) -> float:
    """Count the floating-point operations of one training at `search`.

    A training window costs its forward pass, as much again for the gradients of the weights, and as much
    again for those of each layer's input, which the first layer needs not; a judged window costs a forward
    pass on both strands.
    """
    network = architecture.build(task.window_bp, 1)
    forward = count_flops(network, task.window_bp)
    first = next(part for part in network if isinstance(part, nn.Conv1d))
    entry = 2 * task.window_bp * first.weight.numel()
    trained = SEARCH.epochs * (SEARCH.windows_per_epoch // SEARCH.batch_size) * SEARCH.batch_size
    validation, test = ((np.asarray(task.split) == split).sum() for split in (1, 2))
    judged = SEARCH.epochs - int(SEARCH.keep_from * SEARCH.epochs)
    return trained * (3 * forward - entry) + 2 * forward * ((judged + 1) * validation + test)


def rate(kind: torch.dtype, size: int = 1536, seconds: float = 2.0) -> float:
    """Measure the rate of matrix products on all cores, in GFLOP/s."""
    left = torch.randn(size, size).to(kind)
    left @ left
    products, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        left @ left
        products += 1
    return products * 2 * size**3 / (time.perf_counter() - began) / 1e9


def profiled(architectures: list[Architecture], task: TaskData) -> dict[str, float]:
    """Give the share of a child's time that each kind of operation takes, over some architectures."""
    spent: dict[str, float] = dict.fromkeys([*GROUPS, "other operations"], 0.0)
    total = 0.0
    train_child(task, architectures[0], SEARCH, 0)  # imports and first calls are paid once
    for architecture in architectures:
        began = time.process_time()
        with profile(activities=[ProfilerActivity.CPU]) as record:
            train_child(task, architecture, SEARCH, 0)
        total += time.process_time() - began
        for event in record.key_averages():
            name = event.key.lower()
            group = next(
                (g for g, words in GROUPS.items() if any(w in name for w in words)),
                "other operations",
            )
            spent[group] += event.self_cpu_time_total / 1e6
    # What the profiler itself costs stands under the last heading, with Python and numpy.
    spent["between operations"] = max(0.0, total - sum(spent.values()))
    return {name: seconds / sum(spent.values()) for name, seconds in spent.items()}


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Add the blocks up."""
    children = sum(row["children"] for row in rows)
    seconds = {way: sum(row[f"{way}_seconds"] for row in rows) for way in ("plain", "pool")}
    work = sum(row["gigaflops"] for row in rows)
    limits = {
        kind: work / float(np.mean([row["rate_gigaflops"][kind] for row in rows]))
        for kind in ("bfloat16", "float32")
    }
    rewards = {
        f"{way}_{split}_auroc": float(
            np.mean([v for row in rows for v in row[f"{way}_{split}_auroc"]])
        )
        for way in ("plain", "pool")
        for split in ("validation", "test")
    }
    return {
        "task": TASK,
        "children": children,
        "cores": rows[0]["workers"],
        "torch": torch.__version__,
        "plain_seconds": seconds["plain"],
        "pool_seconds": seconds["pool"],
        "limit_seconds": limits,
        "gigaflops_per_child": work / children,
        "times_plain": seconds["plain"] / seconds["pool"],
        "times_plain_by_block": [row["plain_seconds"] / row["pool_seconds"] for row in rows],
        **rewards,
    }


def as_table(summary: dict[str, Any]) -> str:
    """Write the summary as a table in Markdown."""
    lines = ["| way | children a minute | validation AUROC | test AUROC |", "|---|---|---|---|"]
    count = summary["children"]
    for name, way in (("plain loop", "plain"), ("pool", "pool")):
        speed = 60 * count / summary[f"{way}_seconds"]
        rewards = " | ".join(f"{summary[f'{way}_{s}_auroc']:.3f}" for s in ("validation", "test"))
        lines.append(f"| {name} | {speed:.1f} | {rewards} |")
    for kind, seconds in summary["limit_seconds"].items():
        lines.append(f"| arithmetic alone, {kind} | {60 * count / seconds:.1f} | | |")
    lines.append(f"\nThe pool is {summary['times_plain']:.1f} times as fast as the plain loop.")
    if "profile" in summary:
        lines += ["", "| where a child's time goes | share |", "|---|---|"]
        lines += [f"| {name} | {share:.0%} |" for name, share in summary["profile"].items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
