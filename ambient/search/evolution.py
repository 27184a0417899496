"""Regularised evolution: the young replace the old, the better of a few have children."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ambient.child.fidelity import Fidelity
from ambient.controller.baselines import check_metric, reward
from ambient.errors import RunError
from ambient.evaluate.records import Evaluation, Request
from ambient.search.identity import check_identity, identity_of
from ambient.space import Architecture, SearchSpace
from ambient.space.space import NOT_APPLYING

__all__ = ["EvolutionConfig", "EvolutionSearcher", "mutate"]


@dataclass(frozen=True)
class EvolutionConfig:
    """Every constant of the evolution.

    The paper has a population of 100 and tournaments of 25 for 20,000 evaluations; these are for a
    hundred.
    """

    population: int = 20  # of which the oldest dies when a child is born
    tournament: int = 5  # drawn from it, with replacement; the best of them has the child

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value < 1:
                raise RunError(f"evolution: {name} is {value}; it must be at least 1")


class EvolutionSearcher:
    """Asks for a first population, then for mutated winners of tournaments.

    It may ask for one architecture twice; `Once` keeps that from costing anything.

    Parameters
    ----------
    space : SearchSpace
    task : str
        What it searches for.
    fidelity : Fidelity
        Of every child.
    config : EvolutionConfig
    seed : int
        Of the draws, and of every child.
    metric : str
        What is selected by; of the validation split.
    proposals : sequence of Architecture
        What the first population consists of, in this order; the rest of it is random.

    Raises
    ------
    RunError
        The metric is not of the validation split.

    Source
    ------
    Real et al. 2019, Regularized Evolution for Image Classifier Architecture Search, algorithm 1.
    """

    def __init__(
        self,
        space: SearchSpace,
        task: str,
        fidelity: Fidelity,
        config: EvolutionConfig | None = None,
        seed: int = 0,
        metric: str = "validation_auroc",
        proposals: Sequence[Architecture] = (),
    ) -> None:
        self._space, self._task, self._fidelity, self._seed = space, task, fidelity, seed
        self._config = config = config or EvolutionConfig()
        self._metric = check_metric(metric)
        self._proposals = [one.tokens for one in proposals[: config.population]]
        self._rng = np.random.default_rng(seed)
        self._asked = 0
        # Tokens and reward, the oldest first; None: the child failed, and loses to all others.
        self._population: deque[tuple[tuple[int, ...], float | None]] = deque(
            maxlen=config.population
        )
        self._open: deque[list[Request]] = deque()
        self.logs: Mapping[str, float] = {}

    def ask(self, count: int, /) -> list[Request]:
        """Draw `count` architectures, in which one may stand twice."""
        requests = [self._request(self._draw()) for _ in range(count)]
        self._open.append(requests)
        return list(requests)

    def _draw(self) -> tuple[int, ...]:
        self._asked += 1
        if self._asked <= len(self._proposals):
            return self._proposals[self._asked - 1]
        # With steps asked ahead the first results may still be on their way.
        if self._asked <= self._config.population or not self._population:
            return self._space.sample(self._rng).tokens
        drawn = self._rng.integers(len(self._population), size=self._config.tournament)
        rivals = [self._population[int(index)] for index in drawn]
        best, _ = max(rivals, key=lambda rival: -math.inf if rival[1] is None else rival[1])
        return mutate(self._space, best, self._rng)

    def _request(self, tokens: tuple[int, ...]) -> Request:
        architecture = self._space.architecture(tokens)
        return Request(self._task, architecture, self._seed, self._fidelity)

    def tell(self, evaluations: Sequence[Evaluation], /) -> None:
        """Add the results of the oldest open step to the population, in the order of its requests."""
        self._open.popleft()
        for one in evaluations:
            self._population.append((one.architecture.tokens, reward(one, self._metric)))

    def open_steps(self) -> list[list[Request]]:
        """Give what was asked and not yet told, the oldest step first."""
        return [list(step) for step in self._open]

    def state_dict(self) -> dict[str, Any]:
        """Give JSON values from which `load_state_dict` goes on."""
        return {
            "identity": self._identity(),
            "generator": self._rng.bit_generator.state,
            "asked": self._asked,
            "population": [[list(tokens), value] for tokens, value in self._population],
            "open": [[list(one.architecture.tokens) for one in step] for step in self._open],
        }

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Go on from where `state_dict` was taken.

        Raises
        ------
        RunError
            The state is of another search.
        """
        check_identity(state["identity"], self._identity(), "evolution")
        self._rng.bit_generator.state = state["generator"]
        self._asked = state["asked"]
        self._population.clear()
        self._population.extend((tuple(tokens), value) for tokens, value in state["population"])
        self._open = deque([self._request(tuple(one)) for one in step] for step in state["open"])

    def _identity(self) -> dict[str, Any]:
        return identity_of(
            self._space,
            self._task,
            self._fidelity,
            self._seed,
            metric=self._metric,
            config=asdict(self._config),
            # Searches that began before there could be proposals say nothing of them.
            **({"proposals": [list(one) for one in self._proposals]} if self._proposals else {}),
        )


def mutate(
    space: SearchSpace, tokens: Sequence[int], generator: np.random.Generator
) -> tuple[int, ...]:
    """Choose otherwise in one decision, drawn uniformly from those that apply.

    Later decisions that begin to apply by that are drawn uniformly; those that cease to apply are
    dropped; all others stay.

    Parameters
    ----------
    space : SearchSpace
    tokens : sequence of int, shape (decisions,)
        A whole architecture.
    generator : numpy.random.Generator
        The only source of randomness.

    Returns
    -------
    tuple of int, shape (decisions,)
        A whole architecture; the same one only where no decision that applies leaves a choice.
    """
    free = [
        index
        for index, token in enumerate(tokens)
        if token != NOT_APPLYING and len(space.decisions[index].choices) > 1
    ]
    changed = free[int(generator.integers(len(free)))] if free else None
    child: list[int] = []
    for index, token in enumerate(tokens):
        count = len(space.options(child))
        if count == 0:
            token = NOT_APPLYING
        elif index == changed:
            other = int(generator.integers(count - 1))
            token = other + (other >= token)  # any but the present one
        elif token == NOT_APPLYING:
            token = int(generator.integers(count))
        child.append(token)
    return tuple(child)
