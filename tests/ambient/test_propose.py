"""Proposals as files, and architectures read back from them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_run import HELD_OUT, LEARNING, make_corpus, make_descriptors, train_small

from ambient.errors import RunError, SpaceError
from ambient.propose import propose_for_tasks, read_architecture


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    controller = train_small(tmp_path / "run", steps=1)
    described = {name: make_descriptors(name) for name in HELD_OUT}
    path = tmp_path / "proposals.json"
    proposed = propose_for_tasks(controller, make_corpus().held_out_tasks, described, path, top=2)
    entries = json.loads(path.read_text())
    assert [entry["task"] for entry in entries] == list(HELD_OUT)
    assert len(entries[0]["proposals"]) == 2
    assert {name for name, _ in entries[0]["proposals"][0]["nearest"]} <= set(LEARNING)
    assert read_architecture(path) == proposed[HELD_OUT[0]]
    single = tmp_path / "one.json"
    single.write_text(json.dumps(entries[0]))
    assert read_architecture(single) == proposed[HELD_OUT[0]]
    single.write_text(proposed[HELD_OUT[0]].to_json())
    assert read_architecture(single) == proposed[HELD_OUT[0]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "neither an architecture nor proposals"),
        ('{"proposals": []}', "without an architecture"),
        ('{"values": {}}', "neither an architecture nor proposals"),
        ("{", "not JSON"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(RunError, match=said):
        read_architecture(path)


def test_an_architecture_that_is_not_whole_is_named_with_its_file(tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text('{"layers": []}')
    with pytest.raises(SpaceError, match=r"broken\.json"):
        read_architecture(path)
