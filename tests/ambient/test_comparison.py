"""Runs that are compared: what is charged, what counts as a repeat, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from made_up_searches import COST, TASKS, make_search, propose, remember, write_run
from tiny_children import SPACE, TINY, architectures, tiny_task

from ambient.errors import RunError
from ambient.evaluate import Store
from ambient.report.comparison import Comparison, compare_runs
from ambient.report.comparison_notes import notes_on
from ambient.report.comparison_tables import (
    as_json,
    break_even_matrix,
    break_even_sheet,
    budget_sheet,
    hours_sheet,
)
from ambient.report.searched import JOINT, read_searched
from ambient.search import read_journal
from ambient.search.journal import Journal
from ambient.search.run_folder import hold_run
from ambient.search.search_run import SearchConfig, search_task


@pytest.fixture(autouse=True)
def _no_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure no energy: codecarbon takes a second to start."""
    monkeypatch.setattr("ambient.evaluate.energy.find_spec", lambda name: None)


def search(folder: Path, store: Path | None = None, **changes: Any) -> Path:
    """Search a tiny task in earnest."""
    values: dict[str, Any] = {"method": "random", "evaluations": 4, "batch": 2, **changes}
    config = SearchConfig(fidelity=TINY, engine="inline", store=store, **values)
    with hold_run(folder, resume=False):
        search_task(folder, tiny_task("one"), SPACE, config, "corpus.yaml")
    return folder


def notes(comparison: Comparison) -> str:
    return "\n".join(notes_on(comparison))


def test_what_a_store_knew_is_charged_as_if_it_had_been_trained(tmp_path: Path) -> None:
    first = search(tmp_path / "first")
    again = search(tmp_path / "again", store=first / "store.sqlite")
    (one,), (other,) = read_searched(first), read_searched(again)
    with Store(first / "store.sqlite") as store:
        trained = sum(row.cpu_seconds for row in store.rows())
    assert trained > 0
    for searched in (one, other):
        assert searched.curve.spent["cpu_hours"][-1] == pytest.approx(trained / 3600)
    assert other.run_seconds < one.run_seconds
    assert np.isnan(one.curve.spent["energy_kwh"]).all()


def test_a_journal_that_says_nothing_of_costs_has_them_from_the_store(tmp_path: Path) -> None:
    run = search(tmp_path / "run")
    (new,) = read_searched(run)
    lines = read_journal(run / "journal.jsonl")
    with Journal(run / "journal.jsonl") as journal:
        for line in lines:
            del line["costs"]
            journal.append({key: line[key] for key in line if key != "sha256"})
    (old,) = read_searched(run)
    assert old.curve.spent["wall_hours"].tolist() == new.curve.spent["wall_hours"].tolist()
    (run / "store.sqlite").unlink()
    compared = compare_runs([run])
    assert np.isnan(compared.searched[0].curve.spent["wall_hours"]).all()
    assert f"Hours are not known for every evaluation of {run}" in notes(compared)
    assert hours_sheet(compared.tasks).rows == ()


def test_runs_that_differ_in_their_seeds_alone_are_repeats(tmp_path: Path) -> None:
    for seed in (1, 0):
        make_search(tmp_path / f"evolution-{seed}", [0.5, 0.7], "evolution", seed, device="cuda")
        make_search(tmp_path / f"wide-{seed}", [0.5, 0.7], "evolution", seed, batch=10)
        make_search(tmp_path / f"few-{seed}", [0.6], "amber", seed, controller_sha256="a" * 64)
    (task,) = compare_runs(sorted(tmp_path.iterdir())).tasks
    assert [(one.label, one.seeds) for one in task.contenders] == [
        ("evolution, batch 2", (0, 1)),
        ("evolution, batch 10", (0, 1)),
        ("amber", (0, 1)),
    ]


def test_searches_that_no_setting_tells_apart_have_their_folders_names(tmp_path: Path) -> None:
    for name, controller in (("early", "a"), ("late", "b")):
        make_search(tmp_path / name, [0.6], "amber", controller_sha256=controller * 64)
    (task,) = compare_runs(sorted(tmp_path.iterdir())).tasks
    assert [one.label for one in task.contenders] == ["amber (early)", "amber (late)"]


@pytest.mark.parametrize("on_gpu", [0, 1, 2])
def test_equal_hours_are_those_of_gpus_where_every_search_used_one(
    tmp_path: Path, on_gpu: int
) -> None:
    for seed in range(2):
        costs = {**COST, "gpu_seconds": 900.0 if seed < on_gpu else 0.0}
        make_search(tmp_path / str(seed), [0.5, 0.7], "random", seed, costs=costs)
    (task,) = compare_runs(sorted(tmp_path.iterdir())).tasks
    assert task.device_axis == ("gpu_hours" if on_gpu == 2 else "cpu_hours")
    assert task.hours[-1] == pytest.approx(0.5 if on_gpu == 2 else 1.0)


def test_nothing_is_said_of_passing_what_is_not_known(tmp_path: Path) -> None:
    make_search(tmp_path / "one", [0.5, 0.7])
    (contender,) = compare_runs([tmp_path / "one"]).tasks[0].contenders
    assert contender.break_even("test", float("nan")) is None
    assert contender.break_even("test", 0.6) is not None


def test_tables_say_the_mean_at_equal_budgets_and_nothing_beyond_the_end(tmp_path: Path) -> None:
    long = [0.5 + index / 100 for index in range(30)]
    for seed, shift in ((0, 0.0), (1, 0.1)):
        made = [(value + shift, value) for value in long]
        make_search(tmp_path / f"long-{seed}", made, "evolution", seed, batch=5)
    make_search(tmp_path / "short", [0.9, (0.95, None), None], "random", batch=5)
    compared = compare_runs(sorted(tmp_path.iterdir()))
    rows = {(row[1], row[3]): row[4:] for row in budget_sheet(compared.tasks).rows}
    assert set(rows) == {(name, n) for name in ("evolution", "random") for n in ("3", "25")}
    # The best of 25 is the 25th; the last ten of them have a mean of 0.5 + 0.195.
    best, test, mean, wall, cpu, energy = rows["evolution", "25"]
    assert best.startswith("0.790 (0.155 to 1.000)")  # t(0.975, 1) = 12.706, times 0.05
    assert test == "0.740 (0.740 to 0.740)"
    assert mean.startswith("0.745")
    assert (wall, cpu, energy) == ("25", "12.5", "6.25")
    assert rows["random", "25"] == ("–",) * 6
    assert rows["random", "3"] == ("0.950", "–", "0.925", "3", "1.5", "0.75")
    by_hours = {(row[1], row[3]): row[4:6] for row in hours_sheet(compared.tasks).rows}
    assert by_hours["random", "1.5 CPU h"] == ("3", "0.950")
    assert by_hours["evolution", "1 CPU h"][0] == "2"


def test_break_even_is_said_for_each_repeat_in_evaluations_hours_and_kwh(tmp_path: Path) -> None:
    make_search(tmp_path / "a", [(0.6, 0.9), (0.85, 0.6), (0.7, 0.9)], "evolution", 0)
    make_search(tmp_path / "b", [(0.6, 0.5), (0.7, 0.9), (0.9, 0.75)], "evolution", 1)
    make_search(tmp_path / "c", [0.6, 0.7, 0.65], "random", 0)
    runs = [tmp_path / name for name in "abc"]
    store = remember(tmp_path / "more.sqlite", 11, {0: (0.75, 0.6), 1: (0.85, 0.8)})
    compared = compare_runs(runs, propose(tmp_path / "p.json", 11, "two", "one"), [store])
    (task,) = compared.tasks
    assert task.proposed is not None
    assert task.proposed.seeds == (0, 1)
    assert task.proposed.level("validation") == pytest.approx(0.8)
    assert task.proposed.level("test") == pytest.approx(0.7)
    rows = {row[1:3]: row[3:] for row in break_even_sheet(compared.tasks).rows}
    costs = ("2.5 (2 to 3)", "1.25 (1 to 1.5)", "0.625 (0.5 to 0.75)")
    assert rows["evolution", "validation"] == ("0.8", "2 of 2", "2.5 (2 to 3)", *costs)
    # On test the first falls back below the proposal, so that it does not pass it.
    first = "not within its 3 evaluations (first: 2)"
    assert rows["evolution", "test"] == ("0.7", "1 of 2", first, "–", "–", "–")
    never = ("0 of 1", "not within its 3 evaluations", "–", "–", "–")
    assert rows["random", "validation"] == ("0.8", *never)
    found = as_json(compared, [])["tasks"][0]["searches"][0]["break_even"]
    assert found["test"]["evaluations_of_repeats"] == [None, 2]
    assert found["test"]["evaluations"] == {"median": None, "low": 2.0, "high": None}
    assert found["validation"]["energy_kwh"]["median"] == 0.625


def test_trainings_of_other_windows_seeds_and_fidelities_are_told_apart(tmp_path: Path) -> None:
    run = make_search(tmp_path / "run", [0.6, 0.7], seed=0)
    proposals = propose(tmp_path / "proposals.json", 11, "one")
    longer = replace(TINY, name="longer", epochs=9)
    store = remember(tmp_path / "store.sqlite", 11, {0: (0.1, 0.1)}, fidelity=longer)
    remember(store, 10, {0: (0.2, 0.2)})
    remember(store, 11, {0: (0.3, 0.3)}, task="two")
    with pytest.raises(RunError, match="never trained to its end at the fidelity tiny") as error:
        compare_runs([run], proposals, [store])
    command = f"`ambient evaluate corpus.yaml {proposals}:one --tasks one --seeds 0 --fidelity tiny --store {store}`"
    assert command in str(error.value)
    remember(store, 11, {5: (0.4, 0.5)})
    compared = compare_runs([run], proposals, [store])
    proposed = compared.tasks[0].proposed
    assert proposed is not None
    assert (proposed.seeds, proposed.level("validation")) == ((5,), 0.4)
    assert proposed.spent["cpu_hours"] == COST["cpu_seconds"] / 2 / 3600
    assert "trained with the seed 5, not with 0 of the searches" in notes(compared)


def test_the_interval_of_a_proposal_stays_within_what_an_auroc_can_be(tmp_path: Path) -> None:
    run = make_search(tmp_path / "run", [0.6, 0.7], seed=0)
    proposals = propose(tmp_path / "proposals.json", 11, "one")
    store = remember(tmp_path / "store.sqlite", 11, {0: (0.9, 0.02), 1: (1.0, 0.1)})
    proposed = compare_runs([run], proposals, [store]).tasks[0].proposed
    assert proposed is not None
    assert (proposed.validation.mean, proposed.validation.high) == (pytest.approx(0.95), 1.0)
    assert proposed.validation.low is not None
    assert 0 < proposed.validation.low < 0.9
    assert proposed.test is not None
    assert (proposed.test.mean, proposed.test.low) == (pytest.approx(0.06), 0.0)


def test_means_over_tasks_need_the_same_seeds_on_each(tmp_path: Path) -> None:
    for seed in (0, 1):
        make_search(tmp_path / f"one-{seed}", [0.5, 0.6, 0.9], seed=seed, task="one")
        make_search(tmp_path / f"two-{seed}", [0.7, 0.8], seed=seed, task="two")
    runs = sorted(tmp_path.iterdir())
    store = tmp_path / "store.sqlite"
    for task, score in (("one", 0.5), ("two", 0.8)):
        remember(store, 11, {0: (score, score)}, task=task)
    proposals = propose(tmp_path / "proposals.json", 11, *TASKS)
    compared = compare_runs(runs, proposals, [store])
    assert compared.overall is not None
    (mean,) = compared.overall.contenders
    assert len(mean) == 2
    assert mean.curves[0].validation.tolist() == pytest.approx([0.6, 0.7])
    matrix = break_even_matrix(compared, "validation")
    assert [row[0] for row in matrix.rows] == ["mean over 2 tasks", "one", "two"]
    assert [row[1:] for row in matrix.rows] == [
        ("0.65", "2"),
        ("0.5", "2"),
        ("0.8", "not within 2"),
    ]
    assert compared.overall.proposed is not None
    assert compared.overall.proposed.test is not None
    assert compared.overall.proposed.test.mean == pytest.approx(0.65)
    unknown = propose(tmp_path / "others.json", 10, *TASKS)
    for task, test in (("one", 0.5), ("two", None)):
        remember(store, 10, {0: (0.5, test)}, task=task)
    mean_proposed = compare_runs(runs, unknown, [store]).parts[0].proposed
    assert mean_proposed is not None
    assert mean_proposed.test is None
    fewer = compare_runs(runs[:3], proposals, [store])
    assert fewer.overall is None
    assert [part.task for part in fewer.parts] == ["one", "two"]


def test_a_joint_training_counts_on_the_task_that_is_searched(tmp_path: Path) -> None:
    alone = make_search(tmp_path / "alone", [0.6, 0.7])
    known = architectures()

    def entry(task: str, index: int, value: float, **more: Any) -> dict[str, Any]:
        metrics = {"validation_auroc": value, "test_auroc": value}
        return {
            "task": task,
            "architecture": known[index].key,
            "tokens": list(known[index].tokens),
            "seed": 0,
            "state": "done",
            "reason": "",
            "metrics": {**metrics, **more},
        }

    predicted = entry("one", 0, 0.99)  # the same that is trained after it
    del predicted["metrics"]["test_auroc"]
    again = entry("one", 0, 0.65)
    entries = [predicted, again, entry("two", 1, 0.9), again, entry("one", 2, 0.75)]
    config = {
        "version": "0.1.0",
        "seed": 0,
        "training_tasks": {name: TASKS[name] for name in ("one", "two")},
        "controller": {},
        "fidelity": TINY.to_dict(),
        "space": SPACE.to_dict(),
    }
    joint = write_run(tmp_path / "joint", config, entries, batch=5)
    compared = compare_runs([alone, joint])
    assert [part.task for part in compared.tasks] == ["one"]
    mine = next(one for one in compared.searched if one.method == JOINT)
    assert mine.curve.validation.tolist() == [0.65, 0.75]
    assert mine.curve.spent["wall_hours"].tolist() == [1, 2]
    assert "a network that it asked for again counts once" in notes(compared)
    assert "What a predictor answered is no evaluation" in notes(compared)
    assert [part.task for part in compare_runs([joint]).tasks] == ["one", "two"]
    other = make_search(tmp_path / "other", [0.6], task="three")
    with pytest.raises(RunError, match=f"{joint}.*nothing to compare"):
        compare_runs([other, joint])


def test_a_search_by_shared_weights_is_charged_for_them(tmp_path: Path) -> None:
    run = make_search(tmp_path / "enas", [0.6, 0.7], "enas", enas={"units": 64}, turns=20)
    (run / "supernet").mkdir()
    with Journal(run / "supernet" / "journal.jsonl") as journal:
        for step in range(2):
            journal.append({"step": step, "evaluations": [], "logs": {}, "wall_seconds": 1800.0})
    compared = compare_runs([run])
    (found,) = compared.searched
    assert found.curve.spent["wall_hours"].tolist() == [2, 3]
    assert found.curve.spent["cpu_hours"].tolist() == [1.5, 2]
    assert found.curve.spent["gpu_hours"].tolist() == [0, 0]
    assert np.isnan(found.curve.spent["energy_kwh"]).all()
    assert f"A search by shared weights ({run}) is charged for them" in notes(compared)
    longer = make_search(tmp_path / "longer", [0.6], "enas", 1, enas={"units": 64}, turns=40)
    labels = [one.label for one in compare_runs([run, longer]).tasks[0].contenders]
    assert labels == ["enas, turns 20", "enas, turns 40"]


def changed_fidelity(**constants: Any) -> dict[str, Any]:
    return {"fidelity": {**TINY.to_dict(), **constants}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (changed_fidelity(epochs=7), r"tiny \(epochs 7\), those of .*one at tiny \(epochs 2\)"),
        ({"task": {"one": "3" * 16}}, "holds other windows .3333333333333333. than that of .*one"),
        (
            {"space": {**SPACE.to_dict(), "version": 2}},
            r"\(version 2\) is another than that of .*one",
        ),
        ({"evaluations": 99}, r"is the same search of one as .*one \(random, seed 0\)"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_both_names(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    one = make_search(tmp_path / "one", [0.5, 0.6])
    other = make_search(tmp_path / "other", [0.5, 0.6])
    config = yaml.safe_load((other / "config.yaml").read_text())
    (other / "config.yaml").write_text(yaml.safe_dump({**config, **changes}))
    with pytest.raises(RunError, match=f"^{other}: .*{said}"):
        compare_runs([one, other])
