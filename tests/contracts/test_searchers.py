"""What every searcher keeps: honest requests, its own random state, a state that can be restored."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from tiny_children import SPACE, TINY, pretend, tiny_task

from ambient.evaluate import Evaluation, InlineEngine, Request
from ambient.search import AmbientSearcher, RandomSearcher, Searcher, run_search

TASKS = {name: tiny_task(name, seed) for seed, name in enumerate(("one", "two", "three"))}

# From a seed to a searcher over `SPACE` and `TASKS` at `TINY`.
SEARCHERS: dict[str, Callable[[int], Searcher]] = {
    "random": lambda seed: RandomSearcher(SPACE, list(TASKS), TINY, seed),
    "ambient": lambda seed: AmbientSearcher(SPACE, dict.fromkeys(TASKS), TINY, seed=seed),
}


@pytest.fixture(params=list(SEARCHERS))
def make(request: pytest.FixtureRequest) -> Callable[[int], Searcher]:
    return SEARCHERS[request.param]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def evaluate(requests: Sequence[Request]) -> list[Evaluation]:
    return list(InlineEngine(TASKS, pretend).run(requests))


def asked(searcher: Searcher, steps: int) -> list[list[Request]]:
    """Let a searcher search, and give what it asked in each step."""
    batches = []
    for _ in range(steps):
        batches.append(searcher.ask(6))
        searcher.tell(evaluate(batches[-1]))
    return batches


def test_it_asks_for_no_more_than_it_may_of_what_there_is(
    make: Callable[[int], Searcher],
) -> None:
    for batch in asked(make(0), 3):
        assert 1 <= len(batch) <= 6
        for request in batch:
            assert request.task in TASKS
            assert request.fidelity == TINY
            assert SPACE.architecture(request.architecture.tokens) == request.architecture


def test_it_depends_on_its_seed_and_on_nothing_else_that_is_random(
    make: Callable[[int], Searcher],
) -> None:
    first = asked(make(1), 4)
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert asked(make(1), 4) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert asked(make(2), 4) != first


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_restored_state_goes_on_as_if_nothing_had_happened(
    make: Callable[[int], Searcher], steps: int
) -> None:
    searcher = make(3)
    asked(searcher, steps)
    restored = make(3)
    restored.load_state_dict(copy.deepcopy(searcher.state_dict()))  # as a file would hold it
    assert asked(restored, 3) == asked(searcher, 3)


def test_steps_may_be_asked_ahead_and_a_restored_state_knows_them(
    make: Callable[[int], Searcher],
) -> None:
    searcher = make(6)
    steps = [searcher.ask(5) for _ in range(3)]
    assert searcher.open_steps() == steps
    searcher.tell(evaluate(steps[0]))
    restored = make(6)
    restored.load_state_dict(copy.deepcopy(searcher.state_dict()))
    for own in (searcher, restored):
        assert own.open_steps() == steps[1:]
        for step in steps[1:]:
            own.tell(evaluate(step))
        assert own.open_steps() == []
    assert asked(restored, 2) == asked(searcher, 2)


def test_it_lives_with_children_that_fail(make: Callable[[int], Searcher]) -> None:
    searcher = make(4)
    for _ in range(3):
        requests = searcher.ask(4)
        searcher.tell(
            [
                Evaluation.of(one, TASKS[one.task].hash, state="failed", reason="memory")
                for one in requests
            ]
        )
    assert searcher.ask(1)
    assert all(np.isfinite(value) for value in searcher.logs.values())


def test_the_loop_runs_it_for_as_many_evaluations_as_it_may(
    make: Callable[[int], Searcher],
) -> None:
    for ahead in (0, 2):
        engine = InlineEngine(TASKS, pretend)
        results = run_search(make(5), engine, batch=5, evaluations=13, ahead=ahead)
        assert len(results) == 13
