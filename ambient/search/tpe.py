"""The tree-structured Parzen estimator of Optuna, asked and told through our loop."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ambient.child.fidelity import Fidelity
from ambient.controller.baselines import check_metric, reward
from ambient.errors import RunError
from ambient.evaluate.records import Evaluation, Request
from ambient.search.identity import check_identity, identity_of
from ambient.space import SearchSpace
from ambient.space.space import NOT_APPLYING

if TYPE_CHECKING:
    from optuna.study import Study

__all__ = ["TPESearcher", "check_optuna"]

RANDOM_FIRST = 10  # results that Optuna waits for before it models anything: its own default


class TPESearcher:
    """Asks what Optuna's TPESampler suggests, decision by decision.

    Decisions that do not apply are not suggested, so conditions between decisions hold. Decisions
    that every architecture takes are modelled together, the others each alone. Suggestions that are
    still being evaluated count as bad ones, so that a step does not suggest one thing only. It may
    ask for one architecture twice; `Once` keeps that from costing anything.

    Each suggestion has a sampler of its own, seeded by `seed` and the number of the suggestion, so
    that nothing but the suggestions and their results is to be remembered.

    Parameters
    ----------
    space : SearchSpace
    task : str
        What it searches for.
    fidelity : Fidelity
        Of every child.
    seed : int
        Of the suggestions, and of every child.
    metric : str
        What is maximised; of the validation split.

    Raises
    ------
    RunError
        Optuna is not installed, or the metric is not of the validation split.

    Source
    ------
    Bergstra et al. 2011, Algorithms for Hyper-Parameter Optimization, section 4; Watanabe 2023,
    Tree-Structured Parzen Estimator, for what Optuna makes of it.
    """

    def __init__(
        self,
        space: SearchSpace,
        task: str,
        fidelity: Fidelity,
        seed: int = 0,
        metric: str = "validation_auroc",
    ) -> None:
        self._space, self._task, self._fidelity, self._seed = space, task, fidelity, seed
        self._metric = check_metric(metric)
        self._study = _new_study()
        self._trials: list[_Trial] = []  # in the order of the suggestions
        self._open: deque[list[int]] = deque()  # numbers of suggestions
        self.logs: Mapping[str, float] = {}

    def ask(self, count: int, /) -> list[Request]:
        """Take `count` suggestions, in which one architecture may stand twice."""
        first = len(self._trials)
        self._trials += [_Trial(self._suggest(first + number)) for number in range(count)]
        self._open.append(list(range(first, first + count)))
        return self._requests(self._open[-1])

    def _suggest(self, number: int) -> tuple[int, ...]:
        from optuna.samplers import TPESampler

        seed = int(np.random.SeedSequence([self._seed, number]).generate_state(1)[0])
        self._study.sampler = TPESampler(
            n_startup_trials=RANDOM_FIRST, multivariate=True, constant_liar=True, seed=seed
        )
        trial = self._study.ask()
        tokens: list[int] = []
        for decision in self._space.decisions:
            choices = range(len(self._space.options(tokens)))
            tokens.append(
                trial.suggest_categorical(decision.name, list(choices)) if choices else NOT_APPLYING
            )
        return tuple(tokens)

    def _requests(self, numbers: Sequence[int]) -> list[Request]:
        architectures = (
            self._space.architecture(self._trials[number].tokens) for number in numbers
        )
        return [Request(self._task, one, self._seed, self._fidelity) for one in architectures]

    def tell(self, evaluations: Sequence[Evaluation], /) -> None:
        """Take the results of the oldest open step, in the order of its requests.

        A child that failed counts as the lowest reward so far, or as nothing where there is none.
        """
        from optuna.trial import TrialState

        numbers = self._open.popleft()
        rewards = [reward(one, self._metric) for one in evaluations]
        known = [trial.reward for trial in self._trials] + rewards
        floor = min((value for value in known if value is not None), default=None)
        for number, value in zip(numbers, rewards, strict=True):
            settled = floor if value is None else value
            self._trials[number] = _Trial(self._trials[number].tokens, True, settled)
            if settled is None:
                self._study.tell(number, state=TrialState.FAIL)
            else:
                self._study.tell(number, settled)

    def open_steps(self) -> list[list[Request]]:
        """Give what was asked and not yet told, the oldest step first."""
        return [self._requests(numbers) for numbers in self._open]

    def state_dict(self) -> dict[str, Any]:
        """Give JSON values from which `load_state_dict` goes on."""
        return {
            "identity": self._identity(),
            "trials": [[list(one.tokens), one.is_told, one.reward] for one in self._trials],
            "open": [list(numbers) for numbers in self._open],
        }

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Go on from where `state_dict` was taken.

        Raises
        ------
        RunError
            The state is of another search.
        """
        check_identity(state["identity"], self._identity(), "tpe")
        self._trials = [_Trial(tuple(tokens), *rest) for tokens, *rest in state["trials"]]
        self._open = deque(list(numbers) for numbers in state["open"])
        self._study = _new_study()
        for trial in self._trials:
            self._remember(trial)

    def _remember(self, trial: _Trial) -> None:
        """Give the study a suggestion that it made before."""
        from optuna.distributions import CategoricalDistribution
        from optuna.trial import TrialState, create_trial

        taken = {
            decision.name: (token, range(len(decision.choices)))
            for decision, token in zip(self._space.decisions, trial.tokens, strict=True)
            if token != NOT_APPLYING
        }
        state = TrialState.RUNNING
        if trial.is_told:
            state = TrialState.FAIL if trial.reward is None else TrialState.COMPLETE
        self._study.add_trial(
            create_trial(
                state=state,
                value=trial.reward,
                params={name: token for name, (token, _) in taken.items()},
                distributions={
                    name: CategoricalDistribution(list(choices))
                    for name, (_, choices) in taken.items()
                },
            )
        )

    def _identity(self) -> dict[str, Any]:
        return identity_of(self._space, self._task, self._fidelity, self._seed, metric=self._metric)


@dataclass(frozen=True)
class _Trial:
    """A suggestion, and what came of it."""

    tokens: tuple[int, ...]
    is_told: bool = False
    reward: float | None = None  # None: not told, or nothing to go by


def check_optuna() -> None:
    """Make sure that Optuna can be imported.

    Raises
    ------
    RunError
        It is not installed; says how to install it.
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise RunError(
            "search: found no optuna, which the method tpe needs; pip install 'ambient-nas[tpe]', "
            "or choose another method"
        ) from error


def _new_study() -> Study:
    check_optuna()
    from optuna import create_study

    with _quiet():
        return create_study(direction="maximize")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from announcing a study on standard error."""
    from optuna import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        logging.set_verbosity(before)
