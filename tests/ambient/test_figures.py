"""What the figures draw: curves, dots, cells, letters."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

from ambient.report.figures import (
    comparison_figure,
    figure_json,
    moving_mean,
    plot,
    reward_figure,
    reward_gain_figure,
    task_reward_figure,
)
from ambient.report.heat_map import heat_map, standardise
from ambient.report.logos import HEIGHT, information_bits, letter_outlines, logo
from ambient.report.summary import ComparedTask
from descriptors.schema import DESCRIPTORS

STEPS: list[dict[str, Any]] = [
    {"step": 1, "rewards": {"a": [0.6, 0.8], "b": [0.5]}, "baselines": {"a": 0.7, "b": 0.6}},
    {"step": 2, "rewards": {"b": [0.9]}, "baselines": {"a": 0.1, "b": 0.6}},
    {"step": 3, "rewards": {}, "baselines": {}},
]


def test_rewards_are_averaged_over_tasks_not_over_evaluations() -> None:
    dots = reward_figure(STEPS, "validation AUROC").data[0]
    assert list(dots.y) == pytest.approx([0.6, 0.9, None])  # (0.7 + 0.5) / 2


def test_the_gain_is_measured_against_each_tasks_own_baseline() -> None:
    dots = reward_gain_figure(STEPS).data[0]
    assert list(dots.y) == pytest.approx([-0.05, 0.3, None])


def test_only_one_task_shows_until_another_is_selected() -> None:
    traces = task_reward_figure(STEPS, ["a", "b"], "AUROC").data
    assert [trace.visible for trace in traces] == [True, True, False, False]
    assert [trace.meta for trace in traces] == [0, 0, 1, 1]
    assert list(traces[0].x) == [1, 1]
    assert list(traces[0].y) == [0.6, 0.8]


def test_a_moving_mean_passes_over_what_is_absent() -> None:
    assert moving_mean([1.0, None, 3.0, 5.0], 2) == [1.0, 1.0, 3.0, 4.0]
    assert moving_mean([None], 3) == [None]


def test_every_score_of_the_comparison_is_drawn_on_its_tasks_line() -> None:
    rows = [
        ComparedTask("a", "tf", True, 0.9, (0.7, 0.8), kmer=0.85, full=None),
        ComparedTask("b", "tf", True, None, (0.6,), kmer=None, full=None),
    ]
    traces = {trace.name: trace for trace in comparison_figure(rows, "AUROC").data}
    random = traces["random architectures"]
    assert sorted(zip(random.y, random.x, strict=True)) == [(0, 0.7), (0, 0.8), (1, 0.6)]
    assert list(traces["mean of random"].x) == pytest.approx([0.75, 0.6])
    assert (list(traces["proposal"].x), list(traces["proposal"].y)) == ([0.9], [0])
    assert "proposal at full fidelity" not in traces


def test_a_figures_json_cannot_end_its_script() -> None:
    rows = [ComparedTask("</script><!--", "tf", True, 0.9, (0.7,), kmer=None, full=None)]
    text = figure_json(comparison_figure(rows, "AUROC"))
    assert not set("<>&") & set(text)
    assert json.loads(text)["data"][0]["x"] == [0.7]
    assert plot(comparison_figure(rows, "AUROC"), "Read it so.").count("</script>") == 1


def described(name: str, values: list[float | None]) -> dict[str, dict[str, Any]]:
    return {f"task{i}": {"values": {name: value}} for i, value in enumerate(values)}


def test_descriptors_are_standardised_after_the_logarithm_that_the_schema_asks_for() -> None:
    place = next(i for i, d in enumerate(DESCRIPTORS) if d.name == "n_peaks")
    assert DESCRIPTORS[place].transform == "log1p"
    row = standardise(described("n_peaks", [np.e - 1, None, np.e**3 - 1]))[place]
    assert row == pytest.approx([-1, np.nan, 1], nan_ok=True)
    place = next(i for i, d in enumerate(DESCRIPTORS) if d.name == "phylop_mean")
    assert standardise(described("phylop_mean", [-1.0, 0.0, 1.0]))[place][2] == pytest.approx(
        1.5**0.5
    )
    assert list(standardise(described("phylop_mean", [0.3, 0.3]))[place]) == [0, 0]


def test_a_missing_descriptor_is_marked_in_its_own_cell() -> None:
    values = {d.name: 1.0 for d in DESCRIPTORS}
    tasks = {"a": {"values": dict(values)}, "b": {"values": {**values, DESCRIPTORS[5].name: None}}}
    cells, crosses = heat_map(tasks, ["a", "b"]).data
    assert len(cells.z) == 40
    assert cells.z[5][1] is None
    assert (list(crosses.x), list(crosses.y)) == ([1], [5])


def test_bits_agree_with_logomaker() -> None:
    import logomaker
    import pandas as pd

    matrix = np.random.default_rng(0).dirichlet([0.4] * 4, size=12)
    expected = logomaker.transform_matrix(
        pd.DataFrame(matrix, columns=list("ACGT")), from_type="probability", to_type="information"
    )
    assert information_bits(matrix) == pytest.approx(expected.to_numpy(), abs=1e-4)


def test_a_certain_base_has_two_bits_and_an_even_position_none() -> None:
    bits = information_bits(np.array([[1, 0, 0, 0], [0.25] * 4, [0.5, 0.5, 0, 0]]))
    assert bits == pytest.approx(np.array([[2, 0, 0, 0], [0] * 4, [0.5, 0.5, 0, 0]]))


def test_a_logo_draws_each_letter_as_tall_as_its_bits() -> None:
    drawn = logo([[0, 0, 1, 0], [0.25] * 4, [0.5, 0, 0, 0.5]], "Motif <x>")
    scales = re.findall(r'href="#letter-(\w)" transform="[^"]* scale\(\S+ (\S+)\)"', drawn)
    assert [letter for letter, _ in scales] == ["G", "A", "T"]
    assert [float(height) for _, height in scales] == pytest.approx(
        [-2 * HEIGHT, -0.5 * HEIGHT, -0.5 * HEIGHT], rel=1e-3
    )
    assert "<title>Motif &lt;x&gt;</title>" in drawn


def test_letters_are_outlines_over_the_unit_square() -> None:
    symbols = letter_outlines()
    assert re.findall(r'id="letter-(\w)"', symbols) == list("ACGT")
    for outline in re.findall(r' d="([^"]+)"', symbols):
        numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", outline)]
        assert min(numbers) >= -1e-6
        assert max(numbers) <= 1 + 1e-6
