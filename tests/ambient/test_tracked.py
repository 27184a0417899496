"""What a tracker is told of a run's journal."""

from __future__ import annotations

from typing import Any

from tiny_children import SPACE, architectures

from ambient.search.tracked import add_costs, evaluation_table, mean_rewards, step_values

FIRST, SECOND = architectures()[:2]


def evaluation(task: str, architecture: Any, value: float | None, **changes: Any) -> dict[str, Any]:
    metrics = {"test_auroc": 0.25, "validation_auroc": value} if value is not None else {}
    return {
        "task": task,
        "architecture": architecture.key,
        "tokens": list(architecture.tokens),
        "seed": 7,
        "state": "done" if value is not None else "failed",
        "reason": "" if value is not None else "out of memory",
        "metrics": metrics,
        **changes,
    }


LINE = {
    "step": 3,
    "evaluations": [
        evaluation("a", FIRST, 0.5),
        evaluation("a", SECOND, 1.0),
        evaluation("b", FIRST, None),
    ],
    "logs": {"entropy": 2.5, "baseline/a": 0.7},
    "wall_seconds": 9.0,
    "costs": {
        "wall_seconds": [1.0, 2.0, 4.0],
        "cpu_seconds": [1.0, 1.0, 1.0],
        "gpu_seconds": [0.0, 0.0, 0.0],
        "energy_kwh": [None, 0.25, None],
    },
}
OLD = {key: value for key, value in LINE.items() if key != "costs"}


def test_a_task_is_rewarded_with_the_mean_of_its_children_that_did_not_fail() -> None:
    assert mean_rewards(LINE, "validation_auroc") == {"a": 0.75}


def test_costs_add_up_over_steps_and_what_was_never_measured_is_not_zero() -> None:
    spent: dict[str, float] = {}
    add_costs(spent, OLD)
    assert spent == {}
    unmeasured: dict[str, float] = {}
    add_costs(unmeasured, {**LINE, "costs": {"energy_kwh": [None, None, None]}})
    assert unmeasured == {}
    for _ in range(2):
        add_costs(spent, LINE)
    assert spent == {
        "wall_seconds": 14.0,
        "cpu_seconds": 6.0,
        "gpu_seconds": 0.0,
        "energy_kwh": 0.5,
    }
    values = step_values(LINE, "validation_auroc", spent)
    assert values["cost"]["wall_seconds"] == 7.0
    assert values["cost_so_far"] == spent
    assert (values["evaluated"], values["failed"], values["stopped"]) == (3, 1, 0)
    assert (values["entropy"], values["step_seconds"]) == (2.5, 9.0)
    assert step_values(OLD, "validation_auroc", {})["cost"] == {}


def test_the_table_says_all_of_each_evaluation_validation_first() -> None:
    columns, rows = evaluation_table([LINE, {**OLD, "step": 4}], SPACE, {"a": "tf"})
    assert columns[8:] == [
        *("validation_auroc", "test_auroc"),
        *("wall_seconds", "cpu_seconds", "gpu_seconds", "energy_kwh"),
    ]
    assert len(rows) == 6
    second, third, old = (dict(zip(columns, rows[at], strict=True)) for at in (1, 2, 4))
    assert second == {
        "step": 3,
        "task": "a",
        "category": "tf",
        "architecture": SECOND.key,
        "summary": SECOND.summary(),
        "seed": 7,
        "state": "done",
        "reason": "",
        "validation_auroc": 1.0,
        "test_auroc": 0.25,
        "wall_seconds": 2.0,
        "cpu_seconds": 1.0,
        "gpu_seconds": 0.0,
        "energy_kwh": 0.25,
    }
    assert third["category"] is None
    assert (third["reason"], third["validation_auroc"]) == ("out of memory", None)
    assert (old["step"], old["validation_auroc"], old["wall_seconds"]) == (4, 1.0, None)
