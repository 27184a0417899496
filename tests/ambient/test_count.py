"""Parameters and operations of a network, against counts by hand and by torch."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny_children import SPACE, STRANDS, architectures
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from ambient.child.count import Limits, check_limits, count_flops, count_parameters
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


def test_what_falls_short_names_each_limit_that_refuses_and_the_smallest() -> None:
    networks = [one.build(60, 1) for one in SPACE.enumerate()]
    least = min(map(count_parameters, networks))
    fewest = min(count_flops(one, 60) for one in networks)
    few = Limits(60, max_parameters=least - 1, max_flops=10**9)
    assert not any(map(few, SPACE.enumerate()))
    said = f"the smallest has {least:,} parameters, above the limit of {least - 1:,}"
    assert few.shortfall(SPACE.enumerate()) == f"{said}; raise it"
    both = Limits(60, max_parameters=least - 1, max_flops=7)
    assert both.shortfall(SPACE.enumerate()) == (
        f"{said}, and {fewest:,} floating-point operations, above the limit of 7; raise them"
    )


def test_of_two_limits_each_is_told_from_what_the_other_lets_through() -> None:
    one, other = SPACE.architecture([0, 0]), replace(SPACE.architecture([5, 0]), window_bp=10)
    sizes = [
        (count_parameters(each.build(width, 1)), count_flops(each.build(width, 1), width))
        for each, width in ((one, 60), (other, 10))
    ]
    (small, costly), (large, cheap) = sizes
    assert small < large
    assert cheap < costly
    limits = Limits(60, max_parameters=small, max_flops=cheap)
    assert limits.shortfall([one, other]) == (
        f"the smallest has {large:,} parameters, above the limit of {small:,}, and {costly:,} floating-point "
        f"operations, above the limit of {cheap:,}; raise them"
    )


def test_on_a_stranded_data_set_only_networks_that_tell_strands_apart_are_counted() -> None:
    apart = [one for one in STRANDS.enumerate() if not one.reads_both_strands]
    least = min(count_parameters(one.build(60, 1)) for one in apart)
    limits = Limits(60, max_parameters=1, stranded=True)
    assert f"the smallest has {least:,} parameters" in limits.shortfall(STRANDS.enumerate())
    both = [one for one in STRANDS.enumerate() if one.reads_both_strands]
    assert "all of them read both strands alike" in limits.shortfall(both)
