"""All oligos of one length in two sets of sequences: who holds which, until their bases are masked."""

from __future__ import annotations

import numpy as np


def reverse_complement_table(length: int) -> np.ndarray:
    """Return the reverse complement of each oligo, int32, shape (4 ** length,), two bits a base."""
    oligos = np.arange(4**length, dtype=np.int32)
    reverse = np.zeros_like(oligos)
    for _ in range(length):
        reverse = (reverse << 2) | (3 - (oligos & 3))
        oligos = oligos >> 2
    return reverse


def mismatch_masks(length: int, mismatches: int) -> np.ndarray:
    """Return the numbers that, xor-ed to an oligo, give every oligo with exactly 1 or 2 mismatches.

    Parameters
    ----------
    length : int
        Length of the oligos, in bp.
    mismatches : int
        1 or 2.

    Returns
    -------
    ndarray, int32, shape (3 * length,) or (9 * length * (length - 1) / 2,)
        The masks.
    """
    places = (np.arange(1, 4, dtype=np.int32)[:, None] << (2 * np.arange(length, dtype=np.int32))).T
    if mismatches == 1:
        return places.ravel()
    first, second = np.triu_indices(length, 1)
    return (places[first][:, :, None] ^ places[second][:, None, :]).ravel()


def _stable_order(oligos: np.ndarray) -> np.ndarray:
    """Return a stable ordering; two passes over 16 bits each, which numpy sorts by radix."""
    order = np.argsort((oligos & 0xFFFF).astype(np.uint16), kind="stable")
    high = (oligos >> 16).astype(np.uint16)
    return order[np.argsort(high[order], kind="stable")] if high.any() else order


class OligoIndex:
    """Which sequence holds which oligo, both strands taken together.

    It lives through one search: `mask` takes occurrences out, and the counts follow.

    Parameters
    ----------
    foreground, background : ndarray, uint8, shapes (n, width) and (m, width)
        Integer-coded sequences; an oligo over a code of 4 is left out.
    length : int
        Length of the oligos, in bp; at most 12.
    """

    def __init__(self, foreground: np.ndarray, background: np.ndarray, length: int) -> None:
        self.length = length
        self.foreground = len(foreground)
        self.background = len(background)
        self.width = foreground.shape[1]
        self.reverse = reverse_complement_table(length)
        self.canonical = np.minimum(np.arange(4**length, dtype=np.int32), self.reverse)
        oligos, places = self._occurrences(np.concatenate([foreground, background]))
        order = _stable_order(oligos)
        self._everything = oligos[order], places[order], places[order] // self.width
        self.unmask()

    def _occurrences(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each oligo and its place, row * width + first base, in the order of places."""
        starts = max(0, self.width - self.length + 1)
        oligos = np.zeros((len(codes), starts), dtype=np.int32)
        unknown = np.zeros((len(codes), starts), dtype=bool)
        for offset in range(self.length if starts else 0):
            letters = codes[:, offset : offset + starts]
            oligos = (oligos << 2) | (letters & 3)
            unknown |= letters > 3
        rows, columns = np.nonzero(~unknown)
        places = (rows * self.width + columns).astype(np.int32)
        return self.canonical[oligos[rows, columns]], places

    def unmask(self) -> None:
        """Bring every occurrence back."""
        self._oligos, self._places, self._sequences = self._everything
        self._count()

    def _count(self) -> None:
        """Bring the counts, and who holds which oligo, up to date with the occurrences."""
        sequences, oligos = self._sequences, self._oligos
        new = np.ones(len(sequences), dtype=bool)
        new[1:] = (sequences[1:] != sequences[:-1]) | (oligos[1:] != oligos[:-1])
        holders, oligos = sequences[new], oligos[new]
        total = 4**self.length
        counts = np.bincount(oligos, minlength=total)
        self._holders = holders  # sequences that hold the first oligo, the second, ...
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        targets = np.bincount(oligos[holders < self.foreground], minlength=total)
        # foreground and background sequences that hold each oligo or its reverse complement
        self.targets = targets[self.canonical]
        self.found = (counts - targets)[self.canonical]

    def holders_of(self, oligos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which sequences hold canonical oligos where they are not masked.

        Parameters
        ----------
        oligos : ndarray, int, shape (n,)
            Canonical oligos.

        Returns
        -------
        which : ndarray, int64, shape (pairs,)
            Index into `oligos`, rising.
        sequences : ndarray, int32, shape (pairs,)
            A sequence that holds that oligo; those of the background follow the foreground's.
        """
        first = self._starts[oligos]
        counts = self._starts[oligos + 1] - first
        which = np.repeat(np.arange(len(oligos)), counts)
        entry = np.arange(len(which)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
        return which, self._holders[entry]

    def mask(self, oligos: np.ndarray) -> None:
        """Take out every occurrence that shares a base with an occurrence of one of the oligos.

        Parameters
        ----------
        oligos : ndarray, int, shape (n,)
            Canonical oligos.
        """
        is_site = np.zeros(4**self.length, dtype=bool)
        is_site[oligos] = True
        sites = self._places[is_site[self._oligos]]
        bases = (self.foreground + self.background) * self.width
        dead = np.zeros(bases + 2 * self.length, dtype=bool)  # starts, moved right by one length
        for shift in range(1, 2 * self.length):
            dead[sites + shift] = True
        alive = ~dead[self._places + self.length]
        self._oligos, self._places = self._oligos[alive], self._places[alive]
        self._sequences = self._sequences[alive]
        self._count()
