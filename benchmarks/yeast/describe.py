"""Describe all 249 yeast data sets, and draw them.

    python benchmarks/yeast/describe.py

writes descriptors.tsv (a row for each data set), heat_map.png, components.png and describe.json beside this file. What
was described is remembered under cache/, so that a run which was stopped goes on.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ambient.cli.progress import progress
from ambient.data.corpus import read_corpus
from ambient.data.describe import describe_corpus
from ambient.data.table import format_table
from ambient.errors import InputError
from ambient.files import write_atomic, write_json_atomic
from ambient.report.heat_map import COLOURS, EMPTY, LIMIT
from ambient.report.standard import (
    CATEGORIES,
    category_of,
    components,
    standardise,
    tree_of,
)
from ambient.report.theme import CATEGORY_MARKS, MUTED, PAPER
from descriptors import Descriptors
from descriptors.schema import DESCRIPTORS, NAMES

HERE = Path(__file__).resolve().parent
MARKERS = dict(zip(CATEGORIES, "oDs^P", strict=True))


def main() -> None:
    """Describe, write the table, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--workers", type=int, help="processes; one for each core if not given")
    arguments = parser.parse_args()
    try:
        corpus = read_corpus(HERE / "all.yaml")
    except InputError as error:
        sys.exit(f"the yeast benchmark needs the real data beside the checkout: {error}")
    with progress("describing", len(corpus.tasks)) as advance:
        described = describe_corpus(
            corpus,
            cache=HERE / "cache" / "descriptors",
            workers=arguments.workers,
            on_done=advance,
        )
    write_atomic(HERE / "descriptors.tsv", format_table(corpus.tasks, described))
    tasks = {name: {"values": one.values} for name, one in described.items()}
    draw_heat_map(tasks, HERE / "heat_map.png")
    draw_components(tasks, HERE / "components.png")
    record = summary(described)
    write_json_atomic(HERE / "describe.json", record)
    print(record)


def summary(described: dict[str, Descriptors]) -> dict[str, Any]:
    """Count what is missing and what was left out."""
    left_out: Counter[str] = Counter()
    missing: Counter[str] = Counter()
    for one in described.values():
        left_out.update(one.sources["peaks"]["left_out"])
        missing.update(name for name in NAMES if one.values[name] is None)
    return {
        "tasks": len(described),
        "motif_finder": {
            key: value
            for key, value in next(iter(described.values())).sources["motifs"].items()
            if key in ("finder", "revision", "seed")
        },
        "peaks_used": sum(int(one.values["n_peaks"] or 0) for one in described.values()),
        "peaks_left_out": dict(sorted(left_out.items())),
        "missing": dict(missing),
    }


def draw_heat_map(tasks: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw what `ambient describe --page` draws: tree, categories, standardised values, missing ones."""
    import matplotlib.pyplot as plt
    from matplotlib.colors import LinearSegmentedColormap, ListedColormap

    scores = standardise(tasks)
    tree = tree_of(scores)
    names = [list(tasks)[at] for at in tree.order]
    figure, (top, strip, cells) = plt.subplots(
        3, figsize=(20, 11), sharex=True, height_ratios=[1.6, 0.25, 10], layout="constrained"
    )
    for across, up in tree.joints:
        top.plot(across, up, color=MUTED, linewidth=0.6)
    top.set_axis_off()
    kinds = [CATEGORIES.index(category_of(tasks[name])) for name in names]
    colours = ListedColormap([CATEGORY_MARKS[name][0] for name in CATEGORIES])
    strip.imshow([kinds], aspect="auto", cmap=colours, vmin=-0.5, vmax=4.5, interpolation="none")
    strip.set_yticks([0], ["category"], fontsize=7)
    strip.tick_params(bottom=False)
    shades = LinearSegmentedColormap.from_list("sd", [(at, colour) for at, colour in COLOURS])
    shades.set_bad(EMPTY)
    drawn = cells.imshow(
        scores[:, list(tree.order)],
        aspect="auto", cmap=shades, vmin=-LIMIT, vmax=LIMIT, interpolation="none",
    )  # fmt: skip
    gone = np.argwhere(np.isnan(scores[:, list(tree.order)]))
    cells.plot(gone[:, 1], gone[:, 0], "x", color=MUTED, markersize=2, markeredgewidth=0.5)
    cells.set_yticks(range(len(DESCRIPTORS)), NAMES, fontsize=7)
    cells.set_xticks(range(len(names)), names, rotation=90, fontsize=4.2)
    cells.tick_params(length=1.5)
    figure.colorbar(drawn, ax=cells, shrink=0.5, pad=0.01, label="sd from the mean")
    crosses = {"marker": "x", "markersize": 6, "label": "missing"}
    figure.legend(handles=_legend(crosses), loc="outside upper right", ncols=6, frameon=False)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def draw_components(tasks: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw the tasks along the first two principal components; empty symbols have imputed values."""
    import matplotlib.pyplot as plt

    found = components(standardise(tasks))
    assert found is not None  # 249 tasks differ
    figure, plane = plt.subplots(figsize=(9, 7), layout="constrained")
    kinds = np.array([category_of(task) for task in tasks.values()])
    imputed = np.array(found.imputed) > 0
    for category in CATEGORIES:
        colour = CATEGORY_MARKS[category][0]
        for hollow in (True, False):
            x, y = found.places[(kinds == category) & (imputed == hollow)].T
            plane.scatter(
                x, y, s=26, marker=MARKERS[category], linewidths=0.9, alpha=0.85,
                facecolors=PAPER if hollow else colour, edgecolors=colour,
            )  # fmt: skip
    # The farthest are named.
    names = list(tasks)
    for at in np.argsort(-np.linalg.norm(found.places, axis=1))[:12]:
        plane.annotate(names[at], found.places[at], (4, 4), textcoords="offset points", fontsize=7)
    plane.set_aspect("equal")
    for number, (share, leading) in enumerate(zip(found.explained, found.leading, strict=True)):
        text = f"PC{number + 1}: {share:.0%} of the variance (sd)\n{', '.join(leading)}"
        (plane.set_ylabel if number else plane.set_xlabel)(text, fontsize=8)
    rings = {"marker": "o", "markerfacecolor": PAPER, "label": "a value missing"}
    plane.legend(handles=_legend(rings), frameon=False, fontsize=8)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _legend(missing: dict[str, Any]) -> list[Any]:
    from matplotlib.lines import Line2D

    def mark(**look: Any) -> Any:
        return Line2D([], [], linestyle="", **look)

    marks = [
        mark(marker=MARKERS[name], color=CATEGORY_MARKS[name][0], label=name) for name in CATEGORIES
    ]
    return [*marks, mark(color=MUTED, **missing)]


if __name__ == "__main__":
    main()
