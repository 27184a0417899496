"""How long does a proposal take, alone and by the thousand, and how long an update of the controller?

    python benchmarks/throughput/propose.py

Proposes with the controller of benchmarks/yeast/zero-shot for 1,000 data sets (the 249 yeast sets of descriptors.tsv
there, drawn with replacement, each number a little changed, so that no two are alike); starts `ambient propose` anew;
and makes PPO updates over 36 tasks with 5 architectures each. Writes propose.json and propose.md beside this file.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ambient.controller.card import Controller
from ambient.controller.policy import Policy
from ambient.controller.ppo import PPOConfig, Step, update
from ambient.files import write_atomic, write_json_atomic
from descriptors import Descriptors
from descriptors.schema import NAMES, SCHEMA_VERSION

HERE = Path(__file__).resolve().parent
YEAST = HERE.parent / "yeast"
TABLE = YEAST / "descriptors.tsv"
CONTROLLER = YEAST / "zero-shot" / "ambient-plus" / "controller"
COUNT, REPEATS = 1000, 20
TASKS, ARCHITECTURES = 36, 5


def main() -> None:
    """Measure; write what came out."""
    started = time.perf_counter()
    controller = Controller.load(CONTROLLER)
    loading = time.perf_counter() - started
    several = data_sets()
    controller.propose(several[:2])  # what is computed once
    first = best_of(lambda: controller.propose(several), 1)
    rows = {
        f"{COUNT:,} proposals in one process, after loading": best_of(
            lambda: controller.propose(several)
        ),
        "the first time": first,
        "one proposal": best_of(lambda: controller.propose(several[0])),
        "loading the controller": loading,
        "`ambient propose`, a new process": best_of(lambda: cold(several[0]), 3),
        f"a PPO update over {TASKS} tasks with {ARCHITECTURES} architectures": ppo(controller),
        f"for scale: the policy's LSTM alone, {COUNT:,} data sets": best_of(
            lambda: lstm(controller)
        ),
    }
    proposals = controller.propose(several)
    result = {
        "seconds": rows,
        "different_architectures": len({one[0].architecture.key for one in proposals}),
        "median_probability": float(np.median([one[0].probability for one in proposals])),
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    write_json_atomic(HERE / "propose.json", result)
    lines = ["| what | milliseconds |", "|---|---|"]
    lines += [f"| {what} | {1000 * seconds:.1f} |" for what, seconds in rows.items()]
    lines += [
        "",
        f"{result['different_architectures']} different architectures were proposed; the median probability is "
        f"{result['median_probability']:.2f}. The best of {REPEATS} repeats (3 of the new process), "
        f"{result['threads']} threads.",
    ]
    write_atomic(HERE / "propose.md", "\n".join(lines) + "\n")
    print("\n".join(lines))


def data_sets() -> list[Descriptors]:
    """Make descriptors like those of yeast."""
    known = pd.read_csv(TABLE, sep="\t")
    rng = np.random.default_rng(0)
    made = []
    for number, row in enumerate(rng.integers(len(known), size=COUNT)):
        values = {
            name: None
            if pd.isna(known.loc[row, name])
            else float(known.loc[row, name]) * float(rng.uniform(0.95, 1.05))
            for name in NAMES
        }
        one = Descriptors(
            task=f"set {number}",
            schema_version=SCHEMA_VERSION,
            values=values,
            sources={"motifs": {"finder": "built-in", "revision": 4}},
        )
        made.append(one)
    return made


def best_of(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Give the seconds of the fastest of some repeats."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def cold(described: Descriptors) -> None:
    """Propose in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "descriptors.json"
        described.save(path)
        command = [sys.executable, "-m", "ambient.cli.main", "propose", str(path)]
        command += ["--controller", str(CONTROLLER)]
        said = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True)
        assert json.loads(said.stdout)["proposals"]


@torch.no_grad()
def lstm(controller: Controller) -> None:
    """Pass all decisions of as many architectures through the LSTM once."""
    policy = controller.policy
    shape = COUNT, len(controller.space.decisions), policy.config.embedding
    policy.lstm(torch.zeros(shape))


def ppo(controller: Controller) -> float:
    """Give the seconds of an update from one step's results."""
    policy = Policy(controller.space, controller.policy.config, len(controller.scaler.names))
    policy.load_state_dict(controller.policy.state_dict())
    names = [task.name for task in controller.tasks for _ in range(ARCHITECTURES)]
    vectors = torch.tensor([task.vector for task in controller.tasks for _ in range(ARCHITECTURES)])
    generator = torch.Generator().manual_seed(0)
    tokens, logs = policy.sample(vectors, generator)
    rewards = 0.8 + 0.05 * torch.randn(len(tokens), generator=generator)
    step = Step(tuple(names), vectors, tokens, logs, rewards)
    optimiser = torch.optim.Adam(policy.parameters(), lr=1e-4, fused=True)
    levels = dict.fromkeys(names, 0.8)
    config = PPOConfig()
    return best_of(lambda: update(policy, optimiser, (step,), levels, config, generator))


if __name__ == "__main__":
    main()
