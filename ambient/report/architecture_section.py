"""Which architectures a run came to: by category, step by step, and as the controller sees its choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ambient.report import figures
from ambient.report.embeddings import embedding_caption, embedding_figure
from ambient.report.flows import best_evaluated
from ambient.report.journal import Evaluated
from ambient.report.learnt import Learnt, embedded, learnt_in, learnt_of, probabilities, proposed
from ambient.report.markup import Html, tag
from ambient.report.run_folder import RunFolder, metric_of
from ambient.report.sankey import sankey_caption, sankey_figure
from ambient.report.selection import selection_caption, selection_figure
from ambient.report.standard import category_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ambient.controller.card import Controller
    from descriptors.record import Descriptors

__all__ = ["architecture_section", "controller_figures"]

TOP = 10  # architectures of a task that the diagram is made of


def architecture_section(run: RunFolder) -> Html | None:
    """The Sankey diagram, the choices by step, and the controller's embeddings; None where nothing is known of them."""
    if run.space is None:
        return None
    learnt = learnt_in(run)
    steps = [step["evaluated"] for step in run.journal or ()]
    parts = [
        *_flows(run, learnt, [one for step in steps for one in step]),
        *_choices(run, learnt, steps),
        *_embeddings(learnt),
    ]
    if not parts:
        return None
    return tag("section", tag("h2", "Architectures"), *parts, id="architectures")


def _flows(run: RunFolder, learnt: Learnt | None, evaluated: Sequence[Evaluated]) -> list[Html]:
    assert run.space is not None
    if learnt is not None and run.method is None:
        chosen = proposed(learnt, TOP)
        what = (
            f"The {TOP} most probable architectures of each task, each as wide as its probability among them; all "
            "tasks of a category weigh the same."
        )
        heading = "What the controller proposes, by category"
    else:
        chosen = best_evaluated(evaluated, _groups(run, evaluated), metric_of(run.config), TOP)
        metric = _metric_words(run)
        what = f"The {TOP} architectures of each task with the highest {metric}, each as wide as the others."
        heading = "The best that were evaluated" + (", by category" if run.method is None else "")
    figure = sankey_figure(run.space, chosen)
    if figure is None:
        return []
    caption = sankey_caption(figure, run.space, chosen, what)
    return [
        tag("h3", heading),
        figures.plot(figure, caption, min_width=figure.layout.meta["width"]),
    ]


def _groups(run: RunFolder, evaluated: Sequence[Evaluated]) -> dict[str, str]:
    if run.method is not None:
        return {one.task: one.task for one in evaluated}
    return {name: category_of(one) for name, one in (run.descriptors or {}).items()}


def _metric_words(run: RunFolder) -> str:
    words = metric_of(run.config).replace("_", " ")
    return words.replace("auroc", "AUROC").replace("aupr", "AUPR")


def _choices(
    run: RunFolder, learnt: Learnt | None, steps: Sequence[Sequence[Evaluated]]
) -> list[Html]:
    assert run.space is not None
    final = probabilities(learnt) if learnt is not None else {}
    figure = selection_figure(run.space, steps, final)
    if figure is None:
        return []
    caption = selection_caption(figure, run.method)
    return [tag("h3", "Choices of each decision"), figures.plot(figure, caption, min_width=760)]


def _embeddings(learnt: Learnt | None) -> list[Html]:
    if learnt is None:
        return []
    points = embedded(learnt.policy)
    figure = embedding_figure(learnt.policy.space, points)
    if figure is None:
        return []
    plot = figures.plot(figure, embedding_caption(points), min_width=640)
    return [tag("h3", "Embeddings of the choices"), plot]


def controller_figures(
    controller: Controller, described: Mapping[str, Descriptors], groups: Mapping[str, str]
) -> dict[str, Any]:
    """Draw what a controller proposes for tasks that are described.

    Parameters
    ----------
    controller : Controller
    described : mapping of str to Descriptors
        Of at least one task.
    groups : mapping of str to str
        Task to category.

    Returns
    -------
    dict of str to plotly.graph_objects.Figure
        `proposals` (a Sankey diagram for each category), `choices` (the probability of each choice) and
        `embeddings`; without those that the space is too small for.
    """
    learnt = learnt_of(controller, described, groups)
    made = {
        "proposals": sankey_figure(controller.space, proposed(learnt, TOP)),
        "choices": selection_figure(controller.space, (), probabilities(learnt)),
        "embeddings": embedding_figure(controller.space, embedded(controller.policy)),
    }
    return {name: figure for name, figure in made.items() if figure is not None}
