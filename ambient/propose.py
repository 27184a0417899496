"""Zero-shot proposals as files: written for people and programs, read back as architectures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ambient.errors import RunError
from ambient.files import read_json, write_json_atomic
from ambient.space import Architecture

if TYPE_CHECKING:
    from ambient.controller.card import Controller, Proposal
    from ambient.controller.proposal import Worked
    from ambient.data.corpus import TaskSpec
    from descriptors.pipeline import Descriptors

__all__ = ["proposal_entry", "propose_for_tasks", "read_architecture", "read_proposals"]


def proposal_entry(
    task: str,
    proposals: Sequence[Proposal],
    worked: Sequence[Worked],
    category: str | None,
    held_out: bool,
) -> dict[str, Any]:
    """Give a task's proposals as a JSON object: in their order, spelled out, with the nearest tasks.

    `worked` holds what was best on all training tasks and on the nearest ones.
    """
    return {
        "task": task,
        "category": category,
        "held_out": held_out,
        "proposals": [
            {
                "summary": proposal.architecture.summary(),
                "probability": proposal.probability,
                "proven": proposal.proven,
                "expected": None if proposal.expected is None else asdict(proposal.expected),
                "architecture": proposal.architecture.to_dict(),
                "nearest": [list(pair) for pair in proposal.nearest],
            }
            for proposal in proposals
        ],
        "worked": [
            {
                "tasks": list(one.tasks),
                "reached": one.reached,
                "fidelity": one.fidelity,
                "expected": asdict(one.expected),
                "summary": one.architecture.summary(),
                "architecture": one.architecture.to_dict(),
            }
            for one in worked
        ],
    }


def propose_for_tasks(
    controller: Controller,
    specs: Sequence[TaskSpec],
    described: Mapping[str, Descriptors],
    path: Path,
    top: int = 3,
) -> dict[str, Architecture]:
    """Propose for tasks of a corpus from their descriptors alone, and write `proposals.json`.

    Parameters
    ----------
    controller : Controller
    specs : sequence of TaskSpec
        For whom; usually the held-out tasks.
    described : mapping of str to Descriptors
    path : path
        The file to write.
    top : int
        Architectures for each.

    Returns
    -------
    dict of str to Architecture
        The first one of each task.
    """
    batches = controller.propose([described[spec.name] for spec in specs], top=top)
    entries = [
        proposal_entry(
            spec.name,
            proposals,
            controller.worked(described[spec.name]),
            spec.category,
            spec.held_out,
        )
        for spec, proposals in zip(specs, batches, strict=True)
    ]
    write_json_atomic(path, entries)
    return {
        spec.name: proposals[0].architecture for spec, proposals in zip(specs, batches, strict=True)
    }


def read_proposals(path: str | Path) -> dict[str, Architecture]:
    """Read a file of proposals, as `ambient propose` or `ambient train` wrote it.

    Returns
    -------
    dict of str to Architecture
        The first one of each task.

    Raises
    ------
    RunError
        The file is absent, is not JSON, or holds no proposals.
    SpaceError
        An architecture in it is not whole.
    """
    value = read_json(path, "file of proposals")
    entries = value if isinstance(value, list) else [value]
    try:
        first = {str(one["task"]): one["proposals"][0]["architecture"] for one in entries}
        if not first:
            raise KeyError("proposals")
    except (TypeError, KeyError, IndexError) as error:
        raise RunError(
            f"{path}: found no proposals for named tasks; name a file that `ambient propose` or `ambient train` wrote"
        ) from error
    return {task: Architecture.from_dict(one, f"{path}, {task}") for task, one in first.items()}


def read_architecture(path: str | Path) -> Architecture:
    """Read an architecture file, or the first architecture of a file of proposals.

    Raises
    ------
    RunError
        The file is absent, is not JSON, or holds neither.
    SpaceError
        The architecture in it is not whole.
    """
    value = read_json(path, "file of an architecture")
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict) and "proposals" in value:
        proposals = value["proposals"]
        if not isinstance(proposals, list) or not proposals or "architecture" not in proposals[0]:
            raise RunError(f"{path}: found proposals without an architecture; propose again")
        value = proposals[0]["architecture"]
    if not isinstance(value, dict) or "layers" not in value:
        raise RunError(
            f"{path}: found neither an architecture nor proposals; name a file that `ambient propose` wrote"
        )
    return Architecture.from_dict(value, str(path))
