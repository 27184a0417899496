"""Tables in text files: lines, columns and whole numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from descriptors.errors import InputError
from descriptors.rows import integers, read_rows


def test_headers_comments_and_blank_lines_keep_the_line_numbers_right(tmp_path: Path) -> None:
    path = tmp_path / "peaks.bed"
    path.write_text("browser position\ntrack name=x\n\n#c\nchrI\t1\t2\n\n# c\td\te\nchrI\t3\t4\n")
    rows = pd.concat(read_rows(path, range(3), 3, "3 columns", block_bytes=20))
    assert rows.index.tolist() == [5, 8]


def test_what_follows_the_sequences_of_a_gff3_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "genes.gff3"
    path.write_text("chrI\t1\t2\n##FASTA\n>chrI\nACGT\n")
    assert len(pd.concat(read_rows(path, range(3), 3, "3 columns"))) == 1


def test_a_row_with_too_few_columns_is_named(tmp_path: Path) -> None:
    path = tmp_path / "peaks.bed"
    path.write_text("chrI\t1\t2\nchrI 3 4\n")
    with pytest.raises(InputError, match=r"peaks\.bed:2: found 1 column where 3 columns"):
        list(read_rows(path, range(3), 3, "3 columns", spaces=True))
    path.write_text("chrI\n")
    with pytest.raises(InputError, match=r"peaks\.bed:1: found 1 column where"):
        list(read_rows(path, range(3), 3, "3 columns"))


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@settings(deadline=None)  # a busy machine is no failure
@given(
    lines=st.lists(st.sampled_from(["chrI\t1\t2", "# c", "", "chrI\t3\t4\tx\ty"])),
    size=st.integers(1, 60),
)
def test_the_size_of_blocks_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, ends: str, lines: list[str], size: int
) -> None:
    path = tmp_path_factory.mktemp("rows") / "peaks.bed"
    path.write_bytes(ends.join([*lines, "chrI\t5\t6", ""]).encode())
    found = pd.concat(read_rows(path, range(3), 3, "3 columns", block_bytes=size))
    expected = [
        (number, *line.split("\t")[:3])
        for number, line in enumerate([*lines, "chrI\t5\t6"], start=1)
        if line.startswith("chr")
    ]
    assert list(found.itertuples(name=None)) == expected


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**12), min_size=1), st.data())
def test_whole_numbers_are_read_exactly_however_they_are_written(
    numbers: list[int], data: st.DataObject
) -> None:
    texts = [
        data.draw(st.sampled_from([str(n), f"{n}.0", f"{n}e0", f"{n}0e-1", f"+{n}"]))
        for n in numbers
    ]
    assert integers(pd.Series(texts, dtype=object), "f", "start").tolist() == numbers


def test_scientific_notation_of_r_is_read_exactly() -> None:
    assert integers(pd.Series(["1.86e+08", "7"], dtype=object), "f", "start").tolist() == [
        186000000,
        7,
    ]


@pytest.mark.parametrize(
    "value", ["1.5", "", "nan", "NA", "1_000", "x", "1e-3", "inf", "0x10", "1 2", "１２", "True"]
)
def test_what_is_no_whole_number_is_refused_with_its_line(value: str) -> None:
    text = pd.Series(["3", value], index=[4, 9], dtype=object)
    with pytest.raises(InputError, match=r"peaks\.bed:9: found .* as start where a whole number"):
        integers(text, "peaks.bed", "start")


@pytest.mark.parametrize("value", ["9999999999999", "99999999999999999999999", "1e300", "1e18"])
def test_a_number_larger_than_any_chromosome_is_refused(value: str) -> None:
    with pytest.raises(InputError, match="larger than any chromosome"):
        integers(pd.Series(["3", value], dtype=object), "f", "start")


def test_a_row_of_column_names_is_refused_with_advice() -> None:
    with pytest.raises(InputError, match="remove the row of column names"):
        integers(pd.Series(["start", "3"], dtype=object), "f", "start")


def test_columns_of_numbers_are_int64_in_blocks_of_plain_numbers_and_text_in_others(
    tmp_path: Path,
) -> None:
    path = tmp_path / "table.tsv"
    path.write_text("chrI\t007\t1.5\nchrI\t+8\t2\n" + "chrI\t1e3\t.\nchrI\tTrue\t3\n")
    columns = {"numbers": (1,), "decimals": (2,), "labels": (0,)}
    first, second = read_rows(path, range(3), 3, "3 columns", block_bytes=23, **columns)
    assert (first[1].dtype, second[1].dtype) == (np.int64, object)
    assert (first[1].tolist(), second[1].tolist()) == ([7, 8], ["1e3", "True"])
    assert (first[2].tolist(), second[2].tolist()) == ([1.5, 2.0], [".", "3"])
    assert isinstance(first[0].dtype, pd.CategoricalDtype)


@settings(deadline=None)  # a busy machine is no failure
@given(
    st.lists(
        st.sampled_from(
            [
                "0",
                "7",
                "+7",
                "-7",
                "007",
                "7.0",
                "1e3",
                "True",
                "nan",
                "1_0",
                "0x1",
                "99999999999999999999",
            ]
        )
    )
)
def test_how_a_column_is_read_does_not_change_its_numbers(
    tmp_path_factory: pytest.TempPathFactory, values: list[str]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "table.tsv"
    path.write_text("".join(f"chrI\t{value}\n" for value in [*values, "5"]))

    def outcome(numbers: tuple[int, ...]) -> list[int] | str:
        rows = pd.concat(read_rows(path, range(2), 2, "2 columns", numbers=numbers))
        try:
            return integers(rows[1], path, "start").tolist()
        except InputError as error:
            return str(error)

    assert outcome((1,)) == outcome(())


def test_labels_that_look_like_numbers_stay_apart(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    path.write_text("1\tx\n01\tx\n1.0\tx\n")
    (rows,) = read_rows(path, range(2), 2, "2 columns", labels=(0,))
    assert rows[0].tolist() == ["1", "01", "1.0"]


def test_where_rows_must_be_even_a_wider_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    path.write_text("chrI\t1\t2\nchrI\t3\t4\t\t\t\nchrI\t3\t4\tname\t\t+\n")
    assert len(pd.concat(read_rows(path, (0, 1, 2, 5), 3, "3 columns"))) == 3
    with pytest.raises(InputError, match=r"tsv:3: found 6 columns or more where the 3 columns of"):
        list(read_rows(path, (0, 1, 2, 5), 3, "3 columns", even=True))


@pytest.mark.parametrize("text", ["chrI 1 2", "  chrI   1 2  ", "chrI 1 2 "])
def test_columns_may_be_separated_by_spaces_throughout(tmp_path: Path, text: str) -> None:
    path = tmp_path / "peaks.bed"
    path.write_text(f"{text}\n\n   \n{text}\n")
    rows = pd.concat(read_rows(path, range(3), 3, "3 columns", spaces=True))
    assert rows.to_numpy().tolist() == [["chrI", "1", "2"]] * 2
    assert rows.index.tolist() == [1, 4]


def test_quotes_are_letters_like_others(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    path.write_text('"chrI\t1\n"\t"2\nchrI\t3"\n')
    rows = pd.concat(read_rows(path, range(2), 2, "2 columns"))
    assert rows.to_numpy().tolist() == [['"chrI', "1"], ['"', '"2'], ["chrI", '3"']]


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_row_with_nothing_in_the_columns_that_are_read_is_no_blank_line(
    tmp_path: Path, ends: str
) -> None:
    path = tmp_path / "table.tsv"
    path.write_bytes(ends.join(["a\t1\tx\ty", "", " \t ", "\t\t\tname", "b\t2\tx", ""]).encode())
    with pytest.raises(InputError, match=r"tsv:4: found 0 columns where 3 columns"):
        list(read_rows(path, (0, 1, 2), 3, "3 columns"))


def test_binary_content_far_into_a_file_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "peaks.bed"
    path.write_bytes(b"chrI\t1\t2\n" * 9999 + b"chrI\t\x00\t2\n")
    with pytest.raises(InputError, match="found binary content where text was needed"):
        list(read_rows(path, range(3), 3, "3 columns"))
