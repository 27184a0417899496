"""The loop, its journal, and the random searcher."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_children import SPACE, TINY, pretend, request, tiny_task

from ambient.errors import RunError
from ambient.evaluate import Evaluation, InlineEngine, Request
from ambient.search.journal import Journal, read_journal
from ambient.search.loop import Step, run_search
from ambient.search.random import RandomSearcher

TASKS = {"tiny": tiny_task(), "other": tiny_task("other", seed=1)}


class Scripted:
    """Asks what it was given, step by step, and keeps what it is told."""

    def __init__(self, *batches: list[Request]) -> None:
        self.batches = list(batches)
        self.asked_for: list[int] = []
        self.told: list[list[Evaluation]] = []
        self.events: list[str] = []
        self.open: list[list[Request]] = []
        self.logs: Mapping[str, float] = {}

    def ask(self, count: int, /) -> list[Request]:
        self.asked_for.append(count)
        asked = self.batches.pop(0)[:count] if self.batches else []
        if asked:
            self.events.append("ask")
            self.open.append(asked)
        return asked

    def open_steps(self) -> list[list[Request]]:
        return list(self.open)

    def tell(self, evaluations: Sequence[Evaluation], /) -> None:
        assert [one.request for one in evaluations] == self.open.pop(0)
        self.events.append("tell")
        self.told.append(list(evaluations))
        self.logs = {"told": float(len(self.told))}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        pass


class Shuffling(InlineEngine):
    """Gives results in a random order, as many workers would."""

    def __init__(self, seed: int) -> None:
        super().__init__(TASKS, pretend)
        self.random = random.Random(seed)

    def submit(self, requests: Sequence[Request]) -> None:
        super().submit(self.random.sample(requests, len(requests)))


seeds = st.lists(st.integers(0, 3), min_size=1, max_size=8)


@given(seeds=seeds, order=st.integers())
def test_results_are_told_in_the_order_of_asking_whatever_order_they_came_in(
    seeds: list[int], order: int
) -> None:
    asked = [request(seed) for seed in seeds]  # with duplicates
    searcher = Scripted(asked)
    results = run_search(searcher, Shuffling(order), batch=8, steps=1)
    assert [answer.request for answer in results] == asked
    assert searcher.told == [results]


class LateFirst(InlineEngine):
    """Gives each result at once but the very first request's, which it keeps for the end."""

    def __init__(self) -> None:
        super().__init__(TASKS, pretend)
        self.late: list[Evaluation] = []
        self.given = 0

    def _next(self) -> Evaluation | None:
        arrived = super()._next()
        if arrived is not None and arrived.seed == 0:
            self.late.append(arrived)
            arrived = super()._next()
        if arrived is None and self.late:
            return self.late.pop()
        self.given += arrived is not None
        return arrived


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_a_slow_child_holds_up_only_what_is_further_ahead(ahead: int) -> None:
    steps = [[request(10 * step + place) for place in range(3)] for step in range(5)]
    searcher, engine = Scripted(*steps), LateFirst()
    given: list[int] = []
    run_search(
        searcher, engine, 3, steps=5, ahead=ahead, on_step=lambda _: given.append(engine.given)
    )
    assert given[0] == 3 * (ahead + 1) - 1  # all but the late one, when the first step ends
    assert len(searcher.told) == 5


@given(order=st.integers(), ahead=st.integers(0, 3))
def test_what_is_asked_when_does_not_depend_on_who_finishes_first(order: int, ahead: int) -> None:
    steps = [[request(seed) for seed in range(4)]] * 6  # the same requests in every step
    searcher = Scripted(*steps)
    results = run_search(searcher, Shuffling(order), batch=4, steps=6, ahead=ahead)
    first, rest = ["ask"] * (ahead + 1), ["tell", "ask"] * (5 - ahead)
    assert searcher.events == [*first, *rest, *["tell"] * (ahead + 1)]
    assert [one.request for one in results] == [one for step in steps for one in step]


def test_steps_that_were_open_are_evaluated_first_when_a_search_goes_on() -> None:
    searcher = Scripted([request(3)], [request(4)])
    searcher.open = [[request(1)], [request(2)]]
    engine = InlineEngine(TASKS, pretend)
    results = run_search(searcher, engine, batch=1, steps=9, first_step=6, ahead=1)
    assert [one.seed for one in results] == [1, 2, 3]


@pytest.mark.parametrize("ahead", [0, 1])
def test_the_budget_of_evaluations_is_kept_to_the_last(ahead: int) -> None:
    searcher = Scripted(*[[request(seed) for seed in range(4)]] * 9)
    engine = InlineEngine(TASKS, pretend)
    results = run_search(searcher, engine, batch=4, evaluations=10, ahead=ahead)
    assert len(results) == 10
    assert searcher.asked_for == [4, 4, 2]


def test_the_budget_of_steps_counts_from_the_start_of_the_whole_search() -> None:
    numbers: list[int] = []
    searcher = Scripted(*[[request()]] * 9)
    engine = InlineEngine(TASKS, pretend)
    run_search(
        searcher,
        engine,
        batch=1,
        steps=7,
        first_step=5,
        on_step=lambda step: numbers.append(step.number),
    )
    assert numbers == [5, 6]
    assert run_search(searcher, engine, batch=1, steps=7, first_step=7) == []


def test_a_search_ends_when_nothing_is_left_to_ask() -> None:
    searcher = Scripted([request()], [request()])
    results = run_search(searcher, InlineEngine(TASKS, pretend), batch=1, steps=100)
    assert len(results) == 2


@pytest.mark.parametrize(
    "budget", [{}, {"steps": 0}, {"evaluations": -1}, {"steps": 1, "batch": 0}]
)
def test_a_search_without_a_budget_is_refused(budget: dict[str, int]) -> None:
    arguments: dict[str, Any] = {"batch": 1, **budget}
    with pytest.raises(RunError, match="search: found"):
        run_search(Scripted(), InlineEngine(TASKS), **arguments)


def test_a_step_is_in_the_journal_when_on_step_is_called(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    seen: list[Step] = []

    def look(step: Step) -> None:
        seen.append(step)
        assert read_journal(path) == [json.loads(json.dumps(one.to_dict())) for one in seen]
        assert step.logs == {"told": len(seen)}

    searcher = Scripted(*[[request(seed)] for seed in range(3)])
    with Journal(path) as journal:
        run_search(
            searcher, InlineEngine(TASKS, pretend), 1, steps=3, journal=journal, on_step=look
        )
    assert [step.number for step in seen] == [0, 1, 2]
    assert [step.failed for step in seen] == [0, 0, 0]


@given(seed=st.integers(0, 2**32), counts=st.lists(st.integers(1, 9), max_size=8))
def test_random_search_takes_tasks_in_turn_and_never_repeats(seed: int, counts: list[int]) -> None:
    searcher = RandomSearcher(SPACE, ["tiny", "other"], TINY, seed)
    asked = [one for count in counts for one in searcher.ask(count)]
    assert len(asked) == min(sum(counts), 2 * SPACE.size)
    assert len({(one.task, one.architecture) for one in asked}) == len(asked)
    assert [one.task for one in asked] == (["tiny", "other"] * len(asked))[: len(asked)]


def test_random_search_uses_the_whole_space_up_and_then_asks_nothing() -> None:
    searcher = RandomSearcher(SPACE, ["tiny"], TINY)
    asked = searcher.ask(1000)
    assert {one.architecture for one in asked} == set(SPACE.enumerate())
    assert searcher.ask(1) == []


def test_random_search_is_uniform() -> None:
    first = [RandomSearcher(SPACE, ["tiny"], TINY, seed).ask(1)[0] for seed in range(1200)]
    counts = dict.fromkeys(SPACE.enumerate(), 0)
    for one in first:
        counts[one.architecture] += 1
    # Binomial(1200, 1/12): mean 100, standard deviation 9.6; five of them to either side.
    assert all(52 <= count <= 148 for count in counts.values())


@pytest.mark.parametrize("tasks", [[], ["tiny", "tiny"]])
def test_random_search_refuses_no_task_and_a_task_twice(tasks: list[str]) -> None:
    with pytest.raises(RunError, match="at least one was needed and each once"):
        RandomSearcher(SPACE, tasks, TINY)


def test_random_search_refuses_the_state_of_other_tasks() -> None:
    state = RandomSearcher(SPACE, ["tiny"], TINY).state_dict()
    with pytest.raises(RunError, match="resume with the same tasks"):
        RandomSearcher(SPACE, ["other"], TINY).load_state_dict(state)
