"""Files are whole or absent, and what a person wrote is read strictly."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ambient.errors import InputError, RunError
from ambient.files import (
    canonical_json,
    read_json,
    read_yaml,
    short_hash,
    write_atomic,
    write_json_atomic,
)


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file.txt"
    write_atomic(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, full)
            with pytest.raises(OSError, match="No space"):
                write_atomic(path, "new")
        assert path.read_text() == "old"
        assert [one.name for one in tmp_path.iterdir()] == ["file.txt"]
    write_atomic(path, b"new")
    assert path.read_text() == "new"


def test_json_refuses_what_json_cannot_say(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json_atomic(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_equal_values_hash_equally_whatever_their_order() -> None:
    assert canonical_json({"b": [1, 2], "a": None}) == '{"a":null,"b":[1,2]}'
    assert short_hash({"b": 1, "a": 2}) == short_hash({"a": 2, "b": 1})
    assert short_hash({"a": 2}) != short_hash({"a": 3})


def test_reading_json_names_the_file_and_what_was_needed(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such controller card"):
        read_json(tmp_path / "absent", "controller card")
    with pytest.raises(RunError, match="found a folder where a card was needed"):
        read_json(tmp_path, "card")
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(RunError, match="not JSON"):
        read_json(tmp_path / "a.json", "card")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\na: 2\n", r"y:2: .*the key \"a\" stands twice"),
        ("a: {b: 1, b: 2}\n", "stands twice"),
        ("a: [\n", "not valid YAML"),
        ("- 1\n", "found a list"),
        ("", "found nothing"),
        ("!!python/object/apply:os.getcwd []", "not valid YAML"),
    ],
)
def test_yaml_is_read_strictly(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "y"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        read_yaml(path, "corpus file")


def test_yaml_gives_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "y"
    path.write_text("\ufeffa: {b: [1, x]}\n", encoding="utf-8")
    assert read_yaml(path, "corpus file") == {"a": {"b": [1, "x"]}}
    with pytest.raises(RunError, match="no such corpus file"):
        read_yaml(tmp_path / "absent", "corpus file", RunError)
