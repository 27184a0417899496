"""How searches go: best so far, mean reward and cost after each evaluation; intervals; break-even points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ambient.report.summary import Interval, mean_auroc, t_interval

__all__ = [
    "EVALUATIONS",
    "HOURS",
    "MEASURES",
    "SPENT",
    "Band",
    "Curve",
    "Spread",
    "average",
    "band_of",
    "break_even",
    "curve_of",
    "interval_at",
    "spread_of",
]

# What is charged to a search, by the names of `ambient.search.loop.COSTS`, and the unit it is given in.
SPENT = {
    "wall_hours": ("wall_seconds", 3600.0),
    "cpu_hours": ("cpu_seconds", 3600.0),
    "gpu_hours": ("gpu_seconds", 3600.0),
    "energy_kwh": ("energy_kwh", 1.0),
}
HOURS = tuple(name for name in SPENT if name.endswith("_hours"))
EVALUATIONS = "evaluations"  # the axis beside those of `SPENT`
MEASURES = ("validation", "test", "mean_reward")

WINDOW = 10  # evaluations that the mean reward is over
MOST_POINTS = 300  # of a curve over hours or kWh; nobody sees more


@dataclass(frozen=True, eq=False)
class Curve:
    """Where a search stands after its first, second, ... evaluation; NaN where nothing is known.

    Parameters
    ----------
    validation : array, float64, shape (evaluations,)
        The best validation AUROC so far, in [0, 1].
    test : array, float64, shape (evaluations,)
        The test AUROC of that same child; the highest validation AUROC chose it.
    mean_reward : array, float64, shape (evaluations,)
        Mean validation AUROC of the last `WINDOW` evaluations that have one.
    spent : mapping of str to array, float64, shape (evaluations,)
        What all evaluations so far cost, by the names of `SPENT`.
    """

    validation: np.ndarray
    test: np.ndarray
    mean_reward: np.ndarray
    spent: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        """Count the evaluations."""
        return len(self.validation)

    def measure(self, name: str) -> np.ndarray:
        """Give one of `MEASURES`."""
        values: np.ndarray = getattr(self, name)
        return values

    def axis(self, name: str) -> np.ndarray:
        """Give the evaluations, or one of `SPENT`, that each point stands at; it never falls."""
        return np.arange(1.0, len(self) + 1) if name == EVALUATIONS else self.spent[name]

    def at(self, measure: str, axis: str, places: np.ndarray) -> np.ndarray:
        """Give a measure where so much was spent.

        Parameters
        ----------
        measure, axis : str
        places : array, float64, shape (n,)
            In the axis's unit.

        Returns
        -------
        array, float64, shape (n,)
            As after the last evaluation that was paid for by then; NaN before the first one and after
            the end of the search, or of what is known of its cost.
        """
        along = self.axis(axis)
        along = along[: int(np.isfinite(along).sum())]  # a sum is unknown from one unknown cost on
        if not len(along):
            return np.full(len(places), np.nan)
        index = np.searchsorted(along, places, side="right") - 1
        values = self.measure(measure)[np.maximum(index, 0)]
        return np.where((index < 0) | (places > along[-1]), np.nan, values)


def curve_of(rewards: np.ndarray, tests: np.ndarray, costs: Mapping[str, np.ndarray]) -> Curve:
    """Follow a search.

    Parameters
    ----------
    rewards : array, float64, shape (evaluations,)
        Validation AUROC of each evaluation in the order in which it was asked; NaN where there is none.
    tests : array, float64, shape (evaluations,)
        Their test AUROC, which chooses nothing.
    costs : mapping of str to array, float64, shape (evaluations,)
        What each evaluation took, by the names of `SPENT`.
    """
    known = np.isfinite(rewards)
    filled = np.where(known, rewards, -np.inf)
    best = np.maximum.accumulate(filled)
    # The first of equal ones: where the best changed last.
    changed = np.concatenate([[True], best[1:] > best[:-1]]) if len(best) else known
    leader = np.maximum.accumulate(np.where(changed, np.arange(len(best)), 0))
    has_best = np.isfinite(best)
    return Curve(
        validation=np.where(has_best, best, np.nan),
        test=np.where(has_best, tests[leader], np.nan),
        mean_reward=_last_mean(rewards, known),
        spent={name: np.cumsum(costs[name]) for name in SPENT},
    )


def _last_mean(rewards: np.ndarray, known: np.ndarray) -> np.ndarray:
    sums = np.concatenate([[0.0], np.cumsum(rewards[known])])
    upto = np.cumsum(known)
    since = np.maximum(upto - WINDOW, 0)
    counts = upto - since
    means = (sums[upto] - sums[since]) / np.maximum(counts, 1)
    return np.where(counts > 0, means, np.nan)


def average(curves: Sequence[Curve]) -> Curve:
    """Average searches of several tasks, evaluation by evaluation, to the end of the shortest."""
    length = min(map(len, curves))

    def mean(parts: Sequence[np.ndarray]) -> np.ndarray:
        return np.mean([part[:length] for part in parts], axis=0)

    validation, test, mean_reward = (
        mean([one.measure(name) for one in curves]) for name in MEASURES
    )
    spent = {name: mean([curve.spent[name] for curve in curves]) for name in SPENT}
    return Curve(validation, test, mean_reward, spent)


@dataclass(frozen=True, eq=False)
class Band:
    """The mean of several curves with its 95% interval; arrays of float64, shape (points,)."""

    places: np.ndarray  # in the axis's unit
    mean: np.ndarray
    low: np.ndarray  # NaN where there is one curve
    high: np.ndarray


def band_of(curves: Sequence[Curve], measure: str, axis: str) -> Band | None:
    """Average repeats of one search, where all of them stand.

    Parameters
    ----------
    curves : sequence of Curve
        Repeats that differ in their seeds alone.
    measure, axis : str

    Returns
    -------
    Band or None
        Between the place at which the last repeat has a value and the one at which the first repeat
        ends; None where there is no such place.
    """
    places = np.unique(np.concatenate([curve.axis(axis) for curve in curves]))
    places = places[np.isfinite(places)]
    values = np.array([curve.at(measure, axis, places) for curve in curves])
    kept = np.flatnonzero(np.isfinite(values).all(axis=0))
    if not len(kept):
        return None
    if len(kept) > MOST_POINTS:
        kept = kept[np.unique(np.linspace(0, len(kept) - 1, MOST_POINTS).round().astype(int))]
    mean, low, high = t_interval(values[:, kept])
    # Cut to what an AUROC can be, as `mean_auroc` does.
    return Band(places[kept], mean, np.maximum(low, 0.0), np.minimum(high, 1.0))


def interval_at(curves: Sequence[Curve], measure: str, axis: str, place: float) -> Interval | None:
    """Give the mean over repeats at one place; None where not all of them stand there."""
    values = [float(curve.at(measure, axis, np.array([place]))[0]) for curve in curves]
    if not np.isfinite(values).all():
        return None
    return mean_auroc(values)


def break_even(values: np.ndarray, level: float) -> int | None:
    """Give the evaluation, from 1, from which on a search stays above a level to its end.

    Parameters
    ----------
    values : array, float64, shape (evaluations,)
    level : float

    Returns
    -------
    int or None
        None where it ends at the level or below it. For the best validation AUROC so far, which never
        falls, it is the first evaluation that is above.
    """
    above = values > level
    if not len(above) or not above[-1]:
        return None
    below = np.flatnonzero(~above)
    return int(below[-1]) + 2 if len(below) else 1


@dataclass(frozen=True)
class Spread:
    """The median over repeats and the range; infinite where a repeat never got there."""

    median: float
    low: float
    high: float


def spread_of(values: Sequence[float]) -> Spread | None:
    """Give the median and the range of values that may be infinite; None where one is not known."""
    if not len(values) or np.isnan(values).any():
        return None
    return Spread(float(np.median(values)), float(min(values)), float(max(values)))
