"""What joint.py found, as Markdown."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from data import CHIP, CLIP, HERE, NAMES_OF_TASKS

sys.path.append(str(HERE.parent / "yeast"))
from measured_text import as_gain

from ambient.files import read_json

OWN, OTHER = "own descriptors", "shuffled descriptors"
BEFORE, AFTER = ", before asking", ", after asking"
KINDS = {"CLIP": CLIP, "ChIP-seq": CHIP}


def as_text(result: Mapping[str, Any]) -> str:
    """Write the means over data sets, and each data set; then how the kinds differ."""
    found: Mapping[str, Mapping[str, Mapping[str, float]]] = result["ways"]
    kmer = {
        name: of["test_auroc"]["5-mer regression"]
        for name, of in read_json(HERE / "results.json", "file of results").items()
    }
    lines = []
    for title, names in (*KINDS.items(), ("All", NAMES_OF_TASKS)):
        lines += [
            f"{title}, {len(names)} data sets:",
            "",
            "| choice | test AUROC | own descriptors, after asking: better by (95% interval over data sets) | on "
            "| expected | reached in validation | proven first |",
            "|---" * 7 + "|",
        ]
        own = np.array([found[OWN + AFTER][name]["test_auroc"] for name in names])
        for way, of in found.items():
            mean = {
                key: np.mean([of[name].get(key, np.nan) for name in names])
                for key in ("test_auroc", "expected", "validation_auroc", "proven")
            }
            gain = own - np.array([of[name]["test_auroc"] for name in names])
            better = " | " if way == OWN + AFTER else f"{as_gain(gain)} | {(gain > 0).sum()}"
            is_told = "expected" in of[names[0]]
            expected = f"{mean['expected']:.4f}" if is_told else ""
            first = f"{mean['proven']:.0%}" if is_told else ""
            validated = f"{mean['validation_auroc']:.4f}"
            means = (way, f"{mean['test_auroc']:.4f}", better, expected, validated, first)
            lines.append(f"| {' | '.join(means)} |")
        words = np.array([kmer[name] for name in names])
        told_of = f"{as_gain(own - words)} | {(own > words).sum()}"
        lines += [f"| 5-mer regression | {words.mean():.4f} | {told_of} | | | |", ""]
    errors = {
        arm: np.array([abs(of["expected"] - of["validation_auroc"]) for of in found[arm].values()])
        for arm in (OWN + AFTER, OTHER + AFTER)
    }
    mine, theirs = errors.values()
    lines += [
        f"What was expected misses what was reached in validation by {mine.mean():.4f} with own descriptors and by "
        f"{theirs.mean():.4f} with shuffled ones, after asking: {as_gain(theirs - mine)}, less on "
        f"{(mine < theirs).sum()}.",
        "",
    ]
    lines += ["| data set | " + " | ".join(found) + " |", "|---" * (len(found) + 1) + "|"]
    for name in NAMES_OF_TASKS:
        cells = " | ".join(f"{of[name]['test_auroc']:.4f}" for of in found.values())
        lines.append(f"| {name} | {cells} |")
    alike, both = result["rank_correlation"], result["both_strands"]
    lines += [
        "",
        "Mean rank correlation between two data sets of the random architectures, in validation AUROC: "
        + "; ".join(f"{pair.replace(', ', ' with ')} {value:.2f}" for pair, value in alike.items())
        + ".",
        "",
        f"Mean validation AUROC of the {result['reading_both']} that read both strands alike, and of the others: "
        + "; ".join(f"{kind} {one:.3f}, {other:.3f}" for kind, (one, other) in both.items())
        + ".",
    ]
    return "\n".join(lines) + "\n"
