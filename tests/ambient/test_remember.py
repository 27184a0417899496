"""Remembering in groups: what is there at once is stored in one transaction, before any of it is given out."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_children import pretend, request, tiny_task

from ambient.evaluate import Evaluation, InlineEngine, Remembering, Store

TASKS = {"tiny": tiny_task()}


class Bursts(InlineEngine):
    """Has three results at once, then waits."""

    def _ready_now(self) -> list[Evaluation]:
        found = [self._next() for _ in range(2)]
        return [evaluation for evaluation in found if evaluation is not None]


class Counting(Store):
    """Notes how many rows each transaction brought."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.brought: list[int] = []

    def put(self, *evaluations: Evaluation) -> int:
        self.brought.append(len(evaluations))
        return super().put(*evaluations)


@pytest.mark.parametrize(("count", "groups"), [(1, [1]), (3, [3]), (7, [3, 3, 1])])
def test_results_that_are_there_at_once_are_stored_in_one_transaction(
    tmp_path: Path, count: int, groups: list[int]
) -> None:
    asked = [request(seed) for seed in range(count)]
    with Counting(tmp_path / "store.sqlite") as store:
        answers = []
        for answer in Remembering(Bursts(TASKS, pretend), store).run(asked):
            assert store.get(answer.key) == answer
            answers.append(answer)
        assert store.brought == groups
    assert sorted(answer.seed for answer in answers) == list(range(count))


def test_results_that_come_one_by_one_are_not_held_back(tmp_path: Path) -> None:
    with Counting(tmp_path / "store.sqlite") as store:
        for number, _ in enumerate(
            Remembering(InlineEngine(TASKS, pretend), store).run([request(s) for s in range(3)]), 1
        ):
            assert store.brought == [1] * number
