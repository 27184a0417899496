"""`ambient search`: one task of a corpus, its best architecture, as a user would ask for it."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from few_shot import make_start
from skip_spaces import small_space

from ambient.child import fidelity
from ambient.cli import search as verb
from ambient.controller.card import Controller
from ambient.data.corpus import read_corpus
from ambient.evaluate import Store
from ambient.propose import read_architecture
from ambient.search.methods import BATCH, METHODS
from ambient.space import open_space
from descriptors import Descriptors

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


@pytest.fixture
def taught(place: Path) -> Path:
    """The folder of a controller over the small space; in `all.json`, descriptors of all chromosomes."""
    start = make_start(open_space("space.yaml"))
    start.controller.save(place / "taught")
    seen = replace(start.descriptors, sources={"peaks": {"chromosomes": None}})
    seen.save(place / "all.json")
    return place / "taught"


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


@pytest.mark.parametrize(
    ("given", "proposals", "said"),
    [
        ([], 1, "of which most is expected, of 4 by predicted"),
        (["--method", "amber"], 2, "the best of 4 by amber"),
    ],
)
def test_it_begins_with_what_a_controller_proposes_and_goes_on_without_it(
    ambient: Callable,
    corpus: Path,
    taught: Path,
    place: Path,
    given: list[str],
    proposals: int,
    said: str,
) -> None:
    arguments = ("search", corpus, "--task", "Short1", "--engine", "inline", "--batch", 2)
    few = (*arguments, "--output", "run", "--cache", "cache")
    answer = ambient(*few, "--from-controller", "taught", *given, "--evaluations", 2)
    assert answer.code == 0, answer.err

    described = Descriptors.load(place / "run" / "from_controller" / "descriptors.json")
    assert described.task == "Short1"
    held_back = {*read_corpus(corpus).split.validation, *read_corpus(corpus).split.test}
    assert held_back
    assert not held_back & set(described.sources["peaks"]["chromosomes"])
    proposed = Controller.load("taught").propose(described, top=2)
    evaluated = [read_architecture(place / "run" / "architectures" / f"{n}.json") for n in (1, 2)]
    expected = [one.architecture for one in proposed]
    assert evaluated[:proposals] == expected[:proposals]

    shutil.rmtree(taught)
    answer = ambient(*few, "--evaluations", 4, "--resume")  # the method is the run's own
    assert answer.code == 0, answer.err
    assert said in answer.out
    config = yaml.safe_load((place / "run" / "config.yaml").read_text())
    assert config["from_controller"] == "taught"


def test_descriptors_may_be_given(
    ambient: Callable, corpus: Path, taught: Path, place: Path
) -> None:
    start = make_start(open_space("space.yaml"))
    start.descriptors.save(place / "mine.json")
    few = ("--from-controller", taught, "--descriptors", "mine.json", "--method", "evolution")
    answer = ambient(
        "search", corpus, *OPTIONS, *few, "--evaluations", 1, "--output", "run", "--json"
    )
    assert answer.code == 0, answer.err
    (proposal,) = start.propose(1)
    assert json.loads(answer.out)["architecture"] == proposal.to_dict()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--descriptors", "all.json"], "was given without --from-controller"),
        (["--from-controller", "absent"], "where a controller was needed"),
        (["--from-controller", "taught", "--method", "random"], "with the method random"),
        (["--from-controller", "taught", "--space", "bionas-4"], "this search is of bionas-4"),
        (["--from-controller", "taught", "--descriptors", "all.json"], "of all chromosomes"),
        (["--from-controller", "taught", "--descriptors", "no.json"], "cannot be read"),
        (["--max-flops", "1", "--method", "random"], "see that --max-parameters and --max-flops"),
    ],
)
def test_a_mistake_about_controllers_is_said_before_anything_is_made(
    ambient: Callable, corpus: Path, taught: Path, arguments: list[str], said: str
) -> None:
    answer = ambient("search", corpus, *OPTIONS, "--output", "run", *arguments)
    assert answer.code == 2, answer
    assert said in answer.err
    assert answer.err.strip().splitlines()[-1].startswith("ambient: ")
    assert "--max-flops" in arguments or not (taught.parent / "run").exists()


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
    # 2 filters of 8 positions over 4 letters, multiplied and added at 200 positions.
    answer = ambient(
        *arguments, "--output", "quick", "--max-flops", 2 * 200 * 2 * 32 + 10, "--json"
    )
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["architecture"]["layers"][0]["filters"] == 2
    assert found["costs"]["evaluations"] == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--task", "Shrt1"], 'holds no task "Shrt1"'),
        (["--method", "annealing"], "needed one of amber, amber-reinforce, enas, evolution"),
        (["--space", "bionas4"], "bionas-4"),
        (["--max-hours", "0"], "hours = 0.0"),
        (["--max-parameters", "1"], "see that --max-parameters"),
        (["--engine", "table:absent.sqlite"], "there is no file absent.sqlite"),
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


def test_enas_derives_and_trains_what_it_was_asked_for(
    ambient: Callable, corpus: Path, place: Path
) -> None:
    (place / "skips.yaml").write_text(yaml.safe_dump(small_space(window_bp=60).to_dict()))
    options = ("--task", "Short1", "--space", "skips.yaml", "--engine", "inline")
    answer = ambient(
        *("search", corpus, *options, "--method", "enas", "--turns", 1, "--evaluations", 2),
        *("--max-flops", 10_000_000, "--output", "run", "--json"),
    )
    assert answer.code == 0, answer.err
    said = json.loads(answer.out)
    assert (said["method"], said["costs"]["states"]) == ("enas", {"done": 2})
    with Store(place / "run" / "store.sqlite") as store:
        rows = {row.architecture.key: row for row in store.rows()}
    assert len(rows) == 2  # what shared weights say is no evaluation
    best = read_architecture(place / "run" / "best.json")
    assert rows[best.key].metrics["validation_auroc"] == said["validation_auroc"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--method", "enas", "--ahead", 2], "found --ahead with the method enas"),
        (["--method", "enas", "--from-controller", "x"], "found --from-controller with the method"),
        (["--method", "random", "--turns", 2], "found --turns with the method random"),
        (["--method", "enas", "--space", "space.yaml"], "space"),
    ],
)
def test_what_a_method_has_no_use_for_is_refused(
    ambient: Callable, corpus: Path, place: Path, arguments: list, said: str
) -> None:
    answer = ambient("search", corpus, "--task", "Short1", "--output", "run", *arguments)
    assert answer.code == 2, answer
    assert said in answer.err
    assert not (place / "run" / "store.sqlite").exists()


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
    methods = sorted((*METHODS, "enas"))
    assert options["method"].metavar == "|".join(methods)  # type: ignore[attr-defined]
    assert options["batch"].default == BATCH
