"""Progress on standard error, for whatever takes longer than a moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Bar", "progress"]


class Bar(Protocol):
    """What a loop calls when a piece of its work is done."""

    def __call__(self, note: str = "", by: int = 1) -> None: ...


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Bar]:
    """Show how much of some work is done; a plain line at the end where standard error is not a terminal.

    Parameters
    ----------
    what : str
        The work in a few words.
    total : int, optional
        Pieces of work; None where nobody knows.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    console = Console(stderr=True)
    bar: Progress = RichProgress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(what, total=total, note="")

        def advance(note: str = "", by: int = 1) -> None:
            bar.update(task, advance=by, note=note)

        yield advance
    if not console.is_terminal:
        done = f"{what}: {int(bar.tasks[0].completed)}"
        console.print(done if total is None else f"{done} of {total}", highlight=False)
