"""Tests of ambient/data/tiles.py: one task whose labels are many data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from ambient.data import (
    SPLITS,
    Corpus,
    TaskData,
    open_genome,
    prepare_corpus,
    prepare_task,
    read_corpus,
)
from ambient.data.describe import describe_corpus
from ambient.data.intervals import bases_covered, merge
from ambient.errors import InputError
from ambient.evaluate.spill import load_spilled_task, spill_task
from descriptors.peaks import read_intervals, read_peaks


def all_labels(corpus_folder: Path, tiles: dict[str, Any] | None = None, **changes: Any) -> Corpus:
    """Make the simulated data sets the labels of one task, `all`; changes are those of the corpus."""
    value = yaml.safe_load((corpus_folder / "corpus.yaml").read_text())
    labels = [{k: v for k, v in one.items() if k != "held_out"} for one in value["tasks"]]
    task = {"name": "all", "labels": labels, "tiles": {"least_positives": 1, **(tiles or {})}}
    path = corpus_folder / "labels.yaml"
    path.write_text(yaml.safe_dump({**value, "tasks": [task], **changes}))
    return read_corpus(path)


def make(corpus: Corpus) -> TaskData:
    return prepare_task(corpus, corpus.task("all"))


def plainly(corpus: Corpus) -> dict[tuple[str, int], list[float]]:
    """Label every tile of a corpus by a slow plain loop: (chromosome, centre) to labels."""
    genome, (spec,) = open_genome(corpus), corpus.tasks
    tiles = spec.tiles
    assert tiles is not None
    width, skip = corpus.window_bp, (corpus.window_bp - tiles.bin_bp) // 2
    excluded = read_intervals(corpus.exclude) if corpus.exclude else None
    found = {}
    tables = [read_peaks(label.peaks, genome, corpus.exclude).table for label in spec.labels]
    for chromosome, size in genome.sizes.items():
        blocked = np.zeros(size, dtype=bool)
        if excluded is not None:
            for row in excluded[excluded["chromosome"] == chromosome].itertuples():
                blocked[row.start : row.end] = True
        here = [table[table["chromosome"] == chromosome] for table in tables]
        covered, summits = np.zeros((len(here), size), bool), np.zeros((len(here), size), bool)
        for number, table in enumerate(here):
            for row in table.itertuples():
                covered[number, row.start : row.end] = True
                summits[number, row.summit] = True
        for start in range(0, size - width + 1, tiles.stride_bp):
            middle = slice(start + skip, start + skip + tiles.bin_bp)
            is_point = summits[:, middle].any(axis=1)
            is_half = covered[:, middle].sum(axis=1) >= tiles.bin_bp / 2
            has = is_point | is_half
            touched = blocked[start : start + width].any()
            has_n = (genome.codes(chromosome)[start : start + width] == 4).any()
            if not has_n and (has.any() or not touched):
                labels = np.where(has, 1.0, np.nan if touched else 0.0).tolist()
                found[chromosome, start + width // 2] = labels
    return found


@pytest.mark.parametrize(
    "tiles", [{}, {"stride_bp": 70}, {"bin_bp": 80}, {"bin_bp": 61, "stride_bp": 200}]
)
def test_every_tile_has_the_labels_that_a_plain_loop_gives_it(
    corpus_folder: Path, tiles: dict[str, int]
) -> None:
    regions = [f"chr{n}\t{at}\t{at + 2}\n" for n in (1, 5) for at in range(700, 9500, 700)]
    (corpus_folder / "exclude.bed").write_text("".join(regions))
    fasta = (corpus_folder / "genome.fa").read_text().split("\n")
    fasta[fasta.index(">chr2") + 20] = "N" * 80
    (corpus_folder / "genome.fa").write_text("\n".join(fasta))
    corpus = all_labels(
        corpus_folder, {"unlabelled_per_labelled": 1000, **tiles}, exclude="exclude.bed", seed=1
    )
    task, expected = make(corpus), plainly(corpus)
    places = list(zip(task.chromosome.tolist(), task.centre.tolist(), strict=True))
    assert places == list(expected)
    np.testing.assert_array_equal(task.labels, np.array(list(expected.values())))
    assert 0 < np.isnan(task.labels).mean() < 0.1 < np.nanmean(task.labels) < 0.5
    touched = np.isnan(task.labels).any(axis=1)
    assert set(task.chromosome[touched]) <= {"chr1", "chr5"}
    assert (task.labels[touched] == 1).any(axis=1).all()
    assert task.left_out["windows: without a label, touch an excluded region"] > 10
    assert task.left_out["peaks: on an excluded region"] > 3
    assert task.left_out["windows: hold N"] >= 1
    assert task.label_names == ("Short1", "Histone1", "Long1", "Accessibility1")
    assert task.label_categories == ("tf", "histone", "tf", "accessibility")
    genome = open_genome(corpus)
    np.testing.assert_array_equal(
        task.codes, genome.windows(task.chromosome, task.centre, corpus.stored_bp)
    )


def test_a_window_lies_in_the_split_of_its_chromosome(corpus_folder: Path) -> None:
    corpus = all_labels(corpus_folder, {"stride_bp": 50}, skip_chromosomes=["chr7", "*1"])
    task = make(corpus)
    np.testing.assert_array_equal(
        task.split, [corpus.split.number(name) for name in task.chromosome]
    )
    assert set(task.chromosome) == {f"chr{n}" for n in (2, 3, 4, 5, 6, 8, 9, 10)}


def test_windows_without_a_label_are_kept_in_the_stated_ratio_and_the_rest_is_counted(
    corpus_folder: Path,
) -> None:
    whole = make(all_labels(corpus_folder, {"unlabelled_per_labelled": 1000}))
    task = make(all_labels(corpus_folder, {"unlabelled_per_labelled": 0.5}))
    for number, split in enumerate(SPLITS):
        labelled = (task.labels[task.split == number] > 0.5).any(axis=1)
        assert (~labelled).sum() == round(0.5 * labelled.sum()) > 0
        lost = (whole.split == number).sum() - len(labelled)
        assert task.left_out[f"windows: without a label, in {split}"] == lost
        assert whole.left_out[f"windows: without a label, missing in {split}"] > 0
    np.testing.assert_array_equal(task.origin == 0, (task.labels > 0.5).any(axis=1))
    genome_bp = 100_000
    tiled = len(whole.codes) * whole.window_bp
    assert whole.left_out.get("bp at the ends of chromosomes, too few for a window", 0) == (
        genome_bp - tiled
    )


def test_the_same_seed_draws_the_same_windows_and_another_seed_others(corpus_folder: Path) -> None:
    few = {"unlabelled_per_labelled": 0.3}
    first, second = make(all_labels(corpus_folder, few)), make(all_labels(corpus_folder, few))
    other = make(all_labels(corpus_folder, few, seed=9))
    assert first.hash == second.hash != other.hash
    assert len(first.codes) == len(other.codes)


def test_peaks_on_test_chromosomes_change_no_window_of_another_split(corpus_folder: Path) -> None:
    before = make(all_labels(corpus_folder))
    test = set(all_labels(corpus_folder).split.test)
    for path in (corpus_folder / "peaks").iterdir():
        lines = path.read_text().splitlines(keepends=True)
        here = [line for line in lines if line.split("\t")[0] in test]
        path.write_text("".join(line for line in lines if line not in here[::2]))
    after = make(all_labels(corpus_folder))
    assert after.hash != before.hash
    for field in ("codes", "labels", "origin", "centre"):
        kept = [getattr(task, field)[task.split != 2] for task in (before, after)]
        np.testing.assert_array_equal(*kept)


def test_where_a_data_set_was_not_asked_its_label_is_unknown(corpus_folder: Path) -> None:
    corpus = all_labels(corpus_folder, {"unlabelled_per_labelled": 1000})
    whole = make(corpus)
    silent = np.flatnonzero(whole.labels[:, 2] == 0)
    zeros = silent[::3].tolist()
    half = whole.window_bp // 2
    rows = [(whole.chromosome[n], whole.centre[n] - half, whole.centre[n] + half) for n in zeros]
    rows[0] = (rows[0][0], rows[0][1], rows[0][1] + half - 1)  # less than half of its window
    text = "".join(f"{c}\t{start}\t{end}\tx\t0\n" for c, start, end in rows)
    (corpus_folder / "zeros.bed").write_text(text + "chr1\t5000\t5200\tx\t1\n")
    labels = yaml.safe_load((corpus_folder / "labels.yaml").read_text())["tasks"][0]["labels"]
    labels[2]["negatives"] = "zeros.bed"
    tiles = {"least_positives": 1, "unlabelled_per_labelled": 1000}
    task = make(
        all_labels(corpus_folder, tasks=[{"name": "all", "labels": labels, "tiles": tiles}], seed=1)
    )
    np.testing.assert_array_equal(task.labels[:, [0, 1, 3]], whole.labels[:, [0, 1, 3]])
    covered = read_peaks(corpus.tasks[0].labels[2].peaks, open_genome(corpus)).table
    touched = [
        (
            (covered["chromosome"] == whole.chromosome[n])
            & (covered["start"] < whole.centre[n] + half)
            & (covered["end"] > whole.centre[n] - half)
        ).any()
        for n in range(len(whole.codes))
    ]
    expected = np.where(whole.labels[:, 2] == 1, 1, np.nan)
    known = [n for n in zeros[1:] if not touched[n]]
    assert len(known) < len(zeros) - 1
    expected[known] = 0
    np.testing.assert_array_equal(task.labels[:, 2], expected)


def test_a_rare_label_is_left_out_by_name(corpus_folder: Path) -> None:
    whole = make(all_labels(corpus_folder))
    counts = np.stack([(whole.labels[whole.split == s] > 0.5).sum(axis=0) for s in range(3)])
    fewest = counts.min(axis=0)
    limit = int(np.sort(fewest)[2])
    task = make(all_labels(corpus_folder, {"least_positives": limit}))
    kept = [n for n, few in zip(whole.label_names, fewest, strict=True) if few >= limit]
    assert task.label_names == tuple(kept)
    assert 0 < len(kept) < 4
    rare = [n for n in whole.label_names if n not in kept]
    reason = f"labels: fewer than {limit} windows of a class in a split ({', '.join(sorted(rare))})"
    names = {key: count for key, count in task.left_out.items() if key.startswith("labels:")}
    assert list(names.values()) == [len(rare)]
    assert sorted(next(iter(names))) == sorted(reason)
    assert ((task.labels > 0.5).any(axis=1) == (task.origin == 0)).all()
    with pytest.raises(InputError, match="all: none of the 4 labels has 1000 windows of both"):
        make(all_labels(corpus_folder, {"least_positives": 1000}))


def test_a_label_needs_known_zeros_in_every_split(corpus_folder: Path) -> None:
    corpus = all_labels(corpus_folder)
    training = [f"chr{n}" for n in range(1, 11) if corpus.split.number(f"chr{n}") == 0]
    zeros = [f"{name}\t{at}\t{at + 3000}\tx\t0\n" for name in training for at in (0, 5000)]
    (corpus_folder / "zeros.bed").write_text("".join(zeros))
    labels = yaml.safe_load((corpus_folder / "labels.yaml").read_text())["tasks"][0]["labels"]
    labels[2]["negatives"] = "zeros.bed"
    tiles = {"least_positives": 1}
    task = make(
        all_labels(corpus_folder, tasks=[{"name": "all", "labels": labels, "tiles": tiles}])
    )
    assert task.label_names == ("Short1", "Histone1", "Accessibility1")
    # Where every window of a split touches an excluded region, none has a zero.
    blocked = [
        f"{name}\t{at}\t{at + 1}\n" for name in corpus.split.test for at in range(0, 10000, 200)
    ]
    (corpus_folder / "exclude.bed").write_text("".join(blocked))
    with pytest.raises(InputError, match="none of the 4 labels has 1 windows of both classes"):
        make(all_labels(corpus_folder, exclude="exclude.bed"))


def test_the_cache_knows_a_task_by_all_that_it_is_made_of(
    corpus_folder: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"

    def cached(corpus: Corpus) -> TaskData:
        return prepare_corpus(corpus, cache)["all"]

    first = cached(all_labels(corpus_folder))
    again = cached(all_labels(corpus_folder))
    assert len(list(cache.iterdir())) == 1
    assert (again.hash, again.label_names) == (first.hash, first.label_names)
    peaks = corpus_folder / "peaks" / "Long1.narrowPeak"
    peaks.write_text("".join(peaks.read_text().splitlines(keepends=True)[3:]))
    assert cached(all_labels(corpus_folder)).hash != first.hash
    text = (corpus_folder / "labels.yaml").read_text()
    (corpus_folder / "labels.yaml").write_text(text.replace("category: histone", "category: other"))
    assert "other" in cached(read_corpus(corpus_folder / "labels.yaml")).label_categories
    cached(all_labels(corpus_folder, {"bin_bp": 100, "stride_bp": 200}))
    assert len(list(cache.iterdir())) == 4
    # What only tasks of one data set depend on makes no other task.
    cached(
        all_labels(corpus_folder, {"bin_bp": 100, "stride_bp": 200}, negatives={"per_positive": 7})
    )
    assert len(list(cache.iterdir())) == 4


def test_workers_get_the_whole_task(corpus_folder: Path, tmp_path: Path) -> None:
    task = make(all_labels(corpus_folder))
    spill_task(task, tmp_path / "spilled")
    back = load_spilled_task(tmp_path / "spilled")
    assert (back.hash, back.label_categories) == (task.hash, task.label_categories)


def test_a_task_with_labels_is_nothing_to_other_tasks_and_has_no_descriptors(
    corpus_folder: Path,
) -> None:
    corpus = read_corpus(corpus_folder / "corpus.yaml")
    alone = prepare_corpus(corpus)
    tasks = yaml.safe_load((corpus_folder / "corpus.yaml").read_text())["tasks"]
    labels = [{"name": "Short1", "peaks": "peaks/Short1.narrowPeak"}]
    several = {"name": "all", "labels": labels, "tiles": {"least_positives": 1}}
    mixed = all_labels(corpus_folder, tasks=[*tasks, several])
    together = prepare_corpus(mixed)
    assert {name: task.hash for name, task in alone.items()} == {
        name: task.hash for name, task in together.items() if name != "all"
    }
    assert together["all"].label_names == ("Short1",)
    with pytest.raises(InputError, match="all has 1 labels, and descriptors are of one data set"):
        describe_corpus(mixed, mixed.tasks[-1:])


def test_covered_bases_are_those_that_a_mask_counts() -> None:
    rng = np.random.default_rng(0)
    starts = rng.integers(0, 300, 30)
    merged = merge(starts, starts + rng.integers(1, 20, 30))
    mask = np.zeros(400, dtype=int)
    for start, end in zip(*merged, strict=True):
        mask[start:end] = 1
    low = rng.integers(0, 300, 200)
    high = low + rng.integers(1, 90, 200)
    expected = [mask[a:b].sum() for a, b in zip(low, high, strict=True)]
    np.testing.assert_array_equal(bases_covered(low, high, merged), expected)
    nothing = (np.empty(0, np.int64), np.empty(0, np.int64))
    assert bases_covered(low, high, nothing).sum() == 0


TASK = {"name": "A", "peaks": "peaks/Short1.narrowPeak"}


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"labels": [TASK, TASK]}, 'two labels are named "A"'),
        ({"labels": []}, "labels names no data set"),
        ({"labels": [{**TASK, "held_out": True}]}, 'label "A" is held out'),
        ({"labels": [TASK], "peaks": "peaks/Short1.narrowPeak"}, "found peaks beside labels"),
        ({"labels": [TASK], "factor": "Abf1"}, "found factor beside labels"),
        ({"labels": [{"name": "A"}]}, r"\(all\): label 1: peaks is missing"),
        ({"labels": [{**TASK, "labels": [TASK]}]}, r'label 1 \(A\): unknown key "labels"'),
        ({"labels": "gone.tsv"}, r"labels: table: there is no file .*gone\.tsv"),
        ({"labels": [TASK], "tiles": {"stride": 5}}, 'tiles: unknown key "stride"; did you mean'),
        ({"labels": [TASK], "tiles": {"bin_bp": 201}}, "bin_bp of 201 in windows of 200 bp"),
        ({"labels": [TASK], "tiles": {"stride_bp": 0}}, "stride_bp is 0"),
        ({"labels": [TASK], "tiles": {"least_positives": 0}}, "least_positives is 0"),
        ({"labels": [TASK], "tiles": {"unlabelled_per_labelled": -1}}, "from 0 to 1000"),
        ({"peaks": TASK["peaks"], "tiles": {}}, 'unknown key "tiles"'),
    ],
)
def test_a_wrong_task_with_labels_is_refused_in_one_sentence(
    corpus_folder: Path, task: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        all_labels(corpus_folder, tasks=[{"name": "all", **task}])
    assert "labels.yaml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_labels_may_stand_in_a_table(corpus_folder: Path) -> None:
    rows = ["set\tfile\tkind\tuse", "a\tpeaks/Short1.narrowPeak\tTF\tyes"]
    rows += ["b\tpeaks/Histone1.bed\thistone\tyes", "c\tpeaks/Long1.narrowPeak\tTF\tno"]
    (corpus_folder / "sets.tsv").write_text("\n".join(rows) + "\n")
    columns = {"name": "set", "peaks": "file", "category": "kind"}
    table = {"table": "sets.tsv", "columns": columns, "where": {"use": "yes"}}
    corpus = all_labels(corpus_folder, tasks=[{"name": "all", "labels": table}])
    (spec,) = corpus.tasks
    assert [(one.name, one.category) for one in spec.labels] == [("a", "tf"), ("b", "histone")]
    assert spec.tiles is not None
    assert (spec.tiles.stride_bp, spec.tiles.bin_bp) == (200, 200)
    told = corpus.to_dict()["tasks"][0]
    assert told["labels"][1]["peaks"].endswith("Histone1.bed")
    assert told["tiles"]["least_positives"] == 10
