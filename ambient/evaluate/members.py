"""The members of one child, one after the other or side by side."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ambient import errors
from ambient.evaluate.pool import PoolEngine
from ambient.evaluate.records import Request
from ambient.evaluate.schedule import find_devices

if TYPE_CHECKING:
    from ambient.child.fidelity import Fidelity
    from ambient.child.trained import TrainedChild
    from ambient.data.task import TaskData
    from ambient.space import Architecture

__all__ = ["train_members"]


def train_members(
    task: TaskData,
    architecture: Architecture,
    fidelity: Fidelity,
    seed: int,
    device: str = "cpu",
    workers: int = 1,
    advance: Callable[[], object] = lambda: None,
) -> TrainedChild:
    """Train a child, several members at once if asked to; on CPU the bits are always those of `train_child`.

    Parameters
    ----------
    task, architecture, fidelity, seed, device
        As for `train_child`.
    workers : int
        How many members are trained at once: one after the other in this process, or several, each in a process of
        its own. A script that asks for more than one must do its work under ``if __name__ == "__main__":``.
    advance : callable
        Called whenever a member is trained.

    Raises
    ------
    RunError
        As from `train_child` and `PoolEngine`.
    """
    from ambient.child.train import joined, train_member

    find_devices(device, workers)  # a wrong one is said before anything is trained
    numbers = range(fidelity.members)
    members = []
    if min(workers, fidelity.members) == 1:
        for number in numbers:
            members.append(train_member(task, architecture, fidelity, seed, device, number))
            advance()
        return joined(members, task, device)
    requests = [Request(task.name, architecture, number, fidelity) for number in numbers]
    with tempfile.TemporaryDirectory(prefix="ambient-members-") as name:
        folder = Path(name)
        train = partial(_train_and_keep, folder, seed)
        with PoolEngine({task.name: task}, workers, train, device) as engine:
            for done in engine.run(requests):
                if done.state == "failed":
                    raise _error(done.reason, done.details)
                advance()
        members = [pickle.loads(_file(folder, number).read_bytes()) for number in numbers]
    return joined(members, task, device)


def _train_and_keep(
    folder: Path,
    seed: int,
    task: TaskData,
    architecture: Architecture,
    fidelity: Fidelity,
    number: int,
    device: str,
) -> TrainedChild:
    """Train the member of a number, which stands where an engine has the seed, and leave it in a folder."""
    from ambient.child.train import train_member

    trained = train_member(task, architecture, fidelity, seed, device, number)
    trained.members = [one.cpu() for one in trained.members]
    _file(folder, number).write_bytes(pickle.dumps(trained))
    return trained


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number}.pickle"


def _error(reason: str, details: Mapping[str, Any]) -> Exception:
    """Give the exception that a member's training ended with."""
    name, _, text = reason.partition(": ")
    if name in errors.__all__:
        return getattr(errors, name)(text)
    if name == "WorkerLost":
        return errors.RunError(text)
    return RuntimeError(details.get("traceback", reason))
