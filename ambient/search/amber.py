"""AMBER: the controller without descriptors, on one task, by PPO or by REINFORCE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from ambient.child.fidelity import Fidelity
from ambient.controller.card import Controller
from ambient.controller.policy import PolicyConfig
from ambient.controller.ppo import PPOConfig
from ambient.errors import RunError
from ambient.search.ambient import AmbientSearcher
from ambient.search.config import AmbientConfig
from ambient.space import Architecture, SearchSpace

if TYPE_CHECKING:
    from descriptors.record import Descriptors

__all__ = ["PPO", "REINFORCE", "Algorithm", "amber_config", "amber_searcher"]

Algorithm = Literal["ppo", "reinforce"]

# The clipped objective over a buffer of recent steps, as in joint training.
PPO = PPOConfig()

# One step, one pass, one minibatch: the policy that learns is the policy that sampled, every ratio
# is 1 and nothing is clipped, so the gradient of the clipped objective is that of REINFORCE,
# A * grad log p, with A the reward less its moving average, scaled to unit variance over the step.
# (Williams 1992; AMBER: Zhang et al. 2021, An automated framework for efficiently designing deep
# convolutional neural networks in genomics, methods.)
REINFORCE = PPOConfig(buffer_steps=1, epochs=1, minibatch_size=1_000_000)

ALGORITHMS: dict[str, PPOConfig] = {"ppo": PPO, "reinforce": REINFORCE}


# What joint training leaves is decided: sampled as it is, it repeats itself after some ten architectures of
# ambient-plus (benchmarks/yeast/few-shot).
CURIOSITY = 3.0


def amber_config(
    algorithm: Algorithm = "ppo",
    batch: int = 5,
    metric: str = "validation_auroc",
    curiosity: float = 1.0,
) -> AmbientConfig:
    """Give every constant of a search of one task.

    Parameters
    ----------
    algorithm : str
        How the policy learns.
    batch : int
        Architectures in a step.
    metric : str
        What is rewarded; of the validation split.
    curiosity : float
        By how much warmer than it was trained a controller is sampled that the search begins from.

    Raises
    ------
    RunError
        There is no such algorithm, or the metric is not of the validation split.
    """
    if algorithm not in ALGORITHMS:
        raise RunError(
            f"amber: found the algorithm {algorithm!r}, needed one of {', '.join(ALGORITHMS)}; "
            "choose one of them"
        )
    return AmbientConfig(
        tasks_per_step=1,
        architectures_per_task=batch,
        metric=metric,
        curiosity=curiosity,
        policy=PolicyConfig(),
        ppo=ALGORITHMS[algorithm],
    )


def amber_searcher(
    space: SearchSpace,
    task: str,
    fidelity: Fidelity,
    algorithm: Algorithm = "ppo",
    batch: int = 5,
    seed: int = 0,
    metric: str = "validation_auroc",
    controller: Controller | None = None,
    descriptors: Descriptors | None = None,
    proposals: Sequence[Architecture] = (),
    curiosity: float = CURIOSITY,
) -> AmbientSearcher:
    """Make the searcher of one task: the joint one, with nothing to read of the only task that it has.

    With a trained controller it reads the task's descriptors instead, and begins with that controller's
    proposals and its policy, which is sampled at a higher temperature: few-shot search.

    Parameters
    ----------
    space : SearchSpace
    task : str
        What it searches for.
    fidelity : Fidelity
        Of every child.
    algorithm, batch, metric
        As in `amber_config`.
    seed : int
        Of everything random, and of every child.
    controller, descriptors, proposals
        As in `AmbientSearcher`; of the task.
    curiosity : float
        As in `amber_config`; without a controller it changes nothing.

    Returns
    -------
    AmbientSearcher
        It asks again for what it found good; `Once` keeps that from costing anything.
    """
    return AmbientSearcher(
        space,
        {task: descriptors},
        fidelity,
        amber_config(algorithm, batch, metric, curiosity if controller else 1.0),
        seed,
        controller,
        {task: proposals},
    )
