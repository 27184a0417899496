"""Rewards never come from a test label and are never NaN; baselines follow each task's rewards."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from ambient.controller.baselines import Baselines, reward
from ambient.errors import RunError


@dataclass(frozen=True)
class Measurement:
    task: str = "reb1"
    state: str = "done"
    metrics: Mapping[str, float | None] = field(
        default_factory=lambda: {
            "validation_auroc": 0.8,
            "validation_aupr": 0.6,
            "test_auroc": 0.9,
        }
    )


def test_the_reward_is_the_validation_metric_that_was_named() -> None:
    assert reward(Measurement()) == 0.8
    assert reward(Measurement(), "validation_aupr") == 0.6


@pytest.mark.parametrize("metric", ["test_auroc", "train_auroc", "auroc"])
def test_a_metric_of_another_split_is_refused(metric: str) -> None:
    with pytest.raises(RunError, match="validation_auroc") as caught:
        reward(Measurement(), metric)
    assert metric in str(caught.value)


def test_an_unknown_metric_names_those_that_exist() -> None:
    with pytest.raises(RunError, match="validation_aupr, validation_auroc"):
        reward(Measurement(), "validation_pearson")


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_metric_that_is_no_number_earns_nothing(value: float | None) -> None:
    assert reward(Measurement(metrics={"validation_auroc": value})) is None


def test_a_failed_child_earns_nothing() -> None:
    assert reward(Measurement(state="failed", metrics={})) is None


def test_a_failed_child_gets_the_lowest_reward_of_its_task() -> None:
    baselines = Baselines()
    assert baselines.update("a", [0.7, None, 0.9]) == [0.7, 0.7, 0.9]
    assert baselines.update("a", [0.8, None]) == [0.8, 0.7]


@pytest.mark.parametrize("value", [0.9, -40.0])
def test_a_task_of_which_nothing_is_known_has_a_baseline_that_leaves_no_trace(value: float) -> None:
    baselines = Baselines()
    assumed = baselines.update("a", [None, None])
    assert assumed == [baselines["a"]] * 2  # no advantage, whatever the metric is
    assert "a" not in baselines
    assert baselines.to_dict() == {}
    assert baselines.update("a", [value, None]) == [value, value]
    assert baselines["a"] == pytest.approx(value)


def test_a_state_that_holds_an_assumed_baseline_of_earlier_versions_loads_without_it() -> None:
    baselines = Baselines()
    baselines.load_state_dict(
        {
            "sums": {"failed": 0.05, "done": 0.08},
            "weights": {"failed": 0.1, "done": 0.1},
            "lowest": {"done": 0.7},
        }
    )
    assert baselines.to_dict() == {"done": pytest.approx(0.8)}
    assert baselines.update("failed", [-3.0]) == [-3.0]
    assert baselines["failed"] == pytest.approx(-3.0)


def test_the_first_batch_sets_the_baseline_to_its_mean() -> None:
    baselines = Baselines(decay=0.9)
    baselines.update("a", [0.6, 0.8])
    assert baselines["a"] == pytest.approx(0.7)
    assert "b" not in baselines


def test_the_baseline_is_the_weighted_mean_of_all_batches() -> None:
    decay, batches = 0.8, [[0.5, 0.6], [0.9], [0.7, 0.7, 0.4]]
    baselines = Baselines(decay)
    for batch in batches:
        baselines.update("a", batch)
        baselines.update("b", [0.1])
    weights = [decay ** (len(batches) - 1 - i) for i in range(len(batches))]
    means = [sum(batch) / len(batch) for batch in batches]
    expected = sum(w * m for w, m in zip(weights, means, strict=True)) / sum(weights)
    assert baselines["a"] == pytest.approx(expected)
    assert baselines.to_dict() == {"a": baselines["a"], "b": pytest.approx(0.1)}


def test_an_empty_batch_changes_nothing() -> None:
    baselines = Baselines()
    assert baselines.update("a", []) == []
    assert "a" not in baselines


def test_restored_baselines_go_on_as_if_never_interrupted() -> None:
    first, second = Baselines(), Baselines()
    first.update("a", [0.3, 0.9])
    second.load_state_dict(first.state_dict())
    for baselines in (first, second):
        baselines.update("a", [0.8, None])
        baselines.update("b", [0.6])
    assert first.state_dict() == second.state_dict()
    assert first.floor("a") == second.floor("a") == 0.3


@pytest.mark.parametrize("decay", [-0.1, 1.0])
def test_an_impossible_decay_is_refused(decay: float) -> None:
    with pytest.raises(RunError, match="decay"):
        Baselines(decay)
