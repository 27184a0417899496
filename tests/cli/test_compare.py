"""`ambient compare`: searches beside one another and beside the zero-shot proposal, as a user would ask for it."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from made_up_searches import make_search
from tiny_children import SPACE, architectures
from wandb_files import read_history, read_media

from ambient.child import fidelity
from ambient.cli.main import main
from ambient.search import read_journal

METHODS, SEEDS, COUNT = ("evolution", "random"), (0, 1), 3
NAMES = [f"{method}-{seed}" for method in METHODS for seed in SEEDS]


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    """Children that take a moment, and no energy meter, which takes a second to start."""
    with pytest.MonkeyPatch.context() as patch:
        quick = replace(fidelity.SEARCH, windows_per_epoch=64, epochs=1)
        patch.setitem(fidelity._NAMED, "search", quick)
        patch.setattr("ambient.evaluate.energy.find_spec", lambda name: None)
        yield patch


@pytest.fixture(scope="module")
def searched(
    corpus: Path, tmp_path_factory: pytest.TempPathFactory, patched: pytest.MonkeyPatch
) -> Path:
    """A folder with two searches of one task, each with two seeds; they share a store."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "space.yaml").write_text(yaml.safe_dump(SPACE.to_dict()))
    for name in NAMES:
        method, seed = name.split("-")
        given = ["search", corpus, "--task", "Short1", "--space", folder / "space.yaml"]
        given += ["--engine", "inline", "--batch", 2, "--evaluations", COUNT, "--cache", folder]
        given += ["--method", method, "--seed", seed, "--output", folder / name]
        given += ["--store", folder / "store.sqlite"]
        patched.setattr(sys, "argv", ["ambient", *map(str, given)])
        main()
    return folder


@pytest.fixture
def place(searched: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with the searches as the current one."""
    monkeypatch.chdir(searched)
    return searched


def test_it_compares_searches_by_what_their_journals_say(ambient: Callable, place: Path) -> None:
    answer = ambient("compare", *NAMES, "--output", "page.html", "--json")
    assert answer.code == 0, answer.err
    assert "wrote page.html" in answer.err
    found = json.loads(answer.out)
    (task,) = found["tasks"]
    assert (task["task"], task["zero_shot"], found["fidelity"]) == ("Short1", None, "search")
    for run, name in zip(found["runs"], NAMES, strict=True):
        lines = read_journal(place / name / "journal.jsonl")
        rows = [one for line in lines for one in line["evaluations"]]
        scores = [one["metrics"]["validation_auroc"] for one in rows]
        assert run["run"] == name
        assert run["validation"] == [max(scores[: end + 1]) for end in range(COUNT)]
        best = rows[scores.index(max(scores))]
        assert run["test"][-1] == best["metrics"]["test_auroc"]
        seconds = [value for line in lines for value in line["costs"]["cpu_seconds"]]
        assert run["cpu_hours"][-1] == pytest.approx(sum(seconds) / 3600)
        assert run["energy_kwh"] == [None] * COUNT
    for search, method in zip(task["searches"], METHODS, strict=True):
        assert (search["search"], search["seeds"]) == (method, list(SEEDS))
        (end,) = search["at_equal_evaluations"]
        ends = [run["validation"][-1] for run in found["runs"] if run["search"] == method]
        assert end["evaluations"] == COUNT
        assert end["validation"]["mean"] == pytest.approx(sum(ends) / 2)
        assert end["validation"]["count"] == 2


def test_the_sentence_about_a_proposal_that_was_never_trained_says_how_to_train_it(
    ambient: Callable, corpus: Path, place: Path
) -> None:
    other, *_ = architectures()
    proposal = replace(other, window_bp=50)  # no search of this space trains that
    entries = [
        {"task": task, "proposals": [{"architecture": one.to_dict()}]}
        for task, one in (("Long1", other), ("Short1", proposal))
    ]
    Path("proposals.json").write_text(json.dumps(entries))
    asked = ("compare", *NAMES, "--zero-shot", "proposals.json")
    answer = ambient(*asked)
    assert answer.code == 2
    assert answer.err.startswith("ambient: proposals.json: the proposal for Short1 was never")
    (command,) = re.findall(r"`ambient (.*)`", answer.err)
    assert ambient(*shlex.split(command), "--engine", "inline").code == 0
    answer = ambient(*asked, "--json")
    assert answer.code == 0, answer.err
    (task,) = json.loads(answer.out)["tasks"]
    assert task["zero_shot"]["seeds"] == list(SEEDS)
    assert task["zero_shot"]["summary"] == proposal.summary()
    text = ambient(*asked).out
    assert "Break-even with the zero-shot proposal" in text
    assert re.search(r"Short1 +random +test +0\.\d+ +\d of 2 +(?:not within its 3|\d)", text)
    wrong = ambient("evaluate", corpus, "proposals.json:Shrt1", "--store", "rows.sqlite")
    assert wrong.code == 2
    assert "found no proposal for 'Shrt1', there are some for Long1, Short1" in wrong.err


def test_the_page_loads_nothing_and_draws_all(ambient: Callable, place: Path) -> None:
    assert ambient("compare", *NAMES, "--output", "drawn.html").code == 0
    page = Path("drawn.html").read_text()
    assert not re.search(r"<(?:link|img|iframe)|\ssrc=|href=\"(?!#)", page.split("<script id=")[0])
    figures = re.findall(r'<script type="application/json">(.*?)</script>', page)
    assert len(figures) == 3
    traces = json.loads(figures[0])["data"]
    assert {tuple(trace["meta"]) for trace in traces} == {
        (axis, method) for axis in ("evaluations", "wall_hours", "cpu_hours") for method in METHODS
    }
    boxes = re.findall(r'<input type="checkbox" value="(.*?)" checked>', page)
    assert boxes == list(METHODS)


def test_a_tracker_gets_the_curves_the_tables_and_the_figures(
    ambient: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("WANDB_API_KEY", "NETRC", "WANDB_MODE", "WANDB_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    runs = [make_search(tmp_path / f"run-{seed}", [0.5, 0.7], seed=seed) for seed in (0, 1)]
    refused = ambient("compare", *runs, "--track", "wandb")
    assert refused.code == 2
    assert "--output is missing" in refused.err
    answer = ambient("compare", *runs, "--track", "wandb", "--output", tmp_path / "page.html")
    assert answer.code == 0, answer.err
    folder = tmp_path / "page.html.wandb"
    steps = {row["step"]: row for row in read_history(folder)}
    assert steps[2]["one/random/validation"] == 0.7
    table = read_media(folder, "At equal numbers of evaluations")
    assert [row[1:4] for row in table["data"]] == [["random", "2", "2"]]
    assert read_media(folder, "one: validation")["data"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "absent"], "absent: found no such folder, so it is not a run"),
        (["run", "."], ".: found no config.yaml in it, so it is not a run"),
        (["run", "../{}/run"], "run: the same run was named before"),
        (["run", "begun"], "begun: found no child that this run trained"),
        (["run", "--output", "absent/page.html"], "the folder absent does not exist"),
        (["run", "--store", "rows.sqlite"], "given without --zero-shot"),
        (["run", "--zero-shot", "absent.json"], "absent.json: there is no such file of proposals"),
        (["run", "--zero-shot", "run"], "run/proposals.json: there is no such file"),
        (["run", "--zero-shot", "run/config.yaml"], "something that is not JSON"),
        (["run", "--zero-shot", "none.json"], "none.json: found no proposals for named tasks"),
        (
            ["run", "--zero-shot", "other.json"],
            "found proposals for Other, but the runs search one",
        ),
        (["run", "--zero-shot", "other.json", "--store", "a.sqlite"], "a.sqlite: there is no such"),
        ([], "Missing argument 'RUN...'"),
    ],
)
def test_a_users_mistake_is_said_in_a_sentence(
    ambient: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    make_search(Path("run"), [0.5, 0.6])
    make_search(Path("begun"), [], seed=1)
    architecture = architectures()[0].to_dict()
    entry = {"task": "Other", "proposals": [{"architecture": architecture}]}
    Path("other.json").write_text(json.dumps(entry))
    Path("none.json").write_text("[]")
    answer = ambient("compare", *(text.format(tmp_path.name) for text in arguments))
    assert answer.code == 2, answer
    assert said in answer.err
    assert answer.out == ""
