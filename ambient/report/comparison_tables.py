"""The tables of a comparison, as text that the terminal, the page and a tracker share; and all of it as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ambient.report.comparison import (
    JUDGED,
    BreakEven,
    Comparison,
    Contender,
    TaskComparison,
)
from ambient.report.curves import EVALUATIONS, MEASURES, SPENT, Spread, interval_at
from ambient.report.proposed import Proposed
from ambient.report.summary import Interval
from ambient.report.tables import interval_text, number

__all__ = [
    "Sheet",
    "as_json",
    "break_even_matrix",
    "break_even_sheet",
    "budget_sheet",
    "hours_sheet",
    "run_sheet",
]

NONE = "–"
PROPOSAL = "zero-shot proposal"
UNITS = {
    "wall_hours": "wall h",
    "cpu_hours": "CPU h",
    "gpu_hours": "GPU h",
    "energy_kwh": "kWh",
}
SCORES = ("best validation AUROC", "its test AUROC", "mean reward")


@dataclass(frozen=True)
class Sheet:
    """A table as text.

    Parameters
    ----------
    title : str
    columns : tuple of str
    rows : tuple of tuple of str
    texts : int
        How many of the first columns hold words, not numbers.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int


def _number(value: float) -> str:
    """Write a cost with three digits."""
    return number(float(f"{value:.3g}")) if math.isfinite(value) else NONE


def _axes(parts: Iterable[TaskComparison]) -> list[str]:
    """Name the costs of which something is known in any of the parts."""
    known = {axis for part in parts for axis in part.axes()}
    return [axis for axis in SPENT if axis in known]


def _score(interval: Interval | None) -> str:
    return interval_text(interval) or NONE


def _mean_spent(one: Contender, axis: str, evaluations: int) -> str:
    return _number(float(np.mean([curve.axis(axis)[evaluations - 1] for curve in one.curves])))


def _proposal_scores(proposed: Proposed) -> list[str]:
    return [_score(proposed.validation), _score(proposed.test), NONE]


def budget_sheet(parts: Sequence[TaskComparison]) -> Sheet:
    """Set the searches beside one another at equal numbers of evaluations."""
    axes, rows = _axes(parts), []
    for part in parts:
        if part.proposed is not None:
            spent = [_number(part.proposed.spent[axis]) for axis in axes]
            seeds = str(len(part.proposed.seeds))
            rows.append((part.task, PROPOSAL, seeds, "1", *_proposal_scores(part.proposed), *spent))
        for budget in part.budgets:
            for one in part.contenders:
                at = [interval_at(one.curves, name, EVALUATIONS, budget) for name in MEASURES]
                has_all = len(one) >= budget
                spent = [_mean_spent(one, axis, budget) if has_all else NONE for axis in axes]
                repeats = str(len(one.seeds))
                rows.append(
                    (part.task, one.label, repeats, f"{budget:,}", *map(_score, at), *spent)
                )
    columns = ("task", "search", "repeats", "evaluations", *SCORES, *(UNITS[a] for a in axes))
    return Sheet("At equal numbers of evaluations", columns, tuple(rows), 2)


def hours_sheet(parts: Sequence[TaskComparison]) -> Sheet:
    """Set the searches beside one another at equal hours of the device."""
    rows = []
    for part in parts:
        axis = part.device_axis
        for hours in part.hours:
            for one in part.contenders:
                at = [interval_at(one.curves, name, axis, hours) for name in MEASURES]
                done = [int((curve.axis(axis) <= hours).sum()) for curve in one.curves]
                reached = NONE if at[0] is None else _number(float(np.mean(done)))
                spent = f"{_number(hours)} {UNITS[axis]}"
                repeats = str(len(one.seeds))
                rows.append((part.task, one.label, repeats, spent, reached, *map(_score, at)))
    columns = ("task", "search", "repeats", "spent", "evaluations by then", *SCORES)
    return Sheet("At equal hours", columns, tuple(rows), 2)


def _ends(one: Contender) -> str:
    lengths = sorted({len(curve) for curve in one.curves})
    return " to ".join(f"{length:,}" for length in dict.fromkeys((lengths[0], lengths[-1])))


def _spread(spread: Spread | None, beyond: str) -> str:
    """Write a median with its range; what is infinite lies beyond the end of a search."""
    if spread is None:
        return NONE
    shown = [
        _number(value) if math.isfinite(value) else beyond
        for value in (spread.median, spread.low, spread.high)
    ]
    return shown[0] if spread.low == spread.high else f"{shown[0]} ({shown[1]} to {shown[2]})"


def _from_evaluation(one: Contender, found: BreakEven | None, in_full: bool = True) -> str:
    """Say from which evaluation on half of the repeats are above the proposal."""
    if found is None:
        return NONE
    if math.isfinite(found.evaluations.median):
        return _spread(found.evaluations, f">{_ends(one)}")
    if not in_full:
        return f"not within {_ends(one)}"
    first = f" (first: {_number(found.evaluations.low)})" if found.reached else ""
    return f"not within its {_ends(one)} evaluations{first}"


def break_even_sheet(parts: Sequence[TaskComparison]) -> Sheet:
    """Say from where on each search stays above the zero-shot proposal, and what it had cost by then."""
    axes, rows = _axes(parts), []
    for part in parts:
        if part.proposed is None:
            continue
        for one in part.contenders:
            for measure in JUDGED:
                level = part.proposed.level(measure)
                found = one.break_even(measure, level)
                passed, spent = NONE, [NONE] * len(axes)
                if found is not None:
                    passed = f"{found.reached} of {len(found.points)}"
                    if math.isfinite(found.evaluations.median):
                        spent = [_spread(found.spent[axis], "more") for axis in axes]
                where = _from_evaluation(one, found)
                words = (part.task, one.label, measure)
                rows.append((*words, _number(level), passed, where, *spent))
    units = (UNITS[axis] for axis in axes)
    columns = ("task", "search", "AUROC", "of the proposal", "repeats above it", "from evaluation")
    return Sheet("Break-even with the zero-shot proposal", (*columns, *units), tuple(rows), 3)


def break_even_matrix(comparison: Comparison, measure: str) -> Sheet:
    """Say from which evaluation on each search stays above the proposals: a row for each task."""
    names = list(comparison.labels.values())
    rows = []
    for part in comparison.parts:
        if part.proposed is None:
            continue
        level = part.proposed.level(measure)
        found = {
            one.label: _from_evaluation(one, one.break_even(measure, level), in_full=False)
            for one in part.contenders
        }
        cells = [found.get(name, NONE) for name in names]
        rows.append((part.task, _number(level), *cells))
    return Sheet(f"In {measure} AUROC", ("task", "proposal", *names), tuple(rows), 1)


def run_sheet(comparison: Comparison) -> Sheet:
    """List the runs with what is charged to them, and what they took themselves."""
    axes, rows = _axes(comparison.tasks), []
    for one in comparison.searched:
        asked = f"{len(one.curve):,}" + (f" of {one.budget:,}" if one.budget is not None else "")
        charged = [_number(float(one.curve.spent[axis][-1])) for axis in axes]
        failed, stopped = (f"{one.states.get(name, 0):,}" for name in ("failed", "stopped"))
        words = (
            str(one.run),
            one.task,
            comparison.labels[one.series],
            f"{one.space} {one.space_version}",
        )
        took = _number(one.run_seconds / 3600)
        rows.append((*words, str(one.seed), asked, failed, stopped, *charged, took))
    columns = (
        "run",
        "task",
        "search",
        "space, version",
        "seed",
        "evaluations",
        "failed",
        "stopped",
    )
    units = (f"{UNITS[axis]} charged" for axis in axes)
    return Sheet("Runs", (*columns, *units, "wall h of the run itself"), tuple(rows), 4)


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _listed(values: np.ndarray) -> list[float | None]:
    return [_finite(value) for value in values.tolist()]


def _break_even_json(found: BreakEven | None) -> dict[str, Any] | None:
    if found is None:
        return None
    spreads = {EVALUATIONS: found.evaluations, **found.spent}
    return {
        "evaluations_of_repeats": list(found.points),
        **{
            axis: spread and {name: _finite(value) for name, value in asdict(spread).items()}
            for axis, spread in spreads.items()
        },
    }


def _at_json(one: Contender, axis: str, place: float) -> dict[str, Any]:
    found = {name: interval_at(one.curves, name, axis, place) for name in MEASURES}
    return {axis: place, **{name: value and asdict(value) for name, value in found.items()}}


def _part_json(part: TaskComparison) -> dict[str, Any]:
    proposed = part.proposed
    return {
        "task": part.task,
        "zero_shot": proposed
        and {
            **asdict(proposed),
            "spent": {axis: _finite(value) for axis, value in proposed.spent.items()},
        },
        "searches": [
            {
                "search": one.label,
                "space": one.space,
                "seeds": list(one.seeds),
                "at_equal_evaluations": [_at_json(one, EVALUATIONS, b) for b in part.budgets],
                "at_equal_hours": [_at_json(one, part.device_axis, h) for h in part.hours],
                "break_even": proposed
                and {
                    name: _break_even_json(one.break_even(name, proposed.level(name)))
                    for name in JUDGED
                },
            }
            for one in part.contenders
        ],
    }


def as_json(comparison: Comparison, notes: Sequence[str]) -> dict[str, Any]:
    """Give a comparison as JSON values: numbers that are not known, or never reached, are null."""
    return {
        "fidelity": comparison.searched[0].fidelity.name,
        "overall": comparison.overall and _part_json(comparison.overall),
        "tasks": [_part_json(part) for part in comparison.tasks],
        "runs": [
            {
                "run": str(one.run),
                "task": one.task,
                "task_hash": one.task_hash,
                "search": comparison.labels[one.series],
                "space": one.space,
                "space_version": one.space_version,
                "seed": one.seed,
                "states": dict(one.states),
                "run_wall_hours": one.run_seconds / 3600,
                **{name: _listed(one.curve.measure(name)) for name in MEASURES},
                **{axis: _listed(one.curve.spent[axis]) for axis in SPENT},
            }
            for one in comparison.searched
        ],
        "notes": list(notes),
    }
