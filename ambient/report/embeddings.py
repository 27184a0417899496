"""The controller's embeddings of its choices as points: near ones mean the same to it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from ambient.report.choices import choice_words
from ambient.report.figures import label, layout
from ambient.report.learnt import Embedded
from ambient.report.standard import plane_of
from ambient.report.theme import GRID, SERIES
from ambient.space import SearchSpace

__all__ = ["embedding_caption", "embedding_figure"]

HEIGHT = 560
PLOT = (850.0, 370.0)  # pixels that the points are spread over where the page is wide
LETTER, LINE = 6.4, 12.0  # pixels: a letter and a line of a label
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "star", "triangle-down", "x")
AROUND = ("top center", "bottom center", "middle right", "middle left")


def embedding_figure(space: SearchSpace, embedded: Sequence[Embedded]) -> Any:
    """Draw the first two principal components of the embeddings, one colour and symbol for each group of decisions.

    Parameters
    ----------
    space : SearchSpace
    embedded : sequence of Embedded

    Returns
    -------
    plotly.graph_objects.Figure or None
        None where they span no plane.
    """
    import plotly.graph_objects as go

    plane = plane_of(np.array([one.vector for one in embedded], dtype=np.float64))
    if plane is None:
        return None
    titles = [
        f"PC{number}: {share:.0%} of the variance (no unit)"
        for number, share in enumerate(plane.explained, start=1)
    ]
    figure = go.Figure(layout=layout(HEIGHT, *titles))
    # One scale on both axes: the distance between two points is what is to be read.
    figure.update_xaxes(zeroline=True, zerolinecolor=GRID)
    figure.update_yaxes(zeroline=True, zerolinecolor=GRID, scaleanchor="x")
    words = [label(_words(space, one)) for one in embedded]
    sides = _label_sides(plane.places, words)
    groups = list(dict.fromkeys(one.group for one in embedded))
    for place, group in enumerate(groups):
        members = [at for at, one in enumerate(embedded) if one.group == group]
        figure.add_trace(
            go.Scatter(
                x=[round(float(plane.places[at, 0]), 4) for at in members],
                y=[round(float(plane.places[at, 1]), 4) for at in members],
                mode="markers+text",
                name=label(group),
                text=[words[at] if sides[at] else "" for at in members],
                textposition=[sides[at] or AROUND[0] for at in members],
                textfont={"size": 11},
                customdata=[words[at] for at in members],
                hovertemplate="%{customdata}<extra>" + label(group) + "</extra>",
                cliponaxis=False,
                marker={
                    "color": SERIES[place % len(SERIES)],
                    # Another symbol when the colours begin again.
                    "symbol": SYMBOLS[(place + place // len(SERIES)) % len(SYMBOLS)],
                    "size": 9,
                    "opacity": 0.9,
                },
            )
        )
    return figure


def _words(space: SearchSpace, one: Embedded) -> str:
    """Name a choice; a bare number says nothing without what it is of."""
    decision = space.decisions[one.decision]
    words = choice_words(decision, one.token)
    return words if decision.sets in ("layer", "window") else f"{one.group} {words}"


def _label_sides(places: np.ndarray, words: Sequence[str]) -> list[str | None]:
    """Choose for each point the side that its label stands on; None where it would cover another label or point.

    Those farthest from the middle choose first: there is the most room, and they are the ones that tell.
    """
    spread = np.ptp(places, axis=0)
    scale = min(PLOT[0] / max(spread[0], 1e-9), PLOT[1] / max(spread[1], 1e-9))
    points = places * (scale, -scale)  # pixels, downwards
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y in points]
    sides: list[str | None] = [None] * len(words)
    order = np.argsort(-np.linalg.norm(points - points.mean(axis=0), axis=1), kind="stable")
    for at, side in product(map(int, order), AROUND):
        if sides[at] is None:
            box = _box(points[at], side, LETTER * len(words[at]))
            others = taken[:at] + taken[at + 1 :]
            if not any(_overlap(box, other) for other in others):
                sides[at] = side
                taken.append(box)
    return sides


Box = tuple[float, float, float, float]


def _box(point: np.ndarray, side: str, width: float) -> Box:
    """Give the left, upper, right and lower end of a label beside a point."""
    x, y = float(point[0]), float(point[1])
    if side.startswith("middle"):
        left = x + 7 if side.endswith("right") else x - 7 - width
        return left, y - LINE / 2, left + width, y + LINE / 2
    upper = y - 7 - LINE if side.startswith("top") else y + 7
    return x - width / 2, upper, x + width / 2, upper + LINE


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def embedding_caption(embedded: Sequence[Embedded]) -> str:
    """Say how to read the figure."""
    groups = len({one.group for one in embedded})
    return (
        f"Each point is a choice of one of {groups} groups of decisions, at the place of its embedding: the vector "
        "that tells the controller what was chosen before. Choices that lie close are followed by like decisions. "
        "Decisions of one group share their embeddings, and the words are those of the first of them. Embeddings "
        "begin at random places and move little in a short training. Points without a label are named under the "
        "pointer."
    )
