"""Half-open intervals as two sorted arrays, and what is asked of them: what overlaps, and how much?"""

from __future__ import annotations

import numpy as np

__all__ = ["Intervals", "bases_covered", "merge", "overlaps", "runs"]

Intervals = tuple[np.ndarray, np.ndarray]


def merge(starts: np.ndarray, ends: np.ndarray) -> Intervals:
    """Merge half-open intervals that overlap or touch.

    Parameters
    ----------
    starts, ends : ndarray, int64, shape (n,)
        In any order, bp; an empty interval (end <= start) is dropped.

    Returns
    -------
    (starts, ends) : ndarray, int64, shape (m,), m <= n
        Ascending, disjoint and apart.
    """
    real = ends > starts
    order = np.argsort(starts[real], kind="stable")
    starts, ends = starts[real][order], ends[real][order]
    if len(starts) == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    reach = np.maximum.accumulate(ends)
    first = np.flatnonzero(np.r_[True, starts[1:] > reach[:-1]])
    last = np.r_[first[1:], len(starts)] - 1
    return starts[first].astype(np.int64), reach[last].astype(np.int64)


def overlaps(starts: np.ndarray, ends: np.ndarray, merged: Intervals) -> np.ndarray:
    """Say which half-open intervals share a base with any of some merged ones.

    Parameters
    ----------
    starts, ends : ndarray, int64, shape (n,)
    merged : Intervals
        As `merge` gives them.

    Returns
    -------
    ndarray, bool, shape (n,)
    """
    if len(merged[0]) == 0:
        return np.zeros(len(starts), dtype=bool)
    following = np.searchsorted(merged[1], starts, side="right")
    inside = following < len(merged[0])
    return inside & (merged[0][np.minimum(following, len(merged[0]) - 1)] < ends)


def bases_covered(starts: np.ndarray, ends: np.ndarray, merged: Intervals) -> np.ndarray:
    """Count the bases of half-open intervals that lie in any of some merged ones.

    Parameters
    ----------
    starts, ends : ndarray, int64, shape (n,)
    merged : Intervals
        As `merge` gives them.

    Returns
    -------
    ndarray, int64, shape (n,)
        0 to ends - starts, bp.
    """
    if len(merged[0]) == 0:
        return np.zeros(len(starts), dtype=np.int64)
    whole = np.r_[0, np.cumsum(merged[1] - merged[0])]

    def before(places: np.ndarray) -> np.ndarray:
        begun = np.searchsorted(merged[0], places, side="right")
        beyond = np.maximum(merged[1][begun - 1] - places, 0)
        return whole[begun] - np.where(begun > 0, beyond, 0)

    return np.asarray(before(ends) - before(starts))


def runs(mask: np.ndarray) -> Intervals:
    """Give the half-open intervals in which a boolean array (n,) is true."""
    edges = np.diff(np.r_[np.int8(0), mask.view(np.int8), np.int8(0)])
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
