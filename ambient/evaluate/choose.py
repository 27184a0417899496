"""Engines by name, as the command line and configurations spell them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ambient.errors import RunError
from ambient.evaluate.engines import Engine, InlineEngine
from ambient.evaluate.pool import PoolEngine

if TYPE_CHECKING:
    from ambient.data.task import TaskData

__all__ = ["ENGINES", "open_engine"]

ENGINES = ("pool", "inline")


def open_engine(
    name: str, tasks: Mapping[str, TaskData], workers: int | None = None, device: str = "cpu"
) -> Engine:
    """Open an engine that trains.

    Parameters
    ----------
    name : str
        "pool" (worker processes of one thread each) or "inline" (this process).
    tasks : mapping of str to TaskData
        What requests may name.
    workers : int, optional
        Of the pool; one for each core where it is not given.
    device : str
        As torch spells it.

    Raises
    ------
    RunError
        The name is neither, or workers were asked of an engine that has none.
    """
    if name == "pool":
        return PoolEngine(tasks, workers, device=device)
    if name == "inline":
        if workers not in (None, 1):
            raise RunError(
                f"engine: found {workers} workers for the inline engine, which has none; "
                "use the pool"
            )
        return InlineEngine(tasks, device=device)
    raise RunError(
        f"engine: found {name!r}, needed one of {', '.join(ENGINES)}; choose one of them"
    )
