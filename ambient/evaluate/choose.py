"""Engines by name, as the command line and configurations spell them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ambient.errors import RunError
from ambient.evaluate.engines import Engine, InlineEngine, TrainingFunction
from ambient.evaluate.pool import PoolEngine

if TYPE_CHECKING:
    from ambient.data.task import TaskData

__all__ = ["ENGINES", "RECORDED", "EngineChoice", "as_choice", "open_engine"]

ENGINES = ("pool", "inline", "ray", "table:PATH", "predictor:PATH")
RECORDED = ("table", "predictor")  # train nothing: what they answer is no evaluation to remember

# What each engine has a use for, beside its name.
USES: dict[str, tuple[str, ...]] = {
    "pool": ("workers", "device", "child_minutes"),
    "inline": ("device",),
    "ray": ("workers", "device", "child_minutes", "address", "gpus_per_child"),
    "table": (),
    "predictor": ("workers", "device", "child_minutes"),  # of what keeps it honest
}


@dataclass(frozen=True)
class EngineChoice:
    """Which engine, and how it is set up.

    Raises
    ------
    RunError
        There is no such engine, it has no use for a setting, or a setting is out of range.
    """

    name: str = "pool"  # one of `ENGINES`
    workers: int | None = None  # of the pool, or of Ray's own cluster; one for each core if None
    device: str = "cpu"  # as torch spells it; "cuda" is every GPU for the pool
    address: str | None = None  # of a Ray cluster; None begins one on this machine
    gpus_per_child: float | None = (
        None  # Ray: the share of a GPU that a child gets; None: a whole one
    )
    child_minutes: float | None = None  # a child that takes longer is given up; None: by its size

    def __post_init__(self) -> None:
        if self.kind not in USES or (self.kind in RECORDED) != (":" in self.name):
            raise RunError(
                f"engine: found {self.name!r}, needed one of {', '.join(ENGINES)}; choose one of them"
            )
        defaults = {field: getattr(type(self), field) for field in asdict(self) if field != "name"}
        if self.kind == "inline" and self.workers == 1:
            defaults["workers"] = 1
        for setting, default in defaults.items():
            value = getattr(self, setting)
            if value != default and setting not in USES[self.kind]:
                raise RunError(
                    f"engine: found {setting} = {value!r} for the {self.kind} engine, which has no use "
                    f"for it; leave it out, or choose {_with_use_for(setting)}"
                )
        if self.address is not None and self.workers is not None:
            raise RunError(
                f"engine: found {self.workers} workers for the Ray cluster at {self.address}, which has "
                "its own; leave one of the two out"
            )
        for setting in ("workers", "gpus_per_child", "child_minutes"):
            value = getattr(self, setting)
            if value is not None and not value > 0:
                raise RunError(f"engine: found {setting} = {value}, needed more than 0; raise it")
        if self.gpus_per_child is not None and self.device == "cpu":
            raise RunError(
                f"engine: found {self.gpus_per_child} GPUs for each child on the device cpu; "
                "add --device cuda"
            )

    @property
    def kind(self) -> str:
        """The name without its path."""
        return self.name.split(":", 1)[0]

    @property
    def path(self) -> Path:
        """The recorded evaluations that a table or a predictor answers from."""
        return Path(self.name.split(":", 1)[1])

    @property
    def trains(self) -> bool:
        """Whether children are trained."""
        return self.kind not in RECORDED

    def to_dict(self) -> dict[str, Any]:
        """Give `engine`, `workers`, and the settings that are not at their defaults, as YAML values."""
        changed = {k: v for k, v in asdict(self).items() if v != getattr(type(self), k)}
        changed.pop("name", None)
        return {"engine": self.name, "workers": self.workers, **changed}


def open_engine(
    choice: EngineChoice | str,
    tasks: Mapping[str, TaskData],
    workers: int | None = None,
    train: TrainingFunction | None = None,
) -> Engine:
    """Open an engine.

    Parameters
    ----------
    choice : EngineChoice or str
        A name alone leaves every other setting at its default.
    tasks : mapping of str to TaskData
        What requests may name; a table knows those that were recorded.
    workers : int, optional
        With a name alone: as in `EngineChoice`.
    train : callable, optional
        What trains a child; `ambient.child.train.train_child` where it is not given.

    Raises
    ------
    RunError
        The choice is none, or what it needs is not there.
    """
    choice = as_choice(choice, workers)
    if choice.kind == "inline":
        return InlineEngine(tasks, train, choice.device)
    if choice.kind == "table":
        from ambient.evaluate.table import open_table

        return open_table(choice.path)
    if choice.kind == "predictor":
        raise RunError(
            "engine: a predictor needs the descriptors of the tasks, which only `ambient train` has; "
            "choose another engine here"
        )
    if choice.kind == "ray":
        from ambient.evaluate.ray_engine import RayEngine

        return RayEngine(
            tasks,
            choice.address,
            choice.workers,
            choice.device,
            train,
            choice.gpus_per_child,
            choice.child_minutes,
        )
    return PoolEngine(
        tasks, choice.workers, train, choice.device, child_minutes=choice.child_minutes
    )


def as_choice(choice: EngineChoice | str, workers: int | None = None) -> EngineChoice:
    """Give the choice that a name and a number of workers stand for; a choice is given back as it is."""
    return EngineChoice(choice, workers) if isinstance(choice, str) else choice


def _with_use_for(setting: str) -> str:
    return " or ".join(kind for kind, uses in USES.items() if setting in uses)
