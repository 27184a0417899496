"""A stopped run of which one file is damaged: it ends as an undamaged one, or is refused and left as it is."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from run_facts import facts, litter
from small_run import train_small

from ambient.errors import InputError

STEPS = 4
STOPPED = 3  # steps after which the run was stopped, and after which its newest checkpoint stands

FILES = (
    "journal.jsonl",
    "config.yaml",
    "checkpoints/step-00000003.json",
    "checkpoints/step-00000003.safetensors",
    "checkpoints/step-00000002.json",
)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("uninterrupted") / "run"
    train_small(run, STEPS)
    return run


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("stopped") / "run"
    train_small(run, STOPPED)
    return run


def truncate(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(len(content))]


def flip(content: bytes, draw: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(draw.choice((1, 1, 2, 8))):
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def forget(content: bytes, draw: random.Random) -> bytes:
    """As after a power cut: the length is there, the contents of the last blocks are not."""
    start = draw.randrange(len(content))
    return content[:start] + bytes(len(content) - start)


DAMAGES: tuple[Callable[[bytes, random.Random], bytes], ...] = (truncate, flip, forget)


def contents(run: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()
    }


def damage_and_resume(stopped: Path, uninterrupted: Path, run: Path, seed: int) -> str:
    """Damage a copy of a stopped run and go on with it; say how that ended."""
    draw = random.Random(seed)
    shutil.copytree(stopped, run)
    name = FILES[seed % len(FILES)]
    damage = draw.choice(DAMAGES)
    (run / name).write_bytes(damage((run / name).read_bytes(), draw))
    before, said, refused = contents(run), list[str](), ""
    try:
        train_small(run, STEPS, resume=True, said=said)
    except InputError as error:
        refused = str(error)
    if refused:
        assert contents(run) == before, f"seed {seed}: {refused}, but something was changed"
        return "refused"
    assert facts(run) == facts(uninterrupted), f"seed {seed}: {damage.__name__} of {name}"
    assert [one for one in litter(run) if not one.endswith(".aside")] == []
    shutil.rmtree(run)
    return "said" if said else "no harm"


def test_a_damaged_file_never_makes_a_run_end_otherwise(
    tmp_path: Path, stopped: Path, uninterrupted: Path
) -> None:
    ends = [
        damage_and_resume(stopped, uninterrupted, tmp_path / str(seed), seed) for seed in range(10)
    ]
    assert {"refused", "said"} <= set(ends)


@pytest.mark.faults
def test_five_hundred_damaged_files_never_make_a_run_end_otherwise(
    tmp_path: Path, stopped: Path, uninterrupted: Path, record_property: pytest.RecordProperty
) -> None:
    ends = [
        damage_and_resume(stopped, uninterrupted, tmp_path / str(seed), seed)
        for seed in range(1000, 1500)
    ]
    assert {"refused", "said"} <= set(ends)
    record_property("cases", len(ends))
    for end in sorted(set(ends)):
        record_property(end, ends.count(end))


def test_a_journal_that_lost_its_last_step_goes_back_one_checkpoint_and_says_so(
    tmp_path: Path, stopped: Path, uninterrupted: Path
) -> None:
    run, said = tmp_path / "run", list[str]()
    shutil.copytree(stopped, run)
    lines = (run / "journal.jsonl").read_bytes().splitlines(keepends=True)
    (run / "journal.jsonl").write_bytes(b"".join(lines[:-1]))
    train_small(run, STEPS, resume=True, said=said)
    assert said == [
        f"{run / 'journal.jsonl'}: found 2 steps; went back to the checkpoint of step 2"
    ]
    assert facts(run) == facts(uninterrupted)
    # The steps are made again, so the checkpoint that was put aside has a successor of its name.
    assert litter(run) == ["step-00000003.json.aside", "step-00000003.safetensors.aside"]


def test_a_journal_that_lost_more_than_the_checkpoints_know_is_refused(
    tmp_path: Path, stopped: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(stopped, run)
    (run / "journal.jsonl").unlink()
    with pytest.raises(
        InputError, match=r"found 0 steps, but the oldest checkpoint builds on 2 steps.* --store "
    ):
        train_small(run, STEPS, resume=True)


def test_a_run_without_its_checkpoints_begins_again_and_says_so(
    tmp_path: Path, stopped: Path, uninterrupted: Path
) -> None:
    run, said = tmp_path / "run", list[str]()
    shutil.copytree(stopped, run)
    shutil.rmtree(run / "checkpoints")
    train_small(run, STEPS, resume=True, said=said)
    assert "found no checkpoint; begins again" in said[0]
    assert facts(run) == facts(uninterrupted)
