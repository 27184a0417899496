"""A damaged store: what is wrong is found, or all is as it was written; and what can be read is saved."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_children import evaluation

from ambient.errors import RunError
from ambient.evaluate import Evaluation, Store
from ambient.evaluate.store_salvage import salvage

Damaged = Iterator[tuple[str, bytes]]


@pytest.fixture(scope="module")
def rows() -> list[Evaluation]:
    kinds = [
        {"task": "tiny"},
        {"task": "other", "task_hash": "feed", "energy_kwh": 1e-4},
        {"state": "failed", "reason": "no room", "metrics": {}},
        {"metrics": {"validation_auroc": 1 / 3}, "details": {"curve": [0.5, 0.625]}},
    ]
    return [evaluation(seed, index=seed, **kinds[seed % 4], created="then") for seed in range(40)]


@pytest.fixture(scope="module")
def content(rows: list[Evaluation], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "store.sqlite"
    with Store(path) as store:
        store.put(*rows)
    return path.read_bytes()


def check(path: Path, damaged: bytes, rows: list[Evaluation], what: str) -> bool:
    """Read a store in all ways; say whether damage was found, and fail where it came through."""
    path.write_bytes(damaged)
    try:
        with Store(path) as store:
            assert list(store.rows()) == rows, what
            assert [store.get(row.key) for row in rows] == rows, what
            assert store.count(tasks=["other"]) == sum(row.task == "other" for row in rows), what
            assert store.metric_names() == ["test_auroc", "validation_auroc"], what
    except RunError as error:
        if str(path) not in str(error):
            raise
        return True
    finally:
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    return False


def flipped(content: bytes, places: list[int], rng: random.Random) -> Damaged:
    for place in places:
        bit = rng.randrange(8)
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        yield f"bit {bit} of byte {place}", bytes(damaged)


def some_damage(content: bytes) -> Damaged:
    rng = random.Random(5)
    used = [place for place in range(len(content)) if content[place]]
    yield from flipped(content, list(range(100)) + rng.sample(used, 250), rng)
    # A letter of a table's definition that is no letter of UTF-8 any more.
    place = content.index(b"CREATE TABLE evaluations") + 30
    yield f"no UTF-8 at {place}", content[:place] + b"\xee" + content[place + 1 :]
    for length in (*range(0, 100, 20), *range(512, len(content), 4096 + 512)):
        yield f"cut to {length} bytes", content[:length]


def much_damage(content: bytes) -> Damaged:
    rng = random.Random(6)
    places = {*range(4096), *rng.sample(range(len(content)), 10_000)}
    yield from flipped(content, sorted(places), rng)
    for length in range(0, len(content), 64):
        yield f"cut to {length} bytes", content[:length]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(some_damage, id="some places"),
        pytest.param(much_damage, id="ten thousand places", marks=pytest.mark.faults),
    ],
)
def test_damage_is_found_or_does_not_matter(
    damage: object, content: bytes, rows: list[Evaluation], tmp_path: Path
) -> None:
    assert callable(damage)
    path = tmp_path / "store.sqlite"
    found = [check(path, damaged, rows, what) for what, damaged in damage(content)]
    # Much of the file is free space, where damage does not matter.
    assert 0.25 * len(found) < sum(found) < len(found)
    assert not check(path, content, rows, "nothing")


def test_a_flipped_bit_in_a_store_too_large_to_be_checked_as_a_whole_is_found_when_its_row_is_read(
    content: bytes, rows: list[Evaluation], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ambient.evaluate.store_schema.CHECKED_BYTES", 0)
    path = tmp_path / "store.sqlite"
    places = [content.index(b"no room"), content.index(b"0.33333"), content.index(b'"filters"')]
    for what, damaged in flipped(content, places, random.Random(1)):
        path.write_bytes(damaged)
        with Store(path) as store, pytest.raises(RunError, match="other than it was written"):
            list(store.rows())
        with Store(path) as store:
            answers = [found(store, row) for row in rows]
        assert all(answer in (row, None) for answer, row in zip(answers, rows, strict=True)), what
        assert None in answers


def found(store: Store, row: Evaluation) -> Evaluation | None:
    try:
        return store.get(row.key)
    except RunError:
        return None


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("DROP INDEX evaluations_by_task", "evaluations_by_task absent"),
        ("DROP TRIGGER evaluations_of_schema_1", "evaluations_of_schema_1 absent"),
        ("ALTER TABLE evaluations ADD COLUMN more TEXT", "evaluations absent or other"),
    ],
)
def test_a_store_with_other_tables_is_refused(
    content: bytes, tmp_path: Path, change: str, found: str
) -> None:
    path = tmp_path / "store.sqlite"
    change_store(path, content, change)
    with pytest.raises(RunError, match=f"damaged: found {found}"):
        Store(path)


def test_a_row_whose_network_is_gone_is_no_row_less(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    change_store(path, content, "DELETE FROM architectures", "DELETE FROM digests")
    with Store(path) as store, pytest.raises(RunError, match="other than it was written"):
        list(store.select())


def change_store(path: Path, content: bytes, *changes: str) -> None:
    path.write_bytes(content)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for change in changes:
            connection.execute(change)


def test_rows_of_a_damaged_store_are_saved(
    content: bytes, rows: list[Evaluation], tmp_path: Path
) -> None:
    damaged = bytearray(content)
    page = content.index(b"no room") // 4096 * 4096
    damaged[page : page + 200] = bytes(200)
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(damaged)
    with pytest.raises(RunError, match=r"damaged: found .*--salvage"):
        Store(path)
    with Store(tmp_path / "new.sqlite") as store:
        saved, lost = salvage(store, path)
        kept = list(store.rows())
    assert 0 < saved == len(kept) < len(rows)
    assert all(row in rows for row in kept)
    assert saved + lost >= len(rows)
    assert path.read_bytes() == damaged


def test_a_row_that_was_tampered_with_is_lost_alone(
    content: bytes, rows: list[Evaluation], tmp_path: Path
) -> None:
    path = tmp_path / "damaged.sqlite"
    change_store(
        path, content, "UPDATE evaluations SET wall_seconds = 7, digest = 7 WHERE seed = 3"
    )
    with Store(tmp_path / "new.sqlite") as store:
        assert salvage(store, path) == (len(rows) - 1, 1)
        assert list(store.rows()) == [row for row in rows if row.seed != 3]


def test_a_file_that_is_no_store_cannot_be_saved(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "damaged.sqlite"
    with Store(tmp_path / "new.sqlite") as store:
        with pytest.raises(RunError, match="no such store"):
            salvage(store, path)
        path.write_bytes(bytes(100) + content[100:])
        with pytest.raises(RunError, match=r"damaged\.sqlite"):
            salvage(store, path)
        assert len(store) == 0
