"""How often each choice of each decision is taken: step by step, and by the controller at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ambient.report.choices import choice_words
from ambient.report.figures import label, layout
from ambient.report.journal import Evaluated
from ambient.report.learnt import shares_of
from ambient.report.theme import INK, MUTED, PAPER
from ambient.space import SearchSpace

__all__ = ["selection_caption", "selection_figure"]

MOST_COLUMNS = 60  # of steps; more are taken together
FEW = 12  # steps that are each named
ROW, LETTER = 16, 7  # pixels: a choice; a letter of a group's name
COLOURS = [[0, "#f4f6f7"], [0.35, "#a9d3d3"], [0.7, "#2f9095"], [1, "#004f55"]]
EMPTY = "#dfe3e6"  # the decision applies to no architecture
COLOUR_BAR = {
    "title": {"text": "share", "side": "right"},
    "tickformat": ".0%",
    "thickness": 12,
    "len": 200,
    "lenmode": "pixels",
    "y": 1,
    "yanchor": "top",
    "outlinewidth": 0,
}


def selection_figure(
    space: SearchSpace,
    steps: Sequence[Sequence[Evaluated]],
    final: Mapping[str, Sequence[np.ndarray]],
) -> Any:
    """Draw the share of each choice among the architectures of each step, and its probability at the end.

    Parameters
    ----------
    space : SearchSpace
    steps : sequence of sequences of Evaluated
        What each step evaluated; steps that hold no architecture are passed over.
    final : mapping of str to sequence of ndarray
        For each group of tasks, as `probabilities` gives them; empty where there is no controller.

    Returns
    -------
    plotly.graph_objects.Figure or None
        None where there is neither.
    """
    import plotly.graph_objects as go

    numbered = [
        (number, [one.tokens for one in step if one.tokens])
        for number, step in enumerate(steps, start=1)
    ]
    numbered = [(number, tokens) for number, tokens in numbered if tokens]
    if not numbered and not final:
        return None
    rows = [
        (index, token)
        for index, decision in enumerate(space.decisions)
        # Of a skip, that it is taken says all.
        for token in ((1,) if decision.sets == "skip" else range(len(decision.choices)))
    ]
    below = max(56, 16 + LETTER * max(map(len, final), default=0))
    figure = go.Figure(
        layout=layout(ROW * len(rows) + 34 + below, "step (count)", "", showlegend=False)
    )
    figure.update_layout(margin={"b": below})
    room = min(0.5, 0.04 + 0.055 * len(final)) if final else 0.0
    _set_axes(figure, space, rows, room if numbered else 1.0)
    if numbered:
        if len(numbered) <= FEW:
            figure.layout.xaxis.dtick = 1
        centres, shares = _by_step(space, numbered, rows)
        figure.add_trace(_cells(centres, shares, space, rows, "step %{x:.0f}", "x", True))
    if final:
        table = np.array(
            [[found[index][token] for found in final.values()] for index, token in rows]
        )
        names = [label(name) for name in final]
        figure.add_trace(_cells(names, table, space, rows, "%{x}, at the end", "x2", not numbered))
    return figure


def _by_step(
    space: SearchSpace,
    numbered: Sequence[tuple[int, Sequence[tuple[int, ...]]]],
    rows: Sequence[tuple[int, int]],
) -> tuple[list[float], np.ndarray]:
    """Give the middle of each bin of steps, and the shares in it, shape (rows, bins)."""
    columns, centres = [], []
    for bin_ in np.array_split(np.arange(len(numbered)), min(MOST_COLUMNS, len(numbered))):
        members = [numbered[at] for at in bin_]
        tokens = np.array([one for _, those in members for one in those])
        shares = [
            shares_of(tokens[:, index], len(decision.choices))
            for index, decision in enumerate(space.decisions)
        ]
        columns.append([shares[index][token] for index, token in rows])
        centres.append(float(np.mean([number for number, _ in members])))
    return centres, np.array(columns).T


def _cells(
    across: Sequence[float] | Sequence[str],
    shares: np.ndarray,
    space: SearchSpace,
    rows: Sequence[tuple[int, int]],
    where: str,
    axis: str,
    shows_scale: bool,
) -> Any:
    import plotly.graph_objects as go

    words = [_row_words(space, *row) for row in rows]
    return go.Heatmap(
        x=list(across),
        y=list(range(len(rows))),
        z=[[None if np.isnan(z) else round(float(z), 3) for z in row] for row in shares],
        text=[[word] * len(across) for word in words],
        hovertemplate="%{text}<br>" + where + ": %{z:.0%}<extra></extra>",
        colorscale=COLOURS,
        zmin=0,
        zmax=1,
        xaxis=axis,
        xgap=1 if axis == "x2" else 0,
        ygap=1,
        showscale=shows_scale,
        colorbar=COLOUR_BAR,
    )


def _row_words(space: SearchSpace, index: int, token: int) -> str:
    decision = space.decisions[index]
    words = "taken" if decision.sets == "skip" else choice_words(decision, token)
    return f"{label(decision.name)}: {label(words)}"


def _set_axes(
    figure: Any, space: SearchSpace, rows: Sequence[tuple[int, int]], room: float
) -> None:
    """Share the rows between the steps on the left and, in `room` of the width, the end on the right."""
    whole = {"x0": 0, "x1": 1, "y0": 0, "y1": 1, "xref": "x domain", "yref": "y domain"}
    ends = {**whole, "xref": "x2 domain"}
    for place, shown in ((whole, room < 1), (ends, room > 0)):
        if shown:
            figure.add_shape(**place, fillcolor=EMPTY, line={"width": 0}, layer="below")
    for at in range(1, len(rows)):
        if rows[at][0] != rows[at - 1][0]:
            line = {"x0": 0, "x1": 1, "xref": "paper", "y0": at - 0.5, "y1": at - 0.5, "yref": "y"}
            figure.add_shape(type="line", **line, line={"color": PAPER, "width": 5})
    heads = [(0, "step by step")] * (room < 1) + [(1 - room, "at the end")] * (room > 0)
    figure.update_layout(
        annotations=[
            {
                "text": text,
                "x": x,
                "y": 1,
                "xref": "paper",
                "yref": "paper",
                "xanchor": "left",
                "yanchor": "bottom",
                "yshift": 4,
                "showarrow": False,
                "font": {"size": 13, "color": MUTED},
            }
            for x, text in heads
        ],
        xaxis={"domain": [0, max(0.01, 1 - room - 0.015)], "showgrid": False, "visible": room < 1},
        xaxis2={
            "domain": [1 - room, 1],
            "type": "category",
            "anchor": "y",
            "tickangle": -90,
            "showgrid": False,
            "tickfont": {"size": 12},
            "visible": room > 0,
        },
        yaxis={
            "tickvals": list(range(len(rows))),
            "ticktext": [_row_words(space, *row) for row in rows],
            "range": [len(rows) - 0.5, -0.5],
            "showgrid": False,
            "title": None,
            "ticks": "",
            "tickfont": {"size": 11, "color": INK},
        },
    )


def selection_caption(figure: Any, method: str | None) -> str:
    """Say how to read the figure."""
    axes = {cells.xaxis for cells in figure.data}
    text = (
        "Each row is a choice: the darker, the more often it is taken where its decision applies; "
        "grey, where that applies to nothing. "
    )
    if "x" in axes:
        text += "On the left the architectures that were evaluated, step by step" + (
            " (a search evaluates each only once, so what it comes back to is not counted again). "
            if method is not None
            else ". "
        )
    if "x2" in axes:
        text += "On the right the probabilities of the controller" + (
            " at its last checkpoint." if method is not None else " for the tasks of each category."
        )
    return text.rstrip()
