"""Regularised evolution: what mutates, who has children, who dies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_children import SPACE, TINY

from ambient.errors import RunError
from ambient.evaluate import Evaluation, Request
from ambient.search.evolution import EvolutionConfig, EvolutionSearcher, mutate
from ambient.search.methods import make_searcher
from ambient.space import SearchSpace, named_space

FIXED = SearchSpace.from_dict(
    {
        "name": "one",
        "version": 1,
        "window_bp": 60,
        "decisions": [{"name": "tail", "choices": ["flatten"]}],
    }
)


def searcher(population: int, tournament: int, seed: int = 0) -> EvolutionSearcher:
    return EvolutionSearcher(SPACE, "tiny", TINY, EvolutionConfig(population, tournament), seed)


def told(own: EvolutionSearcher, *values: float | None) -> list[tuple[int, ...]]:
    """Ask for as many architectures as there are values, tell these, give the tokens."""
    requests = own.ask(len(values))
    own.tell([result(one, value) for one, value in zip(requests, values, strict=True)])
    return [one.architecture.tokens for one in requests]


def result(request: Request, value: float | None) -> Evaluation:
    if value is None:
        return Evaluation.of(request, "hash", state="failed", reason="no room")
    return Evaluation.of(request, "hash", metrics={"validation_auroc": value})


def distance(one: Sequence[int], other: Sequence[int]) -> int:
    return sum(a != b for a, b in zip(one, other, strict=True))


@settings(deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_mutant_differs_in_one_choice_and_in_what_follows_from_it(seed: int) -> None:
    space = named_space("ambient-plus")
    generator = np.random.default_rng(seed)
    parent = space.sample(generator).tokens
    child = mutate(space, parent, generator)
    space.architecture(child)  # raises where a decision applies that should not, or the reverse
    changed = [i for i, (a, b) in enumerate(zip(parent, child, strict=True)) if a != b]
    chosen = [i for i in changed if parent[i] >= 0 and child[i] >= 0]
    assert len(chosen) == 1
    assert changed[0] == chosen[0]
    for index in changed[1:]:  # began or ceased to apply, by what was chosen or by what followed
        causes = {condition.decision for condition in space.decisions[index].when}
        assert causes & set(changed)


def test_each_decision_mutates_alike_and_to_each_other_choice_alike() -> None:
    generator = np.random.default_rng(0)
    counts = Counter(mutate(SPACE, (2, 0), generator) for _ in range(4000))
    assert set(counts) == {(2, 1), *((first, 0) for first in (0, 1, 3, 4, 5))}
    # Binomial(4000, 1/2) and (4000, 1/10): standard deviations 32 and 19; five of them to either side.
    assert abs(counts.pop((2, 1)) - 2000) < 160
    assert all(abs(count - 400) < 95 for count in counts.values())


def test_what_begins_to_apply_is_drawn_among_all_its_choices() -> None:
    space = named_space("ambient-plus")
    names = [decision.name for decision in space.decisions]
    blocks, kernel = names.index("blocks"), names.index("kernel 2")
    generator = np.random.default_rng(0)
    drawn: Counter[int] = Counter()
    while drawn.total() < 300:
        parent = space.sample(generator).tokens
        child = mutate(space, parent, generator)
        if parent[blocks] == 0 and child[blocks] > 0:
            drawn[child[kernel]] += 1
    # Binomial(300, 1/3): standard deviation 8.2; five of them to either side.
    assert all(abs(drawn[token] - 100) < 41 for token in range(3))


def test_where_nothing_can_be_chosen_the_parent_lives_on() -> None:
    assert mutate(FIXED, (0,), np.random.default_rng(0)) == (0,)


def test_the_best_of_a_tournament_has_the_children() -> None:
    own = searcher(population=6, tournament=60)
    first = told(own, 0.5, 0.6, 0.9, None, 0.7, 0.8)
    for child in told(own, *[0.1] * 3):
        assert distance(child, first[2]) == 1


def test_small_tournaments_leave_the_others_a_chance() -> None:
    own = searcher(population=6, tournament=1, seed=1)
    first = told(own, 0.5, 0.6, 0.9, 0.1, 0.7, 0.8)
    children = [one.architecture.tokens for one in own.ask(60)]
    assert any(distance(child, first[2]) > 1 for child in children)
    assert all(min(distance(child, parent) for parent in first) <= 1 for child in children)


def test_the_oldest_die_however_good_they_are() -> None:
    own = searcher(population=3, tournament=60)
    best = told(own, 0.9, 0.1, 0.1)[0]
    young = told(own, 0.2, 0.1, 0.3)
    for child in told(own, 0.1, 0.1):
        assert distance(child, young[2]) == 1
    assert distance(best, young[2]) > 0


def test_a_child_that_failed_loses_to_any_other() -> None:
    own = searcher(population=4, tournament=60)
    first = told(own, None, None, -5.0, None)
    for child in told(own, 0.1, 0.1):
        assert distance(child, first[2]) == 1
    nothing = searcher(population=2, tournament=2)
    told(nothing, None, None)
    assert told(nothing, None)


def test_it_finds_what_random_search_does_not() -> None:
    space = named_space("ambient-plus")

    def quality(tokens: Sequence[int]) -> float:
        """Count the first choices taken: each decision has its say."""
        return sum(token == 0 for token in tokens) / len(tokens)

    def best(method: str, seed: int) -> float:
        own = make_searcher(method, space, "tiny", TINY, seed)
        values: list[float] = []
        while len(values) < 100:
            requests = own.ask(5)
            values += [quality(one.architecture.tokens) for one in requests]
            own.tell([result(one, quality(one.architecture.tokens)) for one in requests])
        return max(values)

    gains = [best("evolution", seed) - best("random", seed) for seed in range(8)]
    assert np.mean(gains) > 0.05
    assert min(gains) >= 0


@pytest.mark.parametrize("name", ["population", "tournament"])
def test_a_constant_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(RunError, match=f"{name} is 0"):
        EvolutionConfig(**{name: 0})
