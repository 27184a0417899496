"""How surprising it is that so many foreground sequences hold a site: the binomial of HOMER."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

MAXIMUM_P = 1.0 - 1e-9  # a motif in every background sequence still has a finite logarithm


class Enrichment:
    """Binomial tail for fixed numbers of foreground and background sequences.

    A background sequence holds the motif with probability p = max(found, 1) / sequences; ln p-value is the
    logarithm of P(X >= targets), X binomial over the foreground sequences. It reproduces the column ln p of
    HOMER 2's motif files to all its digits.

    Parameters
    ----------
    foreground, background : int
        Number of sequences, both at least 1.
    """

    def __init__(self, foreground: int, background: int) -> None:
        self.foreground = foreground
        self.background = background
        counts = np.arange(foreground + 1)
        self._ln_choose = (
            gammaln(foreground + 1) - gammaln(counts + 1) - gammaln(foreground - counts + 1)
        )

    def _probability(self, found: np.ndarray) -> np.ndarray:
        return np.minimum(np.maximum(found, 1) / self.background, MAXIMUM_P)

    def bound(self, targets: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Return ln p-values from the tail's geometric bound: fast, at most slightly too high.

        Parameters
        ----------
        targets, found : ndarray, int, shape (n,)
            Foreground and background sequences with a site.

        Returns
        -------
        ndarray, float64, shape (n,)
            0 where the foreground holds no more than the background leads to expect.
        """
        targets = np.asarray(targets)
        probability = self._probability(np.asarray(found))
        odds = probability / (1 - probability)
        ratio = (self.foreground - targets) / (targets + 1) * odds
        enriched = ratio < 1
        ln_mass = (
            self._ln_choose[targets]
            + targets * np.log(probability)
            + (self.foreground - targets) * np.log1p(-probability)
        )
        ln_tail = ln_mass - np.log1p(-np.where(enriched, ratio, 0.0))
        return np.where(enriched, np.minimum(ln_tail, 0.0), 0.0)

    def ln_p(self, targets: int, found: int) -> float:
        """Return the exact ln P(X >= targets) for one pair of counts; never positive."""
        if targets <= 0:
            return 0.0
        probability = float(self._probability(np.asarray(found)))
        counts = np.arange(targets, self.foreground + 1)
        ln_mass = (
            self._ln_choose[targets:]
            + counts * np.log(probability)
            + (self.foreground - counts) * np.log1p(-probability)
        )
        largest = float(ln_mass.max())
        return min(0.0, largest + float(np.log(np.exp(ln_mass - largest).sum())))
