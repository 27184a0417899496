"""Training from records alone: nothing is trained, nothing held out is looked at, and it goes on like any run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_run import HELD_OUT, LEARNING, make_tasks, train_small
from tiny_children import TINY, architectures

from ambient.errors import RunError
from ambient.evaluate import Evaluation, Request, Store
from ambient.search import read_journal

GOOD = 3  # choice of the first decision that is worth most


def recorded(path: Path, held_out: float | None = None, tasks: tuple[str, ...] = LEARNING) -> Path:
    """A store with all twelve architectures on the tasks; `held_out` is what those that wait would earn."""
    data = make_tasks()
    rows = [
        Evaluation.of(
            Request(name, one, 0, TINY),
            data[name].hash,
            metrics={"validation_auroc": 0.6 + 0.1 * (one.tokens[0] == GOOD) + 0.01 * number},
        )
        for number, name in enumerate(tasks)
        for one in architectures()
    ]
    if held_out is not None:
        rows += [
            Evaluation.of(
                Request(name, one, 0, TINY),
                data[name].hash,
                metrics={"validation_auroc": held_out * (one.tokens[0] != GOOD)},
            )
            for name in HELD_OUT
            for one in architectures()
        ]
    with Store(path) as store:
        store.put(*rows)
    return path


def weights(folder: Path, **settings: object) -> dict[str, torch.Tensor]:
    controller = train_small(folder, **settings)  # type: ignore[arg-type]
    return dict(controller.policy.state_dict())


def are_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_policy_learns_what_the_records_say_and_no_child_is_trained(tmp_path: Path) -> None:
    engine = f"predictor:{recorded(tmp_path / 'rows.sqlite')}"
    run = tmp_path / "run"
    train_small(run, steps=25, engine=engine)
    steps = read_journal(run / "journal.jsonl")
    last = [row["tokens"][0] for step in steps[-5:] for row in step["evaluations"]]
    first = [row["tokens"][0] for step in steps[:5] for row in step["evaluations"]]
    assert last.count(GOOD) / len(last) > first.count(GOOD) / len(first)
    with Store(run / "store.sqlite") as store:
        assert len(store) == 0, "what was guessed is no evaluation to remember"


def test_what_is_recorded_of_held_out_tasks_changes_nothing(tmp_path: Path) -> None:
    honest = recorded(tmp_path / "honest.sqlite")
    leaking = recorded(tmp_path / "leaking.sqlite", held_out=0.99)
    one, other = (
        weights(tmp_path / path.stem, steps=4, engine=f"predictor:{path}")
        for path in (honest, leaking)
    )
    assert are_equal(one, other)


def test_it_goes_on_from_records_and_then_with_real_children(tmp_path: Path) -> None:
    engine = f"predictor:{recorded(tmp_path / 'rows.sqlite')}"
    straight = weights(tmp_path / "straight", steps=6, engine=engine)
    train_small(tmp_path / "resumed", steps=3, engine=engine)
    resumed = weights(tmp_path / "resumed", steps=6, engine=engine, resume=True)
    assert are_equal(straight, resumed)
    train_small(tmp_path / "resumed", steps=7, engine="inline", resume=True)
    with Store(tmp_path / "resumed" / "store.sqlite") as store:
        assert 0 < len(store) <= 4


@pytest.mark.parametrize("tasks", [(), LEARNING[:1]])
def test_too_few_records_are_named_with_their_file(tmp_path: Path, tasks: tuple[str, ...]) -> None:
    path = recorded(tmp_path / "rows.sqlite", tasks=tasks)
    count = 12 * len(tasks)
    with pytest.raises(
        RunError, match=rf"rows\.sqlite: of the training tasks.*found {count} evaluations"
    ):
        train_small(tmp_path / "run", steps=1, engine=f"predictor:{path}")
