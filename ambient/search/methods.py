"""The searchers of one task, by name."""

from __future__ import annotations

from collections.abc import Callable

from ambient.child.fidelity import Fidelity
from ambient.errors import RunError
from ambient.search.loop import Searcher
from ambient.search.once import Once
from ambient.space import Architecture, SearchSpace

__all__ = ["BATCH", "METHODS", "check_method", "make_searcher"]

METHODS = ("amber", "amber-reinforce", "evolution", "random", "tpe")
BATCH = 5  # architectures in a step (AMBIENT, appendix A, has so many for each task)


def check_method(method: str) -> None:
    """Refuse a method that cannot be, before any work is done.

    Raises
    ------
    RunError
        There is none of that name, or what it needs is not installed.
    """
    if method not in METHODS:
        raise RunError(
            f"search: found the method {method!r}, needed one of {', '.join(METHODS)}; choose one of them"
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
    refuse: Callable[[Architecture], str | None] | None = None,
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

    Raises
    ------
    RunError
        There is no such method, what it needs is not installed, or the metric is not of the
        validation split.
    """
    check_method(method)
    return Once(_searcher(method, space, task, fidelity, seed, batch, metric), refuse)


def _searcher(
    method: str,
    space: SearchSpace,
    task: str,
    fidelity: Fidelity,
    seed: int,
    batch: int,
    metric: str,
) -> Searcher:
    if method == "random":
        from ambient.search.random import RandomSearcher

        return RandomSearcher(space, [task], fidelity, seed, child_seed=seed)
    if method == "evolution":
        from ambient.search.evolution import EvolutionSearcher

        return EvolutionSearcher(space, task, fidelity, seed=seed, metric=metric)
    if method == "tpe":
        from ambient.search.tpe import TPESearcher

        return TPESearcher(space, task, fidelity, seed, metric)
    from ambient.search.amber import Algorithm, amber_searcher

    algorithm: Algorithm = "ppo" if method == "amber" else "reinforce"
    return amber_searcher(space, task, fidelity, algorithm, batch, seed, metric)
