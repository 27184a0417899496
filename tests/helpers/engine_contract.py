"""What every engine keeps: each request answered once, by a result that depends on it alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from tiny_children import request, tiny_task

from ambient.child.stopping import Rung
from ambient.errors import RunError
from ambient.evaluate import Engine, Evaluation

TASKS = {"tiny": tiny_task(), "other": tiny_task("other", seed=1)}
REQUESTS = [
    *(request(seed, task, index) for seed, task, index in [(0, "tiny", 0), (0, "other", 7)]),
    request(1, "tiny", 0),
    request(0, "tiny", 11, learning_rate=0.01),
    request(2, "other", 4, members=2),
    replace(request(3, "tiny", 0), rungs=(Rung(1, 0.99),)),  # given up early
]

Check = Callable[[Engine, list[Evaluation]], None]  # the engine, what the inline one answers


def facts(evaluations: Iterable[Evaluation]) -> Counter[str]:
    """Give what must be the same in every engine; metrics to the last bit."""
    return Counter(
        repr((e.key, e.task, e.state, e.reason, sorted(e.metrics.items()))) for e in evaluations
    )


def results_are_the_same_bit_for_bit(engine: Engine, recorded: list[Evaluation]) -> None:
    assert facts(engine.run(REQUESTS)) == facts(recorded)


def results_do_not_depend_on_the_order(engine: Engine, recorded: list[Evaluation]) -> None:
    assert facts(engine.run([REQUESTS[index] for index in (4, 2, 5, 0, 3, 1)])) == facts(recorded)


def equal_requests_are_answered_each(engine: Engine, recorded: list[Evaluation]) -> None:
    answers = engine.run([REQUESTS[0], REQUESTS[1], REQUESTS[0]])
    assert facts(answers) == facts([recorded[0], recorded[1], recorded[0]])


def nothing_asked_is_nothing_answered(engine: Engine, recorded: list[Evaluation]) -> None:
    assert list(engine.run([])) == []


def more_may_be_asked_between_two_results(engine: Engine, recorded: list[Evaluation]) -> None:
    engine.submit(REQUESTS[:2])
    results = engine.results()
    answers = [next(results)]
    engine.submit(REQUESTS[2:])
    answers += results
    assert facts(answers) == facts(recorded)
    assert list(results) == []


def what_was_submitted_twice_comes_from_one_iterator(
    engine: Engine, recorded: list[Evaluation]
) -> None:
    engine.submit(REQUESTS[:2])
    engine.submit(REQUESTS[2:])
    assert facts(engine.results()) == facts(recorded)


def dropped_results_are_given_up(engine: Engine, recorded: list[Evaluation]) -> None:
    for taken in (0, 1):
        results = engine.run(REQUESTS)
        for _ in range(taken):
            next(results)
        results.close()
        assert list(results) == []
        assert facts(engine.run(REQUESTS[1:2])) == facts(recorded[1:2])


def results_go_to_one_iterator_at_a_time(engine: Engine, recorded: list[Evaluation]) -> None:
    results = engine.run(REQUESTS[:1])
    with pytest.raises(RuntimeError, match="one iterator at a time"):
        engine.results()
    with pytest.raises(RuntimeError, match="one run at a time"):
        engine.run(REQUESTS[1:])
    assert len(list(results)) == 1


def an_unknown_task_is_refused_and_nothing_was_taken(
    engine: Engine, recorded: list[Evaluation]
) -> None:
    engine.submit(REQUESTS[:1])
    with pytest.raises(RunError, match=r"'absent'.*other, tiny"):
        engine.submit([REQUESTS[1], request(task="absent")])
    assert facts(engine.results()) == facts(recorded[:1])
    with pytest.raises(RunError, match="'absent'"):
        engine.task_hash("absent")


def it_works_on_at_least_one_child_at_once(engine: Engine, recorded: list[Evaluation]) -> None:
    assert engine.capacity >= 1


def the_hash_is_that_of_the_tasks_contents(engine: Engine, recorded: list[Evaluation]) -> None:
    assert engine.task_hash("other") == TASKS["other"].hash


CHECKS: tuple[Check, ...] = (
    results_are_the_same_bit_for_bit,
    results_do_not_depend_on_the_order,
    equal_requests_are_answered_each,
    nothing_asked_is_nothing_answered,
    more_may_be_asked_between_two_results,
    what_was_submitted_twice_comes_from_one_iterator,
    dropped_results_are_given_up,
    results_go_to_one_iterator_at_a_time,
    an_unknown_task_is_refused_and_nothing_was_taken,
    it_works_on_at_least_one_child_at_once,
    the_hash_is_that_of_the_tasks_contents,
)
