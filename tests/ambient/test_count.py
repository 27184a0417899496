"""Parameters and operations of a network, against counts by hand and by torch."""

from __future__ import annotations

import pytest
import torch
from tiny_children import architectures
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from ambient.child.count import check_limits, count_flops, count_parameters
from ambient.child.layers import BothStrands, GlobalMax, LastState


def test_a_small_network_is_counted_as_by_hand() -> None:
    network = nn.Sequential(
        nn.Conv1d(4, 6, 5, padding=2, bias=False),
        nn.BatchNorm1d(6),
        nn.ReLU(),
        GlobalMax(),
        nn.Linear(6, 3),
    )
    assert count_parameters(network) == 4 * 6 * 5 + 2 * 6 + 6 * 3 + 3
    assert count_flops(network, 20) == 2 * 20 * 4 * 6 * 5 + 2 * 6 * 3


def test_an_lstm_is_counted_as_its_matrix_products_one_position_after_the_other() -> None:
    layer = LastState(4, 6)
    lstm, x = layer.lstm, torch.randn(1, 4, 13)
    hidden, cell = torch.zeros(1, 6), torch.zeros(1, 6)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        for position in range(13):
            gates = functional.linear(x[:, :, position], lstm.weight_ih_l0, lstm.bias_ih_l0)
            gates = gates + functional.linear(hidden, lstm.weight_hh_l0, lstm.bias_hh_l0)
            enter, forget, new, out = gates.chunk(4, dim=1)
            cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
            hidden = out.sigmoid() * cell.tanh()
    torch.testing.assert_close(layer(x), hidden)  # the loop is the LSTM
    assert count_flops(layer, 13) == counter.get_total_flops()


def test_reading_both_strands_costs_twice() -> None:
    for kernel in (7, 8):
        layer = BothStrands(5, kernel, 1, bias=False)
        assert count_parameters(layer) == 5 * 4 * kernel
        assert count_flops(layer, 20) == 2 * 2 * 5 * 4 * kernel * 20


def test_counting_leaves_the_network_as_it_was() -> None:
    network = nn.Sequential(nn.Conv1d(4, 6, 5), nn.BatchNorm1d(6), GlobalMax(), nn.Linear(6, 1))
    network[1].eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    count_flops(network, 20)
    assert network.training
    assert network[3].training
    assert not network[1].training
    assert not any(part._forward_hooks for part in network.modules())
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name])


@pytest.mark.parametrize(
    ("limit", "what"),
    [("max_parameters", "parameters"), ("max_flops", "floating-point operations")],
)
def test_limits_say_what_exceeds_them_and_draw_nothing_at_random(limit: str, what: str) -> None:
    one = architectures()[0]
    network = one.build(60, 3)
    size = count_parameters(network) if what == "parameters" else count_flops(network, 60)
    state = torch.get_rng_state()
    for most, said in (
        (size, None),
        (size - 1, f"{size:,} {what}, at most {size - 1:,} are wanted"),
    ):
        exceeds = check_limits(60, outputs=3, **{limit: most})
        assert exceeds is not None
        assert exceeds(one) == said
    assert torch.equal(torch.get_rng_state(), state)
    assert check_limits(60) is None
