"""A search of one task: what it leaves, how it goes on, and that test labels have no say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from tiny_children import SPACE, TINY, tiny_task

from ambient.child.count import count_parameters
from ambient.errors import RunError
from ambient.evaluate import Evaluation, Request, Store
from ambient.propose import read_architecture
from ambient.search import read_journal
from ambient.search.loop import Step
from ambient.search.run_folder import hold_run
from ambient.search.search_run import (
    SearchConfig,
    SearchOutcome,
    best_of,
    parameter_limit,
    search_task,
)

TASK = tiny_task("one")
METHODS = ("amber", "evolution", "random")  # tpe where optuna is: the contract holds it as well


@pytest.fixture(autouse=True)
def _no_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure no energy: codecarbon takes a second to start."""
    monkeypatch.setattr("ambient.evaluate.energy.find_spec", lambda name: None)


class EndedError(Exception):
    """The process was killed."""


def search(
    folder: Path,
    resume: bool = False,
    on_step: Callable[[Step], None] | None = None,
    said: list[str] | None = None,
    task: Any = TASK,
    **changes: Any,
) -> SearchOutcome:
    values: dict[str, Any] = {
        "method": "random",
        "evaluations": 6,
        "batch": 2,
        "fidelity": TINY,
        "engine": "inline",
        **changes,
    }
    say = [] if said is None else said
    with hold_run(folder, resume, say.append):
        return search_task(
            folder, task, SPACE, SearchConfig(**values), "corpus.yaml", resume, on_step, say.append
        )


def steps_of(folder: Path) -> list[dict[str, Any]]:
    steps = read_journal(folder / "journal.jsonl")
    for step in steps:
        del step["wall_seconds"]
    return steps


def test_it_leaves_its_best_architecture_and_all_that_it_did(tmp_path: Path) -> None:
    outcome = search(tmp_path / "run")
    assert len(outcome.evaluations) == 6 == outcome.sampled
    scores = [one.metrics["validation_auroc"] for one in outcome.evaluations]
    assert outcome.best.metrics["validation_auroc"] == max(scores)
    assert read_architecture(tmp_path / "run" / "best.json") == outcome.best.architecture
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["task"] == {"one": TASK.hash}
    assert (config["method"], config["evaluations"], config["corpus"]) == (
        *("random", 6),
        "corpus.yaml",
    )
    with Store(tmp_path / "run" / "store.sqlite") as store:
        assert {row.key for row in store.rows()} == {one.key for one in outcome.evaluations}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("ends_after", "ahead"), [(0, 0), (2, 0), (1, 1)])
def test_killed_and_resumed_it_ends_as_if_it_had_not_been(
    tmp_path: Path, method: str, ends_after: int, ahead: int
) -> None:
    def end(step: Step) -> None:
        if step.number == ends_after:
            raise EndedError

    whole = search(tmp_path / "whole", method=method, evaluations=9, ahead=ahead)
    with pytest.raises(EndedError):
        search(tmp_path / "ended", method=method, evaluations=9, ahead=ahead, on_step=end)
    resumed = search(tmp_path / "ended", True, method=method, evaluations=9, ahead=ahead)
    assert steps_of(tmp_path / "ended") == steps_of(tmp_path / "whole")
    assert [one.request for one in resumed.evaluations] == [
        one.request for one in whole.evaluations
    ]
    assert resumed.best.architecture == whole.best.architecture
    assert resumed.sampled == whole.sampled


def test_a_search_may_be_lengthened(tmp_path: Path) -> None:
    search(tmp_path / "run", evaluations=4)
    long = search(tmp_path / "run", True, evaluations=8)
    whole = search(tmp_path / "whole", evaluations=8)
    assert steps_of(tmp_path / "run") == steps_of(tmp_path / "whole")
    assert long.best.request == whole.best.request
    again = search(tmp_path / "run", True, evaluations=8)  # nothing is left to do
    assert again.evaluations == long.evaluations


def test_a_shared_store_is_read_and_nothing_is_trained_twice(tmp_path: Path) -> None:
    first = search(tmp_path / "first", store=tmp_path / "all.sqlite")
    second = search(tmp_path / "second", store=tmp_path / "all.sqlite")
    assert second.evaluations == first.evaluations  # with the time at which each was made


def test_a_recorded_table_is_replayed_and_resumed(tmp_path: Path) -> None:
    trained = search(tmp_path / "trained", evaluations=12)
    table = f"table:{tmp_path / 'trained' / 'store.sqlite'}"
    search(tmp_path / "replayed", evaluations=6, engine=table)
    replayed = search(tmp_path / "replayed", True, evaluations=12, engine=table)
    assert replayed.evaluations == trained.evaluations
    assert not (tmp_path / "replayed" / "store.sqlite").exists()


def test_test_labels_have_no_say(tmp_path: Path) -> None:
    labels = TASK.labels.copy()
    tested = TASK.split == 2
    labels[tested] = 1 - labels[tested]
    turned = replace(TASK, labels=labels)
    assert turned.hash != TASK.hash
    first = search(tmp_path / "a", method="evolution")
    second = search(tmp_path / "b", method="evolution", task=turned)
    assert [one.request for one in second.evaluations] == [one.request for one in first.evaluations]
    assert second.best.request == first.best.request
    assert second.best.metrics["test_auroc"] != first.best.metrics["test_auroc"]


def test_the_hours_end_a_search_after_the_step_that_passes_them(tmp_path: Path) -> None:
    said: list[str] = []
    outcome = search(tmp_path / "run", hours=1e-9, said=said)
    assert len(outcome.evaluations) == 2
    assert said == ["stopped after 2 evaluations: the 1e-09 hours are used up"]
    assert (tmp_path / "run" / "best.json").exists()
    search(tmp_path / "run", True)


def test_a_space_that_is_used_up_ends_a_search_and_it_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    outcome = search(tmp_path / "run", evaluations=50, said=said)
    assert len(outcome.evaluations) == SPACE.size
    assert said == ["ended after 12 evaluations: random asks for nothing new"]


def test_larger_networks_are_not_trained(tmp_path: Path) -> None:
    sizes = {
        one: count_parameters(one.build(TASK.window_bp, TASK.labels.shape[1]))
        for one in SPACE.enumerate()
    }
    most = int(np.median(list(sizes.values())))
    outcome = search(tmp_path / "run", evaluations=50, max_parameters=most)
    found = {one.architecture for one in outcome.evaluations}
    assert found == {one for one, size in sizes.items() if size <= most}
    assert 0 < len(found) < SPACE.size
    with pytest.raises(RunError, match="none of 0 evaluations"):
        search(tmp_path / "none", max_parameters=1)


def test_counting_parameters_draws_nothing_at_random() -> None:
    refuse = parameter_limit(1, TASK)
    state = torch.get_rng_state()
    reason = refuse(next(SPACE.enumerate()))
    assert reason is not None
    assert reason.endswith("at most 1 are wanted")
    assert torch.equal(torch.get_rng_state(), state)


def test_a_search_in_which_everything_fails_stops_and_says_why(tmp_path: Path) -> None:
    one_class = replace(TASK, labels=np.ones_like(TASK.labels))
    with pytest.raises(RunError, match="all 6 children failed, the first with"):
        search(tmp_path / "run", evaluations=12, task=one_class)
    # Told failures stay what they were; what comes after them is tried.
    with pytest.raises(RunError, match="all 6 children failed"):
        search(tmp_path / "run", True, evaluations=12, task=one_class, retry_failed=True)


def test_the_best_is_the_earliest_of_the_highest_and_never_one_that_failed() -> None:
    def one(index: int, value: float | None) -> Evaluation:
        asked = Request("one", list(SPACE.enumerate())[index], 0, TINY)
        if value is None:
            return Evaluation.of(asked, "", state="failed", reason="no room")
        return Evaluation.of(
            asked, "", metrics={"validation_auroc": value, "test_auroc": 1 - value}
        )

    rows = [one(0, None), one(1, 0.6), one(2, 0.8), one(3, 0.8), one(4, 0.1)]
    assert best_of(rows) == rows[2]
    with pytest.raises(RunError, match="none of 1 evaluations"):
        best_of(rows[:1])


def test_a_run_of_another_configuration_is_not_gone_on_with(tmp_path: Path) -> None:
    search(tmp_path / "run")
    for changes, said in (
        ({"method": "evolution"}, "begun with method = 'random'"),
        ({"seed": 3}, "begun with seed = 0"),
        ({"max_parameters": 500}, "begun with max_parameters = None"),
        ({"task": tiny_task("one", seed=5)}, "begun with task"),
    ):
        with pytest.raises(RunError, match=said):
            search(tmp_path / "run", True, **changes)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"method": "annealing"}, "the method 'annealing'"),
        ({"evaluations": 0}, "evaluations = 0"),
        ({"hours": 0.0}, "hours = 0.0"),
        ({"max_parameters": -1}, "max_parameters = -1"),
        ({"ahead": -1}, "-1 steps ahead"),
    ],
)
def test_a_configuration_of_nothing_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RunError, match=said):
        SearchConfig(**changes)
