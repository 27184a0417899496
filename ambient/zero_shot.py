"""The zero-shot comparison: a controller's proposals for tasks that it never saw, beside their controls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ambient.errors import RunError
from ambient.evaluate.records import Evaluation, Request

if TYPE_CHECKING:
    from ambient.child.fidelity import Fidelity
    from ambient.data.task import TaskData
    from ambient.evaluate.engines import Engine
    from ambient.space import Architecture, SearchSpace

__all__ = ["compare", "draw_random"]

METRICS = ("validation_auroc", "validation_aupr", "test_auroc", "test_aupr")


def draw_random(space: SearchSpace, count: int, seed: int) -> list[Architecture]:
    """Draw different architectures uniformly from a space; the same ones for the same seed.

    Parameters
    ----------
    space : SearchSpace
    count : int
        How many; no more than the space holds.
    seed : int

    Raises
    ------
    RunError
        The space holds fewer.
    """
    if count > space.size:
        raise RunError(
            f"found {count} random architectures asked for, the space {space.name} holds {space.size}; ask for fewer"
        )
    rng = np.random.default_rng(seed)
    drawn: dict[tuple[int, ...], Architecture] = {}
    while len(drawn) < count:
        architecture = space.sample(rng)
        drawn.setdefault(architecture.tokens, architecture)
    return list(drawn.values())


def compare(
    tasks: Mapping[str, TaskData],
    proposals: Mapping[str, Architecture],
    random: Sequence[Architecture],
    engine: Engine,
    fidelity: Fidelity,
    full: Fidelity | None = None,
    single: Architecture | None = None,
    seed: int = 0,
    on_evaluation: Callable[[Evaluation], None] | None = None,
) -> dict[str, Any]:
    """Train each task's proposal and the random architectures alike, and 5-mer regression on the same windows.

    Parameters
    ----------
    tasks : mapping of str to TaskData
        The held-out tasks.
    proposals : mapping of str to Architecture
        What the controller proposed for each, before any of their labels was read.
    random : sequence of Architecture
        The same for every task.
    engine : Engine
        What trains; usually one that remembers.
    fidelity : Fidelity
        Of the proposals and the random architectures.
    full : Fidelity, optional
        At which the proposals are trained once more, as a user would in the end.
    single : Architecture, optional
        The control of one architecture for every task.
    seed : int
        Of every child.
    on_evaluation : callable, optional
        Told each evaluation when it is there.

    Returns
    -------
    dict
        `fidelity`, `seed` and `rows`, one for each task in order: `task`, `category`, `train_positives`,
        `test_positives`, `architecture` (the proposal in one line), `proposal`, `random` (a list), `kmer` and, where
        asked for, `single` and `full`: validation and test AUROC and AUPR (None for a child that failed).
    """
    from ambient.child.kmer import fit_kmer_baseline

    requests = [
        Request(name, architecture, seed, fidelity)
        for name in tasks
        for architecture in (proposals[name], *random, *([] if single is None else [single]))
    ]
    if full is not None:
        requests += [Request(name, proposals[name], seed, full) for name in tasks]
    results = {}
    for evaluation in engine.run(requests):
        results[evaluation.request] = evaluation
        if on_evaluation:
            on_evaluation(evaluation)

    rows = []
    for name, task in tasks.items():
        proposal = proposals[name]
        row = {
            "task": name,
            "category": task.category,
            "train_positives": _positives(task, "train"),
            "test_positives": _positives(task, "test"),
            "architecture": proposal.summary(),
            "proposal": _scores(results[Request(name, proposal, seed, fidelity)]),
            "random": [_scores(results[Request(name, one, seed, fidelity)]) for one in random],
            "kmer": fit_kmer_baseline(task),
        }
        if single is not None:
            row["single"] = _scores(results[Request(name, single, seed, fidelity)])
        if full is not None:
            row["full"] = _scores(results[Request(name, proposal, seed, full)])
        rows.append(row)
    return {"fidelity": fidelity.name, "seed": seed, "rows": rows}


def _scores(evaluation: Evaluation) -> dict[str, float | None]:
    return {metric: evaluation.metrics.get(metric) for metric in METRICS}


def _positives(task: TaskData, split: str) -> int:
    return int((task.labels[task.subset(split)] > 0.5).any(axis=1).sum())
