"""An engine of persistent worker processes, one thread each."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ambient.errors import RunError
from ambient.evaluate.engines import (
    Engine,
    TrainingFunction,
    is_short_of_memory,
    known_task,
    short_host,
)
from ambient.evaluate.estimate import estimate_memory_bytes, estimate_seconds
from ambient.evaluate.records import Evaluation, Request
from ambient.evaluate.schedule import Device, Job, Schedule, find_devices
from ambient.evaluate.spill import spill_task
from ambient.evaluate.worker_process import (
    NO_RESULT,
    START_SECONDS,
    WorkerLostError,
    WorkerProcess,
    heard_from,
    without_interrupts,
)

if TYPE_CHECKING:
    from ambient.data.task import TaskData

__all__ = ["PoolEngine", "limit_seconds", "usable_cores"]

RETRIES = 1  # how often a request is handed to a fresh worker after it was lost
ON_A_GPU = 4  # worker processes for each GPU where their number is not given

# A child hangs when it takes longer than these say, which is far more than any child should.
PATIENCE_SECONDS = 1200.0
PATIENCE_FACTOR = 100.0  # times the guess for a common core


class PoolEngine(Engine):
    """Trains several children at once, each on one thread of a process of its own.

    The processes start when there is work for them and stay. One that dies, hangs or sends garbage is replaced; its
    request is tried once more and then recorded as failed. They end with `close`, and on their own when
    this process dies, however it dies.

    A child that ran short of memory, or whose process was ended by SIGKILL as the system does when memory is short,
    is tried again while nothing else runs.

    Parameters
    ----------
    tasks : mapping of str to TaskData
        The tasks that requests may name. Each is written once, when it is first needed, into a
        temporary folder that all workers map.
    workers : int, optional
        How many processes. Where it is not given, one for each core that this process may use; on GPUs no more than
        four for each.
    train : callable, optional
        What trains a child: a function that another process can import.
        `ambient.child.train.train_child` where it is not given.
    device : str
        As torch spells it; "cuda" stands for all GPUs that are visible, which the workers share.
    host : str, optional
        What is recorded as the machine; its short name where this is not given, "" for none.
    child_minutes : float, optional
        A child that takes longer is given up. Where it is not given, 20 minutes and a hundred times what a common
        core would take.
    device_bytes : int, optional
        What children that run on one device at once may take of its memory, by the guess of
        `estimate_memory_bytes`; one that is larger runs there alone. Where it is not given, a GPU's own size, and no
        limit on CPU.

    Raises
    ------
    RunError
        There would be no worker, or there is no such GPU.
    """

    def __init__(
        self,
        tasks: Mapping[str, TaskData],
        workers: int | None = None,
        train: TrainingFunction | None = None,
        device: str = "cpu",
        host: str | None = None,
        child_minutes: float | None = None,
        device_bytes: int | None = None,
    ) -> None:
        count = default_workers(device) if workers is None else workers
        if count < 1:
            raise RunError(f"pool: found {count} workers, at least 1 is needed; ask for more")
        self._tasks, self._train, self._child_minutes = tasks, train, child_minutes
        self._host = short_host() if host is None else host
        self._devices = find_devices(device, count, device_bytes)
        self._workers: list[WorkerProcess] = []
        self._schedule = Schedule()
        self._ready: deque[Evaluation] = deque()
        self._spilled: set[str] = set()
        self._folder = Path(tempfile.mkdtemp(prefix="ambient-tasks-"))
        self._remove_folder = weakref.finalize(
            self, shutil.rmtree, self._folder, ignore_errors=True
        )

    @property
    def capacity(self) -> int:
        """How many children are trained at once."""
        return sum(device.slots for device in self._devices)

    def task_hash(self, task: str) -> str:
        """Give the hash of a task's contents."""
        return known_task(self._tasks, task).hash

    def submit(self, requests: Sequence[Request]) -> None:
        """Take requests; idle workers begin at once.

        Raises
        ------
        RunError
            A request names an unknown task, or a task cannot be written for the workers.
        """
        if not self._remove_folder.alive:
            raise RuntimeError("the pool is closed")
        tasks = [known_task(self._tasks, request.task) for request in requests]
        for task in tasks:
            self._spill(task)
        self._schedule.add(
            Job(
                request,
                task.hash,
                estimate_seconds(request, task),
                estimate_memory_bytes(request, task),
            )
            for request, task in zip(requests, tasks, strict=True)
        )
        self._employ()

    def _spill(self, task: TaskData) -> None:
        if task.hash in self._spilled:
            return
        try:
            spill_task(task, self._folder / task.hash)
        except OSError as error:
            shutil.rmtree(self._folder / task.hash, ignore_errors=True)
            raise RunError(
                f"pool: the task {task.name!r} could not be written for the workers ({error}); make room in "
                f"{self._folder.parent}, or set TMPDIR to a folder with room"
            ) from error
        self._spilled.add(task.hash)

    def _next(self) -> Evaluation | None:
        while not self._ready and self._running():
            self._listen()
        return self._ready.popleft() if self._ready else None

    def _ready_now(self) -> list[Evaluation]:
        if self._running():
            self._listen(waiting=False)
        there = list(self._ready)
        self._ready.clear()
        return there

    def _listen(self, waiting: bool = True) -> None:
        """Take what workers sent, and give them the next jobs before any result is given out."""
        for worker in heard_from([w for w in self._workers if w.job is not None], waiting):
            self._hear(worker)
            self._employ()
        self._end_overdue()

    def _employ(self) -> None:
        """Hand a job to each idle worker, starting workers as far as there is need."""
        for worker in [w for w in self._workers if w.job is None and w.has_died()]:
            self._dismiss(worker)
        while any(self._employ_on(device) for device in self._vacant()):
            pass

    def _vacant(self) -> list[Device]:
        """Give the devices that are not full, the emptiest first."""
        share = {d: len(self._running(d)) / d.slots for d in self._devices}
        return sorted((d for d in self._devices if share[d] < 1), key=lambda d: share[d])

    def _running(self, device: Device | None = None) -> list[Job]:
        return [
            worker.job
            for worker in self._workers
            if worker.job is not None and device in (None, worker.device)
        ]

    def _employ_on(self, device: Device) -> bool:
        """Start the first job that fits on a device with a vacancy; say whether there was one."""
        here = self._running(device)
        job = self._schedule.take(lambda job: device.holds(job.memory_bytes, here), self._running())
        if job is None:
            return False
        idle = [w for w in self._workers if w.job is None and w.device == device]
        if not idle:
            with without_interrupts():
                idle.append(WorkerProcess(str(self._folder), self._train, device, self._host))
                self._workers.append(idle[0])
        idle[0].hand_over(job, limit_seconds(job.seconds, self._child_minutes))
        return True

    def _hear(self, worker: WorkerProcess) -> None:
        """Take what a worker sent, or its death."""
        job = worker.job
        assert job is not None  # only busy workers are listened to
        try:
            results = worker.receive()
            evaluation = None if results is None else _read(job, results)
        except WorkerLostError as error:
            code = self._dismiss(worker)
            if code > 0 and not worker.is_ready:
                raise RunError(
                    f"pool: a worker process ended with exit code {code} before it was ready (its "
                    "message stands above); a script that uses a pool must do its work under "
                    'if __name__ == "__main__":'
                ) from None
            was_killed = not str(error) and code == -signal.SIGKILL
            self._lose(
                worker, str(error) or f"{_end(code)} while it trained this child", was_killed
            )
            return
        if evaluation is None:
            return
        worker.job = None
        if is_short_of_memory(evaluation.reason) and not job.is_alone:
            job.is_alone = True
            self._schedule.put_back(job)
        else:
            self._ready.append(evaluation)

    def _end_overdue(self) -> None:
        """End the workers whose child takes too long."""
        now = time.monotonic()
        for worker in [w for w in self._workers if w.job is not None and w.deadline <= now]:
            assert worker.job is not None
            limit = limit_seconds(worker.job.seconds, self._child_minutes)
            how = f"was ended since this child took more than {limit / 60:.3g} minutes"
            if not worker.is_ready:
                how = f"was not ready after {START_SECONDS / 60:.3g} minutes"
            self._dismiss(worker)
            self._lose(worker, how, False)
            self._employ()

    def _lose(self, worker: WorkerProcess, how: str, to_run_alone: bool) -> None:
        """Try the job of a worker that is no more once again, or record it as failed."""
        job, worker.job = worker.job, None
        assert job is not None
        job.losses.append(how)
        if len(job.losses) <= RETRIES:
            job.is_alone = job.is_alone or to_run_alone
            self._schedule.put_back(job)
            return
        ways = list(dict.fromkeys(job.losses))
        told = f"{ways[0]}, {len(job.losses)} times" if len(ways) == 1 else ", then ".join(ways)
        self._ready.append(
            Evaluation.of(
                job.request,
                job.task_hash,
                state="failed",
                reason=f"WorkerLost: the worker process {told}"
                + ("; was memory short?" if job.is_alone else ""),
                device=worker.device.name,
                host=self._host,
            )
        )

    def _dismiss(self, worker: WorkerProcess) -> int:
        self._workers.remove(worker)
        return worker.end()

    def _give_up(self) -> None:
        self._schedule.clear()
        self._ready.clear()
        for worker in [worker for worker in self._workers if worker.job is not None]:
            self._dismiss(worker)

    def close(self) -> None:
        """End the workers, in the middle of a child if need be, and remove the temporary folder."""
        self._schedule.clear()
        self._ready.clear()
        for worker in self._workers:
            worker.say_goodbye()
        for worker in list(self._workers):
            self._dismiss(worker)
        self._remove_folder()


def _read(job: Job, results: Any) -> Evaluation:
    """Make the evaluation of what a worker sent, or raise `WorkerLostError`."""
    try:
        return Evaluation.of(job.request, job.task_hash, **results)
    except (TypeError, ValueError) as error:
        raise WorkerLostError(NO_RESULT) from error


def limit_seconds(seconds: float, child_minutes: float | None) -> float:
    """Give how long a child may take: what was asked for, or far more than the guess in seconds."""
    if child_minutes is not None:
        return 60 * child_minutes
    return PATIENCE_SECONDS + PATIENCE_FACTOR * seconds


def default_workers(device: str) -> int:
    """Give the number of worker processes where none was asked for."""
    if not device.startswith("cuda"):
        return usable_cores()
    return min(usable_cores(), ON_A_GPU * len(find_devices(device, usable_cores())))


def usable_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _end(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"left with exit code {code}"
