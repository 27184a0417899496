"""What is recorded of the training tasks: which architectures worked, on one of them and on all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ambient.errors import RunError

if TYPE_CHECKING:
    from ambient.child.fidelity import Fidelity

__all__ = ["Proven", "Reached", "Records", "best_on", "reached"]

Reached = Mapping[tuple[int, ...], Mapping[str, float]]  # tokens -> task -> mean of its trainings
_LEAST_ROWS = 20


@dataclass(frozen=True)
class Records:
    """Evaluations to learn from.

    Parameters
    ----------
    tasks : tuple of str, length T
    vectors : array, float32, shape (T, 2 D)
        Their standardised descriptors and missing flags, as `Scaler.transform` gives them.
    task : array, int, shape (n,)
        Index of each evaluation's task.
    tokens : array, int, shape (n, decisions)
        Of its architecture; -1 where a decision does not apply.
    values : array, float, shape (n,)
        What it reached, for instance its validation AUROC.
    """

    tasks: tuple[str, ...]
    vectors: np.ndarray
    task: np.ndarray
    tokens: np.ndarray
    values: np.ndarray

    def __post_init__(self) -> None:
        if len(self.values) < _LEAST_ROWS or len(self.tasks) < 2:
            raise RunError(
                f"predictor: found {len(self.values)} evaluations of {len(self.tasks)} tasks, at least "
                f"{_LEAST_ROWS} of 2 are needed; record more"
            )
        if not np.isfinite(self.values).all():
            raise RunError("predictor: found a value that is not finite; leave failed children out")

    def each(self) -> Iterable[tuple[str, tuple[int, ...], float]]:
        """Give of each evaluation its task, its architecture and its value."""
        columns = self.task.tolist(), self.tokens.tolist(), self.values.tolist()
        for task, tokens, value in zip(*columns, strict=True):
            yield self.tasks[task], tuple(tokens), value


@dataclass(frozen=True)
class Proven:
    """The architecture that was best on all training tasks when trained as thoroughly as for a user.

    Parameters
    ----------
    tokens : tuple of int
        Of the architecture.
    reached : float
        Mean over the training tasks, in the unit of the controller's metric.
    fidelity : Fidelity
        At which it was trained.
    """

    tokens: tuple[int, ...]
    reached: float
    fidelity: Fidelity


def reached(evaluations: Iterable[tuple[str, tuple[int, ...], float]]) -> Reached:
    """Give what each architecture reached on each task; the mean, where it was trained more than once.

    Parameters
    ----------
    evaluations : iterable of (task, tokens, value)
        As `Records.each` gives them.
    """
    values: dict[tuple[int, ...], dict[str, list[float]]] = {}
    for task, tokens, value in evaluations:
        values.setdefault(tokens, {}).setdefault(task, []).append(value)
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
