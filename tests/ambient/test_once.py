"""What is known is answered from memory: nothing is evaluated twice, and the searcher hears it all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from tiny_children import TINY, architectures

from ambient.evaluate import Evaluation, Request
from ambient.search import once
from ambient.search.once import Once


class Scripted:
    """Asks for architectures by number, step by step, and keeps what it is told."""

    def __init__(self, *steps: list[int]) -> None:
        self.steps = list(steps)
        self.told: list[list[tuple[int, str, float | None]]] = []
        self.open: list[list[Request]] = []
        self.logs: Mapping[str, float] = {"own": 1.0}

    def ask(self, count: int, /) -> list[Request]:
        if not self.steps:
            return []
        self.open.append([request(number) for number in self.steps.pop(0)])
        return list(self.open[-1])

    def tell(self, evaluations: Sequence[Evaluation], /) -> None:
        assert [one.request for one in evaluations] == self.open.pop(0)
        self.told.append([heard(one) for one in evaluations])

    def open_steps(self) -> list[list[Request]]:
        return [list(step) for step in self.open]

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        pass


def request(number: int) -> Request:
    return Request("tiny", architectures()[number], 0, TINY)


def heard(one: Evaluation) -> tuple[int, str, float | None]:
    return (
        architectures().index(one.architecture),
        one.state,
        one.metrics.get("validation_auroc"),
    )


def evaluate(requests: Sequence[Request]) -> list[Evaluation]:
    """Architecture 3 fails; any other has a tenth of its number as its AUROC."""
    results = []
    for one in requests:
        number = architectures().index(one.architecture)
        failed = {"state": "failed", "reason": "no room"}
        done = {"metrics": {"validation_auroc": number / 10}}
        results.append(Evaluation.of(one, "hash", **(failed if number == 3 else done)))
    return results


def test_only_what_is_new_is_asked_and_all_is_told() -> None:
    inner = Scripted([1, 2], [2, 3], [3, 2, 2], [2, 4])
    searcher = Once(inner)
    first = searcher.ask(2)
    assert first == [request(1), request(2)]
    searcher.tell(evaluate(first))
    second = searcher.ask(2)
    assert second == [request(3)]
    searcher.tell(evaluate(second))
    assert searcher.ask(2) == [request(4)]  # past a step of which all was known
    assert inner.told == [
        [(1, "done", 0.1), (2, "done", 0.2)],
        [(2, "done", 0.2), (3, "failed", None)],
        [(3, "failed", None), (2, "done", 0.2), (2, "done", 0.2)],
    ]
    assert searcher.open_steps() == [[request(4)]]


def test_the_searcher_is_told_in_its_own_order_also_with_steps_ahead() -> None:
    inner = Scripted([1], [1], [5, 1], [5], [6])
    searcher = Once(inner)
    assert searcher.ask(2) == [request(1)]
    # The second step waits for the result of the first, as the fourth does for that of the third.
    assert searcher.ask(2) == [request(5)]
    assert searcher.ask(2) == [request(6)]
    assert inner.told == []
    searcher.tell(evaluate([request(1)]))
    assert inner.told == [[(1, "done", 0.1)]] * 2
    searcher.tell(evaluate([request(5)]))
    assert inner.told[2:] == [[(5, "done", 0.5), (1, "done", 0.1)], [(5, "done", 0.5)]]
    searcher.tell(evaluate([request(6)]))
    assert inner.told[4:] == [[(6, "done", 0.6)]]


def test_the_reason_of_a_failure_and_of_a_refusal_is_told() -> None:
    reasons: list[str] = []

    class Listening(Scripted):
        def tell(self, evaluations: Sequence[Evaluation], /) -> None:
            reasons.extend(one.reason for one in evaluations)
            super().tell(evaluations)

    def refuse(architecture: Any) -> str | None:
        return "too large" if architecture == architectures()[7] else None

    searcher = Once(Listening([3, 7], [7], [1]), refuse)
    assert searcher.ask(2) == [request(3)]
    searcher.tell(evaluate([request(3)]))
    assert searcher.ask(2) == [request(1)]
    assert reasons == ["no room", "too large", "too large"]


def test_a_searcher_that_only_repeats_itself_has_come_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(once, "PATIENCE", 4)
    inner = Scripted([1], *[[1]] * 3, [2], *[[1, 2]] * 4, [3])
    searcher = Once(inner)
    for expected in ([request(1)], [request(2)]):
        assert searcher.ask(1) == expected
        searcher.tell(evaluate(expected))
    assert searcher.ask(1) == []
    assert len(inner.told) == 9
    assert searcher.open_steps() == []


def test_refusals_are_no_repetitions_but_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "PATIENCE", 2)
    monkeypatch.setattr(once, "MOST_REFUSED", 5)

    def refuse(architecture: Any) -> str | None:
        return None if architecture in architectures()[10:] else "too large"

    steps = [[0], [0], [1], [2], [3], [10], [4, 5], [6, 7], [8], [11]]
    searcher = Once(Scripted(*steps), refuse)
    assert searcher.ask(2) == [request(10)]
    assert searcher.ask(2) == []
    assert searcher.ask(2) == [request(11)]


def test_the_log_counts_what_was_sampled() -> None:
    searcher = Once(Scripted([1, 1, 2], [2], [4]))
    searcher.tell(evaluate(searcher.ask(3)))
    assert searcher.logs == {"own": 1.0, "sampled": 3.0}
    searcher.tell(evaluate(searcher.ask(3)))
    assert searcher.logs == {"own": 1.0, "sampled": 5.0}
