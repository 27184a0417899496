"""All oligos of one length in two sets of sequences: who holds which, until their bases are masked."""

from __future__ import annotations

import numpy as np

WORTH_A_LOOP = (
    100  # holders of an oligo: as many are written faster oligo by oligo than all at once
)


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
        self.nobody = self.foreground + self.background
        self.width = foreground.shape[1]
        self.reverse = reverse_complement_table(length)
        self.canonical = np.minimum(np.arange(4**length, dtype=np.int32), self.reverse)
        oligos, places = self._occurrences(np.concatenate([foreground, background]))
        order = _stable_order(oligos)
        oligos, self._places = oligos[order], places[order]
        self._first_place = _starts_of(oligos, 4**length)
        # A holding is one oligo in one sequence; occurrences of it follow one another here.
        sequences = self._places // self.width
        new = np.ones(len(sequences), dtype=bool)
        new[1:] = (sequences[1:] != sequences[:-1]) | (oligos[1:] != oligos[:-1])
        self._holder_of, self._oligo_of = sequences[new], oligos[new]
        self._first_holding = _starts_of(self._oligo_of, 4**length)
        holding = (np.cumsum(new) - 1).astype(np.int32)
        # What masking changes: which holding starts at each base (-1: none), how many occurrences are left
        # of each, who holds it (`nobody` once none is left), and how many sequences hold each oligo.
        self._holding_at = np.full(self.nobody * self.width, -1, dtype=np.int32)
        self._holding_at[self._places] = holding
        self._left = np.bincount(holding, minlength=len(self._holder_of)).astype(np.int32)
        self._holders = self._holder_of.astype(np.intp)
        in_foreground = self._holder_of < self.foreground
        # foreground and background sequences that hold each oligo or its reverse complement
        self.targets, self.found = (
            np.bincount(self._oligo_of[part], minlength=4**length)[self.canonical]
            for part in (in_foreground, ~in_foreground)
        )

    def _occurrences(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return each oligo and its place, row * width + first base, in the order of places."""
        starts = max(0, self.width - self.length + 1)
        oligos = np.zeros((len(codes), starts), dtype=np.int32)
        unknown = np.zeros((len(codes), starts), dtype=bool)
        for offset in range(self.length if starts else 0):
            letters = codes[:, offset : offset + starts]
            oligos <<= 2
            oligos |= letters & 3
            unknown |= letters > 3
        known = np.flatnonzero(~unknown)
        places = known + known // max(starts, 1) * (self.length - 1)
        return self.canonical[oligos.ravel()[known]], places.astype(np.int32)

    def first_held(self, oligos: np.ndarray) -> np.ndarray:
        """Return which of some oligos is the first that each sequence holds where it is not masked.

        Parameters
        ----------
        oligos : ndarray, int, shape (n,)
            Canonical oligos, no two alike.

        Returns
        -------
        ndarray, int32, shape (foreground + background,)
            Index into `oligos`; n where a sequence holds none of them.
        """
        first = np.full(self.nobody + 1, len(oligos), dtype=np.int32)
        starts, stops = self._first_holding[oligos], self._first_holding[oligos + 1]
        if (stops - starts).sum() > WORTH_A_LOOP * len(oligos):
            for rank in range(len(oligos) - 1, -1, -1):
                first[self._holders[starts[rank] : stops[rank]]] = rank
        else:
            which, holdings = _ranges(self._first_holding, oligos)
            first[self._holders[holdings[::-1]]] = which[::-1]
        return first[:-1]

    def counts_of(self, oligos: np.ndarray) -> tuple[int, int]:
        """Return how many foreground and background sequences hold any of some oligos, masked or not.

        Parameters
        ----------
        oligos : ndarray, int, shape (n,)
            Canonical oligos.
        """
        holds = np.zeros(self.nobody, dtype=bool)
        holds[self._holder_of[_ranges(self._first_holding, oligos)[1]]] = True
        return int(holds[: self.foreground].sum()), int(holds[self.foreground :].sum())

    def mask(self, oligos: np.ndarray) -> None:
        """Take out every occurrence that shares a base with an occurrence of one of the oligos.

        Parameters
        ----------
        oligos : ndarray, int, shape (n,)
            Canonical oligos.
        """
        sites = self._places[_ranges(self._first_place, oligos)[1]]
        sites = sites[self._holding_at[sites] >= 0]
        # Moved right by one length. What lies in the sequence before a site's is never touched: an occurrence
        # starts at least its length before its sequence's end.
        touched = np.zeros(len(self._holding_at) + 2 * self.length, dtype=bool)
        for shift in range(1, 2 * self.length):
            touched[sites + shift] = True
        around = np.flatnonzero(touched[self.length : -self.length])
        holdings = self._holding_at[around]
        self._holding_at[around] = -1
        holdings = holdings[holdings >= 0]
        np.subtract.at(self._left, holdings, 1)
        has_ended = np.zeros(len(self._left), dtype=bool)
        has_ended[holdings[self._left[holdings] == 0]] = True
        ended = np.flatnonzero(has_ended)
        self._holders[ended] = self.nobody
        in_foreground = self._holder_of[ended] < self.foreground
        for counts, part in ((self.targets, in_foreground), (self.found, ~in_foreground)):
            fewer, lost = np.unique(self._oligo_of[ended[part]], return_counts=True)
            counts[fewer] -= lost
            counts[self.reverse[fewer]] = counts[fewer]


def _starts_of(oligos: np.ndarray, total: int) -> np.ndarray:
    """Return where each oligo begins in an ordered list of oligos, int64, shape (total + 1,)."""
    return np.concatenate([[0], np.cumsum(np.bincount(oligos, minlength=total))])


def _ranges(starts: np.ndarray, oligos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the entries of each oligo, one after the other, and which oligo each is of."""
    first = starts[oligos]
    counts = starts[oligos + 1] - first
    which = np.repeat(np.arange(len(oligos)), counts)
    return which, np.arange(len(which)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
