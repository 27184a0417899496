"""Tasks as points along the two directions in which their descriptors differ most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ambient.report.figures import label, layout
from ambient.report.standard import category_of, components, standardise
from ambient.report.theme import CATEGORY_MARKS, GRID, PAPER

__all__ = ["component_caption", "component_figure"]

NAMED_TASKS = 25  # with more, their names would overlap


def component_figure(described: Mapping[str, Mapping[str, Any]]) -> Any:
    """Draw the tasks' first two principal components, coloured by category; a ring marks imputed values.

    Parameters
    ----------
    described : mapping
        Task to its descriptors, with `values`.

    Returns
    -------
    plotly.graph_objects.Figure or None
        None where `components` finds none.
    """
    import plotly.graph_objects as go

    found = components(standardise(described))
    if found is None:
        return None
    titles = [
        f"PC{number}: {share:.0%} of the variance (sd)"
        for number, share in enumerate(found.explained, start=1)
    ]
    figure = go.Figure(layout=layout(520, *titles))
    figure.update_layout(margin={"b": 64})
    # One scale on both axes: the distance between two points is what is to be read.
    figure.update_xaxes(
        zeroline=True, zerolinecolor=GRID, constrain="domain", constraintoward="left"
    )
    figure.update_yaxes(zeroline=True, zerolinecolor=GRID, scaleanchor="x")
    names = list(described)
    for category, (colour, symbol) in CATEGORY_MARKS.items():
        members = [at for at, name in enumerate(names) if category_of(described[name]) == category]
        if not members:
            continue
        members.sort(key=lambda at: found.imputed[at])  # the legend shows the first one's symbol
        figure.add_trace(
            go.Scatter(
                x=[round(float(found.places[at, 0]), 3) for at in members],
                y=[round(float(found.places[at, 1]), 3) for at in members],
                mode="markers+text" if len(names) <= NAMED_TASKS else "markers",
                name=category,
                text=[label(names[at]) for at in members],
                textposition="top center",
                textfont={"size": 11},
                customdata=[_imputed(found.imputed[at]) for at in members],
                hovertemplate="%{text}: %{x:.2f}, %{y:.2f}<br>%{customdata}<extra>"
                + category
                + "</extra>",
                marker={
                    "symbol": symbol,
                    "size": 10,
                    "color": [PAPER if found.imputed[at] else colour for at in members],
                    "line": {"color": colour, "width": 1.8},
                    "opacity": 0.85,
                },
            )
        )
    return figure


def _imputed(count: int) -> str:
    return f"{count} missing, at the mean" if count else "nothing missing"


def component_caption(described: Mapping[str, Mapping[str, Any]]) -> str:
    """Say how to read the figure, and which descriptors weigh most in each component."""
    found = components(standardise(described))
    if found is None:
        return ""
    first, second = (", ".join(names) for names in found.leading)
    rings = sum(count > 0 for count in found.imputed)
    return (
        "Each point is a task; near ones have like descriptors. The assay's four flags, which are the colours, "
        f"are left out. Heaviest in PC1: {first}; in PC2: {second} (+: the component grows with it, −: it falls)."
        + (f" Empty symbols ({rings}): a missing value counts as the mean." if rings else "")
    )
