"""The members of one child, one after the other or side by side."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
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

FACTS = ("history", "epochs", "restarts")  # what a member tells beside its weights


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
    fidelity = fidelity.on_strands(task.stranded)
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
        members = [_kept(folder, task, architecture, fidelity, seed, number) for number in numbers]
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
    import torch

    from ambient.child.train import train_member

    trained = train_member(task, architecture, fidelity, seed, device, number)
    facts = {name: getattr(trained, name) for name in FACTS}
    weights = trained.module.cpu().state_dict()
    torch.save({"weights": weights, "facts": json.dumps(facts)}, _file(folder, number))
    return trained


def _kept(
    folder: Path,
    task: TaskData,
    architecture: Architecture,
    fidelity: Fidelity,
    seed: int,
    number: int,
) -> TrainedChild:
    """Take back the member that `_train_and_keep` left."""
    import torch

    from ambient.child.trained import TrainedChild

    kept = torch.load(_file(folder, number), weights_only=True)
    window_bp = int(architecture.window_bp or task.window_bp)
    with torch.random.fork_rng(devices=[]):  # building draws weights
        module = architecture.build(window_bp, task.outputs).eval()
    module.load_state_dict(kept["weights"])
    found = TrainedChild(architecture, fidelity, seed, window_bp, task.outputs, [module])
    return replace(found, **json.loads(kept["facts"]))


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number}.pt"


def _error(reason: str, details: Mapping[str, Any]) -> Exception:
    """Give the exception that a member's training ended with."""
    name, _, text = reason.partition(": ")
    if name in errors.__all__:
        return getattr(errors, name)(text)
    if name == "WorkerLost":
        return errors.RunError(text)
    return RuntimeError(details.get("traceback", reason))
