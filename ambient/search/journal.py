"""The journal of a run: a line for each step, each sealed by a hash that also covers the lines before it."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ambient.errors import RunError
from ambient.files import disk_errors, sha256_of_bytes, write_all, write_atomic

__all__ = ["Journal", "read_finished", "read_journal", "read_whole_steps"]

SEALED = re.compile(rb'(.+), "sha256": "([0-9a-f]{64})"\}', re.DOTALL)
# Lines without a hash, of journals before there was one, hold exactly these.
UNSEALED_KEYS = {"step", "evaluations", "logs", "wall_seconds"}


class Journal:
    """A file of JSON lines, one for each step, each on the disk before the next step begins.

    Parameters
    ----------
    path : path
        Made where it is absent; its folder must exist.
    keep_steps : int
        Lines of later steps (number `keep_steps` and above) are dropped, and so is a line that a
        crash cut short: a search that goes on from a checkpoint makes these steps again. 0 begins
        anew.

    Raises
    ------
    RunError
        One of the lines to keep is damaged or missing, or the file cannot be written.
    """

    def __init__(self, path: str | Path, keep_steps: int = 0) -> None:
        self.path = Path(path)
        steps, fault = read_whole_steps(self.path)
        kept = [step for step in steps if step["step"] < keep_steps]
        if [step["step"] for step in kept] != list(range(keep_steps)):
            raise RunError(
                f"{fault or self.path}: found {len(kept)} whole steps where the {keep_steps} before the "
                "checkpoint were needed; restore the journal, or remove the checkpoints after step "
                f"{len(kept)} and resume"
            )
        sealed = _sealed_lines(kept)
        write_atomic(self.path, b"".join(line for line, _ in sealed))
        self._seal = sealed[-1][1] if sealed else ""
        with disk_errors(self.path):
            self._file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self._is_open = True

    def append(self, step: Mapping[str, Any]) -> None:
        """Write one step; when this returns it is on the disk.

        Raises
        ------
        RunError
            It cannot be written, or the file was removed or replaced; the lines before it stay whole.
        """
        line, seal = _sealed(step, self._seal)
        with disk_errors(self.path):
            before = os.fstat(self._file)
            try:
                write_all(self._file, line)
                os.fsync(self._file)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, before.st_size)
                raise
            # What is written into a removed file is lost without a word from the system.
            there = os.stat(self.path)
        if (there.st_dev, there.st_ino) != (before.st_dev, before.st_ino):
            raise RunError(
                f"{self.path}: found another file in the place of this run's journal; "
                "end the other process, then resume"
            )
        self._seal = seal

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._is_open:
            self._is_open = False
            os.close(self._file)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_journal(path: str | Path) -> list[dict[str, Any]]:
    """Read the steps of a journal; a last line that a crash cut short is passed over.

    Parameters
    ----------
    path : path
        A journal; an absent one holds no steps.

    Returns
    -------
    list of dict
        As `Step.to_dict` gives them.

    Raises
    ------
    RunError
        A line is damaged, or the file cannot be read.
    """
    return read_finished(path)[0]


def read_finished(path: str | Path) -> tuple[list[dict[str, Any]], bool]:
    """Read a journal as `read_journal` does, and say whether a last line was passed over.

    Returns
    -------
    steps : list of dict
        As `Step.to_dict` gives them, one for each line.
    is_cut_short : bool
        Whether more follows the last whole line: a crash cut it, or a run is writing it now.

    Raises
    ------
    RunError
        A line is damaged, or the file cannot be read.
    """
    steps, fault, is_cut_short = _read(Path(path))
    if fault is not None:
        raise RunError(
            f"{fault}; resume to make the steps from there on again, or restore the file"
        )
    return steps, is_cut_short


def read_whole_steps(path: str | Path) -> tuple[list[dict[str, Any]], str | None]:
    """Read the steps of a journal up to the first damaged line.

    Parameters
    ----------
    path : path
        A journal; an absent one holds no steps.

    Returns
    -------
    steps : list of dict
        As `Step.to_dict` gives them.
    fault : str or None
        Which line is damaged, and how, where one is. A last line without its end is no damage: a
        crash cut it short.

    Raises
    ------
    RunError
        The file cannot be read.
    """
    steps, fault, _ = _read(Path(path))
    return steps, fault


def _read(path: Path) -> tuple[list[dict[str, Any]], str | None, bool]:
    """Give the whole steps up to the first damaged line, that damage, and whether the last line lacks its end."""
    try:
        *lines, unfinished = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return [], None, False
    except OSError as error:
        raise RunError(
            f'{path}: found "{error.strerror}" where a readable journal was needed; correct it and resume'
        ) from error
    steps: list[dict[str, Any]] = []
    seal = ""
    is_sealed = bool(lines) and SEALED.fullmatch(lines[0]) is not None
    for number, line in enumerate(lines, start=1):
        try:
            if is_sealed:
                step, seal = _unsealed(line, seal)
            else:
                step = _old_step(line)
        except ValueError as error:
            return steps, f"{path}:{number}: found a damaged line ({error})", bool(unfinished)
        steps.append(step)
    return steps, None, bool(unfinished)


def _sealed_lines(steps: Sequence[Mapping[str, Any]]) -> list[tuple[bytes, str]]:
    lines: list[tuple[bytes, str]] = []
    for step in steps:
        lines.append(_sealed(step, lines[-1][1] if lines else ""))
    return lines


def _sealed(step: Mapping[str, Any], before: str) -> tuple[bytes, str]:
    """Give a step's line and its hash, which covers the hash before it."""
    body = json.dumps(step, allow_nan=False)
    seal = sha256_of_bytes(before.encode() + body.encode())
    return f'{body[:-1]}, "sha256": "{seal}"}}\n'.encode(), seal


def _unsealed(line: bytes, before: str) -> tuple[dict[str, Any], str]:
    """Undo `_sealed`; ValueError where the hash is not that of the line."""
    found = SEALED.fullmatch(line)
    if found is None:
        raise ValueError("it does not end in its SHA-256")
    body, seal = found[1] + b"}", found[2].decode()
    needed = sha256_of_bytes(before.encode() + body)
    if seal != needed:
        raise ValueError(f"SHA-256 {needed}, recorded {seal}")
    step: dict[str, Any] = json.loads(body)
    return step, seal


def _old_step(line: bytes) -> dict[str, Any]:
    step: dict[str, Any] = json.loads(line)
    if not isinstance(step, dict) or set(step) != UNSEALED_KEYS:
        raise ValueError(f"it is neither sealed nor of the keys {', '.join(sorted(UNSEALED_KEYS))}")
    if type(step["step"]) is not int:
        raise ValueError(f"its step is {step['step']!r}")
    return step
