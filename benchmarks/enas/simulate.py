"""A task of several labels whose structure is known: what a label needs is a distance between two words.

Every label has a pair of words of 8 bp. In a window that has the label, the second word begins exactly at the label's
distance after the first. In half of the windows that have not, both words are there as well, but at a slightly wrong
distance. So finding the words takes a network to an AUROC of about 0.75, and only the distance takes it further.

- One label is *near*: 50 bp, wrong by 1 or 2 bp. That is lost by a pooling of 4, so it has to be read before: by a
  convolution of kernel 8 and dilation 10, which has a tap at 50; kernel 4 reaches 30 only, dilation 1 only 8.
- The other is *far*: 160 bp, wrong by 16 or 24. No layer before the pooling reaches so far; behind it, where a position
  is 4 bp, the same kernel and dilation have a tap at 160.

An architecture needs the right operation in both of its blocks, or two weaker ones that add up.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ambient.data.task import TaskData

__all__ = ["simulated_task"]

DISTANCES_BP = {"far": 160, "near": 50}  # of each label's pair; that with the fewest places first
OFF_BP = {"far": (-24, -16, 16, 24), "near": (-2, -1, 1, 2)}  # of decoys
LABELS = len(DISTANCES_BP)
WORD_BP = 8
WINDOW_BP = 240
MUTATED = 0.05  # share of a word's bases that are drawn anew
HAS, DECOY = 0.4, 0.3  # of windows: have a label; have its words, but at a wrong distance
SHARES = (0.6, 0.2, 0.2)  # of windows, for training, validation and test


def simulated_task(windows: int, seed: int) -> TaskData:
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
        Of two labels, far and near; each window has each of them with a probability of 0.4.
    """
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 4, (LABELS, 2, WORD_BP), dtype=np.uint8)
    codes = rng.integers(0, 4, (windows, WINDOW_BP), dtype=np.uint8)
    drawn = rng.random((windows, LABELS))
    labels, is_decoy = drawn < HAS, (drawn >= HAS) & (drawn < HAS + DECOY)
    for row in range(windows):
        taken = np.zeros(WINDOW_BP, bool)
        for label, (kind, distance) in enumerate(DISTANCES_BP.items()):
            if labels[row, label] or is_decoy[row, label]:
                distance += rng.choice(OFF_BP[kind]) if is_decoy[row, label] else 0
                start = rng.choice(free_starts(taken, distance))
                for word, at in zip(words[label], (start, start + distance), strict=True):
                    taken[at : at + WORD_BP] = True
                    kept = rng.random(WORD_BP) >= MUTATED
                    codes[row, at : at + WORD_BP][kept] = word[kept]
    split = rng.choice(3, windows, p=SHARES).astype(np.uint8)
    return TaskData(
        f"near and far pairs {seed}",
        "other",
        WINDOW_BP,
        codes,
        labels.astype(np.float32),
        split,
        (~labels.any(1)).astype(np.uint8),
        label_names=tuple(f"{kind} pair" for kind in DISTANCES_BP),
        label_categories=tuple(DISTANCES_BP),
    )


def free_starts(taken: npt.NDArray[np.bool_], distance: int) -> npt.NDArray[np.intp]:
    """Give where a pair of words can begin without touching another."""
    covered = np.convolve(taken, np.ones(WORD_BP))[WORD_BP - 1 :]  # from here on, a word long
    starts = WINDOW_BP - WORD_BP - distance + 1
    return np.flatnonzero((covered[:starts] == 0) & (covered[distance : distance + starts] == 0))
