"""The policy: probabilities that are exact, the same in sampling, training and deployment."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import yaml
from conditional_space import CONDITIONAL
from torch import Tensor

from ambient.controller.beam import beam, most_probable
from ambient.controller.policy import Policy, PolicyConfig
from ambient.errors import RunError
from ambient.space import SearchSpace

COUNT = 3  # descriptors


def conv(filters: int) -> dict[str, Any]:
    return {"operation": "convolution", "filters": filters, "kernel": 4}


def conditional_space(shares: str | None = None) -> SearchSpace:
    group = {} if shares is None else {"shares": shares}
    return SearchSpace.from_dict(
        {
            "name": "conditional",
            "version": 1,
            "window_bp": 200,
            "decisions": [
                {"name": "blocks", "sets": "parameter", "choices": [1, 2]},
                {"name": "first", "choices": [conv(4), conv(8)], **group},
                {
                    "name": "second",
                    "choices": [conv(4), conv(16)],
                    "when": {"blocks": 2},
                    **group,
                },
                {
                    "name": "pool",
                    "choices": [{"operation": "max_pooling", "size": n} for n in (2, 3, 4)],
                    "when": {"second": conv(16)},
                },
                {"name": "tail", "choices": ["global_max", "global_average"]},
            ],
        }
    )


def policy_of(space: SearchSpace, **config: Any) -> Policy:
    policy = Policy(space, PolicyConfig(hidden=16, embedding=4, **config), COUNT, seed=1)
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.mul_(3)  # far from uniform
    return policy


def descriptors(batch: int, seed: int = 0) -> Tensor:
    return torch.randn(batch, 2 * COUNT, generator=torch.Generator().manual_seed(seed))


def every_architecture(space: SearchSpace) -> Tensor:
    return torch.tensor([architecture.tokens for architecture in space.enumerate()])


@pytest.mark.parametrize("bound", [None, 0.5, 5.0])
@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_probabilities_over_a_conditional_space_sum_to_one(
    bound: float | None, temperature: float
) -> None:
    space = conditional_space()
    policy = policy_of(space, tanh_bound=bound, temperature=temperature)
    tokens = every_architecture(space)
    assert len(tokens) == space.size == 2 * 2 + 2 * (1 + 3) * 2
    vector = descriptors(1).expand(len(tokens), -1)
    total = policy.log_probability(vector, tokens).detach().double().exp().sum()
    assert float(total) == pytest.approx(1, abs=1e-6)


def test_sampling_and_teacher_forcing_give_the_same_log_probability() -> None:
    policy = policy_of(conditional_space(), temperature=1.7, tanh_bound=2.0)
    vectors = descriptors(64)
    tokens, sampled = policy.sample(vectors, torch.Generator().manual_seed(0))
    assert {-1, 0, 1} <= set(tokens[:, 2].tolist())  # active and inactive in one batch
    torch.testing.assert_close(policy.log_probability(vectors, tokens), sampled)


def test_a_decision_with_two_conditions_is_taken_only_where_both_hold() -> None:
    space = SearchSpace.from_dict(yaml.safe_load(CONDITIONAL))
    policy = policy_of(space)
    vectors = descriptors(200)
    tokens, sampled = policy.sample(vectors, torch.Generator().manual_seed(0))
    names = [decision.name for decision in space.decisions]
    window, blocks, pooling = (tokens[:, names.index(of)] for of in ("window", "blocks", "pooling"))
    both = (window == 1) & (blocks == 2)
    assert torch.equal(pooling >= 0, both)
    assert 0 < both.sum() < min((window == 1).sum(), (blocks == 2).sum())
    for row in tokens.tolist():
        space.architecture(row)  # refuses a token where a condition does not hold
    torch.testing.assert_close(policy.log_probability(vectors, tokens), sampled)


def test_a_batch_gives_what_each_row_gives_alone() -> None:
    policy = policy_of(conditional_space())
    vectors = descriptors(16)
    tokens, _ = policy.sample(vectors, torch.Generator().manual_seed(0))
    together = policy.log_probability_and_entropy(vectors, tokens)
    alone = [
        policy.log_probability_and_entropy(vectors[i : i + 1], tokens[i : i + 1]) for i in range(16)
    ]
    for index, values in enumerate(together):
        torch.testing.assert_close(values, torch.cat([pair[index] for pair in alone]))


def test_samples_are_as_frequent_as_they_are_probable() -> None:
    space = conditional_space()
    policy = policy_of(space)
    draws = 20_000
    vector = descriptors(1)
    drawn, _ = policy.sample(vector.expand(draws, -1), torch.Generator().manual_seed(3))
    tokens = every_architecture(space)
    expected = policy.log_probability(vector.expand(len(tokens), -1), tokens).exp()
    found = torch.stack([(drawn == row).all(dim=1).float().mean() for row in tokens])
    deviation = (expected * (1 - expected) / draws).sqrt()
    assert bool(((found - expected).abs() < 4.5 * deviation).all())


def test_a_sample_depends_on_its_generator_alone() -> None:
    policy = policy_of(conditional_space())
    first, _ = policy.sample(descriptors(32), torch.Generator().manual_seed(5))
    torch.manual_seed(99)
    second, _ = policy.sample(descriptors(32), torch.Generator().manual_seed(5))
    other, _ = policy.sample(descriptors(32), torch.Generator().manual_seed(6))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_making_a_policy_leaves_the_global_generator_as_it_was() -> None:
    before = torch.get_rng_state()
    first, second = Policy(conditional_space(), seed=4), Policy(conditional_space(), seed=4)
    assert torch.equal(before, torch.get_rng_state())
    for left, right in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(left, right)


def test_a_wide_beam_over_a_small_space_is_the_enumeration() -> None:
    space = conditional_space()
    policy = policy_of(space)
    vector = descriptors(1)
    everything = every_architecture(space)
    expected = policy.log_probability(vector.expand(len(everything), -1), everything)
    order = expected.argsort(descending=True)
    ((tokens, values),) = beam(policy, vector, width=100)
    assert torch.equal(tokens, everything[order])
    torch.testing.assert_close(values, expected[order])


def test_a_narrow_beam_gives_exact_probabilities_in_order() -> None:
    policy = policy_of(conditional_space())
    vector = descriptors(1)
    ((tokens, values),) = beam(policy, vector, width=3)
    assert tokens.shape == (3, 5)
    torch.testing.assert_close(values, policy.log_probability(vector.expand(3, -1), tokens))
    assert values.tolist() == sorted(values.tolist(), reverse=True)


def test_the_most_probable_are_those_of_the_whole_space_for_each_data_set() -> None:
    space = conditional_space()
    policy = policy_of(space)
    vectors = descriptors(40)
    everything = every_architecture(space)
    found = most_probable(policy, vectors, count=2, width=100).best
    greedy = beam(policy, vectors, width=1)
    missed = 0
    for vector, (tokens, values), ((first, *_), _) in zip(vectors, found, greedy, strict=True):
        whole = policy.log_probability(vector.expand(len(everything), -1), everything)
        order = whole.argsort(descending=True)
        assert torch.equal(tokens[:2], everything[order[:2]])
        torch.testing.assert_close(values[:2], whole[order[:2]])
        missed += not torch.equal(first, tokens[0])
    assert missed  # else a narrow beam would have done
    assert max(len(values) for _, values in found) < len(everything)  # improbable ones are given up


@pytest.mark.parametrize("count", [1, 2, 4])
def test_beams_tell_how_probable_any_architecture_is(count: int) -> None:
    policy = policy_of(conditional_space())
    vectors = descriptors(20)
    beams = most_probable(policy, vectors, count, width=100)
    for tokens in every_architecture(policy.space):
        expected = policy.log_probability(vectors, tokens.expand(len(vectors), -1))
        torch.testing.assert_close(beams.log_probability(tokens.tolist()), expected)


def test_each_data_set_of_a_batch_has_a_beam_of_its_own() -> None:
    policy = policy_of(conditional_space())
    vectors = descriptors(7)
    for width in (1, 3, 100):
        for vector, (tokens, values) in zip(vectors, beam(policy, vectors, width), strict=True):
            ((alone, own),) = beam(policy, vector[None], width)
            assert torch.equal(tokens, alone)
            torch.testing.assert_close(values, own)


def test_entropy_of_the_path_averages_to_the_entropy_of_the_distribution() -> None:
    space = conditional_space()
    policy = policy_of(space)
    tokens = every_architecture(space)
    vector = descriptors(1).expand(len(tokens), -1)
    with torch.no_grad():
        log_probability, entropy = policy.log_probability_and_entropy(vector, tokens)
    probability = log_probability.exp()
    whole = -(probability * log_probability).sum()
    assert float((probability * entropy).sum()) == pytest.approx(float(whole), rel=1e-5)


def test_the_bound_keeps_every_choice_possible() -> None:
    policy = policy_of(conditional_space(), tanh_bound=1.0)
    with torch.no_grad():
        policy.heads[0].bias[0] = 1e4
    ((tokens, values),) = beam(policy, descriptors(1), width=100)
    first = float(values[tokens[:, 0] == 0].exp().sum())
    assert first <= 1 / (1 + math.exp(-2)) + 1e-6


def test_the_temperature_sharpens_before_the_bound_holds() -> None:
    policy = policy_of(conditional_space(), tanh_bound=1.5, temperature=0.25)
    logits = [0.4, -0.3]
    with torch.no_grad():
        policy.heads[0].weight.zero_()
        policy.heads[0].bias.copy_(torch.tensor(logits))
        ((first, second),), _ = policy.step(policy.begin(descriptors(1)))
    one, other = (math.exp(1.5 * math.tanh(logit / 0.25 / 1.5)) for logit in logits)
    assert float(first.exp()) == pytest.approx(one / (one + other), abs=1e-6)
    assert float(second.exp()) == pytest.approx(other / (one + other), abs=1e-6)


def test_the_architecture_depends_on_the_descriptors() -> None:
    policy = policy_of(conditional_space())
    (one, other) = descriptors(2)
    ((tokens, _),) = beam(policy, one[None], width=1)
    given = torch.stack([one, other])
    left, right = policy.log_probability(given, tokens.expand(2, -1)).tolist()
    assert left != pytest.approx(right, abs=1e-3)


def test_a_flag_that_training_never_saw_changes_nothing() -> None:
    policy = Policy(conditional_space(), descriptor_count=COUNT, seed=0)
    vector = descriptors(1)
    vector[:, COUNT:] = 0
    flagged = vector.clone()
    flagged[:, COUNT] = 1
    ((tokens, values),) = beam(policy, vector, width=100)
    ((other_tokens, other_values),) = beam(policy, flagged, width=100)
    assert torch.equal(tokens, other_tokens)
    assert torch.equal(values, other_values)


def test_decisions_that_share_have_one_embedding() -> None:
    apart, shared = Policy(conditional_space()), Policy(conditional_space("convolution"))
    assert len(apart.embeddings) == len(shared.embeddings) + 1 == 5
    assert shared.heads[1] is not shared.heads[2]


def test_every_weight_of_a_used_decision_gets_a_gradient() -> None:
    policy = policy_of(conditional_space())
    vectors = descriptors(64)
    tokens, _ = policy.sample(vectors, torch.Generator().manual_seed(0))
    policy.log_probability(vectors, tokens).sum().backward()
    last = "embeddings.decision_4.weight"  # nothing follows the last decision
    idle = [
        name
        for name, weight in policy.named_parameters()
        if weight.grad is None or not weight.grad.abs().sum() > 0
    ]
    assert idle == [last]


@pytest.mark.parametrize(
    "wrong", [{"hidden": 0}, {"temperature": 0.0}, {"tanh_bound": -1.0}, {"embedding": 0}]
)
def test_an_impossible_shape_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(RunError, match=next(iter(wrong))):
        PolicyConfig(**wrong)
