"""An engine that replays recorded evaluations, in microseconds instead of minutes."""

from __future__ import annotations

import hashlib
import tempfile
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ambient.errors import RunError
from ambient.evaluate.engines import Engine
from ambient.evaluate.records import Evaluation, Request

if TYPE_CHECKING:
    from ambient.space import Architecture

__all__ = ["TableEngine", "is_store", "open_table", "read_recorded"]

CAPACITY = 1 << 20  # requests at once
SQLITE = b"SQLite format 3\0"  # how a store begins

# What is repeated from seed to seed: task, space, architecture, fidelity.
Setting = tuple[str, str, str, str]


class TableEngine(Engine):
    """Answers from recorded evaluations alone.

    Where the seed that is asked for was not recorded, one of the recorded repeats stands in, under
    the seed that was asked for; which one depends on the request alone.

    Parameters
    ----------
    evaluations : iterable of Evaluation
        For instance `Store.rows()`. The task of each name must be one and the same.

    Raises
    ------
    RunError
        One task name stands for two different contents.
    """

    def __init__(self, evaluations: Iterable[Evaluation]) -> None:
        self._hashes: dict[str, str] = {}
        self._repeats: dict[Setting, dict[int, Evaluation]] = {}
        self._waiting: deque[tuple[Request, Setting]] = deque()
        for evaluation in evaluations:
            known = self._hashes.setdefault(evaluation.task, evaluation.task_hash)
            if known != evaluation.task_hash:
                raise RunError(
                    f"recorded evaluations: the task {evaluation.task!r} stands for the contents "
                    f"{known} and {evaluation.task_hash}; keep the rows of one of them"
                )
            setting = _setting(evaluation.task, evaluation.architecture, evaluation.fidelity_hash)
            self._repeats.setdefault(setting, {})[evaluation.seed] = evaluation

    def task_hash(self, task: str) -> str:
        """Give the hash of a task's contents."""
        if task not in self._hashes:
            raise RunError(
                f"recorded evaluations: found a request for the task {task!r}, recorded are "
                f"{', '.join(sorted(self._hashes)) or 'none'}; evaluate it first"
            )
        return self._hashes[task]

    @property
    def capacity(self) -> int:
        """As good as without end: nothing is worked on."""
        return CAPACITY

    def submit(self, requests: Sequence[Request]) -> None:
        """Take requests; they are answered in their order.

        Raises
        ------
        RunError
            A request's task, or its architecture at its fidelity, was never recorded.
        """
        hashes = {fidelity: fidelity.hash for fidelity in {one.fidelity for one in requests}}
        settings = [_setting(r.task, r.architecture, hashes[r.fidelity]) for r in requests]
        for request, setting in zip(requests, settings, strict=True):
            self.task_hash(request.task)
            if not self._answering(request, setting):
                of_it = "evaluated" if setting not in self._repeats else "evaluated to its end"
                raise RunError(
                    f"recorded evaluations: the architecture {request.architecture.key} was never "
                    f"{of_it} on {request.task} at the fidelity {request.fidelity.name}; ask "
                    "for recorded ones only, or use an engine that trains"
                )
        self._waiting.extend(zip(requests, settings, strict=True))

    def _next(self) -> Evaluation | None:
        return self._answer(*self._waiting.popleft()) if self._waiting else None

    def _ready_now(self) -> list[Evaluation]:
        there = [self._answer(*one) for one in self._waiting]
        self._waiting.clear()
        return there

    def _give_up(self) -> None:
        self._waiting.clear()

    def _answer(self, request: Request, setting: Setting) -> Evaluation:
        repeats = self._answering(request, setting)
        seed = request.seed
        if seed not in repeats:
            seeds = sorted(repeats)
            drawn = hashlib.blake2b(repr((setting, seed)).encode(), digest_size=8).digest()
            seed = seeds[int.from_bytes(drawn, "big") % len(seeds)]
        return repeats[seed].answering(request)

    def _answering(self, request: Request, setting: Setting) -> dict[int, Evaluation]:
        """Give by their seeds the repeats that answer a request: a child that was given up early does not all."""
        repeats = self._repeats.get(setting, {})
        return {seed: row for seed, row in repeats.items() if row.answers(request)}


def open_table(path: Path) -> TableEngine:
    """Read recorded evaluations for replay; arguments and errors as for `read_recorded`."""
    return TableEngine(read_recorded(path))


def is_store(path: Path) -> bool:
    """Whether a file begins as a store does."""
    with path.open("rb") as stream:
        return stream.read(len(SQLITE)) == SQLITE


def read_recorded(path: Path) -> list[Evaluation]:
    """Read all recorded evaluations of a file.

    Parameters
    ----------
    path : path
        A store, or a table that `ambient evaluate --export` wrote.

    Raises
    ------
    RunError
        The file is absent, or neither of the two.
    """
    from ambient.evaluate.exchange import import_table
    from ambient.evaluate.store import Store

    if not path.is_file():
        raise RunError(f"engine: found no file {path} to replay; check the path of the records")
    from_store = is_store(path)
    with (
        tempfile.TemporaryDirectory(prefix="ambient-table-") as folder,
        Store(path if from_store else Path(folder) / "store.sqlite") as store,
    ):
        if not from_store:
            import_table(store, path)
        return list(store.rows())


def _setting(task: str, architecture: Architecture, fidelity: str) -> Setting:
    return task, architecture.space, architecture.key, fidelity
