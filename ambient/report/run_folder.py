"""Read a run's folder: what is there, checked; what is absent, and which command makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ambient.errors import RunError
from ambient.files import read_json
from ambient.report.checks import as_list, as_mapping, as_numbers, broken
from ambient.report.journal import read_journal
from ambient.search.rounds import Round, read_rounds
from ambient.space import SearchSpace

__all__ = ["COMPARISON", "RunFolder", "metric_of", "name_of", "read_run"]

COMPARISON = "comparison.json"  # no command makes it for a run; one trains what would stand in it

# File of a run to what it holds and the command that makes it.
MADE_BY_SEARCH = {
    "journal.jsonl": (
        "the architectures that were evaluated, step by step",
        "ambient search CORPUS --task TASK --output RUN --resume",
    ),
}
MADE_BY = {
    "journal.jsonl": (
        "the rewards and the controller's diagnostics of each step",
        "ambient train CORPUS --output RUN --resume",
    ),
    "descriptors.json": (
        "the descriptors and the motifs of the tasks",
        "ambient train CORPUS --output RUN --resume",
    ),
    "proposals.json": (
        "the architectures that the controller proposes",
        "ambient train CORPUS --output RUN --resume",
    ),
    COMPARISON: (
        "the proposals were not trained here",
        "ambient evaluate CORPUS RUN/proposals.json:TASK random:5 --tasks TASK --space SPACE",
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
    space : SearchSpace or None
        None where the configuration does not spell it out.
    rounds : tuple of Round
        Of real children, where a predictor gave the rewards.
    """

    path: Path
    config: Mapping[str, Any]
    config_text: str
    journal: tuple[Mapping[str, Any], ...] | None
    journal_torn: bool
    descriptors: Mapping[str, Mapping[str, Any]] | None
    proposals: tuple[Mapping[str, Any], ...] | None
    comparison: Mapping[str, Any] | None
    space: SearchSpace | None = None
    rounds: tuple[Round, ...] = ()

    @property
    def method(self) -> str | None:
        """How one task was searched; None where a controller was trained over many."""
        found = self.config.get("method")
        return None if found is None else str(found)

    @property
    def absent(self) -> Mapping[str, tuple[str, str]]:
        """The files that are not there, each with what it holds and a command."""
        if self.method is not None:
            return MADE_BY_SEARCH if self.journal is None else {}
        held = (self.journal, self.descriptors, self.proposals, self.comparison)
        return {
            name: made
            for (name, made), content in zip(MADE_BY.items(), held, strict=True)
            if content is None
        }

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
        What `ambient train`, `ambient search` or `ambient demo` wrote.

    Raises
    ------
    RunError
        The folder is no run (it holds no config.yaml), or a file in it is not what it should be.
    """
    path = Path(folder)
    if not path.is_dir():
        raise RunError(
            f"{path}: found no folder where a run was needed; "
            "name one that `ambient train` or `ambient search` wrote"
        )
    if not (path / "config.yaml").is_file():
        raise RunError(
            f"{path}: this folder holds no config.yaml, so it is not a run; "
            "name one that `ambient train`, `ambient search` or `ambient demo` wrote"
        )
    config_text, config = _read_config(path / "config.yaml")
    space = _space(config, path / "config.yaml")
    choices = None if space is None else [len(one.choices) for one in space.decisions]
    journal, torn = read_journal(path / "journal.jsonl", metric_of(config), choices)
    return RunFolder(
        path=path,
        config=config,
        config_text=config_text,
        journal=journal,
        journal_torn=torn,
        descriptors=_read_descriptors(path / "descriptors.json"),
        proposals=_read_proposals(path / "proposals.json"),
        comparison=_read_comparison(path / COMPARISON),
        space=space,
        rounds=tuple(read_rounds(path)),
    )


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
        raise broken(where, "found no rows of four probabilities; such a matrix")


def _read_config(path: Path) -> tuple[str, Mapping[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        config = yaml.safe_load(text)
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise RunError(
            f"{path}: found something that is not YAML ({error}); restore the file"
        ) from error
    return text, as_mapping(config if config is not None else {}, str(path))


def metric_of(config: Mapping[str, Any]) -> str:
    """Give the metric that the run rewards."""
    controller = config.get("controller")
    given = controller.get("metric") if isinstance(controller, dict) else None
    return str(given or "validation_auroc")


def _space(config: Mapping[str, Any], path: Path) -> SearchSpace | None:
    """Read the search space, where it is spelled out and not only named."""
    found = config.get("space")
    return SearchSpace.from_dict(found, f"{path}, space") if isinstance(found, dict) else None


def _read_descriptors(path: Path) -> Mapping[str, Mapping[str, Any]] | None:
    if not path.exists():
        return None
    tasks = as_mapping(read_json(path), str(path))
    for name, described in tasks.items():
        where = f"{path}, task {name}"
        as_mapping(described, where, "values")
        described["values"] = as_numbers(described["values"], where)
        for motif in as_list(described.setdefault("motifs", []), where):
            as_mapping(motif, where, "name", "probabilities")
            _check_matrix(motif["probabilities"], f"{where}, motif {motif['name']}")
        for source in as_mapping(described.setdefault("sources", {}), where).values():
            as_mapping(source, f"{where}, sources")
    return tasks


def _read_proposals(path: Path) -> tuple[Mapping[str, Any], ...] | None:
    if not path.exists():
        return None
    entries = as_list(read_json(path), str(path))
    for entry in entries:
        as_mapping(entry, str(path), "task", "proposals")
        entry["held_out"] = bool(entry.get("held_out", True))
        for proposal in as_list(entry["proposals"], f"{path}, task {entry['task']}"):
            as_mapping(proposal, f"{path}, task {entry['task']}", "summary", "probability")
    return tuple(entries)


def _read_comparison(path: Path) -> Mapping[str, Any] | None:
    if not path.exists():
        return None
    comparison = as_mapping(read_json(path), str(path), "rows")
    for row in as_list(comparison["rows"], str(path)):
        as_mapping(row, str(path), "task", "proposal")
        where = f"{path}, task {row['task']}"
        row["proposal"] = as_numbers(row["proposal"], where)
        row["random"] = [
            as_numbers(values, where) for values in as_list(row.get("random") or [], where)
        ]
        for name in ("kmer", "full"):
            row[name] = as_numbers(row.get(name) or {}, where)
    return comparison
