"""Rewards, and what each task is used to: a moving average for each task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ambient.errors import RunError

__all__ = ["Baselines", "check_metric", "reward"]

# Reward of a failed child, and baseline, of a task that no child has finished yet. What it is makes no
# difference, whatever the metric: the two are equal, so that nothing is learned from them.
UNKNOWN = 0.0


class Measured(Protocol):
    """What a reward is read from: an `Evaluation`, which lives on a higher floor."""

    @property
    def task(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def metrics(self) -> Mapping[str, float | None]: ...


def check_metric(metric: str) -> str:
    """Give the metric back if it may guide selection.

    Raises
    ------
    RunError
        The metric is not measured on the validation split: a test label must never reach selection.
    """
    if not metric.startswith("validation_"):
        raise RunError(
            f"reward: found the metric {metric!r}; only metrics of the validation split may guide "
            "a search, so name one that begins with 'validation_', such as 'validation_auroc'"
        )
    return metric


def reward(evaluation: Measured, metric: str = "validation_auroc") -> float | None:
    """Read the reward of an evaluation.

    Parameters
    ----------
    evaluation : Evaluation
        Done, failed, or stopped early.
    metric : str
        A metric of the validation split.

    Returns
    -------
    float or None
        The metric, no unit; None where the child failed or the metric is not a number.

    Raises
    ------
    RunError
        The metric is not of the validation split, or an evaluation that did not fail does not have it.
    """
    check_metric(metric)
    if evaluation.state == "failed":
        return None
    if metric not in evaluation.metrics:
        known = ", ".join(sorted(name for name in evaluation.metrics if "validation" in name))
        raise RunError(
            f"task {evaluation.task}: the evaluation has no metric {metric!r} (it has {known}); "
            "name one of these"
        )
    value = evaluation.metrics[metric]
    return float(value) if value is not None and math.isfinite(value) else None


class Baselines:
    """An exponential moving average of the rewards of each task, and each task's floor.

    The average of a batch enters with weight 1 - decay; the average is corrected for its start at
    nothing, so that after the first batch it is that batch's mean, and after few batches nearly
    their plain mean.

    A failed child gets the task's floor: the lowest reward seen for that task. Where none has been
    seen, whole batches failed; they leave no trace in the average.

    Parameters
    ----------
    decay : float
        In [0, 1): share of the average that a new batch leaves in place.

    Source
    ------
    AMBIENT, appendix A (b_k). Correction: Kingma and Ba, Adam, section 3.
    """

    def __init__(self, decay: float = 0.9) -> None:
        if not 0 <= decay < 1:
            raise RunError(f"baselines: decay is {decay}; it must be at least 0 and below 1")
        self.decay = decay
        self._sums: dict[str, float] = {}
        self._weights: dict[str, float] = {}
        self._lowest: dict[str, float] = {}

    def update(self, task: str, rewards: Sequence[float | None]) -> list[float]:
        """Take in one batch of a task's rewards.

        Parameters
        ----------
        task : str
            Its name.
        rewards : sequence of float or None
            None for a child that failed.

        Returns
        -------
        list of float
            The rewards, the floor in place of None; always finite.
        """
        seen = [value for value in rewards if value is not None]
        if seen:
            self._lowest[task] = min([*seen, self._lowest.get(task, math.inf)])
        floor = self.floor(task)
        if not rewards or task not in self._lowest:
            return [floor] * len(rewards)
        settled = [floor if value is None else value for value in rewards]
        mean = sum(settled) / len(settled)
        self._sums[task] = self.decay * self._sums.get(task, 0.0) + (1 - self.decay) * mean
        self._weights[task] = self.decay * self._weights.get(task, 0.0) + (1 - self.decay)
        return settled

    def floor(self, task: str) -> float:
        """Give the reward of a failed child: the task's lowest reward so far; 0 where there is none."""
        return self._lowest.get(task, UNKNOWN)

    def __contains__(self, task: str) -> bool:
        return task in self._sums

    def __getitem__(self, task: str) -> float:
        """Give the moving average of a task; 0 where no reward has been seen."""
        return self._sums[task] / self._weights[task] if task in self else UNKNOWN

    def to_dict(self) -> dict[str, float]:
        """Give the moving average of each task that has been seen."""
        return {task: self[task] for task in self._sums}

    def state_dict(self) -> dict[str, Any]:
        """Give everything that the averages depend on, as a JSON value."""
        return {
            "sums": dict(self._sums),
            "weights": dict(self._weights),
            "lowest": dict(self._lowest),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave.

        Earlier versions assumed an AUROC of 0.5 where no reward had been seen; that is dropped.
        """
        self._lowest = dict(state["lowest"])
        self._sums, self._weights = (
            {task: value for task, value in state[name].items() if task in self._lowest}
            for name in ("sums", "weights")
        )
