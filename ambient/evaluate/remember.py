"""An engine that never trains what the store remembers, and never trains one thing twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ambient.evaluate.engines import Engine
from ambient.evaluate.records import Evaluation, EvaluationKey, Request
from ambient.evaluate.store import Store

__all__ = ["Remembering"]


class Remembering(Engine):
    """Answers from a store what it holds, has an engine train the rest, and stores each result.

    Each new result is on the disk before it is given out.

    Parameters
    ----------
    engine : Engine
        What trains; closing this engine closes it.
    store : Store
        What remembers; stays open.
    retry_failed : bool
        Train again what the store holds as failed. Otherwise a remembered failure is the answer, so
        that a resumed run sees what the first one saw.
    """

    def __init__(self, engine: Engine, store: Store, retry_failed: bool = False) -> None:
        self._engine, self._store, self._retry_failed = engine, store, retry_failed

    def task_hash(self, task: str) -> str:
        """Give the hash of a task's contents."""
        return self._engine.task_hash(task)

    def run(self, requests: Sequence[Request]) -> Iterator[Evaluation]:
        """Give the remembered ones first, then each new one as it finishes.

        Requests of equal key are trained once and answered each.
        """
        keys = [request.key(self.task_hash(request.task)) for request in requests]
        return self._run(requests, keys)

    def _run(
        self, requests: Sequence[Request], keys: Sequence[EvaluationKey]
    ) -> Iterator[Evaluation]:
        waiting: dict[EvaluationKey, list[Request]] = {}
        for request, key in zip(requests, keys, strict=True):
            known = None if key in waiting else self._store.get(key)
            if known is None or (self._retry_failed and not known.is_done):
                waiting.setdefault(key, []).append(request)
            else:
                yield known.answering(request)
        for evaluation in self._engine.run([equal[0] for equal in waiting.values()]):
            self._store.put(evaluation)
            for request in waiting[evaluation.key]:
                yield evaluation.answering(request)

    def close(self) -> None:
        """Close the engine that trains."""
        self._engine.close()
