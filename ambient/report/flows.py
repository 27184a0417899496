"""Architectures of several groups, and how they flow from decision to decision of their space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ambient.report.journal import Evaluated
from ambient.report.standard import CATEGORIES
from ambient.space import SearchSpace

__all__ = ["Chosen", "Flow", "best_evaluated", "flow_of", "groups_of", "shown_decisions"]


@dataclass(frozen=True)
class Chosen:
    """An architecture that stands for a task."""

    group: str  # that it is drawn with: the task's category
    task: str
    tokens: tuple[int, ...]
    weight: float  # of it among those of its task, which add up to 1


@dataclass(frozen=True)
class Flow:
    """How one group's architectures go through some decisions of their space.

    Parameters
    ----------
    group : str
    tasks : int
        How many it is made of; each weighs the same.
    columns : tuple of mapping of int to float
        For each decision the share of each choice, by token (-1: it does not apply); they add up to 1.
    links : tuple of mapping of (int, int) to float
        For each decision but the last, the share that goes from a choice to one of the next decision's.
    """

    group: str
    tasks: int
    columns: tuple[Mapping[int, float], ...]
    links: tuple[Mapping[tuple[int, int], float], ...]


def best_evaluated(
    evaluated: Sequence[Evaluated], groups: Mapping[str, str], metric: str, top: int
) -> list[Chosen]:
    """Give the best architectures of each task among those that were trained to their end; each weighs the same.

    Parameters
    ----------
    evaluated : sequence of Evaluated
    groups : mapping of str to str
        Task to group; a task that is not in it is "other".
    metric : str
        The higher, the better; of the validation split.
    top : int
        How many of each task; the earlier of equal ones.
    """
    by_task: dict[str, dict[tuple[int, ...], float]] = {}
    for one in evaluated:
        value = one.metrics.get(metric)
        if one.state == "done" and one.tokens and value is not None:
            by_task.setdefault(one.task, {}).setdefault(one.tokens, value)
    found = []
    for task, scores in by_task.items():
        best = sorted(scores, key=lambda tokens: -scores[tokens])[:top]
        group = groups.get(task, "other")
        found += [Chosen(group, task, tokens, 1 / len(best)) for tokens in best]
    return found


def groups_of(chosen: Sequence[Chosen]) -> list[str]:
    """Give the groups in the order of the categories; others stand last, in order of name."""
    known = [name for name in CATEGORIES if any(one.group == name for one in chosen)]
    return known + sorted({one.group for one in chosen} - set(known))


def shown_decisions(space: SearchSpace, chosen: Sequence[Chosen]) -> tuple[int, ...]:
    """Give the decisions that at least one architecture has; skip connections, of which there may be dozens, not."""
    return tuple(
        index
        for index, decision in enumerate(space.decisions)
        if decision.sets != "skip" and any(one.tokens[index] >= 0 for one in chosen)
    )


def flow_of(chosen: Sequence[Chosen], group: str, decisions: Sequence[int]) -> Flow:
    """Add up the architectures of one group along some decisions."""
    own = [one for one in chosen if one.group == group]
    tasks = {one.task for one in own}
    columns: list[dict[int, float]] = [{} for _ in decisions]
    links: list[dict[tuple[int, int], float]] = [{} for _ in decisions[1:]]
    for one in own:
        weight = one.weight / len(tasks)
        taken = [one.tokens[index] for index in decisions]
        for column, token in zip(columns, taken, strict=True):
            column[token] = column.get(token, 0.0) + weight
        for link, pair in zip(links, pairwise(taken), strict=True):
            link[pair] = link.get(pair, 0.0) + weight
    return Flow(group, len(tasks), tuple(columns), tuple(links))
