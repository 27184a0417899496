"""The same network, computed with the channels of each position side by side in memory.

On CPU torch's one-dimensional convolutions and poolings turn their input round and back again; the
two-dimensional ones read channels-last memory as it lies, and over sequences of height one they
compute the same numbers sooner (benchmarks/throughput). Modules stay plain: only the order in
which their numbers lie is decided here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ambient.child.layers import (
    AttentionPooling,
    BothStrands,
    Exponential,
    GlobalAverage,
    GlobalMax,
    Merge,
    Projection,
    SlidingAverage,
    SlidingMax,
)
from ambient.child.wiring import Wired

__all__ = ["forward"]


def forward(module: nn.Module, x: Tensor) -> Tensor:
    """Compute the logits of one-hot windows.

    Parameters
    ----------
    module : torch.nn.Module
        What `build` gives. Its parts are called in turn, those with a form here in that form; a module of another
        make is called as a whole.
    x : Tensor, float32, shape (n, 4, width)
        As `one_hot` lays it out; any other layout gives the same numbers, later.

    Returns
    -------
    Tensor, shape (n, outputs)
    """
    if isinstance(module, Wired):
        return module.run(x, _call)
    if not isinstance(module, nn.Sequential):
        return cast(Tensor, module(x))
    for part in module:
        x = _call(part, x)
    return x


def _call(part: nn.Module, *given: Tensor) -> Tensor:
    form = _FORMS.get(type(part))
    return cast(Tensor, part(*given) if form is None else form(part, *given))


def _padding(part: nn.ConstantPad1d, x: Tensor) -> Tensor:
    return functional.pad(x.transpose(1, 2), (0, 0, *part.padding), value=part.value).transpose(
        1, 2
    )


def _convolution(part: nn.Conv1d, x: Tensor) -> Tensor:
    y = functional.conv2d(
        x.unsqueeze(2),
        part.weight.unsqueeze(2),
        part.bias,
        padding=(0, cast(int, part.padding[0])),
        dilation=(1, part.dilation[0]),
    )
    return y.squeeze(2)


def _both_strands(part: BothStrands, x: Tensor) -> Tensor:
    less, more = part.span // 2, part.span - part.span // 2
    positions = x.transpose(1, 2)
    # Padded before and not cut after, so that no gradient has to be laid out anew.
    forward, reverse = (
        functional.conv2d(
            functional.pad(positions, (0, 0, *padding)).transpose(1, 2).unsqueeze(2),
            filters.unsqueeze(2),
            dilation=(1, part.dilation),
        ).squeeze(2)
        for padding, filters in (
            ((less, more), part.weight),
            ((more, less), part.weight.flip(1, 2)),
        )
    )
    strongest = cast(Tensor, _Stronger.apply(forward, reverse))
    return strongest if part.bias is None else strongest + part.bias[:, None]


class _Stronger(torch.autograd.Function):
    """torch.maximum; where both are equal, the first one gets the gradient.

    torch.maximum gives each half of it there, and takes six passes over memory for that.
    """

    @staticmethod
    def forward(ctx: Any, one: Tensor, other: Tensor) -> Tensor:
        """Map two tensors of one shape to the larger numbers."""
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward(one >= other)
        return torch.maximum(one, other)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        """Hand each gradient to the tensor that it came from."""
        (gradient,) = gradients
        (is_first,) = ctx.saved_tensors
        first = gradient * is_first
        return first, gradient - first


def _exponential(part: Exponential, x: Tensor) -> Tensor:
    return cast(Tensor, _HeldExponential.apply(x))


class _HeldExponential(torch.autograd.Function):
    """As `Exponential`; its gradient is its value, and none where it is held."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Map any shape to the same shape."""
        y = x.clamp(max=Exponential.held_at).exp_()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        """Give the gradient of the input."""
        (y,) = ctx.saved_tensors
        found = gradients[0] * y
        most = float(_as_it_lies(y).max())
        if most >= math.exp(Exponential.held_at) * (1 - torch.finfo(y.dtype).eps):
            found.masked_fill_(y >= most, 0.0)
        return found


def _as_it_lies(x: Tensor) -> Tensor:
    """Give (n, channels, width) in the order of its memory, of which torch makes no copy before it reads all of it."""
    return x.transpose(1, 2) if x.ndim == 3 else x


def _attention(part: AttentionPooling, x: Tensor) -> Tensor:
    positions = x.transpose(1, 2)
    scores = functional.linear(positions, part.score.weight[:, :, 0], part.score.bias)
    weights = torch.softmax(scores, dim=1)
    return torch.bmm(weights.transpose(1, 2).to(x.dtype), positions).squeeze(1)


def _normalisation(part: nn.BatchNorm1d, x: Tensor) -> Tensor:
    if part.training and part.num_batches_tracked is not None:
        part.num_batches_tracked.add_(1)
    y = functional.batch_norm(
        x.unsqueeze(2),
        part.running_mean,
        part.running_var,
        part.weight,
        part.bias,
        part.training,
        cast(float, part.momentum),
        part.eps,
    )
    return y.squeeze(2)


def _max_pooling(part: nn.MaxPool1d, x: Tensor) -> Tensor:
    return functional.max_pool2d(x.unsqueeze(2), (1, cast(int, part.kernel_size))).squeeze(2)


def _average_pooling(part: nn.AvgPool1d, x: Tensor) -> Tensor:
    (size,) = cast(tuple[int], part.kernel_size)
    return cast(Tensor, _Averages.apply(x, size))


class _Averages(torch.autograd.Function):
    """torch.avg_pool2d over (n, channels, width); its gradient is written once, in a fifth of torch's time."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int) -> Tensor:
        """Map (n, channels, width) to (n, channels, width // size)."""
        ctx.width, ctx.size = x.shape[2], size
        return functional.avg_pool2d(x.unsqueeze(2), (1, size)).squeeze(2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Give each position its share of the gradient of its average; what no average read has none."""
        shares = gradients[0].transpose(1, 2) / ctx.size
        count, places, channels = shares.shape
        found = shares.new_empty(count, ctx.width, channels)
        read = places * ctx.size
        found[:, :read].view(count, places, ctx.size, channels).copy_(shares[:, :, None])
        found[:, read:] = 0.0
        return found.transpose(1, 2), None


def _sliding_max(part: SlidingMax, x: Tensor) -> Tensor:
    y = functional.max_pool2d(x.unsqueeze(2), (1, part.size), 1, (0, part.size // 2))
    return y.squeeze(2)[:, :, 1 - part.size % 2 :]


def _sliding_average(part: SlidingAverage, x: Tensor) -> Tensor:
    y = functional.avg_pool2d(
        x.unsqueeze(2), (1, part.size), 1, (0, part.size // 2), count_include_pad=False
    )
    return y.squeeze(2)[:, :, 1 - part.size % 2 :]


def _projection(part: Projection, x: Tensor) -> Tensor:
    pooled = functional.max_pool2d(x.unsqueeze(2), (1, part.size)).squeeze(2)
    return _convolution(part.convolution, pooled)


def _merge(part: Merge, x: Tensor, *earlier: Tensor) -> Tensor:
    for projection, skipped in zip(part.projections, earlier, strict=True):
        x = x + _call(projection, skipped)
    return x


def _global_max(part: GlobalMax, x: Tensor) -> Tensor:
    return functional.max_pool2d(x.unsqueeze(2), (1, x.shape[2])).flatten(1)


def _global_average(part: GlobalAverage, x: Tensor) -> Tensor:
    return x.transpose(1, 2).mean(1)


def _dropout(part: nn.Dropout, x: Tensor) -> Tensor:
    """Drop by 16 random bits a number: torch draws 64 bits in the time of one Bernoulli number."""
    if not part.training or x.device.type != "cpu":
        return cast(Tensor, part(x))
    dropped = round(part.p * 65536)
    shape = x.transpose(1, 2).shape if x.ndim == 3 else x.shape
    words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
    drawn = words.view(torch.int16)[: x.numel()].view(shape)
    factor, least = 65536 / (65536 - dropped), dropped - 32768  # of what is kept: drawn >= least
    if x.dtype == torch.bfloat16 and dropped > 0:
        # Where a number is kept the bits of the factor, else those of 0: whole numbers, written where they were drawn.
        bits = int(torch.tensor(factor, dtype=x.dtype).view(torch.int16))
        scaled = drawn.clamp_(least - 1, least).sub_(least - 1).mul_(bits).view(x.dtype)
    else:
        scaled = (drawn >= least).to(x.dtype) * factor
    return x * (scaled.transpose(1, 2) if x.ndim == 3 else scaled)


_FORMS: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.ConstantPad1d: _padding,
    nn.Conv1d: _convolution,
    AttentionPooling: _attention,
    BothStrands: _both_strands,
    Exponential: _exponential,
    nn.BatchNorm1d: _normalisation,
    nn.MaxPool1d: _max_pooling,
    nn.AvgPool1d: _average_pooling,
    nn.Dropout: _dropout,
    GlobalMax: _global_max,
    GlobalAverage: _global_average,
    SlidingMax: _sliding_max,
    SlidingAverage: _sliding_average,
    Projection: _projection,
    Merge: _merge,
}
