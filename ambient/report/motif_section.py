"""The section of motifs: sequence logos of the strongest of each task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ambient.report.logos import logo
from ambient.report.markup import Html, tag
from ambient.report.run_folder import RunFolder
from ambient.report.sections import task_order
from ambient.report.tables import number

__all__ = ["logo_section"]

MOTIFS_SHOWN = 3


def _motif(motif: Mapping[str, Any]) -> Html:
    name = str(motif.get("consensus") or motif["name"])
    facts = []
    if motif.get("log_p") is not None:
        facts.append(f"ln p {number(motif['log_p'])}".replace("-", "−", 1))
    if motif.get("target_share") is not None and motif.get("background_share") is not None:
        shares = motif["target_share"], motif["background_share"]
        facts.append("in {:.1%} of peaks, {:.1%} of background".format(*shares))
    if motif.get("multiplicity") is not None:
        facts.append(f"{motif['multiplicity']:.2f} sites a peak")
    caption = tag("figcaption", tag("b", name), ": ", ", ".join(facts))
    return tag("figure", logo(motif["probabilities"], f"Motif {name}"), caption)


def logo_section(run: RunFolder) -> Html | None:
    """Sequence logos of the strongest motifs of each task."""
    if run.descriptors is None:
        return None

    def strength(motif: Mapping[str, Any]) -> float:
        value = motif.get("log_p")
        return 0.0 if value is None else float(value)

    held_out = set(run.held_out_tasks)
    shown: list[Html] = []
    folded: list[Html] = []
    order = task_order(run)
    for task in order:
        motifs = sorted(run.descriptors[task]["motifs"], key=strength)[:MOTIFS_SHOWN]
        if not motifs:
            continue
        block = tag("div", tag("h3", task), tag("div", *map(_motif, motifs), class_="motifs"))
        (shown if task in held_out or len(order) <= 12 else folded).append(block)
    if not shown and not folded:
        return None
    others = "Training tasks" if held_out else "All tasks"
    more = tag("details", tag("summary", f"{others} ({len(folded)})"), *folded)
    return tag(
        "section",
        tag("h2", "Motifs"),
        tag(
            "p",
            f"The {MOTIFS_SHOWN} most enriched motifs of each task. A letter's height is its "
            "information in bits, at most 2 at a position; positions count from the motif's start. "
            "ln p is the natural logarithm of the enrichment's p value: the more negative, the "
            "stronger.",
        ),
        *shown,
        more if folded else None,
        id="motifs",
    )
