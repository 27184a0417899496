"""Hypothesis strategies that make files: whole ones of each format, damaged ones, and any bytes."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

# What breaks readers: odd numbers, other scripts, control characters, quotes, headers in odd places.
ODD = [
    *("", " ", ".", "-", "+", "-1", "-0", "0", "+7", "007", " 7 ", "1e3", "1.86e+08", "2.50e1"),
    *("1.5", "1e-3", "1e400", "-1e400", "nan", "inf", "NA", "None", "True", "0x10", "1_000", "1,5"),
    *("9" * 12, "9" * 19, "9" * 40, str(2**63), str(2**64)),
    *("\uff11\uff12", "\u0663", "é", "\U0001d520", "\u2028", "\x85"),
    *("\ufeff", "\xa0", "\x0b", "\x0c", "\x1a", "\x1c", "\x7f", "\x01", '"', "'", 'a"b', "\\N"),
    *("#", "#a", "##FASTA", "track", "browser x", "trackless", ">", ">chr1", "chr1 ", "start"),
    *("T:1(2%)", "StrandBias:x", "gene_id", 'transcript_id "', "Parent=a,,b", "x" * 300),
]
ENDS = ["\n", "\r\n", "\r"]
CHROMOSOMES = ["chr1", "chr2", "chrX", "1", "chrUn_KI270302v1", "2-micron", "Mito", "chr é"]


def bgzip(data: bytes, block: int = 64) -> bytes:
    """Pack as bgzip does: many small gzip members with a BC field, then an empty one."""
    packed = b""
    for piece in [*(data[at : at + block] for at in range(0, len(data), block)), b""]:
        machine = zlib.compressobj(6, zlib.DEFLATED, -15)
        body = machine.compress(piece) + machine.flush()
        packed += bytes.fromhex("1f8b08040000000000ff060042430200")
        packed += struct.pack("<H", len(body) + 25) + body
        packed += struct.pack("<II", zlib.crc32(piece), len(piece))
    return packed


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def _with_mark(data: bytes) -> bytes:
    return b"\xef\xbb\xbf" + data


packings = st.sampled_from([bytes, bytes, _with_mark, _gzip, bgzip])


@st.composite
def whole_numbers(draw: st.DrawFn, value: int) -> str:
    """Write a number in one of the ways in which programs write it."""
    forms = [str(value)] * 6 + [f"{value}.0", f"{value}e0", f"{value}0e-1", f"+{value}"]
    return draw(st.sampled_from(forms))


@st.composite
def bed_lines(
    draw: st.DrawFn, kinds: Sequence[int | str] = (3, 4, 5, 6, 7, 8, 9, 12, "broad", "narrow")
) -> list[str]:
    """Draw the rows of a valid file: BED3 to BED9, BED12, narrowPeak or broadPeak."""
    kind = draw(st.sampled_from(kinds))
    separator = draw(st.sampled_from(["\t"] * 5 + [" ", "   "]))
    lines = []
    for _ in range(draw(st.integers(1, 7))):
        start, width = draw(st.integers(0, 10**9)), draw(st.integers(1, 3000))
        end = start + width
        name = draw(st.sampled_from(CHROMOSOMES if separator == "\t" else CHROMOSOMES[:5]))
        row = [name, draw(whole_numbers(start)), draw(whole_numbers(end))]
        row += [
            draw(st.sampled_from(["peak", ".", "1"])),
            str(draw(st.sampled_from([0, 5, 7.25]))),
        ]
        row += [draw(st.sampled_from("+-."))]
        if kind in ("narrow", "broad"):
            row += ["7.5", "-1", "3.25"]
            row += [str(draw(st.integers(-1, width - 1)))] if kind == "narrow" else []
        else:
            row += [str(start), str(end), "0,0,255", "1", f"{width},", "0,"]
            row = row[:kind]
        lines.append(separator.join(row))
    return lines


@st.composite
def annotation_lines(draw: st.DrawFn, is_gtf: bool) -> list[str]:
    """Draw the rows of a valid GTF or GFF3 file; at least one is an exon."""
    kinds = ["gene", "transcript", "exon", "CDS", "UTR", "five_prime_utr", "mRNA", "region"]
    lines = []
    for at in range(draw(st.integers(1, 8))):
        start = draw(st.integers(1, 10**6))
        owner = draw(st.sampled_from(["t1", "t2", "t,3" if is_gtf else "t1,t2"]))
        attributes = (
            f'gene_id "g"; transcript_id "{owner}";' if is_gtf else f"ID=e{at};Parent={owner}"
        )
        name = draw(st.sampled_from(CHROMOSOMES[:4]))
        kind = draw(st.sampled_from(kinds)) if at else "exon"
        row = [name, ".", kind, str(start), str(start + draw(st.integers(0, 900)))]
        lines.append("\t".join([*row, ".", draw(st.sampled_from("+-")), ".", attributes]))
    return lines


@st.composite
def motif_lines(draw: st.DrawFn) -> list[str]:
    """Draw the lines of a valid file of HOMER's motifs."""
    lines = []
    for at in range(draw(st.integers(1, 3))):
        log_p = -draw(st.floats(0, 900))
        header = [f">ACGT{at}", f"{at}-ACGT", f"{draw(st.floats(-9, 20)):.6f}", f"{log_p:.6f}", "0"]
        header += ["T:51.0(4.98%),B:22.3(0.05%),P:1e-80", "StrandBias:0.10,Multiplicity:1.02"]
        lines.append("\t".join(header))
        for _ in range(draw(st.integers(1, 9))):
            parts = draw(st.lists(st.integers(1, 50), min_size=4, max_size=4))
            lines.append("\t".join(f"{part / sum(parts):.3f}" for part in parts))
    return lines


@st.composite
def fasta_lines(draw: st.DrawFn) -> list[str]:
    """Draw the lines of a valid FASTA file, also with uneven and empty lines."""
    lines = []
    for at in range(draw(st.integers(1, 4))):
        lines.append(f">chr{at}" + draw(st.sampled_from(["", " note > x", "\tnote", "  "])))
        letters = st.text("ACGTUNRYSWKMBDHVacgtnry", max_size=12)
        lines += [draw(st.text("ACGTn", min_size=1, max_size=9)), *draw(st.lists(letters))]
    return lines


@st.composite
def domain_lines(draw: st.DrawFn) -> list[str]:
    """Draw the rows of a valid table of factors and their domains."""
    if draw(st.booleans()):  # InterPro's own form
        rows = st.tuples(st.sampled_from(["P49711", "Q16236"]), st.integers(1, 99999))
        drawn = draw(st.lists(rows, min_size=1, max_size=6))
        return [f"{name}\tIPR{number:06d}\tany text\tPF00096\t1\t9" for name, number in drawn]
    lines = ["factor\tinterpro"]
    for _ in range(draw(st.integers(1, 6))):
        accession = draw(st.sampled_from(["-", "IPR013087", "IPR004826;IPR000001", "IPR1, IPR2"]))
        lines.append(draw(st.sampled_from(["Reb1", "CTCF", "é"])) + "\t" + accession)
    return lines


@dataclass(frozen=True)
class Format:
    """One format of the files that are read."""

    lines: st.SearchStrategy[list[str]]  # of a valid file
    has_headers: bool  # whether comments and headers may stand between


FORMATS = {
    "BED": Format(bed_lines(), True),
    "narrowPeak": Format(bed_lines(kinds=("narrow",)), True),
    "GTF": Format(annotation_lines(is_gtf=True), True),
    "GFF3": Format(annotation_lines(is_gtf=False), True),
    "HOMER": Format(motif_lines(), False),
    "FASTA": Format(fasta_lines(), False),
    "InterPro": Format(domain_lines(), True),
}


@st.composite
def files_of(draw: st.DrawFn, lines: st.SearchStrategy[list[str]], headers: bool = True) -> bytes:
    """Join valid lines to a file: any line ends, headers between, with or without a last end."""
    rows = draw(lines)
    if headers:
        for at in draw(st.lists(st.integers(0, len(rows)), max_size=3)):
            extra = draw(
                st.sampled_from(["# comment\tx", "track name=x y", "browser x", "", " \t "])
            )
            rows.insert(min(at, len(rows)), extra)
    end = draw(st.sampled_from(ENDS))
    text = end.join(rows) + draw(st.sampled_from([end, end, ""]))
    return draw(packings)(text.encode())


@st.composite
def damaged_files_of(draw: st.DrawFn, lines: st.SearchStrategy[list[str]]) -> bytes:
    """Take a valid file and change columns, rows, line ends and bytes of it."""
    rows = [row.split("\t") for row in draw(lines)]
    for _ in range(draw(st.integers(1, 3))):
        row = draw(st.sampled_from(rows))
        at, other = draw(st.integers(0, len(row) - 1)), draw(st.integers(0, len(row) - 1))
        match draw(
            st.sampled_from(["odd", "odd", "odd", "swap", "less", "more", "again", "first"])
        ):
            case "odd":
                row[at] = draw(st.sampled_from(ODD) | st.text(max_size=4))
            case "swap":
                row[at], row[other] = row[other], row[at]
            case "less":
                del row[at:]
                row += [""] * (not row)
            case "more":
                row += draw(st.lists(st.sampled_from(ODD), min_size=1, max_size=9))
            case "again":
                rows.insert(draw(st.integers(0, len(rows))), list(row))
            case "first":
                rows.insert(0, [draw(st.sampled_from(ODD)) for _ in row])
    ends = draw(st.lists(st.sampled_from(ENDS), min_size=1, max_size=3))
    text = "".join("\t".join(row) + ends[at % len(ends)] for at, row in enumerate(rows))
    data = text.encode("utf-8", "surrogatepass")
    where = draw(st.integers(0, max(len(data) - 1, 0)))
    match draw(st.sampled_from(["whole", "whole", "whole", "cut", "insert", "replace"])):
        case "cut":
            data = data[:where]
        case "insert":
            data = data[:where] + draw(st.binary(min_size=1, max_size=4)) + data[where:]
        case "replace":
            data = data[:where] + draw(st.binary(min_size=1, max_size=1)) + data[where + 1 :]
    packed = draw(packings)(data)
    return packed[: len(packed) - draw(st.sampled_from([0] * 9 + [1, 9, 28]))]


@st.composite
def any_bytes(draw: st.DrawFn) -> bytes:
    """Draw bytes that have nothing to do with a format, or only its first bytes."""
    start = draw(
        st.sampled_from([b"", b"", b">", b"chr1\t1\t", b"\x1f\x8b\x08\x00", b"#", b"\xff\xfe"])
    )
    return start + draw(st.binary(max_size=120))
