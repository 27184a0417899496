"""Giving hopeless children up: at a rung, in the records, and by the median of a task's earlier children."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_children import SPACE, TINY, request, tiny_task

from ambient.child.stopping import Rung
from ambient.child.train import train_child
from ambient.controller.policy import PolicyConfig
from ambient.errors import RunError
from ambient.evaluate import Evaluation, InlineEngine, Remembering, Request, Store
from ambient.search.ambient import AmbientSearcher
from ambient.search.config import AmbientConfig
from ambient.search.stopping import EarlyStopping, StoppingConfig

TASKS = {"tiny": tiny_task(windows=160)}
LONGER = {"epochs": 6, "keep_from": 0.5}
JUDGED = tuple(Rung(epoch, 0.0) for epoch in range(1, 7))


def asked(*rungs: Rung, seed: int = 0) -> Request:
    return replace(request(seed, index=3, **LONGER), rungs=rungs)


def trained(request: Request) -> Evaluation:
    (evaluation,) = InlineEngine(TASKS).run([request])
    return evaluation


def with_curve(seed: int, *curve: float, stopped: bool = False) -> Evaluation:
    """An evaluation of this curve; its last value is what it ended with."""
    return Evaluation.of(
        request(seed, **LONGER),
        "hash",
        metrics={"validation_auroc": curve[-1]},
        state="stopped" if stopped else "done",
        reason="below" if stopped else "",
        details={"curves": [list(curve)], "restarts": 0, "parameters": 1},
    )


def test_rungs_that_are_passed_change_no_bit_and_fill_the_curve():
    task, architecture = TASKS["tiny"], request().architecture
    fidelity = replace(TINY, **LONGER)
    plain = train_child(task, architecture, fidelity, 0)
    judged = train_child(task, architecture, fidelity, 0, rungs=JUDGED)
    for one, other in zip(
        plain.module.state_dict().values(), judged.module.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)
    assert judged.metrics == plain.metrics
    assert plain.details["curves"][0][:3] == [None, None, None]
    assert None not in judged.details["curves"][0]


def test_a_child_below_its_rung_is_given_up_there_and_says_so():
    whole = trained(asked(*JUDGED))
    (curve,) = whole.details["curves"]
    least = round(curve[1] + 0.0001, 4)
    stopped = trained(asked(Rung(1, 0.0), Rung(2, least)))
    assert stopped.state == "stopped"
    assert stopped.reason == (
        f"stopped after epoch 2 of 6: validation AUROC {curve[1]:.4f}, needed was {least:.4f}"
    )
    assert stopped.metrics == {"validation_auroc": curve[1]}
    assert stopped.details["curves"] == [curve[:2]]
    assert trained(asked(Rung(2, curve[1]))).is_done


@pytest.mark.parametrize("epoch", [1, 3, 5])
def test_a_record_of_a_whole_training_answers_as_if_it_had_been_stopped(epoch):
    whole = trained(asked(*JUDGED))
    rungs = (Rung(epoch, 0.9999),)
    live, remembered = trained(asked(*rungs)), whole.answering(asked(*rungs))
    assert live.state == "stopped"
    for name in ("state", "reason", "metrics"):
        assert getattr(live, name) == getattr(remembered, name)
    assert len(remembered.details["curves"][0]) == epoch


def test_a_stopped_record_answers_only_what_would_have_stopped_it(tmp_path: Path):
    with Store(tmp_path / "store.sqlite") as store:
        engine = Remembering(InlineEngine(TASKS), store)
        (stopped,) = engine.run([asked(Rung(2, 0.9999))])
        assert stopped.state == "stopped"
        assert [one.state for one in engine.run([asked(Rung(2, 0.9998))])] == ["stopped"]
        assert store.get(stopped.key) == stopped
        (whole,) = engine.run([asked()])
        assert whole.is_done
        assert store.get(stopped.key).is_done, "the whole training takes the stopped one's place"


def test_equal_requests_with_other_rungs_at_once_are_answered_each(tmp_path: Path):
    requests = [asked(Rung(2, 0.9999)), asked(*JUDGED), asked(Rung(2, 0.9999))]
    with Store(tmp_path / "store.sqlite") as store:
        answers = list(Remembering(InlineEngine(TASKS), store).run(requests))
    assert sorted(one.state for one in answers) == ["done", "stopped", "stopped"]


def test_of_two_stopped_records_the_longer_one_stays(tmp_path: Path):
    short, long = with_curve(0, 0.5, 0.6, stopped=True), with_curve(0, 0.5, 0.6, 0.7, stopped=True)
    with Store(tmp_path / "store.sqlite") as store:
        assert [store.put(one) for one in (short, long, short)] == [1, 1, 0]
        assert store.get(short.key) == long


@pytest.mark.parametrize(
    ("rungs", "changes", "message"),
    [
        ([Rung(0, 0.5)], {}, "different ones from 1 to 6"),
        ([Rung(7, 0.5)], {}, "different ones from 1 to 6"),
        ([Rung(2, 0.5), Rung(2, 0.6)], {}, r"found rungs after the epochs \[2, 2\]"),
        ([Rung(2, 1.5)], {}, "found the threshold 1.5 after epoch 2"),
        ([Rung(2, 0.5)], {"members": 2}, "trains 2 members"),
    ],
)
def test_rungs_that_cannot_be_judged_are_refused(rungs, changes, message):
    fidelity = replace(TINY, **LONGER, **changes)
    with pytest.raises(RunError, match=message):
        train_child(TASKS["tiny"], request().architecture, fidelity, 0, rungs=rungs)


def test_the_median_of_earlier_children_is_asked_of_later_ones_once_there_are_enough():
    rule = EarlyStopping(StoppingConfig(epochs=(2,), least=3))
    rule.observe([with_curve(0, 0.5, 0.6, 0.7), with_curve(1, 0.5, 0.8, 0.9)])
    assert rule.rungs("tiny") == (Rung(2, 0.0),)
    rule.observe([with_curve(2, 0.5, 0.7, stopped=True)])
    assert rule.rungs("tiny") == (Rung(2, 0.7),)
    assert rule.rungs("another") == (Rung(2, 0.0),)


def test_a_small_share_asks_for_little():
    rule = EarlyStopping(StoppingConfig(epochs=(2,), share=0.2))
    values = [number / 10 for number in range(1, 11)]
    rule.observe([with_curve(n, 0.05, value, value) for n, value in enumerate(values)])
    (rung,) = rule.rungs("tiny")
    assert sum(value < rung.least for value in values) == 2


def test_no_guess_is_above_the_best_there_is():
    rule = EarlyStopping(StoppingConfig(epochs=(2,), least=1))
    rule.observe([with_curve(0, 0.5, 0.6, 0.9)])
    assert rule.guess(with_curve(9, 0.5, 0.65, stopped=True)) == pytest.approx(0.95)
    assert rule.guess(with_curve(9, 0.5, 0.85, stopped=True)) == 1.0


def test_what_a_stopped_child_would_have_earned_is_guessed_from_those_that_went_on():
    rule = EarlyStopping(StoppingConfig(epochs=(2,), least=1))
    stopped = with_curve(9, 0.5, 0.65, stopped=True)
    assert rule.guess(stopped) == pytest.approx(0.65)
    gains = [(0.6, 0.7), (0.7, 0.9), (0.8, 0.83)]
    rule.observe([with_curve(n, 0.5, *pair) for n, pair in enumerate(gains)])
    rule.observe([stopped])
    assert rule.guess(stopped) == pytest.approx(0.75)


@pytest.mark.parametrize("values", [{"epochs": ()}, {"epochs": (0,)}, {"share": 1.0}, {"least": 0}])
def test_a_rule_that_means_nothing_is_refused(values):
    with pytest.raises(RunError, match="early stopping: found"):
        StoppingConfig(**values)


STOPPING = AmbientConfig(
    tasks_per_step=3,
    architectures_per_task=4,
    policy=PolicyConfig(hidden=16, embedding=4),
    early_stopping=StoppingConfig(epochs=(3,), least=2),
)


def searcher() -> AmbientSearcher:
    names = ("one", "three", "seven")
    return AmbientSearcher(SPACE, dict.fromkeys(names), replace(TINY, **LONGER), STOPPING)


def answers(requests: Sequence[Request]) -> list[Evaluation]:
    """What children of many seeds earn: some are stopped at their rung."""
    found = []
    for number, one in enumerate(requests):
        tokens = sum(one.architecture.tokens) + len(one.task)
        curve = [0.5, 0.55, 0.6 + 0.03 * ((tokens + number) % 7), 0.8 + 0.02 * (tokens % 5)]
        made = with_curve(0, *curve)
        whole = Evaluation.of(one, "hash", metrics=made.metrics, details=made.details)
        found.append(whole.answering(one))
    return found


def test_a_search_with_stopping_goes_on_bit_for_bit(tmp_path: Path):
    straight, states = searcher(), []
    first_ask = straight.ask(12)
    assert all(one.rungs == (Rung(3, 0.0),) for one in first_ask)
    straight.tell(answers(first_ask))
    for _ in range(5):
        requests = straight.ask(12)
        states.append((json.dumps(straight.state_dict()["stopping"]), requests))
        straight.save_checkpoint(tmp_path / "open")
        straight.tell(answers(requests))
    assert any(one.state == "stopped" for one in answers(states[-1][1]))
    resumed = searcher()
    resumed.load_checkpoint(tmp_path / "open")
    (still_open,) = resumed.open_steps()
    assert still_open == states[-1][1], "the rungs of an open step are those that it was asked with"
    resumed.tell(answers(still_open))
    for one, other in zip(straight.policy.parameters(), resumed.policy.parameters(), strict=True):
        assert torch.equal(one, other)
    assert resumed.ask(12) == straight.ask(12)


def test_the_configuration_names_the_rule_only_where_there_is_one():
    assert "early_stopping" not in AmbientConfig().to_dict()
    written = json.loads(json.dumps(STOPPING.to_dict()))
    assert AmbientConfig.from_dict(written) == STOPPING
    with pytest.raises(RunError, match="unknown key 'epoch'"):
        AmbientConfig.from_dict({"early_stopping": {"epoch": [2]}})
    with pytest.raises(RunError, match="held against each other's validation_auroc"):
        AmbientConfig(metric="validation_aupr", early_stopping=StoppingConfig())


@pytest.mark.parametrize(
    ("changes", "said"), [({"epochs": 2}, "from 1 to 2"), ({"members": 5}, "5 members")]
)
def test_a_rule_that_the_fidelity_cannot_keep_is_refused_before_a_child_is_trained(changes, said):
    fidelity = replace(TINY, **{**LONGER, **changes})
    with pytest.raises(RunError, match=said):
        AmbientSearcher(SPACE, {"one": None}, fidelity, STOPPING)
