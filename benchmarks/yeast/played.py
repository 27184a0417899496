"""A predictor plays a data set: what a search would find in it, in seconds instead of hours, and marked as such."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ambient.controller.predictor import Predictor
from ambient.evaluate import Evaluation
from ambient.search.loop import Searcher
from ambient.search.once import Once

BATCH = 5  # evaluations of a step


@dataclass(frozen=True)
class Played:
    """What stands for trainings of a data set.

    Parameters
    ----------
    values : callable
        Tokens, int, (m, decisions) -> validation AUROC without noise, float, (m,).
    noise : float
        Deviation of a training.
    """

    values: Callable[[np.ndarray], np.ndarray]
    noise: float

    @classmethod
    def of(cls, predictor: Predictor, task: str) -> Played:
        """Let a predictor play one of the tasks of its records."""
        return cls(predictor.recorded_function(task), predictor.noise_deviation)

    def value(self, tokens: Sequence[int]) -> float:
        """Give what one architecture is worth."""
        return float(self.values(np.array([tokens]))[0])


def search(
    searcher: Searcher, world: Played, seed: int, most: int, told: Sequence[int]
) -> tuple[list[tuple[float, float]], int]:
    """Let a searcher search in it, each training with its noise.

    Returns
    -------
    (found, asked)
        Of the searcher's favourite, else of what was measured best, after each number of evaluations that is `told`,
        what was measured and what it is worth without noise; and how many evaluations were asked for.
    """
    once = Once(searcher)
    rng = np.random.default_rng(seed)
    measured: list[tuple[float, float]] = []
    numbers: dict[str, int] = {}  # of the evaluation of each architecture
    favourites: dict[int, int] = {}  # after so many evaluations the number of the favourite's
    while len(measured) < most:
        requests = once.ask(min(BATCH, most - len(measured)))
        if not requests:
            break
        answers = []
        for request in requests:
            true = world.value(request.architecture.tokens)
            numbers[request.architecture.key] = len(measured)
            measured.append((true + world.noise * rng.standard_normal(), true))
            answers.append(
                Evaluation.of(request, "", metrics={"validation_auroc": min(measured[-1][0], 1.0)})
            )
        once.tell(answers)
        if (favourite := once.favourite()) is not None:
            favourites[len(measured)] = numbers[favourite.key]

    def found(count: int) -> tuple[float, float]:
        before = [number for number in favourites if number <= count]
        return measured[favourites[max(before)]] if before else max(measured[:count])

    return [found(count) for count in told], len(measured)
