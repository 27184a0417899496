"""The pool: persistent workers, tasks that are mapped, runs that are dropped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_children import break_as_told, pretend, request, tiny_task

from ambient.data.task import TaskData
from ambient.errors import RunError
from ambient.evaluate import InlineEngine, PoolEngine
from ambient.evaluate.spill import load_spilled_task, spill_task

TASKS = {"tiny": tiny_task(), "other": tiny_task("other", seed=1)}


@pytest.fixture(scope="module")
def pool() -> Iterator[PoolEngine]:
    with PoolEngine(TASKS, 2, break_as_told, host="") as opened:
        yield opened


def pids(pool: PoolEngine) -> set[int | None]:
    return {worker.process.pid for worker in pool._workers}


def test_workers_persist_from_run_to_run(pool: PoolEngine) -> None:
    threads = os.environ.get("OMP_NUM_THREADS")
    assert pids(pool) == set()
    list(pool.run([request()]))
    assert os.environ.get("OMP_NUM_THREADS") == threads  # limited for the workers alone
    first = pids(pool)
    assert len(first) == 1  # no more than there is work for
    answers = list(pool.run([request(seed) for seed in range(6)]))
    assert sorted(answer.seed for answer in answers) == list(range(6))
    both = pids(pool)
    assert first < both
    assert len(both) == 2
    list(pool.run([request(seed, "other") for seed in range(6)]))
    assert pids(pool) == both


def test_a_failing_child_gives_the_same_record_as_inline(pool: PoolEngine) -> None:
    asked = [request(seed) for seed in (100, 101, 102, 1)]
    inline = {answer.seed: answer for answer in InlineEngine(TASKS, break_as_told).run(asked)}
    for answer in pool.run(asked):
        expected = inline[answer.seed]
        assert (answer.state, answer.reason) == (expected.state, expected.reason)
        assert answer.metrics == expected.metrics
        assert (answer.device, answer.host) == ("cpu", "")
        if answer.seed == 100:
            assert answer.details["traceback"].endswith("ValueError: the seed is ? 100")
            assert "in break_as_told" in answer.details["traceback"]


def test_a_dropped_run_leaves_no_result_to_the_next(pool: PoolEngine) -> None:
    run = pool.run([request(seed) for seed in range(20)])
    next(run)
    run.close()  # type: ignore[attr-defined]
    answers = list(pool.run([request(seed) for seed in (30, 31, 32)]))
    assert sorted(answer.seed for answer in answers) == [30, 31, 32]


def test_one_run_at_a_time(pool: PoolEngine) -> None:
    first = pool.run([request(0), request(1)])
    next(first)
    with pytest.raises(RuntimeError, match="one run at a time"):
        next(pool.run([request(2)]))
    assert len(list(first)) == 1


def test_a_closed_pool_refuses_to_run_and_leaves_no_folder() -> None:
    pool = PoolEngine(TASKS, 1, pretend)
    assert pool._folder.exists()
    pool.close()
    pool.close()
    assert not pool._folder.exists()
    with pytest.raises(RuntimeError, match="closed"):
        pool.run([request()])


def test_a_pool_without_workers_is_refused() -> None:
    with pytest.raises(RunError, match="found 0 workers"):
        PoolEngine(TASKS, 0)


@pytest.mark.parametrize("windows", [0, 48])
def test_a_spilled_task_is_equal_and_its_codes_stay_on_the_disk(
    tmp_path: Path, windows: int
) -> None:
    task = tiny_task(windows=windows)
    spill_task(task, tmp_path / "task")
    again = load_spilled_task(tmp_path / "task")
    assert isinstance(again, TaskData)
    assert again.hash == task.hash
    assert (again.name, again.category, again.left_out) == (task.name, task.category, {})
    assert again.chromosome.dtype == task.chromosome.dtype
    assert isinstance(again.codes, np.memmap) == (windows > 0)
