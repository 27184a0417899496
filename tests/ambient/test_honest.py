"""Rounds of real children between steps with a predictor: what is trained, what is learned, and going on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from small_run import LEARNING, make_tasks, train_small
from tiny_children import TINY, architectures

from ambient.controller.card import Controller
from ambient.errors import RunError
from ambient.evaluate import Evaluation, Request, Store
from ambient.report import write_report
from ambient.search.joint import JointConfig
from ambient.search.rounds import Round, read_rounds, round_file

KNOWN = 8  # of the twelve architectures; what they are said to earn is far from what tiny children reach


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    data = make_tasks()
    rows = [
        Evaluation.of(
            Request(name, one, 0, TINY),
            data[name].hash,
            metrics={"validation_auroc": 0.05 + 0.001 * n},
        )
        for name in LEARNING
        for n, one in enumerate(architectures()[:KNOWN])
    ]
    path = tmp_path / "rows.sqlite"
    with Store(path) as store:
        store.put(*rows)
    return path


def train(folder: Path, recorded: Path, **settings: object) -> dict[str, torch.Tensor]:
    controller = train_small(  # type: ignore[arg-type]
        folder, engine=f"predictor:{recorded}", workers=1, real_every=2, **settings
    )
    return dict(controller.policy.state_dict())


def test_a_round_trains_what_is_not_recorded_and_the_predictor_learns_from_it(
    tmp_path: Path, recorded: Path
) -> None:
    said: list[str] = []
    controller = train_small(
        tmp_path / "run", 5, said=said, engine=f"predictor:{recorded}", workers=1, real_every=2
    )
    with Store(tmp_path / "run" / "store.sqlite") as store:
        trained = {(row.task, row.architecture.key): row for row in store.rows()}
    assert {task for task, _ in trained} == set(LEARNING)
    assert len(trained) == 6, "a new architecture for each of three tasks, in each of two rounds"
    assert not {key for _, key in trained} & {one.key for one in architectures()[:KNOWN]}
    learned = controller.predictor.records  # type: ignore[union-attr]
    assert len(learned.values) == 3 * KNOWN + 6
    reached = sorted(row.metrics["validation_auroc"] for row in trained.values())
    np.testing.assert_allclose(sorted(learned.values)[-6:], reached)
    first = json.loads((tmp_path / "run" / "rounds" / "step-000002.json").read_text())
    assert [entry["task"] for entry in first] == list(LEARNING)
    assert all(0 <= one["expected"]["low"] <= one["expected"]["high"] < 0.3 for one in first)
    assert [line.split(";")[0] for line in said] == [
        "step 2: trained 3 proposals",
        "step 4: trained 3 proposals",
    ]


def test_what_was_reached_moves_the_policy(tmp_path: Path, recorded: Path) -> None:
    kept_honest = train(tmp_path / "honest", recorded, steps=5)
    alone = train_small(tmp_path / "alone", 5, engine=f"predictor:{recorded}")
    assert not torch.equal(
        kept_honest["to_state.weight"], alone.policy.state_dict()["to_state.weight"]
    )


@pytest.mark.parametrize("killed_after", [2, 3])
def test_it_goes_on_with_the_same_rounds(tmp_path: Path, recorded: Path, killed_after: int) -> None:
    straight = train(tmp_path / "straight", recorded, steps=5)
    train(tmp_path / "resumed", recorded, steps=killed_after)
    resumed = train(tmp_path / "resumed", recorded, steps=5, resume=True)
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)
    with (
        Store(tmp_path / "straight" / "store.sqlite") as one,
        Store(tmp_path / "resumed" / "store.sqlite") as other,
    ):
        assert {row.key for row in one.rows()} == {row.key for row in other.rows()}


def test_it_goes_on_where_its_rounds_go_into_what_it_learns_from(
    tmp_path: Path, recorded: Path
) -> None:
    def run(name: str, *stops: int) -> Controller:
        rows = Path(shutil.copy(recorded, tmp_path / f"{name}.sqlite"))
        settings = {"engine": f"predictor:{rows}", "workers": 1, "real_every": 2, "store": rows}
        for stop in stops:
            found = train_small(tmp_path / name, stop, resume=stop != stops[0], **settings)
        return found

    straight, resumed = run("straight", 5), run("resumed", 3, 5)
    assert straight.predictor is not None
    assert resumed.predictor is not None
    assert len(resumed.predictor.records.values) == len(straight.predictor.records.values)
    assert straight.weights_sha256 == resumed.weights_sha256


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"engine": "pool", "real_every": 5},
            "every 5 steps with the engine pool, which is no pred",
        ),
        ({"engine": "predictor:rows", "real_every": 0}, "every 0 steps, at least 1 is needed"),
        ({"engine": "predictor:rows", "workers": 2}, "with a predictor, which trains nothing"),
    ],
)
def test_what_makes_no_sense_is_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(RunError, match=said):
        JointConfig(**settings)  # type: ignore[arg-type]


def test_the_rounds_say_what_was_reached_and_stand_in_the_report(
    tmp_path: Path, recorded: Path
) -> None:
    train(tmp_path / "run", recorded, steps=5)
    first, second = read_rounds(tmp_path / "run")
    assert (first.step, second.step, first.failed, len(first.trained)) == (2, 4, 0, 3)
    assert first.expected < 0.3 < first.reached, "the records promised far less"
    assert first.covered == 0
    assert second.expected > first.expected, "it learned"
    page = write_report(tmp_path / "run").read_text()
    assert "evaluations answered by a predictor and 6 trained in rounds" in page
    row = page[page.index("Rounds of real children") :]
    assert f"{first.reached:.3f}" in row
    assert "0 of 3" in row


def test_a_round_that_is_no_round_is_refused_by_name(tmp_path: Path) -> None:
    path = round_file(tmp_path, 4)
    path.parent.mkdir()
    for text in (
        '[{"task": "one"}]',
        "{}4",
        '[{"task": 1, "tokens": [], "summary": "", "expected": {}}]',
    ):
        path.write_text(text)
        with pytest.raises(RunError, match=r"step-000004\.json"):
            read_rounds(tmp_path)


def test_a_failed_proposal_is_counted_and_expected_of_nobody() -> None:
    entry = {
        "task": "one",
        "tokens": [],
        "summary": "",
        "expected": {"mean": 0.5, "low": 0, "high": 1},
    }
    held = Round(7, ({**entry, "reached": None}, {**entry, "task": "two", "reached": 0.75}, entry))
    assert (held.failed, held.covered, held.expected, held.reached) == (1, 1, 0.5, 0.75)
    assert str(held).startswith(
        "step 7: trained 3 proposals, of which 1 failed; expected 0.500, reached 0.750"
    )
    assert Round(7, ({**entry, "reached": None},)).to_dict() == {"real/failed": 1}
