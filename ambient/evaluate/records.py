"""What is asked of an engine, and what is remembered of each training of a child network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from ambient.child.stopping import Rung, missed
from ambient.version import __version__

if TYPE_CHECKING:
    from ambient.child.fidelity import Fidelity
    from ambient.space import Architecture

__all__ = ["Evaluation", "EvaluationKey", "Request", "json_safe"]

# Stopped: given up early at a rung of the request; metrics as reached then.
STATES = ("done", "failed", "stopped")
LARGEST_SEED = 2**63 - 1  # what SQLite's INTEGER holds


class EvaluationKey(NamedTuple):
    """What makes two evaluations the same one: the task's contents count, its name does not."""

    task_hash: str
    space: str
    architecture: str
    seed: int
    fidelity: str


@dataclass(frozen=True)
class Request:
    """One training that a searcher asks for."""

    task: str  # a name that the engine knows
    architecture: Architecture
    seed: int  # of the child's weights, batches and augmentation; 0 to 2**63 - 1
    fidelity: Fidelity
    rungs: tuple[Rung, ...] = ()  # where it may be given up; no part of its key

    def __post_init__(self) -> None:
        """Refuse a seed that the store could not hold."""
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ValueError(f"the seed {self.seed} is not in 0 to {LARGEST_SEED}")

    def key(self, task_hash: str) -> EvaluationKey:
        """Give the key under which the store remembers this training.

        Parameters
        ----------
        task_hash : str
            Hash of the contents of the task that `task` names.
        """
        return EvaluationKey(
            task_hash,
            self.architecture.space,
            self.architecture.key,
            self.seed,
            self.fidelity.hash,
        )

    def to_dict(self) -> dict[str, Any]:
        """Give JSON values from which `from_dict` makes an equal request."""
        return {
            "task": self.task,
            "architecture": self.architecture.to_dict(),
            "seed": self.seed,
            "fidelity": self.fidelity.to_dict(),
            **({"rungs": [list(rung) for rung in self.rungs]} if self.rungs else {}),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Request:
        """Make a request from what `to_dict` gave."""
        from ambient.child.fidelity import Fidelity
        from ambient.space import Architecture

        return cls(
            task=values["task"],
            architecture=Architecture.from_dict(values["architecture"]),
            seed=values["seed"],
            fidelity=Fidelity.from_dict(values["fidelity"]),
            rungs=tuple(Rung(*rung) for rung in values.get("rungs", ())),
        )


@dataclass(frozen=True)
class Evaluation:
    """One training of one architecture on one task: what was asked, what came out, what it cost."""

    task: str
    architecture: Architecture
    seed: int
    fidelity: Fidelity
    task_hash: str  # hash of the task's contents
    metrics: Mapping[str, float | None] = field(default_factory=dict)  # None: a split was empty
    state: str = "done"  # or "failed", "stopped"
    reason: str = ""  # why it failed, or by what rule it was stopped
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    gpu_seconds: float = 0.0  # its share of the seconds on a GPU
    energy_kwh: float | None = None  # None: not measured
    # JSON: "curve", "restarts", "parameters" of a child; "traceback" of one that failed.
    details: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    host: str = ""  # short name of the machine; may be blank
    version: str = __version__  # of ambient, when this was made
    created: str = ""  # UTC, ISO 8601
    fidelity_hash: str = ""  # as it was when this was made; the recipe may have moved on since

    def __post_init__(self) -> None:
        """Refuse what no reader of the store could use."""
        if not self.fidelity_hash:
            object.__setattr__(self, "fidelity_hash", self.fidelity.hash)
        if self.state not in STATES:
            raise ValueError(f"the state is {self.state!r}; it must be one of {STATES}")
        if self.state != "done" and not self.reason:
            raise ValueError(f"a {self.state} evaluation must say why")
        wrong = not_finite(self.metrics)
        if wrong:
            raise ValueError(f"the metric {wrong} is not finite; record None, or a failure")

    @classmethod
    def of(cls, request: Request, task_hash: str, **results: Any) -> Evaluation:
        """Make the evaluation that answers a request, created now.

        Parameters
        ----------
        request : Request
            What was asked.
        task_hash : str
            Hash of the contents of the task.
        **results
            The other fields: metrics, state, reason, wall_seconds and so on.
        """
        results.setdefault("created", datetime.now(timezone.utc).isoformat(timespec="seconds"))
        return cls(
            task=request.task,
            architecture=request.architecture,
            seed=request.seed,
            fidelity=request.fidelity,
            task_hash=task_hash,
            **results,
        )

    @property
    def request(self) -> Request:
        """What was asked."""
        return Request(self.task, self.architecture, self.seed, self.fidelity)

    @property
    def key(self) -> EvaluationKey:
        """What makes this evaluation the same as another one."""
        architecture = self.architecture
        return EvaluationKey(
            self.task_hash, architecture.space, architecture.key, self.seed, self.fidelity_hash
        )

    def answering(self, request: Request) -> Evaluation:
        """Give the same results as the answer to another request of the same key.

        The task may have another name there, and other tokens may spell out the same network. A
        child that was trained to its end is given as it would have been stopped at the first rung
        of the request that its recorded curve misses.
        """
        return replace(
            self._stopped_at(request.rungs),
            task=request.task,
            architecture=request.architecture,
            seed=request.seed,
            fidelity=request.fidelity,
            fidelity_hash=request.fidelity.hash,
        )

    @property
    def is_done(self) -> bool:
        """Whether the child was trained to its end."""
        return self.state == "done"

    def answers(self, request: Request) -> bool:
        """Whether this is all that a request of the same key needs.

        A child that was stopped answers only a request that would stop it no later.
        """
        return self.state != "stopped" or self._first_missed(request.rungs) is not None

    def _stopped_at(self, rungs: tuple[Rung, ...]) -> Evaluation:
        found = self._first_missed(rungs) if self.state != "failed" else None
        if found is None:
            return self
        epoch, reached, reason = found
        (curve,) = self.details["curves"]
        return replace(
            self,
            state="stopped",
            reason=reason,
            metrics={"validation_auroc": reached},
            details={**self.details, "curves": [curve[:epoch]]},
        )

    def _first_missed(self, rungs: tuple[Rung, ...]) -> tuple[int, float, str] | None:
        """Give the epoch of the first rung that the recorded curve misses, what it had reached, and the reason.

        None where it passes all that it was judged at, or was begun again: rungs count in a first
        attempt only.
        """
        curves = self.details.get("curves", ())
        if len(curves) != 1 or self.details.get("restarts"):
            return None
        curve = curves[0]
        for rung in sorted(rungs):
            reached = curve[rung.epoch - 1] if rung.epoch <= len(curve) else None
            if reached is not None and (reason := missed(rung, reached, self.fidelity.epochs)):
                return rung.epoch, reached, reason
        return None


def json_safe(value: Any) -> Any:
    """Give a value that JSON can hold: NaN and infinity become None, tuples become lists."""
    if isinstance(value, Mapping):
        return {str(key): json_safe(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def not_finite(metrics: Mapping[str, float | None]) -> str:
    """Name the first metric that is NaN or infinite, with its value; empty where there is none."""
    for name, value in metrics.items():
        if value is not None and not math.isfinite(value):
            return f"{name} = {value}"
    return ""
