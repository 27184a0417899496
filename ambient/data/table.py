"""The descriptors of a corpus as a tidy table: one row for each task, one column for each descriptor."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from ambient.data.corpus import TaskSpec
from ambient.errors import InputError
from descriptors.record import Descriptors
from descriptors.schema import NAMES

__all__ = ["format_table", "read_table"]

_FACTS = ("task", "category", "held_out")
_AGAIN = "write the table with ambient describe CORPUS --output"


def format_table(specs: Iterable[TaskSpec], described: Mapping[str, Descriptors]) -> str:
    """Write descriptors as tab-separated text.

    Parameters
    ----------
    specs : iterable of TaskSpec
        The rows, in this order.
    described : mapping of str to Descriptors
        Of each task.

    Returns
    -------
    str
        A header (task, category, held_out, the 40 names), then a row for each task; exact to the last bit, whole
        numbers without a point, nothing where a value is missing.
    """
    lines = ["\t".join([*_FACTS, *NAMES])]
    for spec in specs:
        values = described[spec.name].values
        cells = [_cell(values[name]) for name in NAMES]
        lines.append("\t".join([spec.name, spec.category, str(spec.held_out).lower(), *cells]))
    return "\n".join(lines) + "\n"


def _cell(value: float | None) -> str:
    if value is None:
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def read_table(path: str | Path) -> dict[str, list[float | None]]:
    """Read the descriptors of a corpus from what `format_table` wrote.

    Parameters
    ----------
    path : path
        Columns may stand in any order, and others beside them.

    Returns
    -------
    dict of str to list of (float or None)
        For each of the 40 names the values of all tasks, in the table's order.

    Raises
    ------
    InputError
        The file cannot be read, lacks a descriptor, holds no task, or a value is no number.
    """
    path = Path(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: the table cannot be read ({reason}); {_AGAIN}") from error
    header = lines[0] if lines else []
    for name in NAMES:
        if name not in header:
            raise InputError(
                f'{path}: found no column "{name}" where a table of the 40 descriptors was needed; {_AGAIN}'
            )
    places = {name: header.index(name) for name in NAMES}
    columns: dict[str, list[float | None]] = {name: [] for name in NAMES}
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cells):
            continue
        for name, place in places.items():
            text = cells[place].strip() if place < len(cells) else ""
            columns[name].append(_number(text, f"{path}:{number}: {name}"))
    if not columns[NAMES[0]]:
        raise InputError(f"{path}: found a header and no task below it; {_AGAIN}")
    return columns


def _number(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(
            f'{where}: found "{text}" where a number, or nothing, was needed; correct it'
        )
    return value
