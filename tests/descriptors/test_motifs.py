"""The motif finder, its scan and its statistics, against plain loops, planted motifs and HOMER."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from descriptors.errors import InputError
from descriptors.homer import read_motifs
from descriptors.motif_enrichment import Enrichment
from descriptors.motif_index import OligoIndex, mismatch_masks, reverse_complement_table
from descriptors.motif_model import consensus_of, similarity
from descriptors.motifs import (
    Motif,
    Sites,
    find_motifs,
    mask_sites,
    motif_descriptors,
    scan,
    site_statistics,
)
from descriptors.sources import open_text

# The order in which HOMER found its motifs, from matching the positions in its headers (Tpos, Tstd), as
# benchmarks/descriptors/motif_headers.py does for all: each is counted with the sites of those before it masked.
HOMER_ORDER = {
    ("Tbf1", 6): [1, 2, 4, 6, 7, 8, 3, 5, 9, 10],
    ("Tbf1", 8): [1, 5, 2, 3, 6, 8, 4, 7, 11, 10, *range(13, 19), 9, *range(19, 25), 12, 25],
    # sites of CGCCGCGC and others like it lie over each other on both strands
    ("Mig2", 8): [1, 3, 5, 2, 11, 13, 9, 7, 6, 4, 8, 12, 10, 14, 15, 16],
}


def codes_of(*sequences: str) -> np.ndarray:
    return np.array(
        [["ACGTN".index(letter) for letter in line] for line in sequences], dtype=np.uint8
    )


def statistics_of(motif: Motif, codes: np.ndarray) -> tuple[float, float]:
    """Multiplicity and strand bias of a motif over sequences."""
    return site_statistics(scan(motif, codes), motif.length)


def a_motif(probabilities: np.ndarray, threshold: float = 0.0, **changes: float) -> Motif:
    numbers = {
        "log_p": -1.0,
        "target_share": 0.1,
        "background_share": 0.1,
        "strand_bias": 0.0,
        "multiplicity": 1.0,
    }
    return Motif(
        name="motif",
        consensus=consensus_of(probabilities),
        probabilities=probabilities,
        threshold=threshold,
        targets=1,
        **(numbers | changes),
    )


def exact_motif(word: str) -> Motif:
    """A motif whose only sites are the word itself and its reverse complement."""
    probabilities = np.full((len(word), 4), 0.1)
    probabilities[np.arange(len(word)), codes_of(word)[0]] = 0.7
    return a_motif(probabilities, threshold=len(word) * float(np.log(2.8)))


def random_codes(rng: np.random.Generator, sequences: int, width: int = 200) -> np.ndarray:
    return rng.integers(0, 4, size=(sequences, width), dtype=np.uint8)


def read_fasta(path: Path) -> np.ndarray:
    with open_text(path) as lines:
        return codes_of(*(line.strip() for line in lines if not line.startswith(">")))


def slow_scan(motif: Motif, codes: np.ndarray) -> list[tuple[int, int, int, float]]:
    sites = []
    for row, sequence in enumerate(codes):
        for start in range(codes.shape[1] - motif.length + 1):
            window = sequence[start : start + motif.length]
            if window.max() > 3:
                continue
            reverse = [3 - base for base in window[::-1]]
            for strand, bases in ((1, window), (-1, reverse)):
                score = 0.0
                for position, base in enumerate(bases):
                    score += np.log(max(motif.probabilities[position, base], 0.001) / 0.25)
                if score >= motif.threshold - 1e-5:
                    sites.append((row, start, strand, score))
    return sites


def slow_statistics(sites: list[tuple[int, int, int, float]], length: int) -> tuple[float, float]:
    if not sites:
        return 0.0, 0.0
    forward = sum(strand > 0 for _, _, strand, _ in sites)
    reverse = len(sites) - forward
    bias = 10.0 if reverse == 0 else -10.0 if forward == 0 else float(np.log2(forward / reverse))
    counts = []
    for row in sorted({site[0] for site in sites}):
        counts.append(0)
        last, last_strand = -1000, 0
        own = [(start - (strand < 0), -strand) for other, start, strand, _ in sites if other == row]
        for middle, turned in sorted(own):
            is_separate = middle - last >= length // 2
            counts[-1] += is_separate
            if is_separate or turned > 0 or last_strand > 0:
                last, last_strand = middle, -turned
    return sum(counts) / len(counts), bias


MATRICES = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 12), st.just(4)), elements=st.floats(0.01, 1)
).map(lambda matrix: matrix / matrix.sum(axis=1, keepdims=True))
SEQUENCES = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 40)), elements=st.integers(0, 4)
)


@settings(max_examples=80, deadline=None)
@given(MATRICES, SEQUENCES, st.floats(-3, 6))
def test_the_scan_and_its_statistics_equal_a_slow_plain_loop(
    matrix: np.ndarray, codes: np.ndarray, threshold: float
) -> None:
    motif = a_motif(matrix, threshold)
    sites = scan(motif, codes)
    expected = slow_scan(motif, codes)
    found = zip(sites.sequence, sites.position, sites.strand, strict=True)
    assert [tuple(map(int, site)) for site in found] == [site[:3] for site in expected]
    np.testing.assert_allclose(sites.score, [site[3] for site in expected], atol=1e-9)
    statistics = site_statistics(sites, motif.length)
    assert statistics == pytest.approx(slow_statistics(expected, motif.length))


@settings(max_examples=40, deadline=None)
@given(MATRICES, SEQUENCES)
def test_the_reverse_complement_of_everything_has_the_opposite_strand_bias(
    matrix: np.ndarray, codes: np.ndarray
) -> None:
    turned = np.where(codes > 3, 4, 3 - codes.astype(np.int64)).astype(np.uint8)[:, ::-1]
    bias = statistics_of(a_motif(matrix, 0.5), codes)[1]
    assert statistics_of(a_motif(matrix, 0.5), turned)[1] == pytest.approx(-bias)


def test_a_run_of_one_base_is_one_occurrence_and_a_palindrome_counts_on_both_strands() -> None:
    run = codes_of("GCGC" + "T" * 12 + "GCGC", "GCGCAAAAAAGCGCGCTTTT")
    assert statistics_of(exact_motif("TTTTTT"), run) == pytest.approx((1.0, np.log2(7)))
    palindrome = codes_of("GGCACGTGGGGGCACGTGGG")
    assert statistics_of(exact_motif("CACGTG"), palindrome) == (2.0, 0.0)


def test_sites_of_both_strands_over_each_other_are_counted_as_homer_does() -> None:
    """Places (- before +, 5 bp on) that HOMER counted once or twice, from its motif 12 of Fkh1, 9 of Abf1."""

    def counted(length: int, *places: tuple[int, int]) -> float:
        position, strand = (np.array(each) for each in zip(*places, strict=True))
        row = np.zeros(len(places), dtype=np.int64)
        return site_statistics(Sites(row, position, strand, np.zeros(len(places))), length)[0]

    assert counted(10, (133, -1), (134, 1), (138, -1)) == 2
    assert counted(10, (110, -1), (111, 1), (115, -1), (116, 1)) == 2
    assert counted(8, (77, 1), (81, -1), (82, 1)) == 1
    assert counted(6, (41, 1), (43, -1), (45, -1)) == 1


def test_masked_sites_are_not_found_again() -> None:
    codes = random_codes(np.random.default_rng(1), 20)
    motif = exact_motif("ACG")
    sites = scan(motif, codes)
    masked = mask_sites(sites, motif.length, codes)
    assert len(sites) > 0
    assert len(scan(motif, masked)) == 0
    kept = masked != 4
    assert (masked[kept] == codes[kept]).all()


@settings(max_examples=30, deadline=None)
@given(SEQUENCES, st.integers(1, 4), st.data())
def test_the_index_counts_each_sequence_once_and_forgets_what_is_masked(
    foreground: np.ndarray, length: int, data: st.DataObject
) -> None:
    width = foreground.shape[1]
    background = data.draw(hnp.arrays(np.uint8, (3, width), elements=st.integers(0, 4)))
    index = OligoIndex(foreground, background, length)
    word = data.draw(st.integers(0, 4**length - 1))
    letters = [(word >> 2 * place) & 3 for place in range(length - 1, -1, -1)]
    motif = exact_motif("".join("ACGT"[letter] for letter in letters))
    sites = scan(motif, foreground)
    assert index.targets[word] == len(set(sites.sequence))
    assert index.found[word] == len(set(scan(motif, background).sequence))
    index.mask(index.canonical[[word]])
    masked = OligoIndex(
        mask_sites(sites, length, foreground),
        mask_sites(scan(motif, background), length, background),
        length,
    )
    np.testing.assert_array_equal(index.targets, masked.targets)
    np.testing.assert_array_equal(index.found, masked.found)


def test_oligo_tables_are_their_own_inverse_and_count_mismatches() -> None:
    reverse = reverse_complement_table(5)
    np.testing.assert_array_equal(reverse[reverse], np.arange(4**5))
    for mismatches in (1, 2):
        masks = mismatch_masks(5, mismatches)
        places = (masks[:, None] >> (2 * np.arange(5))) & 3
        assert len(set(masks.tolist())) == len(masks) == {1: 15, 2: 90}[mismatches]
        assert ((places > 0).sum(axis=1) == mismatches).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_the_p_value_is_the_binomial_tail(
    foreground: int, background: int, data: st.DataObject
) -> None:
    from scipy.stats import binom

    targets, found = (
        data.draw(st.integers(0, foreground)),
        data.draw(st.integers(0, background - 1)),
    )
    enrichment = Enrichment(foreground, background)
    expected = (
        binom.logsf(targets - 1, foreground, max(found, 1) / background) if background > 1 else 0.0
    )
    if background > 1:
        assert enrichment.ln_p(targets, found) == pytest.approx(
            min(expected, 0.0), abs=1e-6, rel=1e-6
        )
        assert enrichment.bound(np.array([targets]), np.array([found]))[0] >= expected - 1e-6


@pytest.mark.parametrize("word", ["GTCACGTA", "CCGGTAAGTC"])
def test_a_planted_motif_is_found_first(word: str) -> None:
    rng = np.random.default_rng(3)
    foreground, background = random_codes(rng, 300), random_codes(rng, 1500)
    planted = codes_of(word)[0]
    for row in range(0, 300, 2):
        site = planted.copy()
        site[rng.integers(len(word))] = rng.integers(4)
        if rng.random() < 0.3:
            site = 3 - site[::-1]
        start = rng.integers(0, 180)
        foreground[row, start : start + len(word)] = site
    motifs = find_motifs(foreground, background, lengths=(len(word),), motifs_per_length=3)
    first = motifs[0]
    assert similarity(first.probabilities, exact_motif(word).probabilities) > 0.95
    assert first.log_p < -100
    assert abs(first.strand_bias) > 0.5
    found = len(set(scan(first, foreground).sequence))
    assert (first.targets, first.target_share) == (found, pytest.approx(found / 300))
    assert first.background_share == pytest.approx(
        len(set(scan(first, background).sequence)) / 1500
    )


def test_the_same_input_gives_the_same_motifs_whatever_the_order_of_the_sequences() -> None:
    rng = np.random.default_rng(4)
    foreground, background = random_codes(rng, 80), random_codes(rng, 200)
    foreground[::2, 50:58] = codes_of("TGACTCAG")[0]
    first = find_motifs(foreground, background, lengths=(6,), motifs_per_length=4)
    again = find_motifs(foreground, background, lengths=(6,), motifs_per_length=4)
    turned = find_motifs(foreground[::-1], background[::-1], lengths=(6,), motifs_per_length=4)
    assert first == again == turned
    assert all(
        (one.probabilities == two.probabilities).all()
        for one, two in zip(first, again, strict=True)
    )


@pytest.mark.parametrize(
    ("foreground", "background", "lengths", "message"),
    [
        (np.zeros((0, 50), np.uint8), np.zeros((5, 50), np.uint8), (6,), "no foreground sequences"),
        (np.zeros((5, 50), np.uint8), np.zeros((0, 50), np.uint8), (6,), "no background sequences"),
        (np.zeros((5, 50), np.uint8), np.zeros((5, 60), np.uint8), (6,), "50 bp wide"),
        (np.zeros((5, 50), np.int64), np.zeros((5, 50), np.uint8), (6,), "int64"),
        (np.zeros((5, 50), np.uint8), np.zeros((5, 50), np.uint8), (20,), "between 4 and 12"),
    ],
)
def test_wrong_sequences_are_named(
    foreground: np.ndarray, background: np.ndarray, lengths: tuple[int, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        find_motifs(foreground, background, lengths)


def test_descriptors_summarise_each_length_and_are_missing_where_there_is_no_motif() -> None:
    six = np.full((6, 4), 0.25)
    motifs = [
        a_motif(six, strand_bias=bias, multiplicity=many)
        for bias, many in ((-1, 1.0), (0.5, 2.0), (1, 4.5))
    ]
    values = motif_descriptors(motifs)
    assert len(values) == 21
    assert values["motif6_multiplicity_min"] == 1.0
    assert values["motif6_multiplicity_max"] == 4.5
    assert values["motif6_multiplicity_median"] == 2.0
    assert values["motif6_multiplicity_variance"] == pytest.approx(np.var([1, 2, 4.5]))
    assert values["motif6_strand_bias_min"] == -1
    assert values["motif6_strand_bias_max"] == 1
    assert values["motif6_strand_bias_median"] == 0.5
    assert {value for name, value in values.items() if not name.startswith("motif6_")} == {None}


def test_similarity_does_not_care_about_strand_or_a_shift() -> None:
    matrix = np.random.default_rng(6).dirichlet(np.full(4, 0.2), size=8)
    assert similarity(matrix, matrix[::-1, ::-1]) == pytest.approx(1.0)
    assert similarity(matrix, matrix[1:]) == pytest.approx(1.0)
    assert (
        similarity(exact_motif("AAAAAA").probabilities, exact_motif("CGCGCG").probabilities) < 0.2
    )


@pytest.mark.parametrize(("name", "length"), HOMER_ORDER)
def test_counts_and_statistics_reproduce_the_headers_of_homer(
    yeast: Path, name: str, length: int
) -> None:
    folder = yeast / "homer" / name
    foreground, background = (
        read_fasta(folder / f"{each}.fa.gz") for each in ("foreground", "background")
    )
    motifs = read_motifs(folder / f"len{length}.motif")
    enrichment = Enrichment(len(foreground), len(background))
    masked = foreground
    assert sorted(HOMER_ORDER[name, length]) == list(range(1, len(motifs) + 1))
    for number in HOMER_ORDER[name, length]:
        motif = motifs[number - 1]
        targets = len(set(scan(motif, foreground).sequence))
        found = len(set(scan(motif, background).sequence))
        assert targets == motif.targets
        assert found / len(background) == pytest.approx(motif.background_share, abs=5.1e-5)
        assert enrichment.ln_p(targets, found) == pytest.approx(motif.log_p, abs=1e-4)
        sites = scan(motif, masked)
        multiplicity, strand_bias = site_statistics(sites, motif.length)
        assert multiplicity == pytest.approx(motif.multiplicity, abs=0.0051)
        assert strand_bias == pytest.approx(motif.strand_bias, abs=0.051)
        masked = mask_sites(sites, motif.length, masked)


# Abf1 at 10 bp and Mig2 at 8 bp need the wide first round of the search: HOMER's ln p there is -332 and -199.
@pytest.mark.parametrize(("name", "length"), [("Tbf1", 8), ("Fkh1", 8), ("Mig2", 8), ("Abf1", 10)])
def test_the_first_motif_is_that_of_homer_and_as_significant(
    yeast: Path, name: str, length: int
) -> None:
    folder = yeast / "homer" / name
    foreground, background = (
        read_fasta(folder / f"{each}.fa.gz") for each in ("foreground", "background")
    )
    (ours,) = find_motifs(foreground, background, lengths=(length,), motifs_per_length=1)
    theirs = read_motifs(folder / f"len{length}.motif")[0]
    assert theirs.log_p < np.log(1e-50)
    assert similarity(ours.probabilities, theirs.probabilities) > 0.9
    assert ours.log_p < 0.99 * theirs.log_p
