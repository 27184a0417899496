"""Genes, exons, UTRs and splice sites from GTF or GFF3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from descriptors.annotation_cache import remembered_rows
from descriptors.annotation_features import FEATURES, Intervals, features_of
from descriptors.annotation_rows import EXON, AnnotationRows
from descriptors.errors import InputError
from descriptors.genome import NOT_ASKED, NOT_IN_GENOME, Genome, check_chromosomes, respell
from descriptors.nearest import distances_to_nearest
from descriptors.sources import Source

__all__ = ["FEATURES", "Annotation", "distances_to_nearest", "read_annotation"]

OTHER_TYPE = "of a type that is not used"


@dataclass(frozen=True)
class Annotation:
    """Features of a genome: for each name in `FEATURES` a table chromosome, start, end.

    Positions are int64, counted from 0 and half open; rows are unique and sorted. A splice site is
    one base long: the outermost base of an exon on the side of an intron.
    """

    features: Mapping[str, pd.DataFrame]
    source: Source
    origins: Mapping[str, str] = field(default_factory=dict)  # feature -> what it was made of


def read_annotation(
    path: str | Path,
    genome: Genome | None = None,
    chromosomes: Sequence[str] | None = None,
    rename_chromosomes: str | None = None,
) -> Annotation:
    """Read a GTF or GFF3 file.

    Splice sites are the inner exon boundaries of transcripts. UTRs come from the file's own rows
    or, where it has none on the chromosomes asked for, from the exons of coding transcripts minus
    their coding parts. Genes likewise come from gene rows, else from the spans of transcripts'
    exons. A coding transcript that lists no exons (as in SGD's GFF3) has its coding parts and UTRs
    for exons. A large file is parsed once and remembered (see `annotation_cache`).

    Parameters
    ----------
    path : path
        Plain, gzip or bgzip.
    genome : Genome, optional
        Checks the names of chromosomes.
    chromosomes : sequence of str, optional
        The only chromosomes to keep, spelled as the genome does.
    rename_chromosomes : "strip-chr" or "add-chr", optional
        Respells names that the genome does not have.

    Raises
    ------
    InputError
        The file is missing, empty or damaged; a row is wrong (names its line); it has no exons; no
        row lies on the genome, or one begins past the end of its chromosome.
    """
    path = Path(path)
    rows, digest = remembered_rows(path)
    left_out = {OTHER_TYPE: rows.unused}
    if not (rows.kind == EXON).any():
        raise InputError(
            f'{path}: found no row of the type "exon", which distances need; '
            "name a GTF or GFF3 file that lists exons"
        )
    if genome is not None:
        rows = _on_genome(rows, genome, path, rename_chromosomes, left_out)
    if chromosomes is not None:
        asked = np.isin(np.array(rows.names, dtype=object), list(chromosomes))
        rows = _keep(rows, asked, NOT_ASKED, left_out)
    features, origins = features_of(rows)
    tables = {name: _table(features[name], rows.names) for name in FEATURES}
    return Annotation(tables, Source(path.name, digest, len(rows), left_out), origins)


def _on_genome(
    rows: AnnotationRows,
    genome: Genome,
    path: Path,
    rename_chromosomes: str | None,
    left_out: dict[str, int],
) -> AnnotationRows:
    names = tuple(respell(name, rename_chromosomes, genome.sizes) for name in rows.names)
    rows = replace(rows, names=names)
    counts = np.bincount(rows.chromosome, minlength=len(names))
    check_chromosomes(
        pd.Series(names, dtype=object).repeat(counts.tolist()), genome, str(path), "features"
    )
    known = np.array([name in genome.sizes for name in names], dtype=bool)
    rows = _keep(rows, known, NOT_IN_GENOME, left_out)
    sizes = np.array([genome.sizes.get(name, 0) for name in names], dtype=np.int64)[rows.chromosome]
    # A feature of a circular chromosome may end past its end, but none begins there.
    past = rows.start >= sizes
    if past.any():
        at = int(np.argmax(past))
        raise InputError(
            f"{path}:{rows.line[at]}: a feature begins at {rows.start[at] + 1}, past the end of "
            f"{names[rows.chromosome[at]]} in {genome.name} ({sizes[at]} bp), as do "
            f"{int(past.sum()):,} of {len(rows):,}; the file looks like one of another assembly, "
            "name that of the genome"
        )
    return rows


def _keep(
    rows: AnnotationRows, chromosomes: np.ndarray, reason: str, left_out: dict[str, int]
) -> AnnotationRows:
    kept = chromosomes[rows.chromosome]
    left_out[reason] = int((~kept).sum())
    return rows.where(kept)


def _table(intervals: Intervals, names: Sequence[str]) -> pd.DataFrame:
    """Give intervals once each, sorted by the names of their chromosomes, start and end."""
    present = np.bincount(intervals.chromosome, minlength=len(names)) > 0
    ordered = sorted({name for name, has in zip(names, present, strict=True) if has})
    rank = {name: at for at, name in enumerate(ordered)}
    code = np.array([rank.get(name, -1) for name in names], np.int64)[intervals.chromosome]
    start, end = intervals.start, intervals.end
    order = np.lexsort((end, start, code))
    code, start, end = code[order], start[order], end[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(code) != 0) | (np.diff(start) != 0) | (np.diff(end) != 0)
    return pd.DataFrame(
        {
            "chromosome": pd.Categorical.from_codes(code[new], categories=pd.Index(ordered)),
            "start": start[new],
            "end": end[new],
        }
    )
