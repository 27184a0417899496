"""The one loop of every search: ask, evaluate, tell; and the journal of its steps."""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ambient.errors import RunError
from ambient.evaluate import Engine, Evaluation, Request
from ambient.files import write_atomic

__all__ = ["Journal", "Searcher", "Step", "read_journal", "run_search"]


class Searcher(Protocol):
    """Anything that asks for evaluations and is told their results.

    It owns its random state: two searchers made alike and told alike ask alike.
    """

    logs: Mapping[str, float]  # diagnostics of what was last learned; empty where there are none

    def ask(self, count: int, /) -> list[Request]:
        """Give up to `count` requests; none at all where nothing is left to ask."""
        ...

    def tell(self, evaluations: Sequence[Evaluation], /) -> None:
        """Learn from evaluations, failed ones among them, in the order in which they were asked."""
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
        return sum(not evaluation.is_done for evaluation in self.evaluations)

    def to_dict(self) -> dict[str, Any]:
        """Give the journal's line; only `wall_seconds` differs between equal runs."""
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
) -> list[Evaluation]:
    """Search until the budget is used up or the searcher has nothing left to ask.

    All results of a step are told together, in the order in which they were asked, so that the
    search is the same for any number of workers.

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
    number = first_step
    while (steps is None or number < steps) and (evaluations is None or len(results) < evaluations):
        started = time.perf_counter()
        left = batch if evaluations is None else min(batch, evaluations - len(results))
        requests = searcher.ask(left)
        if not requests:
            break
        answers = in_order(requests, engine.run(requests))
        searcher.tell(answers)
        wall_seconds = time.perf_counter() - started
        step = Step(number, tuple(answers), dict(searcher.logs), wall_seconds)
        results += answers
        if journal is not None:
            journal.append(step.to_dict())
        if on_step is not None:
            on_step(step)
        number += 1
    return results


def in_order(requests: Sequence[Request], evaluations: Iterable[Evaluation]) -> list[Evaluation]:
    """Put evaluations that came in any order into the order of their requests."""
    answers: dict[Any, deque[Evaluation]] = defaultdict(deque)
    for evaluation in evaluations:
        answers[_asked(evaluation)].append(evaluation)
    return [answers[_asked(request)].popleft() for request in requests]


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


class Journal:
    """A file of JSON lines, one for each step, each on the disk before the next step begins.

    Parameters
    ----------
    path : path
        Made where it is absent; its folder must exist.
    keep_steps : int
        Lines of later steps (number `keep_steps` and above) are dropped, and so is a line that a
        crash cut short: a search that goes on from a checkpoint makes these steps again. 0 begins
        anew.

    Raises
    ------
    RunError
        A line before the last is damaged.
    """

    def __init__(self, path: str | Path, keep_steps: int = 0) -> None:
        path = Path(path)
        kept = [step for step in read_journal(path) if step["step"] < keep_steps]
        write_atomic(path, "".join(map(_line, kept)))
        self._stream = path.open("ab")

    def append(self, step: Mapping[str, Any]) -> None:
        """Write one step; when this returns it is on the disk."""
        self._stream.write(_line(step).encode())
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_journal(path: str | Path) -> list[dict[str, Any]]:
    """Read the steps of a journal; a last line that a crash cut short is passed over.

    Parameters
    ----------
    path : path
        A journal; an absent one holds no steps.

    Returns
    -------
    list of dict
        As `Step.to_dict` gives them.

    Raises
    ------
    RunError
        A line before the last is not JSON.
    """
    path = Path(path)
    if not path.exists():
        return []
    *lines, _unfinished = path.read_bytes().split(b"\n")
    steps = []
    for number, line in enumerate(lines, start=1):
        try:
            steps.append(json.loads(line))
        except ValueError as error:
            raise RunError(
                f"{path}:{number}: found a damaged line ({error}) where a step in JSON was needed; "
                "remove the lines from there on and resume"
            ) from error
    return steps


def _line(step: Mapping[str, Any]) -> str:
    return json.dumps(step, allow_nan=False) + "\n"
