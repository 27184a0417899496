"""Architectures by category as Sankey diagrams: how the tasks of each flow through the choices of each decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ambient.report.choices import choice_words
from ambient.report.figures import label, layout
from ambient.report.flows import Chosen, Flow, flow_of, groups_of, shown_decisions
from ambient.report.theme import ABSENT, CATEGORY_MARKS, INK, MUTED, TEAL
from ambient.space import SearchSpace

__all__ = ["sankey_caption", "sankey_figure"]

# Pixels: a bar; the gap between bars of a column, in which their labels have room; a panel's title and the names of
# its decisions; what is free below it; the least height of a panel for each bar of its fullest column.
BAR, GAP, HEAD, FOOT, ROW = 13, 15, 66, 18, 27
PAGE = 1124  # pixels: the width of a page's text where there is room
ONE_LINE = 12  # letters of a decision's name that is not broken
LETTER, ROOM = 6.3, 12  # width of a letter of a label, and what is left free beside it
# The grey of "other" would look like what does not apply.
COLOURS = {name: colour for name, (colour, _) in CATEGORY_MARKS.items()} | {"other": MUTED}
SIZE = 11  # of labels, in points
FREE = {"xref": "paper", "yref": "paper", "showarrow": False, "xanchor": "left", "align": "left"}


@dataclass(frozen=True)
class _Columns:
    """Where the decisions stand: pixels from the left."""

    starts: tuple[float, ...]
    width: float


def sankey_figure(space: SearchSpace, chosen: Sequence[Chosen]) -> Any:
    """Draw one Sankey diagram for each group, one above the other, decisions from left to right.

    Parameters
    ----------
    space : SearchSpace
        Of the architectures.
    chosen : sequence of Chosen

    Returns
    -------
    plotly.graph_objects.Figure or None
        Its `layout.meta` says how many pixels it needs across. None where fewer than two decisions are shown.
    """
    import plotly.graph_objects as go

    decisions = shown_decisions(space, chosen)
    if len(decisions) < 2:
        return None
    flows = [flow_of(chosen, group, decisions) for group in groups_of(chosen)]
    columns = _columns(space, flows, decisions)
    heights = [_height(flow) for flow in flows]
    total = sum(heights) + (HEAD + FOOT) * len(flows)
    figure = go.Figure(layout=layout(round(total) + 4, "", "", showlegend=False))
    figure.update_layout(
        margin={"l": 4, "r": 4, "t": 4, "b": 0}, meta={"width": round(columns.width) + 8}
    )
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    notes: list[dict[str, Any]] = []
    top = 0.0
    for flow, height in zip(flows, heights, strict=True):
        start = top + HEAD
        domain = [1 - (start + height) / total, 1 - start / total]
        colour = COLOURS.get(flow.group, TEAL)
        trace = _trace(space, flow, decisions, columns, height, domain, colour)
        notes += _head(space, flow, decisions, columns, (1 - top / total, domain[1]))
        notes += _take_last_labels(trace, len(flow.columns[-1]), columns)
        figure.add_trace(trace)
        top = start + height + FOOT
    figure.update_layout(annotations=notes)  # one by one, each would have all of them checked anew
    return figure


def _columns(space: SearchSpace, flows: Sequence[Flow], decisions: Sequence[int]) -> _Columns:
    """Give each decision as much room as its longest label needs."""
    starts, place = [], 0.0
    for column, index in enumerate(decisions):
        decision = space.decisions[index]
        tokens = {token for flow in flows for token in flow.columns[column] if token >= 0}
        longest = max(len(choice_words(decision, token)) for token in tokens)
        words = max(len(word) for word in _wrapped(decision.name))
        starts.append(place)
        place += max(BAR + 4 + LETTER * longest, LETTER * words) + ROOM
    return _Columns(tuple(starts), place)


def _height(flow: Flow) -> float:
    fullest = max(len(column) for column in flow.columns)
    return max(2.2 * ROW, ROW * fullest)


def _wrapped(name: str) -> list[str]:
    """Break a decision's name into at most two lines."""
    words = label(name).split()
    if len(words) < 2 or len(name) <= ONE_LINE:
        return [" ".join(words)]
    return [" ".join(words[: (len(words) + 1) // 2]), " ".join(words[(len(words) + 1) // 2 :])]


def _head(
    space: SearchSpace,
    flow: Flow,
    decisions: Sequence[int],
    columns: _Columns,
    between: tuple[float, float],
) -> list[dict[str, Any]]:
    """Give the group's name, and the names of the decisions above its diagram, as annotations."""
    tasks = f"{flow.tasks} task{'' if flow.tasks == 1 else 's'}"
    title = {
        "text": f"<b>{label(flow.group)}</b>  {tasks}",
        "x": 0,
        "y": between[0],
        "yanchor": "top",
        "font": {"size": 14, "color": INK},
        **FREE,
    }
    names = [
        {
            "text": "<br>".join(_wrapped(space.decisions[index].name)),
            "x": start / columns.width,
            "y": between[1],
            "yanchor": "bottom",
            "yshift": 8,
            "font": {"size": SIZE, "color": MUTED},
            **FREE,
        }
        for start, index in zip(columns.starts, decisions, strict=True)
    ]
    return [title, *names]


def _trace(
    space: SearchSpace,
    flow: Flow,
    decisions: Sequence[int],
    columns: _Columns,
    height: float,
    domain: list[float],
    colour: str,
) -> Any:
    import plotly.graph_objects as go

    nodes: dict[tuple[int, int], int] = {}
    names, hovers, xs, ys, colours = [], [], [], [], []
    fullest = max(len(column) for column in flow.columns)
    scale = height - GAP * (fullest - 1)  # of a share, as plotly will draw it
    for column, index in enumerate(decisions):
        decision = space.decisions[index]
        shares = flow.columns[column]
        # What does not apply stands below what does.
        tokens = sorted(shares, key=lambda token: (token < 0, token))
        place = (height - scale - GAP * (len(tokens) - 1)) / 2
        for token in tokens:
            nodes[column, token] = len(nodes)
            words = label(choice_words(decision, token))
            names.append(words if token >= 0 else "")
            hovers.append(f"{label(decision.name)}: {words}, {shares[token]:.0%}")
            xs.append((columns.starts[column] + BAR / 2) / columns.width)
            ys.append((place + scale * shares[token] / 2) / height)
            colours.append(colour if token >= 0 else ABSENT)
            place += scale * shares[token] + GAP
    links = [
        (nodes[column, first], nodes[column + 1, second], share, min(first, second) < 0)
        for column, link in enumerate(flow.links)
        for (first, second), share in sorted(link.items())
    ]
    return go.Sankey(
        arrangement="fixed",
        domain={"x": [0, 1], "y": domain},
        textfont={"size": SIZE, "color": INK},
        node={
            "label": names,
            "x": xs,
            "y": ys,
            "color": colours,
            "thickness": BAR,
            "pad": GAP,
            "line": {"width": 0},
            "customdata": hovers,
            "hovertemplate": "%{customdata}<extra></extra>",
        },
        link={
            "source": [one[0] for one in links],
            "target": [one[1] for one in links],
            "value": [round(one[2], 6) for one in links],
            "color": [_faint(ABSENT if one[3] else colour) for one in links],
            "customdata": [
                f"{hovers[one[0]].rsplit(',', 1)[0]} → {names[one[1]] or 'does not apply'}"
                for one in links
            ],
            "hovertemplate": "%{customdata}, %{value:.0%}<extra></extra>",
        },
    )


def _take_last_labels(trace: Any, count: int, columns: _Columns) -> list[dict[str, Any]]:
    """Give the labels of the last column as annotations on its right; plotly would write them over the bands."""
    low, high = trace.domain.y
    names, ys = list(trace.node.label), list(trace.node.y)
    trace.node.label = [*names[:-count], *[""] * count]
    return [
        {
            "text": name,
            "x": (columns.starts[-1] + BAR + 4) / columns.width,
            "y": high - y * (high - low),
            "yanchor": "middle",
            "font": {"size": SIZE, "color": INK},
            **FREE,
        }
        for name, y in zip(names[-count:], ys[-count:], strict=True)
        if name
    ]


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.38)"


def sankey_caption(figure: Any, space: SearchSpace, chosen: Sequence[Chosen], what: str) -> str:
    """Say how to read the figure, and what is left out of it; `what` says whose architectures these are."""
    shown = shown_decisions(space, chosen)
    text = (
        f"{what} The wider a band, the more of the group's weight takes that way; a column with one bar is a choice "
        "that they agree on."
    )
    if any(one.tokens[index] < 0 for one in chosen for index in shown):
        text += " Pale bars without a label: the decision does not apply after the ones before it."
    absent = [
        decision.name
        for index, decision in enumerate(space.decisions)
        if index not in shown and decision.sets != "skip"
    ]
    if absent:
        text += f" Left out, since none of these has it: {', '.join(absent)}."
    if skips := sum(decision.sets == "skip" for decision in space.decisions):
        text += f" The {skips} decisions about skip connections are left out."
    if figure.layout.meta["width"] > PAGE:
        text += " The figure goes on to the right."
    return text
