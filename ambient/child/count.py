"""How large a network is, and how much it computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ambient.child.layers import AttentionPooling, BothStrands, LastState

if TYPE_CHECKING:
    from collections.abc import Callable

    from ambient.space import Architecture

__all__ = ["check_limits", "count_flops", "count_parameters", "within_limits"]


def within_limits(
    window_bp: int, max_parameters: int | None = None, max_flops: int | None = None
) -> Callable[[Architecture], bool] | None:
    """Give what says whether an architecture stays within a user's limits; None where there is no limit.

    Parameters are those of `check_limits`; networks have one output.
    """
    exceeds = check_limits(window_bp, max_parameters, max_flops)
    return None if exceeds is None else lambda architecture: exceeds(architecture) is None


def check_limits(
    window_bp: int,
    max_parameters: int | None = None,
    max_flops: int | None = None,
    outputs: int = 1,
    stranded: bool = False,
) -> Callable[[Architecture], str | None] | None:
    """Give what says why an architecture is not to be trained, or None where it may be; None where all may be.

    Parameters
    ----------
    window_bp : int
        Input window of architectures that set none, in base pairs.
    max_parameters, max_flops : int, optional
        Of one network; floating-point operations are those of one window, forward.
    outputs : int
        Labels of the task.
    stranded : bool
        Whether its windows are read on their strand, which a network that answers to both alike cannot tell.
    """
    if max_parameters is None and max_flops is None and not stranded:
        return None

    def exceeds(architecture: Architecture) -> str | None:
        if stranded and architecture.reads_both_strands:
            return "it reads both strands alike, and the data set is stranded"
        width = architecture.window_bp or window_bp
        if max_parameters is not None:
            with torch.device("meta"):  # shapes without numbers: nothing is drawn or filled
                count = count_parameters(architecture.build(width, outputs))
            if count > max_parameters:
                return f"{count:,} parameters, at most {max_parameters:,} are wanted"
        if max_flops is not None:
            with torch.random.fork_rng(devices=[]):
                count = count_flops(architecture.build(width, outputs), width)
            if count > max_flops:
                return f"{count:,} floating-point operations, at most {max_flops:,} are wanted"
        return None

    return exceeds


def count_parameters(module: nn.Module) -> int:
    """Count the trained numbers; running means and variances of normalisations are not trained."""
    return sum(parameter.numel() for parameter in module.parameters())


def count_flops(module: nn.Module, window_bp: int) -> int:
    """Count the floating-point operations of one forward pass over one window.

    Parameters
    ----------
    module : torch.nn.Module
        What `build` gives. Its mode, weights and statistics stay as they are.
    window_bp : int
        Length of the input in base pairs.

    Returns
    -------
    int
        A multiplication and the addition after it are 2. As in ``torch.utils.flop_counter``,
        convolutions, matrix products and nothing else count: no bias, normalisation, activation or
        pooling.

    Notes
    -----
    torch's counter does not see an LSTM on every device, so it is counted by formula: each position
    multiplies input and hidden state into four gates, 2 * length * 4 * units * (channels + units).
    """
    counted: list[int] = []
    hooks = [
        part.register_forward_hook(lambda part, x, y: counted.append(_flops(part, x[0], y)))
        for part in module.modules()
    ]
    modes = {part: part.training for part in module.modules()}
    first = next(module.parameters())
    try:
        module.eval()
        with torch.no_grad():
            module(torch.zeros(1, 4, window_bp, device=first.device, dtype=first.dtype))
    finally:
        for hook in hooks:
            hook.remove()
        for part, mode in modes.items():
            part.training = mode
    return sum(counted)


def _flops(part: nn.Module, x: Tensor, y: Tensor) -> int:
    """Count what one module computes by itself, its children left out."""
    if isinstance(part, nn.Conv1d):
        return 2 * y.numel() * part.in_channels // part.groups * part.kernel_size[0]
    if isinstance(part, nn.Linear):
        return 2 * y.numel() * part.in_features
    if isinstance(part, BothStrands):
        filters, channels, kernel = part.weight.shape
        return 2 * 2 * filters * channels * kernel * x.shape[2]
    if isinstance(part, AttentionPooling):
        return 2 * x.numel()  # the weighted sum; the scores are a convolution of its own
    if isinstance(part, LastState):
        units = part.lstm.hidden_size
        return 2 * x.shape[2] * 4 * units * (part.lstm.input_size + units)
    return 0
