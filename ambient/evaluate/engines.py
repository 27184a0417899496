"""What carries evaluations out: the interface of all engines, and the one in this process."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from ambient.child.threads import one_thread
from ambient.errors import RunError
from ambient.evaluate.records import Evaluation, Request, not_finite

if TYPE_CHECKING:
    from typing_extensions import Self

    from ambient.child.fidelity import Fidelity
    from ambient.data.task import TaskData
    from ambient.space import Architecture

__all__ = ["Engine", "InlineEngine", "Trained", "TrainingFunction", "evaluate_request"]


class Trained(Protocol):
    """What an engine needs to know of a trained child."""

    @property
    def metrics(self) -> Mapping[str, float | None]:
        """None where a split is empty; NaN or infinity where the child diverged."""


# (task, architecture, fidelity, seed, device) -> trained child
TrainingFunction = Callable[["TaskData", "Architecture", "Fidelity", int, str], Trained]


class Engine(Protocol):
    """Anything that carries evaluations out.

    Results depend on the requests alone: not on their order, nor on how many run at once. An engine
    is a context manager; leaving it closes it.
    """

    def task_hash(self, task: str) -> str:
        """Give the hash of a task's contents.

        Raises
        ------
        RunError
            The engine knows no task of that name.
        """
        ...

    def run(self, requests: Sequence[Request]) -> Iterator[Evaluation]:
        """Carry out every request and give each result as soon as it is there, in any order.

        A child that fails gives a failed evaluation with its reason; the others go on.

        Raises
        ------
        RunError
            A request names a task that the engine does not know; nothing has been started then.
        """
        ...

    def close(self) -> None:
        """End what the engine holds, if anything; may be called twice."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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

    def task_hash(self, task: str) -> str:
        """Give the hash of a task's contents."""
        return known_task(self._tasks, task).hash

    def run(self, requests: Sequence[Request]) -> Iterator[Evaluation]:
        """Carry out the requests in their order."""
        tasks = [known_task(self._tasks, request.task) for request in requests]
        return self._run(zip(tasks, requests, strict=True))

    def _run(self, pairs: Iterator[tuple[TaskData, Request]]) -> Iterator[Evaluation]:
        for task, request in pairs:
            with one_thread():
                evaluation = evaluate_request(
                    task, request, task.hash, self._train, self._device, self._host
                )
            yield evaluation


def evaluate_request(
    task: TaskData,
    request: Request,
    task_hash: str,
    train: TrainingFunction,
    device: str,
    host: str,
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

    Returns
    -------
    Evaluation
        Failed where training raised an exception or a metric is not finite.
    """
    wall, cpu = time.perf_counter(), time.process_time()
    metrics: dict[str, float | None] = {}
    try:
        trained = train(task, request.architecture, request.fidelity, request.seed, device)
        metrics = {k: None if v is None else float(v) for k, v in trained.metrics.items()}
        reason = not_finite(metrics)
    # Whatever breaks in a child (memory, a user's own layer, our bug) must not end the search.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    if reason:
        metrics = {}
        reason = reason.encode(errors="replace").decode()  # file names may hold what is not text
    return Evaluation.of(
        request,
        task_hash,
        metrics=metrics,
        state="failed" if reason else "done",
        reason=reason,
        wall_seconds=time.perf_counter() - wall,
        cpu_seconds=time.process_time() - cpu,
        device=device,
        host=host,
    )


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
