"""Numbers in words: intervals, wins, cells, layers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambient.report.markup import Html, fragment, tag
from ambient.report.summary import ComparedTask, by_gain, mean_interval, summarise
from ambient.report.tables import comparison_table, descriptor_tables, layer_words, number
from descriptors.schema import DESCRIPTORS


def compared(task: str, proposal: float | None, random: tuple[float, ...]) -> ComparedTask:
    return ComparedTask(task, "tf", True, proposal, random, kmer=0.8, full=None)


def test_an_interval_is_that_of_a_textbook() -> None:
    # n = 5, mean 3, s = 1.5811, t(0.975, 4) = 2.7764 (Fisher and Yates, table III).
    interval = mean_interval([1, 2, 3, 4, 5])
    assert interval is not None
    assert interval.mean == 3
    assert interval.low == pytest.approx(3 - 2.7764 * 1.58114 / 5**0.5, abs=1e-4)
    assert interval.high == pytest.approx(3 + 2.7764 * 1.58114 / 5**0.5, abs=1e-4)


def test_one_value_has_no_interval_and_none_has_no_mean() -> None:
    alone = mean_interval([0.5])
    assert alone is not None
    assert (alone.mean, alone.low, alone.high) == (0.5, None, None)
    assert mean_interval([]) is None


def test_an_equal_score_is_no_win() -> None:
    summary = summarise([compared("a", 0.8, (0.8, 0.8)), compared("b", 0.9, (0.7, 0.9))])
    assert summary is not None
    assert summary.wins_random == (1, 2)
    assert summary.wins_best == (0, 2)
    assert summary.wins_kmer == (1, 2)


def test_a_task_without_a_score_is_left_out_of_the_means() -> None:
    rows = [compared("a", 0.9, (0.8,)), compared("b", None, (0.1,)), compared("c", 0.4, ())]
    summary = summarise(rows)
    assert summary is not None
    assert summary.tasks == 1
    assert summary.random.mean == 0.8
    assert by_gain(rows) == ["a", "b", "c"]
    assert summarise(rows[1:]) is None


def test_the_highest_of_proposal_random_and_kmers_is_marked() -> None:
    table = comparison_table([compared("a", 0.7, (0.6, 0.65))], "AUROC", None)
    assert '<td class="best">0.800</td>' in table
    assert table.count('class="best"') == 1


@given(st.text())
def test_any_text_survives_as_text(text: str) -> None:
    import html

    made = tag("p", text, title=text)
    assert made.count("<") == 2
    assert html.unescape(made.removeprefix("<p").split(">", 1)[1].removesuffix("</p>")) == text
    assert fragment(Html("<b>"), text).startswith("<b>")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (3439.0, "3,439"),
        (1577.25, "1,577"),
        (0.03167, "0.03167"),
        (2.5e-6, "2.5e-06"),
        (-310.5, "-310.5"),
    ],
)
def test_a_number_is_written_to_be_read(value: float, written: str) -> None:
    assert number(value) == written


def test_a_layer_is_spelled_out() -> None:
    convolution = {
        "operation": "convolution",
        "filters": 16,
        "kernel": 8,
        "dilation": 1,
        "activation": "relu",
        "reverse_complement": True,
    }
    assert layer_words(convolution) == ("convolution", "16 filters × 8, ReLU, both strands")
    assert layer_words({"operation": "max_pooling", "size": 4}) == ("max pooling", "4")
    assert layer_words({"operation": "global_max"}) == ("global max", "")
    assert layer_words({"operation": "new", "heads": 4}) == ("new", "heads 4")


def test_descriptor_tables_hold_all_forty_with_units_and_missing_ones() -> None:
    values: dict[str, float | None] = {d.name: 1234.0 for d in DESCRIPTORS}
    values["phylop_mean"] = None
    made = descriptor_tables({"Reb1": {"values": values}}, ["Reb1"])
    assert made.count("<td") == 40
    assert made.count(">missing</td>") == 1
    assert made.count(">1,234</td>") == 33  # six are flags
    assert made.count(">yes</td>") == 6
    for unit in ("bp", "bp²", "peaks", "yes or no", "no unit"):
        assert f">{unit}</span>" in made
