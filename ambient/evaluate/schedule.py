"""Which job a worker gets next: the longest first, no more on a device than it holds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field

from ambient.errors import RunError
from ambient.evaluate.records import Request

__all__ = ["Device", "Job", "Schedule", "find_devices"]

CONTEXT_BYTES = 600 << 20  # what CUDA takes in each process for itself


@dataclass(eq=False)
class Job:
    """One request, what it will cost, and what became of it so far."""

    request: Request
    task_hash: str
    seconds: float = 0.0  # a guess, only for the order
    memory_bytes: int = 0  # a guess
    losses: list[str] = field(default_factory=list)  # how it was lost, each time
    is_alone: bool = False  # runs only while nothing else does


@dataclass(frozen=True)
class Device:
    """Where children are trained, and how many at once."""

    name: str  # as torch spells it
    slots: int
    memory_bytes: int | None = None  # that children may share; None: not looked at

    def holds(self, memory_bytes: int, running: Collection[Job]) -> bool:
        """Whether a child of that size fits beside those that are running here; a lone one always does."""
        if self.memory_bytes is None or not running:
            return True
        return memory_bytes + sum(job.memory_bytes for job in running) <= self.memory_bytes


class Schedule:
    """Jobs that wait.

    Earlier submissions go first, since a searcher waits for them; within one, the longest goes
    first, so that no worker is left with a long one at the end. Those that must run alone go when
    nothing else is left. The order changes no result.
    """

    def __init__(self) -> None:
        self._waiting: deque[Job] = deque()
        self._alone: deque[Job] = deque()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._alone)

    def add(self, jobs: Iterable[Job]) -> None:
        """Take the jobs of one submission."""
        self._waiting.extend(sorted(jobs, key=lambda job: -job.seconds))

    def put_back(self, job: Job) -> None:
        """Take a job that was lost."""
        if job.is_alone:
            self._alone.append(job)
        else:
            self._waiting.appendleft(job)

    def take(self, fits: Callable[[Job], bool], running: Collection[Job]) -> Job | None:
        """Give the first job that fits, beside those that are running; None where none may start."""
        if any(job.is_alone for job in running):
            return None
        for index, job in enumerate(self._waiting):
            if fits(job):
                del self._waiting[index]
                return job
        if self._alone and not self._waiting and not running:
            return self._alone.popleft()
        return None

    def clear(self) -> None:
        """Forget all."""
        self._waiting.clear()
        self._alone.clear()


def find_devices(device: str, workers: int, memory_bytes: int | None = None) -> list[Device]:
    """Share workers out over devices.

    Parameters
    ----------
    device : str
        As torch spells it; "cuda" stands for all that are visible.
    workers : int
        In all.
    memory_bytes : int, optional
        What the children on one device may take together; that of each GPU, less what CUDA itself takes, where it
        is not given, and no limit on CPU.

    Raises
    ------
    RunError
        There is no such GPU, or torch knows no such device.
    """
    names = [device]
    if device.startswith("cuda"):
        names = _gpus(device)
    elif device != "cpu":
        _check_spelling(device)
    devices = []
    for number, name in enumerate(names):
        slots = len(range(number, workers, len(names)))
        if slots:
            limit = memory_bytes
            if limit is None and name.startswith("cuda"):
                limit = _gpu_bytes(name) - slots * CONTEXT_BYTES
            devices.append(Device(name, slots, limit))
    return devices


def _check_spelling(device: str) -> None:
    import torch

    try:
        torch.device(device)
    except RuntimeError as error:
        raise RunError(
            f"engine: found the device {device!r}, needed cpu, cuda, cuda:0 or another that torch knows; correct it"
        ) from error


def _gpus(device: str) -> list[str]:
    import torch

    there = [f"cuda:{number}" for number in range(torch.cuda.device_count())]
    if not there or (device != "cuda" and device not in there):
        raise RunError(
            f"engine: found the device {device!r}, there are {', '.join(there) or 'no GPUs'} here; "
            "name one of them, or train on cpu"
        )
    return there if device == "cuda" else [device]


def _gpu_bytes(name: str) -> int:
    import torch

    return int(torch.cuda.get_device_properties(name).total_memory)
