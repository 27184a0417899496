"""The table of a corpus: exact, tidy, and refused where it is something else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ambient.data.corpus import TaskSpec
from ambient.data.table import format_table, read_table
from ambient.errors import InputError
from descriptors.record import Descriptors
from descriptors.schema import NAMES

values = st.none() | st.floats(allow_nan=False, allow_infinity=False)
SPECS = [TaskSpec("b", Path("b.bed"), "tf"), TaskSpec("a", Path("a.bed"), held_out=True)]


def made(*columns: list[float | None]) -> dict[str, Descriptors]:
    return {
        spec.name: Descriptors(spec.name, 1, dict(zip(NAMES, row, strict=True)), {})
        for spec, row in zip(SPECS, columns, strict=True)
    }


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.tuples(*[st.lists(values, min_size=40, max_size=40)] * 2))
def test_reading_gives_back_what_was_written_to_the_last_bit(
    tmp_path: Path, rows: tuple[list[float | None], list[float | None]]
) -> None:
    path = tmp_path / "table.tsv"
    path.write_text(format_table(SPECS, made(*rows)))
    found = read_table(path)
    assert [found[name] for name in NAMES] == [list(pair) for pair in zip(*rows, strict=True)]


def test_a_row_is_a_task_and_a_missing_value_is_empty() -> None:
    first: list[float | None] = [1.0, 0.0, None, 1078.0, 0.25, 1e300, *[2.5] * 34]
    lines = format_table(SPECS, made(first, [None] * 40)).splitlines()
    assert lines[0].split("\t") == ["task", "category", "held_out", *NAMES]
    assert lines[1].split("\t")[:9] == ["b", "tf", "false", "1", "0", "", "1078", "0.25", "1e+300"]
    assert lines[2] == "a\tother\ttrue" + "\t" * 40


def test_other_columns_and_another_order_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv"
    path.write_text(
        "\t".join(["note", *reversed(NAMES)]) + "\n" + "x\t" + "\t".join(["3"] * 39) + "\n\n"
    )
    found = read_table(path)
    assert found[NAMES[1]] == [3.0]
    assert found[NAMES[0]] == [None]  # the row ends before its column


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", 'no column "is_tf"'),
        ("task\tis_tf\n", 'no column "is_polymerase"'),
        ("\t".join(NAMES) + "\n", "a header and no task"),
        ("\t".join(NAMES) + "\n" + "many\t" * 39 + "1\n", r'table.tsv:2: is_tf: found "many"'),
        ("\t".join(NAMES) + "\n" + "nan\t" * 39 + "1\n", 'found "nan" where a number'),
    ],
)
def test_what_is_no_table_is_a_users_mistake(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "table.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_table(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_table(tmp_path / "absent.tsv")
