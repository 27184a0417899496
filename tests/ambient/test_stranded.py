"""Tests of stranded tasks, whose windows are read on the strand of their peak and never on the other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from skip_spaces import small_space

from ambient.child.fidelity import SEARCH
from ambient.child.kmer import fit_kmer_baseline, kmer_counts
from ambient.child.seeding import enriched_filters
from ambient.child.train import predict, train_child
from ambient.data import Split, TaskData, prepare_corpus, read_corpus, task_from_peaks
from ambient.data.windows import Landscape, place_windows
from ambient.errors import InputError
from ambient.evaluate.members import train_members
from ambient.evaluate.supernet import SupernetEngine
from ambient.fit import fit
from ambient.space import Architecture, SearchSpace
from descriptors import describe
from descriptors.genome import Genome, reverse_complement_codes
from descriptors.schema import NAMES

SPLIT = Split(validation=("b",), test=("c",))
WORD = np.array([0, 2, 2, 1, 3, 3, 0, 1], dtype=np.uint8)  # AGGCTTAC
LETTERS = np.array(list("ACGTN"))


def random_genome(size: int = 6000, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.integers(0, 4, size).astype(np.uint8) for name in "abcd"}


def as_genome(codes: dict[str, np.ndarray]) -> Genome:
    return Genome.from_sequences({name: "".join(LETTERS[of]) for name, of in codes.items()})


def write_clip(folder: Path, peaks: int = 40, seed: int = 0) -> tuple[Path, Path]:
    """Write a genome with `WORD` on the strand of each of many peaks, and the peaks."""
    rng = np.random.default_rng(seed)
    codes, rows = random_genome(30_000, seed), []
    for name, of in codes.items():
        for place in rng.permutation(np.arange(600, 29_000, 350))[:peaks]:
            strand = "+-"[rng.integers(2)]
            of[place : place + 8] = WORD if strand == "+" else reverse_complement_codes(WORD)
            rows.append(f"{name}\t{place - 26}\t{place + 34}\t.\t0\t{strand}")
    genome, bed = folder / "genome.fa", folder / "clip.bed"
    genome.write_text("".join(f">{name}\n{''.join(LETTERS[of])}\n" for name, of in codes.items()))
    bed.write_text("\n".join(rows) + "\n")
    return genome, bed


def one_sided_task(windows: int = 600, width: int = 60, seed: int = 0) -> TaskData:
    """Positives hold a word, negatives its reverse complement: only a strand tells them apart."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (windows, width)).astype(np.uint8)
    labels = (np.arange(windows) % 2).astype(np.float32)
    for row in range(windows):
        start = rng.integers(12, width - 22)
        codes[row, start : start + 8] = WORD if labels[row] else reverse_complement_codes(WORD)
    return TaskData(
        name="one-sided",
        category="other",
        window_bp=width - 20,
        codes=codes,
        labels=labels[:, None],
        split=np.repeat(np.array([0, 1, 2], dtype=np.uint8), windows // 3),
        origin=(1 - labels).astype(np.uint8),
        stranded=True,
    )


def small_architecture() -> Architecture:
    space = SearchSpace.from_dict(
        {
            "name": "one-sided",
            "version": 1,
            "window_bp": 40,
            "decisions": [
                {
                    "name": "first",
                    "choices": [{"operation": "convolution", "filters": 16, "kernel": 8}],
                },
                {"name": "tail", "choices": ["global_max"]},
            ],
        }
    )
    return space.architecture([0, 0])


torch.set_num_threads(1)
QUICK = replace(SEARCH, name="quick", windows_per_epoch=256, epochs=8, shift_bp=4)


@pytest.mark.parametrize("window_bp", [20, 21])
@pytest.mark.parametrize("stored_bp", [20, 21, 36])
def test_a_window_of_the_other_strand_has_its_centre_where_the_others_have(
    window_bp: int, stored_bp: int
) -> None:
    codes = random_genome(400)
    landscape = Landscape(as_genome(codes), window_bp, "abcd", SPLIT, stranded=True)
    names, centres = np.array(["a", "b", "d", "a"]), np.array([100, 200, 300, 100])
    starts, left_out = place_windows(landscape, names, centres, np.array(["-", "+", "-", "+"]))
    assert not left_out
    assert len(starts) == 4  # the two strands of one place are two windows
    read = landscape.read(starts, stored_bp)
    where, found = landscape.places(starts)
    assert sorted(zip(where, found, strict=True)) == sorted(zip(names, centres, strict=True))
    left = stored_bp // 2
    for row, name, centre in zip(read, where, found, strict=True):
        plus = codes[name][centre - left : centre - left + stored_bp]
        minus = reverse_complement_codes(
            codes[name][centre - stored_bp + left + 1 : centre + left + 1]
        )
        assert any((row == one).all() for one in (plus, minus))
    minus_first = landscape.read(starts[starts >= 4 * 400], stored_bp)
    assert (minus_first[:, left] == 3 - np.array([codes["a"][100], codes["d"][300]])).all()


def test_no_candidate_of_either_strand_covers_a_run_of_n() -> None:
    codes = random_genome(600)
    codes["a"][:200] = 4
    landscape = Landscape(as_genome(codes), 20, "abcd", SPLIT, stranded=True)
    assert (landscape.read(landscape.candidates, 20) != 4).all()
    names, centres = landscape.places(landscape.candidates)
    on_a = names == "a"
    other_strand = landscape.candidates >= 4 * 600
    for strand in (other_strand, ~other_strand):  # all that is known of it is there to choose
        assert centres[on_a & strand].min() < 230
        assert centres[on_a & strand].max() > 570


def test_an_interval_lies_on_both_strands_of_a_stranded_landscape() -> None:
    landscape = Landscape(as_genome(random_genome(400)), 20, "abcd", SPLIT, stranded=True)
    table = pd.DataFrame({"chromosome": ["b"], "start": [10], "end": [30]})
    starts, ends = landscape.on_line(table)
    assert starts.tolist() == [410, 1600 + 400 + 370]
    assert ends.tolist() == [430, 1600 + 400 + 390]
    assert landscape.split_of(starts).tolist() == [1, 1]


def test_peaks_of_both_strands_are_read_on_their_own(tmp_path: Path) -> None:
    genome, bed = write_clip(tmp_path)
    task = task_from_peaks(
        bed, genome, split=SPLIT, window_bp=60, widest_window_bp=200, stranded=True
    )
    assert task.stranded
    positives = task.window(np.flatnonzero(task.origin == 0))
    holds = (np.lib.stride_tricks.sliding_window_view(positives, 8, axis=1) == WORD).all(axis=2)
    # The centre, 4 bp into the word, is base 30 of each window; on the other strand it is 3 bp into the word.
    assert holds[:, [26, 27]].any(axis=1).all()
    plain = task_from_peaks(bed, genome, split=SPLIT, window_bp=60, widest_window_bp=200)
    windows = plain.window(np.flatnonzero(plain.origin == 0))
    on_plus = (np.lib.stride_tricks.sliding_window_view(windows, 8, axis=1) == WORD).all(axis=2)
    assert 0.3 < on_plus.any(axis=1).mean() < 0.7
    assert plain.hash != task.hash


def test_negatives_of_a_stranded_task_stay_clear_of_its_peaks_on_both_strands(
    tmp_path: Path,
) -> None:
    genome, bed = write_clip(tmp_path)
    task = task_from_peaks(bed, genome, split=SPLIT, window_bp=100, stranded=True)
    negative = task.origin > 0
    assert negative.sum() == 2 * (~negative).sum()
    for name in "abcd":
        here = task.chromosome == name
        between = np.abs(task.centre[negative & here][:, None] - task.centre[~negative & here])
        assert between.size
        # Windows of 100 bp reach 50 and 49 bp to their sides, by their strands.
        assert between.min() >= 100


def test_negatives_lie_on_both_strands(tmp_path: Path) -> None:
    genome, bed = write_clip(tmp_path)
    opened = Genome.open(genome)
    task = task_from_peaks(bed, opened, split=SPLIT, window_bp=61, stranded=True)
    rows = np.flatnonzero(task.origin > 0)
    plus = opened.windows(task.chromosome[rows], task.centre[rows], 61)
    share = (plus == task.window(rows)).all(axis=1).mean()
    assert 0.35 < share < 0.65


def test_a_peak_without_a_strand_is_one_clear_sentence(tmp_path: Path) -> None:
    genome, bed = write_clip(tmp_path)
    rows = bed.read_text().splitlines()
    bed.write_text("\n".join([rows[0][:-1] + ".", *rows[1:]]) + "\n")
    for make in (
        lambda: task_from_peaks(bed, genome, split=SPLIT, window_bp=60, stranded=True),
        lambda: describe(bed, genome, stranded=True),
    ):
        with pytest.raises(
            InputError, match=r"clip\.bed: 1 of the 160 peaks name no strand.*; write \+ or -"
        ):
            make()


def test_descriptors_of_stranded_peaks_tell_of_the_strand(tmp_path: Path) -> None:
    genome, bed = write_clip(tmp_path)
    stranded, plain = describe(bed, genome, stranded=True), describe(bed, genome)
    at = [NAMES.index(f"motif6_strand_bias_{end}") for end in ("min", "max")]
    known, unknown = np.abs(stranded.vector()[at]).max(), np.abs(plain.vector()[at]).max()
    # All sites of the planted word lie on the peaks' strand, or on half of them where that is not known.
    assert known > 3 > 1.5 > unknown
    pairs = zip(NAMES, stranded.vector(), plain.vector(), strict=True)
    differ = [name for name, one, other in pairs if not np.array_equal(one, other, equal_nan=True)]
    assert differ
    assert all(key.startswith("motif") for key in differ)
    assert stranded.sources["peaks"]["stranded"]
    assert "stranded" not in plain.sources["peaks"]


CORPUS = """
genome: genome.fa
window_bp: 60
split: {validation: [b], test: [c]}
tasks:
"""


def test_other_tasks_are_negatives_of_those_that_are_stranded_alike(tmp_path: Path) -> None:
    write_clip(tmp_path)
    for name, first in (("other", 100), ("plain", 200)):
        rows = [f"{c}\t{p}\t{p + 50}\t.\t0\t-" for c in "abcd" for p in range(first, 29_000, 350)]
        (tmp_path / f"{name}.bed").write_text("\n".join(rows) + "\n")
    (tmp_path / "corpus.yaml").write_text(
        CORPUS
        + "  - {name: clip, peaks: clip.bed, stranded: true}\n"
        + "  - {name: other, peaks: other.bed, stranded: true}\n"
        + "  - {name: plain, peaks: plain.bed}\n"
    )
    corpus = read_corpus(tmp_path / "corpus.yaml")
    tasks = prepare_corpus(corpus, tmp_path / "cache")
    assert [task.stranded for task in tasks.values()] == [True, True, False]
    clip = tasks["clip"]
    from_others = clip.centre[clip.origin == 3]
    assert len(from_others)
    assert {(centre - 125) % 350 for centre in from_others} == {0}, "peaks of `other` alone"
    assert 3 not in tasks["plain"].origin, "no other task is like it"
    again = prepare_corpus(corpus, tmp_path / "cache")
    assert [task.hash for task in again.values()] == [task.hash for task in tasks.values()]
    assert again["clip"].stranded


def test_a_table_of_tasks_may_say_which_are_stranded(tmp_path: Path) -> None:
    write_clip(tmp_path)
    (tmp_path / "tasks.tsv").write_text(
        "name\tpeaks\tstranded\none\tclip.bed\tyes\ntwo\tclip.bed\tno\nthree\tclip.bed\t\n"
    )
    (tmp_path / "corpus.yaml").write_text(CORPUS.replace("tasks:", "tasks: tasks.tsv"))
    specs = read_corpus(tmp_path / "corpus.yaml").tasks
    assert [spec.stranded for spec in specs] == [True, False, False]
    (tmp_path / "tasks.tsv").write_text("name\tpeaks\tstranded\none\tclip.bed\tmaybe\n")
    with pytest.raises(InputError, match=r'tasks\.tsv:2: stranded is "maybe"; write true or false'):
        read_corpus(tmp_path / "corpus.yaml")


@pytest.mark.parametrize(
    "task",
    [
        "{name: all, stranded: true, labels: [{name: one, peaks: clip.bed}]}",
        "{name: all, labels: [{name: one, peaks: clip.bed, stranded: true}]}",
    ],
)
def test_many_labels_cannot_be_stranded(tmp_path: Path, task: str) -> None:
    write_clip(tmp_path)
    (tmp_path / "corpus.yaml").write_text(CORPUS + f"  - {task}\n")
    with pytest.raises(InputError, match=r"stranded.*both strands.*; leave it out"):
        read_corpus(tmp_path / "corpus.yaml")


def test_zeros_of_labelled_windows_need_a_strand(tmp_path: Path) -> None:
    genome, bed = write_clip(tmp_path)
    places = [(c, p) for c in "abcd" for p in range(300, 29_000, 350)]
    text = "".join(f"{c}\t{p}\t{p + 60}\t.\t0\t-\n" for c, p in places)
    labelled = tmp_path / "labelled.bed"
    labelled.write_text(text)
    make = {"split": SPLIT, "window_bp": 60, "stranded": True, "labelled": labelled}
    task = task_from_peaks(bed, genome, **make)  # type: ignore[arg-type]
    rows = np.flatnonzero(task.origin == 4)
    plus = Genome.open(genome).windows(task.chromosome[rows], task.centre[rows] + 1, 60)
    np.testing.assert_array_equal(reverse_complement_codes(plus), task.window(rows))
    labelled.write_text(text.replace("\t-\n", "\n", 1))
    with pytest.raises(InputError, match=r"even|6 columns|column"):
        task_from_peaks(bed, genome, **make)  # type: ignore[arg-type]
    labelled.write_text(text.replace("\t-\n", "\t.\n", 2))
    with pytest.raises(
        InputError, match=r"labelled\.bed: 2 of the \d+ windows with label 0 name no"
    ):
        task_from_peaks(bed, genome, **make)  # type: ignore[arg-type]


def test_a_saved_task_stays_stranded_and_old_hashes_stay(tmp_path: Path) -> None:
    task = one_sided_task()
    task.save(tmp_path / "task.npz")
    again = TaskData.load(tmp_path / "task.npz")
    assert again.stranded
    assert again.hash == task.hash != replace(task, stranded=False).hash
    assert task.summary()["stranded"]


def test_words_of_one_strand_are_counted_apart() -> None:
    codes = one_sided_task().codes
    counts = kmer_counts(codes, 3, stranded=True)
    assert counts.shape == (600, 64)
    turned = kmer_counts(reverse_complement_codes(codes), 3, stranded=True)
    words = np.arange(64)
    mirrored = (3 - words % 4) * 16 + (3 - words // 4 % 4) * 4 + (3 - words // 16)
    np.testing.assert_array_equal(counts[:, mirrored], turned)
    assert fit_kmer_baseline(one_sided_task())["test_auroc"] > 0.95
    blind = fit_kmer_baseline(replace(one_sided_task(), stranded=False))
    assert blind["test_auroc"] < 0.65


def test_first_filters_of_a_stranded_task_come_from_its_own_strand() -> None:
    task = one_sided_task()
    positive = task.labels[:, 0] > 0.5
    classes = task.codes[positive], task.codes[~positive]
    for (held, lacking), word in ((classes, "AGGCTTAC"), (classes[::-1], "GTAAGCCT")):
        (found,) = enriched_filters(held, lacking, 8, 1, 1, stranded=True)
        best = "".join(LETTERS[found.argmax(axis=0)])
        assert any(best[at : at + 6] in word for at in range(3))


def test_a_network_tells_strands_apart_only_where_the_task_is_stranded(tmp_path: Path) -> None:
    task, architecture = one_sided_task(), small_architecture()
    trained = train_child(task, architecture, QUICK, 0)
    assert trained.metrics["test_auroc"] > 0.95
    assert not trained.fidelity.reverse_complement
    blind = train_child(replace(task, stranded=False), architecture, QUICK, 0)
    assert blind.metrics["test_auroc"] < 0.65
    windows = task.window(task.subset("test"))
    forwards, backwards = (
        predict(trained, windows),
        predict(trained, reverse_complement_codes(windows)),
    )
    truth = task.labels[task.subset("test"), 0]
    assert (
        np.corrcoef(forwards[:, 0], truth)[0, 1]
        > 0.5
        > -0.5
        > np.corrcoef(backwards[:, 0], truth)[0, 1]
    )


def test_what_is_fitted_reads_one_strand_and_says_so(tmp_path: Path) -> None:
    task = one_sided_task()
    fidelity = replace(QUICK, members=2)
    fitted = fit(task, small_architecture(), tmp_path / "model", fidelity)
    assert fitted.metrics["test_auroc"] > 0.95
    assert "BOTH_STRANDS = False" in (tmp_path / "model" / "model.py").read_text()
    card = (tmp_path / "model" / "README.md").read_text()
    assert "on the strand" in card
    beside = train_members(task, small_architecture(), fidelity, 0, workers=2)
    assert dict(beside.metrics) == dict(fitted.metrics)


def test_a_supernet_flips_no_window_of_a_stranded_task(monkeypatch: pytest.MonkeyPatch) -> None:
    space, flipped = small_space(), []
    monkeypatch.setattr("ambient.evaluate.supernet.flip_some", lambda c, _: flipped.append(1) or c)
    for stranded, flips in ((True, 0), (False, 1)):
        task = replace(one_sided_task(), stranded=stranded)
        engine = SupernetEngine(space, task, QUICK, seed=0)
        assert engine.train([space.sample(np.random.default_rng(0))]) is not None
        assert len(flipped) == flips
