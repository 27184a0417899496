"""Distances of peaks to the nearest feature."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descriptors.nearest import distances_to_nearest

INTERVALS = st.lists(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 99), st.integers(1, 30)), max_size=20
)


def frame(rows: list[tuple[str, int, int]]) -> pd.DataFrame:
    table = pd.DataFrame(
        [(name, start, start + width) for name, start, width in rows],
        columns=["chromosome", "start", "end"],
    )
    return table.astype({"chromosome": object, "start": np.int64, "end": np.int64})


def slow_distances(peaks: pd.DataFrame, features: pd.DataFrame) -> list[int]:
    found = []
    for peak in peaks.itertuples():
        distances = []
        for feature in features.itertuples():
            if feature.chromosome != peak.chromosome:
                continue
            between = max(feature.start - peak.end, peak.start - feature.end)
            distances.append(between + 1 if between >= 0 else 0)
        if distances:
            found.append(min(distances))
    return found


@given(INTERVALS, INTERVALS)
def test_distances_equal_brute_force(
    peaks: list[tuple[str, int, int]], features: list[tuple[str, int, int]]
) -> None:
    found, unmatched = distances_to_nearest(frame(peaks), frame(features))
    assert found.tolist() == slow_distances(frame(peaks), frame(features))
    assert found.dtype == np.int64
    assert len(found) + unmatched == len(peaks)


def test_distances_equal_those_of_bedtools(tmp_path: Path) -> None:
    if shutil.which("bedtools") is None:
        pytest.skip("bedtools is not installed")
    generator = np.random.default_rng(0)
    tables = [
        frame(
            [
                ("a", int(at), int(w))
                for at, w in zip(*generator.integers(1, 5000, (2, n)), strict=True)
            ]
        ).sort_values(["chromosome", "start", "end"], ignore_index=True)
        for n in (200, 5)
    ]
    for table, name in zip(tables, ("peaks", "features"), strict=True):
        table.to_csv(tmp_path / f"{name}.bed", sep="\t", header=False, index=False)
    answer = subprocess.run(
        ["bedtools", "closest", "-d", "-t", "first", "-a", "peaks.bed", "-b", "features.bed"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    expected = [int(line.split("\t")[-1]) for line in answer.splitlines()]
    assert distances_to_nearest(*tables)[0].tolist() == expected
