"""Splice sites, exons, genes and UTRs from the rows of an annotation file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from descriptors.annotation_rows import CODING, EXON, GENE, UTR, AnnotationRows

__all__ = ["FEATURES", "Intervals", "features_of"]

FEATURES = ("splice_site", "exon", "gene", "utr")
_FAR = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Intervals:
    """Intervals on chromosomes, some of them parts of transcripts."""

    chromosome: np.ndarray  # int64, shape (intervals,): index of its name
    start: np.ndarray  # int64, shape (intervals,): counted from 0
    end: np.ndarray  # int64, shape (intervals,): half open
    owner: np.ndarray  # int64, shape (intervals,): number of its transcript

    def __len__(self) -> int:
        return len(self.start)

    def where(self, chosen: np.ndarray) -> Intervals:
        """Choose some, by a mask or by their indices."""
        return self.moved(chosen, self.start[chosen], self.end[chosen])

    def moved(self, chosen: np.ndarray, start: np.ndarray, end: np.ndarray) -> Intervals:
        """Choose some and give them other positions."""
        return Intervals(self.chromosome[chosen], start, end, self.owner[chosen])


def features_of(rows: AnnotationRows) -> tuple[dict[str, Intervals], dict[str, str]]:
    """Give each feature's intervals (in any order, some more than once), and what made them.

    Splice sites are the inner boundaries of each transcript's exons; exons that touch or overlap
    have no intron between them. Genes are gene rows, else spans of transcripts' exons. UTRs are UTR
    rows, else what exons of coding transcripts hold before and after all that is coding.
    """
    exons, coding = _parts(rows, EXON), _parts(rows, CODING)
    lacking = np.zeros(int(rows.owner.max(initial=-1)) + 1, dtype=bool)
    lacking[coding.owner] = True
    lacking[exons.owner] = False
    origins = {"exon": "exon rows"}
    if lacking.any():
        pieces = _parts(rows, CODING, UTR)
        derived = _joined(pieces.where(lacking[pieces.owner]))
        exons = _sorted(_both(exons, derived))
        origins["exon"] += f", and coding parts where a transcript lists none ({lacking.sum():,})"
    blocks = _joined(exons)
    nameless = int(rows.nameless.sum())
    transcripts = len(_first_of_each(exons)) - nameless
    origins["splice_site"] = f"exon boundaries (transcripts: {transcripts:,})"
    if nameless:
        origins["splice_site"] += f", but of exons that name no transcript ({nameless:,})"
    genes, origins["gene"] = _rows(rows, GENE), "gene rows"
    if not len(genes):
        genes, origins["gene"] = _spans(exons), "spans of the exons of transcripts"
    utrs, origins["utr"] = _rows(rows, UTR), "UTR rows"
    if not len(utrs):
        utrs, origins["utr"] = _untranslated(exons, coding), "exons minus coding parts"
    found = {"splice_site": _splice_sites(blocks), "exon": exons, "gene": genes, "utr": utrs}
    return found, origins


def _rows(rows: AnnotationRows, kind: int) -> Intervals:
    at = np.flatnonzero(rows.kind == kind)
    return Intervals(rows.chromosome[at], rows.start[at], rows.end[at], np.full(len(at), -1))


def _parts(rows: AnnotationRows, *kinds: int) -> Intervals:
    """Give the parts of transcripts of some kinds, sorted by transcript, start and end."""
    chosen = np.isin(rows.kind[rows.part], kinds)
    at = rows.part[chosen]
    return Intervals(rows.chromosome[at], rows.start[at], rows.end[at], rows.owner[chosen])


def _both(one: Intervals, other: Intervals) -> Intervals:
    names = ("chromosome", "start", "end", "owner")
    return Intervals(*(np.concatenate([getattr(one, n), getattr(other, n)]) for n in names))


def _sorted(parts: Intervals) -> Intervals:
    return parts.where(np.lexsort((parts.end, parts.start, parts.owner)))


def _joined(parts: Intervals) -> Intervals:
    """Join the parts of each transcript that touch or overlap; they come sorted."""
    reach = pd.Series(parts.end).groupby(parts.owner, sort=False).cummax().to_numpy()
    begins = np.ones(len(parts), dtype=bool)
    begins[1:] = (np.diff(parts.owner) != 0) | (parts.start[1:] > reach[:-1])
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(parts))[: len(first)] - 1
    return parts.moved(first, parts.start[first], reach[last])


def _first_of_each(parts: Intervals) -> np.ndarray:
    """Give the index of each transcript's first part; they come sorted."""
    return np.flatnonzero(np.diff(parts.owner, prepend=-1))


def _spans(parts: Intervals) -> Intervals:
    """Give the span of each transcript's parts, which come sorted."""
    first = _first_of_each(parts)
    end = np.maximum.reduceat(parts.end, first) if len(first) else parts.end
    return parts.moved(first, parts.start[first], end)


def _splice_sites(blocks: Intervals) -> Intervals:
    """Give the outermost bases of exons that face another exon of the same transcript."""
    left = np.flatnonzero(np.diff(blocks.owner) == 0)
    right = left + 1
    return _both(
        blocks.moved(left, blocks.end[left] - 1, blocks.end[left]),
        blocks.moved(right, blocks.start[right], blocks.start[right] + 1),
    )


def _untranslated(exons: Intervals, coding: Intervals) -> Intervals:
    """Give the parts of coding transcripts' exons that lie before or after all that is coding."""
    spans = _spans(coding)
    transcripts = int(max(exons.owner.max(initial=-1), coding.owner.max(initial=-1))) + 1
    # A transcript without coding parts has nothing before and nothing after them.
    coding_start, coding_end = np.zeros(transcripts, np.int64), np.full(transcripts, _FAR)
    coding_start[spans.owner], coding_end[spans.owner] = spans.start, spans.end
    everywhere = np.ones(len(exons), dtype=bool)
    before = np.minimum(exons.end, coding_start[exons.owner])
    after = np.maximum(exons.start, coding_end[exons.owner])
    both = _both(
        exons.moved(everywhere, exons.start, before), exons.moved(everywhere, after, exons.end)
    )
    return both.where(both.start < both.end)
