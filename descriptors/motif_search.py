"""The built-in motif finder for one length: seeds, refinement, masking, again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from descriptors.motif_enrichment import Enrichment
from descriptors.motif_index import OligoIndex, mismatch_masks
from descriptors.motif_model import (
    BACKGROUND_PROBABILITY,
    SCORE_TOLERANCE,
    SMALLEST_PROBABILITY,
    Motif,
    log_odds,
)

LEAST_TARGETS = 3  # a motif must lie in as many foreground sequences
WEAKEST_LN_P = -3.0  # about p = 0.05 for one test: below it there is nothing left to find
SEEDS_PER_RANKING = 3  # oligos that are tried by exact, one-mismatch, and two-mismatch enrichment
STARTS_CLIMBED = 3  # most enriched starting matrices that are refined in each round
WORTH_SHIFTING_LN_P = -40.0  # a motif this significant is also tried one and two bases further
ROUNDS_OF_SHIFTING = 4  # at most, each from the best of the one before
LOOSER = 3  # a matrix is also made of so many times the oligos that are sites
SEEDS_COUNTED = 10_000  # oligos, by exact enrichment, that also get one mismatch
SEEDS_CONSIDERED = (
    300  # of these, by exact and one-mismatch enrichment, that also get two mismatches
)
SEED_PROBABILITY = 0.7  # of the seed's own base in the first matrix, as in HOMER's unrefined motifs
REFINEMENTS = 8  # rounds of refinement at most
IMPROVEMENT = 0.1  # in ln p, that makes another round of refinement worth while
CANDIDATE_OLIGOS = {6: 300, 7: 600, 8: 1200, 9: 2500, 10: 5000}  # best-scoring that may be sites
SAMPLE = 4096  # random oligos that tell how high the best-scoring ones of a matrix score
THRESHOLD_MARGIN = 0.01  # the threshold lies at most so far below the weakest oligo that is a site


@dataclass(frozen=True, eq=False)
class Candidate:
    """A matrix, its best threshold, and the unmasked canonical oligos that score best with it."""

    probabilities: np.ndarray  # float64, (length, 4)
    threshold: float
    ln_p: float
    sites: int  # the first so many oligos are sites
    oligos: np.ndarray  # canonical, in falling order of score
    oriented: np.ndarray  # the same oligos on the strand that scores better


class LengthSearch:
    """Finds motifs of one length, best first, masking each.

    Parameters
    ----------
    index : OligoIndex
        Oligos of the foreground and the background; masked as motifs are found.
    seed : int
        For the random oligos that estimate how a matrix scores.
    """

    def __init__(self, index: OligoIndex, seed: int) -> None:
        self.index = index
        self.length = index.length
        self.enrichment = Enrichment(index.foreground, index.background)
        self._shifts = 2 * np.arange(self.length - 1, -1, -1)
        self._one = mismatch_masks(self.length, 1)
        self._two = mismatch_masks(self.length, 2)
        total = 4**self.length
        wanted = CANDIDATE_OLIGOS.get(self.length, max(100, total // 200))
        self._wanted_share = min(1.0, wanted / total)
        sample = np.random.default_rng(seed).integers(0, total, size=min(total, SAMPLE))
        self._sample_letters = (sample[:, None] >> self._shifts) & 3

    def next_motif(self) -> Candidate | None:
        """Return the most enriched motif of what is not masked, or None where nothing is enriched."""
        starts = [
            self.best_threshold(matrix) for seed in self._seeds() for matrix in self._starts(seed)
        ]
        best: Candidate | None = None
        for start in _most_enriched(starts)[:STARTS_CLIMBED]:
            if best is not None and start.ln_p > WORTH_SHIFTING_LN_P:
                break
            best = _better(best, self._climb(start))
        if best is None or best.ln_p > WEAKEST_LN_P:
            return None
        for _ in range(ROUNDS_OF_SHIFTING if best.ln_p < WORTH_SHIFTING_LN_P else 0):
            shifted = self._shifted(best)
            if shifted.ln_p > best.ln_p - IMPROVEMENT:
                break
            best = shifted
        return best

    def _neighbourhood_ln_p(self, oligos: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """Return a first guess of ln p when the mismatches in `masks` count as well."""
        around = np.concatenate([oligos[:, None], oligos[:, None] ^ masks], axis=1)
        counts = []
        for table, sequences in (
            (self.index.targets, self.index.foreground),
            (self.index.found, self.index.background),
        ):
            sums = table[around].sum(axis=1)
            counts.append(np.rint(-np.expm1(-sums / sequences) * sequences).astype(np.int64))
        return self.enrichment.bound(counts[0], counts[1])

    def _seeds(self) -> list[int]:
        """Return the most promising oligos, no two within a mismatch, exact and near matches in turn."""
        targets, found = self.index.targets, self.index.found
        rate = self.index.foreground / self.index.background
        oligos = np.flatnonzero((targets >= 2) & (targets > found * rate)).astype(np.int32)
        oligos = oligos[self.index.canonical[oligos] == oligos]
        exact = self.enrichment.bound(targets[oligos], found[oligos])
        promising = np.lexsort((oligos, exact))[:SEEDS_COUNTED]
        oligos, exact = oligos[promising], exact[promising]
        one = self._neighbourhood_ln_p(oligos, self._one)
        promising = np.lexsort((oligos, np.minimum(exact, one)))[:SEEDS_CONSIDERED]
        oligos, exact, one = oligos[promising], exact[promising], one[promising]
        two = self._neighbourhood_ln_p(oligos, np.concatenate([self._one, self._two]))
        chosen: list[int] = []
        near: set[int] = set()
        for ranking in (exact, one, two):
            left = SEEDS_PER_RANKING
            for oligo in oligos[np.lexsort((oligos, ranking))].tolist():
                if left == 0:
                    break
                if oligo not in near:
                    left -= 1
                    chosen.append(oligo)
                    near.update([oligo, *self.index.canonical[oligo ^ self._one].tolist()])
        return chosen

    def _starts(self, seed: int) -> list[np.ndarray]:
        """Return two matrices to start from: the oligo alone, and the oligo with its neighbours."""
        letters = (seed >> self._shifts) & 3
        alone = np.full((self.length, 4), (1 - SEED_PROBABILITY) / 3)
        alone[np.arange(self.length), letters] = SEED_PROBABILITY
        around = np.concatenate([[seed], seed ^ self._one])
        return [alone, self._matrix_of(self.index.canonical[around], around)]

    def _climb(self, best: Candidate) -> Candidate:
        """Refine matrix and threshold in turns for as long as the enrichment grows."""
        for _ in range(REFINEMENTS):
            improved = best
            for sites in (best.sites, min(LOOSER * best.sites, len(best.oligos))):
                matrix = self._matrix_of(best.oligos[:sites], best.oriented[:sites])
                improved = _better(improved, self.best_threshold(matrix)) or improved
            if improved.ln_p > best.ln_p - IMPROVEMENT:
                break
            best = improved
        return best

    def _shifted(self, best: Candidate) -> Candidate:
        """Return the best of the candidate and its refined shifts by one and two bases."""
        unshifted = best.probabilities
        for shift in (-2, -1, 1, 2):
            moved = np.roll(unshifted, shift, axis=0)
            moved[: shift if shift > 0 else 0] = BACKGROUND_PROBABILITY
            moved[self.length + min(shift, 0) :] = BACKGROUND_PROBABILITY
            start = self.best_threshold(moved)
            best = _better(best, self._climb(start) if start else None) or best
        return best

    def _matrix_of(self, oligos: np.ndarray, oriented: np.ndarray) -> np.ndarray:
        """Return the matrix of the oriented oligos, weighted by their excess in the foreground."""
        targets = self.index.targets[oligos].astype(np.float64)
        expected = self.index.found[oligos] * (self.index.foreground / self.index.background)
        weights = np.maximum(targets - expected, 0.0)
        if not weights.any():
            weights = targets
        letters = (oriented[:, None] >> self._shifts) & 3
        counts = np.stack(
            [np.bincount(column, weights=weights, minlength=4) for column in letters.T]
        )
        return _normalised(counts / weights.sum())

    def _ranked_oligos(self, table: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the best-scoring canonical oligos, their better orientation and score, best first."""
        sample = table[np.arange(self.length), self._sample_letters].sum(axis=1)
        floor = np.quantile(sample, 1 - self._wanted_share)
        half = self.length // 2
        left, right = _sums(table[:half]), _sums(table[half:])
        head = np.flatnonzero(left + right.max() >= floor)
        tail = np.flatnonzero(right + left.max() >= floor)
        sums = left[head][:, None] + right[tail]
        first, second = np.nonzero(sums >= floor)
        scores = sums[first, second]
        oligos = (head[first] * len(right) + tail[second]).astype(np.int32)
        order = np.argsort(-scores, kind="stable")
        oriented, scores = oligos[order], scores[order]
        canonical = self.index.canonical[oriented]
        present = self.index.targets[canonical] + self.index.found[canonical] > 0
        _, kept = np.unique(np.where(present, canonical, -1), return_index=True)
        kept = np.sort(kept)
        kept = kept[present[kept]]
        return canonical[kept], oriented[kept], scores[kept]

    def oligos_of(self, motif: Motif) -> np.ndarray:
        """Return all canonical oligos that are sites of a motif of this length, int32, shape (n,)."""
        scores = _sums(log_odds(motif.probabilities))
        return np.unique(self.index.canonical[scores >= motif.threshold - SCORE_TOLERANCE])

    def best_threshold(self, probabilities: np.ndarray) -> Candidate | None:
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
        which, sequences = index.holders_of(canonical)
        first = np.full(index.foreground + index.background, len(canonical))
        first[sequences[::-1]] = which[::-1]
        last_of_tie = np.append(np.diff(scores) < -THRESHOLD_MARGIN / 100, True)
        last_of_tie[-1] = self._wanted_share == 1.0  # weaker oligos may be sites too
        ends = np.flatnonzero(last_of_tie)
        if not len(ends):
            return None
        targets = np.cumsum(np.bincount(first[: index.foreground], minlength=len(canonical) + 1))[
            ends
        ]
        found = np.cumsum(np.bincount(first[index.foreground :], minlength=len(canonical) + 1))[
            ends
        ]
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


def _normalised(probabilities: np.ndarray) -> np.ndarray:
    floored = np.maximum(probabilities, SMALLEST_PROBABILITY)
    return floored / floored.sum(axis=1, keepdims=True)


def _better(first: Candidate | None, second: Candidate | None) -> Candidate | None:
    if first is None or second is None:
        return second if first is None else first
    return second if second.ln_p < first.ln_p else first


def _most_enriched(candidates: list[Candidate | None]) -> list[Candidate]:
    """Return the candidates in order of significance, the first of equals kept."""
    return sorted((each for each in candidates if each is not None), key=lambda each: each.ln_p)
