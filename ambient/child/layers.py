"""The few layers that torch does not have; each needs torch alone: an export carries its source."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = [
    "AttentionPooling",
    "BothStrands",
    "Exponential",
    "GlobalAverage",
    "GlobalMax",
    "LastState",
    "Merge",
    "Projection",
    "SlidingAverage",
    "SlidingMax",
]


class Exponential(nn.Module):
    """Exponential activation, held below exp(10) so that no half-precision number overflows.

    Source: Koo and Ploenzke, "Improving representations of genomic sequence motifs in convolutional
    networks with exponential activations" (2021).
    """

    held_at = 10.0

    def forward(self, x: Tensor) -> Tensor:
        """Map any shape to the same shape, values in (0, exp(10)]."""
        return torch.exp(x.clamp(max=self.held_at))


class GlobalMax(nn.Module):
    """The largest value of each channel."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, length) to (batch, channels)."""
        return x.amax(dim=2)


class GlobalAverage(nn.Module):
    """The mean of each channel."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, length) to (batch, channels)."""
        return x.mean(dim=2)


class AttentionPooling(nn.Module):
    """A mean over positions, weighted by how much each position matters.

    One linear score for each position, softmax over the positions.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.score = nn.Conv1d(channels, 1, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, length) to (batch, channels)."""
        weights = torch.softmax(self.score(x), dim=2)
        return torch.bmm(x, weights.transpose(1, 2).to(x.dtype)).squeeze(2)


class LastState(nn.Module):
    """An LSTM that reads the positions from left to right; its last hidden state is kept."""

    def __init__(self, channels: int, units: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(channels, units, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, length) to (batch, units)."""
        _, (hidden, _) = self.lstm(x.transpose(1, 2))
        return hidden[-1]


class BothStrands(nn.Module):
    """A convolution on DNA whose filters read both strands; the stronger answer is kept.

    The reverse complement of the input gives the mirrored output. Channels are A, C, G, T, so that
    reversing their order complements them.
    """

    def __init__(self, filters: int, kernel: int, dilation: int, bias: bool = True) -> None:
        super().__init__()
        single = nn.Conv1d(4, filters, kernel, dilation=dilation, bias=bias)
        self.weight, self.bias = single.weight, single.bias
        self.dilation = dilation
        self.span = dilation * (kernel - 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, 4, length) to (batch, filters, length)."""
        # Where an odd span pads one side by one more, it is the other side for the reverse strand:
        # the two mirror each other.
        less, more = self.span // 2, self.span - self.span // 2
        forward, reverse = (
            functional.conv1d(functional.pad(x, padding), filters, dilation=self.dilation)
            for padding, filters in (
                ((less, more), self.weight),
                ((more, less), self.weight.flip(1, 2)),
            )
        )
        strongest = torch.maximum(forward, reverse)
        return strongest if self.bias is None else strongest + self.bias[:, None]


class SlidingMax(nn.Module):
    """The largest value of each channel around each position, in a window of fixed width.

    An even window reaches one position further to the right. What lies beyond the ends counts for
    nothing.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, length) to the same shape."""
        y = functional.max_pool1d(x, self.size, 1, self.size // 2)
        return y[:, :, 1 - self.size % 2 :]


class SlidingAverage(nn.Module):
    """The mean of each channel around each position, in a window of fixed width.

    An even window reaches one position further to the right. What lies beyond the ends counts for
    nothing.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, length) to the same shape."""
        y = functional.avg_pool1d(x, self.size, 1, self.size // 2, count_include_pad=False)
        return y[:, :, 1 - self.size % 2 :]


class Projection(nn.Module):
    """What an earlier layer gives, in the shape of a later one.

    Positions are pooled to their maximum, as many as were pooled between the two; a linear 1x1
    convolution makes the channels.
    """

    def __init__(self, channels: int, filters: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.convolution = nn.Conv1d(channels, filters, kernel_size=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, channels, length) to (batch, filters, length // size)."""
        return self.convolution(functional.max_pool1d(x, self.size))


class Merge(nn.Module):
    """The sum of what a layer gives and of what skips to it."""

    def __init__(self, *projections: nn.Module) -> None:
        super().__init__()
        self.projections = nn.ModuleList(projections)

    def forward(self, x: Tensor, *earlier: Tensor) -> Tensor:
        """Map (batch, channels, length), and what skips to it, to the same shape."""
        for projection, skipped in zip(self.projections, earlier, strict=True):
            x = x + projection(skipped)
        return x
