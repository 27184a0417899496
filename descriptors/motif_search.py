"""The built-in motif finder for one length: seeds, refinement, masking, again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from descriptors.motif_index import OligoIndex
from descriptors.motif_model import BACKGROUND_PROBABILITY
from descriptors.motif_seeds import Seeds
from descriptors.motif_threshold import Candidate, Thresholds

WEAKEST_LN_P = (
    -10.0
)  # weaker motifs are found by chance as well; about as many 6-mers are left as HOMER finds
WORTH_SHIFTING_LN_P = -40.0  # a motif this significant is also tried one and two bases further
ROUNDS_OF_SHIFTING = 4  # at most, each from the best of the one before
LOOSER = 3  # a matrix is also made of so many times the oligos that are sites
REFINEMENTS = 8  # rounds of refinement at most
IMPROVEMENT = 0.1  # in ln p, that makes another round of refinement worth while


@dataclass(frozen=True)
class Effort:
    """How widely a round of the search looks for new candidates."""

    seeds: int  # oligos by exact, one-mismatch, and two-mismatch enrichment, so many of each
    refined: int  # most enriched starting matrices that are refined
    shifted: int  # most enriched of these that are also shifted


FIRST_ROUND = Effort(seeds=20, refined=12, shifted=6)  # its candidates serve the later ones too
LATER_ROUND = Effort(seeds=3, refined=3, shifted=0)


class _State(IntEnum):
    STALE = 0  # counted before the last masking
    COUNTED = 1
    REFINED = 2


class LengthSearch:
    """Finds motifs of one length, best first; the index is masked between them.

    Candidates that were found but not the best stay in a pool. Masking makes a candidate weaker, not stronger,
    so only those that still look best by their old count are counted and refined again.

    Parameters
    ----------
    index : OligoIndex
        Oligos of the foreground and the background; masked as motifs are found.
    seed : int
        For the random oligos that estimate how a matrix scores.
    """

    def __init__(self, index: OligoIndex, seed: int) -> None:
        self.thresholds = Thresholds(index, seed)
        self._seeds = Seeds(self.thresholds)
        self._pool: dict[int, tuple[Candidate, _State]] = {}  # by the best-scoring oligo
        self._effort = FIRST_ROUND

    def next_motif(self) -> Candidate | None:
        """Return the most enriched motif of what is not masked, or None where nothing is enriched."""
        self._pool = {
            oligo: (candidate, _State.STALE) for oligo, (candidate, _) in self._pool.items()
        }
        self._look_for_more(self._effort)
        self._effort = LATER_ROUND
        while self._pool:
            oligo = min(self._pool, key=lambda each: self._pool[each][0].ln_p)
            candidate, state = self._pool.pop(oligo)
            if state == _State.REFINED:
                return candidate
            if state == _State.STALE:
                self._keep(self.thresholds.best(candidate.probabilities), _State.COUNTED)
            else:
                self._keep(self._shift(self._refine(candidate)), _State.REFINED)
        return None

    def _look_for_more(self, effort: Effort) -> None:
        starts = [
            self.thresholds.best(matrix)
            for seed in self._seeds.choose(effort.seeds)
            for matrix in self._seeds.matrices_of(seed)
        ]
        ranked = _most_enriched([each for each in starts if each is not None])
        refined = _most_enriched([self._refine(each) for each in ranked[: effort.refined]])
        for rank, candidate in enumerate(refined):
            best = self._shift(candidate) if rank < effort.shifted else candidate
            self._keep(best, _State.COUNTED)

    def _keep(self, candidate: Candidate | None, state: _State) -> None:
        """Put a candidate into the pool unless it is too weak or a better one is like it."""
        if candidate is None or candidate.ln_p > WEAKEST_LN_P:
            return
        oligo = int(candidate.oligos[0])
        if oligo not in self._pool or candidate.ln_p < self._pool[oligo][0].ln_p:
            self._pool[oligo] = candidate, state

    def _refine(self, best: Candidate) -> Candidate:
        """Make matrix and threshold anew in turns for as long as the enrichment grows."""
        for _ in range(REFINEMENTS):
            improved = best
            for sites, is_by_ratio in ((best.sites, False), (LOOSER * best.sites, True)):
                matrix = self.thresholds.matrix_of(
                    best.oligos[:sites], best.oriented[:sites], is_by_ratio
                )
                improved = _better(improved, self.thresholds.best(matrix))
            if improved.ln_p > best.ln_p - IMPROVEMENT:
                break
            best = improved
        return best

    def _shift(self, best: Candidate) -> Candidate:
        """Try the motif one and two bases further for as long as its enrichment grows."""
        for _ in range(ROUNDS_OF_SHIFTING if best.ln_p < WORTH_SHIFTING_LN_P else 0):
            improved = best
            for shift in (-2, -1, 1, 2):
                moved = np.roll(best.probabilities, shift, axis=0)
                moved[: max(shift, 0)] = BACKGROUND_PROBABILITY
                moved[len(moved) + min(shift, 0) :] = BACKGROUND_PROBABILITY
                start = self.thresholds.best(moved)
                if start is not None:
                    improved = _better(improved, self._refine(start))
            if improved.ln_p > best.ln_p - IMPROVEMENT:
                break
            best = improved
        return best


def _better(first: Candidate, second: Candidate | None) -> Candidate:
    return first if second is None or second.ln_p >= first.ln_p else second


def _most_enriched(candidates: list[Candidate]) -> list[Candidate]:
    """Return the candidates in order of significance, the first of equals first."""
    return sorted(candidates, key=lambda each: each.ln_p)
