"""The curves of a comparison: one figure for each measure, every axis in it, one shown at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ambient.report.comparison import JUDGED, Comparison, Contender, TaskComparison
from ambient.report.curves import EVALUATIONS, MEASURES, band_of
from ambient.report.figures import label, layout
from ambient.report.theme import BLUE, INK, MUTED, RANDOM, TEAL

__all__ = ["AXES", "TITLES", "Styles", "comparison_figures", "styles_of"]

# What a curve can be drawn against: its name for a reader, and the title of the axis.
AXES = {
    EVALUATIONS: ("evaluations", "evaluations (count)"),
    "wall_hours": ("wall hours", "wall time of the children, one after another (h)"),
    "cpu_hours": ("CPU hours", "CPU time of the children (h)"),
    "gpu_hours": ("GPU hours", "GPU time of the children (h)"),
    "energy_kwh": ("kWh", "energy of the children (kWh)"),
}
TITLES = {
    "validation": "best validation AUROC so far (no unit)",
    "test": "test AUROC of the best so far (no unit)",
    "mean_reward": "mean reward: validation AUROC (no unit)",
}
COLOURS = (TEAL, "#c2660c", BLUE, "#8a3f7d", "#6b7a1f", "#b03a48", "#3d7ec2")
DASHES = ("solid", "dash", "dot")  # where there are more searches than colours
FEWEST = 3  # repeats that a band is drawn for; of two, an interval says less than their lines do


Styles = Mapping[str, tuple[str, str]]


def styles_of(comparison: Comparison) -> dict[str, tuple[str, str]]:
    """Give each search its colour and its dashes, the same in all figures; random search is grey."""
    names = [name for name in comparison.labels.values() if name != "random"]
    found = {
        name: (COLOURS[index % len(COLOURS)], DASHES[index // len(COLOURS) % len(DASHES)])
        for index, name in enumerate(names)
    }
    return {"random": (RANDOM, "solid"), **found}


def comparison_figures(part: TaskComparison, styles: Styles) -> dict[str, Any]:
    """Draw one part of a comparison.

    Parameters
    ----------
    part : TaskComparison
    styles : mapping of str to (str, str)
        Of each search, as `styles_of` gives them.

    Returns
    -------
    dict of str to plotly.graph_objects.Figure
        By measure. A trace's `meta` is its axis and its search, so that either can be chosen; those of
        the first axis, evaluations, are shown.
    """
    return {measure: _figure(part, measure, styles) for measure in MEASURES}


def _level(part: TaskComparison, measure: str) -> float:
    """Give what the proposal reaches; the reward is a validation AUROC as well."""
    if part.proposed is None:
        return math.nan
    return part.proposed.level("test" if measure == "test" else "validation")


def _figure(part: TaskComparison, measure: str, styles: Styles) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure(layout=layout(360, AXES[EVALUATIONS][1], TITLES[measure], showlegend=False))
    figure.update_layout(margin={"t": 18}, hovermode="closest")
    figure.update_xaxes(rangemode="tozero")
    level = _level(part, measure)
    figure.update_yaxes(range=_range(part, measure, level))
    if not math.isnan(level):
        figure.add_hline(
            y=level,
            line={"color": INK, "width": 1.5, "dash": "longdash"},
            annotation={
                "text": f"zero-shot proposal {level:.3f}",
                "font": {"size": 12},
                "bgcolor": "rgba(255,255,255,0.75)",
                "borderpad": 1,
            },
            annotation_position="bottom right",
        )
    for axis in part.axes():
        for one in part.contenders:
            colour, dash = styles[one.label]
            _add(figure, one, measure, axis, colour, dash)
            if measure in JUDGED:
                _mark_break_even(figure, one, measure, axis, level, colour)
    return figure


def _range(part: TaskComparison, measure: str, level: float) -> list[float]:
    """Give the ends of the vertical axis: all that is drawn but the bands, which may be wide."""
    values = np.concatenate([curve.measure(measure) for curve in part.curves] + [[level]])
    known = values[np.isfinite(values)]
    if not len(known):
        return [0.0, 1.0]
    low, high = float(known.min()), float(known.max())
    room = max(0.06 * (high - low), 0.004)
    return [low - room, high + room]


def _rounded(values: np.ndarray) -> list[float | None]:
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in values.tolist()]


def _add(figure: Any, one: Contender, measure: str, axis: str, colour: str, dash: str) -> None:
    """Draw the mean of the repeats and their interval; the repeats themselves where they are too few for that."""
    import plotly.graph_objects as go

    band = band_of(one.curves, measure, axis)
    shown = {"meta": [axis, one.label], "visible": axis == EVALUATIONS, "showlegend": False}
    repeats = len(one.curves)
    if band is None or 1 < repeats < FEWEST:
        for curve in one.curves:
            figure.add_trace(
                go.Scatter(
                    x=_rounded(curve.axis(axis)),
                    y=_rounded(curve.measure(measure)),
                    mode="lines",
                    line={"width": 1, "shape": "hv", "color": colour},
                    opacity=0.45,
                    hoverinfo="skip",
                    **shown,
                )
            )
    if band is None:  # the repeats do not even overlap
        return
    places = _rounded(band.places)
    if repeats >= FEWEST:
        for edge, fill in ((band.low, "none"), (band.high, "tonexty")):
            figure.add_trace(
                go.Scatter(
                    x=places,
                    y=_rounded(edge),
                    mode="lines",
                    line={"width": 0, "shape": "hv", "color": colour},
                    fill=fill,
                    fillcolor=_transparent(colour),
                    hoverinfo="skip",
                    **shown,
                )
            )
    figure.add_trace(
        go.Scatter(
            x=places,
            y=_rounded(band.mean),
            mode="lines+markers" if len(places) < 12 else "lines",
            name=label(one.label),
            line={"width": 2.2, "shape": "hv", "color": colour, "dash": dash},
            marker={"size": 5},
            customdata=_told(band.low, band.high),
            hovertemplate=f"<b>{label(one.label)}</b><br>%{{x:.4~g}} {AXES[axis][0]}: %{{y:.3f}}%{{customdata}}"
            "<extra></extra>",
            **shown,
        )
    )


def _told(low: np.ndarray, high: np.ndarray) -> list[str]:
    return [
        "" if math.isnan(a) else f" ({a:.3f} to {b:.3f})"
        for a, b in zip(low.tolist(), high.tolist(), strict=True)
    ]


def _transparent(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.1)"


def _mark_break_even(
    figure: Any, one: Contender, measure: str, axis: str, level: float, colour: str
) -> None:
    """Set a diamond on the proposal's line where the median repeat passes it."""
    import plotly.graph_objects as go

    found = one.break_even(measure, level)
    if found is None:
        return
    spread = found.evaluations if axis == EVALUATIONS else found.spent[axis]
    if spread is None or not math.isfinite(spread.median):
        return
    figure.add_trace(
        go.Scatter(
            x=[float(f"{spread.median:.5g}")],
            y=[level],
            mode="markers",
            marker={
                "symbol": "diamond",
                "size": 11,
                "color": colour,
                "line": {"color": MUTED, "width": 1},
            },
            hovertemplate=f"<b>{label(one.label)}</b> breaks even at %{{x:.4~g}} {AXES[axis][0]}<extra></extra>",
            meta=[axis, one.label],
            visible=axis == EVALUATIONS,
            showlegend=False,
        )
    )
