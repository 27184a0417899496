"""What a worker process of the pool does: train what it is handed, one child at a time."""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import fields
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ambient.evaluate.engines import TrainingFunction, default_train, evaluate_request
from ambient.evaluate.records import Evaluation, Request
from ambient.evaluate.spill import load_spilled_task
from ambient.processes import leave_with_parent

if TYPE_CHECKING:
    from ambient.data.task import TaskData

__all__ = ["HELD_BACK", "READY", "RESULTS", "work"]

HELD_BACK = {signal.SIGINT, signal.SIGTERM}  # while a process starts
READY = b"ready"  # a worker's first line
ASKED = ("task", "architecture", "seed", "fidelity", "task_hash", "fidelity_hash", "version")
RESULTS = tuple(field.name for field in fields(Evaluation) if field.name not in ASKED)


def work(
    connection: Connection,
    folder: str,
    train: TrainingFunction | None,
    device: str,
    host: str,
    gpu_share: float,
) -> None:
    """Serve requests until the other end of the connection is closed.

    Parameters
    ----------
    connection : Connection
        Requests come in as messages of JSON; results go out as lines of JSON, of which the other end need not wait for
        the rest.
    folder : str
        Holds the spilled tasks, each under its hash.
    train : callable, optional
        What trains a child; the default of the engines where it is not given.
    device, host : str
        As for `evaluate_request`.
    gpu_share : float
        As for `evaluate_request`.
    """
    # An interrupt reaches the whole group of processes; what follows is for the parent to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)
    leave_with_parent(folder)

    import torch

    torch.set_num_threads(1)
    serve = _Server(Path(folder), train or default_train(), device, host, gpu_share)
    try:
        _send(connection, READY)
        while True:
            _send(connection, json.dumps(serve(connection.recv_bytes())).encode())
    except (EOFError, ConnectionError):  # the pool was closed, or its process ended
        sys.stdout.flush()
        os._exit(0)  # to take torch apart in good order lasts most of a second


def _send(connection: Connection, line: bytes) -> None:
    left = memoryview(line + b"\n")
    while left:
        left = left[os.write(connection.fileno(), left) :]


class _Server:
    """Answers messages; keeps each task from its first use on."""

    def __init__(
        self, folder: Path, train: TrainingFunction, device: str, host: str, gpu_share: float
    ) -> None:
        self._folder, self._settings = folder, (train, device, host, gpu_share)
        self._tasks: dict[str, TaskData] = {}

    def __call__(self, message: bytes) -> dict[str, Any]:
        content = json.loads(message)
        name = content["task_hash"]
        try:
            if name not in self._tasks:
                self._tasks[name] = load_spilled_task(self._folder / name)
            request = Request.from_dict(content["request"])
        # Not the child's fault, and not worth a worker: recorded as what it is.
        except Exception as error:
            _, device, host, _ = self._settings
            reason = f"{type(error).__name__}: {error}"
            return {"state": "failed", "reason": reason, "device": device, "host": host}
        evaluation = evaluate_request(self._tasks[name], request, name, *self._settings)
        if evaluation.device.startswith("cuda"):
            _leave_memory_to_others()
        return {field: getattr(evaluation, field) for field in RESULTS}


def _leave_memory_to_others() -> None:
    """Give back what torch keeps on a device that several processes share."""
    import torch

    torch.cuda.empty_cache()
