"""A run's folder: made once, resolved configuration written before the first step, never mixed with another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ambient.errors import RunError
from ambient.files import write_atomic
from ambient.version import __version__

__all__ = ["CONFIGURATION", "check_run", "open_run", "read_configuration"]

CONFIGURATION = "config.yaml"


def check_run(folder: Path, resume: bool) -> bool:
    """Say whether a folder holds a run that goes on; refuse one that can neither begin nor go on.

    Raises
    ------
    RunError
        The folder holds something else, holds a run that was not asked to go on, or cannot be made.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise RunError(
            f"{folder}: found a file where a run's folder was needed; name another --output"
        )
    if not folder.parent.is_dir():
        raise RunError(f"{folder}: the folder {folder.parent} does not exist; make it first")
    held = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if CONFIGURATION in held:
        if not resume:
            raise RunError(
                f"{folder}: found a run that was begun before; pass --resume to go on with it, or name another --output"
            )
        return True
    if held:
        raise RunError(
            f"{folder}: found {held[0]!r} and no run in it, an absent or empty folder was needed; name another --output"
        )
    return False


def open_run(
    folder: Path, configuration: dict[str, Any], resume: bool, may_differ: tuple[str, ...] = ()
) -> Path:
    """Make a run's folder, or enter it again to go on.

    Parameters
    ----------
    folder : path
        Absent or empty for a new run.
    configuration : dict
        What is resolved: YAML values only.
    resume : bool
        Whether a run that the folder holds is to go on.
    may_differ : tuple of str
        Keys that may be given anew when a run goes on (how long, how many workers).

    Returns
    -------
    path
        The folder, with `config.yaml` in it.

    Raises
    ------
    RunError
        As `check_run`, or the run was begun with other values; nothing is changed then.
    """
    folder = Path(folder)
    if check_run(folder, resume):
        _check_same(folder, read_configuration(folder), configuration, may_differ)
    folder.mkdir(exist_ok=True)
    text = yaml.safe_dump({"version": __version__, **configuration}, sort_keys=False)
    write_atomic(folder / CONFIGURATION, text)
    return folder


def read_configuration(folder: Path) -> dict[str, Any]:
    """Read the resolved configuration of a run.

    Raises
    ------
    RunError
        The folder is absent or holds no run.
    """
    path = Path(folder) / CONFIGURATION
    if not path.is_file():
        raise RunError(
            f"{folder}: found no {CONFIGURATION}, so it is not a run's folder; name one that `ambient train` wrote"
        )
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise RunError(f"{path}: found no mapping of settings; restore the file")
    return values


def _check_same(
    folder: Path, begun: dict[str, Any], now: dict[str, Any], may_differ: tuple[str, ...]
) -> None:
    for key in sorted((set(begun) | set(now)) - {"version", *may_differ}):
        if begun.get(key) != now.get(key):
            raise RunError(
                f"{folder}: the run was begun with {key} = {begun.get(key)!r}, found {now.get(key)!r} now; "
                "give the same value, or begin a new run in another folder"
            )
