"""The inline, the remembering and the table engine, each in what is its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_children import (
    Pretended,
    architectures,
    break_as_told,
    evaluation,
    pretend,
    request,
    tiny_task,
)

from ambient.child.stopping import Rung
from ambient.child.train import train_child
from ambient.errors import RunError
from ambient.evaluate import InlineEngine, Remembering, Request, Store, TableEngine

TASKS = {"tiny": tiny_task()}


def test_inline_restores_the_number_of_threads_even_between_children() -> None:
    before = torch.get_num_threads()
    inside = []

    def look(*what: Any) -> Pretended:
        inside.append(torch.get_num_threads())
        return pretend(*what)

    torch.set_num_threads(2)
    try:
        for _ in InlineEngine(TASKS, look).run([request(0), request(1)]):
            assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert inside == [1, 1]


@pytest.mark.parametrize(
    ("seed", "reason"),
    [
        (100, "ValueError: the seed is ? 100"),
        (101, "MemoryError: no room"),
        (102, "validation_auroc = nan"),
    ],
)
def test_a_child_that_breaks_is_recorded_and_the_others_go_on(
    seed: int, reason: str, tmp_path: Path
) -> None:
    answers = list(InlineEngine(TASKS, break_as_told).run([request(seed), request(1)]))
    assert [answer.state for answer in answers] == ["failed", "done"]
    assert answers[0].reason == reason
    assert not any(answers[0].metrics.values())
    with Store(tmp_path / "store.sqlite") as store:
        store.put(*answers)
        assert list(store.rows()) == answers


def test_an_interrupt_is_no_failed_child() -> None:
    def interrupted(*_: Any) -> Pretended:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(InlineEngine(TASKS, interrupted).run([request()]))


def test_a_real_child_that_diverges_is_recorded_with_its_reason() -> None:
    (answer,) = InlineEngine(TASKS).run([request(learning_rate=1e30)])
    assert answer.state == "failed"
    assert answer.reason.startswith("RunError: ")
    assert answer.metrics == {}


def test_costs_and_circumstances_are_recorded() -> None:
    (answer,) = InlineEngine(TASKS, train_child, host="here").run([request()])
    assert answer.wall_seconds > 0
    assert answer.cpu_seconds > 0
    assert (answer.device, answer.host) == ("cpu", "here")
    assert answer.created.endswith("+00:00")
    (blank,) = InlineEngine(TASKS, pretend, host="").run([request()])
    assert blank.host == ""


class Counted:
    """Pretends to train, and counts."""

    def __init__(self) -> None:
        self.trained: Counter[tuple[str, int]] = Counter()

    def __call__(self, task: Any, architecture: Any, fidelity: Any, seed: int, device: str) -> Any:
        self.trained[architecture.key, seed] += 1
        return break_as_told(task, architecture, fidelity, seed, device)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.sqlite") as opened:
        yield opened


def test_what_is_remembered_is_not_trained_again(store: Store) -> None:
    counted = Counted()
    engine = Remembering(InlineEngine(TASKS, counted), store)
    first = list(engine.run([request(seed) for seed in (1, 2)]))
    again = list(engine.run([request(seed) for seed in (3, 2, 1)]))
    assert set(counted.trained.values()) == {1}
    assert sorted(answer.seed for answer in again) == [1, 2, 3]
    assert [answer for answer in again if answer.seed < 3] == first[::-1]


def test_duplicates_train_once_and_are_answered_each(store: Store) -> None:
    counted = Counted()
    twins = {"tiny": TASKS["tiny"], "twin": tiny_task("twin")}  # equal contents
    engine = Remembering(InlineEngine(twins, counted), store)
    asked = [request(1), request(1), request(1, task="twin"), request(1, name="other name")]
    answers = list(engine.run(asked))
    assert [answer.request for answer in answers] == asked
    assert sum(counted.trained.values()) == 1
    assert len(store) == 1


def test_networks_that_are_equal_under_other_tokens_train_once(store: Store) -> None:
    from dataclasses import replace

    counted = Counted()
    engine = Remembering(InlineEngine(TASKS, counted), store)
    one = request(1)
    other = Request("tiny", replace(one.architecture, tokens=(9, 9)), 1, one.fidelity)
    for asked in ([one], [other]):
        assert [answer.request for answer in engine.run(asked)] == asked
    assert sum(counted.trained.values()) == 1


def test_each_result_is_in_the_store_before_it_is_given_out(store: Store) -> None:
    engine = Remembering(InlineEngine(TASKS, pretend), store)
    for number, answer in enumerate(engine.run([request(seed) for seed in range(3)]), start=1):
        assert len(store) == number
        assert store.get(answer.key) == answer


def test_a_remembered_failure_is_the_answer_unless_it_is_to_be_retried(store: Store) -> None:
    store.put(evaluation(1, task_hash=TASKS["tiny"].hash, state="failed", reason="memory"))
    counted = Counted()
    inner = InlineEngine(TASKS, counted)
    (answer,) = Remembering(inner, store).run([request(1)])
    assert (answer.state, answer.reason) == ("failed", "memory")
    (answer,) = Remembering(inner, store, retry_failed=True).run([request(1)])
    assert answer.is_done
    assert sum(counted.trained.values()) == 1
    known = store.get(answer.key)
    assert known is not None
    assert known.is_done


def test_remembering_closes_the_engine_that_trains_and_leaves_the_store_open(store: Store) -> None:
    class Closing(InlineEngine):
        closed = 0

        def close(self) -> None:
            self.closed += 1

    inner = Closing(TASKS, pretend)
    with Remembering(inner, store):
        pass
    assert inner.closed == 1
    assert len(store) == 0


def test_a_table_replays_a_store_with_its_failures(store: Store) -> None:
    recording = Remembering(InlineEngine(TASKS, break_as_told), store)
    asked = [request(100), *(request(seed, index=seed) for seed in range(12))]
    recorded = list(recording.run(asked))
    assert list(TableEngine(store.rows()).run(asked)) == recorded


def test_a_table_lets_a_recorded_repeat_stand_in_for_a_seed_that_it_lacks() -> None:
    rows = [evaluation(seed, metrics={"validation_auroc": seed / 10}) for seed in range(5)]
    asked = [request(seed) for seed in range(100, 200)]
    answers = list(TableEngine(rows).run(asked))
    assert [answer.request for answer in answers] == asked
    assert {answer.metrics["validation_auroc"] for answer in answers} == {
        seed / 10 for seed in range(5)
    }
    assert list(TableEngine(rows[::-1]).run(asked)) == answers


def test_a_table_refuses_what_was_never_recorded() -> None:
    table = TableEngine([evaluation(index=0)])
    unknown = architectures()[1].key
    with pytest.raises(RunError, match=f"{unknown} was never evaluated on tiny.*fidelity tiny"):
        table.run([request(index=0), request(index=1)])
    with pytest.raises(RunError, match="never evaluated"):
        table.run([request(index=0, epochs=3)])


def test_a_table_refuses_a_name_with_two_contents() -> None:
    with pytest.raises(RunError, match="'tiny' stands for the contents one and two"):
        TableEngine([evaluation(0, task_hash="one"), evaluation(1, task_hash="two")])


def test_a_table_gives_no_child_that_was_given_up_early_as_a_whole_one() -> None:
    curve = {"curves": [[0.6]]}
    metrics: dict[str, float | None] = {"validation_auroc": 0.6}
    early = evaluation(0, state="stopped", reason="rung", metrics=metrics, details=curve)
    with pytest.raises(RunError, match="was never evaluated to its end on tiny"):
        list(TableEngine([early]).run([request(0)]))
    whole = evaluation(1)
    (answer,) = TableEngine([early, whole]).run([request(0)])
    assert (answer.state, answer.metrics) == ("done", whole.metrics)
    asked = replace(request(0), rungs=(Rung(1, 0.9),))
    (again,) = TableEngine([early]).run([asked])
    assert again.state == "stopped"
