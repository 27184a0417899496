"""From the schema of an older ambient to that of this one: in place, in one transaction."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ambient.evaluate.store_rows import COLUMNS
from ambient.evaluate.store_schema import (
    DIGESTS,
    EVALUATIONS,
    SCHEMA_VERSION,
    check_whole,
    schema_version,
)

__all__ = ["migrate"]

# What stands in for the columns that schema 1 did not have.
SINCE_2 = {"gpu_seconds": "0.0", "energy_kwh": "NULL", "details": "'{}'"}


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Turn the open store of an older schema into one of this version.

    Programs of the older version that have the file open go on with it. One that wants the file at
    the same moment waits.

    Parameters
    ----------
    connection : Connection
        As `connect` makes it, outside any transaction.
    path : Path
        For messages.

    Raises
    ------
    RunError
        The store is damaged; it is left as it is.
    sqlite3.DatabaseError
        The disk is full or the file cannot be written; the store is left as it is.
    """
    check_whole(connection, path, always=True)
    connection.execute("BEGIN IMMEDIATE")
    try:
        if schema_version(connection, path) < SCHEMA_VERSION:  # no other process was faster
            _from_1(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _from_1(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE evaluations RENAME TO evaluations_1")
    connection.execute("DROP INDEX evaluations_by_task")
    for statement in (DIGESTS, *EVALUATIONS):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO digests SELECT space, key, digest(json) FROM architectures "
        "UNION ALL SELECT '', hash, digest(json) FROM fidelities"
    )
    columns = ", ".join(SINCE_2.get(column, column) for column in COLUMNS)
    connection.execute(
        f"INSERT INTO evaluations ({', '.join(COLUMNS)}, digest) "
        f"SELECT {columns}, digest({columns}) FROM evaluations_1 ORDER BY rowid"
    )
    connection.execute("DROP TABLE evaluations_1")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
