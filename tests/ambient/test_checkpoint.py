"""Checkpoints are whole or not used, and the one before steps in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ambient.controller.checkpoint import read_checkpoint, write_checkpoint
from ambient.errors import RunError


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
    assert json.dumps(found, default=torch.Tensor.tolist) == json.dumps(
        state(3), default=torch.Tensor.tolist
    )
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


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
@pytest.mark.parametrize("damage", ["truncate", "flip", "remove"])
def test_a_damaged_newest_one_gives_way_to_the_one_before(
    tmp_path: Path, suffix: str, damage: str
) -> None:
    for number in (4, 5):
        write_checkpoint(tmp_path, number, state(number))
    broken = tmp_path / f"step-00000005{suffix}"
    content = broken.read_bytes()
    if damage == "truncate":
        broken.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        place = content.index(b'"number": 5') + 10 if suffix == ".json" else len(content) - 1
        changed = b"6" if suffix == ".json" else bytes([content[place] ^ 1])
        broken.write_bytes(content[:place] + changed + content[place + 1 :])
    else:
        broken.unlink()
    found, notice = read_checkpoint(tmp_path)
    assert found["number"] == 4
    if (suffix, damage) != (".json", "remove"):  # without its JSON, it was never finished
        assert notice is not None
        assert str(broken) in notice
        assert "went back to step-00000004" in notice


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
