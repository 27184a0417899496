"""Architectures that are being written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

__all__ = ["Begun"]


@dataclass
class Begun:
    """Architectures that a policy has begun to write.

    Parameters
    ----------
    tokens : Tensor, int64, shape (batch, decisions so far)
        -1 where a decision is not active.
    inputs : Tensor, float32, shape (batch, embedding)
        What the LSTM reads next.
    state : two Tensors, float32, shape (1, batch, hidden)
        Of the LSTM.
    outputs : tuple of Tensor, float32, shape (batch, hidden)
        Of the LSTM, for each decision so far where the space has skips, which look back at them; else none.
    """

    tokens: Tensor
    inputs: Tensor
    state: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...] = ()

    def chosen(self, rows: Tensor) -> Begun:
        """Give some of the beginnings, by their numbers, int64, (any,)."""
        if len(rows) == len(self.tokens) and torch.equal(rows, torch.arange(len(rows))):
            return replace(self)  # nothing is copied
        return Begun(
            self.tokens[rows],
            self.inputs[rows],
            tuple(part[:, rows] for part in self.state),
            tuple(output[rows] for output in self.outputs),
        )

    @classmethod
    def joined(cls, parts: Sequence[Begun]) -> Begun:
        """Put beginnings of one length together, in their order."""
        states = zip(*(part.state for part in parts), strict=True)
        outputs = zip(*(part.outputs for part in parts), strict=True)
        return cls(
            torch.cat([part.tokens for part in parts]),
            torch.cat([part.inputs for part in parts]),
            tuple(torch.cat(one, dim=1) for one in states),
            tuple(map(torch.cat, outputs)),
        )
