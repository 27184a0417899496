"""The interactive figures: plotly specifications, each with axis titles, units and a caption."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ambient.report.markup import Html, tag
from ambient.report.summary import ComparedTask
from ambient.report.theme import AMBER, BLUE, GRID, INK, MUTED, PAPER, RANDOM, TEAL

__all__ = [
    "comparison_figure",
    "diagnostic_figure",
    "figure_json",
    "moving_mean",
    "plot",
    "reward_figure",
    "reward_gain_figure",
    "task_reward_figure",
]

Steps = Sequence[Mapping[str, Any]]


def label(text: object) -> str:
    """Make text safe for plotly, which reads a little HTML in its labels."""
    return html.escape(str(text), quote=False)


def layout(height: int, x_title: str, y_title: str, **more: Any) -> Any:
    """Give the look that all figures share."""
    import plotly.graph_objects as go

    axis = {
        "gridcolor": GRID,
        "zeroline": False,
        "linecolor": MUTED,
        "ticks": "outside",
        "tickcolor": MUTED,
        "automargin": True,
    }
    made = go.Layout(
        template=go.layout.Template(),
        height=height,
        margin={"l": 56, "r": 14, "t": 34, "b": 48},
        paper_bgcolor=PAPER,
        plot_bgcolor=PAPER,
        font={"family": "Inter, Segoe UI, Helvetica Neue, Liberation Sans, Arial", "color": INK},
        hoverlabel={"bgcolor": PAPER, "font": {"color": INK}},
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "font": {"size": 12.5}},
        xaxis={**axis, "title": {"text": x_title, "font": {"size": 13}}},
        yaxis={**axis, "title": {"text": y_title, "font": {"size": 13}}},
    )
    return made.update(more)


def figure_json(figure: Any) -> Html:
    """Write a figure as JSON that cannot end the script element that holds it."""
    text = json.dumps(figure.to_plotly_json(), allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Html(text)


def plot(
    figure: Any,
    caption: str,
    name: str | None = None,
    min_width: int = 0,
    before: Html | None = None,
) -> Html:
    """Put a figure and its caption into the page.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        What is drawn.
    caption : str
        One sentence on how to read it.
    name : str, optional
        Identifier of the element, where a selection refers to it.
    min_width : int
        Pixels across; a narrower window scrolls the figure instead of squeezing it.
    before : Html, optional
        What stands above the figure, such as a selection.
    """
    height = figure.layout.height
    style = f"height:{height}px" + (f";min-width:{min_width}px" if min_width else "")
    canvas = tag("div", class_="canvas", style=style)
    data = tag("script", figure_json(figure), type="application/json")
    drawn = tag("div", canvas, data, class_="plot", id=name)
    if min_width:
        drawn = tag("div", drawn, class_="scroll")
    return tag("figure", before, drawn, tag("figcaption", caption))


def moving_mean(values: Sequence[float | None], window: int) -> list[float | None]:
    """Average each value with those before it, at most `window` in all; None is passed over."""
    means: list[float | None] = []
    for end in range(1, len(values) + 1):
        known = [value for value in values[max(0, end - window) : end] if value is not None]
        means.append(float(np.mean(known)) if known else None)
    return means


def smoothing_window(steps: int) -> int:
    """Choose over how many steps a curve is averaged: a sixth of them, at most 20."""
    return min(20, max(1, steps // 6))


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _curve_with_dots(figure: Any, steps: Steps, values: list[float | None], colour: str) -> None:
    import plotly.graph_objects as go

    numbers = [step["step"] for step in steps]
    window = smoothing_window(len(steps))
    figure.add_trace(
        go.Scatter(
            x=numbers,
            y=values,
            mode="markers",
            name="one step",
            marker={"color": colour, "size": 5, "opacity": 0.35},
            hovertemplate="step %{x}: %{y:.3f}<extra></extra>",
        )
    )
    if window > 1:
        figure.add_trace(
            go.Scatter(
                x=numbers,
                y=moving_mean(values, window),
                mode="lines",
                name=f"mean of the last {window} steps",
                line={"color": colour, "width": 2.4},
                hovertemplate="step %{x}: %{y:.3f}<extra></extra>",
            )
        )


def reward_figure(steps: Steps, reward: str) -> Any:
    """Draw the mean reward over the tasks of each step, and their mean baseline."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=layout(330, "step (count)", f"reward: {label(reward)} (no unit)"))
    means = [_mean([float(np.mean(v)) for v in step["rewards"].values()]) for step in steps]
    _curve_with_dots(figure, steps, means, TEAL)
    baselines = [
        _mean([b for task in step["rewards"] if (b := step["baselines"].get(task)) is not None])
        for step in steps
    ]
    figure.add_trace(
        go.Scatter(
            x=[step["step"] for step in steps],
            y=moving_mean(baselines, smoothing_window(len(steps))),
            mode="lines",
            name="their baselines",
            line={"color": BLUE, "width": 1.6, "dash": "dot"},
            hovertemplate="step %{x}: %{y:.3f}<extra>baseline</extra>",
        )
    )
    return figure


def reward_gain_figure(steps: Steps) -> Any:
    """Draw the reward less the task's own baseline, averaged over the tasks of each step."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=layout(330, "step (count)", "reward minus baseline (no unit)"))
    gains = []
    for step in steps:
        known = [
            float(np.mean(values)) - baseline
            for task, values in step["rewards"].items()
            if (baseline := step["baselines"].get(task)) is not None
        ]
        gains.append(_mean(known))
    _curve_with_dots(figure, steps, gains, TEAL)
    figure.add_hline(y=0, line={"color": MUTED, "width": 1})
    return figure


def task_reward_figure(steps: Steps, tasks: Sequence[str], reward: str) -> Any:
    """Draw each task's rewards and baseline; the first shows until another is selected."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=layout(330, "step (count)", f"reward: {label(reward)} (no unit)"))
    for index, task in enumerate(tasks):
        points = [(s["step"], value) for s in steps for value in s["rewards"].get(task, ())]
        baseline = [
            (s["step"], value) for s in steps if (value := s["baselines"].get(task)) is not None
        ]
        shown = {"meta": index, "visible": index == 0}
        figure.add_trace(
            go.Scatter(
                x=[step for step, _ in points],
                y=[value for _, value in points],
                mode="markers",
                name=f"{label(task)}: one architecture",
                marker={"color": TEAL, "size": 6, "opacity": 0.55},
                hovertemplate="step %{x}: %{y:.3f}<extra></extra>",
                **shown,
            )
        )
        figure.add_trace(
            go.Scatter(
                x=[step for step, _ in baseline],
                y=[value for _, value in baseline],
                mode="lines",
                name="its baseline",
                line={"color": BLUE, "width": 1.8},
                hovertemplate="step %{x}: %{y:.3f}<extra>baseline</extra>",
                **shown,
            )
        )
    return figure


def diagnostic_figure(steps: Steps, key: str, y_title: str) -> Any:
    """Draw one of the controller's diagnostics by step; steps without an update are passed over."""
    import plotly.graph_objects as go

    points = [(step["step"], step[key]) for step in steps if step.get(key) is not None]
    figure = go.Figure(layout=layout(210, "step (count)", y_title, showlegend=False))
    figure.update_layout(margin={"l": 52, "r": 8, "t": 12, "b": 44})
    figure.add_trace(
        go.Scatter(
            x=[step for step, _ in points],
            y=[value for _, value in points],
            mode="lines+markers" if len(points) < 12 else "lines",
            line={"color": BLUE, "width": 1.6},
            hovertemplate="step %{x}: %{y:.4g}<extra></extra>",
        )
    )
    return figure


def comparison_figure(rows: Sequence[ComparedTask], metric: str) -> Any:
    """Draw one line for each task: random architectures, their mean, 5-mers, the proposal."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=layout(110 + 34 * len(rows), f"test {metric} (no unit)", "task"))
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[label(row.task) for row in rows],
        range=[len(rows) - 0.5, -0.5],
        title=None,
        ticks="",
    )

    def add(name: str, points: list[tuple[float | None, int]], **marker: Any) -> None:
        known = [(x, y) for x, y in points if x is not None]
        if not known:
            return
        figure.add_trace(
            go.Scatter(
                x=[x for x, _ in known],
                y=[y for _, y in known],
                mode="markers",
                name=name,
                marker=marker,
                customdata=[label(rows[y].task) for _, y in known],
                hovertemplate="%{customdata}: %{x:.3f}<extra>" + name + "</extra>",
            )
        )

    scores = [(score, index) for index, row in enumerate(rows) for score in row.random]
    add("random architectures", list(scores), color=RANDOM, size=9, opacity=0.55)
    means = [
        (interval.mean if (interval := row.random_interval) else None, index)
        for index, row in enumerate(rows)
    ]
    add("mean of random", means, symbol="line-ns", size=10, line={"color": MUTED, "width": 2.4})
    kmers = [(row.kmer, index) for index, row in enumerate(rows)]
    add("5-mers", kmers, symbol="square-open", size=10, color=AMBER, line={"width": 2})
    proposals = [(row.proposal, index) for index, row in enumerate(rows)]
    add("proposal", proposals, symbol="diamond", size=12, color=TEAL)
    full = [(row.full, index) for index, row in enumerate(rows)]
    add("proposal at full fidelity", full, symbol="triangle-up", size=11, color=BLUE)
    return figure
