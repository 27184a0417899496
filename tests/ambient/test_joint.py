"""Joint training of one run: what it touches, what it leaves, when it stops."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_run
import yaml
from small_run import HELD_OUT, LEARNING, make_tasks, train_small
from tiny_children import TINY, architectures
from wandb_files import read_artifacts, read_config, read_history, read_media

from ambient.child.fidelity import FULL
from ambient.controller.card import Controller
from ambient.errors import InputError, RunError
from ambient.evaluate import Evaluation, Request, Store
from ambient.report.run_folder import read_run
from ambient.search import read_journal
from ambient.search.joint import JointConfig, read_descriptors, train_jointly
from ambient.search.loop import Step
from ambient.space import SearchSpace
from ambient.track import NoTracker
from ambient.version import __version__


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("joint") / "run"
    train_small(folder, steps=3)
    return folder


def test_no_held_out_task_is_ever_trained_on(run: Path) -> None:
    with Store(run / "store.sqlite") as store:
        assert {row.task for row in store.rows()} <= set(LEARNING)
    controller = Controller.load(run)
    assert {task.name for task in controller.tasks} == set(LEARNING)


def test_the_configuration_is_resolved_and_names_the_data_by_its_hash(run: Path) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    tasks = make_tasks()
    assert config["training_tasks"] == {name: tasks[name].hash for name in LEARNING}
    assert config["held_out_tasks"] == list(HELD_OUT)
    assert config["version"] == __version__
    assert config["fidelity"]["name"] == "tiny"
    assert config["controller"]["ppo"]["clip_ratio"] == 0.2


def test_the_descriptors_are_kept_for_the_day_that_the_run_goes_on(run: Path) -> None:
    kept = read_descriptors(run)
    assert set(kept) == {*LEARNING, *HELD_OUT}
    assert kept["four"] == small_run.make_descriptors("four")
    assert read_descriptors(run / "controller") == {}


def test_the_report_reads_rewards_and_baselines_from_the_journal(run: Path) -> None:
    steps = read_journal(run / "journal.jsonl")
    page = read_run(run)
    assert page.journal is not None
    assert [step["step"] for step in page.journal] == [1, 2, 3]
    last = page.journal[-1]
    assert last["evaluations"] == sum(len(step["evaluations"]) for step in steps)
    assert set(last["baselines"]) == {row["task"] for s in steps for row in s["evaluations"]}
    first = {row["task"] for row in steps[0]["evaluations"]}
    assert set(page.journal[0]["rewards"]) == first


def test_the_hours_end_a_run_after_the_step_that_passes_them(tmp_path: Path) -> None:
    train_small(tmp_path / "run", steps=50, hours=1e-9)
    assert len(read_journal(tmp_path / "run" / "journal.jsonl")) == 1
    assert (tmp_path / "run" / "controller" / "card.json").exists()


@pytest.mark.parametrize("from_before", [False, True], ids=["", "begun before it was noted"])
def test_a_run_that_goes_on_with_real_children_keeps_what_it_learned_from(
    tmp_path: Path, from_before: bool
) -> None:
    data = make_tasks()
    rows = [
        Evaluation.of(
            Request(name, one, 0, fidelity), data[name].hash, metrics={"validation_auroc": 0.7 + n}
        )
        for fidelity in (TINY, FULL)
        for name in LEARNING
        for n, one in zip(np.linspace(0, 0.2, 8), architectures(), strict=False)
    ]
    with Store(tmp_path / "rows.sqlite") as store:
        store.put(*rows)
    run = tmp_path / "run"
    before = train_small(run, steps=2, engine=f"predictor:{tmp_path / 'rows.sqlite'}")
    if from_before:
        text = (run / "config.yaml").read_text().splitlines()
        kept = [line for line in text if not line.startswith("records:")]
        (run / "config.yaml").write_text("\n".join(kept))
    after = train_small(run, steps=3, resume=True)
    assert before.predictor is not None
    assert after.predictor is not None
    with Store(run / "store.sqlite") as store:
        known = {row.key for row in store.rows()} | {row.key for row in rows[: 3 * 8]}
    assert len(after.predictor.records.values) == len(known) > 3 * 8
    assert before.proven is not None
    assert after.proven == before.proven
    again = train_small(run, steps=4, resume=True)
    assert again.proven == before.proven


def test_a_space_with_windows_wider_than_what_is_stored_is_refused(tmp_path: Path) -> None:
    wide = SearchSpace.from_dict(
        {
            "name": "wide",
            "version": 1,
            "window_bp": 60,
            "decisions": [
                {"name": "window", "sets": "window", "choices": [60, 90]},
                {"name": "tail", "choices": ["global_max"]},
            ],
        }
    )
    assert wide.widest_window_bp == 90
    described = {name: small_run.make_descriptors(name) for name in LEARNING}
    with pytest.raises(InputError, match="one: windows of 90 bp were asked for, but 80 bp are st"):
        train_jointly(
            tmp_path / "run",
            small_run.make_corpus(),
            wide,
            make_tasks(),
            described,
            JointConfig(steps=1, engine="inline"),
        )
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train with W&B, in a process of its own, since that keeps a service alive; the home is empty."""
    folder = tmp_path_factory.mktemp("tracked")
    script = (
        "import sys; from pathlib import Path\n"
        "from ambient.report import controller_figures\n"
        "from small_run import HELD_OUT, LEARNING, make_descriptors, train_small\n"
        "described = {name: make_descriptors(name) for name in (*LEARNING, *HELD_OUT)}\n"
        "groups = dict.fromkeys(described, 'tf') | {'two': 'histone'}\n"
        "draw = lambda controller: controller_figures(controller, described, groups)\n"
        "train_small(Path(sys.argv[1]), 3, track='wandb', draw=draw)"
    )
    home = folder / "home"
    home.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script, folder / "run"],
        capture_output=True,
        text=True,
        env={
            "HOME": str(home),
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": str(Path(small_run.__file__).parent),
        },
    )
    assert done.returncode == 0, done.stderr
    assert not any(home.iterdir())
    return folder / "run"


def test_the_tracker_holds_the_numbers_of_the_journal(tracked: Path) -> None:
    lines, rows = read_journal(tracked / "journal.jsonl"), read_history(tracked)
    assert [row["step"] for row in rows] == [0, 1, 2]
    spent = 0.0
    for line, row in zip(lines, rows, strict=True):
        names = {"reward", "entropy", "approx_kl", "clip_fraction", "explained_variance"}
        assert names <= set(line["logs"])
        assert any(name.startswith("baseline/") for name in line["logs"])
        for name, value in line["logs"].items():
            assert row[name] == pytest.approx(value)
        for task in {one["task"] for one in line["evaluations"]}:
            own = [one for one in line["evaluations"] if one["task"] == task]
            mean = sum(one["metrics"]["validation_auroc"] for one in own) / len(own)
            assert row[f"rewards/{task}"] == pytest.approx(mean)
        assert (row["evaluated"], row["failed"]) == (len(line["evaluations"]), 0)
        for name, values in line["costs"].items():
            if None not in values:  # energy is measured only where codecarbon is installed
                assert row[f"cost/{name}"] == pytest.approx(sum(values))
        assert row["cost/cpu_seconds"] > 0
        spent += row["cost/wall_seconds"]
        assert row["cost_so_far/wall_seconds"] == pytest.approx(spent)
    config = yaml.safe_load((tracked / "config.yaml").read_text())
    assert {name: read_config(tracked)[name] for name in config} == config


def test_the_tracked_table_has_a_row_for_each_evaluation_of_the_store(tracked: Path) -> None:
    table = read_media(tracked, "evaluations")
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    lines = read_journal(tracked / "journal.jsonl")
    assert len(rows) == sum(len(line["evaluations"]) for line in lines)
    with Store(tracked / "store.sqlite") as store:
        stored = {(one.task, one.architecture.key): one for one in store.rows()}
    assert {(row["task"], row["architecture"]) for row in rows} == set(stored)
    for row in rows:
        one = stored[row["task"], row["architecture"]]
        assert row["summary"] == one.architecture.summary()
        assert row["category"] == "tf"
        assert row["validation_auroc"] == pytest.approx(one.metrics["validation_auroc"])
        assert row["wall_seconds"] == pytest.approx(one.wall_seconds)


def test_the_tracker_has_the_diagram_of_proposals_and_the_controller(tracked: Path) -> None:
    panels = read_media(tracked, "proposals")["data"]
    assert [panel["type"] for panel in panels] == ["sankey", "sankey"]  # tf, histone
    for name, kind in (("choices", "heatmap"), ("embeddings", "scatter")):
        assert read_media(tracked, name)["data"][0]["type"] == kind
    saved = {path.name: path.read_bytes() for path in (tracked / "controller").iterdir()}
    assert read_artifacts(tracked)["model", "controller"] == saved
    assert {"card.json", "weights.safetensors"} <= set(saved)


def test_a_run_that_goes_on_adds_to_what_was_spent(tmp_path: Path) -> None:
    told: list[dict[str, float]] = []

    class Heard(NoTracker):
        def log(self, step: int, values: Mapping[str, Any]) -> None:
            told.append(dict(values["cost_so_far"]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ambient.search.joint.open_tracker", lambda *_: Heard())
        train_small(tmp_path / "run", 2)
        train_small(tmp_path / "run", 3, resume=True)
    lines = read_journal(tmp_path / "run" / "journal.jsonl")
    spent = [sum(line["costs"]["wall_seconds"]) for line in lines]
    expected = [sum(spent[: count + 1]) for count in range(3)]
    assert [one["wall_seconds"] for one in told] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "said"), [({"steps": 0}, "0 steps"), ({"hours": 0.0}, "0.0 hours")]
)
def test_a_budget_of_nothing_is_refused(changes: dict[str, float], said: str) -> None:
    with pytest.raises(RunError, match=said):
        JointConfig(**changes)  # type: ignore[arg-type]


def test_a_card_tells_how_the_controller_was_trained(run: Path) -> None:
    card = json.loads((run / "controller" / "card.json").read_text())
    assert card["training"]["steps"] == 3
    assert card["training"]["seed"] == 0


@pytest.mark.parametrize("ends_after", [0, 2])
def test_a_run_with_steps_ahead_goes_on_as_if_it_had_not_ended(
    tmp_path: Path, ends_after: int
) -> None:
    class EndedError(Exception):
        pass

    def end(step: Step) -> None:
        if step.number == ends_after:
            raise EndedError

    whole = train_small(tmp_path / "whole", 5, ahead=1)
    with pytest.raises(EndedError):
        train_small(tmp_path / "ended", 5, ahead=1, on_step=end)
    resumed = train_small(tmp_path / "ended", 5, resume=True, ahead=1)
    assert weights(resumed) == weights(whole)
    plain = train_small(tmp_path / "plain", 5)
    assert weights(plain) != weights(whole)
    lines = [read_journal(tmp_path / name / "journal.jsonl") for name in ("whole", "ended")]
    for step in (step for steps in lines for step in steps):
        del step["wall_seconds"], step["costs"]
    assert lines[0] == lines[1]


def test_a_run_does_not_change_how_many_steps_it_looks_ahead(tmp_path: Path) -> None:
    train_small(tmp_path / "run", 1, ahead=1)
    with pytest.raises(RunError, match="ahead = 1"):
        train_small(tmp_path / "run", 2, resume=True)


def weights(controller: Controller) -> dict[str, list[float]]:
    state = controller.policy.state_dict()
    return {name: tensor.flatten().tolist() for name, tensor in state.items()}
