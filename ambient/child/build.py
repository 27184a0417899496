"""From an architecture to a torch module."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from torch import nn

from ambient.child.layers import (
    AttentionPooling,
    BothStrands,
    Exponential,
    GlobalAverage,
    GlobalMax,
    LastState,
)
from ambient.errors import SpaceError
from ambient.space.architecture import Architecture
from ambient.space.operations import Operation

__all__ = ["build"]


def build(architecture: Architecture, window_bp: int, outputs: int) -> nn.Sequential:
    """Build the network of an architecture, weights drawn from torch's global generator.

    Parameters
    ----------
    architecture : Architecture
        What to build; its own window is not looked at.
    window_bp : int
        Length of the input in base pairs.
    outputs : int
        Number of labels.

    Returns
    -------
    torch.nn.Sequential
        (batch, 4, window_bp) float, channels A, C, G, T -> (batch, outputs) logits. Its children
        are named and numbered by kind from 1: ``convolution_1``, ``normalisation_1``,
        ``activation_1``, ``pooling_1``, ``dropout_1``, ``tail``, ``dense_1``, ..., ``output``.

    Raises
    ------
    SpaceError
        `window_bp` or `outputs` is not positive.

    Notes
    -----
    Convolutions keep the length. Where the space says so, batch normalisation follows each of them,
    the linear ones included, before the activation; the convolution then has no bias of its own. A
    pooling that is wider than what is left of the sequence pools all of it.
    """
    for name, value in (("window_bp", window_bp), ("outputs", outputs)):
        if value < 1:
            raise SpaceError(f"build: found {name} = {value} where at least 1 was needed; raise it")
    builder = _Builder(architecture.batch_normalisation, window_bp)
    for layer in architecture.layers:
        builder.add(layer)
    builder.append("output", nn.Linear(builder.width, outputs), numbered=False)
    return nn.Sequential(builder.modules)


class _Builder:
    """The modules so far, and the shape of what comes out of them."""

    def __init__(self, batch_normalisation: bool, window_bp: int) -> None:
        self.modules: OrderedDict[str, nn.Module] = OrderedDict()
        self.batch_normalisation = batch_normalisation
        self.width = 4  # channels of the sequence, or features of the vector
        self.length = window_bp  # positions of the sequence
        self.on_dna = True

    def append(self, name: str, module: nn.Module, numbered: bool = True) -> None:
        if numbered:
            name = f"{name}_{1 + sum(known.startswith(name) for known in self.modules)}"
        self.modules[name] = module

    def add(self, layer: Operation) -> None:
        values: dict[str, Any] = dict(layer.parameters)
        if layer.kind == "convolution":
            self.add_convolution(**values)
        elif layer.kind in ("max_pooling", "average_pooling"):
            size = min(values["size"], self.length)
            if size > 1:
                pooling = nn.MaxPool1d if layer.kind == "max_pooling" else nn.AvgPool1d
                self.append("pooling", pooling(size))
                self.length //= size
        elif layer.kind == "dropout":
            if values["rate"] > 0:
                self.append("dropout", nn.Dropout(values["rate"]))
        elif layer.kind == "dense":
            self.append("dense", nn.Linear(self.width, values["units"]))
            self.append("activation", nn.ReLU())
            self.width = values["units"]
        elif layer.kind != "identity":
            self.add_tail(layer.kind, values)

    def add_convolution(
        self,
        filters: int,
        kernel: int,
        dilation: int,
        activation: str,
        reverse_complement: bool,
    ) -> None:
        span = dilation * (kernel - 1)
        bias = not self.batch_normalisation
        if reverse_complement:
            self.append("convolution", BothStrands(filters, kernel, dilation, bias))
        else:
            if span % 2:
                self.append("padding", nn.ConstantPad1d((0, 1), 0.0))
            self.append(
                "convolution",
                nn.Conv1d(
                    self.width, filters, kernel, padding=span // 2, dilation=dilation, bias=bias
                ),
            )
        if self.batch_normalisation:
            self.append("normalisation", nn.BatchNorm1d(filters))
        if activation != "linear":
            self.append("activation", nn.ReLU() if activation == "relu" else Exponential())
        self.width = filters

    def add_tail(self, kind: str, values: dict[str, Any]) -> None:
        if kind == "flatten":
            tail: nn.Module = nn.Flatten()
            self.width *= self.length
        elif kind == "lstm":
            tail = LastState(self.width, values["units"])
            self.width = values["units"]
        elif kind == "attention":
            tail = AttentionPooling(self.width)
        else:
            tail = GlobalMax() if kind == "global_max" else GlobalAverage()
        self.append("tail", tail, numbered=False)
