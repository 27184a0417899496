"""Stores of older schemas: they load for ever, and who has them open goes on."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_children import evaluation

from ambient.errors import RunError
from ambient.evaluate import Evaluation, Store
from ambient.files import canonical_json

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "store-1.sql"
# What programs of schema 1 go on to execute.
OLD_RESULTS = [
    *("task", "state", "reason", "metrics", "wall_seconds", "cpu_seconds"),
    *("device", "host", "version", "created"),
]
OLD_COLUMNS = ["task_hash", "space", "architecture", "seed", "fidelity", *OLD_RESULTS]
OLD_INSERT = f"""
INSERT INTO evaluations ({", ".join(OLD_COLUMNS)}) VALUES ({", ".join(f":{c}" for c in OLD_COLUMNS)})
ON CONFLICT (task_hash, space, architecture, seed, fidelity) DO UPDATE
SET {", ".join(f"{c} = excluded.{c}" for c in OLD_RESULTS)}
WHERE evaluations.state = 'failed' AND excluded.state = 'done'
"""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store that ambient 0.1.0 wrote."""
    path = tmp_path / "old.sqlite"
    with opened(path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(GOLDEN.read_text())
    return path


@contextlib.contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def facts(rows: Iterator[Evaluation]) -> list[tuple]:
    return [(row.seed, row.task, row.task_hash, row.state, row.reason, row.metrics) for row in rows]


EXPECTED = [
    (
        0,
        "tiny",
        "0123456789abcdef",
        "done",
        "",
        {"test_auroc": None, "validation_auroc": 0.1 + 0.2},
    ),
    (1, "other", "feed", "done", "", {"test_auroc": None, "validation_auroc": 0.75}),
    (2, "tiny", "0123456789abcdef", "failed", "no\troom\n", {}),
    (
        *(2**63 - 1, "tiny", "0123456789abcdef", "done", ""),
        {"test_auroc": None, "validation_auroc": 0.75},
    ),
]


def test_a_store_of_schema_1_becomes_one_of_this_schema(old: Path) -> None:
    for _ in range(2):
        with Store(old) as store:
            rows = list(store.rows())
            assert facts(iter(rows)) == EXPECTED
            assert store.get(rows[1].key) == rows[1]
            assert (rows[0].wall_seconds, rows[0].cpu_seconds) == (1.5, 1.25)
            assert (rows[0].gpu_seconds, rows[0].energy_kwh, rows[0].details) == (0.0, None, {})
            assert rows[3].fidelity_hash == "an older recipe"
    assert [path.name for path in old.parent.iterdir()] == [old.name]


def test_it_then_has_the_tables_of_a_new_store(old: Path, tmp_path: Path) -> None:
    Store(old).close()
    Store(tmp_path / "new.sqlite").close()
    tables = []
    for path in (old, tmp_path / "new.sqlite"):
        with opened(path) as connection:
            rows = connection.execute(
                "SELECT name, sql FROM sqlite_schema ORDER BY name"
            ).fetchall()
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            tables.append((version, [tuple(row) for row in rows]))
    assert tables[0] == tables[1]


def test_its_rows_are_protected_from_then_on(old: Path) -> None:
    Store(old).close()
    with opened(old) as connection:
        connection.execute("UPDATE evaluations SET wall_seconds = 1.75, digest = digest + 0")
        # The trigger takes such an update for one of schema 1; damage asks no trigger.
        assert connection.execute("SELECT count(digest) FROM evaluations").fetchone()[0] == 0
    with Store(old) as store:
        assert next(store.rows()).wall_seconds == 1.75


def test_programs_of_schema_1_that_have_it_open_go_on(old: Path) -> None:
    with opened(old) as program:
        known = dict(program.execute("SELECT * FROM evaluations WHERE seed = 2").fetchone())
        with Store(old) as store:
            store.put(evaluation(50, state="failed", reason="new"))
            program.execute(
                "INSERT OR IGNORE INTO architectures VALUES (?, ?, ?)", ("tiny", "new", "{}")
            )
            program.execute(OLD_INSERT, {**known, "seed": 60})
            # It also trains anew what this version recorded as failed.
            fidelity = evaluation().fidelity_hash
            program.execute(
                OLD_INSERT,
                {**known, "seed": 50, "fidelity": fidelity, "state": "done", "reason": ""},
            )
            states = {row.seed: row.state for row in store.rows()}
    assert states == {
        0: "done",
        1: "done",
        2: "failed",
        2**63 - 1: "done",
        50: "done",
        60: "failed",
    }


def test_many_that_open_it_at_once_migrate_it_once(old: Path) -> None:
    def read(_: int) -> list[tuple]:
        with Store(old) as store:
            return facts(store.rows())

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(read, range(12))) == [EXPECTED] * 12


@pytest.mark.parametrize("checked_bytes", [0, 2**20])
def test_a_damaged_store_of_schema_1_is_refused_and_left_alone(
    old: Path, monkeypatch: pytest.MonkeyPatch, checked_bytes: int
) -> None:
    monkeypatch.setattr("ambient.evaluate.store_schema.CHECKED_BYTES", checked_bytes)
    with opened(old) as connection:
        query = "SELECT rootpage FROM sqlite_schema WHERE name = 'evaluations_by_task'"
        page = (connection.execute(query).fetchone()[0] - 1) * 4096
    content = bytearray(old.read_bytes())
    content[page + 3 : page + 5] = bytes(2)  # an index without entries
    old.write_bytes(content)
    with pytest.raises(RunError, match=r"old\.sqlite: the store is damaged"):
        Store(old)
    assert old.read_bytes() == content


def test_an_old_store_is_merged_and_left_alone(old: Path, tmp_path: Path) -> None:
    before = old.read_bytes()
    with Store(tmp_path / "new.sqlite") as store:
        assert store.merge(old) == 4
        assert facts(store.rows()) == EXPECTED
    assert old.read_bytes() == before


def test_a_network_that_a_program_of_schema_1_wrote_stays_readable_after_a_merge(
    old: Path, tmp_path: Path
) -> None:
    spelled_otherwise = replace(evaluation(index=5).architecture, tokens=(9, 9))
    one = evaluation(70, index=5)
    with Store(tmp_path / "other.sqlite") as other:
        other.put(one)
    with Store(old) as store:
        with opened(old) as program:
            text = canonical_json(spelled_otherwise.to_dict())
            values = ("tiny", spelled_otherwise.key, text)
            program.execute("INSERT INTO architectures VALUES (?, ?, ?)", values)
        assert store.merge(tmp_path / "other.sqlite") == 1
        found = store.get(one.key)
    assert found is not None
    assert found.architecture == spelled_otherwise
