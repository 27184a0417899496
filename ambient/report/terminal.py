"""Descriptors as tables for the terminal: units, meaning, and quantiles of a corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from ambient.report.tables import FLAGS, number
from descriptors.explain import Explained, explain, left_out, origins
from descriptors.schema import DESCRIPTORS, Descriptor

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from descriptors.record import Descriptors

__all__ = ["explain_corpus", "explain_task", "plain_table", "printed"]

Values = Mapping[str, Sequence[float | None]]
_QUANTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
_PLAIN_WIDTH = 185  # of a table that goes into a file or a pipe
_ROOM_FOR_RANGES = 130  # columns of a terminal that shows them


def explain_task(described: Descriptors, among: Values | None = None) -> str:
    """Set the descriptors of one data set as a table, with notes below it.

    Parameters
    ----------
    described : Descriptors
    among : mapping of str to sequence of (float or None), optional
        For each descriptor the values of a corpus's tasks, which the data set is placed among.

    Returns
    -------
    str
        For a terminal; plain text where standard output is none.
    """
    table = plain_table(f"The descriptors of {described.task}")
    table.add_column("descriptor", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    if among is not None:
        tasks = len(next(iter(among.values())))
        table.add_column(f"quantile among {tasks} tasks", justify="right", min_width=10)
        if has_room := _console().width >= _ROOM_FOR_RANGES:
            table.add_column("their median (range)", justify="right", no_wrap=True)
    table.add_column("what it is", min_width=20)
    rows = explain(described, among)
    for _, members in groupby(rows, key=lambda row: row.descriptor.group):
        table.add_section()
        for row in members:
            cells = [row.descriptor.name, _with_unit(row.descriptor, row.value)]
            if among is not None:
                cells += _place_cells(row)[: 2 if has_room else 1]
            table.add_row(*cells, _meaning(row.descriptor))
    return printed(table) + "\n".join(_notes(described, rows, among is not None)) + "\n"


def _place_cells(row: Explained) -> list[str]:
    place, descriptor = row.place, row.descriptor
    if place is None:
        return ["-", "-"]
    if descriptor.name.startswith(FLAGS):
        return [f"as {place.equal} of {place.known}", ""]
    quantile = f"{place.quantile:.2f}"
    if place.is_outside:
        quantile = f"[bold]{'above' if place.quantile else 'below'} all {place.known}[/]"
    bounds = f"{number(place.minimum)} to {number(place.maximum)}"
    return [quantile, f"{number(place.median)} ({bounds})"]


def _notes(described: Descriptors, rows: Sequence[Explained], compared: bool) -> list[str]:
    notes = ["From:", *(f"  {group}: {said}" for group, said in origins(described).items())]
    missing = [row.descriptor.name for row in rows if row.value is None]
    if missing:
        notes.append(f"Without a value: {', '.join(missing)}.")
    outside = [row for row in rows if row.place is not None and row.place.is_outside]
    if outside:
        names = ", ".join(row.descriptor.name for row in outside)
        notes.append(f"Outside the range of the tasks, where a controller extrapolates: {names}.")
    if compared and not described.sources.get("peaks", {}).get("chromosomes"):
        notes.append(
            "All chromosomes count here, among the tasks only those that train, so n_peaks is larger here "
            "by as much; --chromosomes makes the two alike."
        )
    lost = left_out(described)
    notes += ["Left out:", *(f"  {line}" for line in lost)] if lost else ["Nothing was left out."]
    return notes


def explain_corpus(values: Values) -> str:
    """Set the quantiles of a corpus's descriptors as a table.

    Parameters
    ----------
    values : mapping of str to sequence of (float or None)
        For each descriptor the values of all tasks.

    Returns
    -------
    str
        For a terminal; plain text where standard output is none.
    """
    tasks = len(next(iter(values.values())))
    table = plain_table(f"The descriptors of {tasks} tasks")
    table.add_column("descriptor", no_wrap=True)
    for name in ("minimum", "quarter", "median", "three quarters", "maximum", "missing"):
        table.add_column(name, justify="right")
    table.add_column("unit", no_wrap=True)
    table.add_column("what it is")
    for _, members in groupby(DESCRIPTORS, key=lambda descriptor: descriptor.group):
        table.add_section()
        for descriptor in members:
            known = [value for value in values[descriptor.name] if value is not None]
            table.add_row(
                descriptor.name,
                *_quantile_cells(descriptor, known),
                str(tasks - len(known)) if len(known) < tasks else "",
                "" if descriptor.name.startswith(FLAGS) else descriptor.unit,
                _meaning(descriptor),
            )
    return printed(table)


def _quantile_cells(descriptor: Descriptor, known: Sequence[float]) -> list[str]:
    if not known:
        return ["-"] * len(_QUANTILES)
    if descriptor.name.startswith(FLAGS):
        return ["", "", f"yes: {sum(known):.0f}", "", ""]
    return [number(float(value)) for value in np.quantile(known, _QUANTILES)]


def _with_unit(descriptor: Descriptor, value: float | None) -> str:
    if value is None:
        return "missing"
    if descriptor.name.startswith(FLAGS):
        return "yes" if value else "no"
    return f"{number(value)} {descriptor.unit}".strip()


def _meaning(descriptor: Descriptor) -> str:
    return descriptor.meaning.removeprefix("1 if ").removesuffix(", else 0")


def plain_table(title: str) -> Table:
    """Begin a table in the look of the terminal's others."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(title=_escape(title), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def _console() -> Console:
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_PLAIN_WIDTH)


def printed(table: Table) -> str:
    """Give a table as text, as wide as the terminal; plain and wide where standard output is none."""
    console = _console()
    with console.capture() as capture:
        console.print(table)
    return capture.get()
