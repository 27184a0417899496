"""A worker process ends with its parent, whatever it is at."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import multiprocessing, os, time
from ambient.data.describe import _begin_worker
from ambient.processes import leave_with_parent

def work(folder):
    {begin}
    print(os.getpid(), flush=True)
    time.sleep(600)

if __name__ == "__main__":
    process = multiprocessing.get_context("spawn").Process(target=work, args=("{folder}",))
    process.start()
    process.join()
"""


@pytest.mark.parametrize(
    ("begin", "folder_stays"),
    [
        ("leave_with_parent()", True),
        ("leave_with_parent(folder)", False),
        ("ends = multiprocessing.Pipe(duplex=False); _begin_worker(ends[0])", True),
    ],
)
def test_a_worker_ends_with_a_killed_parent(tmp_path: Path, begin: str, folder_stays: bool) -> None:
    folder = tmp_path / "spilled"
    folder.mkdir()
    (folder / "task").write_text("")
    (tmp_path / "script.py").write_text(SCRIPT.format(begin=begin, folder=folder))
    command = [sys.executable, str(tmp_path / "script.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        parent.kill()
        try:
            # The worker holds the pipe too, which ends when both are gone.
            assert parent.communicate(timeout=20)[0] == ""
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
    assert folder.exists() is folder_stays
