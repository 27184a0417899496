"""Descriptors explained: quantiles among others, where each came from, what was left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descriptors.explain import explain, left_out, origins, place_among
from descriptors.record import Descriptors
from descriptors.schema import NAMES

numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 2))
SOURCES: dict[str, dict[str, Any]] = {
    "peaks": {
        "name": "reb1.bed",
        "rows": 1078,
        "left_out": {"on an excluded region": 3, "on a chromosome that was not asked for": 1400},
        "chromosomes": ["chrI", "chrII"],
    },
    "genome": {"name": "genome.fa", "left_out": {}},
    "annotation": {
        "name": "genes.gtf",
        "made_of": {"gene": "gene rows", "utr": "exons minus coding parts"},
        "peaks_on_chromosomes_without": {"gene": 0, "splice_site": 12},
    },
    "phastcons": {"name": "p.bw", "scored_share": 0.981, "peaks_on_chromosomes_without": 4},
    "motifs": {
        "finder": "built-in",
        "revision": 4,
        "foreground": 1078,
        "background": 5000,
        "motifs": 75,
        "without_known_bases": 2,
        "passed_over": 1200,
    },
    "interpro": {
        "name": "factors.tsv",
        "factor": "Reb1",
        "listed": True,
    },
}


@pytest.fixture
def reb1() -> Descriptors:
    values = {name: float(at) for at, name in enumerate(NAMES)}
    values |= {"is_tf": 1.0, "is_polymerase": 0.0, "is_histone": 0.0, "is_accessibility": 0.0}
    return Descriptors("Reb1", 1, values, SOURCES)


@given(numbers, st.lists(numbers, min_size=1, max_size=30))
def test_a_quantile_is_the_share_below_with_ties_at_half(value: float, others: list[float]) -> None:
    place = place_among(value, others)
    assert place is not None
    apart = [other for other in others if not np.isclose(other, value, rtol=1e-5, atol=1e-6)]
    below = sum(other < value for other in apart)
    assert place.quantile == pytest.approx((below + 0.5 * (len(others) - len(apart))) / len(others))
    assert place.is_outside == (len(apart) == len(others) and below in (0, len(others)))
    assert (place.minimum, place.median, place.maximum) == (
        min(others),
        float(np.median(others)),
        max(others),
    )


def test_a_missing_value_and_no_others_have_no_place(reb1: Descriptors) -> None:
    assert place_among(None, [1.0]) is None
    assert place_among(1.0, []) is None
    rows = explain(reb1, {"n_peaks": [None, 5.0, 7.0], "is_tf": [None]})
    places = {row.descriptor.name: row.place for row in rows}
    assert [row.descriptor.name for row in rows] == list(NAMES)
    assert places["is_tf"] is None
    assert places["phylop_mean"] is None
    n_peaks = places["n_peaks"]  # the value is 6
    assert n_peaks is not None
    assert (n_peaks.known, n_peaks.quantile, n_peaks.is_outside) == (2, 0.5, False)


def test_every_group_says_where_it_came_from(reb1: Descriptors) -> None:
    found = origins(reb1)
    assert found["peaks"] == "reb1.bed, the 2 chromosomes asked for"
    assert (
        found["location"] == "genes.gtf: genes from gene rows, UTRs from exons minus coding parts"
    )
    assert (
        found["conservation"]
        == "phastcons p.bw, which scores 98.1% of the bases; phylop missing: pass --phylop"
    )
    assert found["protein domains"] == "Reb1 in factors.tsv"
    assert found["motifs"] == (
        "the built-in finder, revision 4: 75 motifs in 1,078 windows, against 5,000 of the background"
    )
    histone = replace(reb1, values={**reb1.values, "is_histone": 1.0, "is_accessibility": 0.0})
    assert origins(histone)["protein domains"] == "0, since an assay of this category has no factor"


def test_what_is_missing_names_the_option_that_gives_it(reb1: Descriptors) -> None:
    nothing = replace(reb1, values=dict.fromkeys(NAMES), sources={})
    found = origins(nothing)
    for group, option in (
        ("assay", "--category"),
        ("protein domains", "--factor"),
        ("location", "--annotation"),
        ("conservation", "--phastcons"),
    ):
        assert option in found[group]
    unlisted = {"interpro": {"name": "factors.tsv", "factor": "Xyz1", "listed": False}}
    found = origins(replace(nothing, sources=unlisted))
    assert found["protein domains"] == (
        "missing: no Xyz1 in factors.tsv; name it as that does, or list it in a table for --interpro"
    )


def test_what_was_left_out_is_counted_by_reason(reb1: Descriptors) -> None:
    assert left_out(reb1) == [
        "annotation (genes.gtf): 12 peaks on chromosomes without any splice site",
        "motifs (built-in): 2 peaks without a known base; 1,200 peaks whose windows were not looked at, "
        "being too many",
        "peaks (reb1.bed): 1,400 on a chromosome that was not asked for; 3 on an excluded region",
        "phastcons (p.bw): 4 peaks on chromosomes that it lacks",
    ]
    unknown = {"exclude": {"name": "x.bed", "left_out": {"on a chromosome": 1}}}
    assert left_out(replace(reb1, sources=unknown)) == [
        "excluded regions (x.bed): 1 on a chromosome"
    ]
    unscored = {"phylop": {"name": "y.bw", "scored_share": 0.0, "peaks_on_chromosomes_without": 0}}
    assert left_out(replace(reb1, sources=unscored)) == [
        "phylop (y.bw): all bases of the peaks, none of which has a score"
    ]
    assert left_out(replace(reb1, sources={"genome": {"name": "genome.fa", "left_out": {}}})) == []


@pytest.mark.parametrize("source", [{}, {"left_out": 3, "motifs": "x", "scored_share": None}])
def test_sources_of_another_program_do_no_harm(reb1: Descriptors, source: dict[str, Any]) -> None:
    odd = replace(reb1, sources=dict.fromkeys(SOURCES, source))
    assert set(origins(odd)) == {
        "assay", "protein domains", "peaks", "location", "conservation", "motifs",
    }  # fmt: skip
    assert left_out(odd) == []
