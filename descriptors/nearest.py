"""Distances of peaks to the nearest of some intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["distances_to_nearest"]

_FAR = np.iinfo(np.int64).max


def distances_to_nearest(
    peaks_table: pd.DataFrame, features_table: pd.DataFrame
) -> tuple[np.ndarray, int]:
    """Measure how far each peak lies from the nearest feature, as `bedtools closest -d` does.

    The distance is 0 where the two share a base, 1 where they touch, and otherwise one more than
    the number of bases between them. Strands play no part.

    Parameters
    ----------
    peaks_table, features_table : DataFrame
        Columns chromosome, start, end (counted from 0, half open), in any order.

    Returns
    -------
    distances : ndarray, int64, shape (peaks on a chromosome that has features,)
        In base pairs, in the peaks' order.
    unmatched : int
        Peaks on chromosomes without any such feature.
    """
    distances = np.full(len(peaks_table), -1, dtype=np.int64)
    features = _by_chromosome(features_table)
    for name, members in _by_chromosome(peaks_table).items():
        if name in features:
            start, end = _positions(peaks_table, members)
            distances[members] = _distances(start, end, *_positions(features_table, features[name]))
    matched = distances >= 0
    return distances[matched], int((~matched).sum())


def _by_chromosome(table: pd.DataFrame) -> dict[str, np.ndarray]:
    """Give the indices of each chromosome's rows, in the table's order."""
    codes, names = pd.factorize(table["chromosome"])
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(names)))
    return dict(zip(map(str, names), np.split(order, ends[:-1]), strict=False))


def _positions(table: pd.DataFrame, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return table["start"].to_numpy()[rows], table["end"].to_numpy()[rows]


def _distances(
    start: np.ndarray, end: np.ndarray, feature_start: np.ndarray, feature_end: np.ndarray
) -> np.ndarray:
    """Measure on one chromosome; it has at least one feature."""
    order = np.argsort(feature_start, kind="stable")
    first = feature_start[order]
    reach = np.maximum.accumulate(feature_end[order])
    # Features before `following` begin before the peak ends; the furthest of them reaches to
    # `reach`. The next one begins after the peak.
    following = np.searchsorted(first, end, side="left")
    behind = np.where(following > 0, start - reach[np.maximum(following - 1, 0)] + 1, _FAR)
    ahead_start = first[np.minimum(following, len(first) - 1)]
    ahead = np.where(following < len(first), ahead_start - end + 1, _FAR)
    return np.minimum(np.maximum(behind, 0), ahead)
