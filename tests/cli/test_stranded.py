"""`--stranded`, as a user of CLIP peaks gives it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ambient.space import named_space

LETTERS = np.array(list("ACGT"))


def write_peaks(folder: Path, strand: str) -> list[object]:
    """Write peaks that all name this strand, and a genome; give what names both."""
    rng = np.random.default_rng(0)
    names = [f"chr{number}" for number in range(1, 5)]
    (folder / "genome.fa").write_text(
        "".join(f">{name}\n{''.join(LETTERS[rng.integers(0, 4, 20_000)])}\n" for name in names)
    )
    rows = [f"{n}\t{p}\t{p + 50}\t.\t0\t{strand}" for n in names for p in range(1000, 19_000, 600)]
    (folder / "clip.bed").write_text("\n".join(rows) + "\n")
    return [folder / "clip.bed", "--genome", folder / "genome.fa"]


def test_peaks_are_described_on_their_strand(ambient: Callable, tmp_path: Path) -> None:
    answer = ambient("describe", *write_peaks(tmp_path, "-"), "--stranded")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["sources"]["peaks"]["stranded"] is True


@pytest.mark.parametrize("verb", ["describe", "fit", "propose"])
def test_peaks_without_a_strand_are_refused_before_anything_is_written(
    ambient: Callable, tmp_path: Path, verb: str
) -> None:
    asked, output = write_peaks(tmp_path, "."), tmp_path / "out"
    if verb == "fit":
        architecture = tmp_path / "a.json"
        drawn = named_space("ambient-10").sample(np.random.default_rng(0))
        architecture.write_text(drawn.to_json())
        asked += ["--architecture", architecture]
    if verb == "propose":
        asked += ["--controller", "yeast", "--fit"]
    answer = ambient(verb, *asked, "--stranded", "--output", output)
    assert answer.code == 2
    assert "name no strand" in answer.err
    assert answer.err.count("\n") == 1, answer.err
    assert not output.exists()


def test_a_corpus_says_itself_what_is_stranded(
    ambient: Callable, corpus: Path, tmp_path: Path
) -> None:
    answer = ambient("describe", corpus, "--stranded", "--output", tmp_path / "out.tsv")
    assert answer.code == 2
    assert "--stranded was given with the corpus" in answer.err
