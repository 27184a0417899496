"""What `measure` found, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from measure import BUDGETS, SEEDS

from ambient.report.summary import mean_interval


def as_text(result: Mapping[str, Any]) -> str:
    """Write what came out as Markdown: means, then each task."""
    ways = result["ways"]
    tasks = list(ways["controller"])
    lines = [
        f"**{result['space']}**: 12 held-out tasks, {result['random_architectures']} random architectures; "
        f"{SEEDS} trainings of each controller, children from the seeds {', '.join(map(str, result['child_seeds']))}.",
        "",
        "| choice | test AUROC | the controller is better by (95% interval over tasks) | on tasks | percentile "
        "| regret |",
        "|---|---|---|---|---|---|",
    ]

    def values(way: str, key: str) -> np.ndarray:
        return np.array([ways[way][name].get(key, np.nan) for name in tasks])

    own = values("controller", "test_auroc")
    for way in ways:
        reached = values(way, "test_auroc")
        gain = own - reached
        percentile = values(way, "percentile").mean()
        told = "" if np.isnan(percentile) else f"{percentile:.0f}"
        better = " | " if way == "controller" else f"{as_gain(gain)} | {(gain > 0).sum()}"
        lines.append(
            f"| {way} | {reached.mean():.4f} | {better} | {told} | {values(way, 'regret').mean():.4f} |"
        )
    kmer = np.array([result["kmer"][name] for name in tasks])
    lines.append(
        f"| 5-mer logistic regression | {kmer.mean():.4f} | {as_gain(own - kmer)} | {(own > kmer).sum()} | | |"
    )
    added = {"5-mers": result["kmer"]}
    if "full" in result:
        added["at `full`"] = result["full"]
        thorough = np.array([result["full"][name] for name in tasks])
        gains = {"5-mer logistic regression": thorough - kmer, "itself at `search`": thorough - own}
        told = [f"{of} {as_gain(gain)}, on {(gain > 0).sum()} tasks" for of, gain in gains.items()]
        lines += [
            "",
            f"At `full` the first controller's proposals reach {thorough.mean():.4f}; over {'; over '.join(told)}.",
        ]
    lines += searches_as_text(result.get("searches", {}), ways["controller"])
    lines += played_as_text(result.get("played", {}))
    training = ""
    if "never_seen" in result:
        training += (
            f" Of all {result['never_seen']['trainings']} recorded trainings of the held-out tasks (seed 0) they hold "
            f"{result['never_seen']['all']:.0%}, of those of random architectures {result['never_seen']['random']:.0%}."
        )
    if "left_out" in result:
        training += (
            f" On the training tasks, each predicted from the records of the others, they hold "
            f"{result['left_out']['all']:.0%} of all trainings and {result['left_out']['proven']:.0%} of those of the "
            "proven architecture."
        )
    lines += [
        "",
        f"The 80% intervals of the proposals hold {result['coverage']:.0%} of their trainings.{training}",
        "",
        "| task | " + " | ".join([*ways, *added]) + " |",
        "|---|" + "---|" * (len(ways) + len(added)),
    ]
    for name in tasks:
        cells = [f"{ways[way][name]['test_auroc']:.3f}" for way in ways]
        cells += [f"{of[name]:.3f}" for of in added.values()]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def searches_as_text(
    searches: Mapping[str, Mapping[str, Mapping[str, Any]]], controller: Mapping[str, Any]
) -> list[str]:
    """Write a table of searches, each beside the controller on the same tasks."""
    if not searches:
        return []
    lines = [
        "",
        "| search of each task by itself | real evaluations | tasks | test AUROC | the controller there | it is better "
        "by (95% interval over tasks) | on tasks | percentile |",
        f"{'|---' * 8}|",
    ]
    for method, by_budget in searches.items():
        for budget, by_task in by_budget.items():
            reached = np.array([one["test_auroc"] for one in by_task.values()])
            own = np.array([controller[task]["test_auroc"] for task in by_task])
            better = (
                as_gain(own - reached) if len(by_task) > 1 else f"{(own - reached).mean():+.4f}"
            )
            percentile = np.mean([one["percentile"] for one in by_task.values()])
            lines.append(
                f"| {method} | {budget} | {', '.join(by_task)} | {reached.mean():.4f} | {own.mean():.4f} | {better} | "
                f"{(own > reached).sum()} | {percentile:.0f} |"
            )
    return lines


def played_as_text(played: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Write what AMBER would have found on each held-out task where a predictor plays it."""
    if not played:
        return []
    own = np.array([np.mean(of["controller"]) for of in played.values()])
    lines = [
        "",
        f"| AMBER in {len(played)} held-out tasks that a predictor plays, evaluations | validation AUROC, predicted "
        "| the controllers' proposals there | these are better by (95% interval over tasks) | on tasks | percentile |",
        f"{'|---' * 6}|",
    ]
    for budget in map(str, BUDGETS):
        reached = np.array(
            [np.mean([run[budget] for run in of["amber"]]) for of in played.values()]
        )
        percentile = np.mean(
            [
                100 * np.mean(np.array(of["random"]) < run[budget])
                for of in played.values()
                for run in of["amber"]
            ]
        )
        lines.append(
            f"| {budget} | {reached.mean():.4f} | {own.mean():.4f} | {as_gain(own - reached)} | "
            f"{(own > reached).sum()} | {percentile:.0f} |"
        )
    return lines


def as_gain(gain: np.ndarray) -> str:
    """Give the mean of differences, (tasks,), with its 95% interval."""
    found = mean_interval(gain.tolist())
    return f"{found.mean:+.4f} ({found.low:+.4f} to {found.high:+.4f})"
