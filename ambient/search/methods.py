"""The searchers of one task, by name."""

from __future__ import annotations

from ambient.child.fidelity import Fidelity
from ambient.errors import RunError
from ambient.search.loop import Searcher
from ambient.search.once import Once, Refusal
from ambient.search.start import Start, check_space
from ambient.space import Architecture, SearchSpace

__all__ = ["BATCH", "METHODS", "check_method", "make_searcher"]

METHODS = ("amber", "amber-reinforce", "evolution", "predicted", "random", "tpe")
FEW_SHOT = (
    "amber",
    "amber-reinforce",
    "evolution",
    "predicted",
)  # those that can begin from a controller
ONLY_FEW_SHOT = ("predicted",)  # those that cannot begin from nothing
BATCH = 5  # architectures in a step (AMBIENT, appendix A, has so many for each task)


def check_method(method: str, few_shot: bool = False) -> None:
    """Refuse a method that cannot be, before any work is done.

    Parameters
    ----------
    method : str
    few_shot : bool
        Whether it is to begin from a controller.

    Raises
    ------
    RunError
        There is none of that name, what it needs is not installed, or it has no use for a controller.
    """
    if method == "enas":
        raise RunError(
            "search: found the method 'enas', which trains a supernet between its steps; call "
            "ambient.search.enas_run.search_enas, or `ambient search --method enas`"
        )
    if method not in METHODS:
        known = ", ".join(sorted((*METHODS, "enas")))
        raise RunError(
            f"search: found the method {method!r}, needed one of {known}; choose one of them"
        )
    if few_shot and method not in FEW_SHOT:
        raise RunError(
            f"search: found --from-controller with the method {method}, which learns nothing from a "
            f"controller; leave it out, or choose one of {', '.join(FEW_SHOT)}"
        )
    if method == "tpe":
        from ambient.search.tpe import check_optuna

        check_optuna()


def make_searcher(
    method: str,
    space: SearchSpace,
    task: str,
    fidelity: Fidelity,
    seed: int = 0,
    batch: int = BATCH,
    metric: str = "validation_auroc",
    refuse: Refusal | None = None,
    start: Start | None = None,
) -> Once:
    """Make a searcher of one task that asks for each architecture once.

    Parameters
    ----------
    method : str
        One of `METHODS`; `amber` is PPO.
    space : SearchSpace
    task : str
        What it searches for.
    fidelity : Fidelity
        Of every child.
    seed : int
        Of everything random, and of every child.
    batch : int
        Architectures in a step of a controller; the other methods take what the loop asks for.
    metric : str
        What is maximised; of the validation split.
    refuse : callable, optional
        Says of an architecture why it must not be trained; None where it may be.
    start : Start, optional
        What the search begins from: what that proposes and may be trained is asked for first, in
        its order; a controller goes on with its policy.

    Raises
    ------
    RunError
        There is no such method, what it needs is not installed, it cannot begin from a controller, or
        that controller is of another space or finds nothing that may be trained; or the metric is not
        of the validation split.
    """
    check_method(method, start is not None)
    if method in ONLY_FEW_SHOT and start is None:
        raise RunError(
            f"search: found the method {method} without a controller, whose records it asks; give one with "
            "--from-controller, or choose another method"
        )
    return Once(
        _searcher(method, space, task, fidelity, seed, batch, metric, refuse, start), refuse
    )


def _searcher(
    method: str,
    space: SearchSpace,
    task: str,
    fidelity: Fidelity,
    seed: int,
    batch: int,
    metric: str,
    refuse: Refusal | None,
    start: Start | None,
) -> Searcher:
    def proposed(count: int) -> list[Architecture]:
        if start is None:
            return []
        check_space(start.controller, space)
        return start.propose(count, refuse and (lambda architecture: refuse(architecture) is None))

    if method == "random":
        from ambient.search.random import RandomSearcher

        return RandomSearcher(space, [task], fidelity, seed, child_seed=seed)
    if method == "evolution":
        from ambient.search.evolution import EvolutionConfig, EvolutionSearcher

        config = EvolutionConfig()
        first = proposed(config.population)
        return EvolutionSearcher(space, task, fidelity, config, seed, metric, first)
    if method == "tpe":
        from ambient.search.tpe import TPESearcher

        return TPESearcher(space, task, fidelity, seed, metric)
    if method == "predicted":
        from ambient.search.predicted import PredictedSearcher

        assert start is not None
        given = start.controller, start.descriptors, proposed(1)
        return PredictedSearcher(space, task, fidelity, *given, seed, metric)
    from ambient.search.amber import Algorithm, amber_searcher

    algorithm: Algorithm = "ppo" if method == "amber" else "reinforce"
    settings = algorithm, batch, seed, metric
    if start is None:
        return amber_searcher(space, task, fidelity, *settings)
    trained, described = start.controller, start.descriptors
    return amber_searcher(space, task, fidelity, *settings, trained, described, proposed(batch))
