"""An engine on a Ray cluster: one that is there, or one on this machine for as long as it is needed."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ambient.errors import RunError
from ambient.evaluate.engines import (
    Engine,
    TrainingFunction,
    default_train,
    evaluate_request,
    is_short_of_memory,
    known_task,
    short_host,
)
from ambient.evaluate.estimate import estimate_seconds
from ambient.evaluate.pool import limit_seconds
from ambient.evaluate.records import Evaluation, Request
from ambient.evaluate.schedule import Job, Schedule
from ambient.evaluate.worker import RESULTS

if TYPE_CHECKING:
    from ray import ObjectRef

    from ambient.data.task import TaskData

__all__ = ["RayEngine"]

RETRIES = 1  # how often a request is tried again after its worker died, as in the pool
NODE_RETRIES = (
    5  # the same after its node died or its data was lost, which is no fault of the child
)
IN_FLIGHT = 2  # times the capacity: so many are with Ray; the others wait here
COUNTED_FOR_SECONDS = 5.0  # the cluster's size is asked for again after so long


class RayEngine(Engine):
    """Trains children on the workers of a Ray cluster, each on one thread.

    The data of a task is put into Ray's object store once, when the task is first needed; each node fetches it once.
    A child whose worker dies is tried once more, one whose node dies up to five times; then it is recorded as failed.
    One that ran short of memory is tried again while this engine runs nothing else.

    Parameters
    ----------
    tasks : mapping of str to TaskData
        The tasks that requests may name.
    address : str, optional
        Of a cluster that is there, as `ray.init` takes it. Where it is not given, a cluster on this machine is started,
        and ended with `close`; only who knows its token may use it.
    workers : int, optional
        Of a cluster on this machine; one for each core where it is not given.
    device : str
        "cpu" or "cuda".
    train : callable, optional
        What trains a child: a function that the workers can import. `ambient.child.train.train_child` where it is
        not given.
    gpus_per_child : float, optional
        On "cuda", the share of a GPU that each child gets; a whole one where it is not given.
    child_minutes : float, optional
        As for the pool.

    Raises
    ------
    RunError
        Ray is not installed, there is no such cluster, or it has nothing of what a child needs.
    """

    def __init__(
        self,
        tasks: Mapping[str, TaskData],
        address: str | None = None,
        workers: int | None = None,
        device: str = "cpu",
        train: TrainingFunction | None = None,
        gpus_per_child: float | None = None,
        child_minutes: float | None = None,
    ) -> None:
        from ambient.evaluate.ray_cluster import connect

        if device not in ("cpu", "cuda"):
            raise RunError(
                f"ray: found the device {device!r}, needed cpu or cuda; Ray itself chooses among GPUs"
            )
        self._tasks, self._device, self._child_minutes = tasks, device, child_minutes
        self._train = train or default_train()
        self._gpus = 0.0 if device == "cpu" else gpus_per_child or 1.0
        self._disconnect = connect(address, workers, sum(t.codes.nbytes for t in tasks.values()))
        self._schedule = Schedule()
        self._in_flight: dict[ObjectRef, Job] = {}
        self._ready: deque[Evaluation] = deque()
        self._data: dict[str, ObjectRef] = {}  # by the hash of the task
        self._capacity, self._counted = 0, float("-inf")
        if not self.capacity:
            self.close()
            raise RunError(
                f"ray: the cluster has no {'CPU' if device == 'cpu' else 'GPU'} for a child; add a node "
                "that has, or choose another device"
            )

    @property
    def capacity(self) -> int:
        """How many children the cluster as it is now trains at once; 0 while it has lost all its nodes."""
        import ray

        if time.monotonic() > self._counted + COUNTED_FOR_SECONDS:
            there = ray.cluster_resources()
            counts = [there.get("CPU", 0.0)]
            if self._gpus:
                counts.append(there.get("GPU", 0.0) / self._gpus)
            self._capacity, self._counted = int(min(counts)), time.monotonic()
        return self._capacity

    def task_hash(self, task: str) -> str:
        """Give the hash of a task's contents."""
        return known_task(self._tasks, task).hash

    def submit(self, requests: Sequence[Request]) -> None:
        """Take requests; as many as the cluster has use for begin at once.

        Raises
        ------
        RunError
            A request names an unknown task.
        """
        if not self._disconnect.alive:
            raise RuntimeError("the engine is closed")
        tasks = [known_task(self._tasks, request.task) for request in requests]
        self._schedule.add(
            Job(request, task.hash, estimate_seconds(request, task))
            for request, task in zip(requests, tasks, strict=True)
        )
        self._dispatch()

    def _dispatch(self) -> None:
        """Hand jobs to Ray, as far as it has use for them."""
        most = IN_FLIGHT * max(self.capacity, 1)
        while len(self._in_flight) < most:
            job = self._schedule.take(lambda _: True, list(self._in_flight.values()))
            if job is None:
                return
            self._in_flight[self._start(job)] = job

    def _start(self, job: Job) -> ObjectRef:
        import ray

        if job.task_hash not in self._data:
            self._data[job.task_hash] = ray.put(self._tasks[job.request.task])
        # Retries are ours: Ray's would count a node that left as the child's own fault.
        remote = ray.remote(num_cpus=1, num_gpus=self._gpus, max_retries=0, max_calls=0)(_evaluate)
        return remote.remote(
            self._data[job.task_hash],
            job.task_hash,
            job.request.to_dict(),
            self._train,
            self._device,
            self._gpus,
            limit_seconds(job.seconds, self._child_minutes),
        )

    def _next(self) -> Evaluation | None:
        import ray

        while not self._ready and self._in_flight:
            ray.wait(list(self._in_flight), num_returns=1, fetch_local=False)
            self._listen()
        return self._ready.popleft() if self._ready else None

    def _ready_now(self) -> list[Evaluation]:
        if self._in_flight:
            self._listen()
        there = list(self._ready)
        self._ready.clear()
        return there

    def _listen(self) -> None:
        """Take what has ended, and hand out the next jobs before any result is given out."""
        import ray

        refs = list(self._in_flight)
        for ref in ray.wait(refs, num_returns=len(refs), timeout=0, fetch_local=False)[0]:
            self._hear(ref, self._in_flight.pop(ref))
        self._dispatch()

    def _hear(self, ref: ObjectRef, job: Job) -> None:
        """Take the result of a job, or what became of it."""
        import ray
        from ray import exceptions

        try:
            results = ray.get(ref)
        except (
            exceptions.NodeDiedError,
            exceptions.ObjectLostError,
            exceptions.ObjectFetchTimedOutError,
        ) as error:
            self._data.pop(job.task_hash, None)  # put anew: what is there may be lost
            self._lose(job, error, NODE_RETRIES)
        except (exceptions.OutOfMemoryError, exceptions.WorkerCrashedError) as error:
            job.is_alone = True  # memory may have been short
            self._lose(job, error, RETRIES)
        except (exceptions.RayTaskError, exceptions.RaySystemError) as error:
            raise RunError(
                f"ray: a worker could not begin a child ({_last_line(error)}); install the same ambient "
                "and the same libraries on every node"
            ) from error
        else:
            evaluation = Evaluation.of(job.request, job.task_hash, **results)
            if is_short_of_memory(evaluation.reason) and not job.is_alone:
                job.is_alone = True
                self._schedule.put_back(job)
            else:
                self._ready.append(evaluation)

    def _lose(self, job: Job, error: Exception, retries: int) -> None:
        """Try a job that was lost once again, or record it as failed."""
        job.losses.append(type(error).__name__)
        if len(job.losses) <= retries:
            self._schedule.put_back(job)
            return
        minutes = limit_seconds(job.seconds, self._child_minutes) / 60
        reason = (
            f"WorkerLost: {', then '.join(job.losses)}; was memory short, did the child take more than "
            f"{minutes:.3g} minutes, or did nodes leave the cluster?"
        )
        failed = {"state": "failed", "reason": reason, "device": self._device}
        self._ready.append(Evaluation.of(job.request, job.task_hash, **failed))

    def _give_up(self) -> None:
        import ray

        self._schedule.clear()
        self._ready.clear()
        if ray.is_initialized():
            for ref in self._in_flight:
                ray.cancel(ref, force=True)
        self._in_flight.clear()

    def close(self) -> None:
        """Give up what is outstanding; leave the cluster, or end it where this engine began it."""
        if self._disconnect.alive:
            self._give_up()
            self._data.clear()
            self._disconnect()


def _evaluate(
    task: TaskData,
    task_hash: str,
    request: Mapping[str, Any],
    train: TrainingFunction,
    device: str,
    gpu_share: float,
    limit: float,
) -> dict[str, Any]:
    """Train one child in a worker of Ray; end the whole process if it takes too long."""
    import signal

    import torch

    torch.set_num_threads(1)
    # The system ends the process, whatever it is at: code that hangs looks at nothing else.
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        evaluation = evaluate_request(
            task, Request.from_dict(request), task_hash, train, device, short_host(), gpu_share
        )
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        if device == "cuda":
            torch.cuda.empty_cache()  # other children share the device
    return {field: getattr(evaluation, field) for field in RESULTS}


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
