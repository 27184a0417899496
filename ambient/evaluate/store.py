"""The SQLite file that remembers every evaluation ever made; many processes write to it at once."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ambient.errors import InputError, RunError
from ambient.evaluate.records import Evaluation, EvaluationKey
from ambient.files import canonical_json

if TYPE_CHECKING:
    pass

__all__ = ["SCHEMA_VERSION", "Store"]

SCHEMA_VERSION = 1  # SQLite's user_version
APPLICATION_ID = 0x414D4249  # "AMBI": tells a store from the SQLite files of other programs
BUSY_SECONDS = 60.0  # how long a writer waits for the others

SCHEMA = f"""
CREATE TABLE architectures (
    space TEXT NOT NULL, key TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (space, key)
) WITHOUT ROWID;
CREATE TABLE fidelities (hash TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE evaluations (
    task_hash TEXT NOT NULL, space TEXT NOT NULL, architecture TEXT NOT NULL,
    seed INTEGER NOT NULL, fidelity TEXT NOT NULL,
    task TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('done', 'failed')),
    reason TEXT NOT NULL, metrics TEXT NOT NULL,
    wall_seconds REAL NOT NULL, cpu_seconds REAL NOT NULL,
    device TEXT NOT NULL, host TEXT NOT NULL, version TEXT NOT NULL, created TEXT NOT NULL,
    UNIQUE (task_hash, space, architecture, seed, fidelity)
);
CREATE INDEX evaluations_by_task ON evaluations (task);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
"""

KEY = EvaluationKey._fields
TIMES = ("wall_seconds", "cpu_seconds")
RESULTS = ("task", "state", "reason", "metrics", *TIMES, "device", "host", "version", "created")
COLUMNS = KEY + RESULTS

# The first result wins, so that what a run has seen stays true; only a failure gives way.
ON_CONFLICT = f"""
ON CONFLICT ({", ".join(KEY)}) DO UPDATE SET {", ".join(f"{c} = excluded.{c}" for c in RESULTS)}
WHERE evaluations.state = 'failed' AND excluded.state = 'done'
"""
INSERT = (
    f"INSERT INTO evaluations ({', '.join(COLUMNS)}) "
    f"VALUES ({', '.join(f':{c}' for c in COLUMNS)}) {ON_CONFLICT}"
)
SELECT = f"""
SELECT {", ".join(f"evaluations.{c}" for c in COLUMNS)},
    architectures.json AS architecture_json, fidelities.json AS fidelity_json
FROM evaluations
JOIN architectures
    ON architectures.space = evaluations.space AND architectures.key = evaluations.architecture
JOIN fidelities ON fidelities.hash = evaluations.fidelity
"""


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
        with self._errors():
            if not self.path.exists():
                _create(self.path)
            self._connection = _connect(self.path)
            try:
                self._check()
                # A row that was reported written outlives a power cut.
                self._connection.execute("PRAGMA synchronous = FULL")
            except BaseException:
                self._connection.close()
                raise

    def _check(self) -> None:
        """Refuse a file that this version cannot read, before anything is written into it."""
        application = self._connection.execute("PRAGMA application_id").fetchone()[0]
        if application != APPLICATION_ID:
            raise RunError(
                f"{self.path}: found a file that is not a store of evaluations; name another file"
            )
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version != SCHEMA_VERSION:
            raise RunError(
                f"{self.path}: the store has schema version {version}, this ambient reads version "
                f"{SCHEMA_VERSION}; install the ambient that wrote it, or name another store"
            )

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn what SQLite or the system says of the file into an error that names the file."""
        try:
            yield
        except (sqlite3.DatabaseError, OSError) as error:
            if isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError):
                raise  # our own mistake
            raise RunError(
                f'{self.path}: found "{error}" where a readable and writable store was '
                "needed; check the file, its folder's permissions and the space on the disk"
            ) from error

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._errors():
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
        where = " AND ".join(f"evaluations.{column} = :{column}" for column in KEY)
        with self._errors():
            row = self._connection.execute(f"{SELECT} WHERE {where}", key._asdict()).fetchone()
        return None if row is None else self.evaluation_of(row)

    def evaluation_of(self, row: sqlite3.Row | Mapping[Any, Any]) -> Evaluation:
        """Read one row; raises `RunError` where this version does not know its architecture or fidelity."""
        from ambient.child.fidelity import Fidelity
        from ambient.space import Architecture

        results = {column: row[column] for column in RESULTS}
        results["metrics"] = json.loads(results["metrics"])
        try:
            architecture = Architecture.from_dict(json.loads(row["architecture_json"]))
            fidelity = Fidelity.from_dict(json.loads(row["fidelity_json"]))
        except InputError as error:
            raise RunError(
                f"{self.path}: a row was written by ambient {row['version']}, which knew other "
                f"architectures or fidelities ({error}); read it with that version, or ask for the "
                "rows of another fidelity"
            ) from error
        return Evaluation(
            architecture=architecture,
            fidelity=fidelity,
            fidelity_hash=row["fidelity"],
            seed=row["seed"],
            task_hash=row["task_hash"],
            **results,
        )

    def put(self, *evaluations: Evaluation) -> int:
        """Remember evaluations, all or none; when this returns they are on the disk.

        The first result of a key wins; a failed one is replaced by a done one.

        Parameters
        ----------
        *evaluations : Evaluation
            One transaction is made of all of them.

        Returns
        -------
        int
            How many of them were new, or replaced a failed one.
        """
        changed = 0
        with self._transaction() as connection:
            for evaluation in evaluations:
                row = _row(evaluation)
                connection.execute(
                    "INSERT OR IGNORE INTO architectures VALUES (:space, :architecture, :json)",
                    {**row, "json": canonical_json(evaluation.architecture.to_dict())},
                )
                connection.execute(
                    "INSERT OR IGNORE INTO fidelities VALUES (:fidelity, :json)",
                    {**row, "json": canonical_json(evaluation.fidelity.to_dict())},
                )
                changed += connection.execute(INSERT, row).rowcount
        return changed

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
            "done" or "failed".

        Raises
        ------
        RunError
            This version of ambient does not know a row's architecture or fidelity.
        """
        for row in self.select(tasks, space, fidelity, state):
            yield self.evaluation_of(row)

    def select(
        self,
        tasks: Iterable[str] | None = None,
        space: str | None = None,
        fidelity: str | None = None,
        state: str | None = None,
    ) -> Iterator[sqlite3.Row]:
        """Give the rows as they are written, those of other versions among them; parameters as for `rows`."""
        conditions, values = ["1"], []
        if tasks is not None:
            names = list(tasks)
            conditions.append(f"evaluations.task IN ({', '.join('?' * len(names))})")
            values += names
        for column, value in (("space", space), ("fidelity", fidelity), ("state", state)):
            if value is not None:
                conditions.append(f"evaluations.{column} = ?")
                values.append(value)
        query = f"{SELECT} WHERE {' AND '.join(conditions)} ORDER BY evaluations.rowid"
        with self._errors():
            yield from self._connection.execute(query, values)

    def __len__(self) -> int:
        """Count the remembered evaluations, failed ones included."""
        with self._errors():
            count: int = self._connection.execute("SELECT count(*) FROM evaluations").fetchone()[0]
        return count

    def merge(self, other: str | Path) -> int:
        """Take over the evaluations of another store, by the rule of `put`.

        Parameters
        ----------
        other : path
            A store of the same schema version; it is not changed.

        Returns
        -------
        int
            How many were new here, or replaced a failed one.

        Raises
        ------
        RunError
            There is no store at that path, or it cannot be read.
        """
        other = Path(other)
        if not other.exists():
            raise RunError(f"{other}: there is no such store; check the path")
        Store(other).close()  # refuses what is not a store of this version
        with self._errors():
            self._connection.execute("ATTACH ? AS other", (str(other.resolve()),))
        try:
            with self._transaction() as connection:
                for table in ("architectures", "fidelities"):
                    connection.execute(f"INSERT OR IGNORE INTO {table} SELECT * FROM other.{table}")
                names = ", ".join(COLUMNS)
                return connection.execute(
                    f"INSERT INTO evaluations ({names}) SELECT {names} FROM other.evaluations "
                    f"WHERE true ORDER BY rowid {ON_CONFLICT}"
                ).rowcount
        finally:
            with self._errors():
                self._connection.execute("DETACH other")

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


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def _create(path: Path) -> None:
    """Make an empty store that appears whole, or yield to the process that made one first.

    SQLite cannot wait when two processes turn one new file to WAL, so each makes its own.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(descriptor)
    try:
        connection = _connect(Path(name))
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)
        finally:
            connection.close()
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
    finally:
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name + suffix)


def _row(evaluation: Evaluation) -> dict[str, Any]:
    row = {column: getattr(evaluation, column) for column in RESULTS}
    row["metrics"] = canonical_json(dict(evaluation.metrics))
    return {**evaluation.key._asdict(), **row}
