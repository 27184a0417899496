"""How large a network is, told from its architecture alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ambient.space import Architecture

__all__ = ["NetworkSize", "network_size"]


@dataclass(frozen=True)
class NetworkSize:
    """How large a network is, for one window."""

    flops: int = 0  # of a forward pass, as `ambient.child.count.count_flops` counts them
    parameters: int = 0  # as `ambient.child.count.count_parameters` counts them
    activations: int = 0  # numbers that a forward pass keeps for the backward pass; at most so many

    def __add__(self, other: NetworkSize) -> NetworkSize:
        return NetworkSize(
            self.flops + other.flops,
            self.parameters + other.parameters,
            self.activations + other.activations,
        )


def network_size(architecture: Architecture, window_bp: int, outputs: int) -> NetworkSize:
    """Count without building: in microseconds, and without torch.

    Parameters
    ----------
    architecture : Architecture
        Its own window is not looked at.
    window_bp, outputs : int
        As for `ambient.child.build.build`.
    """
    return sum(
        _layer_sizes(architecture, window_bp, outputs), NetworkSize(activations=4 * window_bp)
    )


def _layer_sizes(architecture: Architecture, length: int, outputs: int) -> Iterator[NetworkSize]:
    width = 4
    given: list[tuple[int, int]] = []  # channels and positions of what each layer gives
    for number, layer in enumerate(architecture.layers):
        values: dict[str, Any] = dict(layer.parameters)
        if layer.kind == "convolution":
            yield _convolution(width, length, architecture.batch_normalisation, **values)
            width = values["filters"]
        elif layer.kind in ("max_pooling", "average_pooling"):
            length //= min(values["size"], length)
            yield NetworkSize(activations=3 * width * length)  # values, and where each came from
        elif layer.kind in ("sliding_max", "sliding_average"):
            yield NetworkSize(activations=3 * width * (length + 1))
        elif layer.kind == "dropout":
            yield NetworkSize(activations=2 * width * length)
        elif layer.kind == "dense":
            yield _dense(width, values["units"])
            width = values["units"]
        elif layer.kind == "flatten":
            width, length = width * length, 1
            yield NetworkSize(activations=width)
        elif layer.kind == "lstm":
            yield _lstm(width, length, values["units"])
            width, length = values["units"], 1
        elif layer.kind == "attention":
            yield NetworkSize(4 * width * length, width + 1, (width + 4) * length + width)
            length = 1
        elif layer.kind in ("global_max", "global_average"):
            yield NetworkSize(activations=3 * width)
            length = 1
        sources = [given[source] for source, target in architecture.skips if target == number]
        yield from (_skip(*source, width, length) for source in sources)
        if sources and architecture.batch_normalisation:
            yield NetworkSize(parameters=2 * width, activations=width * length)
        given.append((width, length))
    yield _dense(width, outputs)


def _convolution(
    channels: int,
    length: int,
    batch_normalisation: bool,
    filters: int,
    kernel: int,
    dilation: int,
    activation: str,
    reverse_complement: bool,
) -> NetworkSize:
    odd = dilation * (kernel - 1) % 2
    strands = 2 if reverse_complement else 1
    weights = filters * channels * kernel
    kept = strands * (filters * length + odd * channels * (length + 1))
    kept += filters * length * (reverse_complement + batch_normalisation + (activation != "linear"))
    return NetworkSize(
        flops=2 * strands * weights * length,
        parameters=weights + filters * (2 if batch_normalisation else 1),
        activations=kept,
    )


def _skip(channels: int, positions: int, width: int, length: int) -> NetworkSize:
    if (channels, positions) == (width, length):
        return NetworkSize()
    weights = channels * width
    return NetworkSize(2 * weights * length, weights, 3 * channels * length)


def _dense(features: int, units: int) -> NetworkSize:
    return NetworkSize(2 * features * units, (features + 1) * units, 2 * units)


def _lstm(channels: int, length: int, units: int) -> NetworkSize:
    weights = 4 * units * (channels + units)
    # At each position the input, four gates, the cell and the hidden state, some of them twice.
    kept = length * (2 * channels + 14 * units)
    return NetworkSize(2 * length * weights, weights + 8 * units, kept)
