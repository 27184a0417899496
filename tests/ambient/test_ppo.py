"""PPO: the loss against a slow plain loop, and a bandit whose best arm depends on the task."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from ambient.controller.baselines import Baselines
from ambient.controller.policy import Policy, PolicyConfig
from ambient.controller.ppo import (
    PPOConfig,
    Step,
    explained_variance,
    normalise_advantages,
    ppo_loss,
    update,
)
from ambient.errors import RunError
from ambient.space import SearchSpace

COUNT = 4  # descriptors
DECISIONS = 3
CHOICES = 4


def plain_space() -> SearchSpace:
    return SearchSpace.from_dict(
        {
            "name": "plain",
            "version": 1,
            "window_bp": 200,
            "decisions": [
                *(
                    {
                        "name": f"layer_{layer}",
                        "choices": [
                            {"operation": "dropout", "rate": 0.1 * (choice + layer)}
                            for choice in range(CHOICES)
                        ],
                    }
                    for layer in range(DECISIONS - 1)
                ),
                {
                    "name": "tail",
                    "choices": ["global_max", "global_average", "attention", "flatten"],
                },
            ],
        }
    )


def fresh_policy(seed: int = 0) -> Policy:
    return Policy(plain_space(), PolicyConfig(hidden=32, embedding=8), COUNT, seed)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sampled_step(policy: Policy, rewards: Tensor, seed: int = 0) -> Step:
    count = len(rewards)
    vectors = torch.randn(count, 2 * COUNT, generator=generator(seed + 100))
    tokens, log_probabilities = policy.sample(vectors, generator(seed))
    return Step(("task",) * count, vectors, tokens, log_probabilities, rewards)


def slow_loss(new: Tensor, old: Tensor, advantages: Tensor, clip: float) -> float:
    total = 0.0
    for n, o, a in zip(new.tolist(), old.tolist(), advantages.tolist(), strict=True):
        ratio = math.exp(n - o)
        clipped = min(max(ratio, 1 - clip), 1 + clip)
        total += min(ratio * a, clipped * a)
    return -total / len(new)


@pytest.mark.parametrize("seed", range(5))
def test_the_loss_equals_a_slow_plain_loop(seed: int) -> None:
    old, moved, advantages = torch.randn(3, 50, generator=generator(seed), dtype=torch.float64)
    new = old + 0.3 * moved
    loss = ppo_loss(new, old, advantages, clip_ratio=0.2)
    assert float(loss) == pytest.approx(slow_loss(new, old, advantages, 0.2), rel=1e-12)


def test_opposite_advantages_in_one_batch_give_opposite_gradients() -> None:
    new = torch.tensor([-3.0, -3.0], requires_grad=True)
    ppo_loss(new, new.detach(), torch.tensor([1.0, -1.0]), 0.2).backward()
    assert new.grad is not None
    better, worse = new.grad.tolist()
    assert better == -worse == -0.5


def test_an_update_raises_what_was_good_and_lowers_what_was_bad() -> None:
    policy = fresh_policy()
    tokens = torch.tensor([[0, 1, 2], [3, 2, 1]])
    vectors = torch.zeros(2, 2 * COUNT)
    with torch.no_grad():
        before = policy.log_probability(vectors, tokens)
    step = Step(("task", "task"), vectors, tokens, before, torch.tensor([0.9, 0.7]))
    optimiser = torch.optim.SGD(policy.parameters(), lr=0.01)
    config = PPOConfig(entropy_weight=0.0, epochs=1)
    update(policy, optimiser, [step], {"task": 0.8}, config, generator())
    with torch.no_grad():
        good, bad = (policy.log_probability(vectors, tokens) - before).tolist()
    assert good > 1e-4
    assert bad < -1e-4


def test_a_ratio_beyond_the_clip_earns_no_gradient() -> None:
    old = torch.zeros(4)
    new = torch.tensor([0.5, 0.5, -0.5, -0.5], requires_grad=True)
    ppo_loss(new, old, torch.tensor([1.0, -1.0, 1.0, -1.0]), 0.2).backward()
    assert new.grad is not None
    assert (new.grad != 0).tolist() == [False, True, True, False]


def test_advantages_have_unit_variance_around_the_baselines() -> None:
    rewards, baselines = torch.rand(2, 30, generator=generator())
    advantages = normalise_advantages(rewards, baselines)
    assert float(advantages.std(unbiased=False)) == pytest.approx(1, abs=1e-5)
    assert torch.equal(advantages > 0, rewards > baselines)


def test_rewards_without_spread_give_no_advantage() -> None:
    rewards = torch.full((7,), 0.1) + 0.2
    assert normalise_advantages(rewards, torch.full((7,), 0.8)).tolist() == [0.0] * 7


def test_explained_variance_is_one_for_perfect_baselines_and_zero_for_a_constant() -> None:
    rewards = torch.tensor([0.5, 0.6, 0.9])
    assert explained_variance(rewards, rewards) == pytest.approx(1)
    assert explained_variance(rewards, torch.full((3,), 0.7)) == pytest.approx(0, abs=1e-6)
    assert explained_variance(torch.full((3,), 0.7), rewards) == 0.0


def test_advantages_follow_the_baselines_of_the_day() -> None:
    """The same buffer with the baseline moved past a reward pushes the other way."""
    moved = []
    for baselines in ({"a": 0.5, "b": 0.8}, {"a": 0.7, "b": 0.8}):
        policy = fresh_policy()
        tokens = torch.tensor([[0, 1, 2], [3, 2, 1]])
        vectors = torch.zeros(2, 2 * COUNT)
        with torch.no_grad():
            before = policy.log_probability(vectors, tokens)
        step = Step(("a", "b"), vectors, tokens, before, torch.tensor([0.6, 0.8]))
        optimiser = torch.optim.SGD(policy.parameters(), lr=0.01)
        config = PPOConfig(entropy_weight=0.0, epochs=1)
        update(policy, optimiser, [step], baselines, config, generator())
        with torch.no_grad():
            moved.append(float((policy.log_probability(vectors, tokens) - before)[0]))
    assert moved[0] > 0 > moved[1]


def test_each_reward_is_held_against_the_baseline_of_its_own_task() -> None:
    """0.75 is little for a task that earns 0.8; on the other's baseline it would be much."""
    policy = fresh_policy()
    tokens = torch.tensor([[0, 1, 2], [3, 2, 1]])
    vectors = torch.zeros(2, 2 * COUNT)
    with torch.no_grad():
        before = policy.log_probability(vectors, tokens)
    step = Step(("a", "b"), vectors, tokens, before, torch.tensor([0.4, 0.75]))
    optimiser = torch.optim.SGD(policy.parameters(), lr=0.01)
    config = PPOConfig(entropy_weight=0.0, epochs=1)
    update(policy, optimiser, [step], {"a": 0.3, "b": 0.8}, config, generator())
    with torch.no_grad():
        first, second = (policy.log_probability(vectors, tokens) - before).tolist()
    assert first > 1e-4
    assert second < -1e-4


def test_an_update_learns_nothing_from_a_sample_that_is_beyond_the_clip() -> None:
    """Ratios are taken to the policy that sampled: here 1.65, so a good sample has had its due."""
    moved = []
    for clip_ratio in (0.2, 0.9):
        policy = fresh_policy()
        step = sampled_step(policy, torch.tensor([0.9, 0.8]))
        step = replace(step, log_probabilities=step.log_probabilities - 0.5)
        before = [weight.detach().clone() for weight in policy.parameters()]
        config = PPOConfig(entropy_weight=0.0, epochs=1, clip_ratio=clip_ratio)
        optimiser = torch.optim.SGD(policy.parameters(), lr=0.1)
        logs = update(policy, optimiser, [step], {"task": 0.5}, config, generator())
        assert logs["clip_fraction"] == float(clip_ratio < 0.65)
        after = policy.parameters()
        moved.append(not all(map(torch.equal, before, after)))
    assert moved == [False, True]


def test_an_update_ends_early_when_the_policy_has_moved_too_far() -> None:
    rewards = torch.rand(40, generator=generator())
    counts = []
    for limit in (1e-6, 1e6):
        policy = fresh_policy()
        step = sampled_step(policy, rewards)
        optimiser = torch.optim.Adam(policy.parameters(), lr=0.01)
        config = PPOConfig(kl_limit=limit, epochs=10, minibatch_size=10)
        logs = update(policy, optimiser, [step], {"task": 0.5}, config, generator())
        counts.append(logs["minibatches"])
        assert (logs["approx_kl"] > limit) == (limit < 1)
    assert counts[0] < 5
    assert counts[1] == 40


def test_no_later_minibatch_is_read_once_the_policy_has_moved_too_far(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    policy = fresh_policy()
    step = sampled_step(policy, torch.rand(40, generator=generator()))
    optimiser = torch.optim.Adam(policy.parameters(), lr=0.01)
    config = PPOConfig(kl_limit=1e-6, epochs=10, minibatch_size=10)
    read, learning = policy.log_probability_and_entropy, []

    def counted(descriptors: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        learning.append(torch.is_grad_enabled())  # not where the update measures its start
        return read(descriptors, tokens)

    monkeypatch.setattr(policy, "log_probability_and_entropy", counted)
    logs = update(policy, optimiser, [step], {"task": 0.5}, config, generator())
    assert learning.count(True) == logs["minibatches"] + 1 < 40


def test_long_gradients_are_shortened() -> None:
    policy = fresh_policy()
    step = sampled_step(policy, torch.rand(40, generator=generator()))
    before = torch.cat([weight.detach().flatten().clone() for weight in policy.parameters()])
    optimiser = torch.optim.SGD(policy.parameters(), lr=1.0)
    config = PPOConfig(epochs=1, minibatch_size=40, gradient_norm=1e-3)
    logs = update(policy, optimiser, [step], {"task": 0.5}, config, generator())
    after = torch.cat([weight.detach().flatten() for weight in policy.parameters()])
    assert logs["gradient_norm"] > 1e-3
    assert float((after - before).norm()) == pytest.approx(1e-3, rel=0.01)


def test_the_logs_are_those_of_cleanrl_and_finite() -> None:
    policy = fresh_policy()
    buffer = [sampled_step(policy, torch.rand(20, generator=generator(s)), s) for s in range(3)]
    optimiser = torch.optim.Adam(policy.parameters())
    logs = update(policy, optimiser, buffer, {"task": 0.5}, PPOConfig(), generator())
    assert {"approx_kl", "clip_fraction", "entropy", "explained_variance"} <= logs.keys()
    assert all(math.isfinite(value) for value in logs.values())
    assert logs["entropy"] == pytest.approx(DECISIONS * math.log(CHOICES), rel=0.05)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"clip_ratio": 0.0}, {"entropy_weight": -1.0}])
def test_an_impossible_constant_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(RunError, match=next(iter(wrong))):
        PPOConfig(**wrong)


# One task for each descriptor; its best arm is different in every decision.
TARGETS = torch.tensor(
    [[(task + layer) % CHOICES for layer in range(DECISIONS)] for task in range(4)]
)
VECTORS = torch.cat([torch.eye(COUNT), torch.zeros(COUNT, COUNT)], dim=1)


def payoff(tasks: Tensor, tokens: Tensor) -> Tensor:
    """Share of the decisions that are right: 1 at best, 0.25 for a choice that ignores the task."""
    return (tokens == TARGETS[tasks]).float().mean(dim=1)


def play(shuffled: bool, steps: int) -> float:
    """Train on the bandit and give the mean payoff of the policy's own samples at the end."""
    policy = fresh_policy()
    config = PPOConfig(learning_rate=0.01, buffer_steps=4)
    optimiser = torch.optim.Adam(policy.parameters(), lr=config.learning_rate)
    baselines, buffer = Baselines(), list[Step]()
    draws, noise = generator(1), generator(2)
    tasks = torch.arange(4).repeat_interleave(5)
    recent = []
    for number in range(steps):
        seen = torch.randperm(4, generator=noise)[tasks] if shuffled else tasks
        tokens, log_probabilities = policy.sample(VECTORS[seen], draws)
        earned = payoff(tasks, tokens)
        rewards = earned + 0.05 * torch.randn(len(tasks), generator=noise)
        names = tuple(f"task_{task}" for task in tasks.tolist())
        for task in range(4):
            baselines.update(f"task_{task}", rewards[tasks == task].tolist())
        buffer = [*buffer, Step(names, VECTORS[seen], tokens, log_probabilities, rewards)]
        buffer = buffer[-config.buffer_steps :]
        update(policy, optimiser, buffer, baselines.to_dict(), config, draws)
        if number >= steps - 10:
            recent.append(float(earned.mean()))
    return sum(recent) / len(recent)


def test_a_bandit_whose_best_arm_depends_on_the_descriptors_is_solved() -> None:
    assert play(shuffled=False, steps=50) > 0.9


def test_the_bandit_is_not_solved_when_descriptors_are_shuffled() -> None:
    assert play(shuffled=True, steps=50) < 0.5
