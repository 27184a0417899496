"""Fewer positives, and chromosomes left out by pattern: options of a corpus for large genomes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ambient.data import (
    Corpus,
    open_genome,
    prepare_corpus,
    prepare_task,
    read_corpus,
    simulate_corpus,
)
from ambient.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("options") / "corpus"
    return simulate_corpus(place, tasks=3, genome_bp=100_000, seed=5).parent


def corpus_with(folder: Path, extra: str) -> Corpus:
    path = folder / "changed.yaml"
    path.write_text((folder / "corpus.yaml").read_text() + extra)
    return read_corpus(path)


def test_many_positives_are_thinned_in_the_ratio_of_the_splits(folder: Path) -> None:
    whole = corpus_with(folder, "")
    all_of_it = prepare_task(whole, whole.tasks[0])
    thinned = corpus_with(folder, "most_positives: 40\n")
    task = prepare_task(thinned, thinned.tasks[0])
    before, after = all_of_it.summary()["positives"], task.summary()["positives"]
    total = sum(before.values())
    assert total > 60
    assert after == {split: 40 * count // total for split, count in before.items()}
    assert task.left_out["peaks: more than most_positives asks for"] == total - sum(after.values())
    places = [set(zip(t.chromosome, t.centre, strict=True)) for t in (all_of_it, task)]
    kept = {place for place, kind in zip(_places(task), task.origin, strict=True) if kind == 0}
    known = {p for p, kind in zip(_places(all_of_it), all_of_it.origin, strict=True) if kind == 0}
    assert kept < known
    # A peak that was not drawn is no negative either.
    assert not (places[1] - kept) & known
    again = prepare_task(corpus_with(folder, "most_positives: 5000\n"), thinned.tasks[0])
    assert again.hash == all_of_it.hash


def _places(task):  # type: ignore[no-untyped-def]
    return list(zip(task.chromosome, task.centre, strict=True))


def test_the_cache_tells_thinned_tasks_from_whole_ones(folder: Path, tmp_path: Path) -> None:
    prepare_corpus(corpus_with(folder, ""), tmp_path, ["Short1"])
    prepare_corpus(corpus_with(folder, "most_positives: 40\n"), tmp_path, ["Short1"])
    assert len(list(tmp_path.iterdir())) == 2


def test_chromosomes_may_be_left_out_by_a_pattern(folder: Path) -> None:
    corpus = corpus_with(folder, 'skip_chromosomes: ["*1", chr7, "chr[24]"]\n')
    task = prepare_task(corpus, corpus.tasks[0])
    assert set(np.unique(task.chromosome)) == {f"chr{n}" for n in (3, 5, 6, 8, 9, 10)}
    with pytest.raises(
        InputError, match=r'skip_chromosomes names "chrUn_\*", which genome.fa does'
    ):
        open_genome(corpus_with(folder, 'skip_chromosomes: ["chrUn_*"]\n'))
    with pytest.raises(InputError, match='"chr10" stands in split and in skip_chromosomes'):
        corpus_with(folder, 'skip_chromosomes: ["chr1*"]\n')


def test_most_positives_leaves_one_for_each_split(folder: Path) -> None:
    corpus = corpus_with(folder, "most_positives: 3\n")
    positives = prepare_task(corpus, corpus.tasks[0]).summary()["positives"]
    assert list(positives.values()) == [1, 1, 1] or min(positives.values()) == 1
    with pytest.raises(InputError, match="most_positives is 2, but a whole number of at least 3"):
        corpus_with(folder, "most_positives: 2\n")
