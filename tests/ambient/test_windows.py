"""Tests of ambient/data/windows.py, intervals.py and split.py."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ambient.data.intervals import merge, overlaps, runs
from ambient.data.split import Split, choose_split
from ambient.data.windows import Landscape, place_windows
from ambient.errors import InputError
from descriptors.genome import Genome

SPLIT = Split(validation=("b",), test=("c",))

interval_lists = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda x: (x[0], x[0] + x[1])),
    max_size=12,
)


def columns(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def painted(pairs: list[tuple[int, int]]) -> np.ndarray:
    mask = np.zeros(80, dtype=bool)
    for start, end in pairs:
        mask[start:end] = True
    return mask


@given(interval_lists)
def test_merged_intervals_cover_the_same_bases_and_stay_apart(pairs: list[tuple[int, int]]) -> None:
    starts, ends = merge(*columns(pairs))
    np.testing.assert_array_equal(painted(list(zip(starts, ends, strict=True))), painted(pairs))
    assert (starts[1:] > ends[:-1]).all()
    assert (ends > starts).all()


@given(interval_lists, interval_lists)
def test_overlaps_equal_a_plain_loop(
    queries: list[tuple[int, int]], pairs: list[tuple[int, int]]
) -> None:
    queries = [pair for pair in queries if pair[1] > pair[0]]
    mask = painted(pairs)
    expected = [bool(mask[start:end].any()) for start, end in queries]
    assert overlaps(*columns(queries), merge(*columns(pairs))).tolist() == expected


@given(st.lists(st.booleans(), max_size=40))
def test_runs_paint_their_mask(bits: list[bool]) -> None:
    mask = np.array(bits, dtype=bool)
    again = np.zeros(len(bits), dtype=bool)
    for start, end in zip(*runs(mask), strict=True):
        again[start:end] = True
    np.testing.assert_array_equal(mask, again)


def make_landscape(
    seed: int = 0, window_bp: int = 40, excluded: pd.DataFrame | None = None
) -> Landscape:
    rng = np.random.default_rng(seed)
    letters = np.array(list("ACGT"))
    sequences = {}
    for name, size in (("a", 900), ("b", 500), ("c", 30), ("d", 700)):
        text = letters[rng.integers(0, 4, size)]
        at = rng.integers(0, size - 20)
        text[at : at + rng.integers(1, 20)] = "N"
        sequences[name] = "".join(text)
    genome = Genome.from_sequences(sequences)
    return Landscape(genome, window_bp, list(sequences), SPLIT, excluded, seed)


@given(st.integers(0, 200))
@settings(max_examples=25, deadline=None)
def test_candidates_lie_whole_on_a_chromosome_and_touch_neither_n_nor_excluded(seed: int) -> None:
    excluded = pd.DataFrame(
        {"chromosome": ["a", "d", "zz"], "start": [100, 690, 0], "end": [180, 9000, 50]}
    )
    landscape = make_landscape(seed, excluded=excluded)
    names, centres = landscape.places(landscape.candidates)
    starts = centres - 20
    assert len(starts) > 10
    for name, start, gc, split in zip(
        names, starts, landscape.gc, landscape.candidate_split, strict=True
    ):
        assert 0 <= start <= landscape.genome.sizes[name] - 40
        codes = landscape.genome.codes(name)[start : start + 40]
        assert (codes != 4).all()
        assert gc == pytest.approx(np.isin(codes, (1, 2)).mean())
        assert split == SPLIT.number(name)
        if name == "a":
            assert start + 40 <= 100 or start >= 180
        if name == "d":
            assert start + 40 <= 690


def test_candidates_share_at_most_half_of_their_bases() -> None:
    landscape = make_landscape()
    assert np.diff(np.sort(landscape.candidates)).min() >= 20


def test_a_chromosome_shorter_than_the_window_gives_no_candidate() -> None:
    names, _ = make_landscape().places(make_landscape().candidates)
    assert "c" not in names
    assert set(names) == {"a", "b", "d"}


def test_places_and_reading_invert_each_other() -> None:
    landscape = make_landscape()
    names, centres = landscape.places(landscape.candidates)
    np.testing.assert_array_equal(
        landscape.read(landscape.candidates, 50), landscape.genome.windows(names, centres, 50)
    )


def test_windows_that_no_network_should_see_are_left_out_and_counted() -> None:
    genome = Genome.from_sequences(
        {"a": "ACGT" * 25 + "N" + "ACGT" * 25, "b": "A" * 90, "c": "A" * 90}
    )
    landscape = Landscape(genome, 20, ["a", "b", "c"], SPLIT)
    names = np.array(["a", "a", "a", "a", "a", "a", "b", "q"])
    centres = np.array([9, 10, 90, 91, 191, 192, 50, 50])
    starts, left_out = place_windows(landscape, names, centres)
    kept_names, kept = landscape.places(starts)
    assert list(zip(kept_names.tolist(), kept.tolist(), strict=True)) == [
        ("a", 10),
        ("a", 90),
        ("a", 191),
        ("b", 50),
    ]
    assert left_out == {
        "on a chromosome that takes no part": 1,
        "window leaves the chromosome": 2,
        "window covers N": 1,
    }


def test_the_same_window_is_taken_once() -> None:
    genome = Genome.from_sequences({"a": "ACGT" * 25, "b": "A" * 90, "c": "A" * 90})
    landscape = Landscape(genome, 20, ["a", "b", "c"], SPLIT)
    starts, left_out = place_windows(landscape, np.array(["a", "a"]), np.array([40, 40]))
    assert len(starts) == 1
    assert left_out == {"same window twice": 1}


@given(
    st.dictionaries(
        st.text("abcdefgh", min_size=1, max_size=3), st.integers(1, 500), min_size=3, max_size=20
    )
)
def test_a_chosen_split_leaves_something_for_everyone_and_repeats(counts: dict[str, int]) -> None:
    split = choose_split(counts)
    training = split.training_chromosomes(sorted(counts))
    assert split.validation
    assert split.test
    assert training
    assert {*split.validation, *split.test, *training} == set(counts)
    assert split == choose_split(dict(reversed(counts.items())))
    assert sum(counts[name] for name in split.test) <= max(
        sum(counts[name] for name in training), 0.3 * sum(counts.values())
    )


def test_a_chosen_split_comes_near_its_share() -> None:
    counts = {f"chr{number}": 60 + number for number in range(16)}
    split = choose_split(counts)
    for part in (split.validation, split.test):
        share = sum(counts[name] for name in part) / sum(counts.values())
        assert 0.10 < share < 0.20


@pytest.mark.parametrize(
    ("counts", "validation", "test"),
    [
        ({"I": 450, "II": 360, "III": 190, "MT": 2}, "II", "III"),
        ({"I": 2250, "II": 1800, "III": 980, "mating": 3, "MT": 9}, "II", "III"),
        ({"a": 1000, "b": 900, "c": 1}, "c", "b"),  # nothing else is left
    ],
)
def test_a_handful_of_peaks_is_no_split_where_there_is_another(
    counts: dict[str, int], validation: str, test: str
) -> None:
    split = choose_split(counts)
    assert (split.validation, split.test) == ((validation,), (test,))


@pytest.mark.parametrize("counts", [{}, {"a": 5}, {"a": 5, "b": 3, "c": 0}])
def test_peaks_on_fewer_than_three_chromosomes_cannot_be_split(counts: dict[str, int]) -> None:
    with pytest.raises(InputError, match="at least three chromosomes"):
        choose_split(counts)


def test_a_chromosome_cannot_validate_and_test() -> None:
    with pytest.raises(InputError, match='"b" stands in both validation and test'):
        Split(validation=("a", "b"), test=("b",))
