"""`ambient search`: one task of a corpus, its best architecture, as a user would ask for it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ambient.child import fidelity
from ambient.cli import search as verb
from ambient.evaluate import Store
from ambient.propose import read_architecture
from ambient.search.methods import BATCH, METHODS

SPACE = """name: small
version: 1
window_bp: 100
decisions:
  - name: first
    choices:
      - {operation: convolution, filters: 2, kernel: 8}
      - {operation: convolution, filters: 4, kernel: 8}
      - {operation: convolution, filters: 8, kernel: 8}
  - {name: tail, choices: [global_max, global_average]}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a small space; children take a moment."""
    monkeypatch.chdir(tmp_path)
    quick = replace(fidelity.SEARCH, windows_per_epoch=64, epochs=2)
    monkeypatch.setitem(fidelity._NAMED, "search", quick)
    (tmp_path / "space.yaml").write_text(SPACE)
    return tmp_path


OPTIONS = ("--task", "Short1", "--space", "space.yaml", "--engine", "inline", "--batch", 2)


def test_it_prints_the_best_architecture_its_score_and_its_cost(
    ambient: Callable, corpus: Path, place: Path
) -> None:
    arguments = ("search", corpus, *OPTIONS, "--method", "random", "--evaluations", 4)
    answer = ambient(*arguments, "--output", "run")
    assert answer.code == 0, answer.err
    with Store(place / "run" / "store.sqlite") as store:
        rows = list(store.rows())
    assert len(rows) == 4
    best = max(rows, key=lambda row: row.metrics["validation_auroc"])
    score = best.metrics["validation_auroc"]
    assert answer.out.splitlines() == [
        f"Short1: {best.architecture.summary()}",
        f"validation AUROC {score:.4f}, the best of 4 by random; wrote run/best.json",
    ]
    assert "4 done: " in answer.err
    assert " s CPU, " in answer.err
    assert read_architecture(place / "run" / "best.json") == best.architecture

    store_too = ("--store", "run/store.sqlite", "--json")
    answer = ambient(*arguments, "--output", "again", *store_too)
    found = json.loads(answer.out)
    assert found["validation_auroc"] == score
    assert found["architecture"] == best.architecture.to_dict()
    assert found["costs"]["evaluations"] == 4
    assert "test_auroc" not in answer.out


def test_it_goes_on_where_it_was_stopped(ambient: Callable, corpus: Path, place: Path) -> None:
    arguments = ("search", corpus, *OPTIONS, "--method", "evolution", "--output", "run")
    assert ambient(*arguments, "--evaluations", 2).code == 0
    refused = ambient(*arguments, "--evaluations", 4)
    assert refused.code == 2
    assert "pass --resume" in refused.err
    answer = ambient(*arguments, "--evaluations", 4, "--resume")
    assert answer.code == 0, answer.err
    assert "the best of 4 by evolution" in answer.out
    other = ambient(*arguments, "--evaluations", 4, "--resume", "--seed", 1)
    assert other.code == 2
    assert "begun with seed = 0" in other.err


def test_limits_are_kept_and_said(ambient: Callable, corpus: Path, place: Path) -> None:
    arguments = ("search", corpus, *OPTIONS, "--method", "random", "--evaluations", 50)
    answer = ambient(*arguments, "--output", "small", "--max-parameters", 120, "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["architecture"]["layers"][0]["filters"] == 2
    assert found["costs"]["evaluations"] == 2
    assert "ended after 2 evaluations: random asks for nothing new" in answer.err
    answer = ambient(*arguments, "--output", "short", "--max-hours", 1e-9)
    assert answer.code == 0, answer.err
    assert "stopped after 2 evaluations: the 1e-09 hours are used up" in answer.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--task", "Shrt1"], 'holds no task "Shrt1"'),
        (["--method", "annealing"], "needed one of amber, amber-reinforce, evolution"),
        (["--space", "bionas4"], "bionas-4"),
        (["--max-hours", "0"], "hours = 0.0"),
        (["--max-parameters", "1"], "see that --max-parameters"),
        (["--engine", "table:absent.sqlite"], "found no file absent.sqlite"),
        (["--output", "absent/run"], "the folder absent does not exist"),
        (["--output", "."], "no run in it"),
    ],
)
def test_a_users_mistake_is_said_in_a_sentence(
    ambient: Callable, corpus: Path, place: Path, arguments: list[str], said: str
) -> None:
    given = ("--method", "random", "--output", "run", *OPTIONS)
    answer = ambient("search", corpus, *given, *arguments)
    assert answer.code == 2, answer
    assert said in answer.err
    assert answer.err.strip().splitlines()[-1].startswith("ambient: ")
    assert answer.out == ""


def test_a_task_must_be_named(ambient: Callable, corpus: Path, place: Path) -> None:
    answer = ambient("search", corpus, "--output", "run")
    assert answer.code == 2
    assert "--task" in answer.err
    assert not (place / "run").exists()


def test_a_method_that_is_not_installed_is_said_before_any_work_is_done(
    ambient: Callable, corpus: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    answer = ambient("search", corpus, *OPTIONS, "--method", "tpe", "--output", "run")
    assert answer.code == 2
    assert "pip install 'ambient-nas[tpe]'" in answer.err
    assert answer.err.count("\n") == 1
    assert not (place / "run").exists()


def test_help_names_the_methods_and_defaults_that_there_are() -> None:
    options = {option.name: option for option in verb.command.params}
    assert options["method"].metavar == "|".join(METHODS)  # type: ignore[attr-defined]
    assert options["batch"].default == BATCH
