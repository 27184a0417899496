"""A predictor kept honest: now and then what the controller proposes is trained, and learned from."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ambient.controller.baselines import reward
from ambient.controller.predictor import Predictor
from ambient.controller.proposal import Expected
from ambient.evaluate import Evaluation, Remembering, Request, Store
from ambient.evaluate.choose import EngineChoice, open_engine
from ambient.evaluate.energy import EnergyMeter
from ambient.evaluate.predicted import PredictorEngine
from ambient.files import read_json, write_json_atomic
from ambient.search.ambient import AmbientSearcher
from ambient.search.from_records import predictor_from

if TYPE_CHECKING:
    from ambient.data.task import TaskData

__all__ = ["HonestPredictor", "Round"]

FOLDER = "rounds"  # in a run's folder: one file for each round
DEPTH = (
    16  # most probable architectures of a task among which one that is not recorded is looked for
)


@dataclass(frozen=True)
class Round:
    """What came of one round.

    Parameters
    ----------
    step : int
        Steps that the controller had learned from.
    expected, reached : tuple of float
        Of each architecture that was trained to its end: what the predictor expected, and what it reached.
    covered : int
        How many of them lie in the 80% interval that was expected.
    failed : int
        How many were not trained to their end.
    """

    step: int
    expected: tuple[float, ...]
    reached: tuple[float, ...]
    covered: int
    failed: int

    def to_dict(self) -> dict[str, Any]:
        """Give what a tracker logs."""
        if not self.reached:
            return {"real/failed": self.failed}
        return {
            "real/expected": float(np.mean(self.expected)),
            "real/reached": float(np.mean(self.reached)),
            "real/covered": self.covered / len(self.reached),
            "real/failed": self.failed,
        }

    def __str__(self) -> str:
        head = f"step {self.step}: trained {len(self.reached) + self.failed} proposals"
        if self.failed:
            head += f", of which {self.failed} failed"
        if not self.reached:
            return head
        return (
            f"{head}; expected {np.mean(self.expected):.3f}, reached {np.mean(self.reached):.3f} on average, "
            f"{self.covered} within their 80% intervals"
        )


class HonestPredictor:
    """Learns a predictor from records, and after each round from what was trained in it as well.

    A round trains, for each training task, the most probable architecture that is not recorded for it. What is
    asked depends on the records and the policy alone, and is written to `rounds/` before anything is trained: a
    run that was killed goes on with the same round.

    Parameters
    ----------
    folder : path
        Of the run.
    recorded : path
        A store, or a table that `ambient evaluate --export` wrote.
    searcher : AmbientSearcher
        Whose policy proposes.
    tasks : mapping of str to TaskData
        The training tasks.
    store : Store
        Remembers what is trained.
    engine : EngineChoice
        How it is trained.
    retry_failed : bool
        As for `Remembering`.
    """

    def __init__(
        self,
        folder: Path,
        recorded: Path,
        searcher: AmbientSearcher,
        tasks: Mapping[str, TaskData],
        store: Store,
        engine: EngineChoice,
        retry_failed: bool = False,
    ) -> None:
        from ambient.evaluate.table import read_recorded

        self._folder, self._where = folder / FOLDER, recorded
        self._searcher, self._tasks = searcher, tasks
        self._store, self._engine, self._retry_failed = store, engine, retry_failed
        self._rows = read_recorded(recorded)
        self._predictor: Predictor | None = None  # learned from all rows

    def learn(self) -> PredictorEngine:
        """Learn from all that is known now; what comes back answers requests."""
        if self._predictor is None:
            self._predictor = predictor_from(self._rows, self._where, self._searcher, self._tasks)
        return PredictorEngine(self._predictor, self._tasks, self._searcher.vectors)

    def recall(self) -> None:
        """Take in the rounds before the searcher's step, as after a resume."""
        for path in sorted(self._folder.glob("step-*.json")):
            step = int(path.stem.removeprefix("step-"))
            if step < self._searcher.steps:
                self._take_in(self._read(step)[0])

    def hold(self) -> Round:
        """Train what the policy proposes now, hold it against what was expected, and take it in."""
        step = self._searcher.steps
        if not self._file(step).exists():
            self._write(step, *self._ask(self.learn().predictor))
        requests, expected = self._read(step)
        evaluations = self._take_in(requests)
        earned = {row.task: reward(row, self._searcher.config.metric) for row in evaluations}
        reached = [value for value in earned.values() if value is not None]
        promised = [expected[task] for task, value in earned.items() if value is not None]
        inside = [
            one.low <= value <= one.high for one, value in zip(promised, reached, strict=True)
        ]
        failed = len(evaluations) - len(reached)
        return Round(step, tuple(one.mean for one in promised), tuple(reached), sum(inside), failed)

    def _ask(self, predictor: Predictor) -> tuple[list[Request], dict[str, Expected]]:
        """Choose for each task the most probable architecture that is not recorded for it."""
        searcher, names = self._searcher, list(self._tasks)
        known = {(row.task, row.architecture.key) for row in self._rows}
        vectors = np.stack([searcher.vectors[name] for name in names])
        beams = searcher.policy.most_probable(torch.from_numpy(vectors), DEPTH, DEPTH)
        requests = []
        for name, (tokens, _) in zip(names, beams, strict=True):
            ranked = (searcher.space.architecture(row) for row in tokens.tolist())
            new = next((one for one in ranked if (name, one.key) not in known), None)
            if new is not None:
                requests.append(Request(name, new, searcher.seed, searcher.fidelity))
        if not requests:
            return [], {}
        asked = np.stack([searcher.vectors[request.task] for request in requests])
        found = predictor.predict(
            asked, np.array([request.architecture.tokens for request in requests])
        )
        pairs = zip(found.mean, found.deviation, strict=True)
        return requests, {
            request.task: Expected.of(*pair) for request, pair in zip(requests, pairs, strict=True)
        }

    def _take_in(self, requests: list[Request]) -> list[Evaluation]:
        """Give what the requests came to, trained where the store does not know it, and learn from it."""
        evaluations = self._remembered(requests)
        if len(evaluations) < len(requests):
            with (
                closing(EnergyMeter()) as meter,
                Remembering(
                    open_engine(self._engine, self._tasks), self._store, self._retry_failed, meter
                ) as engine,
            ):
                evaluations = list(engine.run(requests))
        self._rows += evaluations
        self._predictor = None
        return evaluations

    def _remembered(self, requests: list[Request]) -> list[Evaluation]:
        found = [self._store.get(one.key(self._tasks[one.task].hash)) for one in requests]
        return [one for one in found if one and not (one.state == "failed" and self._retry_failed)]

    def _file(self, step: int) -> Path:
        return self._folder / f"step-{step:06d}.json"

    def _write(self, step: int, requests: list[Request], expected: Mapping[str, Expected]) -> None:
        self._folder.mkdir(exist_ok=True)
        entries = [
            {
                "task": request.task,
                "tokens": list(request.architecture.tokens),
                "summary": request.architecture.summary(),
                "expected": vars(expected[request.task]),
            }
            for request in requests
        ]
        write_json_atomic(self._file(step), entries)

    def _read(self, step: int) -> tuple[list[Request], dict[str, Expected]]:
        searcher = self._searcher
        entries = read_json(self._file(step), "file of a round")
        requests = [
            Request(
                entry["task"],
                searcher.space.architecture(entry["tokens"]),
                searcher.seed,
                searcher.fidelity,
            )
            for entry in entries
        ]
        return requests, {entry["task"]: Expected(**entry["expected"]) for entry in entries}
