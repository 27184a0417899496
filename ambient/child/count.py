"""How large a network is, and how much it computes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ambient.child.layers import AttentionPooling, BothStrands, LastState
from ambient.child.size import network_size

if TYPE_CHECKING:
    from ambient.space import Architecture

__all__ = ["Limits", "check_limits", "count_flops", "count_parameters", "within_limits"]


@dataclass(frozen=True)
class Limits:
    """What is asked of the size of networks; as a function, whether an architecture is within it.

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

    window_bp: int
    max_parameters: int | None = None
    max_flops: int | None = None
    outputs: int = 1
    stranded: bool = False

    def __call__(self, architecture: Architecture) -> bool:
        """Whether a network is within the limits."""
        return self.refusal(architecture) is None

    def refusal(self, architecture: Architecture) -> str | None:
        """Say why an architecture is not to be trained; None where it may be."""
        if self.stranded and architecture.reads_both_strands:
            return "it reads both strands alike, and the data set is stranded"
        for count, most, what in self._counts(architecture):
            if count > most:
                return f"{count:,} {what}, at most {most:,} are wanted"
        return None

    def shortfall(self, architectures: Iterable[Architecture]) -> str:
        """Say of architectures that are all refused which limit refuses them, and what the smallest has."""
        apart = [one for one in architectures if not (self.stranded and one.reads_both_strands)]
        counted = [self._counts(one) for one in apart]
        if not counted:
            return "all of them read both strands alike, and the data set is stranded; take another space"
        said = []
        for index, (_, most, what) in enumerate(counted[0]):
            # The smallest of those that nothing else refuses, where there are any.
            others = [
                one
                for one in counted
                if all(one[at][0] <= one[at][1] for at in range(len(one)) if at != index)
            ]
            least = min(one[index][0] for one in others or counted)
            if least > most:
                said.append(f"{least:,} {what}, above the limit of {most:,}")
        return f"the smallest has {', and '.join(said)}; raise {'it' if len(said) == 1 else 'them'}"

    def _counts(self, architecture: Architecture) -> list[tuple[int, int, str]]:
        """Give what is limited of a network: its count, the most that is wanted, and the word for it."""
        size = network_size(architecture, architecture.window_bp or self.window_bp, self.outputs)
        limited = (
            (size.parameters, self.max_parameters, "parameters"),
            (size.flops, self.max_flops, "floating-point operations"),
        )
        return [(count, most, what) for count, most, what in limited if most is not None]


def within_limits(
    window_bp: int, max_parameters: int | None = None, max_flops: int | None = None
) -> Limits | None:
    """Give the `Limits` of networks with one output; None where there is no limit."""
    if max_parameters is None and max_flops is None:
        return None
    return Limits(window_bp, max_parameters, max_flops)


def check_limits(
    window_bp: int,
    max_parameters: int | None = None,
    max_flops: int | None = None,
    outputs: int = 1,
    stranded: bool = False,
) -> Callable[[Architecture], str | None] | None:
    """Give what says why an architecture is not to be trained, or None where it may be; None where all may be.

    Parameters are those of `Limits`.
    """
    if max_parameters is None and max_flops is None and not stranded:
        return None
    return Limits(window_bp, max_parameters, max_flops, outputs, stranded).refusal


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
