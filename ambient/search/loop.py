"""The one loop of every search: ask, evaluate, tell."""

from __future__ import annotations

import contextlib
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ambient.errors import RunError
from ambient.evaluate import Engine, Evaluation, Request
from ambient.search.journal import Journal

__all__ = ["COSTS", "Searcher", "Step", "run_search"]

COSTS = ("wall_seconds", "cpu_seconds", "gpu_seconds", "energy_kwh")  # of an evaluation


class Searcher(Protocol):
    """Anything that asks for evaluations and is told their results, step by step.

    It may be asked for further steps before it is told the results of earlier ones; they are told
    in the order in which they were asked. It owns its random state: two searchers made alike, asked
    and told alike, ask alike.
    """

    logs: Mapping[str, float]  # diagnostics of what was last learned; empty where there are none

    def ask(self, count: int, /) -> list[Request]:
        """Give the requests of a further step, at most `count`; none where nothing is left to ask."""
        ...

    def tell(self, evaluations: Sequence[Evaluation], /) -> None:
        """Learn from all results of the oldest open step, in the order of its requests."""
        ...

    def open_steps(self) -> list[list[Request]]:
        """Give the requests of each step that was asked and not yet told, the oldest first."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Give all that changes while it searches: JSON values and tensors, nested in mappings.

        Tensors may be those that it goes on with; write or copy them before it does.
        """
        ...

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Go on from where `state_dict` was taken from a searcher made alike."""
        ...


@dataclass(frozen=True)
class Step:
    """One turn of the loop."""

    number: int  # from 0
    evaluations: tuple[Evaluation, ...]  # in the order in which they were asked
    logs: Mapping[str, float] = field(default_factory=dict)  # the searcher's diagnostics
    wall_seconds: float = 0.0

    @property
    def failed(self) -> int:
        """How many of the evaluations failed."""
        return sum(evaluation.state == "failed" for evaluation in self.evaluations)

    def to_dict(self) -> dict[str, Any]:
        """Give the journal's line; only `wall_seconds` and `costs` differ between equal runs.

        `costs` has a list for each of `COSTS`, in the order of the evaluations: what each took when it
        was trained, also where it was only remembered now.
        """
        return {
            "step": self.number,
            "evaluations": [
                {
                    "task": evaluation.task,
                    "architecture": evaluation.architecture.key,
                    "tokens": list(evaluation.architecture.tokens),
                    "seed": evaluation.seed,
                    "state": evaluation.state,
                    "reason": evaluation.reason,
                    "metrics": dict(evaluation.metrics),
                }
                for evaluation in self.evaluations
            ],
            "logs": dict(self.logs),
            "wall_seconds": self.wall_seconds,
            "costs": {name: [getattr(one, name) for one in self.evaluations] for name in COSTS},
        }


def run_search(
    searcher: Searcher,
    engine: Engine,
    batch: int,
    steps: int | None = None,
    evaluations: int | None = None,
    journal: Journal | None = None,
    on_step: Callable[[Step], None] | None = None,
    first_step: int = 0,
    ahead: int = 0,
) -> list[Evaluation]:
    """Search until the budget is used up or the searcher has nothing left to ask.

    All results of a step are told together, in the order in which they were asked. With `ahead`
    above 0 the searcher is asked for so many further steps before it is told the results of one, so
    that a slow child holds nobody up. When it is asked depends on the number of steps told, never
    on which child finishes first: the search is the same for any number of workers.

    Parameters
    ----------
    searcher : Searcher
        What asks and is told.
    engine : Engine
        What evaluates.
    batch : int
        How many evaluations are asked for in each step.
    steps : int, optional
        The budget as the number of the step to stop before: 100 takes a search resumed at
        `first_step` 40 to where an uninterrupted one of 100 steps ends.
    evaluations : int, optional
        The budget as a number of evaluations in this call; the last step may be smaller.
    journal : Journal, optional
        Gets a line for each step, on the disk before `on_step` is called.
    on_step : callable, optional
        Called after each step, to checkpoint, to track, to show progress.
    first_step : int
        Number of the first step: not 0 in a search that goes on.
    ahead : int
        How many steps may be under way beside the oldest one.

    Returns
    -------
    list of Evaluation
        In the order in which they were asked.

    Raises
    ------
    RunError
        No budget is given, or it or the batch is below 1.
    """
    _check_budget(batch, steps, evaluations)
    results: list[Evaluation] = []
    under_way = deque(map(_UnderWay, searcher.open_steps()))
    asked = sum(len(one.requests) for one in under_way)
    number, started = first_step, time.perf_counter()
    with contextlib.closing(engine.results()) as arriving:
        for one in under_way:
            engine.submit(one.requests)
        while True:
            while (
                len(under_way) <= ahead
                and (steps is None or number + len(under_way) < steps)
                and (evaluations is None or asked < evaluations)
            ):
                left = batch if evaluations is None else min(batch, evaluations - asked)
                requests = searcher.ask(left)
                if not requests:
                    break
                engine.submit(requests)
                under_way.append(_UnderWay(requests))
                asked += len(requests)
            if not under_way:
                return results
            while under_way[0].is_waiting:
                arrived = next(arriving)
                next(one for one in under_way if one.takes(arrived))
            answers = under_way.popleft().answers()
            searcher.tell(answers)
            now = time.perf_counter()
            step = Step(number, tuple(answers), dict(searcher.logs), now - started)
            started = now
            results += answers
            number += 1
            if journal is not None:
                journal.append(step.to_dict())
            if on_step is not None:
                on_step(step)


class _UnderWay:
    """A step whose results are coming in, in any order."""

    def __init__(self, requests: Sequence[Request]) -> None:
        self.requests = requests
        self._missing = Counter(map(_asked, requests))
        self._arrived: dict[Any, deque[Evaluation]] = defaultdict(deque)

    @property
    def is_waiting(self) -> bool:
        """Whether a result is still to come."""
        return self._missing.total() > 0

    def takes(self, evaluation: Evaluation) -> bool:
        """Take a result that this step waits for; say whether it does."""
        asked = _asked(evaluation)
        if not self._missing[asked]:
            return False
        self._missing[asked] -= 1
        self._arrived[asked].append(evaluation)
        return True

    def answers(self) -> list[Evaluation]:
        """Give the results in the order of the requests."""
        return [self._arrived[_asked(request)].popleft() for request in self.requests]


def _asked(one: Request | Evaluation) -> Any:
    """Give what tells requests apart, without hashing whole architectures."""
    architecture = one.architecture
    return one.task, architecture.key, architecture.tokens, one.seed, one.fidelity


def _check_budget(batch: int, steps: int | None, evaluations: int | None) -> None:
    if steps is None and evaluations is None:
        raise RunError("search: found no budget; give steps, evaluations, or both")
    for name, value in (("batch", batch), ("steps", steps), ("evaluations", evaluations)):
        if value is not None and value < 1:
            raise RunError(f"search: found {name} = {value}, at least 1 is needed; ask for more")
