"""Which oligos a matrix takes for sites, and the detection threshold that makes it most enriched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descriptors.motif_enrichment import Enrichment
from descriptors.motif_index import OligoIndex
from descriptors.motif_model import SCORE_TOLERANCE, SMALLEST_PROBABILITY, Motif, log_odds

LEAST_TARGETS = 3  # a motif must lie in as many foreground sequences
CANDIDATE_OLIGOS = {6: 300, 7: 600, 8: 1200, 9: 2500, 10: 5000}  # best-scoring that may be sites
SAMPLE = 4096  # random oligos that tell how high the best-scoring ones of a matrix score
THRESHOLD_MARGIN = 0.01  # the threshold lies at most so far below the weakest oligo that is a site
SCORE_STEPS = 1e7  # scores are whole numbers of these: ties are ties on every machine


@dataclass(frozen=True, eq=False)
class Candidate:
    """A matrix, its best threshold, and the unmasked canonical oligos that score best with it."""

    probabilities: np.ndarray  # float64, (length, 4)
    threshold: float
    ln_p: float
    sites: int  # the first so many oligos are sites
    oligos: np.ndarray  # canonical, in falling order of score
    oriented: np.ndarray  # the same oligos on the strand that scores better


class Thresholds:
    """Finds detection thresholds over an index as it is masked now.

    Parameters
    ----------
    index : OligoIndex
        Oligos of the foreground and the background.
    seed : int
        For the random oligos that estimate how a matrix scores.
    """

    def __init__(self, index: OligoIndex, seed: int) -> None:
        self.index = index
        self.length = index.length
        self.enrichment = Enrichment(index.foreground, index.background)
        self._shifts = 2 * np.arange(self.length - 1, -1, -1)
        total = 4**self.length
        wanted = CANDIDATE_OLIGOS.get(self.length, max(100, total // 200))
        self._wanted_share = min(1.0, wanted / total)
        sample = np.random.default_rng(seed).integers(0, total, size=min(total, SAMPLE))
        # the place of each sampled letter in a raveled table, by position
        letters = ((sample[:, None] >> self._shifts) & 3) + 4 * np.arange(self.length)
        self._sample = np.ascontiguousarray(letters.T)
        self._unused = len(sample) - max(1, round(self._wanted_share * len(sample)))
        self._rank = np.empty(total, dtype=np.int32)  # scratch: of each canonical oligo, the best

    def letters(self, oligos: np.ndarray) -> np.ndarray:
        """Return the codes of the oligos' bases, int, shape (n, length)."""
        return (oligos[:, None] >> self._shifts) & 3

    def matrix_of(
        self, oligos: np.ndarray, oriented: np.ndarray, is_by_ratio: bool = False
    ) -> np.ndarray:
        """Return the matrix of oligos, each weighted by its enrichment.

        Parameters
        ----------
        oligos, oriented : ndarray, int32, shape (n,)
            Canonical oligos, and each on the strand that counts.
        is_by_ratio : bool
            Weigh by the logarithm of targets over what the background leads to expect, which gives the rare
            oligos a voice; else by the excess of targets over that.

        Returns
        -------
        ndarray, float64, shape (length, 4)
            Rows sum to one.
        """
        targets = self.index.targets[oligos]
        expected = self.index.found[oligos] * (self.index.foreground / self.index.background)
        if is_by_ratio:
            weights = np.maximum(np.log((targets + 0.5) / (expected + 0.5)), 0.0)
        else:
            weights = np.maximum(targets - expected, 0.0)
        if not weights.any():
            weights = targets + 1.0  # nothing is enriched: any matrix will do, but a finite one
        places = self.letters(oriented) + 4 * np.arange(self.length)
        counts = np.bincount(
            places.ravel(), weights=np.repeat(weights, self.length), minlength=4 * self.length
        )
        probabilities = counts.reshape(self.length, 4) / weights.sum()
        floored = np.maximum(probabilities, SMALLEST_PROBABILITY)
        return floored / floored.sum(axis=1, keepdims=True)

    def _ranked_oligos(self, table: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the best-scoring canonical oligos, their better orientation and score, best first."""
        sample = table.ravel()[self._sample].sum(axis=0)
        floor = np.partition(sample, self._unused)[self._unused]
        half = self.length // 2
        left, right = _sums(table[:half]), _sums(table[half:])
        head = np.flatnonzero(left + right.max() >= floor)
        tail = np.flatnonzero(right + left.max() >= floor)
        sums = left[head][:, None] + right[tail]
        chosen = np.flatnonzero(sums >= floor)
        first, second = np.divmod(chosen, len(tail))
        oligos = head[first] * len(right) + tail[second]
        # One sort of whole numbers, score above and oligo below: ties have one order everywhere.
        steps = np.rint(sums.ravel()[chosen] * SCORE_STEPS).astype(np.int64)
        keys = np.sort((steps.max() - steps) << 2 * self.length | oligos)
        oriented = (keys & (4**self.length - 1)).astype(np.int32)
        canonical = self.index.canonical[oriented]
        ranks = np.arange(len(keys), dtype=np.int32)
        self._rank[canonical[::-1]] = ranks[::-1]
        kept = self._rank[canonical] == ranks
        kept &= self.index.targets[canonical] + self.index.found[canonical] > 0
        scores = (steps.max() - (keys[kept] >> 2 * self.length)) / SCORE_STEPS
        return canonical[kept], oriented[kept], scores

    def oligos_of(self, motif: Motif) -> np.ndarray:
        """Return all canonical oligos that are sites of a motif of this length, int32, shape (n,)."""
        scores = _sums(log_odds(motif.probabilities))
        return np.unique(self.index.canonical[scores >= motif.threshold - SCORE_TOLERANCE])

    def best(self, probabilities: np.ndarray) -> Candidate | None:
        """Return the matrix with the detection threshold that makes its enrichment most surprising.

        Parameters
        ----------
        probabilities : ndarray, float64, shape (length, 4)
            Rows sum to one.

        Returns
        -------
        Candidate or None
            None where no threshold gives enough foreground sequences.
        """
        index = self.index
        canonical, oriented, scores = self._ranked_oligos(log_odds(probabilities))
        if not len(canonical):
            return None
        first = index.first_held(canonical)
        last_of_tie = np.append(np.diff(scores) < -THRESHOLD_MARGIN / 100, True)
        last_of_tie[-1] = self._wanted_share == 1.0  # weaker oligos may be sites too
        ends = np.flatnonzero(last_of_tie)
        if not len(ends):
            return None
        targets, found = (
            np.cumsum(np.bincount(first[part], minlength=len(canonical) + 1))[ends]
            for part in (slice(index.foreground), slice(index.foreground, None))
        )
        ln_p = np.where(targets >= LEAST_TARGETS, self.enrichment.bound(targets, found), 0.0)
        best = int(ln_p.argmin())
        if ln_p[best] >= 0:
            return None
        end = int(ends[best])
        gap = scores[end] - scores[end + 1] if end + 1 < len(scores) else np.inf
        threshold = float(scores[end] - min(gap / 2, THRESHOLD_MARGIN))
        return Candidate(probabilities, threshold, float(ln_p[best]), end + 1, canonical, oriented)


def _sums(table: np.ndarray) -> np.ndarray:
    """Return the score of every oligo under a table, float64, shape (4 ** rows,)."""
    sums = np.zeros(1)
    for row in table:
        sums = np.add.outer(sums, row).ravel()
    return sums
