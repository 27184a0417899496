"""Training from records alone: nothing is trained, nothing held out is looked at, and it goes on like any run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_run import CONTROLLER, HELD_OUT, LEARNING, make_tasks, train_small
from tiny_children import TINY, architectures

from ambient.errors import RunError
from ambient.evaluate import Evaluation, Request, Store
from ambient.search import read_journal
from ambient.search.config import AmbientConfig
from ambient.search.joint import JointConfig

GOOD = 3  # choice of the first decision that is worth most


def rows(names: Sequence[str], worth: Callable[[int, bool], float]) -> list[Evaluation]:
    """All twelve architectures on tasks, each worth what the number of the task and being good make it."""
    data = make_tasks()
    return [
        Evaluation.of(
            Request(name, one, 0, TINY),
            data[name].hash,
            metrics={"validation_auroc": worth(number, one.tokens[0] == GOOD)},
        )
        for number, name in enumerate(names)
        for one in architectures()
    ]


def recorded(path: Path, held_out: float | None = None, tasks: Sequence[str] = LEARNING) -> Path:
    """A store of tasks that agree; `held_out` is what those that wait would earn."""
    with Store(path) as store:
        store.put(*rows(tasks, lambda number, good: 0.6 + 0.1 * good + 0.01 * number))
        if held_out is not None:
            store.put(*rows(HELD_OUT, lambda _, good: held_out * (not good)))
    return path


def at_odds(path: Path) -> Path:
    """A store in which the first task holds the opposite of what the others do."""
    with Store(path) as store:
        store.put(*rows(LEARNING, lambda number, good: 0.8 if good != (number == 0) else 0.6))
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


@pytest.mark.parametrize("leave_own_out", [False, True])
def test_a_reward_is_what_others_tell_where_own_records_are_left_out(
    tmp_path: Path, leave_own_out: bool
) -> None:
    engine = f"predictor:{at_odds(tmp_path / 'rows.sqlite')}"
    config = replace(CONTROLLER, leave_own_out=leave_own_out)
    train_small(tmp_path / "run", steps=12, engine=engine, controller=config)
    rewards: dict[bool, list[float]] = {False: [], True: []}
    for step in read_journal(tmp_path / "run" / "journal.jsonl"):
        for row in step["evaluations"]:
            if row["task"] == LEARNING[0]:
                rewards[row["tokens"][0] == GOOD].append(row["metrics"]["validation_auroc"])
    others_way = min(rewards[True]) > max(rewards[False])
    own_way = max(rewards[True]) < min(rewards[False])
    assert (own_way, others_way) == (not leave_own_out, leave_own_out)


@pytest.mark.parametrize("leave_own_out", [False, True])
def test_runs_of_before_say_nothing_of_it_and_others_keep_it(leave_own_out: bool) -> None:
    config = replace(CONTROLLER, leave_own_out=leave_own_out)
    written = config.to_dict()
    assert ("leave_own_out" in written) is leave_own_out
    assert AmbientConfig.from_dict(written) == config


def test_leaving_own_records_out_needs_a_predictor() -> None:
    with pytest.raises(RunError, match="leave_own_out with the engine pool"):
        JointConfig(controller=replace(CONTROLLER, leave_own_out=True))


@pytest.mark.parametrize("tasks", [(), LEARNING[:1]])
def test_too_few_records_are_named_with_their_file(tmp_path: Path, tasks: tuple[str, ...]) -> None:
    path = recorded(tmp_path / "rows.sqlite", tasks=tasks)
    count = 12 * len(tasks)
    with pytest.raises(
        RunError, match=rf"rows\.sqlite: of the training tasks.*found {count} evaluations"
    ):
        train_small(tmp_path / "run", steps=1, engine=f"predictor:{path}")
