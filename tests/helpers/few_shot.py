"""A controller whose policy was taught nothing but has its opinions, with records, and a data set to ask it about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from small_run import LEARNING, make_descriptors
from tiny_children import SPACE

from ambient.controller.card import Controller, TrainingTask
from ambient.controller.policy import Policy, PolicyConfig
from ambient.controller.predictor import Predictor
from ambient.controller.recorded import Records
from ambient.controller.scaling import Scaler
from ambient.search.start import Start
from ambient.space import SearchSpace
from descriptors.schema import NAMES

SHAPE = PolicyConfig(hidden=8, encoder=4, embedding=4)


def make_start(space: SearchSpace = SPACE, seed: int = 3, name: str = "runs/small") -> Start:
    """Make a controller over three tasks, and the descriptors of a fourth; the policy is not uniform."""
    described = {name: make_descriptors(name) for name in LEARNING}
    scaler = Scaler.fit(list(described.values()))
    policy = Policy(space, SHAPE, len(NAMES), seed)
    with torch.no_grad():
        for weight in policy.parameters():
            weight.mul_(1.5)
    tasks = tuple(
        TrainingTask(name, tuple(scaler.transform(one).tolist()), 0.7)
        for name, one in described.items()
    )
    predictor = Predictor.fit(_made_up(space, tasks, seed), steps=5)
    # Not the task's own name: the data sets of the tests are called like training tasks.
    new = replace(make_descriptors("four"), task="new")
    return Start(Controller(policy, scaler, tasks, predictor=predictor), new, name)


def _made_up(space: SearchSpace, tasks: tuple[TrainingTask, ...], seed: int) -> Records:
    """Make records of architectures that were each trained on one task, so that none is proven on all."""
    rng = np.random.default_rng(seed)
    drawn = list({one.tokens: one for one in (space.sample(rng) for _ in range(200))})[:30]
    which = np.arange(30) % len(drawn)
    tokens = np.array(drawn)[which]
    return Records(
        tuple(one.name for one in tasks),
        np.array([one.vector for one in tasks], dtype=np.float32),
        which % len(tasks),
        tokens,
        0.6 + 0.02 * (tokens[:, 0] == 0) + rng.normal(0, 0.02, len(tokens)),
    )
