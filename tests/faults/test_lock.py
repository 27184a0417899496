"""One run, one process: the second is refused, and a killed first one leaves the run free."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from run_facts import litter
from small_run import train_small

from ambient.errors import RunError
from ambient.files import DiskError
from ambient.search.run_folder import hold_run

HOLDER = """
import sys
from pathlib import Path
from ambient.search.run_folder import hold_run
with hold_run(Path(sys.argv[1]), resume=True):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    train_small(tmp_path / "run", 1)
    return tmp_path / "run"


@pytest.fixture
def holder(run: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the run."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(run)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_until_the_first_ends(
    run: Path, holder: subprocess.Popen[str]
) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match=rf"process \(number {holder.pid}\) at work on this run"):
        train_small(run, 2, resume=True)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    holder.communicate()  # its input ends, and so does it
    assert litter(run) == []
    train_small(run, 2, resume=True)


def test_a_killed_process_leaves_the_run_free(run: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    assert litter(run) == [".lock"]
    train_small(run, 2, resume=True)
    assert litter(run) == []


def test_the_first_process_keeps_a_run_that_it_has_not_begun_yet(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with hold_run(run, resume=False):
        assert litter(run) == [".lock"]
        with hold_run(run, resume=False):  # by the same process
            pass
        assert litter(run) == [".lock"]
    assert list(tmp_path.iterdir()) == []  # nothing was begun


def test_a_run_that_another_process_began_meanwhile_is_not_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    flock = fcntl.flock

    def late(descriptor: int, how: int) -> None:
        (run / "config.yaml").write_text("seed: 1\n")
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with pytest.raises(RunError, match="pass --resume"), hold_run(run, resume=False):
        pass
    assert [path.name for path in run.iterdir()] == ["config.yaml"]


def test_a_lock_that_was_removed_by_the_one_before_is_not_taken(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, removed = fcntl.flock, list[bool]()

    def late(descriptor: int, how: int) -> None:
        if not removed:  # as the process before does at its end
            (run / ".lock").unlink()
        removed.append(True)
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with hold_run(run, resume=True):
        assert len(removed) == 2
        assert (run / ".lock").read_text() == f"{os.getpid()}\n"


def test_a_file_system_without_locks_is_said(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    said: list[str] = []
    with hold_run(run, resume=True, say=said.append):
        assert ["this file system knows no locks" in text for text in said] == [True]


def test_what_a_process_left_that_was_killed_while_it_began_is_in_nobodys_way(
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in (".lock", ".config.yaml.x1y2z3.part", ".store.sqlite.a1b2c3"):
        (run / name).write_text("")
    (run / ".store.sqlite.a1b2c3").unlink()  # comes after the configuration
    train_small(run, 1)
    assert litter(run) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write into every folder")
def test_a_folder_that_cannot_be_written_is_refused(run: Path) -> None:
    run.chmod(0o500)
    try:
        with pytest.raises(DiskError, match="allow this user to write there"):
            train_small(run, 2, resume=True)
    finally:
        run.chmod(0o700)
    train_small(run, 2, resume=True)
