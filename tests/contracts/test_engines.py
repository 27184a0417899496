"""The contract of `engine_contract`, for each engine; Ray keeps it in `tests/faults`, on two nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from engine_contract import CHECKS, REQUESTS, TASKS, Check, facts

from ambient.evaluate import (
    Engine,
    Evaluation,
    InlineEngine,
    PoolEngine,
    Remembering,
    Store,
    TableEngine,
)


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


def test_children_of_the_tiny_recipe_are_trained(recorded: list[Evaluation]) -> None:
    assert [evaluation.state for evaluation in recorded] == ["done"] * 5 + ["stopped"]
    assert all(0 <= (e.metrics["validation_auroc"] or 0) <= 1 for e in recorded)
    assert len({repr(e.metrics) for e in recorded}) > 2


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_engine_keeps_the_contract(
    engine: Engine, check: Check, recorded: list[Evaluation]
) -> None:
    check(engine, recorded)


@pytest.mark.parametrize("workers", [1, 4])
def test_the_number_of_workers_changes_no_bit(workers: int, recorded: list[Evaluation]) -> None:
    with PoolEngine(TASKS, workers) as pool:
        assert facts(pool.run(REQUESTS)) == facts(recorded)


def test_an_engine_may_be_closed_twice(recorded: list[Evaluation]) -> None:
    closed = 0
    for engine in (InlineEngine(TASKS), PoolEngine(TASKS, 1), TableEngine(recorded)):
        with engine:
            engine.close()
        closed += 1
    assert closed == 3
