"""A run's folder: made once, resolved configuration written before the first step, held by one process at a time."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from ambient.errors import InputError, RunError
from ambient.files import (
    PART,
    DiskError,
    disk_errors,
    make_folder,
    read_yaml,
    remove_parts,
    write_atomic,
)
from ambient.search.journal import read_whole_steps
from ambient.version import __version__

__all__ = [
    "BEST",
    "CHECKPOINTS",
    "CONFIGURATION",
    "JOURNAL",
    "begun_configuration",
    "check_run",
    "hold_run",
    "open_run",
    "read_configuration",
]

CONFIGURATION = "config.yaml"
JOURNAL = "journal.jsonl"
BEST = "best.json"  # the architecture that a search found
CHECKPOINTS = "checkpoints"
STORE_PARTS = ".store.sqlite.*"  # of a store that was being made when its process was killed
LOCK = ".lock"  # in the run's folder while a process works on it
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)

DATA = ("task", "training_tasks")  # keys of a configuration that hold hashes of data

_held: set[str] = set()  # the run folders that this process holds


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
    held = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    # A process that was killed while it began a run leaves these.
    held = [name for name in held if name != LOCK and not name.endswith(PART)]
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


@contextlib.contextmanager
def hold_run(
    folder: Path, resume: bool, say: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Keep a run's folder to this process while it works on it, and make what it holds fit to go on from.

    The lock is the system's (`flock` on `.lock` in the folder), so it ends with the process, however that ends.
    Within one process it may be taken again. What a killed process left half-written is removed. Where the journal
    lost steps that a checkpoint builds on, the checkpoint is set aside and the one before it is gone back to. A run
    that a user's mistake ends before its first evaluation leaves nothing, so that the corrected command finds the
    folder as it was.

    Parameters
    ----------
    folder : path
        Absent or empty for a new run; folders above it are made where they are absent.
    resume : bool
        Whether a run that the folder holds is to go on.
    say : callable, optional
        Told in a sentence what was set aside, that there is nothing to go on with, or that the file system cannot lock.

    Raises
    ------
    RunError
        As `check_run`; another process works on the run; or the journal lost more than any checkpoint can do without.
    DiskError
        The folder cannot be made or written.
    """
    folder, say = Path(folder), say or (lambda text: None)
    name = os.path.realpath(folder)
    if name in _held:
        yield
        return
    goes_on = check_run(folder, resume)
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    for place in reversed(made):
        make_folder(place)
    try:
        with _locked(folder, say):
            # Again, now that no other process can begin or end a run here.
            if check_run(folder, resume):
                _make_agree(folder, say)
            elif resume:
                say(f"{folder}: found no run to go on with; begins one")
            for place in (folder, folder / CHECKPOINTS, folder / "controller"):
                remove_parts(place)
            for part in folder.glob(STORE_PARTS):
                part.unlink(missing_ok=True)
            try:
                yield
            except InputError as error:
                if not (goes_on or isinstance(error, DiskError) or _has_results(folder)):
                    _empty(folder)
                raise
    finally:
        for place in made:
            with contextlib.suppress(OSError):  # holds a run, as a rule
                place.rmdir()


def _has_results(folder: Path) -> bool:
    """Whether a run has evaluated anything, or what it has can no longer be told."""
    from ambient.evaluate import Store

    # ENAS has a journal of its supernet in a folder below.
    if any(path.stat().st_size for path in folder.rglob(JOURNAL)):
        return True
    for path in folder.glob("store.sqlite"):
        try:
            with Store(path) as store:
                return len(store) > 0
        except RunError:
            return True
    return False


def _empty(folder: Path) -> None:
    """Remove what a run that has done nothing has written."""
    for path in folder.iterdir():
        if path.name == LOCK:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@contextlib.contextmanager
def _locked(folder: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of a run's folder, and remove it at the end."""
    name = os.path.realpath(folder)
    lock = _lock(folder / LOCK, say)
    _held.add(name)
    try:
        yield
    finally:
        _held.discard(name)
        with contextlib.suppress(OSError):  # the folder may be gone, or not ours to write any more
            (folder / LOCK).unlink()
        os.close(lock)


def _lock(path: Path, say: Callable[[str], None]) -> int:
    """Lock a file, made where it is absent; give the descriptor that holds the lock."""
    while True:
        with disk_errors(path):
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in NO_LOCKS:
                say(
                    f"{path}: this file system knows no locks; see that no other process works on the run"
                )
                return lock
            with os.fdopen(lock) as stream:
                holder = stream.read(20).strip() or "unknown"
            raise RunError(
                f"{path.parent}: found another process (number {holder}) at work on this run, one at a time may be; "
                "wait for its end, or name another --output"
            ) from error
        # The process that held it may have removed the file just before; then the lock is worth nothing.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(lock), os.stat(path)):
                with contextlib.suppress(OSError):  # a full disk will be said of what matters more
                    os.truncate(lock, 0)
                    os.write(lock, f"{os.getpid()}\n".encode())
                return lock
        os.close(lock)


def _make_agree(folder: Path, say: Callable[[str], None]) -> None:
    """Set aside the checkpoints that build on steps which the journal has lost."""
    from ambient.controller.checkpoint import checkpoint_steps, set_aside

    steps, fault = read_whole_steps(folder / JOURNAL)
    checkpoints = checkpoint_steps(folder / CHECKPOINTS)
    lost = [step for step in checkpoints if step > len(steps)]
    where = fault or f"{folder / JOURNAL}: found {len(steps)} steps"
    if lost and len(lost) == len(checkpoints):
        raise RunError(
            f"{where}, but the oldest checkpoint builds on {min(lost)} steps; restore the journal, or begin the run "
            f"anew with --store {folder / 'store.sqlite'}, which remembers its evaluations"
        )
    for step in lost:
        set_aside(folder / CHECKPOINTS, step)
    if lost:
        say(f"{where}; went back to the checkpoint of step {checkpoints[len(lost)]}")
    elif fault:
        say(f"{fault}; its steps are made again")
    elif not checkpoints and len(steps) > 1:  # a kill before the first checkpoint leaves one step
        say(
            f"{folder / CHECKPOINTS}: found no checkpoint; begins again, with what the store remembers"
        )


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
    make_folder(folder)
    text = yaml.safe_dump({"version": __version__, **configuration}, sort_keys=False)
    write_atomic(folder / CONFIGURATION, text)
    return folder


def read_configuration(folder: Path) -> dict[str, Any]:
    """Read the resolved configuration of a run.

    Raises
    ------
    RunError
        The folder is absent or holds no run, or the file is damaged.
    """
    path = Path(folder) / CONFIGURATION
    if not path.is_file():
        raise RunError(
            f"{folder}: found no {CONFIGURATION}, so it is not a run's folder; name one that `ambient train` wrote"
        )
    return read_yaml(path, "run's configuration", RunError)


def begun_configuration(folder: Path, resume: bool) -> dict[str, Any]:
    """Read the configuration of a run that is to go on; nothing where none is, or there is no run yet."""
    return read_configuration(folder) if resume and (folder / CONFIGURATION).is_file() else {}


def _check_same(
    folder: Path, begun: dict[str, Any], now: dict[str, Any], may_differ: tuple[str, ...]
) -> None:
    for key in sorted((set(begun) | set(now)) - {"version", *may_differ}):
        difference = _first_difference(key, begun.get(key), now.get(key))
        if difference is not None:
            name, before, found = difference
            if key in DATA:
                raise RunError(
                    f"{folder}: the run was begun on other data ({name} = {before}, found {found} now); restore the "
                    "files and the corpus (one without widest_window_bp meant 500 before it meant 1000: write which), "
                    "or begin a new run in another folder"
                )
            raise RunError(
                f"{folder}: the run was begun with {name} = {before!r}, found {found!r} now; "
                "give the same value, or begin a new run in another folder"
            )


def _first_difference(name: str, begun: Any, now: Any) -> tuple[str, Any, Any] | None:
    """Name the first value in which two parts of a configuration differ, as controller.tasks_per_step."""
    if isinstance(begun, dict) and isinstance(now, dict):
        for key in sorted({*begun, *now}):
            found = _first_difference(f"{name}.{key}", begun.get(key), now.get(key))
            if found is not None:
                return found
        return None
    return None if begun == now else (name, begun, now)
