"""Peak files: what is accepted, what is refused and how, what is left out."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descriptors.errors import InputError
from descriptors.genome import Genome
from descriptors.peaks import (
    COLUMNS,
    overlaps,
    read_intervals,
    read_labelled_windows,
    read_peaks,
    widen_points,
)

GENOME = Genome.from_sequences({"chrI": "A" * 1000, "chrII": "C" * 500}, "genome.fa")


def write(folder: Path, text: str, name: str = "peaks.bed") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def places(path: Path, **options: object) -> list[tuple[str, int, int, int]]:
    table = read_peaks(path, GENOME, **options).table  # type: ignore[arg-type]
    return list(table[["chromosome", "start", "end", "summit"]].itertuples(index=False, name=None))


@pytest.mark.parametrize(
    "text",
    [
        "chrI\t10\t20\nchrII\t5\t8\n",
        "chrI\t10\t20\tname\t7.5\t+\nchrII\t5\t8\tname\t.\t-\n",
        "browser position chrI\ntrack name=x\n#chrom\tstart\tend\nchrI\t10\t20\n\nchrII\t5\t8",
        "chrI\t10\t20\r\nchrII\t5\t8\r\n",
        "chrI\t10\t20\rchrII\t5\t8\r",
        "\ufeffchrI\t10\t20\nchrII\t5\t8\n",
        "chrI 10   20\nchrII 5 8\n",
        "chrI\t1e1\t20\nchrII\t5\t8.0\n",
        "chrII\t5\t8\nchrI\t10\t20\n",
        "chrI\t10\t20\tn\t0\t+\t10\t20\t0\t1\t10\t0\nchrII\t5\t8\tn\t0\t+\t5\t8\t0\t1\t3\t0\n",
        "chrI\t10\t20\tn\t0\t.\t7.5\t3\t-1\nchrII\t5\t8\tn\t0\t.\t7.5\t3\t-1\n",
        "chrI\t10\t20\tn\t0\t.\t7.5\t3\t-1\t-1\nchrII\t5\t8\tn\t0\t.\t7.5\t3\t-1\t1\n",
    ],
    ids=[
        "BED3",
        "BED6",
        "headers",
        "CRLF",
        "CR",
        "mark",
        "spaces",
        "scientific",
        "unsorted",
        "BED12",
        "broadPeak",
        "narrowPeak",
    ],
)
def test_every_kind_of_peak_file_gives_the_same_peaks(tmp_path: Path, text: str) -> None:
    expected = [("chrI", 10, 20, 15), ("chrII", 5, 8, 6)]
    assert places(write(tmp_path, text)) == expected
    packed = tmp_path / "peaks.bed.gz"
    packed.write_bytes(gzip.compress(text.encode()))
    assert places(packed) == expected


def test_columns_have_their_types_and_the_source_its_counts(tmp_path: Path) -> None:
    peaks = read_peaks(
        write(tmp_path, "chrI\t10\t20\tpeak\t7.5\t+\nchrI\t30\t41\tb\t.\tx\n"), GENOME
    )
    assert tuple(peaks.table.columns) == COLUMNS
    assert peaks.table.iloc[0].tolist() == ["chrI", 10, 20, 7.5, "+", 15]
    assert np.isnan(peaks.table["score"][1])
    assert peaks.table["strand"][1] == "."
    assert all(peaks.table[name].dtype == np.int64 for name in ("start", "end", "summit"))
    assert peaks.source.rows == 2
    assert peaks.source.name == "peaks.bed"


def test_a_narrow_peak_has_its_own_summit(tmp_path: Path) -> None:
    text = "chrI\t10\t20\tn\t0\t.\t7.5\t3\t-1\t9\nchrI\t50\t60\tn\t0\t.\t7.5\t3\t-1\t0\n"
    assert [place[3] for place in places(write(tmp_path, text))] == [19, 50]
    with pytest.raises(InputError, match=r":2: the summit \(column 10\) lies 10 bp from the start"):
        places(write(tmp_path, text.replace("-1\t0", "-1\t10")))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "chrI\t20\t20",
            ":2: the end 20 is not after the start 20; give the end 21 if the peak is one base or remove the row",
        ),
        ("chrI\t30\t20", ":2: the end 20 is not after the start 30"),
        ("chrI\t-5\t20", ":2: the start -5 is below 0"),
        ("chrI\t5", ":2: found 2 columns where 3 columns"),
        ("chrI\tx\t20", ':2: found "x" as start where a whole number was needed'),
        ("chrI\t5\t1.5", ':2: found "1.5" as end where a whole number was needed'),
        ("\t5\t20", ":2: the chromosome's name is empty"),
        ("chrI\t990\t1001", ":2: the end 1001 is past the end of chrI in genome.fa"),
    ],
)
def test_a_wrong_row_is_named_by_its_line(tmp_path: Path, row: str, message: str) -> None:
    path = write(tmp_path, f"chrI\t1\t9\n{row}\n")
    with pytest.raises(InputError) as caught:
        read_peaks(path, GENOME)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"{path}:2: ")


def test_many_peaks_past_the_end_look_like_another_assembly(tmp_path: Path) -> None:
    rows = "".join(f"chrI\t{start}\t{start + 50}\n" for start in range(0, 4000, 100))
    with pytest.raises(
        InputError, match=r"as do 30 of 40 rows, .* looks like one of another assembly"
    ):
        read_peaks(write(tmp_path, rows), GENOME)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("track name=x\n# nothing\n", "found no rows beside headers"),
        (
            "1\t5\t9\n",
            "none of the 1 peaks lies on genome.fa: .* pass --rename-chromosomes add-chr",
        ),
        ("I\t5\t9\nchrI\t5\t9\n", "1 of the 2 peaks do not lie on genome.fa: .* add-chr"),
        ("chrX\t5\t9\n", "none of the 1 peaks lies on genome.fa"),
    ],
)
def test_a_file_without_usable_peaks_is_an_input_error(
    tmp_path: Path, text: str, message: str
) -> None:
    genome = Genome.from_sequences({"chrI": "A" * 99, "chr1": "A" * 99}, "genome.fa")
    with pytest.raises(InputError, match=message):
        read_peaks(write(tmp_path, text), genome)


def test_renaming_brings_peaks_and_exclusions_onto_the_genome(tmp_path: Path) -> None:
    path = write(tmp_path, "I\t5\t9\nII\t5\t9\n")
    exclude = write(tmp_path, "II\t8\t20\n", "exclude.bed")
    found = places(path, exclude=exclude, rename_chromosomes="add-chr")
    assert found == [("chrI", 5, 9, 7)]


def test_what_is_left_out_is_counted_by_reason(tmp_path: Path) -> None:
    text = "chrI\t5\t9\nchrI\t5\t9\nchrI\t5\t9\tn\t0\t+\nchrI\t100\t120\nchrII\t1\t2\nchrUn\t1\t2\n"
    text = text.replace("chrI\t5\t9\n", "chrI\t5\t9\tn\t0\t.\n").replace("120\n", "120\tn\t0\t.\n")
    exclude = write(tmp_path, "chrI\t119\t130\nchrI\t9\t10\n", "exclude.bed")
    peaks = read_peaks(write(tmp_path, text), GENOME, exclude, ["chrI"])
    assert peaks.source.left_out == {
        "on a chromosome that the genome does not have": 1,
        "on a chromosome that was not asked for": 1,
        "on an excluded region": 1,
        "the same chromosome, start, end and strand as another row": 1,
    }
    assert peaks.table["strand"].tolist() == ["+", "."]


def test_no_peaks_left_is_an_input_error_that_says_why(tmp_path: Path) -> None:
    path = write(tmp_path, "chrI\t5\t9\nchrI\t50\t90\n")
    exclude = write(tmp_path, "chrI\t0\t500\n", "exclude.bed")
    with pytest.raises(
        InputError, match=r"none of its 2 peaks is left \(2 on an excluded region\)"
    ):
        read_peaks(path, GENOME, exclude)
    with pytest.raises(InputError, match=r'the chromosome "chrX" was asked for and genome\.fa'):
        read_peaks(path, GENOME, chromosomes=["chrX"])
    other = write(tmp_path, "1\t0\t500\n", "other.bed")
    with pytest.raises(InputError, match=r"other.bed: none of the 1 regions lies on genome.fa"):
        read_peaks(path, GENOME, other)


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.permutations(
        ["chrI\t5\t9\ta\t1", "chrI\t5\t9\tb\t2", "chrI\t7\t9\tc\t1", "chrII\t1\t4\td\t1"]
    )
)
def test_the_order_of_rows_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, rows: list[str]
) -> None:
    path = write(tmp_path_factory.mktemp("peaks"), "\n".join(rows))
    assert read_peaks(path, GENOME).table["score"].tolist() == [2, 1, 1]


INTERVALS = st.lists(
    st.tuples(st.sampled_from(["chrI", "chrII"]), st.integers(0, 40), st.integers(1, 9)), max_size=9
)


def frame(intervals: list[tuple[str, int, int]]) -> pd.DataFrame:
    rows = [(name, start, start + width) for name, start, width in intervals]
    table = pd.DataFrame(rows, columns=["chromosome", "start", "end"])
    return table.astype({"chromosome": object, "start": np.int64, "end": np.int64})


@settings(deadline=None)
@given(INTERVALS, INTERVALS)
def test_overlaps_equal_a_plain_loop(
    first: list[tuple[str, int, int]], second: list[tuple[str, int, int]]
) -> None:
    expected = [
        any(
            name == other and start < at + wide and at < start + width for other, at, wide in second
        )
        for name, start, width in first
    ]
    assert overlaps(frame(first), frame(second)).tolist() == expected


def test_points_become_windows_and_wider_peaks_stay(tmp_path: Path) -> None:
    table = read_peaks(
        write(tmp_path, "chrI\t500\t501\nchrI\t3\t4\nchrI\t900\t950\nchrI\t990\t991\n")
    ).table
    wide = widen_points(table, 200, GENOME)
    assert wide[["start", "end"]].to_numpy().tolist() == [
        [0, 103],
        [400, 600],
        [900, 950],
        [890, 1000],
    ]
    assert wide["summit"].tolist() == [3, 500, 925, 990]
    assert widen_points(table, 1)[["start", "end"]].equals(table[["start", "end"]])
    with pytest.raises(InputError, match="give 1 bp or more"):
        widen_points(table, 0)


def test_labels_stand_in_column_five(tmp_path: Path) -> None:
    path = write(tmp_path, "chrI\t5\t9\tn\t1\t.\nchrI\t50\t90\tn\t0\t.\n")
    assert read_labelled_windows(path, GENOME)[0]["label"].tolist() == [1, 0]
    for wrong in ("chrI\t5\t9\tn\t2\t.\n", "chrI\t5\t9\n"):
        with pytest.raises(InputError, match=":1: column 5 is neither 1 nor 0"):
            read_labelled_windows(write(tmp_path, wrong), GENOME)


def test_intervals_keep_the_order_of_the_file(tmp_path: Path) -> None:
    table = read_intervals(write(tmp_path, "chrII\t5\t9\nchrI\t50\t90\n"))
    assert table.to_numpy().tolist() == [["chrII", 5, 9], ["chrI", 50, 90]]


def test_regions_of_another_assembly_are_refused_and_may_end_past_the_end(tmp_path: Path) -> None:
    size = GENOME.sizes["chrI"]
    regions = f"scaffold9\t0\t9\nchrI\t5\t9\nchrI\t{size - 1}\t{size + 50}\n"
    assert len(read_intervals(write(tmp_path, regions), GENOME)) == 3
    path = write(tmp_path, f"{regions}chrI\t{size}\t{size + 9}\n")
    with pytest.raises(InputError) as caught:
        read_intervals(path, GENOME)
    assert str(caught.value) == (
        f"{path}:4: the start {size} is past the end of chrI in {GENOME.name} ({size} bp), so the "
        "file looks like one of another assembly; name that of the genome, or correct the row"
    )


def test_every_real_peak_file_is_read_whole(yeast: Path) -> None:
    genome = Genome.open(yeast / "genome" / "sacCer3.fa.gz")
    tasks = pd.read_csv(yeast / "tasks.tsv", sep="\t")
    for _, task in tasks.iloc[::25].iterrows():
        assert read_peaks(yeast / task["path"], genome).source.rows == task["peaks"]
