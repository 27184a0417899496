"""Small tasks, spaces and ways to train, in a module that worker processes can import by name."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import sys
import threading
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ambient.child.fidelity import SEARCH, Fidelity
from ambient.data.task import TaskData
from ambient.evaluate.records import Evaluation, Request
from ambient.evaluate.store import Store
from ambient.space import Architecture, SearchSpace

FOLDER = "AMBIENT_TEST_FOLDER"  # environment variable: where training functions leave their marks

SPACE = SearchSpace.from_dict(
    {
        "name": "tiny",
        "version": 1,
        "window_bp": 60,
        "decisions": [
            {
                "name": "first",
                "choices": [
                    {"operation": "convolution", "filters": filters, "kernel": kernel}
                    for filters in (2, 4)
                    for kernel in (4, 6, 8)
                ],
            },
            {"name": "tail", "choices": ["global_max", "global_average"]},
        ],
    }
)

# Half of its networks read both strands alike.
STRANDS = SearchSpace.from_dict(
    {
        "name": "strands",
        "version": 1,
        "window_bp": 60,
        "decisions": [
            {
                "name": "first",
                "choices": [
                    {"operation": "convolution", "filters": 2, "kernel": kernel, **strands}
                    for kernel in (4, 6)
                    for strands in ({}, {"reverse_complement": True})
                ],
            },
            {"name": "tail", "choices": ["global_max"]},
        ],
    }
)
TINY = replace(SEARCH, name="tiny", windows_per_epoch=32, epochs=2, batch_size=8)


def tiny_task(name: str = "tiny", seed: int = 0, windows: int = 48) -> TaskData:
    """Make windows of which the positives hold a motif at their centre."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (windows, 80), dtype=np.uint8)
    labels = (np.arange(windows) % 2).astype(np.float32)[:, None]
    codes[labels[:, 0] == 1, 37:43] = (0, 3, 2, 1, 0, 0)
    split = np.array([0, 0, 0, 0, 1, 1, 2, 2], dtype=np.uint8)[np.arange(windows) % 8]
    origin = (1 - labels[:, 0]).astype(np.uint8)
    return TaskData(name, "tf", 60, codes, labels, split, origin)


def architectures() -> list[Architecture]:
    """Give all twelve architectures of the space."""
    return list(SPACE.enumerate())


def request(seed: int = 0, task: str = "tiny", index: int = 0, **changes: Any) -> Request:
    """Make a request; `changes` are constants of the fidelity."""
    return Request(task, architectures()[index % 12], seed, replace(TINY, **changes))


def evaluation(seed: int = 0, **results: Any) -> Evaluation:
    """Make a done evaluation of task "tiny" unless `results` say otherwise."""
    task_hash = results.pop("task_hash", "0123456789abcdef")
    asked = request(seed, results.pop("task", "tiny"), results.pop("index", 0))
    results.setdefault("metrics", {"validation_auroc": 0.75, "test_auroc": None})
    return Evaluation.of(asked, task_hash, **results)


@dataclass(frozen=True)
class Pretended:
    """What looks like a trained child."""

    metrics: Mapping[str, float | None]


def pretend(
    task: TaskData, architecture: Architecture, fidelity: Fidelity, seed: int, device: str
) -> Pretended:
    """Train nothing; give a number that depends on all that a child depends on."""
    what = f"{task.hash} {architecture.key} {fidelity.hash} {seed}".encode()
    return Pretended({"validation_auroc": zlib.crc32(what) / 2**32, "test_auroc": None})


def break_as_told(
    task: TaskData, architecture: Architecture, fidelity: Fidelity, seed: int, device: str
) -> Pretended:
    """Pretend, but break in the manner that the seed, from 100 on, stands for."""
    if seed == 100:
        raise ValueError("the seed is \udc80 100")
    if seed == 101:
        raise MemoryError("no room")
    if seed == 102:
        return Pretended({"validation_auroc": float("nan"), "test_auroc": 0.5})
    if seed == 103:
        os.kill(os.getpid(), signal.SIGKILL)
    if seed == 104 and leave_mark("killed-once"):
        os.kill(os.getpid(), signal.SIGKILL)
    if seed == 105:
        sys.exit(3)
    if seed == 106:
        threading.Event().wait()
    if seed == 107:
        write_to_all_sockets(b"\0 no JSON\n")
    if seed == 108:
        write_to_all_sockets(b'{"state": "unheard of"}\n')
    if seed == 109 and leave_mark("short-once"):
        raise MemoryError("no room")
    return pretend(task, architecture, fidelity, seed, device)


def write_to_all_sockets(what: bytes) -> None:
    """Write into the pipe between worker and pool, as a library gone wild would."""
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.stat(int(name)).st_mode):
                os.write(int(name), what)


def leave_mark(name: str) -> bool:
    """Make a file in the folder of marks; say whether it was not there before."""
    try:
        (Path(os.environ[FOLDER]) / name).open("x").close()
    except FileExistsError:
        return False
    return True


def tell_and_wait(
    task: TaskData, architecture: Architecture, fidelity: Fidelity, seed: int, device: str
) -> Pretended:
    """Write this process's number into the named pipe of the folder of marks, then never end."""
    with (Path(os.environ[FOLDER]) / "pids").open("w") as pipe:
        pipe.write(f"{os.getpid()}\n")
    threading.Event().wait()
    raise AssertionError("not reached")


def write_evaluations(path: str, first: int, count: int) -> None:
    """Put evaluations one by one; print the seed of each once the store has taken it."""
    with Store(path) as store:
        for seed in range(first, first + count):
            store.put(evaluation(seed, host=f"writer {first}"))
            print(json.dumps(seed), flush=True)
