"""Slow readers, row by row, that say what a file holds; and what must hold for the fast ones."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np

from descriptors.annotation import read_annotation
from descriptors.errors import InputError
from descriptors.genome import Genome
from descriptors.homer import read_motifs
from descriptors.peaks import read_peaks
from descriptors.proteins import read_domains

LARGEST = 10**12
# The empty block with which every whole bgzip file ends (SAM specification, section 4.1.2).
BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
NUMBER = re.compile(r"\s*[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?\s*")
EXON_TYPES = ("exon", "noncoding_exon", "pseudogenic_exon")
PART_TYPES = ("cds", "stop_codon", "utr", "5utr", "3utr", "5'utr", "3'utr")
PART_TYPES += ("five_prime_utr", "three_prime_utr")
CODES = {**{"A": 0, "C": 1, "G": 2, "T": 3, "U": 3}, **dict.fromkeys("NRYSWKMBDHVX.-", 4)}


class Refused(Exception):
    """A file is wrong."""


def content_of(packed: bytes) -> str:
    """Give a file's text without packing and byte-order mark."""
    is_bgzip = packed[:2] == b"\x1f\x8b" and packed[12:14] == b"BC"
    if not packed or (is_bgzip and not packed.endswith(BGZIP_END)):
        raise Refused
    try:
        data = gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed
    except (OSError, EOFError, zlib.error) as error:
        raise Refused from error
    if not data or b"\x00" in data:
        raise Refused
    return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")


def data_lines(packed: bytes) -> list[str]:
    """Give the lines of a table that are rows."""
    lines = []
    for line in re.split("\r\n|\n|\r", content_of(packed)):
        if line.split("\t")[0] == "##FASTA":
            break
        if line.strip() and not re.match(r"(?:track|browser)(?:\s|$)|#", line):
            lines.append(line)
    return lines


def whole(text: str) -> int:
    """Read a whole number."""
    if not NUMBER.fullmatch(text) or abs(number := Decimal(text.strip())) > LARGEST:
        raise Refused
    if number != number.to_integral_value():
        raise Refused
    return int(number)


def is_number(text: str) -> bool:
    """Whether a text is a number for a program."""
    try:
        value = float(text.replace("_", "x"))
    except ValueError:
        return False
    return text.isascii() and value == value


Place = tuple[str, int, int]
Stranded = tuple[str, int, int, str]


def plain_bed(path: Path) -> list[tuple[Stranded, int]]:
    """Read a BED-like file: (chromosome, start, end, strand) and summit of each row."""
    lines = data_lines(path.read_bytes())
    is_named = "narrowpeak" in path.name.lower()
    if not lines:
        raise Refused
    by_spaces = "\t" not in lines[0]
    rows = [
        re.split("[ \t]+", line.strip(" \t")) if by_spaces else line.split("\t") for line in lines
    ]
    width = len(rows[0])
    narrow = []
    found = []
    for row in rows:
        row += [""] * (11 - len(row))
        if not row[0].strip() or row[2] == "" or any(row[c] for c in range(width, 11) if c != 3):
            raise Refused
        start, end = whole(row[1]), whole(row[2])
        if not 0 <= start < end:
            raise Refused
        if width >= 10:
            is_narrow = row[10] == "" if width > 10 else all(map(is_number, row[6:10]))
            narrow.append(is_named or is_narrow)
        summit = start + (end - start) // 2
        if width >= 10 and narrow[-1] and (offset := whole(row[9])) != -1:
            if not 0 <= offset < end - start:
                raise Refused
            summit = start + offset
        strand = row[5] if width > 5 and row[5] in "+-" and row[5] else "."
        found.append(((row[0].strip(), start, end, strand), summit))
    if len(set(narrow)) > 1:
        raise Refused
    return found


def check_bed(path: Path) -> bool:
    """See to it that peaks are read as the plain reader does; give whether they were."""
    try:
        expected = plain_bed(path)
    except Refused:
        expected = []
    try:
        peaks = read_peaks(path)
    except InputError as error:
        if expected:
            raise AssertionError(f"a file of {len(expected)} good rows was refused") from error
        check_sentence(error, path)
        return False
    assert expected, "a wrong file was read"
    table = peaks.table
    assert peaks.source.rows == len(table)
    assert len(table) + sum(peaks.source.left_out.values()) == len(expected)
    columns = table[["chromosome", "start", "end", "strand"]]
    places = list(columns.itertuples(index=False, name=None))
    assert places == sorted({place for place, _ in expected})
    assert set(zip(places, table["summit"], strict=True)) <= set(expected)
    return True


def check_annotation(path: Path) -> bool:
    """See to it that an annotation's rows are all there or counted; give whether it was read."""
    try:
        annotation = read_annotation(path)
    except InputError as error:
        check_sentence(error, path)
        return False
    rows = [line.split("\t") for line in data_lines(path.read_bytes())]
    assert annotation.source.rows + sum(annotation.source.left_out.values()) == len(rows)
    places: dict[str, set[Place]] = {"exon": set(), "": set()}
    for row in rows:
        kind = "exon" if row[2].lower() in EXON_TYPES else ""
        if kind or row[2].lower() in PART_TYPES:
            places[kind].add((row[0], whole(row[3]) - 1, whole(row[4])))
    table = annotation.features["exon"]
    found = list(table[["chromosome", "start", "end"]].itertuples(index=False, name=None))
    assert len(set(found)) == len(found)
    assert set(found) >= places["exon"]
    # A coding transcript that lists no exons has its coding parts and UTRs, joined, for exons.
    for name, start, end in set(found) - places["exon"]:
        assert any((name, start) == part[:2] for part in places[""])
        assert any((name, end) == (part[0], part[2]) for part in places[""])
    for table in annotation.features.values():
        assert (table["start"] >= 0).all()
        assert (table["end"] > table["start"]).all()
    return True


def check_motifs(path: Path) -> bool:
    """See to it that every motif of a file is read, with its rows; give whether it was read."""
    try:
        motifs = read_motifs(path)
    except InputError as error:
        check_sentence(error, path)
        return False
    lines = re.split("\r\n|\n|\r", content_of(path.read_bytes()))
    headers = [line.strip() for line in lines if line.strip().startswith(">")]
    rows = [line for line in lines if line.strip() and not line.strip().startswith(">")]
    assert [motif.consensus for motif in motifs] == [line[1:].split("\t")[0] for line in headers]
    matrix = np.concatenate([motif.probabilities for motif in motifs])
    assert matrix.tolist() == [[float(value) for value in line.split()] for line in rows]
    return True


def check_genome(path: Path) -> bool:
    """See to it that a genome's bases are those of the plain reader; give whether it was read."""
    try:
        genome = Genome.open(path)
        codes = {name: genome.codes(name).tolist() for name in genome.sizes}
    except InputError as error:
        check_sentence(error, path)
        return False
    expected: dict[str, list[int]] = {}
    for line in re.split("\r\n|\n|\r", content_of(path.read_bytes())):
        if line.startswith(">"):
            expected[line[1:].split()[0]] = last = []
        elif line.strip():
            last += [CODES[letter] for letter in line.upper() if letter not in " \t\v\f"]
    assert codes == expected
    assert {name: len(bases) for name, bases in expected.items()} == genome.sizes
    return True


def check_domains(path: Path) -> bool:
    """See to it that every factor of a table is known; give whether it was read."""
    try:
        domains, source = read_domains(path)
    except InputError as error:
        check_sentence(error, path)
        return False
    rows = [line.split("\t") for line in data_lines(path.read_bytes())]
    at = 0
    if not re.fullmatch("IPR[0-9]+", rows[0][1].strip().upper()):
        at = [name.strip().lower() for name in rows.pop(0)].index("factor")
    assert source.rows + sum(source.left_out.values()) == len(rows)
    assert set(domains) == {(row + [""] * 64)[at].strip().upper() for row in rows}
    some = next(iter(domains), "")
    assert read_domains(path, some)[0] == {name: domains[name] for name in domains if name == some}
    return True


def check_sentence(error: InputError, path: Path) -> None:
    """See to it that an error names the file and is one line."""
    said = str(error)
    assert path.name in said
    assert "\n" not in said
    assert "\r" not in said


CHECKS: dict[str, Callable[[Path], bool]] = {
    "BED": check_bed,
    "narrowPeak": check_bed,
    "GTF": check_annotation,
    "GFF3": check_annotation,
    "HOMER": check_motifs,
    "FASTA": check_genome,
    "InterPro": check_domains,
}
