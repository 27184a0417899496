"""A network whose parts follow each other, and some of which also get what earlier parts gave."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor, nn

__all__ = ["INPUT", "Wired"]

INPUT = "input"  # stands for what the network gets, where a part wants that

Call = Callable[..., Tensor]  # (part, what it gets, what else it gets) -> what it gives


class Wired(nn.Module):
    """Parts in the order in which they are computed.

    Parameters
    ----------
    parts : mapping of str to torch.nn.Module
        Each gets what the one before it gave.
    sources : mapping of str to tuple of str
        For a part that gets more: the names of earlier parts, whose outputs follow as further
        arguments.
    """

    def __init__(
        self, parts: Mapping[str, nn.Module], sources: Mapping[str, tuple[str, ...]]
    ) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.sources = dict(sources)
        self.wanted = {name for names in sources.values() for name in names}  # again, later

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, 4, window_bp) to (batch, outputs) logits."""
        return self.run(x, lambda part, *given: part(*given))

    def run(self, x: Tensor, call: Call) -> Tensor:
        """Compute the parts in turn, each as `call` computes it."""
        kept = {INPUT: x} if INPUT in self.wanted else {}
        for name, part in self.named_children():
            x = call(part, x, *(kept[source] for source in self.sources.get(name, ())))
            if name in self.wanted:
                kept[name] = x
        return x
