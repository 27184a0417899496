"""The descriptors of all tasks at once: standardised values as colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from ambient.report.figures import label, layout
from ambient.report.theme import MUTED, PAPER
from descriptors.schema import DESCRIPTORS

__all__ = ["LIMIT", "heat_map", "standardise"]

LIMIT = 2.5  # standard deviations at which the colours end
COLOURS = [[0, "#2b5c9e"], [0.25, "#9dbbdc"], [0.5, "#f6f4f0"], [0.75, "#eab588"], [1, "#b4520c"]]
EMPTY = "#e9ecee"


def standardise(described: Mapping[str, Mapping[str, Any]]) -> np.ndarray:
    """Standardise each descriptor over the tasks, after the logarithm where the schema says so.

    Parameters
    ----------
    described : mapping
        Task to its descriptors, with `values`.

    Returns
    -------
    ndarray, float64, shape (descriptors, tasks)
        Standard deviations from the mean over tasks; 0 where all tasks agree, nan where missing.
    """
    rows = []
    for descriptor in DESCRIPTORS:
        found = [task["values"].get(descriptor.name) for task in described.values()]
        row = np.array([np.nan if value is None else value for value in found], dtype=np.float64)
        if descriptor.transform == "log1p":
            row = np.log1p(np.clip(row, 0.0, None))
        known = row[~np.isnan(row)]
        if len(known):
            spread = known.std()
            row = (row - known.mean()) / (spread if spread > 1e-12 else 1.0)
        rows.append(row)
    return np.array(rows).reshape(len(DESCRIPTORS), len(described))


def heat_map(described: Mapping[str, Mapping[str, Any]], order: Sequence[str]) -> Any:
    """Draw descriptors by tasks; a cross on grey marks a missing value."""
    import plotly.graph_objects as go

    chosen = {task: described[task] for task in order}
    scores = standardise(chosen)
    values = [[chosen[task]["values"].get(d.name) for task in order] for d in DESCRIPTORS]
    hover = [
        [
            f"{label(task)}<br>{d.name}: "
            + ("missing" if value is None else f"{value:,.4g} {d.unit}")
            for task, value in zip(order, row, strict=True)
        ]
        for d, row in zip(DESCRIPTORS, values, strict=True)
    ]
    figure = go.Figure(
        layout=layout(150 + 17 * len(DESCRIPTORS), "task", "descriptor", plot_bgcolor=EMPTY)
    )
    figure.add_trace(
        go.Heatmap(
            z=[[None if np.isnan(z) else round(float(z), 3) for z in row] for row in scores],
            text=hover,
            hovertemplate="%{text}<br>%{z:.2f} sd<extra></extra>",
            colorscale=COLOURS,
            zmin=-LIMIT,
            zmax=LIMIT,
            xgap=1,
            ygap=1,
            colorbar={
                "title": {"text": "sd from the mean", "side": "right"},
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
            marker={"symbol": "x-thin", "size": 6, "line": {"color": MUTED, "width": 1.2}},
            hovertemplate="%{text}<extra></extra>",
            showlegend=bool(len(missing)),
        )
    )
    start = 0
    for _, members in groupby(DESCRIPTORS, key=lambda descriptor: descriptor.group):
        if start:
            figure.add_hline(y=start - 0.5, line={"color": PAPER, "width": 5})
            figure.add_hline(y=start - 0.5, line={"color": MUTED, "width": 1})
        start += len(list(members))
    figure.update_xaxes(
        tickvals=list(range(len(order))),
        ticktext=[label(task) for task in order],
        tickangle=0 if sum(len(task) + 3 for task in order) < 85 else -90,
        title={"standoff": 14},
        range=[-0.5, len(order) - 0.5],
        showgrid=False,
        tickfont={"size": 11},
    )
    figure.update_yaxes(
        tickvals=list(range(len(DESCRIPTORS))),
        ticktext=[d.name for d in DESCRIPTORS],
        range=[len(DESCRIPTORS) - 0.5, -0.5],
        showgrid=False,
        title=None,
        tickfont={"size": 11},
    )
    return figure
