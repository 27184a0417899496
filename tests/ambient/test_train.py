"""Training: reproducible, honest about the test split, and not fooled by dead networks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ambient.child import Fidelity, auroc, predict, train_child
from ambient.child.train import _parameter_groups
from ambient.data.task import TaskData
from ambient.errors import InputError, RunError
from ambient.space import named_space

QUICK = Fidelity.from_dict(
    {
        "like": "search",
        "name": "quick",
        "windows_per_epoch": 160,
        "epochs": 6,
        "patience": 6,
        "batch_size": 16,
        "learning_rate": 0.02,
        "shift_bp": 4,
        "precision": "float32",
    }
)
COMPLEMENT = np.array([3, 2, 1, 0, 4], dtype=np.uint8)


@dataclass
class Small:
    """Stands in for an architecture: one convolution over 40 bp."""

    window_bp: int | None = None
    recipe: dict[str, float] = field(default_factory=dict)
    layers: Any = None
    built: int = 0

    def build(self, window_bp: int, outputs: int) -> nn.Module:
        self.built += 1
        return nn.Sequential(
            nn.Conv1d(4, 6, 9, padding=4),
            nn.BatchNorm1d(6),
            nn.ReLU(),
            nn.AdaptiveMaxPool1d(1),
            nn.Flatten(),
            nn.Dropout(0.1),
            *(self.layers(outputs) if self.layers else [nn.Linear(6, outputs)]),
        )


class Times(nn.Module):
    """Multiply by a constant and add it to nothing: zero makes a dead network, NaN a diverged one."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factor


def planted_task(windows: int = 240, outputs: int = 1, seed: int = 0) -> TaskData:
    """Windows of 40 bp within 60 stored ones; output i is positive where its own word is planted."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (windows, 60)).astype(np.uint8)
    labels = np.zeros((windows, outputs), dtype=np.float32)
    for row in range(windows):
        kind = row % (outputs + 1)
        if kind < outputs:
            labels[row, kind] = 1
            start = rng.integers(18, 34)
            codes[row, start : start + 8] = np.roll([0, 2, 2, 1, 3, 3, 0, 1], 3 * kind)
    return TaskData(
        name="planted",
        category="tf",
        window_bp=40,
        codes=codes,
        labels=labels,
        split=(np.arange(windows) * 3 // windows).astype(np.uint8),
        origin=(labels.max(1) == 0).astype(np.uint8),
    )


def weights(trained) -> list[torch.Tensor]:
    return [value for member in trained.members for value in member.state_dict().values()]


def are_equal(one, other) -> bool:
    return all(torch.equal(a, b) for a, b in zip(weights(one), weights(other), strict=True))


def test_a_planted_word_is_learnt():
    trained = train_child(planted_task(), Small(), QUICK, seed=0)
    assert trained.metrics["validation_auroc"] > 0.9
    assert trained.metrics["test_auroc"] > 0.9
    assert trained.metrics["test_aupr"] > 0.9
    assert trained.restarts == 0


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_same_seed_gives_the_same_bits_whatever_ran_before(precision):
    fidelity = replace(QUICK, epochs=3, members=2, precision=precision)
    first = train_child(planted_task(), Small(), fidelity, seed=5)
    torch.manual_seed(99)
    np.random.default_rng(1).random(7)
    train_child(planted_task(seed=1), Small(), replace(fidelity, epochs=1), seed=1)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3 - min(threads, 2))
        second = train_child(planted_task(), Small(), fidelity, seed=5)
    finally:
        torch.set_num_threads(threads)
    assert are_equal(first, second)
    assert first.metrics == second.metrics
    assert first.history == second.history


def test_another_seed_and_another_member_give_other_weights():
    fidelity = replace(QUICK, epochs=1, keep_from=0.0, members=2)
    one = train_child(planted_task(), Small(), fidelity, seed=0)
    other = train_child(planted_task(), Small(), fidelity, seed=1)
    assert not torch.equal(one.members[0][0].weight, one.members[1][0].weight)
    assert not torch.equal(one.members[0][0].weight, other.members[0][0].weight)


def test_the_random_state_and_the_threads_of_the_caller_are_left_alone():
    torch.manual_seed(3)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    train_child(planted_task(), Small(), replace(QUICK, epochs=1), seed=0)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.get_num_threads() == threads


def test_test_windows_influence_nothing_but_the_test_metrics():
    task = planted_task()
    held = (task.split == 2)[:, None]
    turned = replace(task, labels=np.where(held, 1 - task.labels, task.labels))
    scrambled = replace(task, codes=np.where(held, 3 - np.minimum(task.codes, 3), task.codes))
    honest = train_child(task, Small(), QUICK, seed=0)
    for changed in (turned, scrambled):
        other = train_child(changed, Small(), QUICK, seed=0)
        assert are_equal(honest, other)
        assert other.metrics["validation_auroc"] == honest.metrics["validation_auroc"]
        assert other.metrics["test_auroc"] != honest.metrics["test_auroc"]


def test_the_record_tells_each_members_curve_restarts_and_size() -> None:
    fidelity = replace(QUICK, epochs=4, keep_from=0.5, members=2, patience=9)
    trained = train_child(planted_task(), Small(), fidelity, seed=0)
    details = trained.details
    assert [len(curve) for curve in details["curves"]] == [4, 4]
    for member, curve in enumerate(details["curves"]):
        assert curve[:2] == [None, None]
        told = [
            row["validation_auroc"]
            for row in trained.history
            if row["member"] == member and "validation_auroc" in row
        ]
        assert curve[2:] == [round(value, 4) for value in told]
    assert details["restarts"] == 0
    assert details["parameters"] == sum(part.numel() for part in trained.module.parameters())


def noisy_task() -> TaskData:
    """A task whose labels say nothing, so that validation goes up and down."""
    task = planted_task()
    return replace(task, labels=np.random.default_rng(0).permutation(task.labels))


def test_the_weights_of_the_best_judged_epoch_are_kept():
    fidelity = replace(QUICK, epochs=8, patience=8, keep_from=0.25, learning_rate=0.05)
    trained = train_child(noisy_task(), Small(), fidelity, seed=1)
    judged = [row["validation_auroc"] for row in trained.history if "validation_auroc" in row]
    assert len(trained.history) == 8
    assert len(judged) == 6
    assert judged[-1] < max(judged)
    assert trained.metrics["validation_auroc"] == max(judged)


def test_training_stops_when_patience_runs_out():
    fidelity = replace(QUICK, epochs=60, patience=2, keep_from=0.0, windows_per_epoch=32)
    trained = train_child(noisy_task(), Small(), fidelity, seed=0)
    assert trained.epochs == len(trained.history) < 60
    reached = [row["validation_auroc"] for row in trained.history]
    assert max(reached[-2:]) < max(reached)


def test_metrics_are_those_of_the_predictions():
    task = planted_task()
    trained = train_child(task, Small(), replace(QUICK, members=2), seed=0)
    rows = np.flatnonzero(task.split == 2)
    scores = predict(trained, task.codes[rows, 10:50])
    assert scores.dtype == np.float32
    assert scores.shape == (80, 1)
    assert auroc(task.labels[rows, 0], scores[:, 0]) == trained.metrics["test_auroc"]


def test_predictions_do_not_depend_on_the_strand_or_the_batch():
    task = planted_task(windows=600)
    trained = train_child(task, Small(), replace(QUICK, epochs=2), seed=0)
    codes = task.codes[:, 10:50]
    all_at_once = predict(trained, codes)
    flipped = predict(trained, COMPLEMENT[codes[:, ::-1]])
    np.testing.assert_allclose(flipped, all_at_once, atol=1e-6)
    one_by_one = np.concatenate([predict(trained, codes[i : i + 1]) for i in range(0, 600, 97)])
    np.testing.assert_allclose(one_by_one, all_at_once[::97], atol=1e-6)


def test_without_windows_there_are_no_predictions():
    trained = train_child(planted_task(outputs=2), Small(), replace(QUICK, epochs=1), seed=0)
    assert predict(trained, np.zeros((0, 40), dtype=np.uint8)).shape == (0, 2)


def test_windows_of_another_width_are_refused():
    trained = train_child(planted_task(), Small(), replace(QUICK, epochs=1), seed=0)
    with pytest.raises(RunError, match=r"found windows of shape \(3, 41\), the network reads"):
        predict(trained, np.zeros((3, 41), dtype=np.uint8))


def test_several_outputs_are_each_learnt():
    task = planted_task(windows=600, outputs=2)
    trained = train_child(task, Small(), replace(QUICK, windows_per_epoch=320), seed=0)
    rows = np.flatnonzero(task.split == 2)
    scores = predict(trained, task.codes[rows, 10:50])
    each = [auroc(task.labels[rows, i], scores[:, i]) for i in range(2)]
    assert min(each) > 0.85
    assert trained.metrics["test_auroc"] == pytest.approx(np.mean(each))


def test_an_architecture_may_set_the_window_and_the_recipe():
    architecture = Small(window_bp=24, recipe={"learning_rate": 0.007, "weight_decay": 0.5})
    trained = train_child(planted_task(), architecture, replace(QUICK, epochs=2), seed=0)
    assert trained.window_bp == 24
    assert trained.history[0]["learning_rate"] == 0.007
    decayed = weights(trained)[0].norm()
    free = weights(
        train_child(
            planted_task(), replace(architecture, recipe={"learning_rate": 0.007}), QUICK, seed=0
        )
    )[0].norm()
    assert decayed != free


@pytest.mark.parametrize(
    ("recipe", "rate"),
    [
        ({"learning_rate_factor": 0.5}, 0.5 * QUICK.learning_rate),
        ({"learning_rate": 0.004, "learning_rate_factor": 2.0}, 0.008),
    ],
)
def test_a_factor_multiplies_the_rate_that_it_finds(recipe, rate):
    trained = train_child(planted_task(), Small(recipe=recipe), replace(QUICK, epochs=1), seed=0)
    assert trained.history[0]["learning_rate"] == pytest.approx(rate)


def test_an_unknown_key_of_the_recipe_is_an_error():
    with pytest.raises(RunError, match=r"unknown key 'momentum', known are learning_rate"):
        train_child(planted_task(), Small(recipe={"momentum": 0.9}), QUICK, seed=0)


def test_a_window_wider_than_what_is_stored_is_refused():
    with pytest.raises(InputError, match="planted: windows of 80 bp were asked for"):
        train_child(planted_task(), Small(window_bp=80), replace(QUICK, epochs=1), seed=0)


def test_an_empty_validation_split_trains_to_the_end():
    task = planted_task()
    task = replace(task, split=np.where(task.split == 1, 0, task.split).astype(np.uint8))
    trained = train_child(task, Small(), QUICK, seed=0)
    assert trained.metrics["validation_auroc"] is None
    assert trained.metrics["test_auroc"] > 0.9
    assert trained.epochs == QUICK.epochs


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_training_split_of_one_class_is_an_error(value):
    task = planted_task()
    labels = np.where((task.split == 0)[:, None], value, task.labels).astype(np.float32)
    with pytest.raises(RunError, match=r"planted: found \d+ positives among 80 training windows"):
        train_child(replace(task, labels=labels), Small(), QUICK, seed=0)


def test_a_dead_network_is_begun_again_at_a_lower_rate():
    architecture = Small()
    architecture.layers = lambda outputs: [
        Times(0.0 if architecture.built == 1 else 1.0),
        nn.Linear(6, outputs),
    ]
    trained = train_child(planted_task(), architecture, QUICK, seed=0)
    assert trained.restarts == 1
    assert trained.metrics["test_auroc"] > 0.8
    rates = {row["attempt"]: row["learning_rate"] for row in trained.history}
    assert rates[1] < rates[0] == QUICK.learning_rate
    assert trained.epochs == len(trained.history)


def test_a_network_that_stays_dead_is_believed_in_the_end():
    architecture = Small(layers=lambda outputs: [Times(0.0), nn.Linear(6, outputs)])
    trained = train_child(planted_task(), architecture, replace(QUICK, epochs=2), seed=0)
    assert trained.restarts == 3
    assert trained.metrics["validation_auroc"] == 0.5


def test_a_network_that_diverges_every_time_is_an_error():
    architecture = Small(layers=lambda outputs: [Times(float("nan")), nn.Linear(6, outputs)])
    with pytest.raises(RunError, match=r"dead after 3 restarts \(its loss is not finite\)"):
        train_child(planted_task(), architecture, replace(QUICK, epochs=2), seed=0)


def test_an_architecture_of_a_published_space_trains():
    architecture = named_space("ambient-10").sample(np.random.default_rng(0))
    fidelity = replace(QUICK, epochs=1, windows_per_epoch=32)
    trained = train_child(planted_task(), architecture, fidelity, seed=0)
    assert 0 <= trained.metrics["test_auroc"] <= 1


def test_filters_are_decayed_and_biases_are_not():
    layer = nn.Linear(2, 2)
    decays = {
        id(part): group["weight_decay"]
        for group in _parameter_groups(layer, 0.1)
        for part in group["params"]
    }
    assert decays == {id(layer.weight): 0.1, id(layer.bias): 0.0}
