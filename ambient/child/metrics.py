"""How well scores rank labels: AUROC and AUPR, with ties counted honestly."""

from __future__ import annotations

import numpy as np

__all__ = ["aupr", "auroc", "mean_over_outputs"]


def auroc(labels: np.ndarray, scores: np.ndarray) -> float | None:
    """Give the area under the receiver operating characteristic.

    Parameters
    ----------
    labels : array, shape (n,)
        Positive where greater than 0.5.
    scores : array, float, shape (n,)
        Any number that grows with the belief in a positive; NaN gives NaN.

    Returns
    -------
    float in [0, 1] or None
        The probability that a positive outscores a negative, ties counted as one half; None where
        one of the two classes is absent.

    Source
    ------
    Hanley and McNeil 1982, Radiology 143:29; the Mann-Whitney statistic over mid-ranks.
    """
    positive = np.asarray(labels) > 0.5
    scores = np.asarray(scores, dtype=np.float64)
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if n_positive == 0 or n_negative == 0:
        return None
    if np.isnan(scores).any():
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    middle_rank = np.cumsum(counts) - (counts - 1) / 2.0
    rank_sum = middle_rank[inverse][positive].sum()
    return float((rank_sum - n_positive * (n_positive + 1) / 2.0) / (n_positive * n_negative))


def aupr(labels: np.ndarray, scores: np.ndarray) -> float | None:
    """Give the area under the precision-recall curve as average precision.

    Parameters
    ----------
    labels : array, shape (n,)
        Positive where greater than 0.5.
    scores : array, float, shape (n,)
        Any number that grows with the belief in a positive; NaN gives NaN.

    Returns
    -------
    float in (0, 1] or None
        Sum over the distinct thresholds of the recall gained times the precision there, so that
        tied examples enter together; None where one of the two classes is absent.

    Source
    ------
    Davis and Goadrich 2006, ICML: no linear interpolation between points of the curve.
    """
    positive = np.asarray(labels) > 0.5
    scores = np.asarray(scores, dtype=np.float64)
    n_positive = int(positive.sum())
    if n_positive == 0 or n_positive == len(positive):
        return None
    if np.isnan(scores).any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    found = np.cumsum(positive[order])[ends]
    precision = found / (ends + 1.0)
    gained = np.diff(found, prepend=0) / n_positive
    return float((precision * gained).sum())


def mean_over_outputs(metric: str, labels: np.ndarray, scores: np.ndarray) -> float | None:
    """Average a metric over the outputs that have both classes.

    Parameters
    ----------
    metric : str
        ``"auroc"`` or ``"aupr"``.
    labels : array, shape (n, outputs)
        Positive where greater than 0.5.
    scores : array, float, shape (n, outputs)
        Any number that grows with the belief in a positive.

    Returns
    -------
    float in [0, 1] or None
        None where no output has both classes.
    """
    measure = {"auroc": auroc, "aupr": aupr}[metric]
    values = [measure(labels[:, i], scores[:, i]) for i in range(labels.shape[1])]
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
