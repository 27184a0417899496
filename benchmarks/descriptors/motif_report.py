"""The table and the picture of the motif benchmark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from motifs import is_match


def report(record: dict[str, Any], as_table: Callable[..., str]) -> str:
    """Give the results as Markdown."""
    return "\n".join(
        [
            "# The built-in motif finder and HOMER 2\n",
            _headers(record, as_table),
            _agreement(record, as_table),
            _correlations(record, as_table),
            _speed(record, as_table),
            f"Made by `python benchmarks/descriptors/motifs.py` on {record['machine']['cores']} cores.\n",
        ]
    )


def _headers(record: dict[str, Any], as_table: Callable[..., str]) -> str:
    columns = {
        "motifs": "motifs",
        "targets": "targets exact",
        "percent": "percentages within 0.5",
        "ln_p": "ln p within 0.0001",
        "positions": "mean and spread of positions",
        "strand_bias": "strand bias within 0.1",
        "multiplicity": "multiplicity within 0.02",
    }
    rows: list[list[object]] = [
        [name, *(counts[key] for key in columns)] for name, counts in record["headers"].items()
    ]
    totals = [sum(counts[key] for counts in record["headers"].values()) for key in columns]
    table = as_table(["set", *columns.values()], [*rows, ["all", *totals]])
    return (
        "## What HOMER printed, from its own matrices and thresholds\n\n"
        "How many of the headers of HOMER's motif files come out here. HOMER counts each motif where the sites of "
        "those before it are masked; their order is not in the files and was found from the mean and the standard "
        "deviation of the positions and from the strand bias, which are in each header.\n\n" + table
    )


def _agreement(record: dict[str, Any], as_table: Callable[..., str]) -> str:
    rows = record["agreement"]
    counts = [
        [
            where.replace("_", " "),
            *(
                f"{sum(is_match(row[where], by) for row in rows)}/{len(rows)}"
                for by in ("r", "q", "either")
            ),
        ]
        for where in ("same_length", "any_length")
    ]
    tops = [row for row in rows if "top" in row]
    sets = [row for row in rows if "top_of_set" in row]
    for title, chosen, key in (
        ("top of set and length", tops, "top"),
        ("top of set", sets, "top_of_set"),
    ):
        found = (sum(is_match(row[key], by) for row in chosen) for by in ("r", "q", "either"))
        counts.append([title, *(f"{count}/{len(chosen)}" for count in found)])
    summary = as_table(["match with our motifs", "r >= 0.9", "TOMTOM q < 0.05", "either"], counts)
    weaker = [row for row in tops if row["top"]["ln_p"] > row["ln_p"] + 1]
    listed = as_table(
        ["set", "length", "HOMER", "ln p", "ours", "ln p", "r", "q", "same"],
        [
            [
                *(row["set"], row["length"], row["motif"], f"{row['ln_p']:.0f}"),
                *(row["top"]["motif"], f"{row['top']['ln_p']:.0f}"),
                *(f"{row['top']['r']:.2f}", f"{row['top']['q']:.1g}"),
                "yes" if is_match(row["top"]) else "no",
            ]
            for row in tops
        ],
    )
    of_set = as_table(
        ["set", "HOMER", "ln p", "ours", "ln p", "r", "q", "same"],
        [
            [
                *(row["set"], row["motif"], f"{row['ln_p']:.0f}"),
                *(row["top_of_set"]["motif"], f"{row['top_of_set']['ln_p']:.0f}"),
                *(f"{row['top_of_set']['r']:.2f}", f"{row['top_of_set']['q']:.1g}"),
                "yes" if is_match(row["top_of_set"]) else "no",
            ]
            for row in sets
        ],
    )
    missed = [row for row in rows if not is_match(row["any_length"])]
    without = (
        ", ".join(f"{row['motif']} of {row['set']} (ln p {row['ln_p']:.0f})" for row in missed)
        or "none"
    )
    return (
        f"## The motifs that both find\n\n{len(rows)} motifs of HOMER's have p below 1e-50 "
        "(H3K4me3 has none). TOMTOM's q-values are among all our motifs of the set.\n\n"
        f"{summary}\nWithout a match at any length: {without}.\n\nThe first motif of each length:\n\n{listed}\n"
        f"In {len(tops) - len(weaker)} of {len(tops)} ours is as enriched as HOMER's, or more.\n\n"
        f"The first motif of each set, over all lengths:\n\n{of_set}"
    )


def _correlations(record: dict[str, Any], as_table: Callable[..., str]) -> str:
    rows = []
    for name, each in record["correlations"].items():
        alike = record["turned_correlations"][name]
        values = [each["pearson"], each["spearman"]]
        if "strand" in name:
            values += [alike["pearson"], alike["spearman"]]
        rows.append([name, *("constant" if value is None else f"{value:.2f}" for value in values)])
    rows = [[*row, *[""] * (5 - len(row))] for row in rows]
    table = as_table(
        ["descriptor", "Pearson", "Spearman", "turned alike: Pearson", "Spearman"], rows
    )
    return (
        "## The 21 motif descriptors, from our motifs and from HOMER's\n\nOver the eight sets; motifs.svg shows the "
        "points. The sign of a strand bias says on which strand the motif happens to be written: HOMER mostly takes "
        "the one that comes first in its file of sequences, the built-in finder does not look at their order. "
        "`turned alike`: all motifs of both lists on the strand whose consensus comes first in the alphabet.\n\n"
        f"{table}"
    )


def _speed(record: dict[str, Any], as_table: Callable[..., str]) -> str:
    rows = []
    homer = record["homer_seconds"]
    reb1, many = record["speed"]["Reb1"], record["speed"]["many"]
    for length, seconds in reb1["lengths"].items():
        theirs = homer[length]
        ratio = f"{theirs / seconds['cpu']:.0f}"
        rows.append([f"Reb1, length {length}", *_both(seconds), theirs, ratio, ""])
    total = sum(homer.values())
    rows.append(
        [
            "Reb1, all",
            *_both(reb1["finding"]),
            round(total),
            f"{total / reb1['finding']['cpu']:.0f}",
            "5",
        ]
    )
    for length, seconds in many["lengths"].items():
        rows.append([f"50,000 peaks, length {length}", *_both(seconds), "", "", ""])
    rows.append(["50,000 peaks, all", *_both(many["finding"]), "", "", "60"])
    table = as_table(
        ["what", "wall s", "CPU s", "HOMER s", "HOMER / our CPU", "at most (wall)"], rows
    )
    return (
        "## Seconds\n\nAt most 25 motifs of each length, 5,000 background windows, one process and one thread; wall "
        "seconds depend on what else the machine does. HOMER's seconds were written down beside the data, on one busy "
        "core of another machine: HOMER cannot be installed where this runs.\n\n"
        f"{table}\nMost memory: Reb1 {reb1['peak_mb']} MB, 50,000 peaks {many['peak_mb']} MB.\n"
    )


def _both(seconds: dict[str, float]) -> tuple[str, str]:
    return f"{seconds['wall']:.2f}", f"{seconds['cpu']:.2f}"


def _in_words(found: dict[str, float | None]) -> str:
    if found["pearson"] is None:
        return "constant in one"
    return f"r {found['pearson']:.2f}, rank {found['spearman']:.2f}"


def draw(record: dict[str, Any], path: Path) -> None:
    """Draw our descriptors against those from HOMER's motifs, a panel for each."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "motifs", "svg.fonttype": "none"}
    from matplotlib import pyplot

    ours, theirs = record["descriptors"]["ours"], record["descriptors"]["homer"]
    names = list(record["correlations"])
    figure, panels = pyplot.subplots(3, 7, figsize=(17, 8), layout="constrained")
    for panel, name in zip(panels.flat, names, strict=True):
        values = [(theirs[each][name], ours[each][name]) for each in ours]
        for (x, y), (each, colour) in zip(
            values, zip(ours, pyplot.colormaps["Dark2"].colors, strict=True), strict=True
        ):
            panel.plot(x, y, "o", color=colour, label=each)
        ends = [min(min(pair) for pair in values), max(max(pair) for pair in values)]
        panel.plot(ends, ends, color="0.7", linewidth=1, zorder=0)
        panel.set_title(f"{name}\n{_in_words(record['correlations'][name])}", fontsize=8)
        panel.tick_params(labelsize=7)
    figure.supxlabel("from HOMER's motifs")
    figure.supylabel("from ours")
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=8, fontsize=9)
    figure.savefig(path, metadata={"Date": None})
