"""The baseline that a network must beat: logistic regression on counts of short words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ambient.child.metrics import mean_over_outputs
from ambient.child.words import number_words
from ambient.errors import InputError

if TYPE_CHECKING:
    from ambient.data.task import TaskData

__all__ = ["fit_kmer_baseline", "kmer_counts"]

# Strengths of the L2 penalty that are tried; scikit-learn's C, the inverse of the penalty.
_INVERSE_PENALTIES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0)


def _columns(k: int, stranded: bool) -> tuple[np.ndarray, int]:
    """Map each word's number to its column, which it shares with its reverse complement unless it is stranded."""
    words = np.arange(4**k)
    if stranded:
        return words, len(words)
    reverse, left = np.zeros_like(words), words.copy()
    for _ in range(k):
        reverse = reverse * 4 + (3 - left % 4)
        left //= 4
    kept, columns = np.unique(np.minimum(words, reverse), return_inverse=True)
    return columns, len(kept)


def kmer_counts(codes: np.ndarray, k: int = 5, stranded: bool = False) -> np.ndarray:
    """Count the words of length k on both strands, or on one.

    Parameters
    ----------
    codes : array, uint8, shape (n, window_bp)
        A0 C1 G2 T3; anything else is no base, and words over it are not counted.
    k : int
        Length of the words in bp, 1 to 8.
    stranded : bool
        Whether only the strand that is given counts.

    Returns
    -------
    array, float32, shape (n, words)
        One column for each word together with its reverse complement (512 for k = 5), in the
        alphabetical order of the first of the two; for each word by itself where only one strand counts (1,024).

    Raises
    ------
    InputError
        k is not from 1 to 8, or the windows are shorter than k.
    """
    if not 1 <= k <= 8:
        raise InputError(f"k-mer counts: found k = {k}, needed 1 to 8; choose a shorter word")
    n, width = codes.shape
    if width < k:
        raise InputError(f"k-mer counts: windows of {width} bp hold no {k}-mer; widen the windows")
    columns, n_columns = _columns(k, stranded)
    words, known = number_words(codes, k)
    cells = columns[words] + np.arange(n)[:, None] * n_columns
    counts = np.bincount(cells[known], minlength=n * n_columns)
    return counts.reshape(n, n_columns).astype(np.float32)


def _crops(task: TaskData, split: int, window_bp: int) -> tuple[np.ndarray, np.ndarray]:
    """Give a split's central windows and labels."""
    rows = np.flatnonzero(np.asarray(task.split) == split)
    return np.asarray(task.window(rows, window_bp)), np.asarray(task.labels)[rows]


def fit_kmer_baseline(
    task: TaskData, k: int = 5, window_bp: int | None = None
) -> dict[str, float | None]:
    """Fit logistic regression on standardised k-mer counts; the penalty is chosen on validation.

    Parameters
    ----------
    task : TaskData
        Its training windows are all used, once each, without augmentation (counts do not change
        under the reverse complement; of a stranded task those of its own strand are counted); those of each output
        whose label is known.
    k : int
        Length of the words in bp.
    window_bp : int or None
        Width of the central crop; the task's own window where None.

    Returns
    -------
    dict
        ``validation_auroc``, ``validation_aupr``, ``test_auroc``, ``test_aupr`` (None where a split
        lacks a class) and ``inverse_penalty``, the chosen C of the first output.

    Raises
    ------
    InputError
        The training windows of an output lack one of the two classes, or the task stores less than such windows.

    Notes
    -----
    Each output gets its own regression. Where validation lacks a class, C is 0.001.
    """
    from sklearn.linear_model import LogisticRegression

    window_bp = window_bp or task.window_bp
    codes, labels = _crops(task, 0, window_bp)
    counts = kmer_counts(codes, k, task.stranded)
    centre, scale = counts.mean(0), counts.std(0)
    scale[scale == 0] = 1.0
    features = {0: (counts - centre) / scale}
    truth = {0: labels}
    for split in (1, 2):
        codes, truth[split] = _crops(task, split, window_bp)
        features[split] = (kmer_counts(codes, k, task.stranded) - centre) / scale
    scores = {split: np.zeros_like(truth[split], dtype=np.float64) for split in (1, 2)}
    chosen = []
    for output in range(truth[0].shape[1]):
        known = ~np.isnan(truth[0][:, output])
        target = truth[0][known, output] > 0.5
        if target.all() or not target.any():
            raise InputError(
                f"{task.name}: the {len(target)} training windows of output {output} are all of "
                "one class, both are needed; check the peaks and the negatives"
            )
        best: tuple[float, float, LogisticRegression] | None = None
        for inverse_penalty in _INVERSE_PENALTIES:
            model = LogisticRegression(C=inverse_penalty, max_iter=2000)
            model.fit(features[0][known], target)
            reached = None
            if len(features[1]):
                judged = model.decision_function(features[1])[:, None]
                reached = mean_over_outputs("auroc", truth[1][:, [output]], judged)
            if reached is None:
                reached = 1.0 if inverse_penalty == 1e-3 else 0.0
            if best is None or reached > best[0]:
                best = (reached, inverse_penalty, model)
        assert best is not None
        chosen.append(best[1])
        for split in (1, 2):
            if len(features[split]):
                scores[split][:, output] = best[2].decision_function(features[split])
    result: dict[str, float | None] = {}
    for split, word in ((1, "validation"), (2, "test")):
        for metric in ("auroc", "aupr"):
            result[f"{word}_{metric}"] = mean_over_outputs(metric, truth[split], scores[split])
    result["inverse_penalty"] = chosen[0]
    return result
