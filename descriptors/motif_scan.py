"""Where a motif occurs: sites on both strands, their masking, strand bias and multiplicity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descriptors.errors import InputError
from descriptors.motif_model import SCORE_TOLERANCE, Motif, log_odds

UNKNOWN = 4  # the code of every letter that is not A, C, G or T
ROWS_AT_ONCE = 512  # so that what is computed of them stays in the cache as well
LETTERS_AT_ONCE = 5  # a table of 5 ** 5 scores stays in the fastest cache
STRAND_BIAS_LIMIT = 10.0  # what HOMER prints where one strand holds no site


@dataclass(frozen=True, eq=False)
class Sites:
    """Sites of one motif, ordered by sequence, then position, + before -.

    Parameters
    ----------
    sequence : ndarray, int64, shape (sites,)
        Row of the scanned array.
    position : ndarray, int64, shape (sites,)
        First base of the site on the + strand, in bp from the sequence's start.
    strand : ndarray, int8, shape (sites,)
        1 for +, -1 for -.
    score : ndarray, float64, shape (sites,)
        Sum of ln(probability / 0.25).
    """

    sequence: np.ndarray
    position: np.ndarray
    strand: np.ndarray
    score: np.ndarray

    def __len__(self) -> int:
        """Return the number of sites."""
        return len(self.sequence)


def check_codes(codes: np.ndarray, what: str) -> None:
    """Raise InputError unless the array holds integer-coded sequences, uint8, shape (n, width)."""
    if codes.ndim != 2 or codes.dtype != np.uint8:
        raise InputError(
            f"the {what} sequences are {codes.dtype} of shape {codes.shape}; "
            "needed uint8 of shape (sequences, width): A 0, C 1, G 2, T 3, anything else 4"
        )


def _strand_scores(table: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the score at each start: float64, shape (n, width - length + 1)."""
    length = len(table)
    starts = codes.shape[1] - length + 1
    padded = np.column_stack([table, np.full(length, -np.inf)])
    scores = np.zeros((len(codes), starts))
    for first in range(0, length, LETTERS_AT_ONCE):
        part = padded[first : first + LETTERS_AT_ONCE]
        sums = part[0]
        words = codes[:, first : first + starts].astype(np.intp)
        for offset, row in enumerate(part[1:], start=1):
            sums = np.add.outer(sums, row).ravel()
            words = words * 5 + codes[:, first + offset : first + offset + starts]
        scores += sums[words]
    return scores


def scan(motif: Motif, codes: np.ndarray) -> Sites:
    """Find all sites of a motif, overlapping ones too, on both strands.

    Parameters
    ----------
    motif : Motif
        Its threshold decides what is a site.
    codes : ndarray, uint8, shape (n, width)
        A 0, C 1, G 2, T 3; a window that holds any other code is no site.

    Returns
    -------
    Sites
        A palindromic site is there twice, once for each strand.

    Raises
    ------
    InputError
        The array is not integer-coded sequences.
    """
    check_codes(codes, "scanned")
    if motif.length > codes.shape[1] or len(codes) == 0:
        empty = np.zeros(0, dtype=np.int64)
        return Sites(empty, empty, empty.astype(np.int8), empty.astype(np.float64))
    table = log_odds(motif.probabilities)
    floor = motif.threshold - SCORE_TOLERANCE
    found = []
    for first in range(0, len(codes), ROWS_AT_ONCE):
        part = codes[first : first + ROWS_AT_ONCE]
        for strand, scored in ((1, table), (-1, table[::-1, ::-1])):
            scores = _strand_scores(scored, part)
            rows, starts = np.divmod(np.flatnonzero(scores >= floor), scores.shape[1])
            strands = np.full(len(rows), strand, np.int8)
            found.append((rows + first, starts, strands, scores[rows, starts]))
    sequence, position, strands, score = (
        np.concatenate([each[part] for each in found]) for part in range(4)
    )
    order = np.lexsort((-strands, position, sequence))
    return Sites(sequence[order], position[order], strands[order], score[order])


def mask_sites(sites: Sites, length: int, codes: np.ndarray) -> np.ndarray:
    """Return a copy of the sequences in which every base of every site is unknown (code 4).

    Parameters
    ----------
    sites : Sites
        Sites found in `codes`.
    length : int
        Length of a site, in bp.
    codes : ndarray, uint8, shape (n, width)
        Integer-coded sequences.

    Returns
    -------
    ndarray, uint8, shape (n, width)
        The same codes, sites masked.
    """
    masked = codes.copy()
    masked[sites.sequence[:, None], sites.position[:, None] + np.arange(length)] = UNKNOWN
    return masked


def site_statistics(sites: Sites, length: int) -> tuple[float, float]:
    """Return multiplicity and strand bias of the sites of one motif.

    Strand bias is log2 of the number of + sites over the number of - sites, overlapping sites and both strands
    of a palindrome counted; 10 or -10 where one strand has none. Multiplicity is the mean number of separate
    sites in a sequence that has one: going along the sequence, a site less than half a motif after the last one
    (counted or not, on either strand) is the same occurrence, so that a run of T is one. It is then itself the
    last one, unless it is a + site and the last one a - site. The middle of a - site lies one base to the left
    of that of a + site at the same place.

    Parameters
    ----------
    sites : Sites
        All sites of the motif in the sequences; sites of motifs found earlier must be masked there.
    length : int
        Length of the motif, in bp.

    Returns
    -------
    tuple of float
        Multiplicity (1 or more; 0 without a site) and strand bias (in [-10, 10]; 0 without a site).

    Source
    ------
    HOMER's manual: "the averaged number of occurrences per sequence in sequences with 1 or more binding site"
    and "log ratio of + strand occurrences to - strand occurrences". The rest is what reproduces the headers of
    all 464 motifs that HOMER 2 printed for eight yeast data sets (benchmarks/descriptors/motifs.md).
    """
    if len(sites) == 0:
        return 0.0, 0.0
    middle = sites.position - (sites.strand < 0)
    order = np.lexsort((-sites.strand, middle, sites.sequence))
    sequence, middle, strand = sites.sequence[order], middle[order], sites.strand[order]
    while True:
        is_near = (np.diff(sequence) == 0) & (np.diff(middle) < length // 2)
        is_passed_by = is_near & (strand[1:] > 0) & (strand[:-1] < 0)
        if not is_passed_by.any():
            break
        kept = np.append(True, ~is_passed_by)
        sequence, middle, strand = sequence[kept], middle[kept], strand[kept]
    separate = len(sequence) - int(is_near.sum())
    sequences = 1 + int((np.diff(sequence) != 0).sum())
    forward = int((sites.strand > 0).sum())
    reverse = len(sites) - forward
    if forward and reverse:
        ratio = float(np.log2(forward / reverse))
        bias = min(STRAND_BIAS_LIMIT, max(-STRAND_BIAS_LIMIT, ratio))
    else:
        bias = STRAND_BIAS_LIMIT if forward else -STRAND_BIAS_LIMIT
    return separate / sequences, bias
