"""A predictor kept honest: now and then what the controller proposes is trained, and learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ambient.controller.baselines import reward
from ambient.controller.beam import most_probable
from ambient.controller.predictor import Predictor
from ambient.controller.proposal import Expected
from ambient.evaluate import Evaluation, Remembering, Request, Store
from ambient.evaluate.choose import EngineChoice, open_engine
from ambient.evaluate.energy import EnergyMeter
from ambient.evaluate.predicted import PredictorEngine
from ambient.files import write_json_atomic
from ambient.search.ambient import AmbientSearcher
from ambient.search.from_records import answering, predictor_from
from ambient.search.open_step import pair_of
from ambient.search.rounds import Round, read_round, read_rounds, round_file

if TYPE_CHECKING:
    from ambient.data.task import TaskData
    from ambient.space import Architecture

__all__ = ["HonestPredictor"]

DEPTH = (
    16  # most probable architectures of a task among which one that is not recorded is looked for
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
    recorded : sequence of Evaluation
        What is known before.
    where : path
        The file that it comes from.
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
        recorded: Sequence[Evaluation],
        where: Path,
        searcher: AmbientSearcher,
        tasks: Mapping[str, TaskData],
        store: Store,
        engine: EngineChoice,
        retry_failed: bool = False,
    ) -> None:
        self._folder, self._where = folder, where
        self._searcher, self._tasks = searcher, tasks
        self._store, self._engine, self._retry_failed = store, engine, retry_failed
        self._rows = list(recorded)
        self._predictor: Predictor | None = None  # learned from all rows

    def learn(self) -> PredictorEngine:
        """Learn from all that is known now; what comes back answers requests."""
        if self._predictor is None:
            self._predictor = predictor_from(self._rows, self._where, self._searcher, self._tasks)
        return answering(self._predictor, self._searcher, self._tasks)

    def recall(self) -> None:
        """Take in the rounds before the searcher's step, as after a resume.

        A round asks for what is not recorded, so what it asked for is no record of before, though it may stand
        among these where the run writes to the store that it learns from.
        """
        rounds = list(read_rounds(self._folder))
        asked = {pair_of(request) for one in rounds for request in self._requests(one)}
        self._rows = [row for row in self._rows if pair_of(row) not in asked]
        for one in rounds:
            if one.step < self._searcher.steps:
                self._take_in(self._requests(one))

    def hold(self) -> Round:
        """Train what the policy proposes now, hold it against what was expected, and take it in."""
        step = self._searcher.steps
        path = round_file(self._folder, step)
        if path.exists():
            asked = read_round(path)
        else:
            asked = self._ask()
            path.parent.mkdir(exist_ok=True)
            write_json_atomic(path, list(asked.entries))
        metric = self._searcher.config.metric
        earned = {row.task: reward(row, metric) for row in self._take_in(self._requests(asked))}
        entries = [{**entry, "reached": earned[entry["task"]]} for entry in asked.entries]
        write_json_atomic(path, entries)
        return Round(step, tuple(entries))

    def _ask(self) -> Round:
        """Choose for each task the most probable architecture that is not recorded for it."""
        searcher, names = self._searcher, list(self._tasks)
        known = {(row.task, row.architecture.key) for row in self._rows}
        vectors = np.stack([searcher.vectors[name] for name in names])
        beams = most_probable(searcher.policy, torch.from_numpy(vectors), DEPTH, DEPTH).best
        chosen: dict[str, Architecture] = {}
        for name, (tokens, _) in zip(names, beams, strict=True):
            ranked = (searcher.space.architecture(row) for row in tokens.tolist())
            allowed = (one for one in ranked if searcher.accepts(name, one))
            new = next((one for one in allowed if (name, one.key) not in known), None)
            if new is not None:
                chosen[name] = new
        if not chosen:
            return Round(searcher.steps, ())
        found = self.learn().predictor.predict(
            np.stack([searcher.vectors[name] for name in chosen]),
            np.array([one.tokens for one in chosen.values()]),
        )
        entries = [
            {
                "task": name,
                "tokens": list(one.tokens),
                "summary": one.summary(),
                "expected": vars(expected),
            }
            for (name, one), expected in zip(chosen.items(), Expected.each(found), strict=True)
        ]
        return Round(searcher.steps, tuple(entries))

    def _requests(self, asked: Round) -> list[Request]:
        searcher = self._searcher
        return [
            Request(
                entry["task"],
                searcher.space.architecture(entry["tokens"]),
                searcher.seed,
                searcher.fidelity,
            )
            for entry in asked.entries
        ]

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
