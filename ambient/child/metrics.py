"""How well scores rank labels: AUROC and AUPR, with ties counted honestly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

__all__ = ["aupr", "auroc", "by_category", "by_output", "mean_of_known", "mean_over_outputs"]


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


def by_output(metric: str, labels: np.ndarray, scores: np.ndarray) -> list[float | None]:
    """Give a metric of each output over the examples whose label is known.

    Parameters
    ----------
    metric : str
        ``"auroc"`` or ``"aupr"``.
    labels : array, shape (n, outputs)
        Positive where greater than 0.5, unknown where NaN.
    scores : array, float, shape (n, outputs)
        Any number that grows with the belief in a positive.

    Returns
    -------
    list of (float in [0, 1] or None)
        None where an output lacks one of the two classes.
    """
    measure = {"auroc": auroc, "aupr": aupr}[metric]
    known = ~np.isnan(labels)
    return [
        measure(labels[rows, output], scores[rows, output]) for output, rows in enumerate(known.T)
    ]


def mean_of_known(values: Iterable[float | None]) -> float | None:
    """Average the values that are there; None where there is none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def by_category(
    values: Sequence[float | None], categories: Sequence[str]
) -> dict[str, float | None]:
    """Average the values of the outputs of each category; categories in alphabetical order.

    Parameters
    ----------
    values : sequence of (float or None), one for each output
    categories : sequence of str, one for each output; or empty
    """
    groups: dict[str, list[float | None]] = {name: [] for name in sorted(set(categories))}
    for value, category in zip(values, categories, strict=False):
        groups[category].append(value)
    return {name: mean_of_known(group) for name, group in groups.items()}


def mean_over_outputs(metric: str, labels: np.ndarray, scores: np.ndarray) -> float | None:
    """Average a metric over the outputs that have both classes; as `by_output`, None where none has."""
    return mean_of_known(by_output(metric, labels, scores))
