"""Tests of ambient/data/prepare.py and assemble.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from window_tables import as_table, equal

from ambient.data import (
    ORIGINS,
    SPLITS,
    Corpus,
    NegativesConfig,
    Split,
    TaskData,
    open_genome,
    prepare_corpus,
    prepare_task,
    read_corpus,
)
from ambient.errors import InputError
from descriptors.genome import Genome
from descriptors.peaks import overlaps, read_intervals, read_labelled_windows, read_peaks

REPOSITORY = Path(__file__).resolve().parents[2]


def corpus_with(
    corpus_folder: Path, extra: str = "", change: Callable[[str], str] | None = None
) -> Corpus:
    path = corpus_folder / "corpus.yaml"
    text = path.read_text() + extra
    path.write_text(change(text) if change else text)
    return read_corpus(path)


def rows_of(task: TaskData, split: str) -> set[tuple[str, int, float]]:
    rows = task.subset(split)
    return set(
        zip(
            task.chromosome[rows].tolist(),
            task.centre[rows].tolist(),
            task.labels[rows, 0].tolist(),
            strict=True,
        )
    )


def check_task(corpus: Corpus, task: TaskData, genome: Genome) -> None:
    """Check by plain means what every prepared task promises."""
    spec = corpus.task(task.name)
    is_positive = task.labels[:, 0] == 1
    peaks = read_peaks(spec.peaks, genome).table
    half = task.window_bp // 2
    np.testing.assert_array_equal(is_positive, task.origin == 0)
    negatives = as_table(task, np.flatnonzero(~is_positive))
    around = peaks.assign(start=peaks["summit"] - half, end=peaks["summit"] + half)
    assert not overlaps(negatives, around).any()
    assert not overlaps(negatives, peaks).any()
    if corpus.exclude is not None:
        assert not overlaps(negatives, read_intervals(corpus.exclude)).any()
    summits = set(zip(peaks["chromosome"], peaks["summit"], strict=True))
    for row in np.flatnonzero(is_positive):
        assert (task.chromosome[row], task.centre[row]) in summits
    expected = [corpus.split.number(name) for name in task.chromosome]
    np.testing.assert_array_equal(task.split, expected)
    assert not set(task.chromosome) & set(corpus.skip_chromosomes)
    assert (task.window(slice(None)) != 4).all()
    np.testing.assert_array_equal(
        task.codes, genome.windows(task.chromosome, task.centre, corpus.stored_bp)
    )
    places = list(zip(task.chromosome, task.centre, strict=True))
    assert len(set(places)) == len(places)
    for split in SPLITS:
        assert {0.0, 1.0} == set(task.labels[task.subset(split), 0].tolist())


def test_every_task_of_a_corpus_keeps_its_promises(corpus_folder: Path) -> None:
    (corpus_folder / "exclude.bed").write_text("chr1\t1000\t1500\nchr5\t2000\t2400\n")
    corpus = corpus_with(corpus_folder, "exclude: exclude.bed\nskip_chromosomes: [chr9]\n")
    genome = open_genome(corpus)
    tasks = prepare_corpus(corpus)
    assert list(tasks) == [spec.name for spec in corpus.tasks]
    for task in tasks.values():
        check_task(corpus, task, genome)
        kinds = {ORIGINS[number] for number in np.unique(task.origin)}
        assert kinds == {"positive", "gc_matched", "other_tasks"}


def test_one_task_alone_equals_the_same_task_among_others(corpus_folder: Path) -> None:
    corpus = corpus_with(corpus_folder)
    together = prepare_corpus(corpus)
    for spec in corpus.tasks:
        assert equal(prepare_task(corpus, spec), together[spec.name])
    assert list(prepare_corpus(corpus, names=["Long1"])) == ["Long1"]


def test_negatives_of_other_tasks_are_peaks_of_training_tasks_only(corpus_folder: Path) -> None:
    corpus = corpus_with(corpus_folder)
    held_out = {spec.name for spec in corpus.held_out_tasks}
    assert held_out
    genome = open_genome(corpus)
    summits = {
        spec.name: set(
            read_peaks(spec.peaks, genome)
            .table[["chromosome", "summit"]]
            .itertuples(index=False, name=None)
        )
        for spec in corpus.tasks
    }
    for name, task in prepare_corpus(corpus).items():
        allowed = set().union(*(summits[n] for n in summits if n not in held_out and n != name))
        rows = np.flatnonzero(task.origin == ORIGINS.index("other_tasks"))
        assert len(rows) > 0
        assert set(zip(task.chromosome[rows], task.centre[rows], strict=True)) <= allowed


def test_the_peaks_of_a_held_out_task_touch_no_other_task(corpus_folder: Path) -> None:
    corpus = corpus_with(corpus_folder)
    before = prepare_corpus(corpus)
    held_out = corpus.held_out_tasks[0]
    lines = held_out.peaks.read_text().splitlines(keepends=True)
    held_out.peaks.write_text("".join(lines[::2]))
    after = prepare_corpus(corpus)
    for spec in corpus.tasks:
        assert equal(before[spec.name], after[spec.name]) == (spec.name != held_out.name)


def test_nothing_on_test_chromosomes_reaches_the_training_windows(corpus_folder: Path) -> None:
    corpus = corpus_with(corpus_folder)
    before = prepare_corpus(corpus)
    genome = corpus_folder / "genome.fa"
    records = genome.read_text().split(">")
    swap = str.maketrans("ACGT", "CAGG")
    for number, record in enumerate(records):
        name, _, letters = record.partition("\n")
        if name in corpus.split.test:
            records[number] = f"{name}\n{letters.translate(swap)}"
    genome.write_text(">".join(records))
    for spec in corpus.tasks:
        lines = spec.peaks.read_text().splitlines(keepends=True)
        kept = [
            line
            for number, line in enumerate(lines)
            if line.split("\t")[0] not in corpus.split.test or number % 2
        ]
        spec.peaks.write_text("".join(kept))
    after = prepare_corpus(corpus)
    for name, task in after.items():
        for split in ("train", "validation"):
            assert rows_of(task, split) == rows_of(before[name], split)
            np.testing.assert_array_equal(
                task.codes[task.subset(split)], before[name].codes[before[name].subset(split)]
            )
        assert rows_of(task, "test") != rows_of(before[name], "test")


def test_a_task_is_no_other_task_of_itself(corpus_folder: Path) -> None:
    corpus = corpus_with(corpus_folder)
    alone = dataclasses.replace(corpus, tasks=(corpus.tasks[0], *corpus.held_out_tasks))
    tasks = prepare_corpus(alone)
    kinds = {
        name: {ORIGINS[kind] for kind in np.unique(task.origin)} for name, task in tasks.items()
    }
    assert kinds[corpus.tasks[0].name] == {"positive", "gc_matched"}
    assert "other_tasks" in kinds[corpus.held_out_tasks[0].name]
    asked = NegativesConfig(2.0, {"other_tasks": 1.0})
    with pytest.raises(InputError, match="no other training task"):
        prepare_corpus(dataclasses.replace(alone, negatives=asked))


def test_another_seed_gives_other_negatives_and_the_same_positives(corpus_folder: Path) -> None:
    corpus = corpus_with(corpus_folder)
    spec = corpus.tasks[0]
    first = prepare_task(corpus, spec)
    other = prepare_task(dataclasses.replace(corpus, seed=9), spec)
    positive = first.labels[:, 0] == 1
    np.testing.assert_array_equal(first.centre[positive], other.centre[other.labels[:, 0] == 1])
    assert not equal(first, other)


def test_what_was_made_before_is_read_and_not_made_again(
    corpus_folder: Path, tmp_path: Path
) -> None:
    corpus = corpus_with(corpus_folder)
    cache = tmp_path / "deep" / "cache"
    made = prepare_corpus(corpus, cache)
    stamps = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert len(stamps) == len(corpus.tasks)
    again = prepare_corpus(corpus, cache)
    assert stamps == {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    assert all(equal(made[name], again[name]) for name in made)


def test_a_damaged_cached_task_is_made_anew(corpus_folder: Path, tmp_path: Path) -> None:
    corpus = corpus_with(corpus_folder)
    made = prepare_corpus(corpus, tmp_path)
    path = next(tmp_path.glob("Long1-*.npz"))
    path.write_bytes(path.read_bytes()[:2000])
    assert equal(prepare_corpus(corpus, tmp_path)["Long1"], made["Long1"])
    assert TaskData.load(path).hash == made["Long1"].hash


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"window_bp": 150},
        {"margin_bp": 40},
        {"skip_chromosomes": ("chr9",)},
        {"negatives": NegativesConfig(1.0)},
        {"split": Split(validation=("chr1",), test=("chr5", "chr10"))},
    ],
)
def test_a_cached_task_is_not_taken_for_one_of_other_settings(
    corpus_folder: Path, tmp_path: Path, changes: dict[str, object]
) -> None:
    corpus = corpus_with(corpus_folder)
    prepare_corpus(corpus, tmp_path / "cache")
    changed = dataclasses.replace(corpus, **changes)  # type: ignore[arg-type]
    cached = prepare_corpus(changed, tmp_path / "cache")
    fresh = prepare_corpus(changed)
    assert all(equal(cached[name], fresh[name]) for name in fresh)


def reversed_lines(text: str) -> str:
    lines = text.splitlines()
    return "".join(f"{line if line.startswith('>') else line[::-1]}\n" for line in lines)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("exclude.bed", lambda text: text + "chr2\t0\t6000\n"),
        ("genome.fa", reversed_lines),
    ],
)
def test_a_cached_task_is_not_taken_for_one_of_another_exclusion_list_or_genome(
    corpus_folder: Path, tmp_path: Path, name: str, change: Callable[[str], str]
) -> None:
    (corpus_folder / "exclude.bed").write_text("chr1\t1000\t1500\n")
    corpus = corpus_with(corpus_folder, "exclude: exclude.bed\n")
    before = prepare_corpus(corpus, tmp_path / "cache")
    path = corpus_folder / name
    path.write_text(change(path.read_text()))
    cached, fresh = prepare_corpus(corpus, tmp_path / "cache"), prepare_corpus(corpus)
    assert all(equal(cached[task], fresh[task]) for task in fresh)
    assert not any(equal(before[task], fresh[task]) for task in fresh)


def test_a_cached_task_is_not_taken_for_one_that_is_read_on_its_strand(
    corpus_folder: Path, tmp_path: Path
) -> None:
    corpus = corpus_with(corpus_folder)
    # Without others' peaks, which are those of tasks that are stranded alike.
    corpus = dataclasses.replace(corpus, negatives=NegativesConfig(mix={"gc_matched": 1.0}))
    spec, *others = corpus.tasks
    rows = [line.split("\t") for line in spec.peaks.read_text().splitlines()]
    spec.peaks.write_text("".join("\t".join([*row[:5], "-", *row[6:]]) + "\n" for row in rows))
    stranded = dataclasses.replace(
        corpus, tasks=(dataclasses.replace(spec, stranded=True), *others)
    )
    prepare_corpus(corpus, tmp_path / "cache", [spec.name])
    cached = prepare_corpus(stranded, tmp_path / "cache", [spec.name])[spec.name]
    assert cached.stranded
    assert equal(cached, prepare_corpus(stranded, names=[spec.name])[spec.name])


def test_another_spelling_of_chromosomes_has_cached_tasks_of_its_own(
    corpus_folder: Path, tmp_path: Path
) -> None:
    corpus = corpus_with(corpus_folder)
    renamed = dataclasses.replace(corpus, rename_chromosomes="add-chr")
    for one in (corpus, renamed, corpus):
        prepare_corpus(one, tmp_path / "cache", ["Long1"])
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_changed_peaks_of_one_task_change_those_that_borrow_from_it(
    corpus_folder: Path, tmp_path: Path
) -> None:
    corpus = corpus_with(corpus_folder)
    prepare_corpus(corpus, tmp_path)
    peaks = corpus.training_tasks[0].peaks
    peaks.write_text("".join(peaks.read_text().splitlines(keepends=True)[::2]))
    cached, fresh = prepare_corpus(corpus, tmp_path), prepare_corpus(corpus)
    assert all(equal(cached[name], fresh[name]) for name in fresh)


def test_labelled_windows_are_the_only_negatives_of_a_task_that_names_them(
    corpus_folder: Path,
) -> None:
    genome = Genome.open(corpus_folder / "genome.fa")
    peaks = read_peaks(corpus_folder / "peaks" / "Histone1.bed", genome).table
    on_peak = peaks.iloc[0]
    lines = [f"{on_peak.chromosome}\t{on_peak.start}\t{on_peak.end}\tx\t0\n"]
    lines += [
        f"chr{number}\t{start}\t{start + 200}\tx\t{start % 3 % 2}\n"
        for number in range(1, 11)
        for start in range(450, 9000, 410)
    ]
    (corpus_folder / "labelled.bed").write_text("".join(lines))
    corpus = corpus_with(
        corpus_folder,
        change=lambda text: text.replace(
            "factor: Histone1", "factor: Histone1, negatives: labelled.bed"
        ),
    )
    task = prepare_task(corpus, corpus.task("Histone1"))
    check_task(corpus, task, genome)
    table, _ = read_labelled_windows(corpus_folder / "labelled.bed", genome)
    zeros = table[table["label"] == 0]
    allowed = set(zip(zeros["chromosome"], (zeros["start"] + zeros["end"]) // 2, strict=True))
    negative = task.labels[:, 0] == 0
    assert set(task.origin[negative].tolist()) == {ORIGINS.index("file")}
    assert set(zip(task.chromosome[negative], task.centre[negative], strict=True)) <= allowed
    assert not overlaps(as_table(task, np.flatnonzero(negative)), table[table["label"] == 1]).any()
    assert task.left_out["labelled negatives: overlaps a positive"] >= 1
    with (corpus_folder / "labelled.bed").open("a") as stream:
        stream.write("chrUn\t100\t200\t.\t0\nchrUn\t300\t400\t.\t1\n")
    again = prepare_task(corpus, corpus.task("Histone1"))
    unread = "labelled windows: on a chromosome that the genome does not have"
    assert again.left_out == {**task.left_out, unread: 2}


def test_a_peak_whose_window_does_not_fit_is_counted(corpus_folder: Path) -> None:
    corpus = corpus_with(corpus_folder)
    spec = corpus.task("Short1")
    with spec.peaks.open("a") as stream:
        stream.write("chr1\t0\t20\tedge\t5\t.\t1\t-1\t-1\t4\n")
    task = prepare_task(corpus, spec)
    assert task.left_out["peaks: window leaves the chromosome"] == 1
    wide = task.window(slice(None), window_bp=1000)
    assert (wide == 4).any()


def test_a_split_that_the_genome_does_not_have_is_refused(corpus_folder: Path) -> None:
    corpus = corpus_with(corpus_folder, change=lambda text: text.replace("chr8", "chr88"))
    with pytest.raises(InputError, match=r'split: validation names "chr88".*did you mean "chr8"'):
        prepare_corpus(corpus)
    corpus = corpus_with(
        corpus_folder, "skip_chromosomes: [chrM]\n", lambda t: t.replace("chr88", "chr8")
    )
    with pytest.raises(InputError, match='skip_chromosomes names "chrM"'):
        prepare_corpus(corpus)


def test_a_split_that_leaves_nothing_to_train_on_is_refused(corpus_folder: Path) -> None:
    corpus = corpus_with(corpus_folder)
    everything = tuple(f"chr{number}" for number in range(1, 11))
    corpus = dataclasses.replace(corpus, split=Split(everything[:5], everything[5:]))
    with pytest.raises(InputError, match="leaves no chromosome"):
        prepare_corpus(corpus)


def test_a_task_without_positives_in_a_split_is_refused(corpus_folder: Path) -> None:
    corpus = corpus_with(corpus_folder)
    spec = corpus.task("Short1")
    lines = spec.peaks.read_text().splitlines(keepends=True)
    spec.peaks.write_text(
        "".join(line for line in lines if line.split("\t")[0] not in ("chr5", "chr10"))
    )
    with pytest.raises(InputError, match=r"Short1: none of the \d+ positives lies on the test"):
        prepare_corpus(corpus)


def test_other_spellings_of_chromosomes_can_be_renamed(corpus_folder: Path) -> None:
    corpus = corpus_with(corpus_folder)
    before = prepare_corpus(corpus)
    for spec in corpus.tasks:
        spec.peaks.write_text(spec.peaks.read_text().replace("chr", ""))
    with pytest.raises(InputError, match="--rename-chromosomes add-chr"):
        prepare_corpus(corpus)
    after = prepare_corpus(dataclasses.replace(corpus, rename_chromosomes="add-chr"))
    assert all(equal(before[name], after[name]) for name in before)


def test_a_cache_that_is_a_file_is_refused(corpus_folder: Path) -> None:
    with pytest.raises(InputError, match="a file stands where a folder was needed"):
        prepare_corpus(corpus_with(corpus_folder), corpus_folder / "genome.fa")


def test_the_yeast_corpus_is_prepared_and_keeps_its_promises(yeast: Path) -> None:
    path = REPOSITORY / "benchmarks" / "yeast" / "corpus.yaml"
    if not (path.parent / "../../../shared/data/yeast").exists():
        pytest.skip("benchmarks/yeast/corpus.yaml names data beside the checkout, which is absent")
    corpus = read_corpus(path)
    genome = open_genome(corpus)
    tasks = prepare_corpus(corpus, names=["Reb1", "H3K4me3", "Tbf1", "YEP_NFR"])
    for task in tasks.values():
        check_task(corpus, task, genome)
    assert set(np.unique(tasks["H3K4me3"].origin)) == {0, ORIGINS.index("file")}
    assert tasks["Reb1"].summary()["positives"] == {"train": 655, "validation": 161, "test": 258}
    gc = np.isin(tasks["Reb1"].window(slice(None)), (1, 2)).mean(axis=1)
    origin = tasks["Reb1"].origin
    matched = np.quantile(gc[origin == ORIGINS.index("gc_matched")], [0.1, 0.5, 0.9])
    np.testing.assert_allclose(matched, np.quantile(gc[origin == 0], [0.1, 0.5, 0.9]), atol=0.01)
