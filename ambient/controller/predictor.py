"""A predictor of a child's AUROC from descriptors and architecture: a Gaussian process over records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ambient.errors import RunError
from descriptors.schema import DESCRIPTORS

__all__ = ["Prediction", "Predictor", "Records"]

_LEAST_ROWS = 20
_JITTER = 1e-6  # share of the variance that keeps Cholesky's factor real
_GROUPS = tuple(dict.fromkeys(entry.group for entry in DESCRIPTORS))
_PARAMETERS = ("mean", "variances", "noise_slope", "decisions", "groups")
_VARIANCES = ("task", "task_own", "architecture", "descriptors", "architecture_own", "noise")


@dataclass(frozen=True)
class Records:
    """Evaluations to learn from.

    Parameters
    ----------
    tasks : tuple of str, length T
    vectors : array, float32, shape (T, 2 D)
        Their standardised descriptors and missing flags, as `Scaler.transform` gives them.
    task : array, int, shape (n,)
        Index of each evaluation's task.
    tokens : array, int, shape (n, decisions)
        Of its architecture; -1 where a decision does not apply.
    values : array, float, shape (n,)
        What it reached, for instance its validation AUROC.
    """

    tasks: tuple[str, ...]
    vectors: np.ndarray
    task: np.ndarray
    tokens: np.ndarray
    values: np.ndarray

    def __post_init__(self) -> None:
        if len(self.values) < _LEAST_ROWS or len(self.tasks) < 2:
            raise RunError(
                f"predictor: found {len(self.values)} evaluations of {len(self.tasks)} tasks, at least "
                f"{_LEAST_ROWS} of 2 are needed; record more"
            )
        if not np.isfinite(self.values).all():
            raise RunError("predictor: found a value that is not finite; leave failed children out")

    def of_tasks(self, names: Sequence[str]) -> Records:
        """Keep the evaluations of some tasks."""
        kept = [index for index, name in enumerate(self.tasks) if name in set(names)]
        rows = np.isin(self.task, kept)
        renumbered = np.full(len(self.tasks), -1)
        renumbered[kept] = np.arange(len(kept))
        return Records(
            tuple(self.tasks[index] for index in kept),
            self.vectors[kept],
            renumbered[self.task[rows]],
            self.tokens[rows],
            self.values[rows],
        )


@dataclass(frozen=True)
class Prediction:
    """What a training would reach, for each pair of data set and architecture.

    Parameters
    ----------
    mean : array, float, shape (m,)
    deviation : array, float, shape (m,)
        Of one training's result: the noise of training included.
    """

    mean: np.ndarray
    deviation: np.ndarray


@dataclass(frozen=True, eq=False)
class Predictor:
    """A Gaussian process over pairs of data set and architecture.

    The value of architecture a on data set t is the sum of

    - what the descriptors of t say of its difficulty, and what is t's own;
    - what a is worth everywhere;
    - what a is worth on data sets with descriptors like those of t: what a proposal can gain;
    - what a is worth on t alone, which no descriptor tells; and noise, which is larger where a task
      has fewer peaks.

    Two architectures are alike by the decisions in which they agree, each with a weight of its own; two
    data sets by their descriptors, each group of these with a weight of its own. The weights and the
    variances are those of the largest marginal likelihood.

    Source
    ------
    Krause and Ong 2011, Contextual Gaussian Process Bandit Optimization, section 4 (sums and products of
    kernels over contexts and actions); Rasmussen and Williams 2006, equations 2.23 to 2.30.
    """

    records: Records
    parameters: Mapping[str, tuple[float, ...]]  # logarithms, but for the mean and the slope
    history: tuple[float, ...] = field(default=(), compare=False)  # negative log likelihood a row

    @classmethod
    def fit(
        cls, records: Records, steps: int = 120, rows: int = 900, rate: float = 0.08, seed: int = 0
    ) -> Predictor:
        """Learn weights and variances.

        Parameters
        ----------
        records : Records
        steps : int
            Of Adam on the marginal likelihood.
        rows : int
            At most so many evaluations are used for that, drawn at random; all are used to predict.
        rate : float
            Of Adam.
        seed : int
            Of the draw.
        """
        rng = np.random.default_rng(seed)
        count = len(records.values)
        chosen = np.sort(rng.permutation(count)[:rows])
        part = Records(
            records.tasks,
            records.vectors,
            records.task[chosen],
            records.tokens[chosen],
            records.values[chosen],
        )
        data = _Data(part)
        free = {name: value.requires_grad_() for name, value in _start(part).items()}
        optimiser = torch.optim.Adam(free.values(), lr=rate)
        history = []
        for _ in range(steps):
            optimiser.zero_grad()
            loss = _negative_log_posterior(free, data)
            loss.backward()
            optimiser.step()
            history.append(loss.item() / len(part.values))
        found = {name: tuple(value.detach().tolist()) for name, value in free.items()}
        return cls(records, found, tuple(history))

    def to_tensors(self) -> dict[str, Tensor]:
        """Give all but the names of the tasks, to be written as safetensors."""
        records = self.records
        return {
            "vectors": torch.tensor(records.vectors, dtype=torch.float32),
            "task": torch.as_tensor(records.task, dtype=torch.int32),
            "tokens": torch.as_tensor(records.tokens, dtype=torch.int16),
            "values": torch.tensor(records.values, dtype=torch.float64),
            **{
                f"parameter.{name}": torch.tensor(values, dtype=torch.float64)
                for name, values in self.parameters.items()
            },
        }

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor], tasks: Sequence[str]) -> Predictor:
        """Take back what `to_tensors` gave; a missing tensor is a KeyError."""
        arrays = {name: tensors[name].numpy() for name in ("vectors", "task", "tokens", "values")}
        found = {name: tuple(tensors[f"parameter.{name}"].tolist()) for name in _PARAMETERS}
        return cls(Records(tuple(tasks), **arrays), found)

    @cached_property
    def _free(self) -> dict[str, Tensor]:
        return {
            name: torch.tensor(values, dtype=torch.float64)
            for name, values in self.parameters.items()
        }

    @cached_property
    def _solved(self) -> tuple[_Data, Tensor, Tensor]:
        """The data, Cholesky's factor of its covariance, and the weights of the posterior mean."""
        data = _Data(self.records)
        with torch.no_grad():
            factor = _factor(_covariance(self._free, data, data, same=True))
            centred = (data.values - self._free["mean"])[:, None]
            return data, factor, torch.cholesky_solve(centred, factor)[:, 0]

    def predict(self, vectors: np.ndarray, tokens: np.ndarray) -> Prediction:
        """Predict what architectures reach on data sets that are none of the recorded ones.

        Parameters
        ----------
        vectors : array, float, shape (m, 2 D)
            Standardised descriptors, of each pair's data set.
        tokens : array, int, shape (m, decisions)
        """
        data, _, weights = self._solved
        asked = _Data.of(vectors, tokens, data)
        with torch.no_grad():
            between = _covariance(self._free, asked, data, same=False)
            mean = between @ weights + self._free["mean"]
            variances = self._free["variances"].exp()
            prior = variances[:-1].sum() + _noise(self._free, asked)
            explained = torch.linalg.solve_triangular(
                self._short_factor, between.T.float(), upper=False
            )
            deviation = (prior - explained.square().sum(0)).clamp_min(1e-12).sqrt()
        return Prediction(data.unscaled(mean).numpy(), (deviation * data.scale).numpy())

    def difference(self, vectors: np.ndarray, tokens: np.ndarray, others: np.ndarray) -> Prediction:
        """Predict how much more architectures are worth than others, on data sets that are none of the recorded ones.

        Parameters
        ----------
        vectors : array, float, shape (m, 2 D)
            Standardised descriptors, of each pair's data set.
        tokens, others : array, int, shape (m, decisions)

        Returns
        -------
        Prediction
            Of the difference, as far as descriptors tell: without noise and without what is the data set's own.
        """
        data, _, weights = self._solved
        one, other = (_Data.of(vectors, of, data) for of in (tokens, others))
        with torch.no_grad():
            between = _covariance(self._free, one, data, same=False)
            between = between - _covariance(self._free, other, data, same=False)
            variances = dict(zip(_VARIANCES, self._free["variances"].exp(), strict=True))
            apart = (one.tokens != other.tokens).double() @ self._free["decisions"].exp()
            worth = variances["architecture"] + variances["descriptors"]
            prior = 2 * worth * (1 - torch.exp(-apart))
            explained = torch.linalg.solve_triangular(
                self._short_factor, between.T.float(), upper=False
            )
            deviation = (prior - explained.square().sum(0)).clamp_min(0.0).sqrt()
        scale = data.scale
        return Prediction((between @ weights * scale).numpy(), (deviation * scale).numpy())

    def mean_function(self, vectors: np.ndarray, own: Sequence[int | None] = ()) -> Any:
        """Give a fast function (task index, tokens) -> mean, for many calls with the same data sets.

        Parameters
        ----------
        vectors : array, float, shape (T', 2 D)
        own : sequence of int or None, length T'
            For each data set the recorded task that it is: of this task's records nothing is used for it, so that the
            mean says what the others tell of a data set with such descriptors. None, or nothing given: all are used.
        """
        data, _, weights = self._solved
        asked = _Data.of(vectors, np.zeros((len(vectors), data.tokens.shape[1]), int), data)
        variances = dict(zip(_VARIANCES, self._free["variances"].exp(), strict=True))
        alike = _alike_tasks(self._free, asked.vectors, data.vectors)[:, data.task]
        by_set = weights.expand(len(vectors), -1).clone()
        for index, task in enumerate(own):
            if task is not None:
                by_set[index] = self._without(task)
        level = (variances["task"] * alike * by_set).sum(1) + self._free["mean"]
        by_row = (variances["architecture"] + variances["descriptors"] * alike) * by_set
        networks, which = torch.unique(data.tokens, dim=0, return_inverse=True)
        by_network = by_row.new_zeros(len(by_row), len(networks)).index_add_(1, which, by_row)

        def mean(task: np.ndarray, tokens: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                alike_tokens = _alike_tokens(self._free, torch.as_tensor(tokens), networks)
                found = level[task] + (alike_tokens * by_network[task]).sum(1)
                return data.unscaled(found).numpy()

        return mean

    @cached_property
    def _short_factor(self) -> Tensor:
        """Cholesky's factor in float32: a deviation needs no more digits, and takes half the time."""
        return self._solved[1].float()

    @cached_property
    def _inverse(self) -> Tensor:
        """The inverse of the covariance of the records; (n, n)."""
        with torch.no_grad():
            return torch.cholesky_inverse(self._solved[1])

    def _without(self, task: int) -> Tensor:
        """Give the weights of the posterior mean of all records but one task's, which get 0; (n,).

        With P the inverse covariance and B the task's rows, the inverse of what is left is P less
        P[:, B] P[B, B]^-1 P[B, :] (the inverse of a partitioned matrix).
        """
        data, _, weights = self._solved
        rows = (data.task == task).nonzero()[:, 0]
        if not len(rows):
            return weights
        inverse = self._inverse[:, rows]
        found = weights - inverse @ torch.linalg.solve(inverse[rows], weights[rows])
        found[rows] = 0.0
        return found

    @property
    def importance(self) -> dict[str, list[float]]:
        """What was learned: variances (in units of the values' variance), weights of decisions and of groups."""
        variances = np.exp(self.parameters["variances"]).tolist()
        return {
            **{name: [value] for name, value in zip(_VARIANCES, variances, strict=True)},
            "decisions": np.exp(self.parameters["decisions"]).tolist(),
            "groups": np.exp(self.parameters["groups"]).tolist(),
        }


class _Data:
    """Records as tensors; values standardised."""

    def __init__(self, records: Records) -> None:
        self.vectors = torch.tensor(records.vectors, dtype=torch.float64)
        self.task = torch.tensor(records.task, dtype=torch.int64)
        self.tokens = torch.tensor(records.tokens, dtype=torch.int64)
        self.shift = float(np.mean(records.values))
        self.scale = float(np.std(records.values)) or 1.0
        self.values = (torch.tensor(records.values, dtype=torch.float64) - self.shift) / self.scale

    @classmethod
    def of(cls, vectors: np.ndarray, tokens: np.ndarray, like: _Data) -> _Data:
        """Pairs of which nothing is recorded: each has a data set of its own."""
        made = cls.__new__(cls)
        made.vectors = torch.tensor(vectors, dtype=torch.float64)
        made.task = torch.arange(len(made.vectors))
        made.tokens = torch.as_tensor(tokens, dtype=torch.int64)
        made.shift, made.scale = like.shift, like.scale
        return made

    def unscaled(self, values: Tensor) -> Tensor:
        """Back to the unit of the records."""
        return values * self.scale + self.shift


def _start(records: Records) -> dict[str, Tensor]:
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


def _alike_tasks(free: Mapping[str, Tensor], one: Tensor, other: Tensor) -> Tensor:
    """Likeness of data sets, 1 for the same descriptors: (T, 2 D), (T', 2 D) -> (T, T')."""
    group = _group_of_columns()
    weight = free["groups"].exp()[group] / torch.bincount(group)[group] * 2
    return torch.exp(-0.5 * ((one[:, None] - other[None]).square() * weight).sum(2))


def _alike_tokens(free: Mapping[str, Tensor], one: Tensor, other: Tensor) -> Tensor:
    """Likeness of architectures, 1 for the same tokens: (n, L), (n', L) -> (n, n')."""
    weights = free["decisions"].exp()
    apart = torch.zeros((len(one), len(other)), dtype=torch.float64)
    for index in range(one.shape[1]):
        differs = (one[:, index, None] != other[None, :, index]).double()
        apart = apart + weights[index] * differs
    return torch.exp(-apart)


def _noise(free: Mapping[str, Tensor], data: _Data) -> Tensor:
    """Variance of the noise of each row; (n,)."""
    peaks = next(i for i, entry in enumerate(DESCRIPTORS) if entry.name == "n_peaks")
    level = free["variances"][-1] + free["noise_slope"] * data.vectors[data.task, peaks]
    return level.exp()


def _covariance(free: Mapping[str, Tensor], one: _Data, other: _Data, same: bool) -> Tensor:
    """Covariance of the values of rows; with noise, and what is a task's own, only where both are the same."""
    task, task_own, shared, descriptors, own, _ = free["variances"].exp()
    alike = _alike_tasks(free, one.vectors, other.vectors)[one.task][:, other.task]
    networks, which = torch.unique(one.tokens, dim=0, return_inverse=True)
    others, which_other = torch.unique(other.tokens, dim=0, return_inverse=True)
    tokens = _alike_tokens(free, networks, others)[which][:, which_other]
    found = task * alike + tokens * (shared + descriptors * alike)
    if same:
        is_same = (one.task[:, None] == other.task[None]).double()
        found = found + is_same * (task_own + own * tokens) + torch.diag(_noise(free, one))
    return found


def _factor(covariance: Tensor) -> Tensor:
    size = len(covariance)
    jitter = _JITTER * covariance.diagonal().mean().detach() * torch.eye(size, dtype=torch.float64)
    return torch.linalg.cholesky(covariance + jitter)


def _negative_log_posterior(free: Mapping[str, Tensor], data: _Data) -> Tensor:
    """Negative log marginal likelihood, with a weak prior on all logarithms that keeps them in reach."""
    factor = _factor(_covariance(free, data, data, same=True))
    centred = (data.values - free["mean"])[:, None]
    fit = 0.5 * (centred * torch.cholesky_solve(centred, factor)).sum()
    start = {"variances": 0.2, "decisions": 0.3, "groups": 0.3}
    prior = sum(
        0.5 * ((free[name] - float(np.log(value))) / 1.5).square().sum()
        for name, value in start.items()
    )
    return fit + factor.diagonal().log().sum() + prior
