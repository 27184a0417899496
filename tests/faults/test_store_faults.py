"""The store among processes that race, die, and run out of room."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tiny_children import evaluation

from ambient.errors import RunError
from ambient.evaluate import Store
from ambient.evaluate.exchange import export_tsv

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "store-1.sql"
IMPORTS = os.pathsep.join(path for path in sys.path if path)  # what this process imports from
WRITER = "import sys; from tiny_children import write_evaluations as w; "


def start_writer(path: Path, first: int, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER + f"w({str(path)!r}, {first}, {count})"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": IMPORTS},
    )


def test_two_writers_never_lose_an_evaluation_and_a_killed_third_loses_none_it_reported(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.sqlite"  # absent: the three also race to make it
    endless = start_writer(path, 1_000_000, 1_000_000)
    writers = [start_writer(path, 0, 120), start_writer(path, 60, 120)]  # 60 keys in common
    assert endless.stdout is not None
    reported = [json.loads(endless.stdout.readline()) for _ in range(20)]
    endless.kill()
    reported += [json.loads(line) for line in endless.stdout if line.endswith("\n")]
    endless.stdout.close()
    endless.wait()
    for writer in writers:
        output, _ = writer.communicate(timeout=60)
        assert writer.returncode == 0
        assert len(output.split()) == 120
    with Store(path) as store:
        rows = list(store.rows())
    seeds = [row.seed for row in rows]
    assert len(set(seeds)) == len(seeds)
    assert set(range(180)) | set(reported) <= set(seeds)
    # At most the one that was written when the kill came had not been reported.
    assert len(seeds) <= 180 + len(reported) + 1
    assert all(row == evaluation(row.seed, host=row.host, created=row.created) for row in rows)
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_a_put_of_many_is_all_or_none(tmp_path: Path) -> None:
    with Store(tmp_path / "store.sqlite") as store:
        store.put(evaluation(0))
        surrogate = evaluation(2, host="\udc80")  # cannot be written as UTF-8
        with pytest.raises(UnicodeEncodeError):
            store.put(evaluation(1), surrogate)
        assert [row.seed for row in store.rows()] == [0]
        assert store.put(evaluation(1)) == 1


def test_a_full_disk_is_loud_and_keeps_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store(path) as store:
        store.put(evaluation(0))
        # SQLite answers a limit on its pages as it answers a full disk.
        pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
        store._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(RunError, match=r"store\.sqlite: found .*full"):
            store.put(*(evaluation(seed) for seed in range(1, 500)))
        assert [row.seed for row in store.rows()] == [0]
    with Store(path) as store:
        assert store.put(*(evaluation(seed) for seed in range(1, 500))) == 499


@contextlib.contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let the system refuse to make any file larger, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("size", [0, 100, 4096, 20_000, 40_000])
def test_a_store_that_cannot_be_made_for_want_of_room_leaves_nothing(
    tmp_path: Path, size: int
) -> None:
    rows = [evaluation(seed, details={"curve": [0.5] * 500}) for seed in range(60)]
    with (
        files_no_larger_than(size),
        pytest.raises(RunError, match=r"store\.sqlite: found"),
        Store(tmp_path / "store.sqlite") as store,
    ):
        store.put(*rows)
    assert set(contents(tmp_path)) <= {"store.sqlite"}
    with Store(tmp_path / "store.sqlite") as store:
        assert list(store.rows()) == []


@pytest.mark.parametrize("step", ["put", "merge", "export", "migrate"])
@pytest.mark.parametrize("size", [0, 4096, 33_000, 70_000])
def test_want_of_room_at_any_step_is_loud_and_leaves_the_store_whole(
    tmp_path: Path, size: int, step: str
) -> None:
    path, other, table = (tmp_path / name for name in ("a.sqlite", "b.sqlite", "rows.tsv"))
    old = tmp_path / "old.sqlite"
    rows = [evaluation(seed, created="then", device="long " * 99) for seed in range(300)]
    with Store(path) as store, Store(other) as source:
        store.put(*rows[:150])
        source.put(*rows)
    with contextlib.closing(sqlite3.connect(old)) as connection:
        connection.executescript(GOLDEN.read_text())
        insert = "INSERT INTO fidelities VALUES (?, ?)"  # so that much has to be written
        connection.executemany(insert, [(f"{n}", "x" * 1000) for n in range(200)])
        connection.commit()
    steps: dict[str, Callable[[Store], object]] = {
        "put": lambda store: store.put(*rows[150:]),
        "merge": lambda store: store.merge(other),
        "export": lambda store: export_tsv(store, table),
        "migrate": lambda store: Store(old),
    }
    before = contents(tmp_path)
    with Store(path) as store:
        with files_no_larger_than(size), pytest.raises(RunError, match=r"\S: found"):
            steps[step](store)
        assert list(store.rows()) == rows[:150]
        # What the system keeps beside an open store is no litter.
        assert {name for name in contents(tmp_path) if "-" not in name} == set(before)
        assert contents(tmp_path)["old.sqlite"] == before["old.sqlite"]
        # After room is made, all of it is done.
        steps[step](store)
        if step in ("put", "merge"):
            assert list(store.rows()) == rows
    with Store(path) as store, contextlib.closing(sqlite3.connect(path)) as connection:
        assert store.count() == (300 if step in ("put", "merge") else 150)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@contextlib.contextmanager
def nobody() -> Iterator[None]:
    """Be a user without privileges, where this is root: root may read and write everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def anyones_folder() -> Iterator[Path]:
    """A folder that a user without privileges can reach, owned by that user."""
    folder = Path(tempfile.mkdtemp())
    with nobody():
        is_reachable = os.access(folder.parent, os.X_OK)
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    folder.chmod(0o700)
    try:
        if not is_reachable:
            pytest.skip("the folder of temporary files cannot be reached without privileges")
        yield folder
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


def test_a_folder_that_cannot_be_written_is_refused(anyones_folder: Path) -> None:
    path = anyones_folder / "store.sqlite"
    with nobody():
        anyones_folder.chmod(0o500)
        with pytest.raises(RunError, match=r"store\.sqlite: found .*Permission denied"):
            Store(path)
        assert list(anyones_folder.iterdir()) == []


def test_a_store_that_may_only_be_read_takes_nothing_and_stays_whole(anyones_folder: Path) -> None:
    path = anyones_folder / "store.sqlite"
    row = evaluation(0)
    with nobody():
        with Store(path) as store:
            store.put(row)
        before = contents(anyones_folder)
        path.chmod(0o400)
        with Store(path) as store:
            assert list(store.rows()) == [row]
            with pytest.raises(RunError, match=r"store\.sqlite: found .*readonly"):
                store.put(evaluation(1))
            other = write_other(anyones_folder)
            with pytest.raises(RunError, match=r"store\.sqlite: found .*readonly"):
                store.merge(other)
        other.unlink()
        assert contents(anyones_folder) == before


def write_other(folder: Path) -> Path:
    with Store(folder / "other.sqlite") as other:
        other.put(evaluation(5))
    return folder / "other.sqlite"


def test_a_store_in_a_folder_that_may_only_be_read_is_merged(
    anyones_folder: Path, tmp_path: Path
) -> None:
    row = evaluation(0)
    theirs, own = anyones_folder / "theirs", anyones_folder / "own"
    with nobody():
        theirs.mkdir()
        own.mkdir()
        with Store(theirs / "store.sqlite") as store:
            store.put(row)
        theirs.chmod(0o500)
        with Store(own / "store.sqlite") as store:
            assert store.merge(theirs / "store.sqlite") == 1
            assert list(store.rows()) == [row]
        assert [path.name for path in theirs.iterdir()] == ["store.sqlite"]
        theirs.chmod(0o700)
