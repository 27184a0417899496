"""What is known of architectures on one data set, while it is being searched."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Belief"]


@dataclass(frozen=True, eq=False)
class Belief:
    """A normal distribution over what several architectures are worth on one data set.

    Parameters
    ----------
    mean : array, float64, shape (m,)
        In the unit of the predictor's metric.
    covariance : array, float64, shape (m, m)
        Of what they are worth, the noise of training left out.
    noise : float
        Variance of the result of one training around that.
    """

    mean: np.ndarray
    covariance: np.ndarray
    noise: float

    def told(self, index: int, value: float) -> Belief:
        """Learn what one training of an architecture reached.

        Source
        ------
        Rasmussen and Williams 2006, equations 2.23 and 2.24, for one observation.
        """
        along = self.covariance[index]
        gain = along / (along[index] + self.noise)
        return Belief(
            self.mean + gain * (value - self.mean[index]),
            self.covariance - np.outer(gain, along),
            self.noise,
        )
