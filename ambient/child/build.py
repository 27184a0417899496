"""From an architecture to a torch module."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from torch import nn

from ambient.child.layers import (
    AttentionPooling,
    BothStrands,
    Exponential,
    GlobalAverage,
    GlobalMax,
    LastState,
    Merge,
    Projection,
    SlidingAverage,
    SlidingMax,
)
from ambient.child.wiring import INPUT, Wired
from ambient.errors import SpaceError
from ambient.space.architecture import Architecture
from ambient.space.operations import Operation

__all__ = ["Part", "assemble", "build"]


class Part(NamedTuple):
    """Which module of a network is wanted."""

    place: str  # "layer 3", "merge 3", "skip 1 to 3" (layers numbered from 0), "output"
    operation: Operation | None  # what the layer does, where it is one
    name: str  # what the module is of it, such as "convolution"
    shape: tuple[int, int]  # channels and positions of what comes to the place


Make = Callable[[Part, Callable[[], nn.Module]], nn.Module]


def build(architecture: Architecture, window_bp: int, outputs: int) -> nn.Sequential | Wired:
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
    torch.nn.Sequential, or Wired where there are skips
        (batch, 4, window_bp) float, channels A, C, G, T -> (batch, outputs) logits. Its children
        are named and numbered by kind from 1: ``convolution_1``, ``normalisation_1``,
        ``activation_1``, ``pooling_1``, ``merge_1``, ``dropout_1``, ``tail``, ``dense_1``, ...,
        ``output``.

    Raises
    ------
    SpaceError
        `window_bp` or `outputs` is not positive.

    Notes
    -----
    Convolutions keep the length. Where the space says so, batch normalisation follows each of them,
    the linear ones included, before the activation; the convolution then has no bias of its own. A
    pooling that is wider than what is left of the sequence pools all of it.

    What skips to a layer is added to what the layer gives; batch normalisation follows the sum,
    where the space says so. What comes over a pooling, or has other channels, is brought to the
    layer's shape first: the largest of the positions that were pooled meanwhile, then a linear 1x1
    convolution of that skip's own.
    """
    return assemble(architecture, window_bp, outputs, lambda part, new: new())


def assemble(
    architecture: Architecture, window_bp: int, outputs: int, make: Make
) -> nn.Sequential | Wired:
    """Put a network together from modules that `make` gives.

    Parameters
    ----------
    architecture, window_bp, outputs
        As for `build`.
    make : callable
        Called once for each module with weights or without, in the network's order: with what is
        wanted, and a function that makes a new one.

    Raises
    ------
    SpaceError
        As `build`.
    """
    for name, value in (("window_bp", window_bp), ("outputs", outputs)):
        if value < 1:
            raise SpaceError(f"build: found {name} = {value} where at least 1 was needed; raise it")
    builder = _Builder(architecture.batch_normalisation, window_bp, make)
    for number, layer in enumerate(architecture.layers):
        builder.begin(f"layer {number}", layer)
        builder.add(layer)
        builder.merge(number, [source for source, to in architecture.skips if to == number])
    builder.begin("output", None)
    builder.append("output", partial(nn.Linear, builder.width, outputs), numbered=False)
    if not architecture.skips:
        return nn.Sequential(builder.modules)
    return Wired(builder.modules, builder.sources)


class _Given(NamedTuple):
    """What a layer gives."""

    part: str  # name of the module that gives it
    width: int  # channels
    scale: int  # bases of the input for each position


class _Builder:
    """The modules so far, and the shape of what comes out of them."""

    def __init__(self, batch_normalisation: bool, window_bp: int, make: Make) -> None:
        self.modules: OrderedDict[str, nn.Module] = OrderedDict()
        self.sources: dict[str, tuple[str, ...]] = {}  # of merges, as `Wired` takes them
        self.batch_normalisation = batch_normalisation
        self.make = make
        self.width = 4  # channels of the sequence, or features of the vector
        self.length = window_bp  # positions of the sequence
        self.scale = 1  # bases of the input for each position
        self.given: list[_Given] = []  # by each layer so far
        self.begin("input", None)

    def begin(self, place: str, operation: Operation | None) -> None:
        """Turn to the next place; what is appended from now on is of it."""
        self.place, self.operation = place, operation
        self.shape = (self.width, self.length)

    def new(self, name: str, constructor: Callable[[], nn.Module]) -> nn.Module:
        return self.make(Part(self.place, self.operation, name, self.shape), constructor)

    def append(self, name: str, constructor: Callable[[], nn.Module], numbered: bool = True) -> str:
        module = self.new(name, constructor)
        if numbered:
            name = f"{name}_{1 + sum(known.startswith(name) for known in self.modules)}"
        self.modules[name] = module
        return name

    def add(self, layer: Operation) -> None:
        values: dict[str, Any] = dict(layer.parameters)
        if layer.kind == "convolution":
            self.add_convolution(**values)
        elif layer.kind in ("max_pooling", "average_pooling"):
            size = min(values["size"], self.length)
            if size > 1:
                pooling = nn.MaxPool1d if layer.kind == "max_pooling" else nn.AvgPool1d
                self.append("pooling", partial(pooling, size))
                self.length //= size
                self.scale *= size
        elif layer.kind in ("sliding_max", "sliding_average"):
            if values["size"] > 1:
                sliding = SlidingMax if layer.kind == "sliding_max" else SlidingAverage
                self.append("pooling", partial(sliding, values["size"]))
        elif layer.kind == "dropout":
            if values["rate"] > 0:
                self.append("dropout", partial(nn.Dropout, values["rate"]))
        elif layer.kind == "dense":
            self.append("dense", partial(nn.Linear, self.width, values["units"]))
            self.append("activation", nn.ReLU)
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
            self.append("convolution", partial(BothStrands, filters, kernel, dilation, bias))
        else:
            if span % 2:
                self.append("padding", partial(nn.ConstantPad1d, (0, 1), 0.0))
            self.append(
                "convolution",
                partial(
                    nn.Conv1d,
                    *(self.width, filters, kernel),
                    padding=span // 2,
                    dilation=dilation,
                    bias=bias,
                ),
            )
        if self.batch_normalisation:
            self.append("normalisation", partial(nn.BatchNorm1d, filters))
        if activation != "linear":
            self.append("activation", nn.ReLU if activation == "relu" else Exponential)
        self.width = filters

    def add_tail(self, kind: str, values: dict[str, Any]) -> None:
        if kind == "flatten":
            tail: Callable[[], nn.Module] = nn.Flatten
        elif kind == "lstm":
            tail = partial(LastState, self.width, values["units"])
        elif kind == "attention":
            tail = partial(AttentionPooling, self.width)
        else:
            tail = GlobalMax if kind == "global_max" else GlobalAverage
        self.append("tail", tail, numbered=False)
        if kind == "flatten":
            self.width *= self.length
        elif kind == "lstm":
            self.width = values["units"]

    def merge(self, number: int, sources: Sequence[int]) -> None:
        """Add what skips to a layer; remember what the layer gives."""
        if sources:
            given = [self.given[source] for source in sources]
            merged = Merge(*map(partial(self.project, number), sources, given))
            self.begin(f"merge {number}", None)
            name = self.append("merge", lambda: merged)
            self.sources[name] = tuple(one.part for one in given)
            if self.batch_normalisation:
                self.append("normalisation", partial(nn.BatchNorm1d, self.width))
        last = next(reversed(self.modules), INPUT)
        self.given.append(_Given(last, self.width, self.scale))

    def project(self, number: int, source: int, given: _Given) -> nn.Module:
        """Give what brings an earlier layer's output to the shape of this one's."""
        if (given.width, given.scale) == (self.width, self.scale):
            return nn.Identity()
        self.begin(f"skip {source} to {number}", None)
        size = self.scale // given.scale
        return self.new("projection", partial(Projection, given.width, self.width, size))
