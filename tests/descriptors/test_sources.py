"""Opening and hashing of input files."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pandas as pd
import pytest
from file_strategies import bgzip

from descriptors.errors import InputError
from descriptors.rows import read_rows
from descriptors.sources import Source, open_text, sha256_of

TEXT = "chrI\t1\t2\nchrII\t3\t4\n"


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        b"\xef\xbb\xbf" + TEXT.encode(),
        gzip.compress(TEXT.encode()),
        gzip.compress(b"\xef\xbb\xbf" + TEXT.encode()),
        bgzip(TEXT.encode()),
    ],
    ids=["LF", "CRLF", "CR", "byte-order mark", "gzip", "gzip with mark", "bgzip"],
)
def test_the_same_text_comes_out_of_every_packing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "peaks.bed"
    path.write_bytes(content)
    with open_text(path) as text:
        assert text.read() == TEXT
    rows = pd.concat(read_rows(path, range(3), 3, "3 columns"))
    assert rows.to_numpy().tolist() == [["chrI", "1", "2"], ["chrII", "3", "4"]]
    assert rows.index.tolist() == [1, 2]


@pytest.mark.parametrize("cut", [1, 5, 9, 30])
def test_a_truncated_gzip_file_is_an_input_error(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "peaks.bed.gz"
    path.write_bytes(
        gzip.compress("".join(f"chrI\t{i}\t{i + 9}\n" for i in range(999)).encode())[:-cut]
    )
    with pytest.raises(InputError, match="truncated or damaged"), open_text(path) as text:
        text.read()
    with pytest.raises(InputError, match="truncated or damaged"):
        list(read_rows(path, range(3), 3, "3 columns"))


@pytest.mark.parametrize("content", [bgzip(TEXT.encode())[:-28], bgzip(TEXT.encode())[:20]])
def test_a_bgzip_file_without_its_end_marker_is_an_input_error(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "peaks.bed.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match="bgzip file is truncated"), open_text(path) as text:
        text.read()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty; "),
        (gzip.compress(b"", mtime=0), "empty once unpacked"),
        (b"\x89HDF\x00\x00\x00", "binary content"),
        (TEXT.encode("utf-16"), "binary content"),
        (b"\x1f\x8b\x08\x00nonsense" + bytes(range(40)), "truncated or damaged"),
    ],
)
def test_a_file_that_is_no_text_is_an_input_error(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "peaks.bed"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message), open_text(path) as text:
        text.read()


def test_a_missing_file_and_a_folder_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"), open_text(tmp_path / "no.bed"):
        pass
    with pytest.raises(InputError, match="found a folder"):
        sha256_of(tmp_path)


def test_the_hash_is_of_the_bytes_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "peaks.bed.gz"
    path.write_bytes(gzip.compress(TEXT.encode(), mtime=0))
    assert sha256_of(path) == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_source_names_only_reasons_that_met_a_row() -> None:
    source = Source("peaks.bed", "00", 7, {"duplicate": 2, "excluded": 0})
    assert source.to_dict() == {
        "name": "peaks.bed",
        "sha256": "00",
        "rows": 7,
        "left_out": {"duplicate": 2},
    }
