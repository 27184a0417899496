"""SIGKILL of a whole group of processes, a controller and its two workers, at random moments of a training."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import small_run
from run_facts import facts, litter
from small_run import train_small

STEPS = 3
IMPORTS = os.pathsep.join(path for path in sys.path if path)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("uninterrupted") / "run"
    train_small(run, STEPS)
    return run


def kill_at_random(run: Path, temporary: Path, seed: int) -> tuple[int, float]:
    """Start a training and kill its group; give the lines that it had printed, and the pause after the last.

    Moments are spread over the progress of the run, whatever the machine's speed: the start-up, the time between
    two lines (each says that an evaluation or a step is on the disk), and the end.
    """
    draw = random.Random(seed)
    lines = draw.randrange(15)
    pause = draw.uniform(0, 4) if lines == 0 else draw.choice((0, 0.002, 0.01, 0.1)) * draw.random()
    command = [sys.executable, small_run.__file__, str(run), str(STEPS), "--pool"]
    environment = {**os.environ, "PYTHONPATH": IMPORTS, "TMPDIR": str(temporary)}
    if (run / "config.yaml").exists():
        command.append("--resume")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as process:
        assert process.stdout is not None
        heard = sum(bool(process.stdout.readline()) for _ in range(lines))
        end = time.monotonic() + pause
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0.0, end - time.monotonic()))
        with contextlib.suppress(ProcessLookupError):  # it may have ended before
            os.killpg(process.pid, signal.SIGKILL)
    return heard, pause


def check_killed(tmp_path: Path, uninterrupted: Path, seed: int) -> str:
    run = tmp_path / f"run-{seed}"
    heard, pause = kill_at_random(run, tmp_path, seed)
    train_small(run, STEPS, resume=True)
    assert facts(run) == facts(uninterrupted), f"seed {seed}: {heard} lines and {pause:.3f} s"
    assert litter(run) == []
    return "start" if heard == 0 else "end" if heard >= 12 else "middle"


@pytest.mark.parametrize("seed", [31, 34])
def test_a_group_killed_at_a_random_moment_leaves_a_run_that_ends_as_if_nothing_had_been(
    tmp_path: Path, uninterrupted: Path, seed: int
) -> None:
    check_killed(tmp_path, uninterrupted, seed)


@pytest.mark.faults
def test_a_group_may_be_killed_at_fifty_random_moments(
    tmp_path: Path, uninterrupted: Path, record_property: pytest.RecordProperty
) -> None:
    moments = [check_killed(tmp_path, uninterrupted, seed) for seed in range(100, 150)]
    record_property("kills", len(moments))
    for moment in ("start", "middle", "end"):
        record_property(f"at the {moment}", moments.count(moment))


@pytest.mark.faults
def test_a_run_may_be_killed_again_and_again(
    tmp_path: Path, uninterrupted: Path, record_property: pytest.RecordProperty
) -> None:
    run = tmp_path / "run"
    for seed in range(200, 210):
        kill_at_random(run, tmp_path, seed)
    train_small(run, STEPS, resume=True)
    assert facts(run) == facts(uninterrupted)
    record_property("kills", 10)
