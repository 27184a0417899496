"""The published spaces: their sizes, and that all they offer can be built and trained."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from ambient.child.count import count_flops, count_parameters
from ambient.errors import SpaceError
from ambient.space import Architecture, named_space, published_spaces

torch.set_num_threads(1)


def test_the_published_spaces_are_read_by_name() -> None:
    assert published_spaces() == ("amber-12", "ambient-10", "ambient-plus", "bionas-4")
    for name in published_spaces():
        assert named_space(name).name == name
    with pytest.raises(SpaceError, match='did you mean "ambient-10"'):
        named_space("ambient10")


def test_ambient_10_holds_444528_architectures() -> None:
    # AMBIENT, appendix A; DESIGN 7.
    space = named_space("ambient-10")
    assert space.size == 444_528
    assert math.prod(len(decision.choices) for decision in space.decisions) == 444_528
    counts = [len(decision.choices) for decision in space.decisions]
    assert counts == [7, 2, 3, 7, 2, 3, 7, 4, 3, 3]
    assert space.window_bp == 1000
    assert space.batch_normalisation


def test_ambient_10_offers_the_convolutions_of_the_paper() -> None:
    space = named_space("ambient-10")
    for index, linear, filters in ((0, 4, 16), (3, 16, 64), (6, 64, 256)):
        offered = [choice.parameters for choice in space.decisions[index].choices]
        assert (offered[0]["filters"], offered[0]["kernel"]) == (linear, 1)
        assert offered[0]["activation"] == "linear"
        assert {(v["filters"], v["kernel"], v["dilation"]) for v in offered[1:]} == {
            (filters, kernel, dilation) for kernel in (8, 14, 20) for dilation in (1, 2)
        }
        assert {v["activation"] for v in offered[1:]} == {"relu"}


def test_ambient_plus_has_the_size_counted_by_its_blocks() -> None:
    # Per later block: pooling, kernel, dilation. Two of five tails choose a pooling more.
    blocks = sum((2 * 3 * 2) ** later for later in range(4))
    before = 3 * 3 * 2 * 2 * 3 * 2  # window, filters, strands, activation, kernel, dilation
    after = (3 + 2 * 2) * 3 * 4 * 3 * 3  # tail, dense, dropout, learning rate, weight decay
    assert named_space("ambient-plus").size == before * blocks * after


def test_ambient_plus_decides_window_blocks_and_recipe() -> None:
    generator = np.random.default_rng(1)
    drawn = [named_space("ambient-plus").sample(generator) for _ in range(300)]
    assert {one.window_bp for one in drawn} == {200, 500, 1000}
    assert {sum(x.kind == "convolution" for x in one.layers) for one in drawn} == {1, 2, 3, 4}
    assert all(set(one.recipe) == {"learning_rate_factor", "weight_decay"} for one in drawn)
    assert len({one.key for one in drawn}) == len({one.tokens for one in drawn})


@st.composite
def architectures(draw: st.DrawFn) -> Architecture:
    # Networks of amber-12 take a tenth of a second each: `test_skip_networks` looks at some of them.
    names = [name for name in published_spaces() if name != "amber-12"]
    space = named_space(draw(st.sampled_from(names)))
    tokens: list[int] = []
    for _ in space.decisions:
        offered = space.options(tokens)
        tokens.append(draw(st.integers(0, len(offered) - 1)) if offered else -1)
    return space.architecture(tokens)


def check_trains(architecture: Architecture, window_bp: int, half: bool) -> None:
    """Forward, backward: finite logits, a finite gradient on every weight, float32 weights."""
    torch.manual_seed(0)
    module = architecture.build(window_bp, outputs=2)
    codes = torch.randint(0, 4, (3, window_bp))
    x = torch.nn.functional.one_hot(codes, 4).transpose(1, 2).float()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        logits = module(x)
    assert logits.shape == (3, 2)
    assert torch.isfinite(logits).all()
    logits.float().square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.dtype == torch.float32
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@settings(max_examples=150, deadline=None)
@given(architectures(), st.booleans())
def test_any_architecture_trains_at_any_width(architecture: Architecture, half: bool) -> None:
    for window_bp in (200, 500, 1000):
        check_trains(architecture, window_bp, half)


@pytest.mark.parametrize("name", published_spaces())
@pytest.mark.parametrize("half", [False, True])
def test_every_choice_of_every_decision_trains(name: str, half: bool) -> None:
    space = named_space(name)
    wanted = {(i, t) for i, d in enumerate(space.decisions) for t in range(len(d.choices))}
    generator = np.random.default_rng(3)
    while wanted:
        architecture = space.sample(generator)
        covered = wanted & set(enumerate(architecture.tokens))
        if covered:
            wanted -= covered
            check_trains(architecture, 200, half)


@settings(max_examples=60, deadline=None)
@given(architectures(), st.sampled_from([200, 500]))
def test_counts_agree_with_what_torch_counts(architecture: Architecture, window_bp: int) -> None:
    module = architecture.build(window_bp).eval()
    assert count_parameters(module) == sum(p.numel() for p in module.parameters())
    if any(layer.kind == "lstm" for layer in architecture.layers):
        return  # torch's counter does not see an LSTM on a CPU; test_count.py holds it to a loop
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(torch.zeros(1, 4, window_bp))
    assert count_flops(module, window_bp) == counter.get_total_flops()
