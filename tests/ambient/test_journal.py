"""The journal: cut short, damaged, from before lines had hashes, taken away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ambient.errors import RunError
from ambient.files import DiskError
from ambient.search.journal import Journal, read_finished, read_journal, read_whole_steps

STEPS: list[dict[str, Any]] = [{"step": number, "text": "a\u2028b"} for number in range(3)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of three steps."""
    path = tmp_path / "journal.jsonl"
    write(path, STEPS)
    return path


def write(path: Path, steps: list[dict[str, Any]], keep_steps: int = 0) -> None:
    with Journal(path, keep_steps) as journal:
        for step in steps:
            journal.append(step)


def flipped(content: bytes, every: int) -> Iterator[tuple[int, bytes]]:
    """Give the content with a bit of each of its bytes flipped in turn, or all bits, and the place of the byte."""
    for place in range(len(content)):
        for bit in range(place % every, 8, every):
            damaged = bytearray(content)
            damaged[place] ^= 1 << bit
            yield place, bytes(damaged)


def test_a_journal_cut_anywhere_reads_as_its_whole_steps_and_can_go_on(path: Path) -> None:
    content = path.read_bytes()
    assert content.count(b"\n") == 3
    for length in range(len(content)):
        path.write_bytes(content[:length])
        whole = content[:length].count(b"\n")
        assert read_whole_steps(path) == (STEPS[:whole], None)
        assert read_finished(path) == (STEPS[:whole], content[:length][-1:] not in (b"", b"\n"))
    for length in range(0, len(content), 29):
        path.write_bytes(content[:length])
        whole = content[:length].count(b"\n")
        write(path, STEPS[whole:], keep_steps=whole)
        assert path.read_bytes() == content


@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.faults)])
def test_a_flipped_bit_anywhere_is_found_by_the_hash_of_its_line(path: Path, every: int) -> None:
    content = path.read_bytes()
    for place, damaged in flipped(content, every):
        path.write_bytes(damaged)
        line = content[:place].count(b"\n")
        steps, fault = read_whole_steps(path)
        assert steps == STEPS[:line]
        if place == len(content) - 1:
            assert fault is None  # without its end, the last line looks as a crash leaves it
        else:
            assert fault is not None
            assert f"{path}:{line + 1}: found a damaged line" in fault


def test_a_line_that_is_left_out_or_moved_is_found(path: Path) -> None:
    first, second, third = path.read_bytes().splitlines(keepends=True)
    for lines in ([first, third], [second, first, third], [second, third], [first, first]):
        path.write_bytes(b"".join(lines))
        with pytest.raises(RunError, match=r"found a damaged line \(SHA-256 .*, recorded"):
            read_journal(path)


def test_a_journal_drops_the_steps_that_are_made_again(path: Path) -> None:
    with Journal(path, keep_steps=2):
        assert read_journal(path) == STEPS[:2]
    with Journal(path):
        assert read_journal(path) == []


def test_damage_in_steps_that_are_made_again_does_no_harm(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"step": 2', b'"step": 3'))
    write(path, STEPS[2:], keep_steps=2)
    assert path.read_bytes() == content


def test_steps_that_are_missing_before_the_checkpoint_are_refused(path: Path) -> None:
    content = path.read_bytes()
    with pytest.raises(RunError, match="found 3 whole steps where the 4 before the checkpoint"):
        Journal(path, keep_steps=4)
    path.write_bytes(content.replace(b'"step": 1', b'"step": 7'))
    with pytest.raises(RunError, match=r"jsonl:2: found a damaged line .* found 1 whole steps"):
        Journal(path, keep_steps=3)
    assert path.read_bytes() == content.replace(b'"step": 1', b'"step": 7')


def old_lines() -> list[dict[str, Any]]:
    return [
        {"step": number, "evaluations": [], "logs": {}, "wall_seconds": 0.5} for number in range(2)
    ]


def test_a_journal_from_before_there_were_hashes_is_read_and_sealed_when_it_goes_on(
    tmp_path: Path,
) -> None:
    path, steps = tmp_path / "journal.jsonl", old_lines()
    path.write_text("".join(json.dumps(step) + "\n" for step in steps))
    assert read_journal(path) == steps
    write(path, [{"step": 2}], keep_steps=2)
    assert read_journal(path) == [*steps, {"step": 2}]
    assert path.read_text().count('"sha256"') == 3


def test_a_damaged_line_inside_an_old_journal_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    good, other = (json.dumps(step).encode() for step in old_lines())
    for bad in (b'{"st\xff', b"[]", b'{"step": 1}', other.replace(b'"step": 1', b'"step": "1"')):
        path.write_bytes(b"\n".join([good, bad, good, b""]))
        with pytest.raises(RunError, match=r"journal\.jsonl:2: found a damaged line"):
            read_journal(path)


def test_an_absent_journal_holds_no_steps_and_one_that_is_no_file_is_named(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "absent") == []
    with pytest.raises(RunError, match=r'found "Is a directory" where a readable journal'):
        read_journal(tmp_path)


def test_a_journal_that_is_taken_away_while_it_is_written_is_missed(path: Path) -> None:
    with Journal(path, keep_steps=3) as journal:
        path.unlink()
        with pytest.raises(DiskError, match=r'journal\.jsonl: found "No such file'):
            journal.append({"step": 3})
        path.write_text("")
        with pytest.raises(RunError, match="found another file in the place of this run's journal"):
            journal.append({"step": 3})
    journal.close()
    assert path.read_text() == ""
