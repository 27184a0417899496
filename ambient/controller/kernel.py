"""The covariance of what architectures reach on data sets, and its likelihood."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from ambient.controller.recorded import Records
from descriptors.schema import DESCRIPTORS

__all__ = [
    "JITTER",
    "VARIANCES",
    "Free",
    "Standardised",
    "alike_tasks",
    "alike_tokens",
    "covariance_of",
    "factor_of",
    "negative_log_posterior",
    "noise_of",
    "starting_values",
]

Free = Mapping[
    str, Tensor
]  # what is learned: logarithms, but for the mean and the slope of the noise
VARIANCES = ("task", "task_own", "architecture", "descriptors", "architecture_own", "noise")
JITTER = 1e-6  # share of the variance that keeps Cholesky's factor real
_GROUPS = tuple(dict.fromkeys(entry.group for entry in DESCRIPTORS))


class Standardised:
    """Records as tensors; values standardised."""

    def __init__(self, records: Records) -> None:
        self.vectors = torch.tensor(records.vectors, dtype=torch.float64)
        self.task = torch.tensor(records.task, dtype=torch.int64)
        tokens = torch.tensor(records.tokens, dtype=torch.int64)
        self.networks, self.network = torch.unique(tokens, dim=0, return_inverse=True)
        self.shift = float(np.mean(records.values))
        self.scale = float(np.std(records.values)) or 1.0
        self.values = (torch.tensor(records.values, dtype=torch.float64) - self.shift) / self.scale

    def unscaled(self, values: Tensor) -> np.ndarray:
        """Back to the unit of the records."""
        return (values * self.scale + self.shift).numpy()


def starting_values(records: Records) -> dict[str, Tensor]:
    """Weights and variances to begin with."""
    decisions = records.tokens.shape[1]
    return {
        "mean": torch.zeros(1, dtype=torch.float64),
        "variances": torch.tensor([0.5, 0.3, 0.3, 0.15, 0.15, 0.1], dtype=torch.float64).log(),
        "noise_slope": torch.zeros(1, dtype=torch.float64),
        "decisions": torch.full((decisions,), 0.3, dtype=torch.float64).log(),
        "groups": torch.full((len(_GROUPS),), 0.3, dtype=torch.float64).log(),
    }


def _group_of_columns() -> Tensor:
    """Index of the group of each column of a vector, values and flags; (2 D,)."""
    groups = [_GROUPS.index(entry.group) for entry in DESCRIPTORS]
    return torch.tensor(groups * 2)


def alike_tasks(free: Free, one: Tensor, other: Tensor) -> Tensor:
    """Likeness of data sets, 1 for the same descriptors: (T, 2 D), (T', 2 D) -> (T, T')."""
    group = _group_of_columns()
    weight = free["groups"].exp()[group] / torch.bincount(group)[group] * 2
    # The square written out, so that no array of (T, T', 2 D) is made.
    squares = [(vectors.square() @ weight) for vectors in (one, other)]
    apart = squares[0][:, None] + squares[1] - 2 * (one * weight) @ other.T
    return torch.exp(-0.5 * apart)


def alike_tokens(free: Free, one: Tensor, other: Tensor) -> Tensor:
    """Likeness of architectures, 1 for the same tokens: (n, L), (n', L) -> (n, n')."""
    weights = free["decisions"].exp()
    apart = torch.zeros((len(one), len(other)), dtype=torch.float64)
    for index in range(one.shape[1]):
        differs = (one[:, index, None] != other[None, :, index]).double()
        apart = apart + weights[index] * differs
    return torch.exp(-apart)


def noise_of(free: Free, vectors: Tensor) -> Tensor:
    """Variance of the noise of a training on each data set: (T, 2 D) -> (T,)."""
    peaks = next(i for i, entry in enumerate(DESCRIPTORS) if entry.name == "n_peaks")
    return (free["variances"][-1] + free["noise_slope"] * vectors[:, peaks]).exp()


def covariance_of(free: Free, data: Standardised) -> Tensor:
    """Covariance of the values of the records; (n, n)."""
    task, task_own, shared, descriptors, own, _ = free["variances"].exp()
    alike = alike_tasks(free, data.vectors, data.vectors)[data.task][:, data.task]
    tokens = alike_tokens(free, data.networks, data.networks)[data.network][:, data.network]
    is_same = (data.task[:, None] == data.task[None]).double()
    noise = torch.diag(noise_of(free, data.vectors)[data.task])
    across = task * alike + tokens * (shared + descriptors * alike)
    return across + is_same * (task_own + own * tokens) + noise


def factor_of(covariance: Tensor) -> Tensor:
    """Cholesky's factor of a covariance."""
    size = len(covariance)
    jitter = JITTER * covariance.diagonal().mean().detach() * torch.eye(size, dtype=torch.float64)
    return torch.linalg.cholesky(covariance + jitter)


def negative_log_posterior(free: Free, data: Standardised) -> Tensor:
    """Negative log marginal likelihood, with a weak prior on all logarithms that keeps them in reach."""
    factor = factor_of(covariance_of(free, data))
    centred = (data.values - free["mean"])[:, None]
    fit = 0.5 * (centred * torch.cholesky_solve(centred, factor)).sum()
    start = {"variances": 0.2, "decisions": 0.3, "groups": 0.3}
    prior = sum(
        0.5 * ((free[name] - float(np.log(value))) / 1.5).square().sum()
        for name, value in start.items()
    )
    return fit + factor.diagonal().log().sum() + prior
