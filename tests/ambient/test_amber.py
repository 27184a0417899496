"""AMBER on one task: that REINFORCE is REINFORCE, that PPO is the joint method's, and that both learn."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
import torch
from tiny_children import TINY

from ambient.errors import RunError
from ambient.evaluate import Evaluation, Request
from ambient.search.amber import REINFORCE, amber_config, amber_searcher
from ambient.search.methods import make_searcher
from ambient.space import named_space

SPACE = named_space("ambient-10")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def quality(tokens: Sequence[int]) -> float:
    """Count the first choices taken: each decision has its say."""
    return sum(token == 0 for token in tokens) / len(tokens)


def answer(requests: Sequence[Request]) -> list[Evaluation]:
    return [
        Evaluation.of(one, "hash", metrics={"validation_auroc": quality(one.architecture.tokens)})
        for one in requests
    ]


def test_reinforce_follows_the_log_probability_times_the_centred_reward() -> None:
    own = amber_searcher(SPACE, "tiny", TINY, "reinforce", batch=6, seed=2)
    own.tell(answer(own.ask(6)))
    policy = copy.deepcopy(own.policy)
    optimiser = torch.optim.Adam(policy.parameters(), lr=REINFORCE.learning_rate, eps=1e-5)
    optimiser.load_state_dict(copy.deepcopy(own.optimiser.state_dict()))
    requests = own.ask(6)
    assert len(requests) == 6
    own.tell(answer(requests))

    rewards = torch.tensor([quality(one.architecture.tokens) for one in requests])
    advantages = rewards - own.baselines["tiny"]
    advantages = advantages / advantages.std(unbiased=False)
    tokens = torch.tensor([one.architecture.tokens for one in requests])
    nothing = torch.zeros(6, 2 * policy.descriptor_count)
    log_probabilities, entropy = policy.log_probability_and_entropy(nothing, tokens)
    loss = -(advantages * log_probabilities).mean()
    loss = loss - REINFORCE.entropy_weight * entropy.mean()
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(policy.parameters(), REINFORCE.gradient_norm)
    optimiser.step()
    for name, weight in policy.named_parameters():
        found = own.policy.get_parameter(name)
        assert torch.allclose(found, weight, rtol=1e-4, atol=1e-6), name


def test_reinforce_learns_from_the_newest_step_alone_and_ppo_from_many() -> None:
    updates = {}
    for algorithm in ("reinforce", "ppo"):
        own = amber_searcher(SPACE, "tiny", TINY, algorithm, batch=5)  # type: ignore[arg-type]
        for _ in range(4):
            own.tell(answer(own.ask(5)))
        updates[algorithm] = own.logs["minibatches"]
        assert own.logs["clip_fraction"] == 0 or algorithm == "ppo"
    assert updates["reinforce"] == 1
    assert updates["ppo"] > 1


def test_a_step_is_of_one_task_with_the_seed_of_the_search() -> None:
    own = amber_searcher(SPACE, "tiny", TINY, batch=7, seed=9)
    requests = own.ask(100)
    assert len(requests) == 7
    assert {(one.task, one.seed) for one in requests} == {("tiny", 9)}


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(RunError, match="needed one of ppo, reinforce"):
        amber_config("a2c")  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["amber", "amber-reinforce"])
def test_it_comes_to_prefer_what_is_rewarded(method: str) -> None:
    own = make_searcher(method, named_space("ambient-plus"), "tiny", TINY, seed=0)
    values: list[float] = []
    while len(values) < 150:
        requests = own.ask(5)
        values += [quality(one.architecture.tokens) for one in requests]
        own.tell(answer(requests))
    # The spread of one uniform draw is below 0.1, and that of the difference of two means of 40 below 0.023.
    assert np.mean(values[-40:]) > np.mean(values[:40]) + 0.1
