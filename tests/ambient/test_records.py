"""Records: keys, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_children import architectures, evaluation, request, tiny_task

from ambient.child.stopping import Rung
from ambient.evaluate import Evaluation, Request
from ambient.evaluate.records import json_safe


@given(seed=st.integers(0, 2**63 - 1), index=st.integers(0, 11), epochs=st.integers(1, 9))
def test_a_request_survives_json(seed: int, index: int, epochs: int) -> None:
    asked = request(seed, index=index, epochs=epochs)
    again = Request.from_dict(json.loads(json.dumps(asked.to_dict())))
    assert again == asked
    assert again.key("some task") == asked.key("some task")


def test_the_key_changes_with_each_thing_that_changes_the_result() -> None:
    base = request()
    others = [request(seed=1), request(index=1), request(epochs=3)]
    keys = {asked.key("a") for asked in (base, *others)} | {base.key("b")}
    assert len(keys) == 5


def test_the_key_ignores_the_names_of_task_and_fidelity() -> None:
    assert request(task="one").key("a") == request(task="other", name="other").key("a")


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_that_the_store_cannot_hold_is_refused(seed: int) -> None:
    with pytest.raises(ValueError, match=str(seed)):
        request(seed)


@pytest.mark.parametrize(
    ("results", "message"),
    [
        ({"state": "half done"}, "half done"),
        ({"state": "failed"}, "a failed evaluation must say why"),
        ({"state": "stopped"}, "a stopped evaluation must say why"),
        ({"metrics": {"validation_auroc": float("nan")}}, "validation_auroc = nan"),
        ({"metrics": {"a": None, "b": float("inf")}}, "b = inf"),
    ],
)
def test_an_evaluation_that_no_reader_could_use_is_refused(
    results: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        evaluation(**results)


def test_an_answer_keeps_the_results_and_takes_the_names_of_the_request() -> None:
    known = evaluation(seed=3, metrics={"validation_auroc": 0.9})
    same = replace(architectures()[0], space="tiny", tokens=(5, 1))
    asked = Request("another name", same, 3, request().fidelity)
    answer = known.answering(asked)
    assert isinstance(answer, Evaluation)
    assert answer.request == asked
    assert answer.metrics == known.metrics
    assert answer.key == known.key


def with_curve(curve: list[float], restarts: int) -> Evaluation:
    """A training to its end of six epochs, with this learning curve."""
    return Evaluation.of(
        request(epochs=6),
        "hash",
        metrics={"validation_auroc": curve[-1]},
        details={"curves": [curve], "restarts": restarts},
    )


CURVE = [0.55, 0.56, 0.57, 0.58, 0.59, 0.6]


def test_the_curve_of_a_child_that_was_begun_again_is_held_against_no_rung() -> None:
    asked = replace(request(epochs=6), rungs=(Rung(2, 0.9),))
    assert with_curve(CURVE, restarts=0).answering(asked).state == "stopped"
    again = with_curve(CURVE, restarts=1).answering(asked)
    assert again.is_done
    assert again.metrics == {"validation_auroc": 0.6}


def test_a_child_is_stopped_at_the_earliest_rung_that_it_misses_in_whatever_order() -> None:
    asked = replace(request(epochs=6), rungs=(Rung(4, 0.9), Rung(2, 0.9)))
    stopped = with_curve(CURVE, restarts=0).answering(asked)
    assert stopped.reason.startswith("stopped after epoch 2 ")
    assert stopped.metrics == {"validation_auroc": 0.56}
    assert stopped.details["curves"] == [CURVE[:2]]


def test_a_tiny_task_depends_on_its_seed_alone() -> None:
    assert tiny_task("a", 1).hash == tiny_task("b", 1).hash != tiny_task("a", 2).hash


def test_what_json_cannot_hold_becomes_null_in_details() -> None:
    details = {"curve": (0.5, float("nan")), "inner": {"rate": float("inf")}, "count": 3}
    assert json_safe(details) == {"curve": [0.5, None], "inner": {"rate": None}, "count": 3}
