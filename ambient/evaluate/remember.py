"""An engine that never trains what the store remembers, and never trains one thing twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from ambient.evaluate.energy import EnergyMeter
from ambient.evaluate.engines import Engine, Results
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
    meter : EnergyMeter, optional
        What measures the energy of each new result; stays open.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        retry_failed: bool = False,
        meter: EnergyMeter | None = None,
    ) -> None:
        self._engine, self._store, self._retry_failed = engine, store, retry_failed
        self._meter = meter
        self._waiting: dict[EvaluationKey, list[Request]] = {}  # being trained
        self._ready: deque[Evaluation] = deque()
        self._trained: Results | None = None  # of the engine that trains, while it is in use

    def task_hash(self, task: str) -> str:
        """Give the hash of a task's contents."""
        return self._engine.task_hash(task)

    @property
    def capacity(self) -> int:
        """That of the engine that trains."""
        return self._engine.capacity

    def submit(self, requests: Sequence[Request]) -> None:
        """Take requests; those of equal key are trained once and answered each."""
        keys = [request.key(self.task_hash(request.task)) for request in requests]
        known: list[Evaluation] = []
        unknown: dict[EvaluationKey, list[Request]] = {}
        for request, key in zip(requests, keys, strict=True):
            is_waiting = key in unknown or key in self._waiting
            found = None if is_waiting else self._store.get(key)
            if found is None or self._is_to_be_trained(found, request):
                unknown.setdefault(key, []).append(request)
            else:
                known.append(found.answering(request))
        self._engine.submit(
            [equal[0] for key, equal in unknown.items() if key not in self._waiting]
        )
        for key, equal in unknown.items():
            self._waiting.setdefault(key, []).extend(equal)
        self._ready.extend(known)

    def _next(self) -> Evaluation | None:
        while not self._ready and self._waiting:
            evaluation = None if self._trained is None else next(self._trained, None)
            if self._trained is None or evaluation is None:  # nothing was outstanding till now
                self._trained = self._engine.results()
                evaluation = next(self._trained)
            # All that is there goes into one transaction: the disk takes as long for many as for one.
            group = [self._measured(one) for one in (evaluation, *self._trained.at_once())]
            self._store.put(*group)
            for one in group:
                equal = self._waiting.pop(one.key)
                self._ready.extend(one.answering(r) for r in equal if one.answers(r))
                # Equal but for their rungs: one was stopped where the other would have gone on.
                self.submit([request for request in equal if not one.answers(request)])
        return self._ready.popleft() if self._ready else None

    def _is_to_be_trained(self, found: Evaluation, request: Request) -> bool:
        is_failed = found.state == "failed"
        return (is_failed and self._retry_failed) or not found.answers(request)

    def _measured(self, evaluation: Evaluation) -> Evaluation:
        if self._meter is None:
            return evaluation
        return replace(evaluation, energy_kwh=self._meter.share_of(evaluation))

    def _give_up(self) -> None:
        trained, self._trained = self._trained, None
        if trained is None and self._waiting:
            trained = self._engine.results()
        self._waiting.clear()
        self._ready.clear()
        if trained is not None:
            trained.close()

    def close(self) -> None:
        """Close the engine that trains."""
        self._engine.close()
