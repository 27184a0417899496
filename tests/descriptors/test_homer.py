"""HOMER's files: read, written, refused, and HOMER run where it is installed."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descriptors.errors import InputError
from descriptors.homer import (
    find_with_homer,
    format_motifs,
    motif_files,
    parse_motifs,
    read_motifs,
)
from descriptors.pipeline import describe

POSITIONS = "Tpos:103.3,Tstd:35.9,Bpos:97.7,Bstd:55.2"
COUNTS = f"T:627.0(58.16%),B:323.0(6.46%),P:1e-442\t{POSITIONS},StrandBias:-0.3,Multiplicity:1.12"
HEADER = f">GGT\t1-GGT\t6.177716\t-1018.682672\t0\t{COUNTS}"
ROWS = ["0.1\t0.1\t0.7\t0.1", "0.1\t0.1\t0.7\t0.1", "0.1\t0.1\t0.1\t0.7"]


def test_a_motif_is_read_with_all_its_numbers() -> None:
    (motif,) = parse_motifs([HEADER, *ROWS], "one.motif")
    assert (motif.name, motif.consensus, motif.length) == ("1-GGT", "GGT", 3)
    assert (motif.threshold, motif.log_p, motif.targets) == (6.177716, -1018.682672, 627)
    assert (motif.target_share, motif.background_share) == pytest.approx((0.5816, 0.0646))
    assert (motif.strand_bias, motif.multiplicity) == (-0.3, 1.12)
    np.testing.assert_allclose(motif.probabilities[2], [0.1, 0.1, 0.1, 0.7])


def test_what_is_written_is_read_back() -> None:
    motifs = parse_motifs([HEADER, *ROWS, HEADER.replace("1-GGT", "2-GGT"), *ROWS[:2]], "two.motif")
    again = parse_motifs(format_motifs(motifs).splitlines(), "again.motif")
    assert again == motifs
    for first, second in zip(motifs, again, strict=True):
        np.testing.assert_allclose(first.probabilities, second.probabilities)


def test_a_results_folder_is_read_in_the_order_of_lengths(tmp_path: Path) -> None:
    text = "\n".join([HEADER, *ROWS]) + "\n"
    for length in (10, 6, 8):
        (tmp_path / f"homerMotifs.motifs{length}").write_text(text.replace("1-GGT", f"of {length}"))
    (tmp_path / "homerMotifs.all.motifs").write_text(text)
    assert [motif.name for motif in read_motifs(tmp_path)] == ["of 6", "of 8", "of 10"]


@pytest.mark.parametrize(
    ("names", "read"),
    [
        (["homerMotifs.all.motifs", "motif1.motif"], ["homerMotifs.all.motifs"]),
        (["homerMotifs.motifs12", "homerMotifs.motifs8", "homerMotifs.all.motifs"], [8, 12]),
        # homerResults holds the same motifs again, similar ones, and each reversed
        (
            [f"homerResults/motif{name}.motif" for name in (10, 2, "2RV", "2.similar1", 1)],
            [f"motif{number}.motif" for number in (1, 2, 10)],
        ),
        (["homerMotifs.motifs8", "homerResults/motif1.motif", "knownResults/known1.motif"], [8]),
    ],
)
def test_each_motif_of_a_results_folder_is_read_once(
    tmp_path: Path, names: list[str], read: list[str | int]
) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("\n".join([HEADER.replace("1-GGT", name), *ROWS]) + "\n")
    files = [f"homerMotifs.motifs{each}" if isinstance(each, int) else each for each in read]
    assert [file.name for file in motif_files(tmp_path)] == files
    assert [Path(motif.name).name for motif in read_motifs(tmp_path)] == files


def test_known_motifs_that_homer_did_not_find_are_refused(tmp_path: Path) -> None:
    (tmp_path / "knownResults").mkdir()
    known = tmp_path / "knownResults" / "known1.motif"
    counts = "9805.3,5781.0,3085.1,2715.0,0.00e+00"
    known.write_text("\n".join([f">GGT\tReb1\t6.0\t-1.7\t0\t{counts}", *ROWS]) + "\n")
    with pytest.raises(InputError, match="which HOMER 2 writes for motifs that it found"):
        read_motifs(known)
    with pytest.raises(InputError, match=r"no homerMotifs\.motifs.* in this folder"):
        read_motifs(tmp_path)


def test_a_packed_file_with_windows_line_ends_is_read(tmp_path: Path) -> None:
    path = tmp_path / "one.motif.gz"
    path.write_bytes(gzip.compress("\r\n".join([HEADER, *ROWS, ""]).encode()))
    assert len(read_motifs(path)) == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "bad.motif: no motifs"),
        (["", "  "], "bad.motif: no motifs"),
        ([ROWS[0], HEADER, *ROWS], "bad.motif:1: .* before the first motif"),
        ([HEADER], "bad.motif:1: the motif has 0 rows"),
        ([HEADER, ROWS[0], "0.1\t0.2\t0.7"], "bad.motif:3: .* four probabilities"),
        ([HEADER, ROWS[0], "0.1\t0.2\t0.7\tx"], "bad.motif:3: .* four probabilities"),
        ([HEADER, "0.9\t0.9\t0.1\t0.1"], "bad.motif:2: .* add up to 2.000"),
        ([HEADER, "-0.5\t0.5\t0.5\t0.5"], "bad.motif:2: .* none negative"),
        ([HEADER, "nan\t0.5\t0.5\t0"], "bad.motif:2: .* four probabilities"),
        ([">GGT\t1-GGT\t6.1", *ROWS], "bad.motif:1: the header has 3 columns"),
        (
            [HEADER.replace("6.177716", "high"), *ROWS],
            'bad.motif:1: the detection threshold is "high"',
        ),
        ([HEADER.replace("6.177716", "1e999"), *ROWS], "bad.motif:1: the detection threshold"),
        ([HEADER.replace("-1018.682672", "nan"), *ROWS], "bad.motif:1: the ln p-value"),
        ([HEADER.replace("StrandBias", "Bias"), *ROWS], "bad.motif:1: .* no readable .StrandBias:"),
        (
            [HEADER.replace("Multiplicity:1.12", "Multiplicity:"), *ROWS],
            "no readable .Multiplicity:",
        ),
        ([HEADER.replace("T:627.0(58.16%)", "T:many"), *ROWS], "bad.motif:1: .* no readable .T:"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(lines: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_motifs(lines, "bad.motif")


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    text = "\n".join([HEADER, *ROWS, HEADER, *ROWS])
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 30)))
    damage = data.draw(st.text(alphabet="0123456789.eE+-:,()%>\tTBnaif \n", max_size=12))
    try:
        motifs = parse_motifs((text[:start] + damage + text[stop:]).split("\n"), "damaged.motif")
    except InputError:
        return
    assert motifs
    for motif in motifs:
        numbers = [
            motif.threshold,
            motif.log_p,
            motif.targets,
            motif.strand_bias,
            motif.multiplicity,
        ]
        assert np.isfinite(numbers).all()
        assert np.isfinite(motif.probabilities).all()


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        read_motifs(tmp_path / "absent.motif")
    with pytest.raises(InputError, match="no homerMotifs"):
        read_motifs(tmp_path)
    (tmp_path / "empty.motif").write_text("")
    with pytest.raises(InputError, match=r"empty\.motif"):
        read_motifs(tmp_path / "empty.motif")


def a_homer2(folder: Path, body: str) -> None:
    program = folder / "homer2"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)


def test_homer_is_run_for_each_length_and_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "answer").write_text("\n".join([HEADER, *ROWS]) + "\n")
    a_homer2(
        tmp_path,
        'test "$1 $2 $4 $6" = "denovo -i -b -len" && grep -q ACGTN "$3" && grep -q GGGGG "$5" && '
        f"cat {tmp_path}/answer",
    )
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    foreground = np.array([[0, 1, 2, 3, 4]], dtype=np.uint8)
    assert len(find_with_homer(foreground, np.full((2, 5), 2, np.uint8), lengths=(6, 8))) == 2


def test_a_failing_or_missing_homer_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = np.zeros((2, 20), np.uint8)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="homer2 is not on the PATH"):
        find_with_homer(codes, codes)
    a_homer2(tmp_path, "echo 'out of memory' >&2; exit 3")
    with pytest.raises(InputError, match="ended with code 3 for length 6 and said: out of memory"):
        find_with_homer(codes, codes)
    a_homer2(tmp_path, "exit 1")
    with pytest.raises(InputError, match="ended with code 1 for length 6 and said: nothing"):
        find_with_homer(codes, codes)
    a_homer2(tmp_path, "kill -9 $$")
    with pytest.raises(InputError, match="ended with code -9"):
        find_with_homer(codes, codes)
    (tmp_path / "homer2").write_bytes(b"\x7fELF, but not a program")
    with pytest.raises(InputError, match="cannot be started"):
        find_with_homer(codes, codes)


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("Usage: homer2 denovo", "homer2 -len 6:1: .* before the first motif"),
        (f"{HEADER}\\n0.1\t0.1", "homer2 -len 6:2: .* needed four probabilities"),
        (f"\\n{HEADER}", "homer2 -len 6:1: the motif has 0 rows"),
        ("\\377\\376", "homer2 -len 6:1: .* before the first motif"),
    ],
)
def test_what_homer_prints_beside_motifs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: str, message: str
) -> None:
    codes = np.zeros((2, 20), np.uint8)
    a_homer2(tmp_path, f"printf '{printed.replace('%', '%%')}'")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(InputError, match=message):
        find_with_homer(codes, codes)


def test_homer_that_finds_nothing_gives_no_motifs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_homer2(tmp_path, "echo; echo 'no motifs' >&2")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert find_with_homer(np.zeros((2, 20), np.uint8), np.zeros((2, 20), np.uint8)) == []


@pytest.fixture
def two_chromosomes(tmp_path: Path) -> dict[str, Any]:
    """Peaks on a chromosome of A and C, to train on, and on one of G and T."""
    rng = np.random.default_rng(0)
    with open(tmp_path / "genome.fa", "w") as fasta, open(tmp_path / "peaks.bed", "w") as peaks:
        for name, letters in (("chrI", "AC"), ("chrII", "GT")):
            fasta.write(f">{name}\n{''.join(rng.choice(list(letters), 30_000))}\n")
            for start in range(1_000, 9_000, 1_000):
                peaks.write(f"{name}\t{start}\t{start + 200}\n")
    return {"peaks": tmp_path / "peaks.bed", "genome": tmp_path / "genome.fa"}


def test_homer_is_run_on_training_chromosomes_and_its_motifs_described(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_chromosomes: dict[str, Any]
) -> None:
    seen = tmp_path / "seen"
    (tmp_path / "answer").write_text("\n".join([HEADER, *ROWS, *ROWS]) + "\n")
    a_homer2(
        tmp_path,
        f'cat "$3" "$5" >> {seen}; if test "$7" = 6; then cat {tmp_path}/answer; fi',
    )
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    described = describe(**two_chromosomes, chromosomes=["chrI"], run_homer=True)
    sequences = [line for line in seen.read_text().splitlines() if not line.startswith(">")]
    assert len(sequences) == 3 * (8 + 5000)
    assert set("".join(sequences)) == {"A", "C"}
    source = described.sources["motifs"]
    assert (source["finder"], source["foreground"], source["motifs"]) == ("homer2", 8, 1)
    assert source["by_length"] == {"6": 1, "8": 0, "10": 0}
    assert described.values["motif6_multiplicity_max"] == 1.12
    assert described.values["motif8_multiplicity_max"] is None


def test_motifs_of_lengths_without_a_descriptor_are_counted(
    tmp_path: Path, two_chromosomes: dict[str, Any]
) -> None:
    (tmp_path / "len3.motif").write_text("\n".join([HEADER, *ROWS]) + "\n")
    (tmp_path / "len6.motif").write_text("\n".join([HEADER, *ROWS, *ROWS]) + "\n")
    source = describe(**two_chromosomes, homer=tmp_path).sources["motifs"]
    assert source["files"] == ["len3.motif", "len6.motif"]
    assert (source["motifs"], source["of_other_lengths"]) == (2, 1)
    assert source["by_length"] == {"6": 1, "8": 0, "10": 0}


def test_reading_homer_and_running_it_at_once_is_refused(
    tmp_path: Path, two_chromosomes: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="--homer or --run-homer, not both"):
        describe(**two_chromosomes, homer=tmp_path, run_homer=True)


def test_every_motif_that_homer_wrote_is_read(yeast: Path) -> None:
    for folder in sorted(path for path in (yeast / "homer").iterdir() if path.is_dir()):
        motifs = read_motifs(folder)
        assert {motif.length for motif in motifs} == {6, 8, 10}
        texts = [(folder / f"len{length}.motif").read_text() for length in (6, 8, 10)]
        assert len(motifs) == sum(text.count(">") for text in texts)
