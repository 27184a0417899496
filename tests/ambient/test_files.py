"""Files are whole or absent, and what a person wrote is read strictly."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ambient.errors import InputError, RunError
from ambient.files import (
    DiskError,
    canonical_json,
    make_folder,
    read_json,
    read_yaml,
    remove_parts,
    short_hash,
    whole_folder,
    write_all,
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
            with pytest.raises(
                DiskError, match=r'file.txt: found "No space left on device" .* make room there'
            ):
                write_atomic(path, "new")
        assert path.read_text() == "old"
        assert [one.name for one in tmp_path.iterdir()] == ["file.txt"]
    write_atomic(path, b"new")
    assert path.read_text() == "new"


def test_all_is_written_though_the_system_takes_it_in_parts() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    try:
        with pytest.raises(BlockingIOError):  # what a pipe holds is taken, and then no more
            write_all(writer, bytes(10_000_000))
    finally:
        os.close(reader)
        os.close(writer)
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space"):
        write_all(full.fileno(), b"a")


def test_a_folder_is_whole_or_absent(tmp_path: Path) -> None:
    def write(stop: bool) -> None:
        with whole_folder(tmp_path / "model") as place:
            (place / "a.txt").write_text("a")
            if stop:
                raise KeyboardInterrupt
            (place / "b.txt").write_text("b")

    with pytest.raises(KeyboardInterrupt):
        write(stop=True)
    assert list(tmp_path.iterdir()) == []
    write(stop=False)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["a.txt", "b.txt"]
    with pytest.raises(DiskError, match=r'model: found "Directory not empty"'):
        write(stop=False)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    (tmp_path / "plain").mkdir()
    assert (tmp_path / "model").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_is_made_once_and_only_where_there_is_one_to_make_it_in(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a") == make_folder(tmp_path / "a")
    with pytest.raises(DiskError, match=r'b: found "No such file .*; put its folder back'):
        make_folder(tmp_path / "absent" / "b")
    (tmp_path / "file").write_text("")
    with pytest.raises(DiskError, match=r'file: found "File exists"'):
        make_folder(tmp_path / "file")


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (".config.yaml.ab12cd.part", "a.part", ".hidden"):
        (tmp_path / name).write_text("")
    remove_parts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "a.part"]
    remove_parts(tmp_path / "absent")


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
