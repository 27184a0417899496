"""Read a run's folder: what is there, checked; what is absent, and which command makes it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ambient.errors import RunError
from ambient.files import read_json

BASELINE = "baseline/"  # logs of this name hold a task's moving average of rewards

__all__ = ["MADE_BY", "RunFolder", "name_of", "read_run"]

# File of a run to what it holds and the command that makes it.
MADE_BY = {
    "journal.jsonl": (
        "the rewards and the controller's diagnostics of each step",
        "ambient train CORPUS --output RUN",
    ),
    "descriptors.json": (
        "the descriptors and the motifs of the tasks",
        "ambient train CORPUS --output RUN",
    ),
    "proposals.json": (
        "the architectures that the controller proposes",
        "ambient train CORPUS --output RUN",
    ),
    "comparison.json": (
        "the proposals' scores beside those of random architectures and of 5-mers",
        "ambient demo --output RUN",
    ),
}


@dataclass(frozen=True)
class RunFolder:
    """What a run's folder holds.

    Parameters
    ----------
    path : Path
        The folder.
    config, config_text : mapping, str
        The resolved configuration, and as it was written.
    journal : tuple of mappings, or None
        One record for each step, in the order of steps.
    journal_torn : bool
        Whether the last line was cut (the run was killed while it wrote); it is left out.
    descriptors, proposals, comparison
        The parsed files, or None where a file is absent.
    """

    path: Path
    config: Mapping[str, Any]
    config_text: str
    journal: tuple[Mapping[str, Any], ...] | None
    journal_torn: bool
    descriptors: Mapping[str, Mapping[str, Any]] | None
    proposals: tuple[Mapping[str, Any], ...] | None
    comparison: Mapping[str, Any] | None

    @property
    def absent(self) -> tuple[str, ...]:
        """Names of the files that are not there."""
        held = (self.journal, self.descriptors, self.proposals, self.comparison)
        return tuple(name for name, content in zip(MADE_BY, held, strict=True) if content is None)

    @property
    def training_tasks(self) -> tuple[str, ...]:
        """Tasks that gave a reward in any step, in order of name."""
        return tuple(sorted({task for step in self.journal or () for task in step["rewards"]}))

    @property
    def held_out_tasks(self) -> tuple[str, ...]:
        """Tasks with a proposal or a comparison that the controller was not trained on."""
        trained = set(self.training_tasks)
        trained |= {entry["task"] for entry in self.proposals or () if not entry["held_out"]}
        rows = [*(self.proposals or ()), *(self.comparison["rows"] if self.comparison else ())]
        return tuple(dict.fromkeys(row["task"] for row in rows if row["task"] not in trained))


def read_run(folder: str | Path) -> RunFolder:
    """Read and check a run's folder.

    Parameters
    ----------
    folder : path
        What `ambient train` or `ambient demo` wrote.

    Raises
    ------
    RunError
        The folder is no run (it holds no config.yaml), or a file in it is not what it should be.
    """
    path = Path(folder)
    if not path.is_dir():
        raise RunError(
            f"{path}: found no folder where a run was needed; name one that `ambient train` wrote"
        )
    if not (path / "config.yaml").is_file():
        raise RunError(
            f"{path}: this folder holds no config.yaml, so it is not a run; "
            "name one that `ambient train` or `ambient demo` wrote"
        )
    config_text, config = _read_config(path / "config.yaml")
    journal, torn = _read_journal(path / "journal.jsonl", _metric(config))
    return RunFolder(
        path=path,
        config=config,
        config_text=config_text,
        journal=journal,
        journal_torn=torn,
        descriptors=_read_descriptors(path / "descriptors.json"),
        proposals=_read_proposals(path / "proposals.json"),
        comparison=_read_comparison(path / "comparison.json"),
    )


def _broken(where: str, needed: str) -> RunError:
    return RunError(f"{where}: {needed} was needed; make the file again or take it out of the run")


def _mapping(value: Any, where: str, *keys: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _broken(where, f"found {type(value).__name__} where a mapping")
    missing = [key for key in keys if key not in value]
    if missing:
        raise _broken(where, f"found no {missing[0]!r}; the mapping with {', '.join(keys)}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise _broken(where, f"found {type(value).__name__} where a list")
    return value


def _numbers(value: Any, where: str) -> dict[str, float | None]:
    """Check a mapping of numbers; NaN and infinity, which JSON does not know, become None."""
    checked: dict[str, float | None] = {}
    for name, number in _mapping(value, where).items():
        if number is not None and (isinstance(number, str | list | dict)):
            raise _broken(f"{where}, {name}", f"found {number!r} where a number or null")
        checked[name] = None if number is None or not math.isfinite(number) else float(number)
    return checked


def name_of(value: Any) -> str | None:
    """Give the name of what is either named or spelled out with its name; None where there is none."""
    found = value.get("name") if isinstance(value, Mapping) else value
    return found if isinstance(found, str) else None


def _check_matrix(value: Any, where: str) -> None:
    try:
        matrix = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        matrix = np.empty(0)
    if matrix.ndim != 2 or matrix.shape[1] != 4 or not (matrix.sum(axis=1) > 0).all():
        raise _broken(where, "found no rows of four probabilities; such a matrix")


def _read_config(path: Path) -> tuple[str, Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        config = yaml.safe_load(text)
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise RunError(
            f"{path}: found something that is not YAML ({error}); restore the file"
        ) from error
    return text, _mapping(config if config is not None else {}, str(path))


def _metric(config: Mapping[str, Any]) -> str:
    """Give the metric that the run rewards."""
    controller = config.get("controller")
    given = controller.get("metric") if isinstance(controller, dict) else None
    return str(given or "validation_auroc")


def _read_journal(path: Path, metric: str) -> tuple[tuple[Mapping[str, Any], ...] | None, bool]:
    if not path.exists():
        return None, False
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    steps: dict[int, dict[str, Any]] = {}
    torn = False
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            if number == len(lines):
                torn = True
                break
            raise RunError(
                f"{where}: found something that is not JSON ({error}); remove the line"
            ) from error
        _mapping(record, where, "step", "evaluations", "logs")
        # A resumed run writes some steps again: the last counts.
        steps[int(record["step"])] = _step(record, where, metric)
    return _accumulate([steps[number] for number in sorted(steps)]), torn


def _step(record: Mapping[str, Any], where: str, metric: str) -> dict[str, Any]:
    """Sort one line of the journal by task: rewards and baselines, and the controller's diagnostics."""
    rewards: dict[str, list[float]] = {}
    evaluations = _list(record["evaluations"], where)
    failed = 0
    for evaluation in evaluations:
        _mapping(evaluation, where, "task", "state", "metrics")
        failed += evaluation["state"] == "failed"
        value = _numbers(evaluation["metrics"], where).get(metric)
        if value is not None:
            rewards.setdefault(evaluation["task"], []).append(value)
    logs = _numbers(record["logs"], where)
    return {
        **{name: value for name, value in logs.items() if not name.startswith(BASELINE)},
        "step": int(record["step"]) + 1,
        "evaluations": len(evaluations),
        "failed": failed,
        "wall_seconds": float(record.get("wall_seconds", 0.0)),
        "rewards": rewards,
        "baselines": {
            name.removeprefix(BASELINE): value
            for name, value in logs.items()
            if name.startswith(BASELINE)
        },
    }


def _accumulate(steps: list[dict[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Add evaluations, failures and seconds up from step to step, and carry each task's last baseline on."""
    totals = {"evaluations": 0, "failed": 0, "wall_seconds": 0.0}
    baselines: dict[str, float | None] = {}
    for step in steps:
        for name in totals:
            totals[name] += step[name]
        baselines = {**baselines, **step["baselines"]}
        step.update(totals, baselines=baselines)
    return tuple(steps)


def _read_descriptors(path: Path) -> Mapping[str, Mapping[str, Any]] | None:
    if not path.exists():
        return None
    tasks = _mapping(read_json(path), str(path))
    for name, described in tasks.items():
        where = f"{path}, task {name}"
        _mapping(described, where, "values")
        described["values"] = _numbers(described["values"], where)
        for motif in _list(described.setdefault("motifs", []), where):
            _mapping(motif, where, "name", "probabilities")
            _check_matrix(motif["probabilities"], f"{where}, motif {motif['name']}")
        for source in _mapping(described.setdefault("sources", {}), where).values():
            _mapping(source, f"{where}, sources")
    return tasks


def _read_proposals(path: Path) -> tuple[Mapping[str, Any], ...] | None:
    if not path.exists():
        return None
    entries = _list(read_json(path), str(path))
    for entry in entries:
        _mapping(entry, str(path), "task", "proposals")
        entry["held_out"] = bool(entry.get("held_out", True))
        for proposal in _list(entry["proposals"], f"{path}, task {entry['task']}"):
            _mapping(proposal, f"{path}, task {entry['task']}", "summary", "probability")
    return tuple(entries)


def _read_comparison(path: Path) -> Mapping[str, Any] | None:
    if not path.exists():
        return None
    comparison = _mapping(read_json(path), str(path), "rows")
    for row in _list(comparison["rows"], str(path)):
        _mapping(row, str(path), "task", "proposal")
        where = f"{path}, task {row['task']}"
        row["proposal"] = _numbers(row["proposal"], where)
        row["random"] = [
            _numbers(values, where) for values in _list(row.get("random") or [], where)
        ]
        for name in ("kmer", "full"):
            row[name] = _numbers(row.get(name) or {}, where)
    return comparison
