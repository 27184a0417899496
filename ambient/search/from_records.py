"""The predictor of a run: learned from recorded evaluations of its training tasks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ambient.child.fidelity import FULL
from ambient.controller.predictor import Predictor
from ambient.controller.recorded import Proven, Records, best_on, reached
from ambient.errors import RunError
from ambient.evaluate import Evaluation
from ambient.evaluate.predicted import METRIC, PredictorEngine, records_of, rows_like
from ambient.search.ambient import AmbientSearcher

if TYPE_CHECKING:
    from ambient.data.task import TaskData
    from ambient.space import SearchSpace

__all__ = ["answering", "predictor_from", "predictor_of", "proven_in"]


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
    rows: Iterable[Evaluation],
    where: Path,
    searcher: AmbientSearcher,
    tasks: Mapping[str, TaskData],
    metric: str,
) -> Predictor | None:
    """Learn from what a run knows; None where that is too little, as after a few steps."""
    try:
        records = _records(rows, where, searcher, tasks, metric)
    except RunError:
        return None
    return Predictor.fit(records)


def proven_in(
    rows: Iterable[Evaluation],
    space: SearchSpace,
    tasks: Mapping[str, TaskData],
    metric: str = METRIC,
) -> Proven | None:
    """Say which architecture was best on all training tasks at `full`; None where none was trained on all.

    To compare architectures one member is enough: what was trained so counts where nothing was with all members.

    Parameters
    ----------
    rows : iterable of Evaluation
        All that is recorded.
    space : SearchSpace
    tasks : mapping of str to TaskData
        The training tasks.
    metric : str
        By whose mean over the tasks it is chosen.
    """
    rows = list(rows)
    hashes = {name: task.hash for name, task in tasks.items()}
    for fidelity in (FULL, replace(FULL, name="full, one member", members=1)):
        kept = rows_like(rows, hashes, space, fidelity, metric)
        found = reached(
            (row.task, row.architecture.tokens, value)
            for row in kept
            if (value := row.metrics[metric]) is not None
        )
        best = best_on(found, tasks, lambda _: True)
        if best is not None:
            return Proven(*best, fidelity)
    return None


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
