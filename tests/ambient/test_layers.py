"""The layers that torch does not have, against slow plain loops."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from ambient.child.layers import (
    AttentionPooling,
    BothStrands,
    Exponential,
    GlobalAverage,
    GlobalMax,
    LastState,
)


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


def one_hot(length: int, count: int = 3) -> torch.Tensor:
    return functional.one_hot(torch.randint(0, 4, (count, length)), 4).transpose(1, 2).float()


@pytest.mark.parametrize(("kernel", "dilation"), [(7, 1), (8, 1), (8, 2), (14, 3), (1, 1), (40, 1)])
def test_the_reverse_complement_gives_the_mirrored_output(kernel: int, dilation: int) -> None:
    layer = BothStrands(5, kernel, dilation)
    x = one_hot(30)
    y = layer(x)
    assert y.shape == (3, 5, 30)
    torch.testing.assert_close(layer(x.flip(1, 2)), y.flip(2))


@pytest.mark.parametrize(("kernel", "dilation"), [(7, 1), (8, 1), (8, 3)])
@pytest.mark.parametrize("bias", [False, True])
def test_both_strands_equal_a_plain_loop_over_positions(
    kernel: int, dilation: int, bias: bool
) -> None:
    layer = BothStrands(2, kernel, dilation, bias)
    x = one_hot(20, count=1)
    span = dilation * (kernel - 1)
    left = span // 2  # as torch pads 'same': the odd position goes to the right
    expected = torch.zeros(2, 20)
    for channel in range(2):
        weight = layer.weight[channel]
        for position in range(20):
            scores = []
            for strand, place in ((x[0], position), (x[0].flip(0, 1), 19 - position)):
                total = torch.zeros(())
                for offset in range(kernel):
                    at = place - left + offset * dilation
                    if 0 <= at < 20:
                        total = total + weight[:, offset] @ strand[:, at]
                scores.append(total)
            expected[channel, position] = max(scores)
    if layer.bias is not None:
        expected += layer.bias[:, None]
    assert (layer.bias is not None) == bias
    torch.testing.assert_close(layer(x)[0], expected)


def test_the_exponential_never_overflows_half_precision() -> None:
    x = torch.tensor([-200.0, 0.0, 1.0, 9.0, 300.0], requires_grad=True)
    y = Exponential()(x)
    torch.testing.assert_close(y[1:4], x[1:4].exp())
    assert torch.isfinite(y.half()).all()
    y.sum().backward()
    assert torch.isfinite(x.grad).all()


def test_attention_is_a_mean_weighted_by_the_scores() -> None:
    layer = AttentionPooling(6)
    x = torch.randn(2, 6, 9)
    y = layer(x)
    assert y.shape == (2, 6)
    for example in range(2):
        scores = layer.score.weight[0, :, 0] @ x[example] + layer.score.bias
        weights = scores.exp() / scores.exp().sum()
        torch.testing.assert_close(y[example], (x[example] * weights).sum(1))
    torch.testing.assert_close(layer(x.flip(2)), y)


def test_the_last_state_is_that_of_the_last_position() -> None:
    layer = LastState(3, 5)
    x = torch.randn(2, 3, 11)
    outputs, _ = layer.lstm(x.transpose(1, 2))
    torch.testing.assert_close(layer(x), outputs[:, -1])


def test_global_pooling_takes_the_largest_and_the_mean() -> None:
    x = torch.randn(2, 3, 7)
    torch.testing.assert_close(GlobalMax()(x), x.max(2).values)
    torch.testing.assert_close(GlobalAverage()(x), x.sum(2) / 7)
