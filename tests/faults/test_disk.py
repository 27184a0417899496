"""A training whose disk is full, read-only or broken: nothing whole is harmed, the error is loud, and it goes on."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from faulty_runs import Outcome, build_library, run_faulty
from run_facts import check_whole, facts, litter
from small_run import train_small

STEPS = 2
# Call, part of the path, which call is the first to fail, and how; counted over a run of two steps.
STOPPED = [
    "open /runs/ 1 13",  # the run's folder cannot be made
    "write config 1 28",
    "sync descriptors 1 5",
    "open journal 2 30",
    "write journal 1 short",
    "sync journal 3 5",
    "write journal 2 28",
    "write checkpoints 3 28",
    "sync checkpoints 6 5",
    "rename checkpoints 4 13",
    "open controller 2 28",
    "write store.sqlite-wal 9 28",
    "sync store.sqlite-wal 2 5",
]
# Before which call the process is killed.
KILLED = [
    "any /runs/ 3 kill",
    "sync journal.jsonl 2 kill",
    "rename checkpoints 2 kill",
    "write store 20 kill",
]
# The disk takes no more than half of what it is given at once.
PARTS = "write /runs/ 1 part"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = build_library(tmp_path_factory.mktemp("library"))
    if built is None:
        pytest.skip("system calls can be made to fail only on Linux, with a C compiler")
    return built


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("uninterrupted") / "run"
    train_small(run, STEPS)
    return run


def check_stopped(outcome: Outcome) -> None:
    """The error names a file of the run, says what the system said, and left no litter."""
    what = outcome.fault.split()[-1]
    reason = os.strerror(errno.ENOSPC if what == "short" else int(what))
    assert outcome.end in ("DiskError", "RunError"), outcome
    assert str(outcome.run) in outcome.said
    if "store" not in outcome.said:  # SQLite has words of its own
        assert f'found "{reason}"' in outcome.said
    check_whole(outcome.run)


def check_goes_on(outcome: Outcome, uninterrupted: Path) -> None:
    train_small(outcome.run, STEPS, resume=True)
    assert facts(outcome.run) == facts(uninterrupted), outcome
    assert litter(outcome.run) == []


@pytest.fixture(scope="module")
def outcomes(library: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """One training for each of the faults above, all from one start of Python."""
    folder = tmp_path_factory.mktemp("faulty") / "runs"
    faults = [*STOPPED, *KILLED, PARTS]
    return {one.fault: one for one in run_faulty(library, folder, STEPS, *faults)}


@pytest.mark.parametrize("fault", STOPPED)
def test_a_disk_that_refuses_stops_the_run_which_then_goes_on(
    fault: str, outcomes: dict[str, Outcome], uninterrupted: Path
) -> None:
    check_stopped(outcomes[fault])
    check_goes_on(outcomes[fault], uninterrupted)


@pytest.mark.parametrize("fault", KILLED)
def test_a_kill_before_a_system_call_harms_nothing(
    fault: str, outcomes: dict[str, Outcome], uninterrupted: Path
) -> None:
    assert outcomes[fault].end == "killed"
    check_goes_on(outcomes[fault], uninterrupted)


def test_writes_that_take_a_part_at_a_time_end_as_whole_ones(
    outcomes: dict[str, Outcome], uninterrupted: Path
) -> None:
    assert outcomes[PARTS].end == "done", outcomes[PARTS]
    assert facts(outcomes[PARTS].run) == facts(uninterrupted)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("call", "what"),
    [("any", "kill"), ("any", errno.ENOSPC), ("write", "short"), ("sync", errno.EIO)]
    + [(call, number) for call in ("open", "rename") for number in (errno.EACCES, errno.EROFS)],
)
def test_every_system_call_may_fail_or_be_the_last(
    tmp_path: Path,
    library: Path,
    uninterrupted: Path,
    call: str,
    what: str | int,
    record_property: pytest.RecordProperty,
) -> None:
    (counted,) = run_faulty(library, tmp_path / "count", STEPS, f"{call} /count/ 1 count")
    faults = [f"{call} /runs/ {first} {what}" for first in range(1, counted.calls + 1)]
    outcomes = run_faulty(library, tmp_path / "runs", STEPS, *faults)
    unnoticed = 0
    for outcome in outcomes:
        if what == "kill":
            assert outcome.end == "killed", outcome
        elif outcome.end == "done":
            # What SQLite does to tidy up at the end may fail: the next opening does it again.
            unnoticed += 1
        else:
            check_stopped(outcome)
        check_goes_on(outcome, uninterrupted)
    assert unnoticed < len(outcomes) / 10
    record_property("cases", len(outcomes))
    record_property("ended without an error", unnoticed)
