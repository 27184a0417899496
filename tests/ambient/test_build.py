"""From an architecture to a torch module."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ambient.errors import SpaceError
from ambient.space import Architecture, named_space

torch.set_num_threads(1)


def made_of(*layers: dict[str, Any] | str, normalise: bool = True) -> Architecture:
    return Architecture.from_dict(
        {
            "space": "test",
            "space_version": 1,
            "tokens": [],
            "window_bp": None,
            "recipe": {},
            "batch_normalisation": normalise,
            "layers": list(layers),
        }
    )


def convolution(**changes: Any) -> dict[str, Any]:
    return {"operation": "convolution", "filters": 5, "kernel": 8, **changes}


def test_batch_normalisation_follows_each_convolution_before_its_activation() -> None:
    layers = (convolution(), convolution(kernel=1, activation="linear"), "global_max")
    names = [name for name, _ in made_of(*layers).build(50).named_children()]
    assert names == [
        "padding_1",
        "convolution_1",
        "normalisation_1",
        "activation_1",
        "convolution_2",
        "normalisation_2",
        "tail",
        "output",
    ]
    bare = made_of(*layers, normalise=False).build(50)
    assert not [part for part in bare.modules() if isinstance(part, nn.BatchNorm1d)]
    assert bare.convolution_1.bias is not None
    assert made_of(*layers).build(50).convolution_1.bias is None


@pytest.mark.parametrize("kernel", [1, 7, 8])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_convolutions_keep_the_length_as_torch_pads_same(kernel: int, dilation: int) -> None:
    layer = convolution(kernel=kernel, dilation=dilation, activation="linear")
    module = made_of(layer, "flatten", normalise=False).build(20)
    x = torch.randn(2, 4, 20)
    span = dilation * (kernel - 1)
    padded = nn.functional.pad(x, (span // 2, span - span // 2))
    own = module.convolution_1
    expected = nn.functional.conv1d(padded, own.weight, own.bias, dilation=dilation)
    assert expected.shape == (2, 5, 20)
    torch.testing.assert_close(module[:-2](x), expected)


@pytest.mark.parametrize("kind", ["max_pooling", "average_pooling"])
def test_pooling_never_empties_a_short_sequence(kind: str) -> None:
    pool = {"operation": kind, "size": 4}
    for window_bp, lengths in ((64, [16, 4, 1]), (9, [2, 1]), (3, [1]), (1, [])):
        module = made_of(convolution(), pool, pool, pool, "flatten").build(window_bp)
        sizes = [p for p in module if isinstance(p, (nn.MaxPool1d, nn.AvgPool1d))]
        assert len(sizes) == len(lengths)
        assert module.output.in_features == 5
        assert module(torch.randn(2, 4, window_bp)).shape == (2, 1)


def test_pooling_drops_the_positions_left_over() -> None:
    pool = {"operation": "max_pooling", "size": 4}
    assert made_of(pool, "flatten").build(50).output.in_features == 4 * 12


def test_dense_layers_have_relu_and_tails_hand_on_their_width() -> None:
    for tail, width in (("global_max", 5), ({"operation": "lstm", "units": 7}, 7), ("flatten", 50)):
        module = made_of(convolution(), tail, {"operation": "dense", "units": 3}, "identity").build(
            10, outputs=4
        )
        assert module.dense_1.in_features == width
        assert isinstance(module.activation_2, nn.ReLU)
        assert module.output.in_features == 3
        assert module(torch.randn(2, 4, 10)).shape == (2, 4)


def test_no_dropout_is_no_layer() -> None:
    drop = {"operation": "dropout", "rate": 0.0}
    assert not hasattr(made_of(drop, "flatten").build(10), "dropout_1")
    drop["rate"] = 0.25
    assert made_of(drop, "flatten").build(10).dropout_1.p == 0.25


def test_a_layer_on_both_strands_makes_a_one_block_network_blind_to_the_strand() -> None:
    first = convolution(reverse_complement=True, activation="exponential")
    module = made_of(first, "attention", {"operation": "dense", "units": 3}).build(40).eval()
    x = torch.randn(3, 4, 40)
    torch.testing.assert_close(module(x), module(x.flip(1, 2)))


def test_a_batch_of_one_equals_a_batch_of_many() -> None:
    generator = np.random.default_rng(4)
    for name in ("ambient-10", "ambient-plus"):
        for _ in range(5):
            module = named_space(name).sample(generator).build(200, outputs=2).eval()
            x = torch.randn(4, 4, 200)
            with torch.no_grad():
                many, single = module(x), torch.cat([module(x[i : i + 1]) for i in range(4)])
            torch.testing.assert_close(many, single, atol=1e-5, rtol=1e-5)


def test_the_weights_follow_the_global_seed() -> None:
    architecture = named_space("ambient-10").sample(np.random.default_rng(0))
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(architecture.build(200).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not all(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_the_window_of_the_architecture_is_the_default() -> None:
    flat = ({"operation": "flatten"},)
    decided = Architecture.from_dict({**made_of(*flat).to_dict(), "window_bp": 30})
    assert decided.build().output.in_features == 120
    assert decided.build(20).output.in_features == 80


@pytest.mark.parametrize(("window_bp", "outputs"), [(0, 1), (-5, 1), (10, 0)])
def test_an_empty_window_or_no_output_is_refused(window_bp: int, outputs: int) -> None:
    with pytest.raises(SpaceError, match=r"where at least 1|at least 1 was needed"):
        made_of("flatten").build(window_bp, outputs)
