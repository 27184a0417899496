"""The predictor of a run: learned from recorded evaluations of its training tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ambient.controller.predictor import Predictor, Records
from ambient.errors import RunError
from ambient.evaluate import Evaluation, Store
from ambient.evaluate.predicted import METRIC, PredictorEngine, records_of
from ambient.evaluate.table import read_recorded
from ambient.search.ambient import AmbientSearcher

if TYPE_CHECKING:
    from ambient.data.task import TaskData

__all__ = ["learn_predictor", "predictor_of"]


def learn_predictor(
    path: Path, searcher: AmbientSearcher, tasks: Mapping[str, TaskData]
) -> PredictorEngine:
    """Learn from what is recorded of the training tasks what architectures are worth.

    Raises
    ------
    RunError
        The file is no store and no exported table, or holds too few rows of this run's kind.
    """
    records = _records(read_recorded(path), path, searcher, tasks, METRIC)
    return PredictorEngine(Predictor.fit(records), tasks, searcher.vectors)


def predictor_of(
    store: Store, searcher: AmbientSearcher, tasks: Mapping[str, TaskData], metric: str
) -> Predictor | None:
    """Learn from a run's store; None where that holds too little, as after a few steps."""
    rows = store.rows(list(tasks), searcher.space.name, searcher.fidelity.hash, "done")
    try:
        records = _records(rows, store.path, searcher, tasks, metric)
    except RunError:
        return None
    return Predictor.fit(records)


def _records(
    rows: Iterable[Evaluation],
    where: Path,
    searcher: AmbientSearcher,
    tasks: Mapping[str, TaskData],
    metric: str,
) -> Records:
    hashes = {name: task.hash for name, task in tasks.items()}
    return records_of(
        rows, searcher.vectors, hashes, searcher.space, searcher.fidelity, where, metric
    )
