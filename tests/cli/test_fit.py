"""`fit` and `propose --fit`: a network reads as much sequence as it asks for, on the chromosomes that are named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ambient.child import fidelity
from ambient.child.kmer import fit_kmer_baseline
from ambient.data import task_from_peaks
from ambient.data.split import Split
from ambient.space import SearchSpace

SPLIT = Split(validation=("chr2",), test=("chr3",))


@pytest.fixture
def asked(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Peaks with what a quick training of them needs."""
    quick = replace(fidelity.FULL, name="quick", windows_per_epoch=16, epochs=1, members=1)
    monkeypatch.setattr(fidelity, "FULL", quick)
    peaks = sorted((corpus.parent / "peaks").iterdir())[0]
    split = ("--validation", *SPLIT.validation, "--test", *SPLIT.test)
    genome = corpus.parent / "genome.fa"
    return [peaks, "--genome", genome, *split, "--output", tmp_path / "model"]


def architecture(folder: Path, window_bp: int) -> Path:
    space = SearchSpace.from_dict(
        {
            "name": "wide",
            "version": 1,
            "window_bp": 500,
            "decisions": [
                {"name": "window", "sets": "window", "choices": [window_bp]},
                {"name": "tail", "choices": ["global_max"]},
            ],
            "network": [
                {"operation": "convolution", "filters": 4, "kernel": 8},
                {"decision": "tail"},
            ],
        }
    )
    path = folder / "architecture.json"
    path.write_text(space.sample(np.random.default_rng(0)).to_json())
    return path


@pytest.mark.parametrize("verb", ["fit", "propose"])
@pytest.mark.parametrize("window_bp", [1000, 1300])
def test_network_and_baseline_read_the_window_that_the_network_asks_for(
    ambient: Callable, asked: list[object], tmp_path: Path, verb: str, window_bp: int
) -> None:
    peaks, _, genome = asked[:3]
    if verb == "fit":
        options = ["--architecture", architecture(tmp_path, window_bp)]
    else:
        window_bp = 1000  # of the network that is proven on yeast
        options = ["--controller", "yeast", "--fit", "--category", "tf"]
    answer = ambient(verb, *asked, *options)
    assert answer.code == 0, answer.err
    record = json.loads((tmp_path / "model" / "metrics.json").read_text())
    assert record["window_bp"] == window_bp
    assert record["split"]["validation"] == list(SPLIT.validation)
    assert record["split"]["test"] == list(SPLIT.test)
    task = task_from_peaks(
        str(peaks), str(genome), split=SPLIT, window_bp=500, widest_window_bp=window_bp + 64
    )
    assert record["kmer_baseline"] == fit_kmer_baseline(task, window_bp=window_bp)
    assert record["task_hash"] != task.hash, "as much is stored as the network asks for"


def test_a_window_beside_one_that_the_architecture_sets_is_refused(
    ambient: Callable, asked: list[object], tmp_path: Path
) -> None:
    given = [*asked, "--architecture", architecture(tmp_path, 1000), "--window"]
    answer = ambient("fit", *given, 50)
    assert answer.code == 2
    assert answer.err == (
        "ambient: --window 50 was given, but the architecture reads 1,000 bp; leave it out\n"
    )
    assert not (tmp_path / "model").exists()
    same = [*asked, "--architecture", architecture(tmp_path, 500), "--window", 500]
    assert ambient("fit", *same).code == 0


def test_a_window_that_no_chromosome_holds_is_named(
    ambient: Callable, asked: list[object], tmp_path: Path
) -> None:
    content = json.loads(architecture(tmp_path, 1000).read_text())
    path = tmp_path / "any_window.json"
    path.write_text(json.dumps({**content, "window_bp": None}))
    answer = ambient("fit", *asked, "--architecture", path, "--window", 1_000_000)
    assert answer.code == 2
    assert "windows of 1,000,000 bp around its" in answer.err
    assert answer.err.count("\n") == 1
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(
    "option",
    ["--annotation", "--phastcons", "--phylop", "--homer", "--run-homer", "--factor", "--interpro"],
)
def test_fit_takes_no_option_that_it_does_not_read(
    ambient: Callable, asked: list[object], tmp_path: Path, option: str
) -> None:
    given = [option] if option == "--run-homer" else [option, "nosuch"]
    answer = ambient("fit", *asked, "--architecture", architecture(tmp_path, 1000), *given)
    assert answer.code == 2
    assert f"No such option: {option}" in answer.err or f"No such option '{option}'" in answer.err
    for verb in ("describe", "propose"):
        assert f"{option} " in ambient(verb, "--help").out


def test_a_split_with_few_positives_is_told_of(
    ambient: Callable, asked: list[object], corpus: Path, tmp_path: Path
) -> None:
    lines = Path(str(asked[0])).read_text().splitlines()
    of_test = [line for line in lines if line.startswith("chr3\t")]
    few = tmp_path / "few.bed"
    few.write_text("\n".join([one for one in lines if one not in of_test] + of_test[:1]) + "\n")
    answer = ambient("fit", few, *asked[1:], "--architecture", architecture(tmp_path, 500))
    assert answer.code == 0, answer.err
    assert "few: the test chromosomes hold 1 positives, few to measure by" in answer.err


def test_a_corpus_that_stores_less_than_the_space_asks_for_is_refused(
    ambient: Callable, corpus: Path, tmp_path: Path
) -> None:
    wide = architecture(tmp_path, 1300)
    narrow = [corpus, "--architecture", wide, "--task", "Short1", "--output", tmp_path / "model"]
    store = tmp_path / "store.sqlite"
    for arguments in (
        ["fit", *narrow],
        ["evaluate", corpus, wide, "--tasks", "Short1", "--store", store],
    ):
        answer = ambient(*arguments)
        assert answer.code == 2
        assert "Short1: windows of 1300 bp were asked for, but 1064 bp are stored" in answer.err
        assert "set widest_window_bp to 1300" in answer.err
    assert not (tmp_path / "model").exists()
