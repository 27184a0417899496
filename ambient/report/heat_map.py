"""The descriptors of all tasks at once: standardised values as colours, like tasks side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from ambient.report.figures import label, layout
from ambient.report.standard import category_of, standardise, tree_of
from ambient.report.theme import CATEGORY_MARKS, MUTED, PAPER
from descriptors.schema import DESCRIPTORS

__all__ = ["LIMIT", "heat_map"]

LIMIT = 2.5  # standard deviations at which the colours end
COLOURS = [[0, "#2b5c9e"], [0.25, "#9dbbdc"], [0.5, "#f6f4f0"], [0.75, "#eab588"], [1, "#b4520c"]]
EMPTY = "#e9ecee"
NAMED_TASKS = 90  # with more, their names would overlap
# Heights in pixels: a row of the map, the strip of categories, the tree, the axis with its title.
ROW, STRIP, TREE, AXIS = 17, 14, 90, 150


def heat_map(described: Mapping[str, Mapping[str, Any]]) -> Any:
    """Draw descriptors by tasks, the tasks' tree and categories above; a cross on grey marks a missing value.

    Parameters
    ----------
    described : mapping
        Task to its descriptors, with `values`.

    Returns
    -------
    plotly.graph_objects.Figure
    """
    import plotly.graph_objects as go

    scores = standardise(described)
    tree = tree_of(scores)
    names = [list(described)[at] for at in tree.order]
    chosen = {name: described[name] for name in names}
    total = ROW * len(DESCRIPTORS) + STRIP + TREE
    figure = go.Figure(layout=layout(total + AXIS, "task", "descriptor"))
    whole = {"x0": 0, "x1": 1, "y0": 0, "y1": 1, "xref": "x domain", "yref": "y domain"}
    figure.add_shape(**whole, fillcolor=EMPTY, line={"width": 0}, layer="below")
    _add_cells(figure, chosen, scores[:, tree.order])
    _add_strip(figure, chosen)
    figure.add_trace(
        go.Scatter(
            x=[x for across, _ in tree.joints for x in (*across, None)],
            y=[y for _, up in tree.joints for y in (*up, None)],
            mode="lines",
            line={"color": MUTED, "width": 1},
            hoverinfo="skip",
            showlegend=False,
            yaxis="y3",
        )
    )
    _set_axes(figure, names, total)
    return figure


def _add_cells(figure: Any, chosen: Mapping[str, Mapping[str, Any]], scores: np.ndarray) -> None:
    import plotly.graph_objects as go

    hover = [
        [
            f"{label(name)}<br>{d.name}: {_words(task['values'].get(d.name), d.unit)}"
            for name, task in chosen.items()
        ]
        for d in DESCRIPTORS
    ]
    gap = 1 if len(chosen) <= NAMED_TASKS else 0
    figure.add_trace(
        go.Heatmap(
            z=[[None if np.isnan(z) else round(float(z), 3) for z in row] for row in scores],
            text=hover,
            hovertemplate="%{text}<br>%{z:.2f} sd<extra></extra>",
            colorscale=COLOURS,
            zmin=-LIMIT,
            zmax=LIMIT,
            xgap=gap,
            ygap=1,
            colorbar={
                "title": {"text": "sd from<br>the mean<br>", "side": "top"},
                "thickness": 12,
                "len": 0.5,
                "outlinewidth": 0,
            },
        )
    )
    missing = np.argwhere(np.isnan(scores))
    figure.add_trace(
        go.Scatter(
            x=[int(column) for _, column in missing],
            y=[int(row) for row, _ in missing],
            text=[hover[row][column] for row, column in missing],
            mode="markers",
            name="missing",
            marker={
                "symbol": "x-thin",
                "size": 6 if gap else 3,
                "line": {"color": MUTED, "width": 1.2 if gap else 0.7},
            },
            hovertemplate="%{text}<extra></extra>",
            showlegend=bool(len(missing)),
            legendrank=2000,  # after the categories
        )
    )


def _words(value: float | None, unit: str) -> str:
    return "missing" if value is None else f"{value:,.4g} {unit}".strip()


def _add_strip(figure: Any, chosen: Mapping[str, Mapping[str, Any]]) -> None:
    """Add the row of categories: bars, so that each category has its entry in the legend."""
    import plotly.graph_objects as go

    places: dict[str, list[int]] = {}
    for place, task in enumerate(chosen.values()):
        places.setdefault(category_of(task), []).append(place)
    for category, (colour, _) in CATEGORY_MARKS.items():
        if category in places:
            figure.add_trace(
                go.Bar(
                    x=places[category],
                    y=[1] * len(places[category]),
                    width=1,
                    marker={"color": colour, "line": {"width": 0}},
                    name=category,
                    text=[label(list(chosen)[place]) for place in places[category]],
                    textposition="none",
                    hovertemplate="%{text}<extra>" + category + "</extra>",
                    yaxis="y2",
                )
            )


def _set_axes(figure: Any, names: Sequence[str], total: int) -> None:
    start = 0
    for _, members in groupby(DESCRIPTORS, key=lambda descriptor: descriptor.group):
        if start:
            figure.add_hline(y=start - 0.5, line={"color": PAPER, "width": 5})
            figure.add_hline(y=start - 0.5, line={"color": MUTED, "width": 1})
        start += len(list(members))
    named = len(names) <= NAMED_TASKS
    figure.update_xaxes(
        tickvals=list(range(len(names))) if named else [],
        ticktext=[label(name) for name in names] if named else [],
        tickangle=0 if sum(len(name) + 3 for name in names) < 85 else -90,
        title={
            "text": "task" if named else f"{len(names)} tasks (names under the pointer)",
            "standoff": 14,
        },
        range=[-0.5, len(names) - 0.5],
        showgrid=False,
        tickfont={"size": 11 if len(names) <= 60 else 9},
    )
    bare = {
        "showticklabels": False,
        "ticks": "",
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
    }
    figure.update_layout(
        yaxis={
            "domain": [0, 1 - (STRIP + TREE) / total],
            "tickvals": list(range(len(DESCRIPTORS))),
            "ticktext": [d.name for d in DESCRIPTORS],
            "range": [len(DESCRIPTORS) - 0.5, -0.5],
            "showgrid": False,
            "title": None,
            "tickfont": {"size": 11},
        },
        yaxis2={
            **bare,
            "domain": [1 - (STRIP + TREE - 3) / total, 1 - TREE / total],
            "range": [0, 1],
        },
        yaxis3={**bare, "domain": [1 - (TREE - 3) / total, 1], "rangemode": "tozero"},
        bargap=0,
        barmode="overlay",
        legend={"traceorder": "normal"},
    )
