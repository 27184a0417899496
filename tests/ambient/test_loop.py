"""The loop, its journal, and the random searcher."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_children import SPACE, TINY, pretend, request, tiny_task

from ambient.errors import RunError
from ambient.evaluate import Engine, Evaluation, InlineEngine, Request
from ambient.search.loop import Journal, Step, read_journal, run_search
from ambient.search.random import RandomSearcher

TASKS = {"tiny": tiny_task(), "other": tiny_task("other", seed=1)}


class Scripted:
    """Asks what it was given, step by step, and keeps what it is told."""

    def __init__(self, *batches: list[Request]) -> None:
        self.batches = list(batches)
        self.asked_for: list[int] = []
        self.told: list[list[Evaluation]] = []
        self.logs: Mapping[str, float] = {}

    def ask(self, count: int, /) -> list[Request]:
        self.asked_for.append(count)
        return self.batches.pop(0)[:count] if self.batches else []

    def tell(self, evaluations: Sequence[Evaluation], /) -> None:
        self.told.append(list(evaluations))
        self.logs = {"told": float(len(self.told))}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        pass


class Shuffling(Engine):
    """Gives results in a random order, as many workers would."""

    def __init__(self, seed: int) -> None:
        self.inner, self.random = InlineEngine(TASKS, pretend), random.Random(seed)

    def task_hash(self, task: str) -> str:
        return self.inner.task_hash(task)

    def run(self, requests: Sequence[Request]) -> Iterator[Evaluation]:
        answers = list(self.inner.run(requests))
        self.random.shuffle(answers)
        return iter(answers)


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


def test_the_budget_of_evaluations_is_kept_to_the_last() -> None:
    searcher = Scripted(*[[request(seed) for seed in range(4)]] * 9)
    results = run_search(searcher, InlineEngine(TASKS, pretend), batch=4, evaluations=10)
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


def test_a_journal_cut_anywhere_reads_as_its_whole_steps_and_can_go_on(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    steps = [{"step": number, "text": "a\u2028b"} for number in range(3)]
    with Journal(path) as journal:
        for step in steps:
            journal.append(step)
    content = path.read_bytes()
    assert content.count(b"\n") == 3
    for length in range(len(content)):
        path.write_bytes(content[:length])
        whole = content[:length].count(b"\n")
        assert read_journal(path) == steps[:whole]
        with Journal(path, keep_steps=whole) as journal:
            for step in steps[whole:]:
                journal.append(step)
        assert path.read_bytes() == content


def test_a_journal_drops_the_steps_that_are_made_again(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        for number in range(5):
            journal.append({"step": number})
    with Journal(path, keep_steps=3):
        assert [step["step"] for step in read_journal(path)] == [0, 1, 2]
    with Journal(path):
        assert read_journal(path) == []


def test_a_damaged_line_inside_a_journal_is_named(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"step": 0}\n{"st\xff\n{"step": 2}\n')
    with pytest.raises(RunError, match=r"journal\.jsonl:2: found a damaged line"):
        read_journal(path)


def test_an_absent_journal_holds_no_steps(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "absent") == []


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
