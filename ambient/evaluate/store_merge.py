"""Taking over the rows of another store, a chunk at a time, so that no other writer waits for long."""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from ambient.errors import RunError
from ambient.evaluate.store_migration import migrate
from ambient.evaluate.store_rows import COLUMNS
from ambient.evaluate.store_schema import (
    SCHEMA_VERSION,
    check_tables,
    check_whole,
    connect,
    location,
    schema_version,
    store_errors,
)

__all__ = ["attached", "take_over"]

CHUNK = 20_000  # rows of one transaction: a fraction of a second

ROWS = "FROM other.evaluations WHERE rowid > :first AND rowid <= :last"
# A JSON text that is here already stays, and so does its digest: the digests of those that are new
# come first. The keys alone decide, as equal networks may have been written with other tokens.
TEXTS = (
    f"""INSERT OR IGNORE INTO digests SELECT * FROM other.digests AS theirs
    WHERE (space, key) IN (SELECT space, architecture {ROWS}) AND NOT EXISTS (
        SELECT 1 FROM main.architectures AS ours
        WHERE ours.space = theirs.space AND ours.key = theirs.key)""",
    f"""INSERT OR IGNORE INTO digests SELECT * FROM other.digests AS theirs
    WHERE space = '' AND key IN (SELECT fidelity {ROWS}) AND NOT EXISTS (
        SELECT 1 FROM main.fidelities AS ours WHERE ours.hash = theirs.key)""",
    f"""INSERT OR IGNORE INTO architectures SELECT * FROM other.architectures
    WHERE (space, key) IN (SELECT space, architecture {ROWS})""",
    f"""INSERT OR IGNORE INTO fidelities SELECT * FROM other.fidelities
    WHERE hash IN (SELECT fidelity {ROWS})""",
)
EVALUATIONS = (
    f"INSERT INTO evaluations ({', '.join(COLUMNS)}, digest) "
    f"SELECT {', '.join(COLUMNS)}, digest {ROWS} ORDER BY rowid"
)


@contextlib.contextmanager
def attached(connection: sqlite3.Connection, path: Path) -> Iterator[int]:
    """Attach another store as `other` and give the number of its last row; it is not changed.

    Raises
    ------
    RunError
        There is no store at that path, it is the same one, or it is damaged.
    """
    if not path.exists():
        raise RunError(f"{path}: there is no such store; check the path")
    own = connection.execute("PRAGMA database_list").fetchone()["file"]
    if path.samefile(own):
        raise RunError(f"{path}: found the store itself where another was needed; name that one")
    with contextlib.ExitStack() as stack:
        with store_errors(path):
            other = stack.enter_context(contextlib.closing(connect(path)))
            version = schema_version(other, path)
            check_whole(other, path)
            if version == SCHEMA_VERSION:
                check_tables(other, path)
        if version < SCHEMA_VERSION:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            _copy(other, folder / path.name)
            path = folder / path.name
        connection.execute("ATTACH ? AS other", (location(path),))
        stack.callback(connection.execute, "DETACH other")
        yield connection.execute("SELECT max(rowid) FROM other.evaluations").fetchone()[0] or 0


def _copy(other: sqlite3.Connection, path: Path) -> None:
    """Copy a store of an older schema as one of this schema."""
    path.touch()
    with contextlib.closing(connect(path)) as copy:
        other.backup(copy)
        migrate(copy, path)


def take_over(
    transaction: Callable[[], contextlib.AbstractContextManager[sqlite3.Connection]],
    last: int,
    on_conflict: str,
    on_rows: Callable[[int], None] | None = None,
) -> int:
    """Take the evaluations of the attached store over.

    Parameters
    ----------
    transaction : callable
        Begins a transaction on the connection to which `other` is attached.
    last : int
        Number of the last row to take.
    on_conflict : str
        What happens to a row whose key is there already, in SQL.
    on_rows : callable, optional
        Told after each chunk how many rows have been looked at in it.

    Returns
    -------
    int
        How many rows were new or replaced others.
    """
    changed = 0
    for first in range(0, last, CHUNK):
        span = {"first": first, "last": min(first + CHUNK, last)}
        with transaction() as connection:
            for statement in TEXTS:
                connection.execute(statement, span)
            changed += connection.execute(f"{EVALUATIONS} {on_conflict}", span).rowcount
        if on_rows is not None:
            on_rows(span["last"] - first)
    return changed
