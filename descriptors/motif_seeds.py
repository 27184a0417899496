"""Where the motif finder starts: enriched oligos, alone and with their near matches."""

from __future__ import annotations

import numpy as np

from descriptors.motif_index import mismatch_masks
from descriptors.motif_threshold import Thresholds

SEEDS_COUNTED = 10_000  # oligos, by exact enrichment, that also get one mismatch
SEEDS_CONSIDERED = (
    300  # of these, by exact and one-mismatch enrichment, that also get two mismatches
)
SEED_PROBABILITY = 0.7  # of the seed's own base in the first matrix, as in HOMER's unrefined motifs


class Seeds:
    """Promising oligos of an index as it is masked now.

    Parameters
    ----------
    thresholds : Thresholds
        Over the index.
    """

    def __init__(self, thresholds: Thresholds) -> None:
        self._thresholds = thresholds
        self._index = thresholds.index
        self._one = mismatch_masks(thresholds.length, 1)
        self._both = np.concatenate([self._one, mismatch_masks(thresholds.length, 2)])

    def _neighbourhood_ln_p(self, oligos: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """Return a first guess of ln p when the mismatches in `masks` count as well."""
        around = np.concatenate([oligos[:, None], oligos[:, None] ^ masks], axis=1)
        counts = []
        for table, sequences in (
            (self._index.targets, self._index.foreground),
            (self._index.found, self._index.background),
        ):
            sums = table[around].sum(axis=1)
            counts.append(np.rint(-np.expm1(-sums / sequences) * sequences).astype(np.int64))
        return self._thresholds.enrichment.bound(counts[0], counts[1])

    def choose(self, per_ranking: int) -> list[int]:
        """Return the most promising oligos, no two within a mismatch, exact and near matches in turn."""
        targets, found = self._index.targets, self._index.found
        rate = self._index.foreground / self._index.background
        oligos = np.flatnonzero((targets >= 2) & (targets > found * rate)).astype(np.int32)
        oligos = oligos[self._index.canonical[oligos] == oligos]
        exact = self._thresholds.enrichment.bound(targets[oligos], found[oligos])
        promising = np.lexsort((oligos, exact))[:SEEDS_COUNTED]
        oligos, exact = oligos[promising], exact[promising]
        one = self._neighbourhood_ln_p(oligos, self._one)
        promising = np.lexsort((oligos, np.minimum(exact, one)))[:SEEDS_CONSIDERED]
        oligos, exact, one = oligos[promising], exact[promising], one[promising]
        two = self._neighbourhood_ln_p(oligos, self._both)
        chosen: list[int] = []
        near: set[int] = set()
        for ranking in (exact, one, two):
            left = per_ranking
            for oligo in oligos[np.lexsort((oligos, ranking))].tolist():
                if left == 0:
                    break
                if oligo not in near:
                    left -= 1
                    chosen.append(oligo)
                    near.update([oligo, *self._index.canonical[oligo ^ self._one].tolist()])
        return chosen

    def matrices_of(self, seed: int) -> list[np.ndarray]:
        """Return two matrices to start from: the oligo alone, and the oligo with its neighbours."""
        oligo = np.array([seed])
        length = self._thresholds.length
        alone = np.full((length, 4), (1 - SEED_PROBABILITY) / 3)
        alone[np.arange(length), self._thresholds.letters(oligo)[0]] = SEED_PROBABILITY
        around = np.concatenate([oligo, seed ^ self._one])
        return [alone, self._thresholds.matrix_of(self._index.canonical[around], around)]
