"""Read the journal of a run for its page: what each step evaluated, earned and taught."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ambient.report.checks import as_list, as_mapping, as_numbers, broken
from ambient.search.journal import read_finished

__all__ = ["Evaluated", "read_journal"]

BASELINE = "baseline/"  # logs of this name hold a task's moving average of rewards


@dataclass(frozen=True)
class Evaluated:
    """One evaluation of a journal."""

    task: str
    tokens: tuple[int, ...]  # empty where the journal or the space is too old to tell
    state: str
    metrics: Mapping[str, float | None]
    costs: Mapping[str, float | None]  # seconds and kWh; empty in older journals


def read_journal(
    path: Path, metric: str, choices: Sequence[int] | None
) -> tuple[tuple[Mapping[str, Any], ...] | None, bool]:
    """Read the steps of a run, in their order, and say whether the last line was cut.

    Parameters
    ----------
    path : path
        An absent file gives None.
    metric : str
        What is rewarded.
    choices : sequence of int, or None
        How many each decision of the space offers; None where it is not known, and tokens are left out.

    Returns
    -------
    steps : tuple of mapping, or None
        Of each step the controller's diagnostics by their names; `step` from 1; `rewards` and `baselines` by task;
        `evaluated`, one `Evaluated` for each evaluation; and `evaluations`, `failed`, `wall_seconds` added up from
        the first step on.
    torn : bool

    Raises
    ------
    RunError
        A line is damaged, or not what it should be.
    """
    if not path.exists():
        return None, False
    records, torn = read_finished(path)
    steps: dict[int, dict[str, Any]] = {}
    for number, record in enumerate(records, start=1):
        where = f"{path}:{number}"
        as_mapping(record, where, "step", "evaluations", "logs")
        # A resumed run writes some steps again: the last counts.
        steps[int(record["step"])] = _step(record, where, metric, choices)
    return _accumulate([steps[number] for number in sorted(steps)]), torn


def _step(
    record: Mapping[str, Any], where: str, metric: str, choices: Sequence[int] | None
) -> dict[str, Any]:
    """Sort one line of the journal by task: rewards and baselines, and the controller's diagnostics."""
    rewards: dict[str, list[float]] = {}
    evaluated = _evaluated(record, where, choices)
    for one in evaluated:
        value = one.metrics.get(metric)
        if value is not None:
            rewards.setdefault(one.task, []).append(value)
    logs = as_numbers(record["logs"], where)
    return {
        **{name: value for name, value in logs.items() if not name.startswith(BASELINE)},
        "step": int(record["step"]) + 1,
        "evaluated": evaluated,
        "evaluations": len(evaluated),
        "failed": sum(one.state == "failed" for one in evaluated),
        "wall_seconds": float(record.get("wall_seconds", 0.0)),
        "rewards": rewards,
        "baselines": {
            name.removeprefix(BASELINE): value
            for name, value in logs.items()
            if name.startswith(BASELINE)
        },
    }


def _evaluated(
    record: Mapping[str, Any], where: str, choices: Sequence[int] | None
) -> tuple[Evaluated, ...]:
    evaluations = as_list(record["evaluations"], where)
    costs = as_mapping(record.get("costs", {}), where)
    for name, values in costs.items():
        if len(as_list(values, where)) != len(evaluations):
            raise broken(
                f"{where}, costs, {name}",
                f"found {len(values)} numbers where one for each of {len(evaluations)} evaluations",
            )
    found = []
    for index, one in enumerate(evaluations):
        as_mapping(one, where, "task", "state", "metrics")
        tokens = [] if choices is None else as_list(one.get("tokens", []), where)
        if choices and tokens and not _are_tokens(tokens, choices):
            raise broken(
                f"{where}, tokens",
                f"found {tokens} where a choice, or -1, for each of the {len(choices)} decisions of the space",
            )
        taken = {name: values[index] for name, values in costs.items()}
        found.append(
            Evaluated(
                one["task"],
                tuple(tokens),
                one["state"],
                as_numbers(one["metrics"], where),
                as_numbers(taken, where),
            )
        )
    return tuple(found)


def _are_tokens(tokens: Sequence[Any], choices: Sequence[int]) -> bool:
    return len(tokens) == len(choices) and all(
        type(token) is int and -1 <= token < count
        for token, count in zip(tokens, choices, strict=True)
    )


def _accumulate(steps: list[dict[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Add evaluations, failures and seconds up from step to step, and carry each task's last baseline on."""
    totals = {"evaluations": 0, "failed": 0, "wall_seconds": 0.0}
    baselines: dict[str, float | None] = {}
    for step in steps:
        for name in totals:
            totals[name] += step[name]
        baselines = {**baselines, **step["baselines"]}
        step.update(totals, baselines=baselines)
    return tuple(steps)
