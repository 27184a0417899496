"""Genes, exons, UTRs and splice sites from GTF or GFF3, and distances of peaks to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from descriptors.errors import InputError
from descriptors.genome import Genome, check_chromosomes, respell
from descriptors.rows import integers, read_rows
from descriptors.sources import Source, sha256_of

__all__ = ["FEATURES", "Annotation", "distances_to_nearest", "read_annotation"]

FEATURES = ("splice_site", "exon", "gene", "utr")

# Column 3 of the files of GENCODE, Ensembl, RefSeq, UCSC and SGD, in lower case.
_GENE_TYPES = frozenset({"gene", "ncrna_gene", "pseudogene"})
_TRANSCRIPT_TYPES = frozenset({"transcript", "mrna"})
_UTR_TYPES = frozenset(
    {"utr", "five_prime_utr", "three_prime_utr", "5utr", "3utr", "5'utr", "3'utr"}
)
_CODING_TYPES = frozenset({"cds", "stop_codon"})
_KINDS = {
    **dict.fromkeys(_GENE_TYPES, "gene"),
    **dict.fromkeys(_TRANSCRIPT_TYPES, "transcript"),
    **dict.fromkeys(_UTR_TYPES, "utr"),
    **dict.fromkeys(_CODING_TYPES, "coding"),
    "exon": "exon",
}
_NEEDED = "9 columns (sequence, source, type, start, end, score, strand, phase, attributes)"
# GTF: transcript_id "ENST1"; GFF3: Parent=transcript:ENST1 or, of several, Parent=a,b.
_TRANSCRIPT_ID = r'(?:(?<![a-z_])transcript_id[ =]"?|(?:^|;)\s*Parent=)([^";]+)'
_INTERVAL = ["chromosome", "start", "end"]
NOT_IN_GENOME = "on a chromosome that the genome does not have"
NOT_ASKED = "on a chromosome that was not asked for"
OTHER_TYPE = "of a type that is not used"


@dataclass(frozen=True)
class Annotation:
    """Features of a genome: for each name in `FEATURES` a table chromosome, start, end.

    Positions are int64, counted from 0 and half open; rows are unique and sorted. A splice site is
    one base long: the outermost base of an exon on the side of an intron.
    """

    features: Mapping[str, pd.DataFrame]
    source: Source


def read_annotation(
    path: str | Path,
    genome: Genome | None = None,
    chromosomes: Sequence[str] | None = None,
    rename_chromosomes: str | None = None,
) -> Annotation:
    """Read a GTF or GFF3 file.

    Splice sites are the inner exon boundaries of transcripts. UTRs come from the file's own rows
    or, where it has none on the chromosomes asked for, from the exons of coding transcripts minus
    their coding parts. Genes likewise come from gene rows, else transcript rows, else the spans of
    the exons of each transcript.

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
    parts = [_used_rows(text, path) for text in read_rows(path, (0, 2, 3, 4, 8), 9, _NEEDED)]
    if not parts:
        raise InputError(f"{path}: found no rows beside comments; name a GTF or GFF3 file")
    rows = pd.concat([part for part, _ in parts])
    left_out = {OTHER_TYPE: sum(other for _, other in parts)}
    if not (rows["kind"] == "exon").any():
        raise InputError(
            f'{path}: found no row of the type "exon", which distances need; '
            "name a GTF or GFF3 file that lists exons"
        )
    if genome is not None:
        rows = _on_genome(rows, genome, path, rename_chromosomes, left_out)
    if chromosomes is not None:
        rows = _keep(rows, rows["chromosome"].isin(list(chromosomes)), NOT_ASKED, left_out)
    kinds = {kind: rows[rows["kind"] == kind] for kind in set(_KINDS.values())}
    exons = kinds["exon"]
    utrs = kinds["utr"] if len(kinds["utr"]) else _untranslated(exons, kinds["coding"])
    genes = next((kinds[kind] for kind in ("gene", "transcript") if len(kinds[kind])), None)
    features = {
        "splice_site": _splice_sites(exons),
        "exon": exons,
        "gene": _spans(exons) if genes is None else genes,
        "utr": utrs,
    }
    return Annotation(
        {name: _unique(features[name]) for name in FEATURES},
        Source(path.name, sha256_of(path), len(rows), left_out),
    )


def _used_rows(text: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, int]:
    """Keep the rows of types that are used; also give how many were not."""
    codes, types = pd.factorize(text[2])
    kinds = np.array([_KINDS.get(str(name).lower(), "") for name in types], dtype=object)[codes]
    used = kinds != ""
    kept = text[used]
    start, end = integers(kept[3], path, "start"), integers(kept[4], path, "end")
    for wrong, found, needed in (
        (start < 1, "below 1", "the first base of a chromosome"),
        (end < start, "after its end", "which is the last base"),
    ):
        if wrong.any():
            at = int(np.argmax(wrong))
            raise InputError(
                f"{path}:{kept.index[at]}: the start {start[at]} is {found}, {needed}; "
                "correct the row or remove it"
            )
    kind = kinds[used]
    # Only exons and coding parts need to know their transcript, and only they are searched.
    owned = (kind == "exon") | (kind == "coding")
    transcript = np.full(len(kept), "", dtype=object)
    found = kept[8][owned].str.extract(_TRANSCRIPT_ID, expand=False)
    transcript[owned] = found.fillna("").to_numpy(dtype=object)
    columns = {
        "chromosome": kept[0].astype(object),
        "start": start - 1,
        "end": end,
        "kind": kind,
        "transcript": transcript,
    }
    return pd.DataFrame(columns, index=kept.index), int((~used).sum())


def _on_genome(
    rows: pd.DataFrame,
    genome: Genome,
    path: Path,
    rename_chromosomes: str | None,
    left_out: dict[str, int],
) -> pd.DataFrame:
    names = rows["chromosome"].unique()
    spelling = {name: respell(name, rename_chromosomes, genome.sizes) for name in names}
    rows = rows.assign(chromosome=rows["chromosome"].map(spelling))
    check_chromosomes(rows["chromosome"], genome, str(path), "features")
    rows = _keep(rows, rows["chromosome"].isin(genome.sizes), NOT_IN_GENOME, left_out)
    sizes = rows["chromosome"].map(genome.sizes).to_numpy(dtype=np.int64)
    # A feature of a circular chromosome may end past its end, but none begins there.
    past = rows["start"].to_numpy() >= sizes
    if past.any():
        at = int(np.argmax(past))
        row = rows.iloc[at]
        raise InputError(
            f"{path}:{rows.index[at]}: a feature begins at {row['start'] + 1}, past the end of "
            f"{row['chromosome']} in {genome.name} ({sizes[at]} bp), as do {int(past.sum()):,} of "
            f"{len(rows):,}; the file looks like one of another assembly, name that of the genome"
        )
    return rows


def _keep(
    rows: pd.DataFrame, kept: pd.Series, reason: str, left_out: dict[str, int]
) -> pd.DataFrame:
    left_out[reason] = int((~kept).sum())
    return rows[kept]


def _by_transcript(rows: pd.DataFrame) -> pd.DataFrame:
    """Give one row for each transcript that an exon belongs to (GFF3 may name several), sorted."""
    several = rows["transcript"].str.contains(",", regex=False)
    if several.any():
        rows = rows.assign(transcript=rows["transcript"].str.split(",")).explode("transcript")
    rows = rows[rows["transcript"] != ""]
    owner, _ = pd.factorize(rows["chromosome"].str.cat(rows["transcript"], sep="\t"))
    rows = rows.assign(owner=owner)
    return rows.sort_values(["owner", "start", "end"], kind="stable", ignore_index=True)


def _splice_sites(exons: pd.DataFrame) -> pd.DataFrame:
    """Give the outermost bases of exons that face another exon of the same transcript."""
    rows = _by_transcript(exons)
    same = rows["owner"].to_numpy()[1:] == rows["owner"].to_numpy()[:-1]
    # Exons that touch or overlap have no intron between them.
    apart = rows["start"].to_numpy()[1:] > rows["end"].to_numpy()[:-1]
    left = np.flatnonzero(same & apart)
    last = rows.iloc[left].assign(start=lambda table: table["end"] - 1)
    first = rows.iloc[left + 1].assign(end=lambda table: table["start"] + 1)
    return pd.concat([last, first])


def _spans(exons: pd.DataFrame) -> pd.DataFrame:
    grouped = _by_transcript(exons).groupby(["chromosome", "owner"], sort=False)
    return grouped.agg({"start": "min", "end": "max"}).reset_index()


def _untranslated(exons: pd.DataFrame, coding: pd.DataFrame) -> pd.DataFrame:
    """Give the parts of coding transcripts' exons that lie before or after all that is coding."""
    spans = _by_transcript(coding).groupby(["chromosome", "transcript"], sort=False)
    limits = spans.agg(coding_start=("start", "min"), coding_end=("end", "max")).reset_index()
    rows = _by_transcript(exons).merge(limits, on=["chromosome", "transcript"])
    before = rows.assign(end=rows[["end", "coding_start"]].min(axis=1))
    after = rows.assign(start=rows[["start", "coding_end"]].max(axis=1))
    both = pd.concat([before, after])
    return both[both["start"] < both["end"]]


def _unique(table: pd.DataFrame) -> pd.DataFrame:
    unique = table[_INTERVAL].drop_duplicates()
    unique = unique.astype({"chromosome": object, "start": np.int64, "end": np.int64})
    return unique.sort_values(_INTERVAL, ignore_index=True)


def distances_to_nearest(
    peaks_table: pd.DataFrame, features_table: pd.DataFrame
) -> tuple[np.ndarray, int]:
    """Measure how far each peak lies from the nearest feature, as `bedtools closest -d` does.

    The distance is 0 where the two share a base, 1 where they touch, and otherwise one more than
    the number of bases between them. Strands play no part.

    Parameters
    ----------
    peaks_table, features_table : DataFrame
        Columns chromosome, start, end (counted from 0, half open), in any order.

    Returns
    -------
    distances : ndarray, int64, shape (peaks on a chromosome that has features,)
        In base pairs, in the peaks' order.
    unmatched : int
        Peaks on chromosomes without any such feature.
    """
    starts, ends = peaks_table["start"].to_numpy(), peaks_table["end"].to_numpy()
    distances = np.full(len(peaks_table), -1, dtype=np.int64)
    codes, names = pd.factorize(peaks_table["chromosome"])
    features = dict(iter(features_table.groupby("chromosome", sort=False)))
    for code, name in enumerate(names):
        if name not in features:
            continue
        members = np.flatnonzero(codes == code)
        start, end = starts[members], ends[members]
        order = np.argsort(features[name]["start"].to_numpy(), kind="stable")
        first = features[name]["start"].to_numpy()[order]
        reach = np.maximum.accumulate(features[name]["end"].to_numpy()[order])
        # Features before `following` begin before the peak ends; the furthest of them reaches to
        # `reach`. The next one begins after the peak.
        following = np.searchsorted(first, end, side="left")
        far = np.iinfo(np.int64).max
        behind = np.where(following > 0, start - reach[np.maximum(following - 1, 0)] + 1, far)
        ahead_start = first[np.minimum(following, len(first) - 1)]
        ahead = np.where(following < len(first), ahead_start - end + 1, far)
        distances[members] = np.minimum(np.maximum(behind, 0), ahead)
    matched = distances >= 0
    return distances[matched], int((~matched).sum())
