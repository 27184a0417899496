"""Curves of searches: equal to plain loops, paid for evaluation by evaluation, and blind to test scores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambient.report.curves import (
    EVALUATIONS,
    MOST_POINTS,
    SPENT,
    WINDOW,
    Curve,
    average,
    band_of,
    break_even,
    curve_of,
    interval_at,
    spread_of,
)
from ambient.report.summary import mean_interval

scores = st.one_of(st.none(), st.integers(0, 8).map(lambda eighths: eighths / 8))
costs = st.one_of(st.none(), st.integers(1, 16).map(float))
NAN = float("nan")


def array(values: list[float | None]) -> np.ndarray:
    return np.array([NAN if value is None else value for value in values], dtype=np.float64)


def made(
    rewards: list[float | None],
    tests: list[float | None] | None = None,
    hours: list[float | None] | None = None,
) -> Curve:
    hours = [1.0] * len(rewards) if hours is None else hours
    return curve_of(array(rewards), array(tests or rewards), {name: array(hours) for name in SPENT})


@st.composite
def searches(draw: Any) -> tuple[list, list, list]:
    length = draw(st.integers(1, 30))
    return tuple(  # type: ignore[return-value]
        draw(st.lists(kind, min_size=length, max_size=length)) for kind in (scores, scores, costs)
    )


@given(searches())
def test_a_curve_is_what_a_plain_loop_finds(search: tuple[list, list, list]) -> None:
    rewards, tests, hours = search
    curve = made(*search)
    best: tuple[float, float] = (NAN, NAN)
    paid, recent = 0.0, []
    for index, (reward, test, cost) in enumerate(zip(rewards, tests, hours, strict=True)):
        if reward is not None:
            recent.append(reward)
            if math.isnan(best[0]) or reward > best[0]:  # the first of equal ones
                best = (reward, NAN if test is None else test)
        paid += NAN if cost is None else cost
        mean = sum(recent[-WINDOW:]) / len(recent[-WINDOW:]) if recent else NAN
        found = (curve.validation, curve.test, curve.mean_reward, curve.spent["cpu_hours"])
        for values, needed in zip(found, (*best, mean, paid), strict=True):
            assert values[index] == pytest.approx(needed, nan_ok=True)


@given(searches(), st.randoms(use_true_random=False))
def test_test_scores_choose_nothing(search: tuple[list, list, list], rng: Any) -> None:
    rewards, tests, hours = search
    others = list(tests)
    rng.shuffle(others)
    one, other = made(rewards, tests, hours), made(rewards, others, hours)
    np.testing.assert_array_equal(one.validation, other.validation)
    np.testing.assert_array_equal(one.mean_reward, other.mean_reward)


@given(searches(), st.lists(st.floats(0, 300), min_size=1, max_size=5))
def test_a_curve_at_a_cost_is_what_was_paid_for_by_then(
    search: tuple[list, list, list], places: list[float]
) -> None:
    curve = made(*search)
    found = curve.at("validation", "cpu_hours", np.array(places))
    paid = curve.spent["cpu_hours"]
    known = [index for index in range(len(curve)) if not math.isnan(paid[index])]
    for place, value in zip(places, found, strict=True):
        done = [index for index in known if paid[index] <= place]
        is_there = bool(done) and place <= paid[known[-1]]
        needed = curve.validation[done[-1]] if is_there else NAN
        assert value == pytest.approx(needed, nan_ok=True)


@given(st.lists(st.integers(0, 6), max_size=20), st.integers(0, 6))
def test_break_even_is_where_a_search_is_above_from_there_on(values: list[int], level: int) -> None:
    found = break_even(np.array(values, dtype=np.float64), float(level))
    above = [all(value > level for value in values[at:]) for at in range(len(values))]
    assert found == (above.index(True) + 1 if any(above) else None)


def test_a_band_is_the_t_interval_of_each_place_cut_to_what_an_auroc_can_be() -> None:
    curves = [made([0.5, None, 0.75]), made([None, 0.25, 0.5]), made([0.25, 1.0, 0.9])]
    band = band_of(curves, "validation", EVALUATIONS)
    assert band is not None
    assert band.places.tolist() == [2, 3]  # at the first evaluation one has nothing yet
    for index, values in enumerate([[0.5, 0.25, 1.0], [0.75, 0.5, 1.0]]):
        needed = mean_interval(values)
        assert needed is not None
        assert needed.low is not None
        assert needed.high is not None
        assert needed.high > 1
        assert band.mean[index] == pytest.approx(needed.mean)
        assert band.low[index] == pytest.approx(max(needed.low, 0.0))
        assert band.high[index] == 1
        at = interval_at(curves, "validation", EVALUATIONS, index + 2)
        assert at is not None
        assert (at.mean, at.high, at.count) == (band.mean[index], 1.0, 3)
    assert interval_at(curves, "validation", EVALUATIONS, 1) is None


def test_one_repeat_has_a_curve_and_no_interval() -> None:
    band = band_of([made([0.5, 0.75])], "validation", EVALUATIONS)
    assert band is not None
    assert band.mean.tolist() == [0.5, 0.75]
    assert np.isnan(band.low).all()
    found = interval_at([made([0.5, 0.75])], "validation", EVALUATIONS, 2)
    assert found is not None
    assert (found.low, found.high) == (None, None)


def test_repeats_of_other_lengths_are_averaged_where_all_of_them_stand() -> None:
    long, short = made([0.5, 0.6, 0.7], hours=[1, 1, 1]), made([0.7, 0.8], hours=[2, 3])
    by_count = band_of([long, short], "validation", EVALUATIONS)
    assert by_count is not None
    assert by_count.places.tolist() == [1, 2]
    by_hours = band_of([long, short], "validation", "cpu_hours")
    assert by_hours is not None
    assert by_hours.places.tolist() == [2, 3]
    assert by_hours.mean.tolist() == pytest.approx([0.65, 0.7])


def test_a_cost_that_is_not_known_ends_a_curve_over_it_and_no_other() -> None:
    curve = curve_of(
        array([0.5, 0.6, 0.7]),
        array([0.5, 0.6, 0.7]),
        {name: array([1, None, 1] if name == "energy_kwh" else [1, 1, 1]) for name in SPENT},
    )
    by_energy = band_of([curve], "validation", "energy_kwh")
    assert by_energy is not None
    assert by_energy.places.tolist() == [1]
    by_hours = band_of([curve], "validation", "wall_hours")
    assert by_hours is not None
    assert by_hours.places.tolist() == [1, 2, 3]
    nothing = made([0.5], hours=[None])
    assert band_of([nothing], "validation", "cpu_hours") is None


def test_a_long_curve_keeps_its_ends() -> None:
    count = 3 * MOST_POINTS
    band = band_of([made([index / count for index in range(count)])], "validation", EVALUATIONS)
    assert band is not None
    assert len(band.places) == MOST_POINTS
    assert (band.places[0], band.places[-1]) == (1, count)


def test_a_mean_over_tasks_ends_with_the_shortest_search() -> None:
    mean = average([made([0.5, 0.75, 1.0], hours=[1, 1, 1]), made([0.25, 0.5], hours=[3, 3])])
    assert mean.validation.tolist() == [0.375, 0.625]
    assert mean.spent["cpu_hours"].tolist() == [2, 4]


def test_a_median_over_repeats_of_which_some_never_arrive() -> None:
    found = spread_of([3.0, math.inf, 5.0])
    assert found is not None
    assert (found.median, found.low, found.high) == (5.0, 3.0, math.inf)
    never = spread_of([math.inf, math.inf])
    assert never is not None
    assert never.median == math.inf
    assert spread_of([3.0, NAN]) is None
