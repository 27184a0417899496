"""Input files: opened whatever their packing, hashed, and remembered as sources."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

from descriptors.errors import InputError

__all__ = ["Source", "is_packed", "open_binary", "open_text", "sha256_of"]

_GZIP_MAGIC = b"\x1f\x8b"
# The empty block with which every whole bgzip file ends (SAM specification, section 4.1.2).
_BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Source:
    """Where some values came from: a file, what it held and what was left out of it."""

    name: str  # file name without its folder
    sha256: str  # of the file's bytes as they lie on disk
    rows: int  # rows that were used
    left_out: Mapping[str, int] = field(default_factory=dict)  # reason -> rows

    def to_dict(self) -> dict[str, Any]:
        """Give the source as plain JSON values; reasons that met no row are not named."""
        left_out = {reason: int(count) for reason, count in self.left_out.items() if count}
        return {
            "name": self.name,
            "sha256": self.sha256,
            "rows": int(self.rows),
            "left_out": dict(sorted(left_out.items())),
        }


def sha256_of(path: str | Path) -> str:
    """Give the SHA-256 of a file's bytes in hexadecimal.

    Raises
    ------
    InputError
        The file is absent, a folder, or cannot be read.
    """
    digest = hashlib.sha256()
    with _opened(Path(path)) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        stream = open(path, "rb")  # noqa: SIM115 (closed below; only the opening is guarded here)
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file; check the path") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: found a folder, a file was needed; name the file") from error
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path}: the file cannot be opened ({reason}); check it") from error
    with stream:
        yield stream


def is_packed(path: str | Path) -> bool:
    """Whether a file is gzip or bgzip by its first bytes, whatever its name."""
    with _opened(Path(path)) as stream:
        return stream.read(2) == _GZIP_MAGIC


def _is_cut_bgzip(stream: BinaryIO, head: bytes) -> bool:
    if len(head) < 18 or not head[3] & 4 or head[12:14] != b"BC":
        return False
    # A file may be cut so short that it has no such end at all.
    stream.seek(max(stream.seek(0, io.SEEK_END) - len(_BGZIP_END), 0))
    tail = stream.read()
    stream.seek(0)
    return tail != _BGZIP_END


@contextlib.contextmanager
def open_binary(path: str | Path) -> Iterator[BinaryIO]:
    """Open a plain, gzip or bgzip file as a stream of its unpacked bytes, without byte-order mark.

    What breaks while the stream is read inside the `with` block (a truncated or damaged archive)
    becomes an InputError.

    Raises
    ------
    InputError
        The file is absent, empty, a folder, cannot be read, is truncated, or is not text.
    """
    path = Path(path)
    with _opened(path) as raw:
        head = raw.read(18)
        raw.seek(0)
        if not head:
            raise InputError(f"{path}: the file is empty; name a file with content")
        packed = head.startswith(_GZIP_MAGIC)
        if packed and _is_cut_bgzip(raw, head):
            raise InputError(
                f"{path}: the bgzip file is truncated (it ends without its end marker); "
                "fetch it again"
            )
        stream = io.BufferedReader(
            cast(io.RawIOBase, gzip.GzipFile(fileobj=raw) if packed else raw), 1 << 16
        )
        try:
            start = stream.peek(4096)[:4096]
            if not start:
                raise InputError(
                    f"{path}: the file is empty once unpacked; name a file with content"
                )
            if b"\x00" in start:
                raise InputError(
                    f"{path}: found binary content where text was needed; "
                    "export the file as plain text (UTF-8) and name that"
                )
            if start.startswith(_BYTE_ORDER_MARK):
                stream.read(len(_BYTE_ORDER_MARK))
            yield cast(BinaryIO, stream)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(
                f"{path}: the gzip file is truncated or damaged ({error}); fetch it again"
            ) from error
        finally:
            stream.detach()


@contextlib.contextmanager
def open_text(path: str | Path) -> Iterator[TextIO]:
    """Open a plain, gzip or bgzip text file; line ends LF, CRLF and CR all read as LF.

    Raises
    ------
    InputError
        As `open_binary` does.
    """
    with open_binary(path) as stream:
        # Some names in annotation files are not UTF-8; nothing that is computed depends on them.
        text = io.TextIOWrapper(stream, encoding="utf-8", errors="replace", newline=None)
        try:
            yield text
        finally:
            text.detach()
