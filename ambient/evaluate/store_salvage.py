"""Saving the rows of a damaged store that can still be read."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ambient.errors import RunError
from ambient.evaluate.store_rows import SELECT, evaluation_of, is_whole
from ambient.evaluate.store_schema import connect, schema_version, store_errors

if TYPE_CHECKING:
    from ambient.evaluate.records import Evaluation
    from ambient.evaluate.store import Store

__all__ = ["salvage"]

CHUNK = 1024  # rows that are read at once, and put at once
ROWS_IN_PAGE = 64  # more than one page of 4,096 bytes holds


def salvage(store: Store, damaged: str | Path) -> tuple[int, int]:
    """Take over what can be read of a damaged store, by the rule of `Store.put`.

    Parameters
    ----------
    store : Store
        Where the rows go.
    damaged : path
        A store of this schema version; it is not changed.

    Returns
    -------
    tuple of int
        How many rows were taken over, and how many could not be read, were other than they were
        written, or are unknown to this version.

    Raises
    ------
    RunError
        There is no store, or its beginning, which says where the tables are, cannot be read.
    """
    path = Path(damaged)
    if not path.exists():
        raise RunError(f"{path}: there is no such store; check the path")
    saved = lost = 0
    with store_errors(path), contextlib.closing(connect(path)) as connection:
        schema_version(connection, path)
        last = _last_row(connection)
        for first in range(1, last + 1, CHUNK):
            found = list(_evaluations(connection, path, first, min(first + CHUNK - 1, last)))
            readable = [evaluation for evaluation in found if evaluation is not None]
            store.put(*readable)
            saved += len(readable)
            lost += len(found) - len(readable)
    return saved, lost


def _last_row(connection: sqlite3.Connection) -> int:
    try:
        last: int | None = connection.execute("SELECT max(rowid) FROM evaluations").fetchone()[0]
    except sqlite3.DatabaseError:
        last = connection.execute("PRAGMA page_count").fetchone()[0] * ROWS_IN_PAGE
    return last or 0


def _evaluations(
    connection: sqlite3.Connection, path: Path, first: int, last: int
) -> Iterator[Evaluation | None]:
    """Read rows from number to number; None for each that is lost."""
    query = f"{SELECT} WHERE evaluations.rowid BETWEEN ? AND ?"
    try:
        rows = connection.execute(query, (first, last)).fetchall()
    except sqlite3.DatabaseError:
        if first == last:
            yield None
            return
        middle = (first + last) // 2
        yield from _evaluations(connection, path, first, middle)
        yield from _evaluations(connection, path, middle + 1, last)
        return
    for row in rows:
        try:
            yield evaluation_of(row, str(path)) if is_whole(row) else None
        except (ValueError, TypeError):  # among them RunError: written by another version
            yield None
