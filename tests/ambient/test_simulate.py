"""Tests of ambient/data/simulate.py and simulated_genome.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyBigWig
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ambient.data import prepare_corpus, read_corpus, simulate_corpus
from ambient.data.simulated_genome import KINDS, SimulatedGenome
from ambient.errors import InputError, RunError
from descriptors.genome import Genome
from descriptors.peaks import read_peaks


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "corpus"
    return simulate_corpus(folder, tasks=7, genome_bp=200_000, seed=1).parent


def test_the_folder_holds_a_whole_corpus(simulated: Path) -> None:
    corpus = read_corpus(simulated / "corpus.yaml")
    assert len(corpus.tasks) == 7
    assert [spec.name for spec in corpus.held_out_tasks] == ["Short2"]
    assert {spec.category for spec in corpus.tasks} == {
        "tf",
        "polymerase",
        "histone",
        "accessibility",
    }
    assert None not in (corpus.annotation, corpus.phastcons, corpus.phylop, corpus.interpro)


def test_every_peak_lies_on_the_genome_and_holds_its_summit(simulated: Path) -> None:
    corpus = read_corpus(simulated / "corpus.yaml")
    genome = Genome.open(corpus.genome)
    assert sum(genome.sizes.values()) == 200_000
    for spec in corpus.tasks:
        table = read_peaks(spec.peaks, genome).table
        assert len(table) >= 100
        assert (table["summit"] >= table["start"]).all()
        assert (table["summit"] < table["end"]).all()


def test_genes_nest_and_are_counted_from_one(simulated: Path) -> None:
    rows = [line.split("\t") for line in (simulated / "genes.gtf").read_text().splitlines()]
    assert {row[2] for row in rows} == {
        "gene",
        "transcript",
        "exon",
        "CDS",
        "five_prime_utr",
        "three_prime_utr",
    }
    genes = {row[8].split('"')[1]: (int(row[3]), int(row[4])) for row in rows if row[2] == "gene"}
    assert len(genes) > 100
    assert sum(row[2] == "exon" for row in rows) > len(genes)
    for row in rows:
        start, end = genes[row[8].split('"')[1]]
        assert 1 <= start <= int(row[3]) <= int(row[4]) <= end <= 20_000
    for name, (start, end) in genes.items():
        parts = sorted((int(row[3]), int(row[4]), row[2]) for row in rows if f'"{name}"' in row[8])
        utr = [part for part in parts if part[2].endswith("utr")]
        coding = [part for part in parts if part[2] == "CDS"]
        assert (utr[0][0], utr[0][1] + 1) == (start, coding[0][0])
        assert (utr[1][0] - 1, utr[1][1]) == (coding[-1][1], end)


def test_coding_exons_are_more_conserved_than_the_rest(simulated: Path) -> None:
    rows = [line.split("\t") for line in (simulated / "genes.gtf").read_text().splitlines()]
    coding = np.zeros(20_000, dtype=bool)
    for row in rows:
        if row[0] == "chr1" and row[2] == "CDS":
            coding[int(row[3]) - 1 : int(row[4])] = True
    for name, least, most in (("phastcons", 0.0, 1.0), ("phylop", -20.0, 20.0)):
        with pyBigWig.open(str(simulated / f"{name}.bw")) as track:
            assert set(track.chroms().values()) == {20_000}
            values = np.array(track.values("chr1", 0, 20_000))
        assert least <= values.min() < values.max() <= most
        assert values[coding].mean() > values[~coding].mean() + 0.3


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    first, second, third = (
        simulate_corpus(tmp_path / name, tasks=3, genome_bp=50_000, seed=seed).parent
        for name, seed in (("a", 5), ("b", 5), ("c", 6))
    )
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert len(names) == 9
    for name in names:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    assert (first / "genome.fa").read_bytes() != (third / "genome.fa").read_bytes()


def test_four_mers_tell_positives_from_negatives_but_not_perfectly(simulated: Path) -> None:
    corpus = read_corpus(simulated / "corpus.yaml")
    tasks = prepare_corpus(corpus, names=["Short1", "Histone1", "Cluster1"])
    for task in tasks.values():
        codes = task.window(slice(None)).astype(np.int64)
        counts = np.zeros((len(codes), 4**4), dtype=np.float32)
        for strand in (codes, 3 - codes[:, ::-1]):
            words = np.lib.stride_tricks.sliding_window_view(strand, 4, axis=1) @ 4 ** np.arange(4)
            np.add.at(counts, (np.arange(len(codes))[:, None], words), 1)
        train, test = task.subset("train"), task.subset("test")
        model = LogisticRegression(C=0.01, max_iter=500).fit(counts[train], task.labels[train, 0])
        auroc = roc_auc_score(task.labels[test, 0], model.decision_function(counts[test]))
        assert 0.6 < auroc < 0.99, task.name


def test_every_kind_finds_its_sites_inside_one_chromosome() -> None:
    for seed, kind in enumerate(KINDS):
        genome = SimulatedGenome(60_000, np.random.default_rng(seed))
        sites = KINDS[kind][0](genome, 40)
        assert len(sites.start) >= 20
        np.testing.assert_array_equal(sites.start // 6000, (sites.end - 1) // 6000)
        assert genome.codes.max() <= 3


def test_a_motif_is_written_where_the_genome_says(tmp_path: Path) -> None:
    genome = SimulatedGenome(60_000, np.random.default_rng(0))
    motif = np.eye(4)[[0, 1, 2, 3, 0, 0, 1, 3]]
    letters = genome.letters(motif, 5)
    np.testing.assert_array_equal(letters, np.tile([0, 1, 2, 3, 0, 0, 1, 3], (5, 1)))
    at = genome.take_slots(5)
    genome.plant(at, letters)
    for start in at:
        found = genome.codes[start : start + 8].tolist()
        assert found in ([0, 1, 2, 3, 0, 0, 1, 3], [0, 2, 3, 3, 0, 1, 2, 3])
    assert len(np.intersect1d(at, genome.take_slots(200))) == 0


def test_nothing_is_overwritten_and_nothing_is_left_behind(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "mine.txt").write_text("precious")
    with pytest.raises(RunError, match="exists and holds something else"):
        simulate_corpus(folder)
    assert (folder / "mine.txt").read_text() == "precious"
    with pytest.raises(RunError, match="does not exist; make it first"):
        simulate_corpus(tmp_path / "no" / "where")
    with pytest.raises(InputError, match="no room for the sites of so many tasks"):
        simulate_corpus(tmp_path / "full", tasks=60, genome_bp=50_000)
    assert [path.name for path in tmp_path.iterdir()] == ["corpus"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    path = simulate_corpus(tmp_path / "new", tasks=2, genome_bp=50_000)
    corpus = read_corpus(path)
    assert (len(corpus.training_tasks), len(corpus.held_out_tasks)) == (1, 1)


@pytest.mark.parametrize(
    ("tasks", "genome_bp", "message"),
    [(1, 100_000, "one to hold out"), (3, 100, "50000 bp or more")],
)
def test_too_little_to_simulate_is_refused(
    tmp_path: Path, tasks: int, genome_bp: int, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        simulate_corpus(tmp_path / "x", tasks=tasks, genome_bp=genome_bp)
