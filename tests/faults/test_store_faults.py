"""The store among processes that race, die, and run out of room."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_children import evaluation

from ambient.errors import RunError
from ambient.evaluate import Store

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


def test_a_truncated_store_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    with Store(path) as store:
        store.put(*(evaluation(seed) for seed in range(300)))
    content = path.read_bytes()
    for length in (10, 99, 4096, len(content) // 2):
        path.write_bytes(content[:length])
        with pytest.raises(RunError, match=r"store\.sqlite: found"), Store(path) as store:
            list(store.rows())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into every folder")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(RunError, match="Permission denied"):
            Store(tmp_path / "store.sqlite")
    finally:
        tmp_path.chmod(0o700)
