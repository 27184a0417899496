"""A run that is killed at any time goes on, and ends as one that was not."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import small_run
import torch
from run_facts import facts, litter
from small_run import train_small

from ambient.errors import RunError
from ambient.files import DiskError

STEPS = 4
PROGRAM = small_run.__file__


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted") / "run"
    train_small(folder, STEPS)
    return folder


def kill_after(folder: Path, lines: int, resume: bool = False) -> list[str]:
    """Run the program until it has printed so many lines, then kill it at once."""
    arguments = [
        sys.executable,
        PROGRAM,
        str(folder),
        str(STEPS),
        *(["--resume"] if resume else []),
    ]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        heard = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "it ended before it could be killed"
    return heard


def test_a_run_killed_twice_resumes_to_the_same_end(tmp_path: Path, uninterrupted: Path) -> None:
    run = tmp_path / "run"
    heard = [*kill_after(run, 3), *kill_after(run, 4, resume=True)]
    assert any("evaluation" in line for line in heard)
    train_small(run, STEPS, resume=True)
    assert facts(run) == facts(uninterrupted)


def test_a_longer_run_begins_like_a_shorter_one(tmp_path: Path, uninterrupted: Path) -> None:
    run = tmp_path / "run"
    train_small(run, 2)
    train_small(run, STEPS, resume=True)
    assert facts(run)["weights"] == facts(uninterrupted)["weights"]


def test_the_end_does_not_depend_on_the_number_of_threads(
    tmp_path: Path, uninterrupted: Path
) -> None:
    threads = torch.get_num_threads()
    try:
        for count in (1, 3):
            torch.set_num_threads(count)
            train_small(tmp_path / str(count), STEPS)
            assert facts(tmp_path / str(count)) == facts(uninterrupted)
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)


def test_a_run_that_was_moved_goes_on_where_it_is(tmp_path: Path, uninterrupted: Path) -> None:
    train_small(tmp_path / "run", 3)
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "run").rename(tmp_path / "elsewhere" / "run")
    train_small(moved, STEPS, resume=True)
    assert facts(moved) == facts(uninterrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]


def test_a_folder_that_vanishes_in_the_middle_is_missed_and_not_made_anew(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with pytest.raises(DiskError, match=r'run/.*found "No such file .*; put its folder back'):
        train_small(run, STEPS, on_step=lambda step: run.rename(tmp_path / "away"))
    assert [path.name for path in tmp_path.iterdir()] == ["away"]
    assert litter(tmp_path / "away") == [".lock"]  # out of reach
    (tmp_path / "away").rename(run)
    train_small(run, STEPS, resume=True)
    assert litter(run) == []


def test_a_damaged_configuration_is_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_small(run, 1)
    text = (run / "config.yaml").read_text()
    for damaged in (text[: len(text) // 2], "", "a: [", "\x00"):
        (run / "config.yaml").write_text(damaged)
        with pytest.raises(RunError, match=str(run)):
            train_small(run, 2, resume=True)
        assert (run / "config.yaml").read_text() == damaged


def test_a_run_is_not_resumed_with_other_constants(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_small(run, 1)
    before = facts(run)
    with pytest.raises(RunError, match="begun with seed = 0, found 5 now"):
        train_small(run, 2, resume=True, seed=5)
    with pytest.raises(RunError, match="pass --resume"):
        train_small(run, 2)
    assert facts(run) == before


def test_a_step_of_which_every_child_failed_ends_the_run_loudly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: Path
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("no room")

    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("ambient.child.train.train_child", fail)
        with pytest.raises(RunError, match=r"all 4 children of step 0 failed, .*no room"):
            train_small(run, STEPS)
    train_small(run, STEPS, resume=True, retry_failed=True)
    assert facts(run)["weights"] == facts(uninterrupted)["weights"]


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(RunError, match=r"found 'thesis.tex' and no run in it"):
        train_small(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
