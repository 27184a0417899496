"""An engine of persistent worker processes, one thread each."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import tempfile
import weakref
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ambient.errors import RunError
from ambient.evaluate.engines import Engine, TrainingFunction, known_task, short_host
from ambient.evaluate.records import Evaluation, Request
from ambient.evaluate.spill import spill_task
from ambient.evaluate.worker import READY, work

if TYPE_CHECKING:
    from ambient.data.task import TaskData

__all__ = ["PoolEngine"]

RETRIES = 1  # how often a request is handed to a fresh worker after its worker died
GRACE_SECONDS = 5.0  # how long an idle worker may take to leave
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class PoolEngine(Engine):
    """Trains several children at once, each on one thread of a process of its own.

    The processes start with the first run and stay. One that dies is replaced; its request is tried
    once more and then recorded as failed. They end with `close`, and on their own when this process
    dies, however it dies.

    Parameters
    ----------
    tasks : mapping of str to TaskData
        The tasks that requests may name. Each is written once, when it is first needed, into a
        temporary folder that all workers map.
    workers : int, optional
        How many processes; one for each core that this process may use where it is not given.
    train : callable, optional
        What trains a child: a function that another process can import.
        `ambient.child.train.train_child` where it is not given.
    device : str
        As torch spells it.
    host : str, optional
        What is recorded as the machine; its short name where this is not given, "" for none.

    Raises
    ------
    RunError
        There would be no worker.
    """

    def __init__(
        self,
        tasks: Mapping[str, TaskData],
        workers: int | None = None,
        train: TrainingFunction | None = None,
        device: str = "cpu",
        host: str | None = None,
    ) -> None:
        count = usable_cores() if workers is None else workers
        if count < 1:
            raise RunError(f"pool: found {count} workers, at least 1 is needed; ask for more")
        self._tasks, self._count = tasks, count
        self._settings = (train, device, short_host() if host is None else host)
        self._workers: list[_Worker] = []
        self._spilled: set[str] = set()
        self._folder = Path(tempfile.mkdtemp(prefix="ambient-tasks-"))
        self._remove_folder = weakref.finalize(
            self, shutil.rmtree, self._folder, ignore_errors=True
        )
        self._is_running = False

    @property
    def workers(self) -> int:
        """How many children are trained at once."""
        return self._count

    def task_hash(self, task: str) -> str:
        """Give the hash of a task's contents."""
        return known_task(self._tasks, task).hash

    def run(self, requests: Sequence[Request]) -> Iterator[Evaluation]:
        """Carry out the requests and give each result as soon as it is there.

        What is still being trained when the iterator is dropped is given up.

        Raises
        ------
        RunError
            A request names an unknown task, or the workers cannot start.
        """
        if not self._remove_folder.alive:
            raise RuntimeError("the pool is closed")
        for request in requests:
            task = known_task(self._tasks, request.task)
            if task.hash not in self._spilled:
                spill_task(task, self._folder / task.hash)
                self._spilled.add(task.hash)
        return self._run(requests)

    def _run(self, requests: Sequence[Request]) -> Iterator[Evaluation]:
        if self._is_running:
            raise RuntimeError("a pool carries out one run at a time")
        self._is_running = True
        queue = deque(range(len(requests)))
        losses: Counter[int] = Counter()
        try:
            self._employ(queue, requests)
            while busy := [worker for worker in self._workers if worker.job is not None]:
                for worker in _heard_from(busy):
                    evaluation = self._hear(worker, queue, losses, requests)
                    # Before the result is given out: no worker waits for the caller.
                    self._employ(queue, requests)
                    if evaluation is not None:
                        yield evaluation
        finally:
            self._is_running = False
            for worker in [worker for worker in self._workers if worker.job is not None]:
                self._dismiss(worker)

    def _employ(self, queue: deque[int], requests: Sequence[Request]) -> None:
        """Hand a request to each idle worker, starting workers as far as there is need."""
        for worker in [w for w in self._workers if w.job is None and w.has_died()]:
            self._dismiss(worker)
        idle = [worker for worker in self._workers if worker.job is None]
        while queue and (idle or len(self._workers) < self._count):
            if not idle:
                idle.append(_Worker(str(self._folder), *self._settings))
                self._workers.append(idle[0])
            index = queue.popleft()
            idle.pop().hand_over(index, requests[index], self.task_hash(requests[index].task))

    def _hear(
        self,
        worker: _Worker,
        queue: deque[int],
        losses: Counter[int],
        requests: Sequence[Request],
    ) -> Evaluation | None:
        """Take a worker's message, or its death; give the evaluation that came of it, if any."""
        index = worker.job
        assert index is not None  # only busy workers are listened to
        try:
            results = worker.receive()
        except _WorkerLostError:
            code = self._dismiss(worker)
            if code > 0 and not worker.is_ready:
                raise RunError(
                    f"pool: a worker process ended with exit code {code} before it was ready (its "
                    "message stands above); a script that uses a pool must do its work under "
                    'if __name__ == "__main__":'
                ) from None
            losses[index] += 1
            if losses[index] <= RETRIES:
                queue.appendleft(index)
                return None
            results = {
                "state": "failed",
                "reason": f"WorkerLost: the worker process {_end(code)} while it trained this "
                f"child, {losses[index]} times; was memory short?",
                "device": self._settings[1],
                "host": self._settings[2],
            }
        if results is None:
            return None
        return Evaluation.of(requests[index], self.task_hash(requests[index].task), **results)

    def _dismiss(self, worker: _Worker) -> int:
        self._workers.remove(worker)
        return worker.end()

    def close(self) -> None:
        """End the workers, in the middle of a child if need be, and remove the temporary folder."""
        for worker in self._workers:
            worker.say_goodbye()
        for worker in list(self._workers):
            self._dismiss(worker)
        self._remove_folder()


class _WorkerLostError(Exception):
    """The process at the other end of a pipe is gone."""


class _Worker:
    """One process, and what it is at."""

    def __init__(self, folder: str, train: TrainingFunction | None, device: str, host: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(
            target=work,
            args=(other, folder, train, device, host),
            name="ambient-worker",
            daemon=True,
        )
        with _surroundings():
            self.process.start()
        other.close()  # so that its death closes the pipe
        self.job: int | None = None
        self.is_ready = False

    def has_died(self) -> bool:
        """Whether an idle worker's end of the pipe is closed."""
        return self.is_ready and self.connection.poll()

    def hand_over(self, index: int, request: Request, task_hash: str) -> None:
        self.job = index
        message = {"task_hash": task_hash, "request": request.to_dict()}
        # One that died just now is found out when it is listened to.
        with contextlib.suppress(ConnectionError):
            self.connection.send_bytes(json.dumps(message).encode())

    def receive(self) -> dict[str, Any] | None:
        """Give the job's results, which end it, or None where the worker says that it is ready."""
        try:
            message = self.connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise _WorkerLostError from error
        if message == READY:
            self.is_ready = True
            return None
        self.job = None
        results: dict[str, Any] = json.loads(message)
        return results

    def say_goodbye(self) -> None:
        self.connection.close()
        if self.job is not None:
            self.process.kill()

    def end(self) -> int:
        """End the process, wait for it, and give its exit code (negative: the signal)."""
        self.connection.close()
        if self.job is not None:
            self.process.kill()
        self.process.join(GRACE_SECONDS)
        if self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        code = self.process.exitcode
        self.process.close()
        return 0 if code is None else code


def _heard_from(workers: Sequence[_Worker]) -> list[_Worker]:
    """Wait until at least one of the workers sent something or died."""
    owners: dict[Any, _Worker] = {worker.connection: worker for worker in workers}
    return [owners[connection] for connection in wait(list(owners))]


@contextlib.contextmanager
def _surroundings() -> Iterator[None]:
    """Give new processes one thread, and no interrupt before they can ignore it."""
    before = {name: os.environ.get(name) for name in ONE_THREAD}
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ.update(ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def usable_cores() -> int:
    """Count the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _end(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"left with exit code {code}"
