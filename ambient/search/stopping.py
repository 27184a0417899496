"""Give hopeless children up: the median rule over the learning curves of a task."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ambient.child.stopping import Rung
from ambient.errors import RunError
from ambient.evaluate.records import Evaluation

__all__ = ["EarlyStopping", "StoppingConfig"]


@dataclass(frozen=True)
class StoppingConfig:
    """When a child is hopeless."""

    epochs: tuple[int, ...] = (4,)  # after which children are held against earlier ones
    share: float = 0.5  # of the earlier ones that a child must reach: 0.5 is their median
    least: int = 10  # earlier children of the task, below which nobody is given up

    def __post_init__(self) -> None:
        object.__setattr__(self, "epochs", tuple(self.epochs))
        if not self.epochs or min(self.epochs) < 1:
            raise RunError(
                f"early stopping: found the epochs {list(self.epochs)}, at least one was needed and each "
                "1 or more; correct them"
            )
        if not 0 < self.share < 1 or self.least < 1:
            raise RunError(
                f"early stopping: found share = {self.share} and least = {self.least}, needed are a share "
                "between 0 and 1 and at least 1 child; correct them"
            )


class EarlyStopping:
    """Remembers what the children of each task had reached after some epochs, and asks it of later ones.

    A child below the median of the task's earlier children at the same epoch is given up. What it
    would have earned is guessed: what it had reached, and the median of what those that went on
    gained from there.

    Parameters
    ----------
    config : StoppingConfig

    Source
    ------
    The median stopping rule of Golovin et al. 2017, Google Vizier, section 3.2.2, with the value at the
    epoch in place of the running mean, since a one-cycle schedule makes early values low.
    """

    def __init__(self, config: StoppingConfig) -> None:
        self._config = config
        # Task to epoch to [reached there, and in the end or None], in the order of the results.
        self._reached: dict[str, dict[int, list[list[float | None]]]] = {}

    def rungs(self, task: str) -> tuple[Rung, ...]:
        """Give what the next children of a task must reach; a rung of 0 only has them judged."""
        known = self._reached.get(task, {})
        return tuple(
            Rung(epoch, self._least([row[0] for row in known.get(epoch, [])]))
            for epoch in self._config.epochs
        )

    def _least(self, reached: list[float | None]) -> float:
        values = sorted(value for value in reached if value is not None)
        if len(values) < self._config.least:
            return 0.0
        if self._config.share == 0.5:
            return statistics.median(values)
        return values[int(self._config.share * len(values))]

    def observe(self, evaluations: Iterable[Evaluation]) -> None:
        """Take in the results of a step."""
        for one in evaluations:
            curve = (one.details.get("curves") or [[]])[0]
            for epoch in self._config.epochs:
                reached = curve[epoch - 1] if epoch <= len(curve) else None
                if reached is not None:
                    end = one.metrics.get("validation_auroc") if one.is_done else None
                    rows = self._reached.setdefault(one.task, {}).setdefault(epoch, [])
                    rows.append([reached, end])

    def guess(self, evaluation: Evaluation) -> float:
        """Guess the validation AUROC that a stopped child would have ended with."""
        (curve,) = evaluation.details["curves"]
        reached = float(evaluation.metrics["validation_auroc"] or 0.0)
        rows = self._reached.get(evaluation.task, {}).get(len(curve), [])
        gains = [end - there for there, end in rows if end is not None and there is not None]
        return min(1.0, reached + (statistics.median(gains) if gains else 0.0))

    def state_dict(self) -> dict[str, Any]:
        """Give JSON values from which `load_state_dict` goes on."""
        return {
            task: {str(epoch): [list(row) for row in rows] for epoch, rows in known.items()}
            for task, known in self._reached.items()
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken."""
        self._reached = {
            task: {int(epoch): [list(row) for row in rows] for epoch, rows in known.items()}
            for task, known in state.items()
        }
