"""The sections of a search of one task: its main result, how it went, and the best architectures that it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from ambient.evaluate.costs import Costs
from ambient.files import read_json
from ambient.report import figures
from ambient.report.figures import label, layout
from ambient.report.headline import duration, plural, tile
from ambient.report.journal import Evaluated
from ambient.report.markup import Cell, Html, table, tag
from ambient.report.run_folder import RunFolder, metric_of, name_of
from ambient.report.sections import diagnostic_plots
from ambient.report.tables import NONE, architecture_list, score
from ambient.report.theme import AMBER, BLUE, MUTED, RANDOM, TEAL
from ambient.search.run_folder import BEST
from ambient.space import SearchSpace

__all__ = ["best_section", "search_result", "search_section", "search_words"]

SHOWN = 10  # architectures in the table
TEST = "test_auroc"
CHOOSING = ("predicted",)  # methods that weigh what was reached


def search_words(run: RunFolder) -> str:
    """Say in plain words what was searched, and by what."""
    config = run.config
    space, tasks = name_of(config.get("space")), list(config.get("task") or ())
    text = f"The method {run.method} searched" + (f" the space {space}" if space else "")
    text += f" for the best architecture of {tasks[0]}" if tasks else ""
    if run.journal:
        last = run.journal[-1]
        text += (
            f": {plural(last['evaluations'], 'evaluation')} in {plural(len(run.journal), 'step')}"
        )
        text += f", {duration(last['wall_seconds'])}."
        if last["failed"]:
            text += f" {plural(last['failed'], 'evaluation')} failed."
    else:
        text += "; no step of it is finished yet."
    if config.get("from_controller"):
        text += f" It began from the controller {config['from_controller']}."
    text += f" Seed {config['seed']}." if config.get("seed") is not None else ""
    return text + (f" Version {config['version']} of ambient." if config.get("version") else "")


def _evaluated(run: RunFolder) -> list[Evaluated]:
    return [one for step in run.journal or () for one in step["evaluated"]]


def _scores(run: RunFolder) -> list[float | None]:
    """Give what each evaluation reached, None where it failed."""
    metric = metric_of(run.config)
    return [one.metrics.get(metric) if one.state == "done" else None for one in _evaluated(run)]


def _ranked(scores: Sequence[float | None], chosen: int | None) -> list[int]:
    """Order evaluations: what the search chose, then by what they reached; failed ones are left out."""
    known = [(at != chosen, -value, at) for at, value in enumerate(scores) if value is not None]
    return [at for *_, at in sorted(known)]


def _chosen(run: RunFolder) -> int | None:
    """Give which evaluation the search holds to be best, where that need not be the one that reached most."""
    kept = run.path / BEST
    if run.method not in CHOOSING or not kept.is_file():
        return None
    tokens = tuple(read_json(kept, "file of an architecture")["tokens"])
    each = (at for at, one in enumerate(_evaluated(run)) if one.tokens == tokens)
    return next(each, None)


def search_result(run: RunFolder) -> Html | None:
    """Say in a few large numbers what was found and what it cost."""
    evaluated, scores = _evaluated(run), _scores(run)
    chosen = _chosen(run)
    ranked = _ranked(scores, chosen)
    if not ranked:
        return None
    best = evaluated[ranked[0]]
    title = "Best" if chosen is None else "Of which most is expected"
    known = [value for value in scores if value is not None]
    reached = score(scores[ranked[0]])
    tiles = [
        tile(
            f"{title}, validation AUROC",
            reached,
            f"evaluation {ranked[0] + 1} of {len(scores)}",
            TEAL,
        )
    ]
    if best.metrics.get(TEST) is not None:
        note = "of the same network; the search never saw it"
        tiles.append(tile("Its test AUROC", score(best.metrics[TEST]), note, BLUE))
    note = f"validation AUROC of all {len(known)} that were trained"
    tiles.append(tile("Median", score(float(np.median(known))), note, RANDOM))
    costs = costs_of(evaluated)
    if costs.wall_seconds:
        tiles.append(tile("Training them", duration(costs.wall_seconds), _cost_words(costs), AMBER))
    return tag("section", tag("h2", "Main result"), tag("div", *tiles, class_="tiles"), id="result")


def costs_of(evaluated: Sequence[Evaluated]) -> Costs:
    """Add up what evaluations took; older journals do not tell."""

    def taken(name: str) -> list[float]:
        return [value for one in evaluated if (value := one.costs.get(name)) is not None]

    energies = taken("energy_kwh")
    return Costs(
        len(evaluated),
        Counter(one.state for one in evaluated),
        sum(taken("wall_seconds")),
        sum(taken("cpu_seconds")),
        sum(taken("gpu_seconds")),
        sum(energies) if energies else None,
        len(energies),
    )


def _cost_words(costs: Costs) -> str:
    words = f"one after the other; {duration(costs.cpu_seconds)} of CPU, "
    words += f"{duration(costs.gpu_seconds)} of GPU, " if costs.gpu_seconds else "no GPU, "
    if costs.energy_kwh is None:
        return words + "energy not measured"
    few = costs.energy_kwh < 0.01
    words += f"{1000 * costs.energy_kwh:.3g} Wh" if few else f"{costs.energy_kwh:.3g} kWh"
    missing = costs.evaluations - costs.measured
    return words + (f" (not measured for {missing:,})" if missing else "")


def search_section(run: RunFolder) -> Html | None:
    """The best so far after each evaluation, the diagnostics of what learns, and the cost."""
    if run.journal is None:
        return None
    head = tag("h2", "Search")
    evaluated = _evaluated(run)
    if not evaluated:
        return tag("section", head, tag("p", "No step is finished yet."), id="search")
    curve = figures.plot(
        progress_figure(run.space, evaluated, _scores(run)),
        "Each dot is an architecture that was trained, in the order of the search; the line is the best so far. What "
        "is read here and what the search learns from is the validation AUROC alone.",
    )
    small = diagnostic_plots(run.journal)
    torn = "The last line of the journal was cut and is left out." if run.journal_torn else None
    return tag(
        "section",
        head,
        tag("p", torn) if torn else None,
        curve,
        tag("h3", "Diagnostics of PPO") if small else None,
        tag("div", *small, class_="figures small") if small else None,
        id="search",
    )


def progress_figure(
    space: SearchSpace | None, evaluated: Sequence[Evaluated], scores: Sequence[float | None]
) -> Any:
    """Draw what each evaluation reached, and the best so far."""
    import plotly.graph_objects as go

    figure = go.Figure(layout=layout(380, "evaluation (count)", "validation AUROC (no unit)"))
    words = [_summary(space, one) for one in evaluated]
    known = [(at + 1, value) for at, value in enumerate(scores) if value is not None]
    figure.add_trace(
        go.Scatter(
            x=[at for at, _ in known],
            y=[value for _, value in known],
            mode="markers",
            name="one architecture",
            marker={"color": TEAL, "size": 7, "opacity": 0.45},
            customdata=[label(words[at - 1]) for at, _ in known],
            hovertemplate="evaluation %{x}: %{y:.4f}<br>%{customdata}<extra></extra>",
        )
    )
    best = np.maximum.accumulate([value for _, value in known]) if known else np.empty(0)
    figure.add_trace(
        go.Scatter(
            x=[at for at, _ in known] + ([len(scores)] if known else []),
            y=[float(value) for value in best] + ([float(best[-1])] if known else []),
            mode="lines",
            name="best so far",
            line={"color": TEAL, "width": 2.4, "shape": "hv"},
            hovertemplate="after %{x}: %{y:.4f}<extra>best so far</extra>",
        )
    )
    failed = [at + 1 for at, value in enumerate(scores) if value is None]
    if failed:
        figure.add_trace(
            go.Scatter(
                x=failed,
                y=[min((value for _, value in known), default=0.5)] * len(failed),
                mode="markers",
                name="failed",
                marker={"symbol": "x-thin", "size": 8, "line": {"color": MUTED, "width": 1.8}},
                customdata=[label(words[at - 1]) for at in failed],
                hovertemplate="evaluation %{x} failed<br>%{customdata}<extra></extra>",
            )
        )
    return figure


def _summary(space: SearchSpace | None, one: Evaluated) -> str:
    if space is None or not one.tokens:
        return one.task
    return space.architecture(one.tokens).summary()


def best_section(run: RunFolder) -> Html | None:
    """The best architecture spelled out, and the table of the best ones."""
    evaluated, scores = _evaluated(run), _scores(run)
    chosen = _chosen(run)
    ranked = _ranked(scores, chosen)[:SHOWN]
    if not ranked or run.space is None or not evaluated[ranked[0]].tokens:
        return None
    best = run.space.architecture(evaluated[ranked[0]].tokens)
    how = "with the highest validation AUROC"
    if chosen is not None:
        how = "of which most is expected, given the controller's records and all that was measured"
    head = [
        tag("th", "rank"),
        tag("th", "evaluation"),
        tag("th", "validation AUROC"),
        tag("th", "test AUROC"),
        tag("th", "training", tag("span", "seconds", class_="unit")),
        tag("th", "architecture", class_="text"),
    ]
    rows: list[list[Cell]] = []
    for rank, at in enumerate(ranked, start=1):
        one = evaluated[at]
        seconds = one.costs.get("wall_seconds")
        rows.append(
            [
                rank,
                at + 1,
                score(scores[at]),
                score(one.metrics.get(TEST)) or NONE,
                NONE if seconds is None else f"{seconds:.1f}",
                (_summary(run.space, one), "text"),
            ]
        )
    return tag(
        "section",
        tag("h2", "Best"),
        tag(
            "p",
            f"The architecture {how}, as best.json has it. The test scores stand here for the reader: they had no say.",
        ),
        architecture_list({"architecture": best.to_dict(), "summary": best.summary()}),
        table([head], rows, class_="full"),
        id="best",
    )
