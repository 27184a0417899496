"""The predictor of a run: learned from recorded evaluations of its training tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ambient.controller.predictor import Predictor
from ambient.controller.recorded import Records
from ambient.errors import RunError
from ambient.evaluate import Evaluation, Store
from ambient.evaluate.predicted import METRIC, PredictorEngine, records_of
from ambient.evaluate.table import read_recorded
from ambient.search.ambient import AmbientSearcher

if TYPE_CHECKING:
    from ambient.data.task import TaskData

__all__ = ["answering", "learn_predictor", "predictor_from", "predictor_of"]


def learn_predictor(
    path: Path, searcher: AmbientSearcher, tasks: Mapping[str, TaskData]
) -> PredictorEngine:
    """Learn from what is recorded of the training tasks what architectures are worth.

    Raises
    ------
    RunError
        The file is no store and no exported table, or holds too few rows of this run's kind.
    """
    return answering(predictor_from(read_recorded(path), path, searcher, tasks), searcher, tasks)


def answering(
    predictor: Predictor, searcher: AmbientSearcher, tasks: Mapping[str, TaskData]
) -> PredictorEngine:
    """Let a predictor answer a searcher's requests."""
    return PredictorEngine(predictor, tasks, searcher.vectors, searcher.config.leave_own_out)


def predictor_from(
    rows: Iterable[Evaluation],
    where: Path,
    searcher: AmbientSearcher,
    tasks: Mapping[str, TaskData],
) -> Predictor:
    """Learn from rows of any tasks, of which those of the training tasks count.

    Raises
    ------
    RunError
        Too few of them are of this run's kind.
    """
    return Predictor.fit(_records(rows, where, searcher, tasks, METRIC))


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
