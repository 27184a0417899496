"""The tables: comparison, descriptors by group, proposals, provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from ambient.report.markup import Cell, Html, fragment, table, tag
from ambient.report.summary import ComparedTask, Interval, Summary
from ambient.search.rounds import Round
from descriptors.schema import DESCRIPTORS

__all__ = [
    "architecture_list",
    "comparison_table",
    "descriptor_tables",
    "interval_text",
    "layer_words",
    "number",
    "proposal_table",
    "provenance_table",
    "round_table",
    "score",
]

NONE: Cell = ("–", "none")
FLAGS = ("is_", "has_")
SHOWN = ("name", "sha256", "rows", "left_out")  # of where a descriptor comes from


def score(value: float | None) -> str | None:
    """Write an AUROC or AUPR with three decimals."""
    return None if value is None else f"{value:.3f}"


def number(value: float) -> str:
    """Write a number of any size so that it can be read: 4 digits, thousands separated."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e7 or size < 1e-3:
        return f"{value:.3g}"
    if float(value).is_integer() or size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def interval_text(interval: Interval | None) -> str | None:
    """Write a mean with its interval: `0.871 (0.850 to 0.892)`."""
    if interval is None:
        return None
    if interval.low is None or interval.high is None:
        return f"{interval.mean:.3f}"
    return f"{interval.mean:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def _cell(text: str | None, best: bool = False) -> Cell:
    if text is None:
        return NONE
    return (text, "best") if best else text


def _score_cells(row: ComparedTask, full: bool) -> list[Cell]:
    interval = row.random_interval
    mean = interval.mean if interval else None
    rivals = [value for value in (row.proposal, mean, row.kmer) if value is not None]
    top = max(rivals, default=None)
    beaten = None if row.beaten is None else f"{row.beaten} of {len(row.random)}"
    cells = [
        _cell(score(row.proposal), row.proposal is not None and row.proposal == top),
        _cell(interval_text(interval), mean is not None and mean == top),
        _cell(score(row.random_best)),
        _cell(beaten),
        _cell(score(row.kmer), row.kmer is not None and row.kmer == top),
    ]
    return [*cells, _cell(score(row.full))] if full else cells


def comparison_table(rows: Sequence[ComparedTask], metric: str, summary: Summary | None) -> Html:
    """Make the table of one metric: a row for each task, the means over held-out tasks below."""
    full = any(row.full is not None for row in rows)
    names = ["proposal", "random, mean (95% interval)", "best random", "random beaten", "5-mers"]
    names += ["proposal, full fidelity"] if full else []
    head = [
        [
            tag("th", "task", rowspan=2),
            tag("th", "category", rowspan=2, class_="text"),
            tag("th", f"test {metric} (no unit)", colspan=len(names), class_="group"),
        ],
        [tag("th", name) for name in names],
    ]
    body = [
        [
            row.task if row.held_out else f"{row.task} (trained on)",
            (row.category, "text"),
            *_score_cells(row, full),
        ]
        for row in rows
    ]
    foot: list[Cell] | None = None
    if summary is not None and len(rows) > 1:
        foot = [
            f"mean of {summary.tasks} held-out",
            "",
            score(summary.proposal.mean),
            score(summary.random.mean),
            score(summary.random_best.mean),
            "",
            _cell(score(summary.kmer.mean) if summary.kmer else None),
        ]
        foot += [_cell(score(summary.full.mean) if summary.full else None)] if full else []
    return table(head, body, foot, class_="full")


def _unit(descriptor: Any) -> str:
    if descriptor.name.startswith(FLAGS):
        return "yes or no"
    return str(descriptor.unit).replace("^2", "²") or "no unit"


def _value_cell(name: str, value: float | None) -> Cell:
    if value is None:
        return ("missing", "none")
    if name.startswith(FLAGS):
        return "yes" if value else "no"
    return number(value)


def descriptor_tables(described: Mapping[str, Mapping[str, Any]], order: Sequence[str]) -> Html:
    """Make one table for each group of descriptors; the motif group gives one for each length."""

    def key(descriptor: Any) -> tuple[str, str]:
        length = descriptor.name.split("_")[0] if descriptor.name.startswith("motif") else ""
        return descriptor.group, length

    made = []
    for (group, length), members in groupby(DESCRIPTORS, key=key):
        chosen = list(members)
        title = f"{group}, length {length.removeprefix('motif')}" if length else group
        head = [tag("th", "task")]
        for descriptor in chosen:
            words = (
                descriptor.name.removeprefix(f"{length}_").removesuffix("_bp").removesuffix("_bp2")
            )
            unit = tag("span", _unit(descriptor), class_="unit")
            head.append(tag("th", words.replace("_", " "), unit, title=descriptor.meaning))
        rows: list[list[Cell]] = [
            [task, *(_value_cell(d.name, described[task]["values"].get(d.name)) for d in chosen)]
            for task in order
        ]
        heading = tag("summary", title[:1].upper() + title[1:], " ", _kind(f"({len(chosen)})"))
        content = table([head], rows)
        made.append(tag("details", heading, content, open=len(order) <= 12 and not length))
    return fragment(*made)


def _kind(text: str) -> Html:
    return tag("span", text, class_="kind")


def layer_words(layer: Mapping[str, Any]) -> tuple[str, str]:
    """Spell out one operation: its name and its parameters, in words."""
    values = {key: value for key, value in layer.items() if key != "operation"}
    name = str(layer.get("operation", "layer")).replace("_", " ")
    words = []
    if "filters" in values and "kernel" in values:
        words.append(f"{values.pop('filters')} filters × {values.pop('kernel')}")
    for key, value in values.items():
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        if (key == "dilation" and value == 1) or value is False or value is None:
            continue
        if value is True:
            words.append("both strands" if key == "reverse_complement" else key.replace("_", " "))
        elif key == "activation":
            words.append("ReLU" if value == "relu" else shown)
        elif key in ("size", "rate"):
            words.append(shown)
        elif key == "units":
            words.append(f"{shown} units")
        else:
            words.append(f"{key.replace('_', ' ')} {shown}")
    return name, ", ".join(words)


def architecture_list(proposal: Mapping[str, Any]) -> Html:
    """Spell out an architecture from DNA to the output, as a row of layers that wraps."""
    architecture = proposal.get("architecture") or {}
    layers = architecture.get("layers") if isinstance(architecture, dict) else None
    if not layers:
        return tag("p", proposal["summary"])
    window = architecture.get("window_bp")
    start = f"DNA, {window} bp" if window else "DNA"
    items = [tag("li", tag("span", start, class_="edge"))]
    for layer in layers:
        if layer.get("operation") == "identity":
            continue
        name, details = layer_words(layer)
        words = fragment(tag("b", name), f" {details}" if details else None)
        items.append(tag("li", tag("span", words, class_=str(layer.get("operation")))))
    items.append(tag("li", tag("span", "one probability for each label", class_="edge")))
    recipe = architecture.get("recipe") or {}
    settings = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in recipe.items())
    note = tag("p", f"Trained with {settings}.", class_="eyebrow") if settings else None
    return fragment(tag("ol", *items, class_="layers"), note)


def proposal_table(proposals: Sequence[Mapping[str, Any]]) -> Html:
    """Make the table of one task's proposals, in their order."""
    head = [
        [
            tag("th", "rank"),
            tag("th", "probability"),
            tag("th", "architecture", class_="text"),
        ]
    ]
    rows: list[list[Cell]] = [
        [
            rank,
            f"{float(proposal['probability']):.3g}" + ", proven" * proposal.get("proven", False),
            (proposal["summary"], "text"),
        ]
        for rank, proposal in enumerate(proposals, start=1)
    ]
    return table(head, rows)


def round_table(rounds: Sequence[Round]) -> Html:
    """Make the table of the rounds of real children between steps with a predictor."""
    words = ("after step", "trained", "failed", "expected", "reached", "within 80% intervals")
    rows: list[list[Cell]] = []
    for one in rounds:
        done = len(one.trained)
        told = [f"{one.expected:.3f}", f"{one.reached:.3f}", f"{one.covered} of {done}"]
        rows.append([one.step, done, one.failed, *(told if done else [NONE] * 3)])
    return table([[tag("th", word) for word in words]], rows)


def provenance_table(described: Mapping[str, Mapping[str, Any]]) -> Html:
    """Make the table of source files; a file that several tasks share has one row."""
    users: dict[str, list[str]] = {}
    for task, descriptors in described.items():
        for role, source in descriptors["sources"].items():
            told = {key: source[key] for key in SHOWN if key in source}
            users.setdefault(json.dumps([role, told], sort_keys=True), []).append(task)
    rows: list[list[Cell]] = []
    for text, tasks in users.items():
        role, source = json.loads(text)
        left_out = {
            reason: count for reason, count in (source.get("left_out") or {}).items() if count
        }
        shown = ", ".join(tasks) if len(tasks) <= 3 else f"{len(tasks)} tasks"
        digest = source.get("sha256")
        count = source.get("rows")
        rows.append(
            [
                str(source.get("name", "")),
                (role.replace("_", " "), "text"),
                (tag("code", digest[:12], title=digest), "text") if digest else NONE,
                NONE if count is None else f"{count:,}",
                (
                    "; ".join(f"{reason}: {count:,}" for reason, count in left_out.items())
                    or "nothing",
                    "text",
                ),
                (shown, "text"),
            ]
        )
    head = [
        tag("th", "file"),
        tag("th", "used as", class_="text"),
        tag("th", "SHA-256, first 12", class_="text"),
        tag("th", "rows", tag("span", "count", class_="unit")),
        tag("th", "left out", tag("span", "reason: rows", class_="unit"), class_="text"),
        tag("th", "tasks", class_="text"),
    ]
    return table([head], rows, class_="full")
