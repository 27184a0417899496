"""What every engine keeps: each request answered once, by a result that depends on it alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from tiny_children import request, tiny_task

from ambient.errors import RunError
from ambient.evaluate import (
    Engine,
    Evaluation,
    InlineEngine,
    PoolEngine,
    Remembering,
    Store,
    TableEngine,
)

TASKS = {"tiny": tiny_task(), "other": tiny_task("other", seed=1)}
REQUESTS = [
    *(request(seed, task, index) for seed, task, index in [(0, "tiny", 0), (0, "other", 7)]),
    request(1, "tiny", 0),
    request(0, "tiny", 11, learning_rate=0.01),
    request(2, "other", 4, members=2),
]


@pytest.fixture(scope="module")
def recorded() -> list[Evaluation]:
    """Results of the inline engine, in order: what the others are held against."""
    return list(InlineEngine(TASKS).run(REQUESTS))


@pytest.fixture(scope="module")
def makers(
    recorded: list[Evaluation], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Callable[[], Engine]]]:
    """Engines by name; the pool is started once for all tests."""
    with ExitStack() as stack:
        pool = stack.enter_context(PoolEngine(TASKS, 2))
        path = tmp_path_factory.mktemp("store") / "store.sqlite"
        store = stack.enter_context(Store(path))
        yield {
            "inline": lambda: InlineEngine(TASKS),
            "pool": lambda: pool,
            "table": lambda: TableEngine(recorded),
            "remembering": lambda: Remembering(InlineEngine(TASKS), store),
        }


@pytest.fixture(params=["inline", "pool", "table", "remembering"])
def engine(request: pytest.FixtureRequest, makers: dict[str, Callable[[], Engine]]) -> Engine:
    return makers[request.param]()


def facts(evaluations: list[Evaluation]) -> Counter[str]:
    """Give what must be the same in every engine; metrics to the last bit."""
    return Counter(
        repr((e.key, e.task, e.state, e.reason, sorted(e.metrics.items()))) for e in evaluations
    )


def test_children_of_the_tiny_recipe_are_trained(recorded: list[Evaluation]) -> None:
    assert [evaluation.state for evaluation in recorded] == ["done"] * 5
    assert all(0 <= (e.metrics["validation_auroc"] or 0) <= 1 for e in recorded)
    assert len({repr(e.metrics) for e in recorded}) > 2


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 2, 0, 3, 1)])
def test_results_are_the_same_bit_for_bit_in_any_order(
    engine: Engine, recorded: list[Evaluation], order: tuple[int, ...]
) -> None:
    assert facts(list(engine.run([REQUESTS[index] for index in order]))) == facts(recorded)


def test_equal_requests_are_answered_each(engine: Engine, recorded: list[Evaluation]) -> None:
    answers = list(engine.run([REQUESTS[0], REQUESTS[1], REQUESTS[0]]))
    assert facts(answers) == facts([recorded[0], recorded[1], recorded[0]])


def test_nothing_asked_is_nothing_answered(engine: Engine) -> None:
    assert list(engine.run([])) == []


def test_an_unknown_task_is_refused_before_anything_starts(engine: Engine) -> None:
    with pytest.raises(RunError, match=r"'absent'.*other, tiny"):
        engine.run([REQUESTS[0], request(task="absent")])
    with pytest.raises(RunError, match="'absent'"):
        engine.task_hash("absent")


def test_the_hash_is_that_of_the_tasks_contents(engine: Engine) -> None:
    assert engine.task_hash("other") == TASKS["other"].hash


def test_an_engine_may_be_closed_twice(
    makers: dict[str, Callable[[], Engine]], recorded: list[Evaluation]
) -> None:
    closed = 0
    for engine in (InlineEngine(TASKS), PoolEngine(TASKS, 1), TableEngine(recorded)):
        with engine:
            engine.close()
        closed += 1
    assert closed == 3
