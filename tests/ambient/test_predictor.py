"""The predictor: it finds what descriptors tell, says how sure it is, and learns nothing from what it must not see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ambient.controller.predictor import Predictor, Records, _covariance, _Data
from ambient.errors import RunError
from descriptors.schema import DESCRIPTORS

COLUMNS = 2 * len(DESCRIPTORS)
WIDTH = next(i for i, entry in enumerate(DESCRIPTORS) if entry.name == "peak_width_median_bp")
DECISIONS = 4
NOISE = 0.01


def vectors(count: int, rng: np.random.Generator) -> np.ndarray:
    made = np.zeros((count, COLUMNS), dtype=np.float32)
    made[:, WIDTH] = rng.uniform(-2, 2, count)
    return made


def truth(vectors: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Decision 0 matters everywhere, decision 1 as the peak width says, the others not at all."""
    width = vectors[:, WIDTH]
    return (
        0.75 + 0.03 * tokens[:, 0] + 0.06 * np.tanh(2 * width) * (tokens[:, 1] - 0.5) + 0.02 * width
    )


def made_up(tasks: int = 16, each: int = 18, seed: int = 0) -> Records:
    rng = np.random.default_rng(seed)
    known = vectors(tasks, rng)
    task = np.repeat(np.arange(tasks), each)
    tokens = rng.integers(0, 2, (len(task), DECISIONS))
    values = truth(known[task], tokens) + rng.normal(0, NOISE, len(task))
    return Records(tuple(f"task{n:02d}" for n in range(tasks)), known, task, tokens, values)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.fit(made_up(), steps=60)


def unseen(count: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(99)
    new, tokens = vectors(count, rng), rng.integers(0, 2, (count, DECISIONS))
    values = truth(new, tokens) + rng.normal(0, NOISE, count)
    return new, tokens, values


def test_it_predicts_data_sets_that_it_never_saw(predictor: Predictor) -> None:
    new, tokens, values = unseen()
    found = predictor.predict(new, tokens)
    left = np.var(found.mean - values) / np.var(values)
    assert left < 0.15


def test_its_80_percent_intervals_cover_about_80_percent(predictor: Predictor) -> None:
    new, tokens, values = unseen()
    found = predictor.predict(new, tokens)
    covered = np.mean(np.abs(found.mean - values) < 1.2816 * found.deviation)
    assert 0.7 < covered < 0.93


def test_it_learns_which_decisions_count(predictor: Predictor) -> None:
    weights = predictor.importance["decisions"]
    assert min(weights[:2]) > 2 * max(weights[2:])


def test_the_fast_mean_is_the_mean(predictor: Predictor) -> None:
    new, tokens, _ = unseen(40)
    fast = predictor.mean_function(new[:5])
    task = np.arange(40) % 5
    assert fast(task, tokens) == pytest.approx(predictor.predict(new[task], tokens).mean, abs=1e-9)


def test_a_tasks_own_records_can_be_left_out(predictor: Predictor) -> None:
    records = predictor.records
    asked = records.tokens[:9]
    mean = predictor.mean_function(records.vectors, range(len(records.tasks)))
    data, *_ = predictor._solved
    covariance = _covariance(predictor._free, data, data, same=True)
    covariance += 1e-6 * covariance.diagonal().mean() * torch.eye(len(covariance))
    level = predictor._free["mean"]
    for task in (0, 3):
        others = data.task != task
        new = _Data.of(records.vectors[[task] * 9], asked, data)
        between = _covariance(predictor._free, new, data, same=False)[:, others]
        left = covariance[others][:, others]
        plain = between @ torch.linalg.solve(left, (data.values - level)[others]) + level
        found = mean(np.full(9, task), asked)
        np.testing.assert_allclose(found, data.unscaled(plain), atol=1e-6)
        whole = predictor.mean_function(records.vectors)(np.full(9, task), asked)
        assert np.abs(found - whole).max() > 1e-3


def test_it_comes_back_from_its_tensors_and_predicts_the_same(predictor: Predictor) -> None:
    again = Predictor.from_tensors(predictor.to_tensors(), predictor.records.tasks)
    new, tokens, _ = unseen(20)
    one, other = predictor.predict(new, tokens), again.predict(new, tokens)
    assert np.array_equal(one.mean, other.mean)
    assert np.array_equal(one.deviation, other.deviation)


def test_shuffled_descriptors_leave_only_what_holds_everywhere() -> None:
    records = made_up()
    shuffled = replace(records, vectors=records.vectors[np.random.default_rng(5).permutation(16)])
    new, tokens, values = unseen()
    honest, blind = (
        Predictor.fit(one, steps=60).predict(new, tokens) for one in (records, shuffled)
    )
    assert np.mean((honest.mean - values) ** 2) < 0.5 * np.mean((blind.mean - values) ** 2)


def test_the_likelihood_improves_and_the_same_records_give_the_same_predictor() -> None:
    one, other = (Predictor.fit(made_up(), steps=25) for _ in range(2))
    assert one.history[-1] < one.history[0]
    assert one.parameters == other.parameters


def test_records_of_some_tasks_hold_nothing_of_others() -> None:
    records = made_up()
    kept = records.of_tasks(["task03", "task07"])
    assert kept.tasks == ("task03", "task07")
    assert np.array_equal(kept.vectors, records.vectors[[3, 7]])
    rows = np.isin(records.task, [3, 7])
    assert np.array_equal(kept.values, records.values[rows])
    assert np.array_equal(np.array([3, 7])[kept.task], records.task[rows])


def test_too_little_and_what_is_no_number_are_refused() -> None:
    records = made_up()
    with pytest.raises(RunError, match="found 18 evaluations of 1 tasks"):
        records.of_tasks(["task00"])
    with pytest.raises(RunError, match="a value that is not finite"):
        replace(records, values=np.where(records.task == 0, np.nan, records.values))


def test_a_difference_is_that_of_the_means_and_its_uncertainty_that_of_a_plain_solve(
    predictor: Predictor,
) -> None:
    records, free = predictor.records, predictor._free
    new, tokens, _ = unseen(12)
    others = tokens[::-1].copy()
    found = predictor.difference(new, tokens, others)
    means = predictor.predict(new, tokens).mean - predictor.predict(new, others).mean
    np.testing.assert_allclose(found.mean, means, atol=1e-6)
    data = _Data(records)
    covariance = _covariance(free, data, data, same=True)
    covariance += 1e-6 * covariance.diagonal().mean() * torch.eye(len(covariance))
    for row in range(12):
        pair = _Data.of(new[[row, row]], np.stack([tokens[row], others[row]]), data)
        between = _covariance(free, pair, data, same=False)
        pair.task = torch.tensor([0, 0])
        left = _covariance(free, pair, pair, same=False) - between @ torch.linalg.solve(
            covariance, between.T
        )
        variance = left[0, 0] + left[1, 1] - 2 * left[0, 1]
        assert found.deviation[row] == pytest.approx(
            float(variance.clamp_min(0).sqrt()) * data.scale, abs=2e-3
        )
    assert found.deviation.max() > 5e-3
    same = predictor.difference(new, tokens, tokens)
    assert np.all(same.mean == 0)
    assert np.all(same.deviation == 0)
