"""A search of one task: what it leaves, how it goes on, and that test labels have no say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from few_shot import make_start
from small_run import make_descriptors
from tiny_children import SPACE, STRANDS, TINY, tiny_task

from ambient.child.count import count_flops, count_parameters
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
    search_task,
)
from ambient.search.start import Start, read_start
from ambient.space import SearchSpace

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
    start: Start | None = None,
    space: SearchSpace = SPACE,
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
        config = SearchConfig(**values)
        settings = "corpus.yaml", resume, on_step, say.append, start
        return search_task(folder, task, space, config, *settings)


def steps_of(folder: Path) -> list[dict[str, Any]]:
    steps = read_journal(folder / "journal.jsonl")
    for step in steps:
        del step["wall_seconds"], step["costs"]
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


def test_every_evaluation_is_listed_and_its_architecture_is_a_file_to_fit(tmp_path: Path) -> None:
    outcome = search(tmp_path / "run", evaluations=4)
    for evaluations in (4, 6):
        if evaluations > 4:
            outcome = search(tmp_path / "run", True, evaluations=evaluations)
        text = (tmp_path / "run" / "evaluations.tsv").read_text()
        columns, *rows = (line.split("\t") for line in text.splitlines())
        listed = [dict(zip(columns, row, strict=True)) for row in rows]
        assert [int(row["evaluation"]) for row in listed] == list(range(1, evaluations + 1))
        for row, one in zip(listed, outcome.evaluations, strict=True):
            assert float(row["validation_auroc"]) == one.metrics["validation_auroc"]
            assert row["summary"] == one.architecture.summary()
            path = tmp_path / "run" / "architectures" / f"{row['evaluation']}.json"
            assert read_architecture(path) == one.architecture
        assert not [name for name in columns if "test" in name]


def test_a_failure_is_listed_on_one_line(tmp_path: Path) -> None:
    one_class = replace(TASK, labels=np.ones_like(TASK.labels))
    with pytest.raises(RunError, match="none of 4 evaluations has a validation_auroc"):
        search(tmp_path / "run", evaluations=4, task=one_class)
    lines = (tmp_path / "run" / "evaluations.tsv").read_text().splitlines()
    assert len(lines) == 5
    assert all(len(line.split("\t")) == len(lines[0].split("\t")) for line in lines)
    assert all("failed" in line for line in lines[1:])


@pytest.mark.parametrize(("method", "ends_after"), [("amber", 0), ("amber", 1), ("evolution", 1)])
def test_begun_from_a_controller_it_goes_on_without_it(
    tmp_path: Path, method: str, ends_after: int
) -> None:
    def end(step: Step) -> None:
        if step.number == ends_after:
            raise EndedError

    start = make_start()
    (proposal, *_) = start.propose(1)
    whole = search(tmp_path / "whole", method=method, start=start)
    assert whole.evaluations[0].architecture == proposal
    with pytest.raises(EndedError):
        search(tmp_path / "ended", method=method, start=start, on_step=end)
    again = read_start(tmp_path / "ended")
    assert again is not None
    assert again.to_dict() == start.to_dict()
    search(tmp_path / "ended", True, method=method, start=again)
    assert steps_of(tmp_path / "ended") == steps_of(tmp_path / "whole")


def test_another_controller_or_none_is_not_gone_on_with(tmp_path: Path) -> None:
    start = make_start()
    search(tmp_path / "run", method="amber", evaluations=2, start=start)
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["from_controller"] == "runs/small"
    for other, said in (
        (make_start(seed=4), "begun with controller_sha256 = "),
        (replace(start, descriptors=make_descriptors("other")), "with descriptors_hash = "),
        (None, "begun with controller_sha256 = .*, found None now"),
    ):
        with pytest.raises(RunError, match=said):
            search(tmp_path / "run", True, method="amber", start=other)
    renamed = replace(start, name="another/path/to/it")
    search(tmp_path / "run", True, method="amber", evaluations=2, start=renamed)
    assert read_start(tmp_path / "whatever") is None


def test_a_controller_that_was_trained_on_the_task_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    search(tmp_path / "run", method="evolution", evaluations=2, start=make_start(), said=said)
    assert [text for text in said if "no zero-shot proposal" in text]
    assert "one: found the task among those" in said[0]


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


def test_a_stranded_task_is_searched_without_networks_that_read_both_strands(
    tmp_path: Path,
) -> None:
    stranded = replace(TASK, stranded=True)
    found = search(tmp_path / "run", task=stranded, space=STRANDS, evaluations=50)
    assert [one.architecture.reads_both_strands for one in found.evaluations] == [False] * 2
    assert {one.state for one in found.evaluations} == {"done"}
    usual = search(tmp_path / "usual", space=STRANDS, evaluations=50)
    assert sum(one.architecture.reads_both_strands for one in usual.evaluations) == 2


def test_networks_that_compute_more_are_not_trained(tmp_path: Path) -> None:
    costs = {
        one: count_flops(one.build(TASK.window_bp, TASK.labels.shape[1]), TASK.window_bp)
        for one in SPACE.enumerate()
    }
    most = int(np.median(list(costs.values())))
    outcome = search(tmp_path / "run", evaluations=50, max_flops=most)
    found = {one.architecture for one in outcome.evaluations}
    assert found == {one for one, cost in costs.items() if cost <= most}
    assert 0 < len(found) < SPACE.size


def test_a_search_can_be_tracked_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wandb_files import read_config, read_history

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    outcome = search(tmp_path / "run", evaluations=4, track="wandb")
    rows = [row for row in read_history(tmp_path / "run") if "rewards/one" in row]
    values = [one.metrics["validation_auroc"] or 0.0 for one in outcome.evaluations]
    assert [row["step"] for row in rows] == [0, 1]
    assert [row["rewards/one"] for row in rows] == pytest.approx(
        [np.mean(values[:2]), np.mean(values[2:])]
    )
    assert [row["sampled"] for row in rows] == [2, 4]
    assert read_config(tmp_path / "run")["method"] == "random"


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
        ({"max_flops": 500}, "begun with max_flops = None"),
        ({"task": tiny_task("one", seed=5)}, r"begun on other data \(task.one = .* write which"),
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
        ({"max_flops": 0}, "max_flops = 0"),
        ({"ahead": -1}, "-1 steps ahead"),
    ],
)
def test_a_configuration_of_nothing_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RunError, match=said):
        SearchConfig(**changes)
