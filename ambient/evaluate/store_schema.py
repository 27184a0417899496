"""The tables of a store, how an empty one is made, and how a row is told from a damaged one."""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ambient.errors import RunError
from ambient.evaluate.store_rows import digest
from ambient.files import PART

__all__ = [
    "SCHEMA_VERSION",
    "check_tables",
    "check_whole",
    "connect",
    "create",
    "damaged",
    "location",
    "schema_version",
    "store_errors",
]

SCHEMA_VERSION = 2  # SQLite's user_version
APPLICATION_ID = 0x414D4249  # "AMBI": tells a store from the SQLite files of other programs
BUSY_SECONDS = 60.0  # how long a writer waits for the others
CHECKED_BYTES = 32 * 2**20  # a larger file is not read as a whole when it is opened
CACHE_KIB = 65536  # of pages in memory; keys come in random order, so an index is read all over

DAMAGE = ("malformed", "UTF-8")  # what SQLite says of a damaged file
_SALVAGE = (
    "put back a copy, or save the rows that can be read with `ambient evaluate --store NEW "
    "--salvage DAMAGED`"
)

# A program of schema 1 that has the file open while it becomes schema 2 goes on unharmed: the tables that
# it knows have kept their columns, the new ones have defaults, and the trigger takes away the digest of
# a row that it replaced.
EVALUATIONS = (
    """CREATE TABLE evaluations (
    task_hash TEXT NOT NULL, space TEXT NOT NULL, architecture TEXT NOT NULL,
    seed INTEGER NOT NULL, fidelity TEXT NOT NULL,
    task TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('done', 'failed', 'stopped')),
    reason TEXT NOT NULL, metrics TEXT NOT NULL,
    wall_seconds REAL NOT NULL, cpu_seconds REAL NOT NULL,
    device TEXT NOT NULL, host TEXT NOT NULL, version TEXT NOT NULL, created TEXT NOT NULL,
    gpu_seconds REAL NOT NULL DEFAULT 0.0, energy_kwh REAL, details TEXT NOT NULL DEFAULT '{}',
    digest INTEGER,
    UNIQUE (task_hash, space, architecture, seed, fidelity)
)""",
    "CREATE INDEX evaluations_by_task ON evaluations (task)",
    """CREATE TRIGGER evaluations_of_schema_1 AFTER UPDATE ON evaluations
    WHEN new.digest IS old.digest
    BEGIN UPDATE evaluations SET digest = NULL WHERE rowid = new.rowid; END""",
)
# Digests of the JSON of architectures (space, key) and fidelities ('', hash).
DIGESTS = """CREATE TABLE digests (
    space TEXT NOT NULL, key TEXT NOT NULL, digest INTEGER NOT NULL, PRIMARY KEY (space, key)
) WITHOUT ROWID"""
SCHEMA = (
    """CREATE TABLE architectures (
    space TEXT NOT NULL, key TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (space, key)
) WITHOUT ROWID""",
    "CREATE TABLE fidelities (hash TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID",
    DIGESTS,
    *EVALUATIONS,
)
MARKS = (
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


def location(path: Path) -> str:
    """Give the URI by which a store is opened: as one that nobody changes where this user may not.

    SQLite would otherwise leave files of its own beside it, or could not make them and gave up.
    """
    uri = path.resolve().as_uri()
    as_effective_user = os.access in os.supports_effective_ids
    for place in (path, path.parent):
        if not os.access(place, os.W_OK, effective_ids=as_effective_user):
            is_open = path.with_name(path.name + "-wal").exists()
            return uri + ("?mode=ro" if is_open else "?mode=ro&immutable=1")
    return uri + "?mode=rw"


def connect(path: Path) -> sqlite3.Connection:
    """Open a file that is there; each statement is a transaction of its own unless one is begun."""
    connection = sqlite3.connect(
        location(path), timeout=BUSY_SECONDS, isolation_level=None, uri=True
    )
    connection.row_factory = sqlite3.Row
    connection.create_function("digest", -1, lambda *values: digest(values), deterministic=True)
    try:
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    except BaseException:
        connection.close()
        raise
    return connection


def schema_version(connection: sqlite3.Connection, path: Path) -> int:
    """Give the schema version of a store; raise `RunError` where the file is none."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION_ID:
        raise RunError(
            f"{path}: found a file that is not a store of evaluations; name another file"
        )
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if not 1 <= version <= SCHEMA_VERSION:
        raise RunError(
            f"{path}: the store has schema version {version}, this ambient reads versions 1 to "
            f"{SCHEMA_VERSION}; install the ambient that wrote it, or name another store"
        )
    return version


def check_whole(connection: sqlite3.Connection, path: Path, always: bool = False) -> None:
    """Raise `RunError` where SQLite's own check finds damage; a large file is checked if `always`."""
    if always or path.stat().st_size <= CHECKED_BYTES:
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise damaged(path, f'"{" ".join(found.split())}"')


def check_tables(connection: sqlite3.Connection, path: Path) -> None:
    """Raise `RunError` where a table, index or trigger is not as this version makes it."""
    found = _tables(connection)
    wrong = sorted(name for name, text in _needed_tables().items() if found.get(name) != text)
    if wrong:
        raise RunError(
            f"{path}: the store is damaged: found {', '.join(wrong)} absent or other than "
            f"schema version {SCHEMA_VERSION} has it; {_SALVAGE}"
        )


def damaged(path: Path, found: str) -> RunError:
    """Make the error that says what is damaged and how to go on."""
    return RunError(f"{path}: the store is damaged: found {found}; {_SALVAGE}")


@contextlib.contextmanager
def store_errors(path: Path, source: Path | None = None) -> Iterator[None]:
    """Turn what SQLite or the system says of a store into an error that names the file.

    Parameters
    ----------
    path : Path
        The store.
    source : Path, optional
        The other store that is read, where damage is found rather in that one.
    """
    try:
        yield
    except UnicodeDecodeError as error:  # in what SQLite says of a damaged table
        raise damaged(source or path, f'"{error}"') from error
    except (sqlite3.DatabaseError, OSError) as error:
        if isinstance(error, sqlite3.ProgrammingError | sqlite3.IntegrityError):
            raise  # our own mistake
        if any(word in str(error) for word in DAMAGE):
            raise damaged(source or path, f'"{error}"') from error
        raise RunError(
            f'{path}: found "{error}" where a readable and writable store was needed; '
            "check the file, its folder's permissions and the space on the disk"
        ) from error


@functools.cache
def _needed_tables() -> dict[str, str]:
    with contextlib.closing(sqlite3.connect(":memory:")) as model:
        for statement in SCHEMA:
            model.execute(statement)
        return _tables(model)


def _tables(connection: sqlite3.Connection) -> dict[str, str]:
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {str(name): " ".join(str(text).split()) for name, text in rows}


def create(path: Path) -> None:
    """Make an empty store that appears whole, or yield to the process that made one first.

    SQLite cannot wait when two processes turn one new file to WAL, so each makes its own.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART)
    os.close(descriptor)
    try:
        with contextlib.closing(connect(Path(name))) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            for statement in (*SCHEMA, *MARKS):
                connection.execute(statement)
            # Closing would do this too, but keep to itself that the disk refused it.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
        with contextlib.suppress(FileExistsError):
            os.link(name, path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)  # the name outlives a power cut as the rows will
        os.close(folder)
    finally:
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name + suffix)
