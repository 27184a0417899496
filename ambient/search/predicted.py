"""Few-shot search by what a controller's records tell, and what is measured on the way."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ambient.child.fidelity import Fidelity
from ambient.controller.baselines import check_metric, reward
from ambient.controller.belief import Belief
from ambient.controller.policy import Policy
from ambient.errors import RunError
from ambient.evaluate.records import Evaluation, Request
from ambient.search.amber import CURIOSITY
from ambient.search.identity import check_identity, identity_of
from ambient.space import Architecture, SearchSpace

if TYPE_CHECKING:
    from ambient.controller.card import Controller
    from descriptors.record import Descriptors

__all__ = ["DRAWN", "PredictedSearcher"]

DRAWN = 2000  # architectures around the controller's proposals, that one chooses among


class PredictedSearcher:
    """Asks for the architectures of which most is expected, given the records and what it was told.

    It begins with the controller's proposals. Then it chooses among architectures that the controller's policy writes
    for the data set, when it is sampled at `CURIOSITY` times its temperature. What is expected of each is what the
    controller's predictor makes of its records and of the results so far, as of records of one more task; so a result
    says something about architectures like the one that was trained, and a lucky training is not taken at its word.
    What it found is the trained architecture of which most is expected at the end (`favourite`).

    Parameters
    ----------
    space : SearchSpace
    task : str
        What it searches for.
    fidelity : Fidelity
        Of every child.
    controller : Controller
        With the records that it learned from.
    descriptors : Descriptors
        Of the task.
    proposals : sequence of Architecture
        Asked for first, in their order.
    seed : int
        Of the draws, and of every child.
    metric : str
        What is maximised; of the validation split.

    Raises
    ------
    RunError
        The controller keeps no records, or these are of another metric, or the metric is not of the validation split.

    Source
    ------
    Krause and Ong 2011, Contextual Gaussian Process Bandit Optimization, with a confidence weight of 0; Swersky et al.
    2013, Multi-Task Bayesian Optimization, section 3, for results of other tasks.
    """

    def __init__(
        self,
        space: SearchSpace,
        task: str,
        fidelity: Fidelity,
        controller: Controller,
        descriptors: Descriptors,
        proposals: Sequence[Architecture] = (),
        seed: int = 0,
        metric: str = "validation_auroc",
    ) -> None:
        if controller.predictor is None:
            raise RunError(
                "search: found a controller that keeps no records, and the method predicted asks these; train one with "
                "--engine predictor:..., or choose another method"
            )
        self._metric = check_metric(metric)
        if controller.metric != metric:
            raise RunError(
                f"search: found a controller whose records are of {controller.metric}, and the method predicted judges "
                f"by {metric}; choose another method, as amber"
            )
        self._space, self._task, self._fidelity, self._seed = space, task, fidelity, seed
        self._sha256 = controller.weights_sha256
        self._first = len(proposals)
        vector = controller.scaler.transform(descriptors)
        drawn = map(space.architecture, _draw(controller, vector, seed))
        pool = {one.key: one for one in (*proposals, *drawn)}
        self._pool = tuple(pool.values())
        tokens = np.array([one.tokens for one in self._pool])
        self._belief: Belief = controller.predictor.belief(vector, tokens)
        self._told: list[tuple[int, float | None]] = []  # index in the pool; None: it failed
        self._open: deque[list[int]] = deque()
        self.logs: Mapping[str, float] = {}

    def ask(self, count: int, /) -> list[Request]:
        """Choose what has not been asked for; fewer than `count` where little of that is left."""
        asked = {index for index, _ in self._told}.union(*self._open)
        by_promise = np.argsort(-self._belief.mean, kind="stable").tolist()
        new = [index for index in (*range(self._first), *by_promise) if index not in asked]
        chosen = list(dict.fromkeys(new))[:count]
        if chosen:
            self._open.append(chosen)
        return self._requests(chosen)

    def _requests(self, numbers: Sequence[int]) -> list[Request]:
        return [
            Request(self._task, self._pool[number], self._seed, self._fidelity)
            for number in numbers
        ]

    def tell(self, evaluations: Sequence[Evaluation], /) -> None:
        """Learn from the results of the oldest open step; a child that failed tells nothing."""
        for index, one in zip(self._open.popleft(), evaluations, strict=True):
            self._learn(index, reward(one, self._metric))
        best = self._favourite()
        if best is not None:
            deviation = float(np.sqrt(max(self._belief.covariance[best, best], 0.0)))
            self.logs = {"expected": float(self._belief.mean[best]), "deviation": deviation}

    def _learn(self, index: int, value: float | None) -> None:
        self._told.append((index, value))
        if value is not None:
            self._belief = self._belief.told(index, value)

    def _favourite(self) -> int | None:
        done = [index for index, value in self._told if value is not None]
        return max(done, key=lambda index: self._belief.mean[index], default=None)

    def favourite(self) -> Architecture | None:
        """Give the trained architecture of which most is expected; None where none is trained."""
        best = self._favourite()
        return None if best is None else self._pool[best]

    def open_steps(self) -> list[list[Request]]:
        """Give what was asked and not yet told, the oldest step first."""
        return [self._requests(numbers) for numbers in self._open]

    def state_dict(self) -> dict[str, Any]:
        """Give JSON values from which `load_state_dict` goes on."""
        return {
            "identity": self._identity(),
            "told": [list(one) for one in self._told],
            "open": [list(numbers) for numbers in self._open],
            "logs": dict(self.logs),
        }

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Go on from where `state_dict` was taken, in a searcher that was told nothing yet.

        Raises
        ------
        RunError
            The state is of another search.
        """
        check_identity(state["identity"], self._identity(), "predicted")
        for index, value in state["told"]:
            self._learn(index, value)
        self._open = deque(list(numbers) for numbers in state["open"])
        self.logs = dict(state["logs"])

    def _identity(self) -> dict[str, Any]:
        settings = {"metric": self._metric, "controller": self._sha256, "pool": len(self._pool)}
        return identity_of(self._space, self._task, self._fidelity, self._seed, **settings)


def _draw(controller: Controller, vector: np.ndarray, seed: int) -> list[tuple[int, ...]]:
    """Draw architectures widely around what a controller finds probable."""
    policy = controller.policy
    warmer = replace(policy.config, temperature=CURIOSITY * policy.config.temperature)
    warm = Policy(controller.space, warmer, len(controller.scaler.names))
    warm.load_state_dict(policy.state_dict())
    rows = torch.from_numpy(vector).expand(DRAWN, -1)
    tokens, _ = warm.sample(rows, torch.Generator().manual_seed(seed))
    return [tuple(row) for row in tokens.tolist()]
