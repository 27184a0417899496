"""How large a network is, and how much it computes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ambient.child.layers import AttentionPooling, BothStrands, LastState

__all__ = ["count_flops", "count_parameters"]


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
        # Two strands; where the kernel's span is odd, one more position is computed than is kept.
        filters, channels, kernel = part.weight.shape
        return 2 * 2 * filters * channels * kernel * (x.shape[2] + part.span % 2)
    if isinstance(part, AttentionPooling):
        return 2 * x.numel()  # the weighted sum; the scores are a convolution of its own
    if isinstance(part, LastState):
        units = part.lstm.hidden_size
        return 2 * x.shape[2] * 4 * units * (part.lstm.input_size + units)
    return 0
