"""A worker process as the pool sees it: started, handed a job, listened to, ended."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait
from typing import Any

from ambient.evaluate.engines import TrainingFunction
from ambient.evaluate.schedule import Device, Job
from ambient.evaluate.worker import HELD_BACK, READY, work

__all__ = [
    "NO_RESULT",
    "START_SECONDS",
    "WorkerLostError",
    "WorkerProcess",
    "heard_from",
    "without_interrupts",
]

START_SECONDS = 600.0  # how long one may take to be ready: torch from a slow disk
GRACE_SECONDS = 5.0  # how long an idle worker may take to leave
NO_RESULT = "sent what is no result"
CHUNK_BYTES = 1 << 16
LONGEST_ANSWER_BYTES = 1 << 24  # more is no result
SURROUNDINGS = {
    **{f"{library}_NUM_THREADS": "1" for library in ("OMP", "MKL", "OPENBLAS")},
    # glibc gives large tensors back to the system and gets them anew, page by page, in each step, which wide networks
    # over long windows feel. Let it keep them.
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "2000000000",
}


class WorkerLostError(Exception):
    """The process at the other end of a pipe is gone, or of no use; the message says how, if known."""


class WorkerProcess:
    """One process on one device, and what it is at."""

    def __init__(
        self, folder: str, train: TrainingFunction | None, device: Device, host: str
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(
            target=work,
            args=(other, folder, train, device.name, host, 1 / device.slots),
            name="ambient-worker",
            daemon=True,
        )
        with _surroundings():
            self.process.start()
        other.close()  # so that its death closes the pipe
        self.device = device
        self.job: Job | None = None
        self.is_ready = False
        self._limit_seconds = 0.0
        self.deadline = 0.0  # of its job, on the clock of time.monotonic
        self._heard = b""

    def has_died(self) -> bool:
        """Whether an idle worker's end of the pipe is closed."""
        return self.is_ready and self.connection.poll()

    def hand_over(self, job: Job, limit_seconds: float) -> None:
        """Give it a job, for which it may take so long once it is ready."""
        self.job = job
        self._limit_seconds = limit_seconds
        self.deadline = time.monotonic() + (limit_seconds if self.is_ready else START_SECONDS)
        message = {"task_hash": job.task_hash, "request": job.request.to_dict()}
        # One that died just now is found out when it is listened to.
        with contextlib.suppress(ConnectionError):
            self.connection.send_bytes(json.dumps(message).encode())

    def receive(self) -> dict[str, Any] | None:
        """Give the job's results, or None where they are not whole yet.

        Never waits for the rest of a line: a worker that was stopped or that sends garbage holds
        nobody up.

        Raises
        ------
        WorkerLostError
            The process is gone, or it sent what is no line of JSON.
        """
        try:
            chunk = os.read(self.connection.fileno(), CHUNK_BYTES)
        except OSError as error:
            raise WorkerLostError from error
        if not chunk:
            raise WorkerLostError
        self._heard += chunk
        if len(self._heard) > LONGEST_ANSWER_BYTES:
            raise WorkerLostError("sent more than any result holds")
        *lines, self._heard = self._heard.split(b"\n")
        results = None
        for line in lines:
            if line == READY:
                self.is_ready = True
                self.deadline = time.monotonic() + self._limit_seconds
                continue
            if results is not None:
                raise WorkerLostError(NO_RESULT)
            try:
                results = json.loads(line)
            except ValueError as error:
                raise WorkerLostError(NO_RESULT) from error
        return results

    def say_goodbye(self) -> None:
        """Have it leave, without waiting for it."""
        self.connection.close()
        if self.job is not None:
            self.process.kill()

    def end(self) -> int:
        """End the process, wait for it, and give its exit code (negative: the signal)."""
        self.connection.close()
        if self.job is not None:
            self.process.kill()  # one that ended by itself keeps its own exit code
        self.process.join(GRACE_SECONDS)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        code = self.process.exitcode
        self.process.close()
        return 0 if code is None else code


def heard_from(workers: Sequence[WorkerProcess], waiting: bool) -> list[WorkerProcess]:
    """Give the workers that sent something or died; wait for the first, or the first deadline, if asked to."""
    owners: dict[Any, WorkerProcess] = {worker.connection: worker for worker in workers}
    first = min(worker.deadline for worker in workers)
    heard = wait(list(owners), max(first - time.monotonic(), 0) if waiting else 0)
    return [owners[connection] for connection in heard]


@contextlib.contextmanager
def without_interrupts() -> Iterator[None]:
    """Let signals wait for what may not be left half done, as a process that begins; then they are heard.

    Blocking them would not do: any other thread takes them, and Python hears of them in the main one.
    """
    heard: list[int] = []
    handlers = {}
    if threading.current_thread() is threading.main_thread():  # the only one that may set handlers
        found = {number: signal.getsignal(number) for number in HELD_BACK}
        handlers = {number: known for number, known in found.items() if known is not None}
    for number in handlers:
        signal.signal(number, lambda number, _: heard.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for one in heard:
        signal.raise_signal(one)


@contextlib.contextmanager
def _surroundings() -> Iterator[None]:
    """Give new processes `SURROUNDINGS`, and no signal before they can ignore it."""
    before = {name: os.environ.get(name) for name in SURROUNDINGS}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
    os.environ.update(SURROUNDINGS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
