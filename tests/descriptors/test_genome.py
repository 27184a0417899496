"""Genomes as coded bases, and the spelling of chromosomes."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descriptors.errors import InputError
from descriptors.genome import Genome, check_chromosomes, respell, reverse_complement_codes

FASTA = ">chrI first\nACGTNacgtn\nRYKM\n>chrII\nTTTT\n"


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_form_of_fasta_gives_the_same_codes(tmp_path: Path, ends: str, packed: bool) -> None:
    path = tmp_path / "genome.fa"
    content = FASTA.replace("\n", ends).encode()
    path.write_bytes(gzip.compress(content) if packed else content)
    genome = Genome.open(path)
    assert genome.sizes == {"chrI": 14, "chrII": 4}
    assert genome.codes("chrI").tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 4, 4, 4, 4]
    assert genome.codes("chrII").tolist() == [3, 3, 3, 3]
    assert genome.name == "genome.fa"
    assert Genome.open(genome) is genome


def test_a_byte_order_mark_and_a_stale_index_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "genome.fa"
    path.write_bytes(b"\xef\xbb\xbf" + FASTA.encode())
    (tmp_path / "genome.fa.fai").write_text("chrI\t3\t0\t3\t4\n")
    assert Genome.open(path).sizes == {"chrI": 14, "chrII": 4}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("ACGT\n", 'found no ">"'),
        ("x >chrI\nACGT\n", 'found no ">"'),
        (">chrI\nAC\n>chrI\nAC\n", "occurs twice"),
        (">\nACGT\n", "without a chromosome name"),
        (">chrI\n>chrII\nAC\n", "has no bases"),
        ("", "the file is empty"),
    ],
)
def test_a_file_that_is_no_genome_is_an_input_error(
    tmp_path: Path, content: str, message: str
) -> None:
    path = tmp_path / "genome.fa"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        Genome.open(path)


def test_letters_of_proteins_are_refused() -> None:
    with pytest.raises(InputError, match='found "E" at base 2 of "chrI"'):
        Genome.from_sequences({"chrI": "AEF"}).codes("chrI")


def test_a_truncated_genome_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "genome.fa.gz"
    path.write_bytes(gzip.compress(FASTA.encode() * 9)[:-9])
    with pytest.raises(InputError, match="truncated"):
        Genome.open(path)


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c"]), st.text("ACGTN", min_size=1, max_size=30), min_size=1
    ),
    st.lists(st.tuples(st.integers(0, 2), st.integers(-20, 50)), max_size=12),
    st.integers(1, 40),
)
def test_windows_equal_a_plain_loop(
    sequences: dict[str, str], places: list[tuple[int, int]], window_bp: int
) -> None:
    genome = Genome.from_sequences(sequences)
    names = sorted(sequences)
    chromosomes = [names[which % len(names)] for which, _ in places]
    centres = np.array([centre for _, centre in places], dtype=np.int64)
    expected = [
        [
            "ACGTN".index(sequences[name][at]) if 0 <= at < len(sequences[name]) else 4
            for at in range(centre - window_bp // 2, centre - window_bp // 2 + window_bp)
        ]
        for name, centre in zip(chromosomes, centres, strict=True)
    ]
    found = genome.windows(chromosomes, centres, window_bp)
    assert found.dtype == np.uint8
    assert found.shape == (len(places), window_bp)
    assert found.tolist() == expected


def test_a_window_on_an_unknown_chromosome_is_an_input_error() -> None:
    with pytest.raises(InputError, match='no chromosome "chrX"'):
        Genome.from_sequences({"chrI": "ACGT"}).windows(["chrX"], np.array([1]), 2)


@given(st.lists(st.integers(0, 4), max_size=30))
def test_the_reverse_complement_of_the_reverse_complement_is_the_sequence(codes: list[int]) -> None:
    array = np.array([codes, codes], dtype=np.uint8)
    assert (reverse_complement_codes(reverse_complement_codes(array)) == array).all()
    pairs = {0: 3, 1: 2, 2: 1, 3: 0, 4: 4}
    assert reverse_complement_codes(array)[1].tolist() == [pairs[code] for code in codes[::-1]]


def test_respelling_leaves_known_names_and_knows_the_mitochondrion() -> None:
    assert respell("chr1", "strip-chr", {"1"}) == "1"
    assert respell("1", "add-chr", {"chr1"}) == "chr1"
    assert respell("chr1", "strip-chr", {"chr1"}) == "chr1"
    assert respell("chr1", None, {"1"}) == "chr1"
    assert respell("chrM", "strip-chr", {"MT"}) == "MT"
    assert respell("MT", "add-chr", {"chrM"}) == "chrM"
    with pytest.raises(InputError, match='use "strip-chr" or "add-chr"'):
        respell("chr1", "strip", {"1"})


def test_the_error_offers_the_renaming_that_helps_and_counts_the_peaks() -> None:
    plain = Genome.from_sequences({"1": "ACGT", "2": "ACGT"}, "genome.fa")
    with pytest.raises(InputError) as caught:
        check_chromosomes(["chr1"] * 1200 + ["chr2"] * 34, plain, "reb1.bed")
    assert str(caught.value) == (
        'reb1.bed: none of the 1,234 peaks lies on genome.fa: the peaks name "chr1", the genome '
        'names "1"; pass --rename-chromosomes strip-chr'
    )
    prefixed = Genome.from_sequences({"chr1": "ACGT"})
    with pytest.raises(InputError, match=r"1 of the 2 peaks do not lie .* add-chr"):
        check_chromosomes(["1", "chr1"], prefixed, "reb1.bed")
    with pytest.raises(
        InputError, match=r'none of the 1 peaks .* name "chrI", the genome names "1"'
    ):
        check_chromosomes(["chrI"], plain, "reb1.bed")


def test_a_few_unknown_contigs_pass_the_check() -> None:
    check_chromosomes(["chrI", "chrUn"], Genome.from_sequences({"chrI": "A"}), "reb1.bed")
