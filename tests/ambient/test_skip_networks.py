"""Networks with skip connections: what they compute, count, weigh, and export."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from skip_spaces import small_space
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ambient.child.batches import one_hot
from ambient.child.count import count_flops, count_parameters
from ambient.child.export import export_model
from ambient.child.layers import Projection, SlidingAverage, SlidingMax
from ambient.child.layout import forward
from ambient.child.size import network_size
from ambient.child.wiring import Wired
from ambient.space import Architecture, SearchSpace, named_space, sample_with_skips

torch.set_num_threads(1)
WINDOW = 40


def architectures(count: int, space: SearchSpace | None = None) -> list[Architecture]:
    """Draw architectures; the last one takes every skip."""
    space = space or small_space()
    rng = np.random.default_rng(2)
    drawn = [space.sample(rng) for _ in range(count - 1)]
    return [*drawn, sample_with_skips(space, len(space.skips), rng)]


def dna(count: int, width: int = WINDOW) -> Tensor:
    codes = np.random.default_rng(0).integers(0, 5, (count, width), dtype=np.uint8)
    return one_hot(torch.from_numpy(codes))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_a_sliding_pooling_sees_the_positions_around_and_nothing_beyond_the_ends(size: int) -> None:
    x = torch.randn(2, 3, 9)
    around = range(-((size - 1) // 2), size // 2 + 1)
    assert len(around) == size
    for kind, pick in ((SlidingMax, torch.amax), (SlidingAverage, torch.mean)):
        expected = torch.stack(
            [
                pick(x[:, :, [at + step for step in around if 0 <= at + step < 9]], 2)
                for at in range(9)
            ],
            dim=2,
        )
        torch.testing.assert_close(kind(size)(x), expected)
        torch.testing.assert_close(forward(nn.Sequential(kind(size)), x), expected)


def test_a_sliding_pooling_wider_than_the_sequence_sees_all_of_it() -> None:
    for kind in (SlidingMax, SlidingAverage):
        assert kind(8)(torch.randn(2, 3, 2)).shape == (2, 3, 2)


def plainly(architecture: Architecture, network: Wired, x: Tensor) -> Tensor:
    """Compute a network layer by layer, as its JSON says, with the weights of the built one in turn."""
    parts = iter(network.children())
    given: list[Tensor] = []
    length = x.shape[2]
    for number, layer in enumerate(architecture.layers):
        values = layer.parameters
        if layer.kind == "convolution":
            if values["dilation"] * (values["kernel"] - 1) % 2:
                x = next(parts)(x)
            x = next(parts)(x)
            x = next(parts)(x)
            x = next(parts)(x) if values["activation"] == "relu" else x
        elif layer.kind != "identity":
            x = next(parts)(x)
        if layer.kind == "dense":
            x = next(parts)(x)
        sources = [source for source, target in architecture.skips if target == number]
        if sources:
            merge = next(parts)
            total = x
            for projection, source in zip(merge.projections, sources, strict=True):
                skipped = given[source]
                ratio = skipped.shape[2] // x.shape[2]
                if isinstance(projection, Projection):
                    pooled = skipped[:, :, : x.shape[2] * ratio].unflatten(2, (-1, ratio)).amax(3)
                    weight = projection.convolution.weight[:, :, 0]
                    skipped = torch.einsum("fc,bcl->bfl", weight, pooled)
                else:
                    assert skipped.shape == x.shape
                total = total + skipped
            x = next(parts)(total)
        given.append(x)
    assert length == WINDOW
    return next(parts)(x)


def test_what_skips_to_a_layer_is_added_to_it_in_its_shape() -> None:
    for architecture in architectures(8):
        network = architecture.build(WINDOW, 2).eval()
        assert isinstance(network, Wired) == bool(architecture.skips)
        if architecture.skips:
            with torch.no_grad():
                x = dna(3)
                torch.testing.assert_close(network(x), plainly(architecture, network, x))


def test_a_skip_from_the_very_beginning_adds_the_dna_itself() -> None:
    space = SearchSpace.from_dict(
        {
            "name": "bare",
            "version": 1,
            "window_bp": 12,
            "batch_normalisation": False,
            "decisions": [
                {"name": "a", "choices": ["identity"]},
                {"name": "b", "choices": ["identity"], "skips": "all"},
            ],
            "network": [{"decision": "a"}, {"decision": "b"}, {"operation": "flatten"}],
        }
    )
    network = space.architecture([0, 0, 1]).build(12)
    x = dna(3, 12)
    with torch.no_grad():
        torch.testing.assert_close(network(x), network.output((2 * x).flatten(1)))


def test_a_skip_over_a_pooling_is_projected_also_where_the_channels_are_the_same() -> None:
    convolution = {"operation": "convolution", "filters": 3, "kernel": 3}
    space = SearchSpace.from_dict(
        {
            "name": "even",
            "version": 1,
            "window_bp": 40,
            "decisions": [
                {"name": "a", "choices": [convolution]},
                {"name": "b", "choices": [convolution], "skips": "all"},
            ],
            "network": [
                {"decision": "a"},
                {"operation": "average_pooling", "size": 4},
                {"decision": "b"},
                {"operation": "flatten"},
            ],
        }
    )
    architecture = space.architecture([0, 0, 1])
    network = architecture.build(40, 2).eval()
    assert isinstance(network, Wired)
    with torch.no_grad():
        torch.testing.assert_close(network(dna(3)), plainly(architecture, network, dna(3)))


@pytest.mark.parametrize("training", [True, False])
def test_the_layout_changes_nothing_but_the_speed(training: bool) -> None:
    for number, architecture in enumerate(architectures(6)):
        torch.manual_seed(number)
        plain = architecture.build(WINDOW, 2).train(training)
        laid_out = copy.deepcopy(plain)
        x = dna(12)
        expected, found = plain(x.contiguous()), forward(laid_out, x)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        expected.square().sum().backward()
        found.square().sum().backward()
        for one, other in zip(plain.parameters(), laid_out.parameters(), strict=True):
            scale = one.grad.abs().max().item()
            torch.testing.assert_close(other.grad, one.grad, rtol=1e-3, atol=1e-4 * (1 + scale))


def test_counts_agree_with_torch_and_with_what_is_told_without_building() -> None:
    for architecture in [*architectures(5), *architectures(2, named_space("amber-12"))]:
        network = architecture.build(WINDOW, 2).eval()
        size = network_size(architecture, WINDOW, 2)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.zeros(1, 4, WINDOW))
        assert count_flops(network, WINDOW) == counter.get_total_flops() == size.flops
        assert count_parameters(network) == size.parameters


def test_an_exported_network_with_skips_says_the_same_without_ambient(tmp_path: Path) -> None:
    for architecture in [*architectures(4), *architectures(2, named_space("amber-12"))[1:]]:
        torch.manual_seed(0)
        network = architecture.build(WINDOW, 2).train()
        with torch.no_grad():
            network(dna(8))
        folder = export_model(network.eval(), tmp_path / architecture.key, WINDOW)
        source = (folder / "model.py").read_text()
        assert "ambient" not in source.split("import", 1)[1]
        assert max(map(len, source.splitlines())) <= 100
        spec = importlib.util.spec_from_file_location("exported", folder / "model.py")
        assert spec is not None
        assert spec.loader is not None
        model = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(model)
        (exported,) = model.load()
        with torch.no_grad():
            torch.testing.assert_close(exported(dna(3)), network(dna(3)))
        assert list(exported.state_dict()) == list(network.state_dict())
