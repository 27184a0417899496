"""Opening and hashing of input files, and tables read from them."""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descriptors.errors import InputError
from descriptors.rows import integers, read_rows
from descriptors.sources import Source, open_text, sha256_of

TEXT = "chrI\t1\t2\nchrII\t3\t4\n"


def bgzip(data: bytes, block: int = 8, ended: bool = True) -> bytes:
    """Pack as bgzip does: many small gzip members with a BC field, then an empty one."""
    packed = b""
    pieces = [data[at : at + block] for at in range(0, len(data), block)] + ([b""] if ended else [])
    for piece in pieces:
        machine = zlib.compressobj(6, zlib.DEFLATED, -15)
        body = machine.compress(piece) + machine.flush()
        size = len(body) + 25
        packed += bytes.fromhex("1f8b08040000000000ff060042430200") + struct.pack("<H", size)
        packed += body + struct.pack("<II", zlib.crc32(piece), len(piece))
    return packed


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


def test_a_bgzip_file_without_its_end_marker_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "peaks.bed.gz"
    path.write_bytes(bgzip(TEXT.encode(), ended=False))
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


def test_headers_comments_and_blank_lines_keep_the_line_numbers_right(tmp_path: Path) -> None:
    path = tmp_path / "peaks.bed"
    path.write_text("browser position\ntrack name=x\n\n#c\nchrI\t1\t2\n\n# c\td\te\nchrI\t3\t4\n")
    rows = pd.concat(read_rows(path, range(3), 3, "3 columns", block_bytes=20))
    assert rows.index.tolist() == [5, 8]


def test_what_follows_the_sequences_of_a_gff3_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "genes.gff3"
    path.write_text("chrI\t1\t2\n##FASTA\n>chrI\nACGT\n")
    assert len(pd.concat(read_rows(path, range(3), 3, "3 columns"))) == 1


def test_a_row_with_too_few_columns_is_named(tmp_path: Path) -> None:
    path = tmp_path / "peaks.bed"
    path.write_text("chrI\t1\t2\nchrI 3 4\n")
    with pytest.raises(InputError, match=r"peaks\.bed:2: found 1 column where 3 columns"):
        list(read_rows(path, range(3), 3, "3 columns", spaces=True))
    path.write_text("chrI\n")
    with pytest.raises(InputError, match=r"peaks\.bed:1: found 1 column where"):
        list(read_rows(path, range(3), 3, "3 columns"))


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@given(
    lines=st.lists(st.sampled_from(["chrI\t1\t2", "# c", "", "chrI\t3\t4\tx\ty"])),
    size=st.integers(1, 60),
)
def test_the_size_of_blocks_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, ends: str, lines: list[str], size: int
) -> None:
    path = tmp_path_factory.mktemp("rows") / "peaks.bed"
    path.write_bytes(ends.join([*lines, "chrI\t5\t6", ""]).encode())
    found = pd.concat(read_rows(path, range(3), 3, "3 columns", block_bytes=size))
    expected = [
        (number, *line.split("\t")[:3])
        for number, line in enumerate([*lines, "chrI\t5\t6"], start=1)
        if line.startswith("chr")
    ]
    assert list(found.itertuples(name=None)) == expected


@given(st.lists(st.integers(0, 10**12), min_size=1), st.data())
def test_whole_numbers_are_read_exactly_however_they_are_written(
    numbers: list[int], data: st.DataObject
) -> None:
    texts = [
        data.draw(st.sampled_from([str(n), f"{n}.0", f"{n}e0", f"{n}0e-1", f"+{n}"]))
        for n in numbers
    ]
    assert integers(pd.Series(texts, dtype=object), "f", "start").tolist() == numbers


def test_scientific_notation_of_r_is_read_exactly() -> None:
    assert integers(pd.Series(["1.86e+08", "7"], dtype=object), "f", "start").tolist() == [
        186000000,
        7,
    ]


@pytest.mark.parametrize(
    "value", ["1.5", "", "nan", "NA", "1_000", "x", "1e-3", "inf", "0x10", "1 2", "１２", "True"]
)
def test_what_is_no_whole_number_is_refused_with_its_line(value: str) -> None:
    text = pd.Series(["3", value], index=[4, 9], dtype=object)
    with pytest.raises(InputError, match=r"peaks\.bed:9: found .* as start where a whole number"):
        integers(text, "peaks.bed", "start")


@pytest.mark.parametrize("value", ["9999999999999", "99999999999999999999999", "1e300", "1e18"])
def test_a_number_larger_than_any_chromosome_is_refused(value: str) -> None:
    with pytest.raises(InputError, match="larger than any chromosome"):
        integers(pd.Series(["3", value], dtype=object), "f", "start")


def test_a_row_of_column_names_is_refused_with_advice() -> None:
    with pytest.raises(InputError, match="remove the row of column names"):
        integers(pd.Series(["start", "3"], dtype=object), "f", "start")
