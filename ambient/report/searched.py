"""Read the runs that are to be compared: what each asked for, what that earned and what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ambient.child.fidelity import Fidelity
from ambient.errors import InputError, RunError
from ambient.evaluate import Store
from ambient.evaluate.records import EvaluationKey
from ambient.files import short_hash
from ambient.report.curves import SPENT, Curve, curve_of
from ambient.search.journal import read_journal
from ambient.search.run_folder import CONFIGURATION, JOURNAL, read_configuration

__all__ = ["JOINT", "REWARD", "TEST", "Searched", "read_searched"]

REWARD, TEST = "validation_auroc", "test_auroc"
JOINT = "joint training"  # the method of a run of `ambient train`
# Of a configuration: what makes two searches of one method different ones, beside their space.
SETTINGS = (
    *("batch", "ahead", "max_parameters", "max_flops", "controller_sha256"),
    *("turns", "derived_from"),  # of a search by shared weights
)
SUPERNET = "supernet"  # folder of a run that searched by shared weights: the journal of that


@dataclass(frozen=True, eq=False)
class Searched:
    """One search of one task: a run of `ambient search`, or what a joint training did on one of its tasks."""

    run: Path
    task: str
    task_hash: str
    method: str
    seed: int
    settings: Mapping[str, Any]  # that tell searches of one method apart
    start: str  # the controller that it began from, by name; empty where there was none
    space: str  # its name
    space_version: int
    space_hash: str
    fidelity: Fidelity
    curve: Curve
    states: Mapping[str, int]  # how many evaluations are done, failed, stopped
    shares: bool  # whether it shared weights before its children were trained
    predicted: int  # evaluations that were left out, since a predictor answered them
    budget: int | None  # evaluations that were asked for; None of a joint training
    run_seconds: float  # wall time that the run itself took, whatever its store knew before
    version: str  # of ambient
    corpus: str
    store: Path
    described: str = (
        ""  # hash of the descriptors that it began with, where it began from a controller
    )

    @property
    def identity(self) -> tuple[Any, ...]:
        """What is equal of two runs only where they are one and the same search."""
        return (self.task_hash, *self.series, self.described, self.seed)

    @property
    def series(self) -> tuple[Any, ...]:
        """What repeats of one search have in common, on whatever task."""
        return (self.method, self.space, tuple(sorted(self.settings.items(), key=str)))


def read_searched(folder: str | Path) -> list[Searched]:
    """Read a run, finished or not.

    Parameters
    ----------
    folder : path
        Of `ambient search` or `ambient train`.

    Returns
    -------
    list of Searched
        One for each task of which something was evaluated.

    Raises
    ------
    RunError
        The folder is no such run, nothing is evaluated in it yet, or a file in it is damaged.
    """
    folder = Path(folder)
    config = _configuration(folder)
    method, tasks = _method_and_tasks(folder, config)
    try:
        fidelity = Fidelity.from_dict(config["fidelity"])
    except InputError as error:
        raise RunError(
            f"{folder / CONFIGURATION}: {error}, or compare with the version of ambient that wrote it"
        ) from error
    lines = read_journal(folder / JOURNAL)
    store = Path(config["store"]) if config.get("store") else folder / "store.sqlite"
    found = []
    with _Costs(store) as costs:
        for task, task_hash in tasks.items():
            rows = list(_evaluations(lines, task, method))
            trained = [(one, cost) for one, cost in rows if not _is_predicted(method, one)]
            if not trained:
                continue
            keys = [
                EvaluationKey(
                    task_hash,
                    config["space"]["name"],
                    one["architecture"],
                    one["seed"],
                    fidelity.hash,
                )
                for one, _ in trained
            ]
            spent = [costs.of(cost, key) for (_, cost), key in zip(trained, keys, strict=True)]
            for axis, before in _shared(folder, config).items():
                spent[0][axis] += before
            scores = [_scores(one) for one, _ in trained]
            curve = curve_of(
                np.array([reward for reward, _ in scores]),
                np.array([test for _, test in scores]),
                {name: np.array([cost[name] for cost in spent]) for name in SPENT},
            )
            found.append(
                Searched(
                    run=folder,
                    task=task,
                    task_hash=task_hash,
                    method=method,
                    seed=config["seed"],
                    settings=_settings(method, config),
                    start=config.get("from_controller", ""),
                    described=config.get("descriptors_hash", ""),
                    space=config["space"]["name"],
                    space_version=config["space"]["version"],
                    space_hash=short_hash(config["space"]),
                    fidelity=fidelity,
                    curve=curve,
                    states=Counter(one["state"] for one, _ in trained),
                    shares=bool(_shared(folder, config)),
                    predicted=len(rows) - len(trained),
                    budget=config.get("evaluations"),
                    run_seconds=sum(line["wall_seconds"] for line in lines),
                    version=str(config.get("version", "")),
                    corpus=_corpus_of(config, task),
                    store=store,
                )
            )
    if not found:
        raise RunError(
            f"{folder}: found no child that this run trained to compare; wait for its first step, or leave it out"
        )
    return found


def _corpus_of(config: Mapping[str, Any], task: str) -> str:
    """Name the corpus file that holds a task; a run over several says which holds which."""
    named = config.get("corpus", "")
    if isinstance(named, Mapping):
        return next((path for path, names in named.items() if task in names), "")
    return str(named)


def _configuration(folder: Path) -> dict[str, Any]:
    if not (folder / CONFIGURATION).is_file():
        found = f"no {CONFIGURATION} in it" if folder.is_dir() else "no such folder"
        raise RunError(
            f"{folder}: found {found}, so it is not a run; name a folder that `ambient search` or `ambient train` wrote"
        )
    return read_configuration(folder)


def _method_and_tasks(folder: Path, config: Mapping[str, Any]) -> tuple[str, Mapping[str, str]]:
    """Give the method, and the hash of the contents of each task."""
    kinds = {"task": config.get("method"), "training_tasks": JOINT}
    for name, method in kinds.items():
        tasks = config.get(name)
        space = config.get("space")
        has_all = all(isinstance(value, dict) for value in (config.get("fidelity"), space, tasks))
        if method and has_all and "seed" in config and {"name", "version"} <= set(config["space"]):
            return str(method), config[name]
    raise RunError(
        f"{folder / CONFIGURATION}: found neither a search of one task nor a joint training with its task, space, "
        "fidelity and seed; name a folder that `ambient search` or `ambient train` of this version wrote"
    )


def _settings(method: str, config: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: config[name] for name in SETTINGS if config.get(name) is not None}
    for name in ("controller", "enas"):
        if name in config:
            found[name] = short_hash(config[name])
    if method == JOINT:
        found["tasks"] = len(config["training_tasks"])
    return found


def _shared(folder: Path, config: Mapping[str, Any]) -> dict[str, float]:
    """Give what a search by shared weights cost before its first child was trained; nothing of another search."""
    lines = read_journal(folder / SUPERNET / JOURNAL)
    if not lines:
        return {}
    hours = sum(line["wall_seconds"] for line in lines) / 3600
    on_gpu = hours if str(config.get("device", "cpu")).startswith("cuda") else 0.0
    # It works in one thread; its energy is not measured.
    return {
        "wall_hours": hours,
        "cpu_hours": hours,
        "gpu_hours": on_gpu,
        "energy_kwh": float("nan"),
    }


def _evaluations(
    lines: Sequence[Mapping[str, Any]], task: str, method: str
) -> Iterator[tuple[Mapping[str, Any], Mapping[str, float | None]]]:
    """Give the evaluations of one task in the order in which they were asked; what was trained, only once."""
    known: set[tuple[str, int]] = set()
    for line in lines:
        costs = line.get("costs", {})
        for index, one in enumerate(line["evaluations"]):
            asked = (one["architecture"], one["seed"])
            if one["task"] == task and asked not in known:
                if not _is_predicted(method, one):
                    known.add(asked)
                yield one, {name: values[index] for name, values in costs.items()}


def _is_predicted(method: str, one: Mapping[str, Any]) -> bool:
    """Whether a joint training had this from a predictor; trained children have test scores, if only null."""
    return method == JOINT and one["state"] == "done" and TEST not in one["metrics"]


def _scores(one: Mapping[str, Any]) -> tuple[float, float]:
    """Give validation and test AUROC, NaN where a child was not trained to its end or a split is empty."""
    values = [one["metrics"].get(name) for name in (REWARD, TEST)] if one["state"] == "done" else []
    reward, test = (
        float("nan") if value is None else float(value) for value in values or (None,) * 2
    )
    return reward, test


class _Costs:
    """What evaluations took: as the journal says, else as the store remembers; the store is opened only then."""

    def __init__(self, store: Path) -> None:
        self._path = store
        self._stack = ExitStack()
        self._store: Store | None = None

    def __enter__(self) -> _Costs:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def of(self, told: Mapping[str, float | None], key: EvaluationKey) -> dict[str, float]:
        """Give the cost of one evaluation by the names of `SPENT`; NaN where nobody knows."""
        values: Mapping[str, float | None] = told
        if not told and self._path.is_file():
            if self._store is None:
                self._store = self._stack.enter_context(Store(self._path))
            row = self._store.get(key)
            values = {} if row is None else {name: getattr(row, name) for name, _ in SPENT.values()}
        return {
            axis: float("nan") if values.get(name) is None else float(values[name]) / unit  # type: ignore[arg-type]
            for axis, (name, unit) in SPENT.items()
        }
