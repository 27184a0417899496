"""Checkpoints are whole or not used, and the one before steps in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ambient.controller.checkpoint import (
    checkpoint_steps,
    read_checkpoint,
    set_aside,
    write_checkpoint,
)
from ambient.errors import RunError
from ambient.files import DiskError


def state(number: int) -> dict[str, Any]:
    shared = torch.arange(6, dtype=torch.float64).reshape(2, 3).t()
    return {
        "number": number,
        "nothing": None,
        "list": [["a", 1, 0.1], []],
        "nested": {"weights": shared, "same": shared, "deep": {"bytes": torch.ones(3).byte()}},
    }


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "checkpoints", 3, state(3))
    found, notice = read_checkpoint(tmp_path / "checkpoints")
    assert notice is None
    assert text_of(found) == text_of(state(3))
    assert found["nested"]["weights"].dtype == torch.float64
    assert found["nested"]["deep"]["bytes"].dtype == torch.uint8


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    for number in (1, 2, 9, 10, 11):
        write_checkpoint(tmp_path, number, state(number))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-00000010.json",
        "step-00000010.safetensors",
        "step-00000011.json",
        "step-00000011.safetensors",
    ]
    assert read_checkpoint(tmp_path)[0]["number"] == 11


@pytest.fixture(params=[".json", ".safetensors"])
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of the newer of two checkpoints, to be broken."""
    for number in (4, 5):
        write_checkpoint(tmp_path, number, state(number))
    return tmp_path / f"step-00000005{request.param}"


def test_a_damaged_newest_one_gives_way_to_the_one_before(broken: Path) -> None:
    broken.write_bytes(broken.read_bytes()[:100])
    found, notice = read_checkpoint(broken.parent)
    assert found["number"] == 4
    assert notice is not None
    assert str(broken) in notice
    assert "went back to step-00000004" in notice
    broken.unlink()
    found, notice = read_checkpoint(broken.parent)
    assert found["number"] == 4
    assert (notice is None) == (broken.suffix == ".json")  # without its JSON, it was never finished


@pytest.mark.parametrize("every", [8, pytest.param(1, marks=pytest.mark.faults)])
def test_damage_at_any_byte_is_found_or_changes_nothing(broken: Path, every: int) -> None:
    content = broken.read_bytes()
    damages = [content[:length] for length in range(len(content))]
    for place, byte in enumerate(content):
        for bit in range(place % every, 8, every):
            damages.append(content[:place] + bytes([byte ^ 1 << bit]) + content[place + 1 :])
    unnoticed = 0
    for damaged in damages:
        broken.write_bytes(damaged)
        found, notice = read_checkpoint(broken.parent)
        unnoticed += notice is None
        assert text_of(found) == text_of(state(5 if notice is None else 4))
    # A blank of JSON that became another blank, or is missing at the end, says the same.
    assert unnoticed <= (40 / every if broken.suffix == ".json" else 0)


def text_of(one: dict[str, Any]) -> str:
    return json.dumps(one, default=torch.Tensor.tolist)


def test_a_number_that_no_checkpoint_holds_is_damage(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, 5, state(5))
    path.write_text(path.read_text().replace("0.1", "1e999"))
    with pytest.raises(RunError, match="the checkpoint is damaged"):
        read_checkpoint(tmp_path)


def test_one_that_stands_under_the_name_of_another_step_is_damaged(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, 5, state(5))
    for path in list(tmp_path.iterdir()):
        path.rename(tmp_path / path.name.replace("5", "6"))
    with pytest.raises(RunError, match=r"step-00000006\.json: .*\(its step is 5\)"):
        read_checkpoint(tmp_path)


def test_one_that_is_set_aside_is_not_read_and_not_lost(tmp_path: Path) -> None:
    for number in (4, 5):
        write_checkpoint(tmp_path, number, state(number))
    assert checkpoint_steps(tmp_path) == [5, 4]
    set_aside(tmp_path, 5)
    assert checkpoint_steps(tmp_path) == [4]
    assert read_checkpoint(tmp_path)[0]["number"] == 4
    assert (tmp_path / "step-00000005.json.aside").exists()
    assert (tmp_path / "step-00000005.safetensors.aside").exists()


def test_tensors_whose_json_was_never_written_are_removed(tmp_path: Path) -> None:
    for number in (4, 5):
        write_checkpoint(tmp_path, number, state(number))
    (tmp_path / "step-00000004.json").unlink()  # as a kill while it was removed leaves it
    (tmp_path / "notes.txt").write_text("a person's")
    for number in (6, 7):
        write_checkpoint(tmp_path, number, state(number))
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "notes.txt",
        "step-00000006.json",
        "step-00000006.safetensors",
        "step-00000007.json",
        "step-00000007.safetensors",
    ]


def test_a_run_folder_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r'checkpoints: found "No such file or directory"'):
        write_checkpoint(tmp_path / "gone" / "checkpoints", 1, state(1))
    assert not (tmp_path / "gone").exists()


def test_two_damaged_ones_are_an_error_that_names_both(tmp_path: Path) -> None:
    for number in (4, 5):
        write_checkpoint(tmp_path, number, state(number))
        (tmp_path / f"step-0000000{number}.safetensors").write_bytes(b"")
    with pytest.raises(RunError, match=r"step-00000005.*step-00000004.*begin the run anew"):
        read_checkpoint(tmp_path)


def test_a_folder_without_checkpoints_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no checkpoint") as caught:
        read_checkpoint(tmp_path / "absent")
    assert str(tmp_path / "absent") in str(caught.value)


def test_a_newer_format_is_refused_and_both_named(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path, 1, state(1))
    record = json.loads(path.read_text())
    record["format_version"] = 7
    path.write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"format 7, .* reads format 1"):
        read_checkpoint(tmp_path)
