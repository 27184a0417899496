"""Whatever bytes a file holds, a reader gives a checked result or an InputError, and loses no row."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from file_strategies import FORMATS, any_bytes, damaged_files_of, files_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_readers import CHECKS


def fixed(cases: int) -> settings:
    """Give settings under which the same cases are tried each time.

    A reader that hangs fails; one that waits for a busy machine does not.
    """
    return settings(
        max_examples=cases,
        derandomize=True,
        database=None,
        deadline=timedelta(seconds=20),
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AMBIENT_CACHE", "")


@pytest.mark.parametrize("name", FORMATS)
@fixed(cases=25)
@given(data=st.data())
def test_a_valid_file_is_read_whole_and_right(
    tmp_path: Path, name: str, data: st.DataObject
) -> None:
    path = tmp_path / name
    path.write_bytes(data.draw(files_of(FORMATS[name].lines, FORMATS[name].has_headers)))
    assert CHECKS[name](path), "a valid file was refused"


@pytest.mark.parametrize("name", FORMATS)
@fixed(cases=40)
@given(data=st.data())
def test_a_damaged_file_is_read_right_or_refused(
    tmp_path: Path, name: str, data: st.DataObject
) -> None:
    path = tmp_path / name
    path.write_bytes(data.draw(damaged_files_of(FORMATS[name].lines)))
    CHECKS[name](path)


@pytest.mark.parametrize("name", FORMATS)
@fixed(cases=10)
@given(content=any_bytes())
def test_any_bytes_are_read_right_or_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    CHECKS[name](path)
