"""What is recorded of the training tasks: which architectures worked, on one of them and on all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np

from ambient.controller.predictor import Records

__all__ = ["Reached", "best_on", "reached"]

Reached = Mapping[tuple[int, ...], Mapping[str, float]]  # tokens -> task -> mean of its trainings


def reached(records: Records) -> Reached:
    """Give what each recorded architecture reached on each task; the mean, where it was trained more than once."""
    values: dict[tuple[int, ...], dict[str, list[float]]] = {}
    for task, tokens, value in zip(
        records.task.tolist(), records.tokens.tolist(), records.values.tolist(), strict=True
    ):
        values.setdefault(tuple(tokens), {}).setdefault(records.tasks[task], []).append(value)
    return {
        tokens: {task: float(np.mean(several)) for task, several in by_task.items()}
        for tokens, by_task in values.items()
    }


def best_on(
    found: Reached, tasks: Collection[str], accepts: Callable[[tuple[int, ...]], bool]
) -> tuple[tuple[int, ...], float] | None:
    """Choose the architecture with the highest mean over some tasks, of those that were trained on all of them.

    Parameters
    ----------
    found : mapping
        What `reached` gave.
    tasks : collection of str
    accepts : callable
        Which tokens may be chosen.

    Returns
    -------
    (tokens, mean), or None where there is none
        Of two that are as good the first in the order of tokens.
    """
    known = {
        tokens: float(np.mean([by_task[task] for task in tasks]))
        for tokens, by_task in found.items()
        if by_task.keys() >= set(tasks)
    }
    for tokens in sorted(known, key=lambda one: (-known[one], one)):
        if accepts(tokens):
            return tokens, known[tokens]
    return None
