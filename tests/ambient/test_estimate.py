"""What a child costs, told without building it, against the network that is built."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_children import request, tiny_task

from ambient.child.build import build
from ambient.child.count import count_flops, count_parameters
from ambient.child.layout import forward
from ambient.evaluate.estimate import estimate_memory_bytes, estimate_seconds, network_size
from ambient.space import open_space

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
    ("name", "count"), [("ambient-10", 25), ("ambient-plus", 25), ("amber-12", 4)]
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


def test_a_child_of_more_windows_epochs_or_members_takes_longer_and_a_larger_batch_more_memory() -> (
    None
):
    task, one = tiny_task(), request()
    for name in ("windows_per_epoch", "epochs", "members"):
        more = request(**{name: 2 * getattr(one.fidelity, name)})
        assert estimate_seconds(more, task) > 1.5 * estimate_seconds(one, task)
    assert estimate_memory_bytes(request(batch_size=1024), task) > 2 * estimate_memory_bytes(
        one, task
    )


def test_the_architectures_own_window_counts() -> None:
    task, one = tiny_task(), request()
    wide = replace(one, architecture=replace(one.architecture, window_bp=600))
    assert estimate_memory_bytes(wide, task) > 2 * estimate_memory_bytes(one, task)
