"""Means of conservation tracks."""

from __future__ import annotations

import contextlib
import gzip
import signal
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyBigWig
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descriptors import bigwig
from descriptors.conservation import mean_conservation
from descriptors.errors import InputError
from descriptors.genome import Genome

SIZES = {"chrI": 1000, "chrII": 500, "chrIII": 50}
GENOME = Genome.from_sequences({name: "A" * size for name, size in SIZES.items()}, "genome.fa")


@pytest.fixture
def track(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """Give a bigWig file with gaps, and its scores as plain arrays (NaN where there is none)."""
    generator = np.random.default_rng(0)
    path = tmp_path / "scores.bw"
    scores = {}
    with pyBigWig.open(str(path), "w") as writer:
        writer.addHeader([("chrI", 1000), ("chrII", 500)])
        for name in ("chrI", "chrII"):
            values = generator.normal(size=SIZES[name]).round(2).astype(np.float32)
            values[generator.random(SIZES[name]) < 0.3] = np.nan
            known = np.flatnonzero(~np.isnan(values))
            writer.addEntries(
                [name] * len(known),
                known.tolist(),
                ends=(known + 1).tolist(),
                values=values[known].tolist(),
            )
            scores[name] = values.astype(np.float64)
    return path, scores


def table(*rows: tuple[str, int, int]) -> pd.DataFrame:
    return pd.DataFrame(list(rows), columns=["chromosome", "start", "end"])


def test_the_mean_is_exact_over_the_bases_that_have_a_score(
    track: tuple[Path, dict[str, np.ndarray]],
) -> None:
    path, scores = track
    peaks = table(("chrII", 0, 500), ("chrI", 7, 8), ("chrI", 100, 333), ("chrI", 300, 1000))
    bases = np.concatenate([scores[c][s:e] for c, s, e in peaks.itertuples(index=False)])
    found = mean_conservation(path, peaks, GENOME)
    assert found.mean == pytest.approx(np.nanmean(bases), rel=1e-12)
    assert found.scored_share == np.isfinite(bases).mean()
    assert found.unmatched == 0


def test_two_children_give_what_one_gives(
    track: tuple[Path, dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    peaks = table(("chrII", 0, 500), ("chrI", 300, 1000), ("chrI", 7, 8), ("chrI", 100, 333))
    one = mean_conservation(track[0], peaks, GENOME)
    monkeypatch.setattr(bigwig, "_TWO_CHILDREN_INTERVALS", 2)
    two = mean_conservation(track[0], peaks, GENOME)
    assert two.mean == pytest.approx(one.mean, rel=1e-12)
    assert two.scored_share == one.scored_share


INTERVALS = st.lists(
    st.tuples(st.sampled_from(["chrI", "chrII"]), st.integers(0, 1100), st.integers(0, 300)),
    max_size=15,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(INTERVALS, st.sampled_from([1, 7, 100, 1 << 20]), st.sampled_from([0, 30, 2000]))
def test_sums_equal_those_over_plain_arrays_however_the_intervals_are_read(
    track: tuple[Path, dict[str, np.ndarray]],
    rows: list[tuple[str, int, int]],
    piece_bp: int,
    gap_bp: int,
) -> None:
    path, scores = track
    intervals: dict[str, list[list[int]]] = {}
    for name, start, width in rows:
        intervals.setdefault(name, []).append([start, start + width])
    with pytest.MonkeyPatch.context() as patch, pyBigWig.open(str(path)) as reader:
        patch.setattr(bigwig, "_PIECE_BP", piece_bp)
        patch.setattr(bigwig, "_GAP_BP", gap_bp)
        patch.setattr(bigwig, "_begin_read", lambda: None)  # or this very process is killed
        sums = bigwig._sums(reader, intervals)
    bases = [scores[name][start : start + width] for name, start, width in rows]
    read = np.concatenate([*bases, np.zeros(0)])
    assert sums["scored"] == np.isfinite(read).sum()
    assert sums["total"] == pytest.approx(np.nansum(read), rel=1e-12, abs=1e-9)
    assert sums["bases"] == sum(width for *_, width in rows)
    known = read[np.isfinite(read)]
    assert sums["lowest"] == known.min(initial=np.inf)
    assert sums["highest"] == known.max(initial=-np.inf)


def test_sums_equal_those_of_another_reader(track: tuple[Path, dict[str, np.ndarray]]) -> None:
    pybigtools = pytest.importorskip("pybigtools", reason="pybigtools is not installed")
    path, _ = track
    peaks = table(("chrI", 0, 1000), ("chrI", 500, 777), ("chrII", 3, 4), ("chrII", 90, 260))
    with pybigtools.open(str(path)) as reader:
        read = [reader.values(*row, fillna=None) for row in peaks.itertuples(index=False)]
    bases = np.concatenate(read)
    found = mean_conservation(path, peaks, GENOME)
    assert found.mean == pytest.approx(np.nanmean(bases), rel=1e-12)
    assert found.scored_share == np.isfinite(bases).mean()


def test_peaks_on_a_chromosome_without_scores_are_counted(
    track: tuple[Path, dict[str, np.ndarray]],
) -> None:
    path, scores = track
    found = mean_conservation(path, table(("chrI", 0, 50), ("chrIII", 0, 50)), GENOME)
    assert found.unmatched == 1
    assert found.scored_share == np.isfinite(scores["chrI"][:50]).sum() / 100
    assert mean_conservation(path, table(("chrIII", 0, 50)), GENOME).mean is None


def test_bases_past_the_end_of_the_track_have_no_score(
    track: tuple[Path, dict[str, np.ndarray]],
) -> None:
    path, scores = track
    found = mean_conservation(path, table(("chrII", 450, 550), ("chrII", 600, 700)))
    assert found.scored_share == np.isfinite(scores["chrII"][450:]).sum() / 200
    assert found.mean == pytest.approx(np.nanmean(scores["chrII"][450:]))


def test_a_bigwig_of_another_genome_is_an_input_error(
    track: tuple[Path, dict[str, np.ndarray]],
) -> None:
    path = track[0]
    peaks = table(("1", 0, 50))
    with pytest.raises(InputError, match=r"none of the 2 bigWig chromosomes lies on genome\.fa"):
        mean_conservation(path, peaks, Genome.from_sequences({"1": "A" * 99}, "genome.fa"))
    with pytest.raises(InputError, match="none of the peaks' chromosomes"):
        mean_conservation(path, peaks)
    longer = Genome.from_sequences({"chrI": "A" * 1001}, "genome.fa")
    with pytest.raises(InputError, match=r"chrI has 1000 bp there and 1001 bp in genome\.fa"):
        mean_conservation(path, table(("chrI", 0, 50)), longer)


def test_renaming_reaches_the_bigwig_file(track: tuple[Path, dict[str, np.ndarray]]) -> None:
    path, _ = track
    genome = Genome.from_sequences({"I": "A" * 1000, "II": "A" * 500})
    with pytest.raises(InputError, match="pass --rename-chromosomes strip-chr"):
        mean_conservation(path, table(("I", 0, 50)), genome)
    renamed = mean_conservation(path, table(("I", 0, 50)), genome, "strip-chr")
    assert renamed.mean == mean_conservation(path, table(("chrI", 0, 50)), GENOME).mean


@pytest.mark.parametrize("damage", ["truncated", "text", "empty", "gzip", "missing", "noise"])
def test_a_broken_bigwig_is_an_input_error(
    track: tuple[Path, dict[str, np.ndarray]], damage: str
) -> None:
    path = track[0]
    content = path.read_bytes()
    noise = np.random.default_rng(1).integers(0, 256, len(content) - 64, dtype=np.uint8).tobytes()
    broken = {
        "truncated": content[: len(content) // 3],
        "text": b"chrI\t1\t2\n" * 99,
        "empty": b"",
        "gzip": gzip.compress(content),
        "noise": content[:64] + noise,
    }
    path.unlink()
    if damage in broken:
        path.write_bytes(broken[damage])
    with pytest.raises(InputError, match=r"scores\.bw: "):
        mean_conservation(path, table(("chrI", 0, 1000)), GENOME)


def test_a_crash_of_the_reader_is_an_input_error(
    track: tuple[Path, dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    crash = f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})"
    monkeypatch.setattr(bigwig, "_CHILD", crash)
    with pytest.raises(InputError, match=r"reading the file crashed \(signal 11\)"):
        mean_conservation(track[0], table(("chrI", 0, 9)), GENOME)


def test_a_reader_that_never_ends_is_an_input_error(
    track: tuple[Path, dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = f"import sys; sys.path[:] = {sys.path}; from descriptors import bigwig\n"
    loop += "bigwig._LONGEST_READ_SECONDS = 1; bigwig._begin_read()\nwhile True: pass"
    monkeypatch.setattr(bigwig, "_CHILD", loop)
    with pytest.raises(InputError, match="does not come to an end"):
        mean_conservation(track[0], table(("chrI", 0, 9)), GENOME)


# Where the header holds each field (UCSC's bbiFile.h).
FIELDS = {
    "chromosome tree": 8,
    "data": 16,
    "index": 24,
    "number of fields": 32,
    "summary": 44,
    "buffer size": 52,
}


@pytest.mark.parametrize("claim", ["00000000", "ffffffff"])
@pytest.mark.parametrize("field", FIELDS)
def test_a_file_that_claims_anything_is_read_right_or_an_input_error(
    track: tuple[Path, dict[str, np.ndarray]], field: str, claim: str
) -> None:
    path, scores = track
    content = bytearray(path.read_bytes())
    content[FIELDS[field] : FIELDS[field] + 4] = bytes.fromhex(claim)
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        found = mean_conservation(path, table(("chrI", 0, 1000)), GENOME)
        assert found.mean == pytest.approx(np.nanmean(scores["chrI"]), rel=1e-12)


def test_a_file_that_hides_its_scores_is_told_from_one_that_has_none_there(
    track: tuple[Path, dict[str, np.ndarray]], tmp_path: Path
) -> None:
    path, scores = track
    content = bytearray(path.read_bytes())
    content[52:56] = bytes(4)  # packed data that the header calls unpacked: the reader finds none
    path.write_bytes(content)
    count = sum(int(np.isfinite(values).sum()) for values in scores.values())
    with pytest.raises(InputError) as caught:
        mean_conservation(path, table(("chrI", 0, 1000)), GENOME)
    assert str(caught.value) == (
        f"{path}: found a summary of {count:,} bases with a score and no such base where a whole "
        "bigWig file was needed; fetch or make it again"
    )
    sparse = tmp_path / "sparse.bw"
    with pyBigWig.open(str(sparse), "w") as writer:
        writer.addHeader([("chrI", 1000), ("chrII", 500)])
        writer.addEntries(["chrII"], [490], ends=[500], values=[1.0])
    found = mean_conservation(sparse, table(("chrI", 0, 1000)), GENOME)
    assert (found.mean, found.scored_share) == (None, 0)


def test_a_bigbed_and_an_address_are_input_errors(tmp_path: Path) -> None:
    # The first bytes of a bigBed file: its magic number, version 4 and no zoom levels.
    header = bytes.fromhex("ebf28987 0400 0000") + bytes(56)
    (tmp_path / "peaks.bb").write_bytes(header)
    with pytest.raises(InputError, match=r"peaks\.bb: found a .* where a whole bigWig file"):
        mean_conservation(tmp_path / "peaks.bb", table(("chrI", 0, 9)))
    with pytest.raises(InputError, match="there is no such file"):
        mean_conservation("https://example.org/scores.bw", table(("chrI", 0, 9)))


def test_the_lowest_and_the_highest_score_are_of_the_intervals_alone(
    track: tuple[Path, dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, scores = track
    peaks = table(("chrII", 0, 50), ("chrI", 7, 90), ("chrI", 100, 333), ("chrI", 300, 400))
    bases = np.concatenate([scores[c][s:e] for c, s, e in peaks.itertuples(index=False)])
    for children_from in (10_000, 2):
        monkeypatch.setattr(bigwig, "_TWO_CHILDREN_INTERVALS", children_from)
        found = mean_conservation(path, peaks, GENOME)
        assert (found.lowest, found.highest) == (np.nanmin(bases), np.nanmax(bases))
    nothing = mean_conservation(path, table(("chrIII", 0, 9)), GENOME)
    assert (nothing.lowest, nothing.highest) == (np.inf, -np.inf)
