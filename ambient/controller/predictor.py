"""A predictor of a child's AUROC from descriptors and architecture: a Gaussian process over records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ambient.controller.belief import Belief
from ambient.controller.kernel import (
    VARIANCES,
    Standardised,
    alike_tasks,
    alike_tokens,
    negative_log_posterior,
    noise_of,
    starting_values,
)
from ambient.controller.posterior import Posterior, different
from ambient.controller.recorded import Records

__all__ = ["Prediction", "Predictor"]

_NO_LEVEL = torch.tensor(0.0)
_PARAMETERS = ("mean", "variances", "noise_slope", "decisions", "groups")


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
        data = Standardised(part)
        free = {name: value.requires_grad_() for name, value in starting_values(part).items()}
        optimiser = torch.optim.Adam(free.values(), lr=rate)
        history = []
        for _ in range(steps):
            optimiser.zero_grad()
            loss = negative_log_posterior(free, data)
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
    def _posterior(self) -> Posterior:
        """What the records say, which takes a while to solve."""
        return Posterior(self.records, self.parameters)

    def predict(self, vectors: np.ndarray, tokens: np.ndarray) -> Prediction:
        """Predict what architectures reach on data sets that are none of the recorded ones.

        Parameters
        ----------
        vectors : array, float, shape (m, 2 D)
            Standardised descriptors, of each pair's data set.
        tokens : array, int, shape (m, decisions)
        """
        known = self._posterior
        data, variances = known.data, known.variances
        networks, which = different(tokens)
        alike = alike_tokens(known.free, networks, data.networks)
        tasks = known.likeness(vectors)
        explained = torch.empty(len(which), dtype=torch.float64)
        is_frequent = torch.bincount(which) > len(data.vectors)
        rest = ~is_frequent[which]
        explained[rest] = known.explained(tasks[rest], alike[which[rest]], variances["task"])
        for index in is_frequent.nonzero()[:, 0].tolist():
            rows = which == index
            share = torch.nn.functional.pad(tasks[rows], (0, 1), value=1.0)
            product = known.product(tuple(networks[index].tolist()))
            explained[rows] = ((share @ product) * share).sum(1)
        mean = known.mean(tasks, which, alike, variances["task"]) + known.free["mean"]
        prior = torch.stack([variances[name] for name in VARIANCES if name != "noise"]).sum()
        asked = torch.tensor(vectors, dtype=torch.float64)
        left = prior + noise_of(known.free, asked) - explained
        deviation = left.clamp_min(1e-12).sqrt() * data.scale
        return Prediction(data.unscaled(mean), deviation.numpy())

    def belief(self, vector: np.ndarray, tokens: np.ndarray) -> Belief:
        """Say what architectures are worth on a data set that is none of the recorded ones, all together.

        Parameters
        ----------
        vector : array, float, shape (2 D,)
            Standardised descriptors.
        tokens : array, int, shape (m, decisions)

        Returns
        -------
        Belief
            It takes in what is measured on the data set as records of one more task.
        """
        known = self._posterior
        data, variances = known.data, known.variances
        asked = torch.tensor(vector[None], dtype=torch.float64)
        networks = torch.as_tensor(tokens)
        alike = alike_tokens(known.free, networks, data.networks)
        tasks = known.likeness(vector[None])
        every = torch.arange(len(tokens))
        mean = known.mean(tasks.expand(len(tokens), -1), every, alike, variances["task"])
        likeness = tasks[0, data.task]
        between = (
            alike[:, data.network] * known.worth_across(likeness) + variances["task"] * likeness
        )
        half = torch.linalg.solve_triangular(known.factor, between.T, upper=False)
        own = known.worth_across(torch.tensor(1.0)) + variances["architecture_own"]
        prior = own * alike_tokens(known.free, networks, networks)
        prior = prior + variances["task"] + variances["task_own"]
        return Belief(
            data.unscaled(mean + known.free["mean"]),
            ((prior - half.T @ half) * data.scale**2).numpy(),
            float(noise_of(known.free, asked)) * data.scale**2,
        )

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
        known = self._posterior
        scale = known.data.scale
        which, alike, apart = known.pairs(tokens, others)
        tasks = known.likeness(vectors)
        mean = known.mean(tasks, which, alike, _NO_LEVEL)
        left = known.worth(apart) - known.explained(tasks, alike[which], _NO_LEVEL)
        return Prediction((mean * scale).numpy(), (left.clamp_min(0.0).sqrt() * scale).numpy())

    def promises(
        self, vectors: np.ndarray, tokens: np.ndarray, others: np.ndarray, deviations: float
    ) -> np.ndarray:
        """Say where an architecture is expected to be better than another by so many deviations of the difference.

        What `difference` gives is compared; its deviation, for which the records have to be solved, only where it could
        be small enough: it would be as small as can be if every architecture's worth were known on every recorded task.

        Parameters
        ----------
        vectors, tokens, others : arrays
            As for `difference`.
        deviations : float

        Returns
        -------
        array, bool, shape (m,)
        """
        known = self._posterior
        which, alike, apart = known.pairs(tokens, others)
        tasks = known.likeness(vectors)
        mean = known.mean(tasks, which, alike, _NO_LEVEL)
        least = (known.worth(apart) * (1 - known.known_across(tasks))).clamp_min(0.0).sqrt()
        found = (mean > deviations * least).numpy()
        (rows,) = found.nonzero()
        if len(rows):
            exact = self.difference(vectors[rows], tokens[rows], others[rows])
            found[rows] = exact.mean > deviations * exact.deviation
        return found

    def left_out(self) -> Prediction:
        """Predict each record from those of the other tasks alone.

        With P the inverse covariance of all records and B the rows of a task, the values of B have, given the others,
        the covariance P[B, B]^-1 and the mean y[B] - P[B, B]^-1 (P (y - mean))[B].

        Source
        ------
        Rasmussen and Williams 2006, equations 5.10 to 5.12, for blocks.
        """
        known = self._posterior
        data, weights = known.data, known.weights
        mean, deviation = torch.empty((2, len(data.values)), dtype=torch.float64)
        for task in range(len(data.vectors)):
            rows = (data.task == task).nonzero()[:, 0]
            covariance = torch.linalg.inv(known.inverse[rows][:, rows])
            mean[rows] = data.values[rows] - covariance @ weights[rows]
            deviation[rows] = covariance.diagonal().sqrt()
        return Prediction(data.unscaled(mean), (deviation * data.scale).numpy())

    def mean_function(self, vectors: np.ndarray, own: Sequence[int | None] = ()) -> Any:
        """Give a fast function (task index, tokens) -> mean, for many calls with the same data sets.

        Parameters
        ----------
        vectors : array, float, shape (T', 2 D)
        own : sequence of int or None, length T'
            For each data set the recorded task that it is: of this task's records nothing is used for it, so that the
            mean says what the others tell of a data set with such descriptors. None, or nothing given: all are used.
        """
        known = self._posterior
        data, weights, variances, free = known.data, known.weights, known.variances, known.free
        alike = known.likeness(vectors)[:, data.task]
        by_set = weights.expand(len(vectors), -1).clone()
        for index, task in enumerate(own):
            if task is not None:
                by_set[index] = known.without(task)
        level = (variances["task"] * alike * by_set).sum(1) + free["mean"]
        by_row = (variances["architecture"] + variances["descriptors"] * alike) * by_set
        by_network = by_row.new_zeros(len(by_row), len(data.networks))
        by_network.index_add_(1, data.network, by_row)

        def mean(task: np.ndarray, tokens: np.ndarray) -> np.ndarray:
            with torch.no_grad():
                alike = alike_tokens(free, torch.as_tensor(tokens), data.networks)
                return data.unscaled(level[task] + (alike * by_network[task]).sum(1))

        return mean

    def recorded_function(self, task: str) -> Callable[[np.ndarray], np.ndarray]:
        """Give a function tokens -> mean for a recorded task, what is its own included: what stands for a training.

        Parameters
        ----------
        task : str
            One of the records.

        Returns
        -------
        callable
            Array, int, shape (m, decisions) -> array, float, shape (m,): what is expected without noise.
        """
        known = self._posterior
        data, weights, variances, free = known.data, known.weights, known.variances, known.free
        index = self.records.tasks.index(task)
        alike = alike_tasks(free, data.vectors[[index]], data.vectors)[0][data.task]
        is_own = (data.task == index).double()
        level = (variances["task"] * alike + variances["task_own"] * is_own) @ weights
        by_row = variances["architecture"] + variances["descriptors"] * alike
        by_row = (by_row + variances["architecture_own"] * is_own) * weights
        by_network = by_row.new_zeros(len(data.networks)).index_add_(0, data.network, by_row)

        def mean(tokens: np.ndarray) -> np.ndarray:
            alike = alike_tokens(free, torch.as_tensor(tokens), data.networks)
            return data.unscaled(level + alike @ by_network + free["mean"])

        return mean

    @property
    def noise_deviation(self) -> float:
        """Deviation of one training's result where a data set has as many peaks as those of the records on average."""
        return float(self._posterior.variances["noise"].sqrt()) * self._posterior.data.scale
