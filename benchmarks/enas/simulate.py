"""A task of several labels whose structure is known: what a label needs is a distance between two motifs.

Every label has a pair of words of 8 bp. In a window that has the label, the second word begins exactly 30 bp
after the first. In half of the windows that have not, both words are there as well, but 1 or 2 bp nearer
to or farther from each other. So finding the words takes a network to an AUROC of 0.75, and only the distance takes
it further: a convolution of dilation 10 reads it off before anything is pooled; one of kernel 8 sees too few
positions there, and after a pooling of 4 the difference is nearly gone.
"""

from __future__ import annotations

import numpy as np

from ambient.data.task import TaskData

__all__ = ["simulated_task"]

LABELS = 3
WORD_BP = 8
DISTANCE_BP = 30
SLOT_BP = 44  # room for a pair at its widest, with a few bp to move in
WINDOW_BP = LABELS * SLOT_BP
DECOYS_BP = (-2, -1, 1, 2)  # off the right distance
MUTATED = 0.05  # share of a word's bases that are drawn anew
SHARES = (0.6, 0.2, 0.2)  # of windows, for training, validation and test


def simulated_task(windows: int = 4000, seed: int = 0) -> TaskData:
    """Make labelled windows.

    Parameters
    ----------
    windows : int
        In all three splits together.
    seed : int
        Of the words, the windows and their labels.

    Returns
    -------
    TaskData
        Of three labels; each window has each of them with a probability of 0.4.
    """
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 4, (LABELS, 2, WORD_BP), dtype=np.uint8)
    codes = rng.integers(0, 4, (windows, WINDOW_BP), dtype=np.uint8)
    labels = rng.random((windows, LABELS)) < 0.4
    is_decoy = ~labels & (rng.random((windows, LABELS)) < 0.5)
    for row in range(windows):
        for label, slot in enumerate(rng.permutation(LABELS)):
            if labels[row, label] or is_decoy[row, label]:
                off = rng.choice(DECOYS_BP) if is_decoy[row, label] else 0
                room = SLOT_BP - WORD_BP - DISTANCE_BP - off
                start = slot * SLOT_BP + rng.integers(0, room + 1)
                for word, at in zip(words[label], (start, start + DISTANCE_BP + off), strict=True):
                    kept = rng.random(WORD_BP) >= MUTATED
                    codes[row, at : at + WORD_BP][kept] = word[kept]
    split = rng.choice(3, windows, p=SHARES).astype(np.uint8)
    return TaskData(
        f"pairs {seed}",
        "other",
        WINDOW_BP,
        codes,
        labels.astype(np.float32),
        split,
        (~labels.any(1)).astype(np.uint8),
        label_names=tuple(f"pair {number}" for number in range(LABELS)),
        label_categories=("other",) * LABELS,
    )
