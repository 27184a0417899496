"""How large a network is, told without building it, against the network that is built."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ambient.child.build import build
from ambient.child.count import count_flops, count_parameters
from ambient.child.layout import forward
from ambient.child.size import network_size
from ambient.space import open_space, published_spaces

BATCH = 4


def numbers_kept(module: torch.nn.Module, window_bp: int) -> float:
    """Count what torch keeps of one window for the backward pass."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        forward(module, torch.rand(BATCH, 4, window_bp)).sum()
    for parameter in module.parameters():
        kept.pop(parameter.untyped_storage().data_ptr(), None)
    return sum(kept.values()) / 4 / BATCH


@pytest.mark.parametrize(
    ("name", "count"), [("ambient-10", 25), ("ambient-plus", 25), ("bionas-4", 10), ("amber-12", 4)]
)
def test_it_counts_what_the_built_network_holds_and_computes(name: str, count: int) -> None:
    space, rng = open_space(name), np.random.default_rng(3)
    for _ in range(count):
        architecture = space.sample(rng)
        window_bp = architecture.window_bp or 200
        size = network_size(architecture, window_bp, 2)
        module = build(architecture, window_bp, 2)
        assert size.flops == count_flops(module, window_bp), architecture.summary()
        assert size.parameters == count_parameters(module), architecture.summary()
        kept = numbers_kept(module, window_bp)
        assert kept < 1.2 * size.activations, architecture.summary()
        assert size.activations < 3 * kept, architecture.summary()


@pytest.mark.parametrize("name", published_spaces())
def test_in_windows_narrower_than_its_poolings_it_counts_the_same(name: str) -> None:
    space, rng = open_space(name), np.random.default_rng(5)
    for window_bp in (1, 7, 57):
        architecture = space.sample(rng)
        size = network_size(architecture, window_bp, 1)
        module = build(architecture, window_bp, 1)
        assert size.flops == count_flops(module, window_bp), architecture.summary()
        assert size.parameters == count_parameters(module), architecture.summary()
