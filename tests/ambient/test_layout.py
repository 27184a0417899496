"""The layout in which a network is computed changes its speed and nothing else."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from ambient.child.batches import one_hot
from ambient.child.layout import forward
from ambient.space import named_space


def windows(count: int, width: int) -> torch.Tensor:
    codes = np.random.default_rng(0).integers(0, 5, (count, width), dtype=np.uint8)
    return one_hot(torch.from_numpy(codes))


def without_dropout(module: nn.Module) -> nn.Module:
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    return module


@pytest.mark.parametrize("space", ["ambient-10", "ambient-plus"])
@pytest.mark.parametrize("training", [True, False])
def test_outputs_gradients_and_statistics_equal_those_of_the_plain_modules(
    space: str, training: bool
) -> None:
    rng = np.random.default_rng(3)
    for number in range(25):
        torch.manual_seed(number)
        plain = without_dropout(named_space(space).sample(rng).build(96, 2)).train(training)
        laid_out = copy.deepcopy(plain)
        x = windows(12, 96)
        expected, found = plain(x.contiguous()), forward(laid_out, x)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        expected.square().sum().backward()
        found.square().sum().backward()
        for one, other in zip(plain.parameters(), laid_out.parameters(), strict=True):
            scale = one.grad.abs().max().item()
            torch.testing.assert_close(other.grad, one.grad, rtol=1e-3, atol=1e-4 * (1 + scale))
        for name, value in plain.state_dict().items():
            torch.testing.assert_close(
                laid_out.state_dict()[name], value, rtol=1e-4, atol=1e-5, msg=name
            )


def test_channels_stay_side_by_side_from_the_first_layer_to_the_tail() -> None:
    network = nn.Sequential(
        nn.ConstantPad1d((0, 1), 0.0),
        nn.Conv1d(4, 8, 6, padding=2),
        nn.BatchNorm1d(8),
        nn.ReLU(),
        nn.MaxPool1d(4),
        nn.Dropout(0.5),
        nn.Conv1d(8, 6, 5, padding=4, dilation=2),
        nn.AvgPool1d(4),
    )
    x = forward(network.train(), windows(5, 64))
    assert x.shape == (5, 6, 4)
    assert x.stride() == (24, 1, 6)


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    for rate in (0.0, 0.1, 0.5):
        network = nn.Sequential(nn.Dropout(rate)).train()
        for shape in ((40, 50, 60), (40, 3001)):
            x = torch.ones(shape)
            y = forward(network, x)
            assert (y == 0).float().mean().item() == pytest.approx(rate, abs=0.005)
            assert y.mean().item() == pytest.approx(1.0, abs=0.01)
            assert y.max().item() == pytest.approx(1 / (1 - rate), rel=1e-3)
        assert torch.equal(forward(network.eval(), x), x)


@pytest.mark.parametrize("rate", [1e-6, 0.1, 0.3, 0.5, 0.999])
def test_numbers_of_16_bits_are_dropped_like_those_of_32(rate: float) -> None:
    network, x = nn.Sequential(nn.Dropout(rate)).train(), torch.ones(4, 6, 1001)
    outputs = []
    for dtype in (torch.float32, torch.bfloat16):
        torch.manual_seed(5)
        given = x.clone().to(dtype).requires_grad_()
        outputs.append(forward(network, given))
        outputs[-1].sum().backward()
        assert torch.equal(given.grad, outputs[-1])
    assert torch.equal(outputs[0].to(torch.bfloat16), outputs[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("size", "width"), [(4, 40), (4, 43), (3, 11), (8, 8)])
def test_the_gradient_of_an_average_is_that_of_torch(
    size: int, width: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(size)
    module = nn.AvgPool1d(size)
    one = torch.randn(3, 7, width).to(dtype).requires_grad_()
    other = one.detach().clone().requires_grad_()
    plain, found = module(one), forward(nn.Sequential(module), other)
    assert torch.equal(plain, found)
    weights = torch.randn(plain.shape).to(dtype)
    for y in (plain, found):
        (y * weights).sum().backward()
    assert torch.equal(one.grad, other.grad)


def test_a_dropout_mask_follows_from_torchs_seed_alone() -> None:
    network, x = nn.Sequential(nn.Dropout(0.3)).train(), torch.ones(7, 5, 3)
    torch.manual_seed(4)
    first = forward(network, x)
    assert not torch.equal(forward(network, x), first)
    torch.manual_seed(4)
    assert torch.equal(forward(network, x), first)


def test_a_module_that_is_no_sequence_is_called_as_a_whole() -> None:
    class Mean(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.avg_pool1d(x, 4).mean((1, 2))[:, None]

    x = windows(3, 16)
    assert torch.equal(forward(Mean(), x), Mean()(x))
