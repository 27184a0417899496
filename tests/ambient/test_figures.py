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
from ambient.report.heat_map import heat_map
from ambient.report.logos import HEIGHT, information_bits, letter_outlines, logo
from ambient.report.pca import component_caption, component_figure
from ambient.report.standard import components, standardise, tree_of
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


def tasks_of(matrix: np.ndarray, categories: str) -> dict[str, dict[str, Any]]:
    """Make tasks whose values from the seventh descriptor on are a matrix (tasks, 34)."""
    made = {}
    for name, category, row in zip("abcdefgh", categories, matrix, strict=False):
        flags = [float(category == one) for one in "tpha"]
        values = [*flags, 0.0, None if name == "b" else 0.0, *map(float, row)]
        pairs = zip((d.name for d in DESCRIPTORS), values, strict=True)
        made[name] = {"values": dict(pairs)}
    return made


@pytest.fixture
def two_kinds() -> dict[str, dict[str, Any]]:
    """Six tasks of two kinds that alternate."""
    rng = np.random.default_rng(3)
    kinds = np.abs(rng.normal(5, 1, (2, 34)))
    return tasks_of(np.array([kinds[at % 2] + rng.random(34) / 9 for at in range(6)]), "tpthao")


def test_a_missing_descriptor_is_marked_in_its_own_cell(
    two_kinds: dict[str, dict[str, Any]],
) -> None:
    figure = heat_map(two_kinds)
    cells, crosses = figure.data[:2]
    place = list(figure.layout.xaxis.ticktext).index("b")
    assert len(cells.z) == 40
    assert cells.z[5][place] is None
    assert (list(crosses.x), list(crosses.y)) == ([place], [5])


def test_like_tasks_stand_side_by_side_under_their_tree_and_category(
    two_kinds: dict[str, dict[str, Any]],
) -> None:
    figure = heat_map(two_kinds)
    order = list(figure.layout.xaxis.ticktext)
    assert {frozenset(order[:3]), frozenset(order[3:])} == {frozenset("ace"), frozenset("bdf")}
    n_peaks = figure.data[0].text[6]
    assert [text.split("<br>")[0] for text in n_peaks] == order
    bars = {trace.name: list(trace.x) for trace in figure.data if trace.type == "bar"}
    assert bars["tf"] == sorted(order.index(name) for name in "ac")
    assert bars["other"] == [order.index("f")]
    tree = next(trace for trace in figure.data if trace.yaxis == "y3")
    assert len(tree.x) == 5 * 5  # five joints of four corners and a gap
    tops = [max(y for y in tree.y[at : at + 4]) for at in range(0, 25, 5)]
    assert max(tops) > 3 * sorted(tops)[-2]  # the two kinds join last and far up


def test_one_task_and_none_have_a_tree_without_joints() -> None:
    assert tree_of(np.zeros((40, 1))).order == (0,)
    assert tree_of(np.zeros((40, 0))).joints == ()
    assert len(heat_map({"a": {"values": {}}}).data[0].z) == 40


def test_components_are_the_eigenvectors_of_the_covariance(
    two_kinds: dict[str, dict[str, Any]],
) -> None:
    scores = standardise(two_kinds)
    found = components(scores)
    assert found is not None
    matrix = np.nan_to_num(scores[4:].T)
    values, axes = np.linalg.eigh(np.cov(matrix, rowvar=False))
    assert found.explained == pytest.approx(values[::-1][:2] / values.sum())
    expected = (matrix - matrix.mean(axis=0)) @ axes[:, ::-1][:, :2]
    assert np.abs(found.places) == pytest.approx(np.abs(expected))
    assert found.imputed == (0, 1, 0, 0, 0, 0)
    # A component points to where its heaviest descriptor is larger.
    assert found.leading[0][0].endswith("+")
    name = found.leading[0][0].split()[0]
    row = scores[[d.name for d in DESCRIPTORS].index(name)]
    assert np.corrcoef(row, found.places[:, 0])[0, 1] > 0.9


def test_the_assays_flags_move_no_task(two_kinds: dict[str, dict[str, Any]]) -> None:
    before = components(standardise(two_kinds))
    for task in two_kinds.values():
        task["values"].update(is_tf=1.0, is_histone=0.0)
    after = components(standardise(two_kinds))
    assert before is not None
    assert after is not None
    assert np.array_equal(before.places, after.places)


def test_a_point_shows_its_category_and_what_was_imputed(
    two_kinds: dict[str, dict[str, Any]],
) -> None:
    traces = {trace.name: trace for trace in component_figure(two_kinds).data}
    assert set(traces) == {"tf", "polymerase", "histone", "accessibility", "other"}
    assert sorted(traces["tf"].text) == ["a", "c"]
    assert traces["polymerase"].marker.color == ("#ffffff",)  # b: hollow
    assert traces["tf"].marker.color[0] == traces["tf"].marker.line.color
    assert "Empty symbols (1)" in component_caption(two_kinds)


def test_two_tasks_or_equal_ones_have_no_components(two_kinds: dict[str, dict[str, Any]]) -> None:
    assert component_figure(dict(list(two_kinds.items())[:2])) is None
    alike = dict.fromkeys("xyz", two_kinds["a"])
    assert component_figure(alike) is None
    assert component_caption(alike) == ""


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
