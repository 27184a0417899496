"""Many processes that write into one store at once, some of them killed."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ambient.evaluate import Store

HELPERS = Path(__file__).resolve().parents[1] / "helpers"
IMPORTS = os.pathsep.join(path for path in sys.path if path)  # what this process imports from


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param(400, id="2,000 rows"),
        pytest.param(20_000, id="100,000 rows", marks=pytest.mark.faults),
    ],
)
def test_eight_writers_three_of_them_killed_lose_no_row_that_was_reported_written(
    tmp_path: Path, rows: int
) -> None:
    path = tmp_path / "store.sqlite"  # absent: the eight also race to make it
    done = subprocess.run(
        [sys.executable, HELPERS / "store_writers.py", path, "8", str(rows), "3", "7"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": IMPORTS},
    )
    told = json.loads(done.stdout)
    assert sorted(told["codes"]) == [-9] * 3 + [0] * 5
    assert sum(len(seeds) == rows for seeds in told["reported"]) == 5
    reported = {seed for seeds in told["reported"] for seed in seeds}
    with Store(path) as store:
        seeds = [row["seed"] for row in store.select()]  # each is held against its digest
    assert len(seeds) > 4.5 * rows
    assert len(set(seeds)) == len(seeds)
    assert reported <= set(seeds)
    # Of each that was killed, what it was putting may be there: all of it or nothing.
    assert len(set(seeds) - reported) <= 3 * 50
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
