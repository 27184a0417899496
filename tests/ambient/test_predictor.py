"""The predictor: it finds what descriptors tell, says how sure it is, and learns nothing from what it must not see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ambient.controller.predictor import Prediction, Predictor
from ambient.controller.recorded import Records
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


def test_it_learns_that_trainings_on_few_peaks_are_noisier() -> None:
    records, rng = made_up(), np.random.default_rng(3)
    peaks = next(i for i, entry in enumerate(DESCRIPTORS) if entry.name == "n_peaks")
    known = records.vectors.copy()
    known[::2, peaks], known[1::2, peaks] = -1, 1
    few = known[records.task, peaks] < 0
    values = records.values + np.where(few, rng.normal(0, 0.08, len(few)), 0.0)
    noisy = Predictor.fit(replace(records, vectors=known, values=values), steps=60)
    new, tokens, _ = unseen(20)
    new[:10, peaks], new[10:, peaks] = -1, 1
    deviation = noisy.predict(new, tokens).deviation
    assert deviation[:10].min() > 1.3 * deviation[10:].max()


def test_it_learns_which_decisions_count(predictor: Predictor) -> None:
    weights = np.exp(predictor.parameters["decisions"])
    assert min(weights[:2]) > 2 * max(weights[2:])


def test_the_fast_mean_is_the_mean(predictor: Predictor) -> None:
    new, tokens, _ = unseen(40)
    fast = predictor.mean_function(new[:5])
    task = np.arange(40) % 5
    assert fast(task, tokens) == pytest.approx(predictor.predict(new[task], tokens).mean, abs=1e-9)


class Plain:
    """The posterior, written out: every covariance by itself, and one solve with all records."""

    def __init__(self, predictor: Predictor, kept: np.ndarray | None = None) -> None:
        records, self.learned = predictor.records, predictor.parameters
        rows = np.arange(len(records.values)) if kept is None else kept
        self.scale, self.shift = records.values.std(), records.values.mean()
        self.known = [
            (records.vectors[records.task[row]], records.tokens[row], records.task[row])
            for row in rows
        ]
        self.values = (records.values[rows] - self.shift) / self.scale - self.learned["mean"][0]
        between = np.array([[self.covariance(a, b) for b in self.known] for a in self.known])
        noise = np.diag([self.noise(vector) for vector, *_ in self.known])
        self.whole = between + noise + 1e-6 * np.diag(between + noise).mean() * np.eye(len(rows))

    def covariance(self, one: tuple, other: tuple) -> float:
        (x, a, s), (y, b, t) = one, other
        task, task_own, shared, descriptors, own, _ = np.exp(self.learned["variances"])
        groups = [entry.group for entry in DESCRIPTORS] * 2
        names = list(dict.fromkeys(groups))
        weight = np.exp(self.learned["groups"])
        apart = sum(
            2 * weight[names.index(group)] / groups.count(group) * (float(p) - float(q)) ** 2
            for group, p, q in zip(groups, x, y, strict=True)
        )
        tasks = np.exp(-0.5 * apart)
        tokens = np.exp(-np.exp(self.learned["decisions"])[a != b].sum())
        found = task * tasks + tokens * (shared + descriptors * tasks)
        return float(found + (s == t) * (task_own + own * tokens))

    def noise(self, vector: np.ndarray) -> float:
        peaks = next(i for i, entry in enumerate(DESCRIPTORS) if entry.name == "n_peaks")
        slope = self.learned["noise_slope"][0]
        return float(np.exp(self.learned["variances"][-1] + slope * vector[peaks]))

    def posterior(self, asked: list[tuple]) -> tuple[np.ndarray, np.ndarray]:
        """Means, and covariance without noise."""
        between = np.array([[self.covariance(one, of) for of in self.known] for one in asked])
        own = np.array([[self.covariance(one, of) for of in asked] for one in asked])
        mean = between @ np.linalg.solve(self.whole, self.values) + self.learned["mean"][0]
        return mean, own - between @ np.linalg.solve(self.whole, between.T)


@pytest.fixture(scope="module")
def small() -> Predictor:
    records = made_up(tasks=6, each=8)
    peaks = next(i for i, entry in enumerate(DESCRIPTORS) if entry.name == "n_peaks")
    records.vectors[:, peaks] = np.linspace(-1, 1, 6)
    return Predictor.fit(records, steps=40)


@pytest.mark.parametrize("count", [3, 60], ids=["few data sets", "many data sets"])
def test_a_prediction_is_that_of_a_plain_solve(small: Predictor, count: int) -> None:
    new, tokens, _ = unseen(count)
    tokens[:, 1:] = tokens[0, 1:]  # two architectures, each of few or of many data sets
    found = small.predict(new, tokens)
    plain = Plain(small)
    for row in range(count):
        mean, left = plain.posterior([(new[row], tokens[row], "new")])
        variance = left[0, 0] + plain.noise(new[row])
        assert found.mean[row] == pytest.approx(mean[0] * plain.scale + plain.shift, abs=1e-9)
        assert found.deviation[row] == pytest.approx(np.sqrt(variance) * plain.scale, rel=1e-4)


def test_each_record_is_predicted_from_other_tasks_alone(small: Predictor) -> None:
    records = small.records
    found = small.left_out()
    for task in range(len(records.tasks)):
        plain = Plain(small, np.nonzero(records.task != task)[0])
        for row in np.nonzero(records.task == task)[0]:
            vector = records.vectors[task]
            mean, left = plain.posterior([(vector, records.tokens[row], task)])
            variance = left[0, 0] + plain.noise(vector)
            assert found.mean[row] == pytest.approx(mean[0] * plain.scale + plain.shift, abs=1e-6)
            assert found.deviation[row] == pytest.approx(np.sqrt(variance) * plain.scale, rel=1e-4)


def test_a_tasks_own_records_can_be_left_out(small: Predictor) -> None:
    records = small.records
    asked = records.tokens[:9]
    mean = small.mean_function(records.vectors, range(len(records.tasks)))
    for task in (0, 3):
        others = np.nonzero(records.task != task)[0]
        plain = Plain(small, others)
        expected, _ = plain.posterior([(records.vectors[task], one, "new") for one in asked])
        found = mean(np.full(9, task), asked)
        np.testing.assert_allclose(found, expected * plain.scale + plain.shift, atol=1e-6)
        whole = small.mean_function(records.vectors)(np.full(9, task), asked)
        assert np.abs(found - whole).max() > 1e-3


def test_a_recorded_task_is_played_with_what_is_its_own(small: Predictor) -> None:
    records = small.records
    new = 1 - records.tokens[:9]
    plain = Plain(small)
    for task in (1, 4):
        vector = records.vectors[task]
        expected, _ = plain.posterior([(vector, one, task) for one in new])
        found = small.recorded_function(records.tasks[task])(new)
        np.testing.assert_allclose(found, expected * plain.scale + plain.shift, atol=1e-8)
        alike = small.mean_function(records.vectors)(np.full(9, task), new)
        assert np.abs(found - alike).max() > 1e-4
    assert small.noise_deviation == pytest.approx(
        plain.noise(np.zeros(COLUMNS)) ** 0.5 * plain.scale
    )


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


def test_too_little_and_what_is_no_number_are_refused() -> None:
    records = made_up()
    first = records.task == 0
    with pytest.raises(RunError, match="found 18 evaluations of 1 tasks"):
        Records(
            *(records.tasks[:1], records.vectors[:1]),
            *(records.task[first], records.tokens[first], records.values[first]),
        )
    with pytest.raises(RunError, match="a value that is not finite"):
        replace(records, values=np.where(records.task == 0, np.nan, records.values))


def test_a_difference_is_that_of_the_means_and_its_uncertainty_that_of_a_plain_solve(
    small: Predictor,
) -> None:
    new, tokens, _ = unseen(12)
    others = tokens[::-1].copy()
    found = small.difference(new, tokens, others)
    means = small.predict(new, tokens).mean - small.predict(new, others).mean
    np.testing.assert_allclose(found.mean, means, atol=1e-6)
    plain = Plain(small)
    for row in range(12):
        pair = [(new[row], one, f"new {at}") for at, one in enumerate((tokens[row], others[row]))]
        _, left = plain.posterior(pair)  # two data sets: nothing is their own
        variance = max(left[0, 0] + left[1, 1] - 2 * left[0, 1], 0.0)
        own = np.exp(small.parameters["variances"])[[1, 4]].sum()
        expected = np.sqrt(max(variance - 2 * own, 0.0)) * plain.scale
        assert found.deviation[row] == pytest.approx(expected, abs=2e-3)
    assert found.deviation.max() > 5e-3
    same = small.difference(new, tokens, tokens)
    assert np.all(same.mean == 0)
    assert np.all(same.deviation == 0)


@pytest.mark.parametrize("deviations", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("far", [1, 3], ids=["like those recorded", "unlike them"])
def test_what_promises_more_is_what_the_whole_difference_says(
    predictor: Predictor, deviations: float, far: int
) -> None:
    new, tokens, _ = unseen()
    new, others = new * far, tokens[::-1].copy()
    whole = predictor.difference(new, tokens, others)
    expected = whole.mean > deviations * whole.deviation
    assert 20 < expected.sum() < 180
    assert np.array_equal(predictor.promises(new, tokens, others, deviations), expected)
    assert not predictor.promises(new, tokens, tokens, deviations).any()


def test_the_records_are_solved_only_where_a_difference_could_be_enough(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    new, tokens, _ = unseen()
    new, others = 3 * new, tokens[::-1].copy()
    whole = predictor.difference(new, tokens, others)
    solved = []

    def counted(self: Predictor, rows: np.ndarray, *pairs: np.ndarray) -> Prediction:
        solved.append(len(rows))
        return plain(self, rows, *pairs)

    plain = Predictor.difference
    monkeypatch.setattr(Predictor, "difference", counted)
    found = predictor.promises(new, tokens, others, 2.0)
    assert found.sum() <= solved[0] < (whole.mean > 0).sum()
