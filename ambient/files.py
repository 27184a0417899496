"""Files that are either whole or absent: atomic writes, hashes, safe loading."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ambient.errors import InputError, RunError

__all__ = [
    "DiskError",
    "canonical_json",
    "disk_errors",
    "make_folder",
    "read_json",
    "read_yaml",
    "remove_parts",
    "sha256_of_bytes",
    "short_hash",
    "whole_folder",
    "write_all",
    "write_atomic",
    "write_json_atomic",
]

PART = ".part"  # how the name of a file ends that is not whole yet
FULL = "make room there"
FORBIDDEN = "allow this user to write there"
WHAT_TO_DO = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: FULL,
    errno.EACCES: FORBIDDEN,
    errno.EPERM: FORBIDDEN,
    errno.EROFS: FORBIDDEN,
    errno.ENOENT: "put its folder back",
    errno.EIO: "check the disk",
}


class DiskError(RunError):
    """The system would not write a file: the disk is full, the folder is read-only or gone."""


@contextlib.contextmanager
def disk_errors(path: str | Path) -> Iterator[None]:
    """Turn what the system says while a file is written into an error that names it and says what to do."""
    try:
        yield
    except OSError as error:
        what_to_do = WHAT_TO_DO.get(error.errno or 0, "correct that")
        raise DiskError(
            f'{path}: found "{error.strerror or error}" where the file had to be written; {what_to_do}, then go on'
        ) from error


def write_atomic(path: str | Path, content: bytes | str) -> None:
    """Write a file so that a reader sees the old content or the new one, never a part of it.

    Parameters
    ----------
    path : path
        Where the content goes; its folder must exist.
    content : bytes or str
        Text is written as UTF-8.

    Raises
    ------
    DiskError
        The disk is full or the folder cannot be written; the old file is untouched and no litter stays.
    """
    path = Path(path)
    data = content.encode("utf-8") if isinstance(content, str) else content
    with disk_errors(path):
        descriptor, temporary = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.name}.", suffix=PART
        )
        try:
            try:
                write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_folder(path.parent)


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of some bytes to an open file: the system may take them in parts.

    Raises
    ------
    OSError
        The system took a part, or nothing.
    """
    left = memoryview(data)
    while left:
        taken = os.write(descriptor, left)
        if taken == 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        left = left[taken:]


def make_folder(path: str | Path) -> Path:
    """Make a folder that outlives a power cut, where it is absent; the one above it must exist.

    Raises
    ------
    DiskError
        It cannot be made.
    """
    path = Path(path)
    with disk_errors(path):
        path.mkdir(exist_ok=True)
        _sync_folder(path.parent)
    return path


@contextlib.contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Give a folder to write into that takes its place under a name when all is written, or is removed.

    Parameters
    ----------
    path : path
        Absent, or an empty folder; the one above it must exist.

    Raises
    ------
    DiskError
        The folder cannot be made or given its name.
    """
    path = Path(path).resolve()
    with disk_errors(path):
        place = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=PART))
    try:
        yield place
        with disk_errors(path):
            os.chmod(place, 0o777 & ~_umask())
            os.replace(place, path)
            _sync_folder(path.parent)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def remove_parts(folder: str | Path) -> None:
    """Remove what a process that was killed in `write_atomic` left in a folder; no other may be writing there."""
    for path in Path(folder).glob(f".*{PART}"):
        with contextlib.suppress(OSError):
            path.unlink()


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json_atomic(path: str | Path, value: Any) -> None:
    """Write a value as indented JSON, atomically; NaN and infinity are refused."""
    write_atomic(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def read_json(path: str | Path, what: str = "JSON file") -> Any:
    """Read a JSON file that a user names.

    Raises
    ------
    RunError
        The file is absent, is not text, or is not JSON.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunError(f"{path}: there is no such {what}; check the path") from error
    except IsADirectoryError as error:
        raise RunError(
            f"{path}: found a folder where a {what} was needed; name the file"
        ) from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RunError(
            f"{path}: found something that is not JSON ({error}) where a {what} was needed; "
            "write it anew or name another file"
        ) from error


def canonical_json(value: Any) -> str:
    """Give the one JSON text of a value: sorted keys, no spaces, so that equal values hash equally."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def sha256_of_bytes(content: bytes) -> str:
    """Give the SHA-256 of some bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def short_hash(value: Any) -> str:
    """Give 16 hexadecimal digits that identify a JSON value."""
    return sha256_of_bytes(canonical_json(value).encode())[:16]


class _StrictSafeLoader(yaml.SafeLoader):
    """Safe YAML in which a key that stands twice is an error, not the loss of the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = key_node.value
            if isinstance(key_node, yaml.ScalarNode) and key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f'the key "{key}" stands twice', key_node.start_mark
                )
            seen.add(str(key))
        return super().construct_mapping(node, deep)


def read_yaml(path: str | Path, what: str, kind: type[InputError] = InputError) -> dict[str, Any]:
    """Read a YAML file of keys and values that a user names; a key that stands twice is refused.

    Parameters
    ----------
    path : path
    what : str
        What the file should be, for the message: "corpus file".
    kind : type of InputError
        What is raised.

    Raises
    ------
    kind
        The file is absent, is not text, not YAML, or holds no keys and values.
    """
    path = Path(path)
    try:
        value = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=_StrictSafeLoader)
    except FileNotFoundError as error:
        raise kind(f"{path}: there is no such {what}; check the path") from error
    except IsADirectoryError as error:
        raise kind(f"{path}: found a folder where a {what} was needed; name the file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise kind(f"{path}: this {what} cannot be read ({error}); name a text file") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "found a character that cannot stand there"
        raise kind(f"{path}{line}: this is not valid YAML: {problem}; correct it") from error
    if not isinstance(value, dict):
        found = "nothing" if value is None else f"a {type(value).__name__}"
        raise kind(
            f"{path}: found {found} where the keys and values of a {what} were needed; write them"
        )
    return value
