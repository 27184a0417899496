"""Batches for training: integer-coded windows, cut, shifted, flipped, spelled out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from ambient.data.task import TaskData

__all__ = ["Draws", "Windows", "flip_some", "one_hot", "reverse_complement"]


def one_hot(codes: torch.Tensor) -> torch.Tensor:
    """Spell integer codes out.

    Parameters
    ----------
    codes : Tensor, uint8, shape (n, width)
        A0 C1 G2 T3, anything else is no base.

    Returns
    -------
    Tensor, float32, shape (n, 4, width)
        Zeros in all four channels where there is no base. The four lie side by side in memory, as `layout` wants
        them.
    """
    bases = torch.arange(4, dtype=codes.dtype, device=codes.device)
    return (codes[:, :, None] == bases).to(torch.float32).transpose(1, 2)


def reverse_complement(codes: torch.Tensor) -> torch.Tensor:
    """Give the codes of the other strand, read from its own start, uint8 (n, width)."""
    return torch.where(codes < 4, 3 - codes, codes).flip(1)


def flip_some(codes: torch.Tensor, which: np.ndarray) -> torch.Tensor:
    """Replace some windows by their reverse complements.

    Parameters
    ----------
    codes : Tensor, uint8, shape (n, width)
        Integer-coded windows.
    which : array, bool, shape (n,)
        True where a window is flipped.

    Returns
    -------
    Tensor, uint8, shape (n, width)
    """
    mask = torch.from_numpy(which).to(codes.device)
    return torch.where(mask[:, None], reverse_complement(codes), codes)


class Windows:
    """The windows of one task with a margin to shift in, on a device.

    Where a shift leads out of what the task stores, it reads as no base.

    Attributes
    ----------
    codes : Tensor, uint8, shape (n, window_bp + 2 * shift_bp)
    labels : Tensor, float32, shape (n, outputs)
        1 or 0; NaN where a label is not known.
    has_unknown : bool
        Whether any is not.
    truth : array, float32, shape (n, outputs)
        The labels once more, in memory.
    split : array, uint8, shape (n,)
        0 train, 1 validation, 2 test.
    stranded : bool
        Whether a window's reverse complement is no window of the task.

    Raises
    ------
    InputError
        The task stores less than a window.
    """

    def __init__(self, task: TaskData, window_bp: int, shift_bp: int, device: torch.device) -> None:
        task.check_window(window_bp)
        stored = np.asarray(task.codes)
        left = stored.shape[1] // 2 - window_bp // 2 - shift_bp
        right = left + window_bp + 2 * shift_bp
        inside = stored[:, max(left, 0) : min(right, stored.shape[1])]
        outside = ((0, 0), (max(-left, 0), max(right - stored.shape[1], 0)))
        codes = np.pad(inside, outside, constant_values=4)
        self.codes = torch.from_numpy(np.ascontiguousarray(codes)).to(device)
        self.truth = np.array(task.labels, dtype=np.float32)
        self.labels = torch.from_numpy(self.truth).to(device)
        self.has_unknown = bool(np.isnan(self.truth).any())
        self.split = np.asarray(task.split)
        self.stranded = task.stranded
        self.window_bp, self.shift_bp, self.device = window_bp, shift_bp, device
        self._columns = torch.arange(window_bp, device=device)

    @property
    def outputs(self) -> int:
        """Number of labels of a window."""
        return self.truth.shape[1]

    def rows(self, split: int) -> np.ndarray:
        """Give the numbers of a split's windows, int64."""
        return np.flatnonzero(self.split == split)

    def central(self, rows: np.ndarray) -> torch.Tensor:
        """Give the codes of windows that are not shifted, uint8 (rows, window_bp)."""
        index = torch.from_numpy(rows).to(self.device)
        return self.codes[index, self.shift_bp : self.shift_bp + self.window_bp]

    def shifted(self, rows: np.ndarray, shifts: np.ndarray) -> torch.Tensor:
        """Give the codes of windows, each moved by its own shift in bp, uint8 (rows, window_bp)."""
        index = torch.from_numpy(rows).to(self.device)
        starts = torch.from_numpy(shifts + self.shift_bp).to(self.device)
        return self.codes[index[:, None], starts[:, None] + self._columns]

    def targets(self, rows: np.ndarray) -> torch.Tensor:
        """Give the labels of some windows on the device, float32 (rows, outputs)."""
        return self.labels[torch.from_numpy(rows).to(self.device)]


class Draws:
    """Draw rows in turn from a shuffled pile, which is filled up again when it runs out.

    So each row comes up equally often, whether more or fewer are drawn at a time than there are.

    Parameters
    ----------
    rows : array, int64, shape (n,)
        Nothing is drawn where there are none.
    count : int
        How many are drawn at a time.
    rng : numpy.random.Generator
        Shuffles.
    """

    def __init__(self, rows: np.ndarray, count: int, rng: np.random.Generator) -> None:
        self._rows, self._rng = rows, rng
        self._count = count if len(rows) else 0
        self._pile = np.empty(0, dtype=np.int64)

    def draw(self) -> np.ndarray:
        """Give the next rows, int64 (count,)."""
        while len(self._pile) < self._count:
            self._pile = np.concatenate([self._pile, self._rng.permutation(self._rows)])
        drawn, self._pile = self._pile[: self._count], self._pile[self._count :]
        return drawn
