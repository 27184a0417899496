"""What a controller proposes for a data set, and what it expects of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ambient.controller.predictor import Prediction
from ambient.space import Architecture

__all__ = ["Expected", "Proposal", "Worked"]

NEAREST = 3  # training tasks that are named beside a proposal
TENTH = 1.2816  # standard deviations that leave a tenth of a normal distribution on either side


@dataclass(frozen=True)
class Expected:
    """What one training of an architecture is expected to reach, in the unit of the controller's metric.

    Parameters
    ----------
    mean : float
    low, high : float
        The interval that holds it with a probability of 80%.
    """

    mean: float
    low: float
    high: float

    @classmethod
    def each(cls, predicted: Prediction) -> list[Expected]:
        """Give the intervals of normal distributions, kept within 0 and 1."""
        mean, spread = predicted.mean, TENTH * predicted.deviation
        within = np.clip([mean, mean - spread, mean + spread], 0.0, 1.0)
        return [cls(*one) for one in within.T.tolist()]


@dataclass(frozen=True)
class Proposal:
    """An architecture that a controller proposes for a data set.

    Parameters
    ----------
    architecture : Architecture
    probability : float
        Of this network under the controller, in (0, 1].
    nearest : tuple of (str, float)
        The `NEAREST` training tasks that lie nearest to the data set, with their distance: Euclidean, over
        standardised descriptors; the nearest first.
    expected : Expected or None
        At the fidelity of the records that the controller learned from; None where it has none.
    proven : bool
        It was trained on all training tasks and had the highest mean there: at `full`, where some were trained so.
    """

    architecture: Architecture
    probability: float
    nearest: tuple[tuple[str, float], ...]
    expected: Expected | None = None
    proven: bool = False


@dataclass(frozen=True)
class Worked:
    """A recorded architecture that was best on training tasks.

    Parameters
    ----------
    architecture : Architecture
    tasks : tuple of str
        On which it was trained and is the best of all that were: one task, or every training task.
    reached : float
        Mean over these tasks, in the unit of the controller's metric.
    expected : Expected
        Of one training on the data set in question, at the fidelity of the records.
    fidelity : str
        Name of that at which it reached so much; empty for that of the records.
    """

    architecture: Architecture
    tasks: tuple[str, ...]
    reached: float
    expected: Expected
    fidelity: str = ""
