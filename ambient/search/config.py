"""Every constant of joint training."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from ambient.controller.baselines import check_metric
from ambient.controller.policy import PolicyConfig
from ambient.controller.ppo import PPOConfig
from ambient.errors import RunError
from ambient.search.stopping import StoppingConfig

__all__ = ["AmbientConfig"]


@dataclass(frozen=True)
class AmbientConfig:
    """Every constant of joint training."""

    tasks_per_step: int = 4  # different tasks that one step samples for
    architectures_per_task: int = 5  # samples for each of them (AMBIENT, appendix A)
    metric: str = "validation_auroc"  # what is rewarded; always of the validation split
    baseline_decay: float = 0.9  # of each task's moving average, per visit
    shuffle_descriptors: bool = False  # control: each task gets another task's descriptors
    leave_own_out: bool = False  # a predictor's reward is what the other tasks alone tell
    curiosity: float = (
        1.0  # a controller that it begins from is sampled at so many times its temperature
    )
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    ppo: PPOConfig = field(default_factory=PPOConfig)
    early_stopping: StoppingConfig | None = None  # None: every child is trained to its end

    def __post_init__(self) -> None:
        check_metric(self.metric)
        if self.early_stopping and self.metric != "validation_auroc":
            raise RunError(
                f"controller: found early_stopping with the metric {self.metric}, but children are held "
                "against each other's validation_auroc; reward that, or train all to their end"
            )
        if not self.curiosity > 0:
            raise RunError(f"controller: curiosity is {self.curiosity}; it must be above 0")
        for name in ("tasks_per_step", "architectures_per_task"):
            if getattr(self, name) < 1:
                raise RunError(
                    f"controller: {name} is {getattr(self, name)}; it must be at least 1"
                )

    def to_dict(self) -> dict[str, Any]:
        """Give the configuration as a JSON value."""
        values = asdict(self)
        # Runs that were begun before these could be chosen say nothing of them.
        if not self.leave_own_out:
            del values["leave_own_out"]
        if self.curiosity == 1:
            del values["curiosity"]
        if self.early_stopping is None:
            del values["early_stopping"]
        else:
            values["early_stopping"]["epochs"] = list(self.early_stopping.epochs)
        return values

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> AmbientConfig:
        """Take back what `to_dict` gave; constants that are not named keep their defaults.

        Raises
        ------
        RunError
            A key is unknown (the nearest known one is named).
        """
        given = dict(_known(cls, value, "controller"))
        for name, kind in (
            ("policy", PolicyConfig),
            ("ppo", PPOConfig),
            ("early_stopping", StoppingConfig),
        ):
            if given.get(name) is not None:
                given[name] = kind(**_known(kind, given[name], f"controller, {name}"))
        return cls(**given)


def _known(kind: type, value: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """Give the mapping back if the configuration has all its keys."""
    names = [entry.name for entry in fields(kind)]
    for key in value:
        if key not in names:
            near = difflib.get_close_matches(str(key), names, n=1, cutoff=0.0)[0]
            raise RunError(
                f"{where}: found the unknown key {key!r}, the nearest known one is {near!r}; "
                "rename it or remove it"
            )
    return value
