"""Tests of ambient/data/negatives.py."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ambient.data.intervals import merge, overlaps
from ambient.data.negatives import GC_BINS, NegativesConfig, choose_negatives, match_gc
from ambient.data.split import Split
from ambient.data.task import ORIGINS
from ambient.data.windows import Landscape, place_windows
from ambient.errors import InputError
from descriptors.genome import Genome

SPLIT = Split(validation=("chr2",), test=("chr3",))
WINDOW = 60


def make_landscape(seed: int, size: int = 12_000) -> Landscape:
    """Give a genome whose composition drifts, with runs of N and excluded regions."""
    rng = np.random.default_rng(seed)
    sequences = {}
    for name in ("chr1", "chr2", "chr3", "chr4"):
        gc = 0.5 + 0.3 * np.sin(np.arange(size) / 700)
        strong = rng.random(size) < gc
        letters = np.where(strong, rng.choice(["C", "G"], size), rng.choice(["A", "T"], size))
        letters[3000:3100] = "N"
        sequences[name] = "".join(letters)
    excluded = pd.DataFrame(
        {"chromosome": ["chr1", "chr3"], "start": [500, 700], "end": [900, 750]}
    )
    genome = Genome.from_sequences(sequences)
    return Landscape(genome, WINDOW, list(sequences), SPLIT, excluded, seed)


def gc_of(landscape: Landscape, starts: np.ndarray) -> np.ndarray:
    return np.isin(landscape.read(starts, WINDOW), (1, 2)).mean(axis=1)


def draw_positives(landscape: Landscape, seed: int, count: int = 30) -> np.ndarray:
    """Draw GC-rich windows, some on each chromosome."""
    rng = np.random.default_rng(seed)
    names = np.repeat(list(landscape.chromosomes), 200)
    centres = rng.integers(100, 11_900, len(names))
    starts, _ = place_windows(landscape, names, centres)
    rich = starts[gc_of(landscape, starts) > 0.55]
    return np.sort(rng.permutation(rich)[: 4 * count])


def choose(
    landscape: Landscape,
    positives: np.ndarray,
    others: list[np.ndarray],
    config: NegativesConfig | None = None,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    return choose_negatives(
        landscape,
        positives,
        gc_of(landscape, positives),
        merge(positives, positives + WINDOW),
        config or NegativesConfig(),
        others,
        seed,
        "Reb1",
    )


@given(st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_no_negative_overlaps_a_positive_or_touches_what_it_must_not(seed: int) -> None:
    landscape = make_landscape(seed)
    positives = draw_positives(landscape, seed)
    others = [draw_positives(landscape, seed + 1), draw_positives(landscape, seed + 2, 10)]
    mix = {"random": 1.0, "gc_matched": 1.0, "other_tasks": 1.0}
    starts, origin, _ = choose(landscape, positives, others, NegativesConfig(2.0, mix))
    gaps = np.abs(starts[:, None] - positives[None])
    assert gaps.min() >= WINDOW
    assert len(np.unique(starts)) == len(starts)
    assert (landscape.read(starts, WINDOW) != 4).all()
    excluded = landscape.on_line(
        pd.DataFrame({"chromosome": ["chr1", "chr3"], "start": [500, 700], "end": [900, 750]})
    )
    assert not overlaps(starts, starts + WINDOW, excluded).any()
    same = landscape.chromosome_of(starts) == landscape.chromosome_of(starts + WINDOW - 1)
    assert same.all()
    of_others = origin == ORIGINS.index("other_tasks")
    assert of_others.any()
    assert np.isin(starts[of_others], np.concatenate(others)).all()


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_every_split_gets_its_share_or_says_what_is_missing(seed: int) -> None:
    landscape = make_landscape(seed)
    positives = draw_positives(landscape, seed)
    others = [draw_positives(landscape, seed + 1, 5)]
    starts, origin, short = choose(landscape, positives, others, NegativesConfig(1.5))
    for number, split in enumerate(("train", "validation", "test")):
        wanted = round(1.5 * int((landscape.split_of(positives) == number).sum()))
        found = landscape.split_of(starts) == number
        missing = sum(n for reason, n in short.items() if reason.endswith(f" in {split}"))
        assert int(found.sum()) + missing == wanted
        for kind in ("gc_matched", "other_tasks"):
            of_kind = int((found & (origin == ORIGINS.index(kind))).sum())
            missing_kind = short.get(f"{kind} negatives missing in {split}", 0)
            assert abs(of_kind + missing_kind - wanted / 2) <= 0.5


def test_gc_matched_negatives_have_the_composition_of_the_positives_and_random_ones_do_not() -> (
    None
):
    landscape = make_landscape(1, size=60_000)
    positives = draw_positives(landscape, 1)
    quantiles = (0.1, 0.25, 0.5, 0.75, 0.9)
    for number in range(3):
        own = np.quantile(
            gc_of(landscape, positives[landscape.split_of(positives) == number]), quantiles
        )
        distance = {}
        for kind in ("gc_matched", "random"):
            starts, _, _ = choose(landscape, positives, [], NegativesConfig(2.0, {kind: 1.0}))
            here = starts[landscape.split_of(starts) == number]
            distance[kind] = np.abs(np.quantile(gc_of(landscape, here), quantiles) - own).max()
        assert distance["gc_matched"] < 0.025
        assert distance["random"] > 0.1


def test_the_same_seed_gives_the_same_negatives_and_another_gives_others() -> None:
    landscape = make_landscape(2)
    positives, others = draw_positives(landscape, 2), [draw_positives(landscape, 3)]
    first, second, third = (choose(landscape, positives, others, seed=s)[0] for s in (5, 5, 6))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, third)


def test_each_other_task_gives_equally_many_as_far_as_it_can() -> None:
    landscape = make_landscape(4, size=60_000)
    positives = draw_positives(landscape, 4, 40)
    large, small = draw_positives(landscape, 5, 60), draw_positives(landscape, 6, 8)
    config = NegativesConfig(1.0, {"other_tasks": 1.0})
    starts, _, _ = choose(landscape, positives, [large, small], config)
    forbidden = merge(positives, positives + WINDOW)
    usable = small[~overlaps(small, small + WINDOW, forbidden)]
    assert np.isin(usable, starts).mean() > 0.8
    assert np.isin(starts, large).sum() > len(usable)


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=40),
    st.lists(st.floats(0, 1), min_size=0, max_size=200),
    st.integers(0, 60),
)
@settings(max_examples=100, deadline=None)
def test_matched_candidates_are_distinct_and_near_what_they_imitate(
    wanted: list[float], candidates: list[float], count: int
) -> None:
    rng = np.random.default_rng(0)
    chosen = match_gc(np.array(wanted), np.array(candidates), count, rng)
    assert len(np.unique(chosen)) == len(chosen) <= count
    shares = np.array(candidates)[chosen]
    for share in shares:
        assert np.abs(np.array(wanted) - share).min() <= 3 / GC_BINS + 1e-9


def test_enough_candidates_are_matched_bin_for_bin() -> None:
    rng = np.random.default_rng(0)
    wanted = rng.uniform(0.3, 0.5, 100)
    pool = rng.uniform(0, 1, 20_000)
    chosen = match_gc(wanted, pool, 200, rng)
    found = np.bincount((pool[chosen] * GC_BINS).astype(int), minlength=GC_BINS)
    expected = 2 * np.bincount((wanted * GC_BINS).astype(int), minlength=GC_BINS)
    np.testing.assert_array_equal(found, expected)


def test_by_default_there_are_other_tasks_only_where_there_are_other_tasks() -> None:
    config = NegativesConfig()
    assert config.resolved_mix(False, "Reb1") == {"gc_matched": 1.0}
    assert config.resolved_mix(True, "Reb1") == {"gc_matched": 0.5, "other_tasks": 0.5}


def test_other_tasks_without_other_tasks_are_refused() -> None:
    with pytest.raises(InputError, match=r"Reb1: .*no other training task"):
        NegativesConfig(2.0, {"other_tasks": 1.0}).resolved_mix(False, "Reb1")


@pytest.mark.parametrize(
    ("per_positive", "mix", "message"),
    [
        (0.0, None, "per_positive"),
        (float("nan"), None, "per_positive"),
        (2.0, {"shuffled": 1.0}, "the kinds are random, gc_matched, other_tasks"),
        (2.0, {"random": -1.0}, "-1.0 parts of random"),
        (2.0, {"random": 0.0}, "add up to 0"),
    ],
)
def test_wrong_settings_are_refused(
    per_positive: float, mix: dict[str, float] | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        NegativesConfig(per_positive, mix)
