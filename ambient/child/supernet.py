"""A supernet: the weights of every architecture of a space at once, each operation's once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from ambient.child.build import Part, assemble
from ambient.child.wiring import Wired
from ambient.errors import SpaceError

if TYPE_CHECKING:
    from ambient.space import Architecture, SearchSpace

__all__ = ["Supernet", "calibrate"]


class Supernet(nn.Module):
    """Hosts every architecture of a space: a child is a path through it and has no weights of its own.

    Each operation of each layer has its modules once, each skip its projection, each layer that may
    be skipped to its normalisation. So two children that choose the same operation at the same
    layer share the same tensors, and memory grows with the operations that the space offers, not
    with its architectures.

    Parameters
    ----------
    space : SearchSpace
        Its decisions choose layers and skips, without conditions; all choices for a layer give the
        same shape.
    window_bp : int
        Length of the input in base pairs.
    outputs : int
        Number of labels.
    seed : int
        Of the initial weights; torch's global generator is left as it was.

    Raises
    ------
    SpaceError
        The space decides something else, a decision has conditions, or two choices for a layer give
        different shapes, so that what follows could not be shared.

    Notes
    -----
    Batch normalisation goes by the windows of the batch at hand, in training and in judging alike,
    and keeps no running statistics: what comes to a layer differs from path to path, and a running
    mean over paths would be right for none. `extract` gives a child statistics of its own.
    """

    def __init__(self, space: SearchSpace, window_bp: int, outputs: int, seed: int = 0) -> None:
        super().__init__()
        _check_space(space)
        self.space, self.window_bp, self.outputs = space, window_bp, outputs
        self.parts = nn.ModuleDict()
        self._shapes: dict[str, tuple[int, int]] = {}  # of what comes to each place
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for architecture in _covering(space):
                assemble(architecture, window_bp, outputs, self._add)
        self.judging(False)

    def child(self, architecture: Architecture) -> nn.Sequential | Wired:
        """Give the network of an architecture, made of the supernet's own modules.

        Returns
        -------
        torch.nn.Module
            (batch, 4, window_bp) -> (batch, outputs) logits; what trains it trains the supernet.
            Its children have the names that `build` gives them. Leave its mode to `judging`.

        Raises
        ------
        SpaceError
            The architecture is not of this space.
        """
        return assemble(architecture, self.window_bp, self.outputs, self._shared)

    def forward(self, x: Tensor, architecture: Architecture) -> Tensor:
        """Map (batch, 4, window_bp) to the logits of one child, (batch, outputs)."""
        return self.child(architecture)(x)

    def judging(self, is_judging: bool = True) -> None:
        """Turn dropout off for judging, or on for training; normalisation stays by the batch."""
        self.train(not is_judging)
        for part in self.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.train()

    def extract(self, architecture: Architecture) -> nn.Module:
        """Build the stand-alone network of an architecture, with a copy of the weights that it has here.

        Its running statistics are those of a new network: `calibrate` it before it is used in
        evaluation mode. In training mode it gives what it gives in the supernet.

        Raises
        ------
        SpaceError
            The architecture is not of this space.
        """
        shared = self.child(architecture)
        with torch.random.fork_rng(devices=[]):
            alone = architecture.build(self.window_bp, self.outputs)
        alone.load_state_dict(shared.state_dict())
        for part in alone.modules():
            if isinstance(part, nn.BatchNorm1d):
                part.reset_running_stats()
        return alone.to(next(self.parameters()).device)

    def _add(self, part: Part, new: Callable[[], nn.Module]) -> nn.Module:
        known = self._shapes.setdefault(part.place, part.shape)
        if part.shape != known:
            raise SpaceError(
                f"supernet: found {part.shape[0]} channels and {part.shape[1]} positions before {part.place} of the "
                f'space "{self.space.name}" after some choices, and {known[0]} and {known[1]} after others, where the '
                "same were needed for weights to be shared; give all choices of a layer the same shape, for example "
                "by a 1x1 convolution after them"
            )
        if part.name == "merge":
            return new()  # a sum, without weights of its own
        name = _name(part)
        if name not in self.parts:
            module = new()
            if isinstance(module, nn.BatchNorm1d):
                module.momentum = 0.0  # running statistics stay as they are
            self.parts[name] = module
        return self.parts[name]

    def _shared(self, part: Part, new: Callable[[], nn.Module]) -> nn.Module:
        if part.name == "merge":
            return new()  # which projections it sums differs from child to child
        name = _name(part)
        if name not in self.parts:
            raise SpaceError(
                f"supernet: found an architecture with {part.operation or part.name} at {part.place}, which the "
                f'space "{self.space.name}" does not offer there; take architectures of that space'
            )
        return self.parts[name]


def calibrate(network: nn.Module, batches: Iterable[Tensor]) -> nn.Module:
    """Give a network the running statistics of some windows: their plain mean over the batches.

    Parameters
    ----------
    network : torch.nn.Module
        Changed in place; left in evaluation mode.
    batches : iterable of Tensor, float32, shape (n, 4, window_bp)
        One-hot windows, of the training split.

    Returns
    -------
    torch.nn.Module
        The same network.
    """
    normalisations = [part for part in network.modules() if isinstance(part, nn.BatchNorm1d)]
    momenta = [part.momentum for part in normalisations]
    network.eval()  # dropout would spread what is measured
    for part in normalisations:
        part.reset_running_stats()
        part.momentum = None  # torch's word for a plain mean
        part.train()
    with torch.no_grad():
        for batch in batches:
            network(batch)
    for part, momentum in zip(normalisations, momenta, strict=True):
        part.momentum = momentum
    return network.eval()


def _check_space(space: SearchSpace) -> None:
    for decision in space.decisions:
        where = f'supernet: space "{space.name}", decision "{decision.name}"'
        if decision.sets not in ("layer", "skip"):
            raise SpaceError(
                f"{where}: found one that sets a {decision.sets} where a layer or a skip was needed, since only these "
                "can share weights; choose another space or another method"
            )
        if decision.when:
            raise SpaceError(
                f"{where}: found conditions where none were needed, since every child takes the same places; choose "
                "another space or another method"
            )


def _covering(space: SearchSpace) -> Iterable[Architecture]:
    """Give architectures in which each choice of each decision stands, with every skip taken."""
    most = max(len(decision.choices) for decision in space.decisions)
    for turn in range(most):
        yield space.architecture(
            [
                1 if decision.skip is not None else turn % len(decision.choices)
                for decision in space.decisions
            ]
        )


def _name(part: Part) -> str:
    """Name a module: equal names are one module."""
    operation = part.operation
    values = operation.parameters.values() if operation else ()
    words = [part.place, operation.kind if operation else "", *map(str, values), part.name]
    return "_".join(word.replace(" ", "_").replace(".", "p") for word in words if word)
