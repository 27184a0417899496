"""Rows of GTF and GFF3 files as arrays: what kind each is, where it lies, whose part it is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from descriptors.errors import InputError
from descriptors.rows import integers, read_rows

__all__ = ["CODING", "EXON", "GENE", "PARSER_REVISION", "UTR", "AnnotationRows", "parse_rows"]

# Raised whenever the same file would give other rows: remembered rows of old are then not used.
PARSER_REVISION = 1

GENE, EXON, CODING, UTR = range(4)
# Column 3 of the files of GENCODE, Ensembl, RefSeq, UCSC, SGD and TAIR, in lower case; every type
# that ends with "_gene" (ncRNA_gene, tRNA_gene, transposable_element_gene) is a gene too.
_KINDS = {
    **dict.fromkeys(("gene", "pseudogene"), GENE),
    **dict.fromkeys(("exon", "noncoding_exon", "pseudogenic_exon"), EXON),
    **dict.fromkeys(("cds", "stop_codon"), CODING),
    **dict.fromkeys(("utr", "5utr", "3utr", "5'utr", "3'utr"), UTR),
    **dict.fromkeys(("five_prime_utr", "three_prime_utr"), UTR),
}
_UNUSED = 255
_NEEDED = "9 columns (sequence, source, type, start, end, score, strand, phase, attributes)"
# GTF: transcript_id "ENST1"; GFF3: Parent=transcript:ENST1 or, of several, Parent=a,b.
_TRANSCRIPT = re.compile(r'(?:(?<![a-z_])transcript_id[ =]"?|(?:^|;)\s*Parent=)([^";]+)').search


@dataclass(frozen=True)
class AnnotationRows:
    """The rows of types that are used, and which transcripts they are parts of.

    A row that names several transcripts is a part of each; one that names none is a part of a
    transcript of its own. Exons of one name on two chromosomes (as in the pseudoautosomal regions)
    or strands (as in trans-splicing) belong to two transcripts.
    """

    names: tuple[str, ...]  # of chromosomes
    chromosome: np.ndarray  # shape (rows,): index into `names`
    start: np.ndarray  # int64, shape (rows,): counted from 0
    end: np.ndarray  # int64, shape (rows,): half open
    kind: np.ndarray  # uint8, shape (rows,): GENE, EXON, CODING or UTR
    line: np.ndarray  # int64, shape (rows,): counted from 1, in ascending order
    part: np.ndarray  # int64, shape (parts,): index of a row that is part of a transcript
    owner: (
        np.ndarray
    )  # int64, shape (parts,): its transcript; parts are sorted by owner, start, end
    nameless: np.ndarray  # bool, shape (rows,): exons that name no transcript
    unused: int  # rows of other types

    def __len__(self) -> int:
        return len(self.start)

    def where(self, kept: np.ndarray) -> AnnotationRows:
        """Keep some rows (bool, shape (rows,)) and their parts."""
        if kept.all():
            return self
        parts = kept[self.part]
        columns = ("chromosome", "start", "end", "kind", "line", "nameless")
        chosen = {name: getattr(self, name)[kept] for name in columns}
        index = np.cumsum(kept) - 1
        return replace(self, part=index[self.part[parts]], owner=self.owner[parts], **chosen)


def parse_rows(path: Path) -> AnnotationRows:
    """Read a GTF or GFF3 file, plain, gzip or bgzip.

    Raises
    ------
    InputError
        The file is missing, empty or damaged, has no rows, or a row is wrong (names its line).
    """
    chromosomes, transcripts = _Numbers(), _Numbers()
    blocks, unused = [], 0
    used_columns = (0, 2, 3, 4, 6, 8)
    for text in read_rows(path, used_columns, 9, _NEEDED, numbers=(3, 4), labels=(0, 2, 6)):
        kinds = _kinds_of(text[2])
        used = kinds != _UNUSED
        unused += int((~used).sum())
        blocks.append(_block(text[used], kinds[used], path, chromosomes, transcripts))
    if not blocks:
        raise InputError(f"{path}: found no rows beside comments; name a GTF or GFF3 file")
    first_rows = np.cumsum([0] + [len(rows["start"]) for rows, _ in blocks])
    rows = {name: np.concatenate([rows[name] for rows, _ in blocks]) for name in blocks[0][0]}
    part = np.concatenate([at + own[0] for at, (_, own) in zip(first_rows, blocks, strict=False)])
    named = np.concatenate([own[1] for _, own in blocks])
    # Exons of one name are one transcript only where they share a chromosome and a strand.
    places = 3 * len(chromosomes) * named + 3 * rows["chromosome"][part] + rows.pop("strand")[part]
    alone = named < 0
    places[alone] = -1 - part[alone]
    owner, _ = pd.factorize(places)
    order = np.lexsort((rows["end"][part], rows["start"][part], owner))
    rows["nameless"] = np.zeros(len(rows["start"]), dtype=bool)
    rows["nameless"][part[alone]] = rows["kind"][part[alone]] == EXON
    return AnnotationRows(
        names=tuple(chromosomes), part=part[order], owner=owner[order], unused=unused, **rows
    )


class _Numbers(dict[str, int]):
    """Numbers names in the order in which they first come."""

    def of(self, names: Iterable[str]) -> np.ndarray:
        return np.array([self.setdefault(name, len(self)) for name in names], dtype=np.int64)


def _kinds_of(types: pd.Series) -> np.ndarray:
    codes, names = pd.factorize(types)
    lower = [str(name).lower() for name in names]
    kinds = [GENE if name.endswith("_gene") else _KINDS.get(name, _UNUSED) for name in lower]
    return np.array(kinds, dtype=np.uint8)[codes]


def _block(
    text: pd.DataFrame, kind: np.ndarray, path: Path, chromosomes: _Numbers, transcripts: _Numbers
) -> tuple[dict[str, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Give the columns of a block's rows, and its parts: rows and their transcripts' numbers."""
    start, end = integers(text[3], path, "start"), integers(text[4], path, "end")
    for wrong, found, needed in (
        (start < 1, "below 1", "the first base of a chromosome"),
        (end < start, "after its end", "which is the last base"),
    ):
        if wrong.any():
            at = int(np.argmax(wrong))
            raise InputError(
                f"{path}:{text.index[at]}: the start {start[at]} is {found}, {needed}; "
                "correct the row or remove it"
            )
    codes, names = pd.factorize(text[0])
    strands = text[6].to_numpy(dtype=object)
    rows = {
        "chromosome": chromosomes.of(map(str, names))[codes],
        "start": start - 1,
        "end": end,
        "kind": kind,
        "line": text.index.to_numpy(dtype=np.int64),
        "strand": (strands == "+") + 2 * (strands == "-").astype(np.int64),
    }
    return rows, _parts(text[8].to_numpy(dtype=object), kind, transcripts)


def _parts(
    attributes: np.ndarray, kind: np.ndarray, transcripts: _Numbers
) -> tuple[np.ndarray, np.ndarray]:
    """Give the rows that are parts of transcripts, and the numbers of these; -1 for no name."""
    row = np.flatnonzero(kind != GENE)
    found = [_TRANSCRIPT(text) for text in attributes[row]]
    owners = [match[1].strip() if match else "" for match in found]
    if any("," in owner for owner in owners):
        several = [[own.strip() for own in owner.split(",") if own.strip()] for owner in owners]
        several = [names or [""] for names in several]
        row = np.repeat(row, [len(names) for names in several])
        owners = [name for names in several for name in names]
    codes, names = pd.factorize(np.array(owners, dtype=object))
    numbers = transcripts.of(names)
    numbers[names == ""] = -1
    return row, numbers[codes]
