"""What a tracker is told of a run: a step's numbers and the table of evaluations, as the journal has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ambient.search.loop import COSTS
from ambient.space import SearchSpace

__all__ = ["add_costs", "evaluation_table", "mean_rewards", "step_values"]

Line = Mapping[str, Any]  # of a journal, as `Step.to_dict` gives it

ASKED = ("step", "task", "category", "architecture", "summary", "seed", "state", "reason")


def step_values(line: Line, metric: str, spent: Mapping[str, float]) -> dict[str, Any]:
    """Give the numbers of one step.

    Parameters
    ----------
    line : mapping
        The journal's line.
    metric : str
        What is rewarded.
    spent : mapping of str to float
        What this step and those before it cost together (`add_costs`).

    Returns
    -------
    dict
        The searcher's diagnostics (for a controller `reward`, `entropy`, `approx_kl`, `clip_fraction`,
        `explained_variance`, `baseline/TASK` and so on); `rewards` of each task; how many children were `evaluated`
        and how many `failed` or were `stopped`; `step_seconds` of wall time; and `cost` of the step and
        `cost_so_far` by the names of `COSTS`, in seconds and kilowatt-hours, where they are known.
    """
    states = [one["state"] for one in line["evaluations"]]
    cost: dict[str, float] = {}
    add_costs(cost, line)
    return {
        **line["logs"],
        "rewards": mean_rewards(line, metric),
        "evaluated": len(states),
        "failed": states.count("failed"),
        "stopped": states.count("stopped"),
        "step_seconds": line["wall_seconds"],
        "cost": cost,
        "cost_so_far": dict(spent),
    }


def mean_rewards(line: Line, metric: str) -> dict[str, float]:
    """Give the mean of a metric for each task of a step; children without it, as failed ones are, do not count."""
    earned: dict[str, list[float]] = {}
    for one in line["evaluations"]:
        value = one["metrics"].get(metric)
        if value is not None:
            earned.setdefault(one["task"], []).append(value)
    return {task: sum(values) / len(values) for task, values in earned.items()}


def add_costs(spent: dict[str, float], line: Line) -> None:
    """Add what the evaluations of a step took to what was spent; what is known of none of them is passed over."""
    for name, values in line.get("costs", {}).items():  # older journals say nothing of costs
        known = [value for value in values if value is not None]
        if known:
            spent[name] = spent.get(name, 0.0) + sum(known)


def evaluation_table(
    lines: Iterable[Line], space: SearchSpace, categories: Mapping[str, str]
) -> tuple[list[str], list[list[Any]]]:
    """Give every evaluation of a run as a row.

    Parameters
    ----------
    lines : iterable of mapping
        The journal.
    space : SearchSpace
        Of its architectures.
    categories : mapping of str to str
        Task to category.

    Returns
    -------
    columns : list of str
        `ASKED`, then the metrics, those of the validation split first, then `COSTS`.
    rows : list of list
        Text, numbers, and None where something is not known.
    """
    lines = list(lines)
    names = {name for line in lines for one in line["evaluations"] for name in one["metrics"]}
    metrics = sorted(names, key=lambda name: (not name.startswith("validation_"), name))
    rows = [
        [
            *(line["step"], one["task"], categories.get(one["task"]), one["architecture"]),
            space.architecture(one["tokens"]).summary(),
            *(one["seed"], one["state"], one["reason"]),
            *(one["metrics"].get(name) for name in metrics),
            *costs,
        ]
        for line in lines
        for one, costs in zip(line["evaluations"], _costs_of(line), strict=True)
    ]
    return [*ASKED, *metrics, *COSTS], rows


def _costs_of(line: Line) -> Iterator[tuple[float | None, ...]]:
    """Give what each evaluation of a step took."""
    unknown = [None] * len(line["evaluations"])
    return zip(*(line.get("costs", {}).get(name, unknown) for name in COSTS), strict=True)
