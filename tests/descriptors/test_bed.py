"""Rows of BED-like files: which columns mean what."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from descriptors.bed import COLUMNS, read_bed
from descriptors.errors import InputError

BED = ["chr1", "10", "30", "name", "7", "-", "10", "30", "0,0,255", "2", "5,5", "0,15"]
NARROW = ["chr1", "10", "30", "name", "7", "-", "8.5", "-1", "3.2", "4"]


def written(folder: Path, rows: list[list[str]], name: str = "peaks.bed") -> Path:
    path = folder / name
    path.write_text("".join("\t".join(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("width", range(3, 13))
def test_bed3_to_bed12_give_the_same_place(tmp_path: Path, width: int) -> None:
    rows = read_bed(written(tmp_path, [BED[:width]] * 2))
    assert tuple(rows.columns) == COLUMNS
    assert rows[["start", "end", "summit"]].to_numpy().tolist() == [[10, 30, 20]] * 2
    assert rows["chromosome"].tolist() == ["chr1"] * 2
    assert rows["strand"].tolist() == (["-"] * 2 if width > 5 else ["."] * 2)
    assert rows["score"].fillna(-1).tolist() == ([7.0] * 2 if width > 4 else [-1.0] * 2)


@pytest.mark.parametrize(
    ("row", "summit"),
    [
        (NARROW, 14),
        ([*NARROW[:9], "-1"], 20),
        (NARROW[:9], 20),
        ([*NARROW[:8], ".", "4"], 20),
        ([*NARROW[:9], "+4.0"], 14),
    ],
    ids=["narrowPeak", "narrowPeak without summit", "broadPeak", "not four numbers", "odd number"],
)
def test_the_summit_is_column_ten_of_narrow_peaks_alone(
    tmp_path: Path, row: list[str], summit: int
) -> None:
    assert read_bed(written(tmp_path, [row])).iloc[0]["summit"] == summit
    assert read_bed(written(tmp_path, [["#", "a"], row] * 3))["summit"].tolist() == [summit] * 3


def test_a_narrow_peak_file_by_name_must_have_summits(tmp_path: Path) -> None:
    path = written(tmp_path, [[*NARROW[:9], "x"]], "a.narrowPeak")
    with pytest.raises(InputError, match=r'narrowPeak:1: found "x" as summit \(column 10\)'):
        read_bed(path)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([NARROW, [*NARROW[:6], ".", *NARROW[7:]]], ":2: columns 7 to 10 are not those of narrow"),
        ([[*NARROW[:6], ".", *NARROW[7:]], NARROW], ":2: columns 7 to 10 are those of narrow"),
        ([BED, NARROW], ":2: columns 7 to 10 are those of narrowPeak"),
        ([NARROW, BED], ":2: found 11 columns or more where the 10 columns of the first row"),
        ([BED[:3], NARROW], ":2: found 5 columns or more where the 3 columns of the first row"),
    ],
)
def test_rows_of_different_formats_in_one_file_are_refused(
    tmp_path: Path, rows: list[list[str]], message: str
) -> None:
    path = written(tmp_path, rows)
    with pytest.raises(InputError) as caught:
        read_bed(path)
    assert message in str(caught.value)


def test_rows_may_lack_columns_that_need_not_be_there(tmp_path: Path) -> None:
    rows = read_bed(written(tmp_path, [BED[:6], BED[:3], BED[:5]]))
    assert rows["strand"].tolist() == ["-", ".", "."]
    assert rows["score"].tolist()[::2] == [7.0, 7.0]
    assert np.isnan(rows["score"].iloc[1])


@pytest.mark.parametrize("name", ["a.narrowPeak", "a.narrowPeak.gz", "A.NARROWPEAK"])
def test_a_narrow_peak_file_that_lacks_the_summits_column_is_refused(
    tmp_path: Path, name: str
) -> None:
    path = written(tmp_path, [NARROW[:9]] * 2, name)
    with pytest.raises(InputError) as caught:
        read_bed(path)
    assert str(caught.value) == (
        f"{path}:1: found 9 columns where the 10 of narrowPeak were needed; add what lacks up to the summit "
        "(column 10, -1 where there is none), or end the file's name in .bed"
    )
    for other in ("a.narrowPeak.bed", "narrowPeak_of_mine.txt", "a.broadPeak"):
        assert read_bed(written(tmp_path, [NARROW[:9]], other))["summit"].tolist() == [20]
    whole = written(tmp_path, [[*NARROW[:9], "-1"]], name.removesuffix(".gz"))
    assert read_bed(whole)["summit"].tolist() == [20]
