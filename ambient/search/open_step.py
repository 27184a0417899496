"""Steps of the joint searcher that wait for their results, and how they are written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ambient.child.stopping import Rung
from ambient.controller.ppo import Step
from ambient.evaluate.records import Evaluation, Request

__all__ = ["OpenStep", "opened_in", "pair_of", "step_state", "steps_of"]

TENSORS = ("descriptors", "tokens", "log_probabilities", "rewards")  # of a Step


@dataclass(frozen=True)
class OpenStep:
    """A step that was sampled and waits for its results."""

    step: Step
    requests: list[Request]  # one for each sample
    rungs: Mapping[str, tuple[Rung, ...]]  # of each task, as they were when it was asked

    def different(self) -> list[Request]:
        """Give each request once."""
        return list({pair_of(request): request for request in self.requests}.values())

    def to_state(self) -> dict[str, Any]:
        """Give what `opened_in` reads."""
        rungs = {task: [list(rung) for rung in those] for task, those in self.rungs.items()}
        return {**step_state(self.step), **({"rungs": rungs} if rungs else {})}


def pair_of(one: Request | Evaluation) -> tuple[str, str]:
    """Give what tells the requests of one step apart."""
    return one.task, one.architecture.key


def step_state(step: Step) -> dict[str, Any]:
    """Give a step as tensors and JSON values."""
    return {"tasks": list(step.tasks), **{name: getattr(step, name) for name in TENSORS}}


def steps_of(states: Mapping[str, Any]) -> list[Step]:
    """Read numbered states of steps, in the order of their numbers."""
    return [_step_of(step) for _, step in sorted(states.items(), key=lambda entry: int(entry[0]))]


def opened_in(state: Mapping[str, Any]) -> list[tuple[Step, dict[str, tuple[Rung, ...]]]]:
    """Read the open steps of a checkpoint, each with its rungs.

    Checkpoints before several steps could be open hold one at most, as `pending`; its results are in the store.
    """
    if "open" in state:
        opened = state["open"]
    else:
        opened = {} if state["pending"] is None else {"0": state["pending"]}
    rungs = [_rungs_of(opened[index]) for index in sorted(opened, key=int)]
    return list(zip(steps_of(opened), rungs, strict=True))


def _rungs_of(state: Mapping[str, Any]) -> dict[str, tuple[Rung, ...]]:
    return {
        task: tuple(Rung(*rung) for rung in those) for task, those in state.get("rungs", {}).items()
    }


def _step_of(state: Mapping[str, Any]) -> Step:
    tensors: dict[str, Tensor] = {name: state[name] for name in TENSORS}
    return Step(tasks=tuple(state["tasks"]), **tensors)
