"""One controller over two corpora, each on a genome of its own."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from ambient.controller.card import Controller
from ambient.data.simulate import simulate_corpus
from ambient.evaluate import Store

TINY = """
fidelity: {like: search, name: tiny, windows_per_epoch: 32, epochs: 2}
controller: {tasks_per_step: 4, architectures_per_task: 1}
"""


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another genome's corpus file, of two tasks without conservation, one of them held out."""
    path = simulate_corpus(tmp_path_factory.mktemp("other") / "corpus", 2, 60_000, seed=4)
    values = yaml.safe_load(path.read_text())
    del values["conservation"]
    values["window_bp"] = 150
    for task in values["tasks"]:
        task["name"] = f"other-{task['name']}"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(TINY)
    return path


def test_one_controller_learns_from_both_and_proposes_for_both(
    ambient: Callable, corpus: Path, other: Path, config: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    asked = ["train", corpus, other, "--output", run, "--config", config, "--engine", "inline"]
    answer = ambient(*asked, "--steps", 1)
    assert answer.code == 0, answer.err
    (line,) = _journal(run)
    of_first = {task["name"] for task in yaml.safe_load(corpus.read_text())["tasks"]}
    trained = {row["task"] for row in line["evaluations"]}
    assert len(trained & of_first) == 3
    assert trained - of_first == {"other-Short1"}
    assert {row["state"] for row in line["evaluations"]} == {"done"}
    proposals = json.loads((run / "proposals.json").read_text())
    assert {one["task"] for one in proposals} - of_first == {"other-Histone1"}
    assert len(proposals) == 2
    described = json.loads((run / "descriptors.json").read_text())
    unknown = {name for name, one in described.items() if one["values"]["phastcons_mean"] is None}
    assert unknown == {"other-Short1", "other-Histone1"}
    assert {task.name for task in Controller.load(run).tasks} == trained
    again = ambient(*asked, "--steps", 2, "--resume")
    assert again.code == 0, again.err
    assert len(_journal(run)) == 2
    _says_which_corpus(ambient, run, other)


def _says_which_corpus(ambient: Callable, run: Path, other: Path) -> None:
    """What tells how to train a proposal names the corpus that holds its task."""
    (never,) = json.loads((run / "proposals.json").read_text())[0]["proposals"][-1:]
    with Store(run / "store.sqlite") as store:
        proposed = {row.task: {"architecture": row.architecture.to_dict()} for row in store.rows()}
    proposed["other-Short1"] = never
    path = run.parent / "never-trained.json"
    path.write_text(
        json.dumps([{"task": task, "proposals": [one]} for task, one in proposed.items()])
    )
    refused = ambient("compare", run, "--zero-shot", path)
    assert refused.code == 2
    (command,) = re.findall(r"`ambient (.*)`", refused.err)
    assert shlex.split(command)[:2] == ["evaluate", str(other)]


def _journal(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]


def test_two_tasks_of_one_name_are_refused_before_anything_is_made(
    ambient: Callable, corpus: Path, config: Path, tmp_path: Path
) -> None:
    alike = tmp_path / "alike.yaml"
    values = yaml.safe_load(corpus.read_text())
    for key in ("genome", "annotation", "interpro"):
        values[key] = str(corpus.parent / values[key])
    del values["conservation"]
    for task in values["tasks"]:
        task["peaks"] = str(corpus.parent / task["peaks"])
    alike.write_text(yaml.safe_dump(values))
    run = tmp_path / "run"
    refused = ambient("train", corpus, alike, "--output", run, "--config", config)
    assert refused.code == 2
    first = values["tasks"][0]["name"]
    assert f'{alike}: holds a task "{first}", as {corpus} does' in refused.err
    assert not run.exists()
