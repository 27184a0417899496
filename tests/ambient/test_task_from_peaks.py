"""Tests of ambient/data/prepare.py: a task from one peak file, without a corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from window_tables import as_table, equal

from ambient.data import ORIGINS, SPLITS, NegativesConfig, Split, task_from_peaks
from ambient.errors import InputError
from descriptors.genome import Genome
from descriptors.peaks import overlaps

SPLIT = Split(validation=("chr2",), test=("chr3",))


def test_one_peak_file_makes_a_task_with_a_split_of_its_own(corpus_folder: Path) -> None:
    task = task_from_peaks(
        corpus_folder / "peaks" / "Short1.narrowPeak",
        corpus_folder / "genome.fa",
        category="tf",
        window_bp=200,
    )
    assert task.name == "Short1"
    assert {ORIGINS[number] for number in np.unique(task.origin)} == {"positive", "gc_matched"}
    parts = [set(task.chromosome[task.subset(split)]) for split in SPLITS]
    assert all(parts)
    assert sum(len(part) for part in parts) == len(set.union(*parts))
    share = (task.labels[task.subset("test"), 0] == 1).sum() / (task.labels == 1).sum()
    assert 0.08 < share < 0.25
    assert task.stored_bp == 1064  # the widest of the named spaces, and the margins
    again = task_from_peaks(
        corpus_folder / "peaks" / "Short1.narrowPeak",
        corpus_folder / "genome.fa",
        category="tf",
        window_bp=200,
    )
    assert equal(task, again)


def test_one_peak_file_obeys_a_given_split_and_exclusion(corpus_folder: Path) -> None:
    (corpus_folder / "exclude.bed").write_text("chr1\t0\t9000\n")
    task = task_from_peaks(
        corpus_folder / "peaks" / "Long1.narrowPeak",
        corpus_folder / "genome.fa",
        split=SPLIT,
        exclude=corpus_folder / "exclude.bed",
        chromosomes=["chr1", "chr2", "chr3", "chr4"],
        window_bp=200,
        widest_window_bp=500,
    )
    assert set(task.chromosome[task.subset("validation")]) == {"chr2"}
    assert set(task.chromosome) <= {"chr1", "chr2", "chr3", "chr4"}
    assert not overlaps(
        as_table(task, np.arange(len(task.labels))),
        pd.DataFrame({"chromosome": ["chr1"], "start": [0], "end": [8900]}),
    ).any()
    assert task.stored_bp == 564


def test_regions_to_exclude_are_read_as_descriptors_read_them(corpus_folder: Path) -> None:
    peaks, genome = corpus_folder / "peaks" / "Short1.narrowPeak", corpus_folder / "genome.fa"
    exclude = corpus_folder / "exclude.bed"
    size = Genome.open(genome).sizes["chr1"]
    exclude.write_text(f"scaffold9\t0\t9000\nchr1\t{size - 1}\t{size + 500}\n")
    plain = task_from_peaks(peaks, genome, split=SPLIT, window_bp=200)
    unknown = task_from_peaks(peaks, genome, split=SPLIT, window_bp=200, exclude=exclude)
    assert equal(plain, unknown)
    exclude.write_text(f"chr2\t0\t9\nchr1\t{size}\t{size + 500}\n")
    message = f"exclude.bed:2: the start {size} is past the end of chr1 .* another assembly"
    with pytest.raises(InputError, match=message):
        task_from_peaks(peaks, genome, split=SPLIT, window_bp=200, exclude=exclude)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"category": "histon"}, 'did you mean "histone"'),
        ({"chromosomes": ["chr1", "chr2"]}, "peaks lie on 2 chromosome"),
        ({"split": Split(("chr2",), ("chrX",))}, 'the split names "chrX"'),
        ({"negatives": NegativesConfig(2.0, {"other_tasks": 1})}, "no other training task"),
        ({"window_bp": 0}, "a window of at least 10 bp"),
        (
            {"window_bp": 20_000},
            "windows of 20,000 bp around its 100 peaks all reach past the ends",
        ),
    ],
)
def test_a_wrong_wish_for_one_task_is_refused(
    corpus_folder: Path, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        task_from_peaks(
            corpus_folder / "peaks" / "Short1.narrowPeak", corpus_folder / "genome.fa", **arguments
        )
        # type: ignore[arg-type]


def test_windows_that_no_chromosome_holds_are_named(corpus_folder: Path) -> None:
    genome = Genome.open(corpus_folder / "genome.fa")
    longest = max(genome.sizes.values())
    with pytest.raises(
        InputError,
        match=rf"Short1.narrowPeak: windows of 1,000,000 bp around its .* longest has {longest:,} bp; ask for narrower",
    ):
        task_from_peaks(corpus_folder / "peaks" / "Short1.narrowPeak", genome, window_bp=1_000_000)
