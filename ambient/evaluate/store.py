"""The SQLite file that remembers every evaluation ever made; many processes write to it at once."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from ambient.errors import RunError
from ambient.evaluate.records import Evaluation, EvaluationKey
from ambient.evaluate.store_merge import attached, take_over
from ambient.evaluate.store_migration import migrate
from ambient.evaluate.store_rows import (
    COLUMNS,
    KEY,
    RESULTS,
    SELECT,
    digest,
    evaluation_of,
    is_whole,
    row_of,
)
from ambient.evaluate.store_schema import (
    SCHEMA_VERSION,
    check_tables,
    check_whole,
    connect,
    create,
    damaged,
    schema_version,
    store_errors,
)
from ambient.files import canonical_json

__all__ = ["Store"]

# The first result wins, so that what a run has seen stays true; but a failure gives way to all else,
# and a child that was stopped early to one that was trained for longer (its curve tells the rest).
ON_CONFLICT = f"""
ON CONFLICT ({", ".join(KEY)}) DO UPDATE
SET {", ".join(f"{c} = excluded.{c}" for c in (*RESULTS, "digest"))}
WHERE (evaluations.state = 'failed' AND excluded.state != 'failed')
OR (evaluations.state = 'stopped' AND excluded.state = 'done')
OR (evaluations.state = 'stopped' AND excluded.state = 'stopped'
    AND json_array_length(excluded.details, '$.curves[0]')
        > json_array_length(evaluations.details, '$.curves[0]'))
"""
INSERT = (
    f"INSERT INTO evaluations ({', '.join(COLUMNS)}, digest) "
    f"VALUES ({', '.join(f':{c}' for c in COLUMNS)}, :digest) {ON_CONFLICT}"
)
GET = f"{SELECT} WHERE {' AND '.join(f'evaluations.{c} = :{c}' for c in KEY)}"


class Store:
    """The evaluations of one SQLite file, which is made where it is absent.

    Parameters
    ----------
    path : path
        The file; its folder must exist.

    Raises
    ------
    RunError
        The file is not a store, is of a newer version, is damaged, or cannot be read or written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        if self.path.is_dir():
            raise RunError(f"{self.path}: found a folder where a store was needed; name a file")
        if not self.path.parent.is_dir():
            raise RunError(f"{self.path}: the folder of the store does not exist; make it first")
        with store_errors(self.path):
            if not self.path.exists():
                create(self.path)
            self._connection = connect(self.path)
            try:
                self._open()
            except BaseException:
                self._connection.close()
                raise

    def _open(self) -> None:
        """Refuse a file that is damaged or that this version cannot read, before anything is written into it."""
        version = schema_version(self._connection, self.path)
        check_whole(self._connection, self.path)
        # A row that was reported written outlives a power cut.
        self._connection.execute("PRAGMA synchronous = FULL")
        if version < SCHEMA_VERSION:
            migrate(self._connection, self.path)
        check_tables(self._connection, self.path)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with store_errors(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # After an error such as a full disk SQLite may have rolled back already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def get(self, key: EvaluationKey) -> Evaluation | None:
        """Give the evaluation that is remembered under a key, or None."""
        with store_errors(self.path):
            row = self._connection.execute(GET, key._asdict()).fetchone()
        return None if row is None else self._read(self._whole(row))

    def _whole(self, row: sqlite3.Row) -> sqlite3.Row:
        if not is_whole(row):
            raise damaged(self.path, f"a row of the task {row['task']!r} other than it was written")
        return row

    def _read(self, row: sqlite3.Row) -> Evaluation:
        try:
            return evaluation_of(row, str(self.path))
        except (ValueError, TypeError) as error:
            if isinstance(error, RunError):
                raise
            raise damaged(self.path, f"a row that is no evaluation ({error})") from error

    def put(self, *evaluations: Evaluation) -> int:
        """Remember evaluations, all or none; when this returns they are on the disk.

        The first result of a key wins; a failed one gives way to one that did not fail, and a stopped
        one to one that was trained for longer.

        Parameters
        ----------
        *evaluations : Evaluation
            One transaction is made of all of them: one for many costs hardly more than one for each.

        Returns
        -------
        int
            How many of them were new, or replaced another.
        """
        rows = [(evaluation, row_of(evaluation)) for evaluation in evaluations]
        with self._transaction() as connection:
            return sum(_put(connection, evaluation, row) for evaluation, row in rows)

    def rows(
        self,
        tasks: Iterable[str] | None = None,
        space: str | None = None,
        fidelity: str | None = None,
        state: str | None = None,
    ) -> Iterator[Evaluation]:
        """Give the remembered evaluations, in the order in which they were first written.

        Parameters
        ----------
        tasks : iterable of str, optional
            Names of the tasks asked for.
        space : str, optional
            Name of the space asked for.
        fidelity : str, optional
            Hash of the fidelity asked for.
        state : str, optional
            "done", "stopped" or "failed".

        Raises
        ------
        RunError
            This version of ambient does not know a row's architecture or fidelity.
        """
        for row in self.select(tasks, space, fidelity, state):
            yield self._read(row)

    def select(
        self,
        tasks: Iterable[str] | None = None,
        space: str | None = None,
        fidelity: str | None = None,
        state: str | None = None,
    ) -> Iterator[sqlite3.Row]:
        """Give the rows as they are written, those of other versions among them; parameters as for `rows`.

        They are all of one moment, and read one by one.
        """
        where, values = _where(tasks, space, fidelity, state)
        with store_errors(self.path):
            query = f"{SELECT} WHERE {where} ORDER BY evaluations.rowid"
            yield from map(self._whole, self._connection.execute(query, values))

    def count(
        self,
        tasks: Iterable[str] | None = None,
        space: str | None = None,
        fidelity: str | None = None,
        state: str | None = None,
    ) -> int:
        """Count the rows that `select` would give."""
        where, values = _where(tasks, space, fidelity, state)
        with store_errors(self.path):
            query = f"SELECT count(*) FROM evaluations WHERE {where}"
            count: int = self._connection.execute(query, values).fetchone()[0]
        return count

    def sums(self, **filters: Any) -> list[sqlite3.Row]:
        """Add up what the rows of `select` cost, for each state; `measured` counts known energies."""
        where, values = _where(**filters)
        query = f"""SELECT state, count(*) AS evaluations, sum(wall_seconds) AS wall_seconds,
            sum(cpu_seconds) AS cpu_seconds, sum(gpu_seconds) AS gpu_seconds,
            sum(energy_kwh) AS energy_kwh, count(energy_kwh) AS measured
            FROM evaluations WHERE {where} GROUP BY state"""
        with store_errors(self.path):
            return self._connection.execute(query, values).fetchall()

    def task_names(self) -> list[str]:
        """Name the tasks that rows are of, in alphabetical order."""
        query = "SELECT DISTINCT task FROM evaluations ORDER BY task"
        with store_errors(self.path):
            return [row[0] for row in self._connection.execute(query)]

    def metric_names(self, **filters: Any) -> list[str]:
        """Name the metrics that the rows of `select` hold, in alphabetical order."""
        where, values = _where(**filters)
        query = (
            "SELECT DISTINCT metric.key FROM evaluations, json_each(evaluations.metrics) AS metric "
            f"WHERE {where} ORDER BY metric.key"
        )
        with store_errors(self.path):
            return [str(row[0]) for row in self._connection.execute(query, values)]

    def __len__(self) -> int:
        """Count the remembered evaluations, failed ones included."""
        return self.count()

    def merge(self, other: str | Path, on_rows: Callable[[int], None] | None = None) -> int:
        """Take over the evaluations of another store, by the rule of `put`.

        It is done in parts, between which others write; a merge that broke off is done again.

        Parameters
        ----------
        other : path
            A store of this schema version or an older one; it is not changed.
        on_rows : callable, optional
            Told now and then how many more rows have been looked at.

        Returns
        -------
        int
            How many were new here, or replaced another.

        Raises
        ------
        RunError
            There is no store at that path, it is this one, or it is damaged or cannot be read.
        """
        other = Path(other)
        with store_errors(self.path, other), attached(self._connection, other) as last:
            return take_over(self._transaction, last, ON_CONFLICT, on_rows)

    def close(self) -> None:
        """Close the file; what was put is in it already."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _where(
    tasks: Iterable[str] | None = None,
    space: str | None = None,
    fidelity: str | None = None,
    state: str | None = None,
) -> tuple[str, list[str]]:
    """Give the condition on a row, in SQL, and its values."""
    conditions, values = ["1"], []
    if tasks is not None:
        names = list(tasks)
        conditions.append(f"evaluations.task IN ({', '.join('?' * len(names))})")
        values += names
    for column, value in (("space", space), ("fidelity", fidelity), ("state", state)):
        if value is not None:
            conditions.append(f"evaluations.{column} = ?")
            values.append(value)
    return " AND ".join(conditions), values


def _put(connection: sqlite3.Connection, evaluation: Evaluation, row: dict[str, Any]) -> int:
    """Write one row and the JSON that it needs; give 1 where it was new or replaced another."""
    for table, key, value in (
        ("architectures", (row["space"], row["architecture"]), evaluation.architecture),
        ("fidelities", (row["fidelity"],), evaluation.fidelity),
    ):
        text = canonical_json(value.to_dict())
        marks = ", ".join("?" * (len(key) + 1))
        query = f"INSERT OR IGNORE INTO {table} VALUES ({marks})"
        # The digest is that of the text that is there: equal networks may be spelled by other tokens.
        if connection.execute(query, (*key, text)).rowcount:
            names = key if len(key) == 2 else ("", *key)
            connection.execute("INSERT INTO digests VALUES (?, ?, ?)", (*names, digest([text])))
    return connection.execute(INSERT, row).rowcount
