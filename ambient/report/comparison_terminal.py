"""A comparison as text for the terminal, and as tables and figures for a tracker."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from ambient.report.comparison import Comparison, TaskComparison
from ambient.report.comparison_figures import comparison_figures, styles_of
from ambient.report.comparison_notes import notes_on, what_is_compared
from ambient.report.comparison_tables import (
    Sheet,
    break_even_sheet,
    budget_sheet,
    hours_sheet,
    run_sheet,
)
from ambient.report.curves import EVALUATIONS, MEASURES, band_of
from ambient.report.terminal import plain_table, printed
from ambient.track import Tracker

__all__ = ["comparison_text", "track_comparison"]


def comparison_text(comparison: Comparison) -> str:
    """Set a comparison as tables, with notes below them.

    Returns
    -------
    str
        For a terminal; plain text where standard output is none.
    """
    sheets = [sheet for sheet in _sheets(comparison) if sheet.rows]
    notes = [f"- {note}" for note in notes_on(comparison)]
    return "\n".join([what_is_compared(comparison), "", *map(_text, sheets), *notes]) + "\n"


def track_comparison(tracker: Tracker, comparison: Comparison) -> None:
    """Tell a tracker the curves by evaluation, as its steps, and then all tables and figures."""
    steps: dict[int, dict[str, Any]] = {}
    for part in comparison.parts:
        _add_steps(steps, part)
    for number in sorted(steps):
        tracker.log(number, steps[number])
    for sheet in _sheets(comparison):
        if sheet.rows:
            tracker.table(sheet.title, sheet.columns, sheet.rows)
    styles = styles_of(comparison)
    for part in comparison.parts:
        for measure, figure in comparison_figures(part, styles).items():
            tracker.figure(f"{part.task}: {measure}", figure)


def _add_steps(steps: dict[int, dict[str, Any]], part: TaskComparison) -> None:
    """Add the mean over repeats of each measure, by evaluation."""
    for one in part.contenders:
        for measure in MEASURES:
            band = band_of(one.curves, measure, EVALUATIONS)
            if band is None:
                continue
            for place, value in zip(band.places.tolist(), band.mean.tolist(), strict=True):
                if not math.isnan(value):
                    said: Mapping[str, float] = {f"{part.task}/{one.label}/{measure}": value}
                    steps.setdefault(int(place), {}).update(said)


def _sheets(comparison: Comparison) -> list[Sheet]:
    parts = comparison.parts
    return [
        break_even_sheet(parts),
        budget_sheet(parts),
        hours_sheet(parts),
        run_sheet(comparison),
    ]


def _text(sheet: Sheet) -> str:
    """Set one table; a line parts one task from the next."""
    made = plain_table(sheet.title)
    for index, name in enumerate(sheet.columns):
        justify: Literal["left", "right"] = "left" if index < sheet.texts else "right"
        made.add_column(name, justify=justify, overflow="fold")
    task, before = sheet.columns.index("task"), None
    for row in sheet.rows:
        if before is not None and row[task] != before:
            made.add_section()
        made.add_row(*row)
        before = row[task]
    return printed(made)
