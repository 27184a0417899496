"""Short words of DNA as numbers."""

from __future__ import annotations

import numpy as np

__all__ = ["number_words"]


def number_words(
    codes: np.ndarray, length: int, dilation: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Number the word that begins at each position.

    Parameters
    ----------
    codes : array, uint8, shape (n, window_bp)
        A0 C1 G2 T3; anything else is no base.
    length : int
        Of the words, in bases.
    dilation : int
        Distance between the bases of a word, in bp.

    Returns
    -------
    words : array, int64, shape (n, window_bp - (length - 1) * dilation)
        In [0, 4 ** length), in alphabetical order of the words; without meaning where the word is not known.
    known : array, bool, of the same shape
        Whether all of the word's letters are bases.
    """
    positions = codes.shape[1] - (length - 1) * dilation
    words = np.zeros((len(codes), positions), dtype=np.int64)
    known = np.ones((len(codes), positions), dtype=bool)
    for offset in range(length):
        base = codes[:, offset * dilation : offset * dilation + positions]
        words = words * 4 + np.minimum(base, 3)
        known &= base < 4
    return words, known
