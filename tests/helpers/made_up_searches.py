"""Folders of searches, made up: the configuration and the journal that a real one leaves, with the scores one likes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from tiny_children import SPACE, TINY, architectures

from ambient.evaluate import Evaluation, Request, Store
from ambient.search.journal import Journal

COST = {"wall_seconds": 3600.0, "cpu_seconds": 1800.0, "gpu_seconds": 0.0, "energy_kwh": 0.25}
TASKS = {"one": "1" * 16, "two": "2" * 16, "three": "3" * 16}
Score = float | None | tuple[float | None, float | None]


def make_search(
    folder: Path,
    scores: Sequence[Score],
    method: str = "random",
    seed: int = 0,
    task: str = "one",
    costs: dict[str, float | None] | None = None,
    old: bool = False,
    batch: int = 2,
    **changes: Any,
) -> Path:
    """Write a run of `ambient search`.

    Parameters
    ----------
    folder : path
        Made, with its parents.
    scores : sequence
        Validation AUROC of each evaluation in order, or (validation, test); None: it failed. More than
        the tiny space holds begin anew with another seed of the child.
    costs : dict
        Of each evaluation, where it is not `COST`.
    old : bool
        Whether the journal says nothing of costs, as older ones do.
    **changes
        Of the configuration.
    """
    config = {
        "version": "0.1.0",
        "corpus": "corpus.yaml",
        "task": {task: TASKS[task]},
        "method": method,
        "evaluations": len(scores),
        "max_parameters": None,
        "seed": seed,
        "batch": batch,
        "ahead": 0,
        "store": None,
        "fidelity": TINY.to_dict(),
        "space": SPACE.to_dict(),
    }
    entries = [_entry(task, seed, index, score) for index, score in enumerate(scores)]
    return write_run(folder, {**config, **changes}, entries, batch, costs, old)


def _entry(task: str, seed: int, index: int, score: Score) -> dict[str, Any]:
    known = architectures()
    architecture = known[index % len(known)]
    validation, test = score if isinstance(score, tuple) else (score, score)
    done = score is not None
    return {
        "task": task,
        "architecture": architecture.key,
        "tokens": list(architecture.tokens),
        "seed": seed + 1000 * (index // len(known)),
        "state": "done" if done else "failed",
        "reason": "" if done else "it broke",
        "metrics": {"validation_auroc": validation, "test_auroc": test} if done else {},
    }


def write_run(
    folder: Path,
    config: dict[str, Any],
    entries: Sequence[dict[str, Any]],
    batch: int = 2,
    costs: dict[str, float | None] | None = None,
    old: bool = False,
) -> Path:
    """Write a run's configuration, and its journal of steps of `batch` evaluations."""
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    each = {**COST, **(costs or {})}
    with Journal(folder / "journal.jsonl") as journal:
        for step, first in enumerate(range(0, len(entries), batch)):
            those = list(entries[first : first + batch])
            line: dict[str, Any] = {
                "step": step,
                "evaluations": those,
                "logs": {},
                "wall_seconds": 36.0,
            }
            if not old:
                line["costs"] = {name: [value] * len(those) for name, value in each.items()}
            journal.append(line)
    return folder


def propose(path: Path, index: int, *tasks: str) -> Path:
    """Write one of the tiny architectures as the proposal for some tasks."""
    proposal = {"architecture": architectures()[index].to_dict()}
    path.write_text(json.dumps([{"task": task, "proposals": [proposal]} for task in tasks]))
    return path


def remember(
    path: Path,
    index: int,
    scores: dict[int, tuple[float, float | None]],
    task: str = "one",
    **more: Any,
) -> Path:
    """Store trainings of one of the tiny architectures: seed to validation and test AUROC."""
    rows = []
    for seed, (validation, test) in scores.items():
        asked = Request(task, architectures()[index], seed, more.get("fidelity", TINY))
        found = {"validation_auroc": validation, "test_auroc": test}
        cost = {name: value / 2 for name, value in COST.items()}
        rows.append(Evaluation.of(asked, TASKS[task], metrics=found, **cost))
    with Store(path) as store:
        store.put(*rows)
    return path
