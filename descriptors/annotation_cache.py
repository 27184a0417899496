"""Remembers the rows of annotation files between runs, by the files' contents."""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from descriptors.annotation_rows import PARSER_REVISION, AnnotationRows, parse_rows
from descriptors.sources import sha256_of

__all__ = ["cache_folder", "remembered_rows"]

# A file of fewer rows is read in less than a second, which is not worth a file in the cache.
_WORTH_ROWS = 100_000
_COLUMNS = ("chromosome", "start", "end", "line", "part", "owner")
_UNREADABLE = (
    OSError,  # also: the file is absent
    EOFError,
    KeyError,
    MemoryError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def cache_folder() -> Path | None:
    """Give the folder of remembered files, which may not exist yet; None where it is switched off.

    It is `$AMBIENT_CACHE`, else `$XDG_CACHE_HOME/ambient`, else `~/.cache/ambient`; an empty
    `$AMBIENT_CACHE` switches it off.
    """
    own = os.environ.get("AMBIENT_CACHE")
    if own is not None:
        return Path(own) if own else None
    shared = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(shared) if shared else Path.home() / ".cache") / "ambient"
    except RuntimeError:  # this user has no home
        return None


def remembered_rows(path: Path) -> tuple[AnnotationRows, str]:
    """Read an annotation file, or what an earlier run remembered of a file of the same content.

    What is remembered is named by the file's hash and the parser's revision, so it is never taken
    for that of another file or version. Remembered files that are damaged are written anew, and a
    folder that cannot be written costs nothing but time.

    Returns
    -------
    rows : AnnotationRows
    sha256 : str
        Of the annotation file.

    Raises
    ------
    InputError
        As `parse_rows` does; such a file is not remembered.
    """
    digest = sha256_of(path)
    folder = cache_folder()
    name = f"annotation-{PARSER_REVISION}-{digest}.npz"
    if folder is not None:
        with contextlib.suppress(*_UNREADABLE):
            return _load(folder / name, digest), digest
    before = path.stat()
    rows = parse_rows(path)
    after = path.stat()
    is_same = (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    if folder is not None and len(rows) >= _WORTH_ROWS and is_same:
        with contextlib.suppress(OSError):
            _save(rows, folder / name, digest)
    return rows, digest


def _identity(digest: str) -> str:
    return f"ambient annotation rows, revision {PARSER_REVISION}, of {digest}"


def _save(rows: AnnotationRows, path: Path, digest: str) -> None:
    arrays: dict[str, Any] = {name: _compact(getattr(rows, name)) for name in _COLUMNS}
    arrays["kind"] = rows.kind
    arrays["nameless"] = rows.nameless
    arrays["unused"] = np.array(rows.unused)
    arrays["names"] = np.array(rows.names, dtype=np.str_)
    arrays["identity"] = np.array(_identity(digest))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez(stream, **arrays)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _compact(values: np.ndarray) -> np.ndarray:
    return values.astype(np.min_scalar_type(int(values.max(initial=0))))


def _load(path: Path, digest: str) -> AnnotationRows:
    """Read remembered rows; the file's own checksums tell whether it is whole."""
    with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        if str(arrays["identity"]) != _identity(digest):
            raise ValueError(f"{path} holds something else")
        columns = {name: arrays[name].astype(np.int64) for name in _COLUMNS}
        return AnnotationRows(
            names=tuple(map(str, arrays["names"])),
            kind=arrays["kind"],
            nameless=arrays["nameless"],
            unused=int(arrays["unused"]),
            **columns,
        )
