"""A controller over tiny networks whose records are made up, and data sets that differ in their number of peaks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from tiny_children import SPACE

from ambient.controller.card import Controller, TrainingTask
from ambient.controller.policy import Policy, PolicyConfig
from ambient.controller.predictor import Predictor
from ambient.controller.recorded import Records
from ambient.controller.scaling import Scaler
from descriptors.record import Descriptors
from descriptors.schema import NAMES, SCHEMA_VERSION


def described(name: str, peaks: float) -> Descriptors:
    """Make descriptors of which only the number of peaks is not 0."""
    values: dict[str, Any] = dict.fromkeys(NAMES, 0.0) | {"n_peaks": peaks}
    return Descriptors(task=name, schema_version=SCHEMA_VERSION, values=values, sources={})


TASKS = [described(f"task{number}", 100.0 * 2**number) for number in range(6)]


def undecided(tastes: bool) -> Controller:
    """A controller whose policy likes choice 0 of the first decision best, and then 1; all is recorded.

    With tastes, large data sets want choice 0; small ones, and the mean of all, choice 1.
    """
    scaler = Scaler.fit(TASKS)
    vectors = np.stack([scaler.transform(task) for task in TASKS])
    task = np.repeat(np.arange(6), 12)
    tokens = np.array([one.tokens for one in SPACE.enumerate()] * 6)
    first = tokens[:, 0]
    values = 0.6 + 0.20 * (first == 1)
    if tastes:
        values = 0.6 + 0.20 * (first == np.where(task >= 3, 0, 1)) + 0.05 * (first == 1)
    values = values + np.random.default_rng(1).normal(0, 0.005, len(task))
    records = Records(tuple(one.task for one in TASKS), vectors, task, tokens, values)
    policy = Policy(SPACE, PolicyConfig(hidden=8, embedding=4, tanh_bound=None), len(NAMES), seed=3)
    with torch.no_grad():
        head = policy.heads[0]
        assert isinstance(head, torch.nn.Linear)
        head.bias[:2] += torch.tensor([9.0, 6.0])
    known = tuple(
        TrainingTask(one.task, tuple(row), 0.7)
        for one, row in zip(TASKS, vectors.tolist(), strict=True)
    )
    return Controller(policy, scaler, known, predictor=Predictor.fit(records, steps=60))
