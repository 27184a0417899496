"""What the comparison says in numbers: means, intervals, wins."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

__all__ = [
    "ComparedTask",
    "Interval",
    "Summary",
    "by_gain",
    "compared_tasks",
    "mean_auroc",
    "mean_interval",
    "summarise",
    "t_interval",
]


@dataclass(frozen=True)
class Interval:
    """A mean and its 95% interval; `low` and `high` are None where one value gives no interval."""

    mean: float
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True)
class ComparedTask:
    """One task of the comparison, in one metric; None where the file holds no number."""

    task: str
    category: str
    held_out: bool
    proposal: float | None
    random: tuple[float, ...]
    kmer: float | None
    full: float | None

    @property
    def random_interval(self) -> Interval | None:
        """Mean of the random architectures with its interval over architectures."""
        return mean_auroc(self.random)

    @property
    def random_best(self) -> float | None:
        """The random architecture that turned out best."""
        return max(self.random, default=None)

    @property
    def beaten(self) -> int | None:
        """How many random architectures score below the proposal."""
        proposal = self.proposal
        return None if proposal is None else sum(score < proposal for score in self.random)

    @property
    def gain(self) -> float | None:
        """The proposal less the mean of the random architectures."""
        interval = self.random_interval
        if self.proposal is None or interval is None:
            return None
        return self.proposal - interval.mean


@dataclass(frozen=True)
class Summary:
    """The comparison over the held-out tasks, in one metric.

    Means are over the tasks for which both the proposal and random architectures have a score;
    `kmer` and `full` over those of them that have one. A win is a strictly higher score; each is a
    pair (wins, tasks compared).
    """

    tasks: int
    proposal: Interval
    random: Interval
    random_best: Interval
    gain: Interval
    kmer: Interval | None
    full: Interval | None
    wins_random: tuple[int, int]
    wins_best: tuple[int, int]
    wins_kmer: tuple[int, int]
    wins_full_kmer: tuple[int, int]


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Give the mean and its 95% t interval.

    Parameters
    ----------
    values : sequence of float
        Independent measurements.

    Returns
    -------
    Interval or None
        None for no values; without bounds for one.
    """
    count = len(values)
    if count == 0:
        return None
    mean, low, high = map(float, t_interval(np.asarray(values, dtype=np.float64)))
    return Interval(mean, None, None, 1) if count == 1 else Interval(mean, low, high, count)


def t_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the mean along the first axis and its 95% t interval.

    Parameters
    ----------
    values : array, float64, shape (n, ...)
        Independent measurements, at least one.

    Returns
    -------
    mean, low, high : array, float64, shape (...)
        The bounds are NaN where n is 1.

    Source
    ------
    Student (1908): mean +- t(0.975, n - 1) * s / sqrt(n), s with n - 1.
    """
    mean, count = values.mean(axis=0), len(values)
    if count == 1:
        unknown = np.full_like(mean, np.nan)
        return mean, unknown, unknown
    from scipy.special import stdtrit

    half = float(stdtrit(count - 1, 0.975)) * values.std(axis=0, ddof=1) / math.sqrt(count)
    return mean, mean - half, mean + half


def mean_auroc(values: Sequence[float]) -> Interval | None:
    """Give what `mean_interval` does, its bounds cut to what an AUROC can be."""
    found = mean_interval(values)
    if found is None or found.low is None or found.high is None:
        return found
    return replace(found, low=max(found.low, 0.0), high=min(found.high, 1.0))


def compared_tasks(
    comparison: Mapping[str, Any], held_out: Sequence[str], metric: str
) -> tuple[ComparedTask, ...]:
    """Take one metric out of a comparison, in the order of its rows."""
    return tuple(
        ComparedTask(
            task=row["task"],
            category=str(row.get("category") or "other"),
            held_out=row["task"] in held_out,
            proposal=row["proposal"].get(metric),
            random=tuple(
                score for values in row["random"] if (score := values.get(metric)) is not None
            ),
            kmer=row["kmer"].get(metric),
            full=row["full"].get(metric),
        )
        for row in comparison["rows"]
    )


def by_gain(rows: Sequence[ComparedTask]) -> list[str]:
    """Order tasks by the proposal's gain, the largest first, those without one last."""
    ranked = sorted(rows, key=lambda row: (row.gain is None, -(row.gain or 0.0), row.task))
    return [row.task for row in ranked]


def _wins(pairs: Sequence[tuple[float | None, float | None]]) -> tuple[int, int]:
    known = [(ours, theirs) for ours, theirs in pairs if ours is not None and theirs is not None]
    return sum(ours > theirs for ours, theirs in known), len(known)


def _mean_of(values: Sequence[float | None]) -> Interval | None:
    return mean_interval([value for value in values if value is not None])


def summarise(rows: Sequence[ComparedTask]) -> Summary | None:
    """Sum up the held-out tasks; None where none has both a proposal and random architectures."""
    kept = [row for row in rows if row.held_out and row.gain is not None]
    means = [row.random_interval.mean for row in kept if row.random_interval is not None]
    proposal = _mean_of([row.proposal for row in kept])
    random = mean_interval(means)
    best = _mean_of([row.random_best for row in kept])
    gain = _mean_of([row.gain for row in kept])
    if proposal is None or random is None or best is None or gain is None:
        return None
    return Summary(
        tasks=len(kept),
        proposal=proposal,
        random=random,
        random_best=best,
        gain=gain,
        kmer=_mean_of([row.kmer for row in kept]),
        full=_mean_of([row.full for row in kept]),
        wins_random=_wins([(row.gain, 0.0) for row in kept]),
        wins_best=_wins([(row.proposal, row.random_best) for row in kept]),
        wins_kmer=_wins([(row.proposal, row.kmer) for row in kept]),
        wins_full_kmer=_wins([(row.full, row.kmer) for row in kept]),
    )
