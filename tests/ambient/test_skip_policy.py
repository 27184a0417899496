"""Decisions about skips: attention over the states that read the earlier layers."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from skip_spaces import small_space
from torch import Tensor

from ambient.controller.beam import beam, most_probable
from ambient.controller.policy import Policy, PolicyConfig, along
from ambient.search.enas import skip_divergence
from ambient.space import SearchSpace, named_space

torch.set_num_threads(1)
SPACE = small_space()


def two_layers() -> SearchSpace:
    """3 layers of 2 operations and 3 skips, one of which applies at times: few enough to list."""
    choices = [{"operation": "convolution", "filters": 2, "kernel": kernel} for kernel in (3, 5)]
    return SearchSpace.from_dict(
        {
            "name": "few",
            "version": 1,
            "window_bp": 20,
            "decisions": [
                {"name": "a", "choices": choices},
                {"name": "b", "choices": choices, "skips": "all"},
                {"name": "c", "choices": choices, "when": {"b": choices[0]}, "skips": "all"},
                {"name": "tail", "choices": ["global_max"]},
            ],
        }
    )


def policy_of(space: SearchSpace, **config: Any) -> Policy:
    policy = Policy(space, PolicyConfig(hidden=8, embedding=4, **config), 1, seed=1)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(3)  # far from uniform
    return policy


def nothing(rows: int) -> Tensor:
    return torch.zeros(rows, 2)


def drawn(policy: Policy, rows: int) -> tuple[Tensor, Tensor]:
    return policy.sample(nothing(rows), torch.Generator().manual_seed(0))


def test_probabilities_of_operations_and_skips_sum_to_one() -> None:
    space = two_layers()
    policy = policy_of(space, temperature=1.5)
    tokens = torch.tensor([one.tokens for one in space.enumerate()])
    assert len(tokens) == 2 * 2 * (2 * 4 + 1)
    total = policy.log_probability(nothing(len(tokens)), tokens).detach().double().exp().sum()
    assert float(total) == pytest.approx(1, abs=1e-6)
    ((best, values),) = beam(policy, nothing(1), width=100)
    order = policy.log_probability(nothing(len(tokens)), tokens).argsort(descending=True)
    assert torch.equal(best, tokens[order])
    torch.testing.assert_close(values, policy.log_probability(nothing(len(best)), best))


def test_a_narrow_beam_is_gone_on_from_with_what_skips_look_back_at() -> None:
    policy = policy_of(two_layers())
    vectors = 3 * torch.randn((60, 2), generator=torch.Generator().manual_seed(0))
    every = torch.tensor([one.tokens for one in two_layers().enumerate()])
    beams = most_probable(policy, vectors, count=1, width=100)
    found = beams.best
    greedy = beam(policy, vectors, width=1)
    passed = 0
    for vector, (tokens, values), ((first, *_), _) in zip(vectors, found, greedy, strict=True):
        whole = policy.log_probability(vector.expand(len(every), -1), every).detach()
        assert torch.equal(tokens[0], every[whole.argmax()])
        torch.testing.assert_close(values[0], whole.max())
        passed += not torch.equal(first, tokens[0])
    assert 5 < passed < 55
    for tokens in every:
        expected = policy.log_probability(vectors, tokens.expand(len(vectors), -1)).detach()
        torch.testing.assert_close(beams.log_probability(tokens.tolist()), expected)


def test_sampling_and_reading_give_the_same_probabilities() -> None:
    for space in (SPACE, two_layers()):
        policy = policy_of(space, tanh_bound=2.0)
        tokens, sampled = drawn(policy, 64)
        torch.testing.assert_close(policy.log_probability(nothing(64), tokens), sampled)
        ((best, values),) = beam(policy, nothing(1), width=3)
        torch.testing.assert_close(policy.log_probability(nothing(3), best), values)


def test_a_skip_is_as_probable_as_a_plain_loop_says() -> None:
    policy = policy_of(SPACE, tanh_bound=None)
    tokens, _ = drawn(policy, 5)
    read = policy.read(nothing(5), tokens)
    attention, names = policy.attention, [decision.name for decision in SPACE.decisions]
    policy.requires_grad_(False)
    for row in range(5):
        state = policy._initial_state(nothing(1))
        given, states = policy.start[None], []
        for index, decision in enumerate(SPACE.decisions):
            output, state = policy.lstm(given[:, None], state)
            states.append(output[0, 0])
            token = tokens[row : row + 1, index]
            table = policy.embeddings[policy._tables[index]]
            given = table(token) if token >= 0 else policy.inactive[None]
            if decision.skip is None:
                continue
            source = decision.name.split(" > ")[0]
            earlier = states[names.index(source) + 1]  # the step that reads the source's operation
            inner = attention.previous.weight @ earlier + attention.current.weight @ states[index]
            wanted = float(attention.score.weight[0] @ torch.tanh(inner))
            expected = [1 / (1 + math.exp(wanted)), 1 / (1 + math.exp(-wanted))]
            assert read[index, row, :2].exp().tolist() == pytest.approx(expected, rel=1e-4)


def test_a_skip_depends_on_the_layer_that_it_comes_from() -> None:
    policy = policy_of(SPACE)
    names = [decision.name for decision in SPACE.decisions]
    skip, source = names.index("layer 1 > layer 4"), names.index("layer 1")
    with torch.no_grad():  # nothing of layer 1 but through attention: the cell forgets all
        hidden = policy.config.hidden
        policy.lstm.weight_hh_l0.zero_()
        policy.lstm.bias_ih_l0[hidden : 2 * hidden] = -1e4
    tokens = torch.zeros(2, len(names), dtype=torch.int64)
    tokens[1, source] = 1
    one, other = policy.read(nothing(2), tokens)[skip, :, :2].tolist()
    assert one != pytest.approx(other, abs=1e-3)
    with torch.no_grad():
        policy.attention.previous.weight.zero_()
    one, other = policy.read(nothing(2), tokens)[skip, :, :2].tolist()
    assert one == pytest.approx(other, abs=1e-6)


def test_the_gradient_reaches_attention_and_the_state_that_it_looks_back_at() -> None:
    policy = policy_of(SPACE)
    tokens, _ = drawn(policy, 4)
    choices = policy.read(nothing(4), tokens)
    choices[SPACE.skips[-1], :, 1].sum().backward()
    for name, weight in policy.attention.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().sum() > 0, name
    # By finite differences: the formula's derivative, through the LSTM and all.
    weight = policy.attention.previous.weight
    index = torch.nonzero(weight.grad == weight.grad.abs().max() * weight.grad.sign())[0]
    expected, step = float(weight.grad[tuple(index)]), 1e-2
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            weight[tuple(index)] += sign * step
            values.append(float(policy.read(nothing(4), tokens)[SPACE.skips[-1]][:, 1].sum()))
            weight[tuple(index)] -= sign * step
    assert (values[0] - values[1]) / (2 * step) == pytest.approx(expected, rel=0.05)


def test_a_policy_of_a_space_without_skips_has_no_attention_and_the_weights_that_it_always_had() -> (
    None
):
    plain = Policy(named_space("ambient-10"))
    assert not hasattr(plain, "attention")
    assert [name for name in plain.state_dict() if name.startswith("heads.0")] == [
        "heads.0.weight",
        "heads.0.bias",
    ]
    assert {
        "attention.previous.weight",
        "attention.current.weight",
        "attention.score.weight",
    } <= set(Policy(SPACE).state_dict())
    assert not [name for name in Policy(SPACE).state_dict() if name == "heads.2.weight"]


def test_skips_share_one_embedding() -> None:
    assert len(Policy(SPACE).embeddings) == 2  # operations, skips
    assert len(Policy(named_space("amber-12")).embeddings) == 2


def test_the_divergence_is_zero_at_the_target_and_counts_what_applies() -> None:
    tokens = torch.zeros(2, len(SPACE.decisions), dtype=torch.int64)
    choices = torch.zeros(len(SPACE.decisions), 2, 5)
    for p, expected in (
        (0.4, 0.0),
        (0.5, 0.5 * math.log(0.5 / 0.6) + 0.5 * math.log(0.5 / 0.4)),
        (0.9, 0.1 * math.log(0.1 / 0.6) + 0.9 * math.log(0.9 / 0.4)),
    ):
        for index in SPACE.skips:
            choices[index, :, :2] = torch.tensor([1 - p, p]).log()
        found = skip_divergence(SPACE, choices, tokens, 0.4)
        # 6 skips to 3 layers.
        torch.testing.assert_close(found, torch.full((2,), 6 / 3 * expected), atol=1e-6, rtol=1e-5)
    tokens[1, SPACE.skips[0]] = -1
    one, other = skip_divergence(SPACE, choices, tokens, 0.4).tolist()
    assert other == pytest.approx(one * 5 / 6)
    plain = named_space("bionas-4")
    zeros = skip_divergence(plain, torch.zeros(4, 2, 3), torch.zeros(2, 4, dtype=torch.int64), 0.4)
    assert torch.equal(zeros, torch.zeros(2))


def test_the_divergence_alone_brings_the_share_of_skips_to_its_target() -> None:
    policy = policy_of(SPACE)
    optimiser = torch.optim.Adam(policy.parameters(), lr=0.02)
    for step in range(60):
        tokens, _ = policy.sample(nothing(16), torch.Generator().manual_seed(step))
        choices = policy.read(nothing(16), tokens)
        optimiser.zero_grad()
        skip_divergence(SPACE, choices, tokens, 0.4).mean().backward()
        optimiser.step()
    tokens, _ = drawn(policy, 500)
    assert float(tokens[:, list(SPACE.skips)].float().mean()) == pytest.approx(0.4, abs=0.05)


def test_what_is_met_along_the_way_sums_up() -> None:
    policy = policy_of(two_layers())
    tokens, _ = drawn(policy, 32)
    assert (tokens == -1).any()
    total, entropy = (one.detach() for one in along(policy.read(nothing(32), tokens), tokens))
    expected = [one.detach() for one in policy.log_probability_and_entropy(nothing(32), tokens)]
    assert torch.equal(total, expected[0])
    assert torch.equal(entropy, expected[1])
    inactive = (tokens == -1).any(1)
    assert float(entropy[inactive].mean()) < float(entropy[~inactive].mean())
