"""What carries evaluations out: the interface of all engines, and the one in this process."""

from __future__ import annotations

import platform
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol

from ambient.child.threads import one_thread
from ambient.errors import RunError
from ambient.evaluate.records import Evaluation, Request, json_safe, not_finite

if TYPE_CHECKING:
    from typing_extensions import Self

    from ambient.data.task import TaskData

__all__ = ["Engine", "InlineEngine", "Results", "Trained", "TrainingFunction", "evaluate_request"]


class Trained(Protocol):
    """What an engine needs to know of a trained child."""

    @property
    def metrics(self) -> Mapping[str, float | None]:
        """None where a split is empty; NaN or infinity where the child diverged."""


TRACEBACK_LINES = 20  # of a failed child, the last ones, are kept

# (task, architecture, fidelity, seed, device) -> trained child; with `rungs=` beside them where the
# request has any. A child that was given up says why as `stopped`.
TrainingFunction = Callable[..., Trained]


class Engine:
    """Anything that carries evaluations out.

    Results depend on the requests alone: not on their order, nor on how many run at once. An engine
    is a context manager; leaving it closes it.

    What an engine is made of: `capacity`, `task_hash`, `submit`, and the three that `Results` calls,
    `_next`, `_ready_now` and `_give_up`.
    """

    _is_giving = False  # whether some `Results` of this engine is in use

    @property
    def capacity(self) -> int:
        """How many children it works on at once; more than so many requests only wait."""
        return 1

    def task_hash(self, task: str) -> str:
        """Give the hash of a task's contents.

        Raises
        ------
        RunError
            The engine knows no task of that name.
        """
        raise NotImplementedError

    def submit(self, requests: Sequence[Request]) -> None:
        """Take requests; come back without waiting for a child. May be called between two results.

        Raises
        ------
        RunError
            A request names a task that the engine does not know; none of them has been taken then.
        """
        raise NotImplementedError

    def results(self) -> Results:
        """Give each outstanding result as soon as it is there, in any order.

        A child that fails gives a failed evaluation with its reason; the others go on. One iterator
        may be in use at a time.
        """
        if self._is_giving:
            raise RuntimeError("an engine gives its results to one iterator at a time")
        self._is_giving = True
        return Results(self)

    def run(self, requests: Sequence[Request]) -> Results:
        """Take requests and give their results: `submit`, then `results`.

        Raises
        ------
        RunError
            As `submit`.
        """
        if self._is_giving:
            raise RuntimeError(
                "an engine carries out one run at a time; submit to the one that is on"
            )
        self.submit(requests)
        return self.results()

    def close(self) -> None:
        """End what the engine holds, if anything; may be called twice."""

    def _next(self) -> Evaluation | None:
        """Wait for one result; None where nothing is outstanding."""
        raise NotImplementedError

    def _ready_now(self) -> list[Evaluation]:
        """Give results that are there already, without waiting; may be none."""
        return []

    def _give_up(self) -> None:
        """Forget what is outstanding, in the middle of a child if need be."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Results(Iterator[Evaluation]):
    """The results of an engine; dropping or closing it gives up what is outstanding."""

    def __init__(self, engine: Engine) -> None:
        self._engine: Engine | None = engine

    def __next__(self) -> Evaluation:
        if self._engine is None:
            raise StopIteration
        try:
            evaluation = self._engine._next()
        except BaseException:
            self.close()
            raise
        if evaluation is None:
            self.close()
            raise StopIteration
        return evaluation

    def at_once(self) -> list[Evaluation]:
        """Give the further results that are there already, without waiting."""
        return [] if self._engine is None else self._engine._ready_now()

    def close(self) -> None:
        """Give up what is outstanding; may be called twice."""
        if self._engine is not None:
            engine, self._engine = self._engine, None
            engine._is_giving = False
            engine._give_up()

    def __del__(self) -> None:
        self.close()


class InlineEngine(Engine):
    """Trains one child after the other in this process, on one thread.

    Parameters
    ----------
    tasks : mapping of str to TaskData
        The tasks that requests may name.
    train : callable, optional
        What trains a child; `ambient.child.train.train_child` where it is not given.
    device : str
        As torch spells it.
    host : str, optional
        What is recorded as the machine; its short name where this is not given, "" for none.
    """

    def __init__(
        self,
        tasks: Mapping[str, TaskData],
        train: TrainingFunction | None = None,
        device: str = "cpu",
        host: str | None = None,
    ) -> None:
        self._tasks, self._device = tasks, device
        self._train = train or default_train()
        self._host = short_host() if host is None else host
        self._waiting: deque[tuple[TaskData, Request]] = deque()

    def task_hash(self, task: str) -> str:
        """Give the hash of a task's contents."""
        return known_task(self._tasks, task).hash

    def submit(self, requests: Sequence[Request]) -> None:
        """Take requests; they are carried out in their order, each when its result is asked for."""
        tasks = [known_task(self._tasks, request.task) for request in requests]
        self._waiting.extend(zip(tasks, requests, strict=True))

    def _next(self) -> Evaluation | None:
        if not self._waiting:
            return None
        task, request = self._waiting.popleft()
        with one_thread():
            return evaluate_request(task, request, task.hash, self._train, self._device, self._host)

    def _give_up(self) -> None:
        self._waiting.clear()


def evaluate_request(
    task: TaskData,
    request: Request,
    task_hash: str,
    train: TrainingFunction,
    device: str,
    host: str,
    gpu_share: float = 1.0,
) -> Evaluation:
    """Train one child in this process and record what came out, failures included.

    Parameters
    ----------
    task : TaskData
        What the request's task name stands for.
    request : Request
        What to train.
    task_hash : str
        Hash of the task's contents.
    train : callable
        What trains a child.
    device, host : str
        Where to train, as torch spells it; the machine's name for the record.
    gpu_share : float
        The part of a GPU that the child has: 0.25 where four share one. Its seconds on a GPU are
        the wall seconds times this.

    Returns
    -------
    Evaluation
        Failed where training raised an exception or a metric is not finite.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    metrics: dict[str, float | None] = {}
    details: dict[str, Any] = {}
    stopped = ""
    try:
        asked = (task, request.architecture, request.fidelity, request.seed, device)
        trained = train(*asked, rungs=request.rungs) if request.rungs else train(*asked)
        stopped = getattr(trained, "stopped", "")
        metrics = {k: None if v is None else float(v) for k, v in trained.metrics.items()}
        details = json_safe(getattr(trained, "details", {}))
        reason = not_finite(metrics)
    # Whatever breaks in a child (memory, a user's own layer, our bug) must not end the search.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        details["traceback"] = _last_lines(error)
    if reason:
        metrics = {}
        reason = reason.encode(errors="replace").decode()  # file names may hold what is not text
    wall_seconds = time.perf_counter() - wall
    return Evaluation.of(
        request,
        task_hash,
        metrics=metrics,
        state="failed" if reason else "stopped" if stopped else "done",
        reason=reason or stopped,
        details=details,
        wall_seconds=wall_seconds,
        cpu_seconds=time.process_time() - cpu,
        gpu_seconds=0.0 if device == "cpu" else wall_seconds * gpu_share,
        device=device,
        host=host,
    )


def is_short_of_memory(reason: str) -> bool:
    """Whether a child failed since memory ran out, so that it may do better alone."""
    return (
        reason.startswith(("MemoryError", "OutOfMemoryError")) or "can't allocate memory" in reason
    )


def _last_lines(error: BaseException) -> str:
    lines = "".join(traceback.format_exception(error)).splitlines()[-TRACEBACK_LINES:]
    return "\n".join(lines).encode(errors="replace").decode()


def known_task(tasks: Mapping[str, TaskData], name: str) -> TaskData:
    """Give the task of a name, or raise `RunError`."""
    if name not in tasks:
        known = ", ".join(sorted(tasks)) or "none"
        raise RunError(f"engine: found a request for the task {name!r}, known are {known}; add it")
    return tasks[name]


def default_train() -> TrainingFunction:
    """Give the function that trains a child."""
    from ambient.child.train import train_child

    return train_child


def short_host() -> str:
    """Give the machine's name without its domain."""
    return platform.node().split(".")[0]
