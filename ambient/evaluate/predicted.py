"""An engine that trains nothing: a predictor learned from recorded evaluations answers in microseconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ambient.controller.predictor import Predictor
from ambient.controller.recorded import Records
from ambient.errors import RunError, SpaceError
from ambient.evaluate.engines import Engine, known_task
from ambient.evaluate.records import Evaluation, Request

if TYPE_CHECKING:
    from ambient.child.fidelity import Fidelity
    from ambient.data.task import TaskData
    from ambient.space import SearchSpace

__all__ = ["METRIC", "PredictorEngine", "records_of", "rows_like"]

CAPACITY = 1 << 20  # requests at once
METRIC = "validation_auroc"


class PredictorEngine(Engine):
    """Answers with the AUROC that a predictor expects of an architecture on data sets with a task's descriptors.

    What was recorded of the task itself counts as much as that of any other with the same descriptors,
    or not at all.

    Parameters
    ----------
    predictor : Predictor
    tasks : mapping of str to TaskData
        What requests may name.
    vectors : mapping of str to array, float32, shape (2 D,)
        Their standardised descriptors.
    leave_own_out : bool
        Of each task, only what the others tell of its descriptors: what a controller can know of a data set that it
        never saw.
    """

    def __init__(
        self,
        predictor: Predictor,
        tasks: Mapping[str, TaskData],
        vectors: Mapping[str, np.ndarray],
        leave_own_out: bool = False,
    ) -> None:
        self.predictor = predictor
        self._tasks = tasks
        self._index = {name: index for index, name in enumerate(tasks)}
        recorded = {name: index for index, name in enumerate(predictor.records.tasks)}
        self._mean = predictor.mean_function(
            np.stack([vectors[name] for name in tasks]),
            [recorded.get(name) for name in tasks] if leave_own_out else (),
        )
        self._waiting: deque[Request] = deque()
        self._answers: deque[Evaluation] = deque()

    def task_hash(self, task: str) -> str:
        """Give the hash of a task's contents."""
        return known_task(self._tasks, task).hash

    @property
    def capacity(self) -> int:
        """As good as without end: nothing is worked on."""
        return CAPACITY

    def submit(self, requests: Sequence[Request]) -> None:
        """Take requests; they are answered in their order."""
        for request in requests:
            self.task_hash(request.task)
        self._waiting.extend(requests)

    def _next(self) -> Evaluation | None:
        self._answer()
        return self._answers.popleft() if self._answers else None

    def _ready_now(self) -> list[Evaluation]:
        self._answer()
        there = list(self._answers)
        self._answers.clear()
        return there

    def _answer(self) -> None:
        """Predict all that waits at once."""
        if not self._waiting:
            return
        asked = list(self._waiting)
        self._waiting.clear()
        tasks = np.array([self._index[one.task] for one in asked])
        tokens = np.array([one.architecture.tokens for one in asked])
        values = np.clip(self._mean(tasks, tokens), 0.0, 1.0)
        self._answers.extend(
            Evaluation.of(one, self.task_hash(one.task), metrics={METRIC: float(value)})
            for one, value in zip(asked, values, strict=True)
        )

    def _give_up(self) -> None:
        self._waiting.clear()
        self._answers.clear()


def records_of(
    rows: Iterable[Evaluation],
    vectors: Mapping[str, np.ndarray],
    hashes: Mapping[str, str],
    space: SearchSpace,
    fidelity: Fidelity,
    where: str | Path,
    metric: str = METRIC,
) -> Records:
    """Give the evaluations that a predictor may learn from.

    Parameters
    ----------
    rows : iterable of Evaluation
        All that is recorded; what is of other tasks, contents, spaces or fidelities, or did not come to
        its end, is left out.
    vectors : mapping of str to array, float32, shape (2 D,)
        The training tasks' standardised descriptors.
    hashes : mapping of str to str
        Hash of each training task's contents.
    space : SearchSpace
    fidelity : Fidelity
    where : str or path
        Where the rows come from, for an error.
    metric : str
        What a predictor is to expect.

    Raises
    ------
    RunError
        Too few are left.
    """
    names = sorted(vectors)
    index = {name: number for number, name in enumerate(names)}
    kept = rows_like(rows, hashes, space, fidelity, metric)
    kept.sort(key=lambda row: (row.task, row.architecture.tokens, row.seed))  # not as they came in
    try:
        return Records(
            tuple(names),
            np.stack([vectors[name] for name in names]),
            np.array([index[row.task] for row in kept], dtype=np.int64),
            np.array([row.architecture.tokens for row in kept], dtype=np.int64),
            np.array([row.metrics[metric] for row in kept], dtype=np.float64),
        )
    except RunError as error:
        raise RunError(
            f"{where}: of the training tasks, in the space {space.name} at the fidelity {fidelity.name}: {error}"
        ) from error


def rows_like(
    rows: Iterable[Evaluation],
    hashes: Mapping[str, str],
    space: SearchSpace,
    fidelity: Fidelity,
    metric: str,
) -> list[Evaluation]:
    """Keep what was trained to its end on some tasks, known by the hashes of their contents, in one space and alike.

    A row of another space that has the same name and version, as of a file that was edited, spells another network.
    """

    @cache
    def spelled(tokens: tuple[int, ...]) -> str | None:
        try:
            return space.architecture(tokens).key
        except SpaceError:
            return None

    return [
        row
        for row in rows
        if hashes.get(row.task) == row.task_hash
        and row.architecture.space == space.name
        and row.architecture.space_version == space.version
        and row.fidelity_hash == fidelity.hash
        and row.is_done
        and row.metrics.get(metric) is not None
        and row.architecture.key == spelled(row.architecture.tokens)
    ]
