"""Checkpoints of a searcher: tensors in safetensors, the rest in JSON, whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as tensors_from_bytes
from safetensors.torch import save as tensors_to_bytes
from torch import Tensor

from ambient.errors import RunError
from ambient.files import (
    canonical_json,
    disk_errors,
    make_folder,
    sha256_of_bytes,
    write_atomic,
    write_json_atomic,
)

__all__ = ["checkpoint_steps", "read_checkpoint", "set_aside", "write_checkpoint"]

FORMAT_VERSION = 1
NAME = re.compile(r"step-([0-9]{8,})\.(json|safetensors)")
ASIDE = ".aside"  # how the names of files end that are no checkpoints any more
KEPT = 2  # the newest and the one before it, for the day that the newest is broken


def write_checkpoint(folder: str | Path, step: int, state: Mapping[str, Any]) -> Path:
    """Write one checkpoint and remove all but the last two.

    Parameters
    ----------
    folder : path
        Made where it is absent; the one above it must exist.
    step : int
        Number of the step that the state follows; names the files.
    state : mapping
        JSON values and tensors, nested in mappings whose keys are text without slashes. Lists hold
        no tensors.

    Returns
    -------
    Path
        The JSON file. It is written last: where it stands, the checkpoint is complete.

    Raises
    ------
    DiskError
        It cannot be written; the checkpoints before it stay whole.
    """
    folder = make_folder(folder)
    tensors: dict[str, Tensor] = {}
    values = _split(state, "", tensors)
    content = tensors_to_bytes(tensors)
    stem = _stem(step)
    write_atomic(folder / f"{stem}.safetensors", content)
    path = folder / f"{stem}.json"
    record = {
        "format_version": FORMAT_VERSION,
        "step": step,
        "tensors_sha256": sha256_of_bytes(content),
        "values_sha256": sha256_of_bytes(canonical_json(values).encode()),
        "values": values,
    }
    write_json_atomic(path, record)
    _remove_all_but(folder, set(_stems(folder)[:KEPT]))
    return path


def read_checkpoint(folder: str | Path) -> tuple[dict[str, Any], str | None]:
    """Read the newest whole checkpoint.

    Returns
    -------
    state : dict
        As it was given to `write_checkpoint`.
    notice : str or None
        What was wrong with newer checkpoints, where an older one had to be used.

    Raises
    ------
    RunError
        The folder holds no checkpoint, or none that is whole.
    """
    folder = Path(folder)
    stems = _stems(folder)
    if not stems:
        raise RunError(
            f"{folder}: found no checkpoint (step-*.json); name the folder of a run that was "
            "begun, or begin one without resuming"
        )
    faults = []
    for stem in stems:
        try:
            state = _read_one(folder, stem)
        except RunError as error:
            faults.append(str(error))
            continue
        notice = f"{'; '.join(faults)}; went back to {stem}" if faults else None
        return state, notice
    raise RunError(f"{'; '.join(faults)}; no checkpoint is whole, so begin the run anew")


def checkpoint_steps(folder: str | Path) -> list[int]:
    """Give the numbers of the checkpoints in a folder, whole or not, the newest first; none where it is absent."""
    return [_step_of(stem) for stem in _stems(Path(folder))]


def set_aside(folder: str | Path, step: int) -> None:
    """Rename a checkpoint so that nothing resumes from it, and keep its contents for a person to look at.

    Raises
    ------
    DiskError
        It cannot be renamed.
    """
    for suffix in (".json", ".safetensors"):  # without its JSON it is no checkpoint
        path = Path(folder) / f"{_stem(step)}{suffix}"
        with disk_errors(path):
            if path.exists():
                path.rename(f"{path}{ASIDE}")


def _stem(step: int) -> str:
    return f"step-{step:08d}"


def _step_of(stem: str) -> int:
    return int(stem.removeprefix("step-"))


def _stems(folder: Path) -> list[str]:
    """Give the names of the checkpoints in a folder, the newest first."""
    stems = [path.stem for path in folder.glob("step-*.json") if NAME.fullmatch(path.name)]
    return sorted(stems, key=_step_of, reverse=True)


def _remove_all_but(folder: Path, kept: set[str]) -> None:
    """Remove older checkpoints, and tensors whose JSON a kill kept from being written."""
    for path in folder.iterdir():
        if NAME.fullmatch(path.name) and path.stem not in kept:
            with disk_errors(path):
                path.unlink(missing_ok=True)


def _read_one(folder: Path, stem: str) -> dict[str, Any]:
    path = folder / f"{stem}.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: the checkpoint cannot be read ({error})") from error
    if not isinstance(record, dict) or record.get("format_version") != FORMAT_VERSION:
        found = record.get("format_version") if isinstance(record, dict) else None
        raise RunError(
            f"{path}: checkpoint format {found}, but this version reads format {FORMAT_VERSION}"
        )
    if record.get("step") != _step_of(stem):
        raise RunError(f"{path}: the checkpoint is damaged (its step is {record.get('step')!r})")
    values = record.get("values")
    try:
        found = sha256_of_bytes(canonical_json(values).encode())
    except ValueError as error:  # an infinity, which no checkpoint holds
        raise RunError(f"{path}: the checkpoint is damaged ({error})") from error
    _compare(path, found, record.get("values_sha256"))
    path = path.with_suffix(".safetensors")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: the checkpoint cannot be read ({error})") from error
    _compare(path, sha256_of_bytes(content), record.get("tensors_sha256"))
    state = _join(values, "", tensors_from_bytes(content))
    assert isinstance(state, dict)
    return state


def _compare(path: Path, found: str, needed: object) -> None:
    if found != needed:
        raise RunError(f"{path}: the checkpoint is damaged (SHA-256 {found}, recorded {needed})")


def _split(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """Move the tensors of a nested state into `tensors`, and leave their names in their places."""
    if isinstance(value, Tensor):
        # A copy of its own: safetensors refuses tensors that share memory.
        tensors[name] = value.detach().clone(memory_format=torch.contiguous_format)
        return {"tensor": name}
    if isinstance(value, Mapping):
        return {key: _split(item, f"{name}/{key}", tensors) for key, item in value.items()}
    return value


def _join(value: Any, name: str, tensors: Mapping[str, Tensor]) -> Any:
    """Undo `_split`."""
    if isinstance(value, dict):
        if value == {"tensor": name}:
            return tensors[name]
        return {key: _join(item, f"{name}/{key}", tensors) for key, item in value.items()}
    return value
