"""What records say of pairs that were not recorded: the posterior of the predictor's Gaussian process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache

import numpy as np
import torch
from torch import Tensor

from ambient.controller.kernel import (
    JITTER,
    VARIANCES,
    Standardised,
    alike_tasks,
    alike_tokens,
    covariance_of,
    factor_of,
)
from ambient.controller.recorded import Records

__all__ = ["Posterior", "different"]

_REMEMBERED = 64  # architectures


class Posterior:
    """The records solved for the learned weights and variances.

    Parameters
    ----------
    records : Records
    parameters : mapping of str to numbers
        As `Predictor` keeps them.

    Attributes
    ----------
    free : mapping of str to Tensor
        The parameters.
    variances : mapping of str to Tensor, float64, shape ()
        By the names of `VARIANCES`.
    data : Standardised
    factor : Tensor, float64, shape (n, n)
        Cholesky's factor of the covariance of the records.
    weights : Tensor, float64, shape (n,)
        Of the posterior mean.
    """

    def __init__(self, records: Records, parameters: Mapping[str, tuple[float, ...]]) -> None:
        self.free = {
            name: torch.tensor(values, dtype=torch.float64) for name, values in parameters.items()
        }
        self.variances = dict(zip(VARIANCES, self.free["variances"].exp(), strict=True))
        self.data = Standardised(records)
        with torch.no_grad():
            self.factor = factor_of(covariance_of(self.free, self.data))
            centred = (self.data.values - self.free["mean"])[:, None]
            self.weights = torch.cholesky_solve(centred, self.factor)[:, 0]

    def likeness(self, vectors: np.ndarray) -> Tensor:
        """How alike data sets are to each recorded task; (m, 2 D) -> float64, (m, T)."""
        asked = torch.tensor(vectors, dtype=torch.float64)
        return alike_tasks(self.free, asked, self.data.vectors)

    def worth_across(self, likeness: Tensor) -> Tensor:
        """Covariance of an architecture's worth on two data sets, as far as descriptors tell, from their likeness."""
        return self.variances["architecture"] + self.variances["descriptors"] * likeness

    def worth(self, apart: Tensor) -> Tensor:
        """Variance of how much more one architecture is worth than another on a data set, before any record."""
        return 2 * self.worth_across(torch.tensor(1.0)) * apart

    def pairs(self, tokens: np.ndarray, others: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Compare architectures with others.

        Returns
        -------
        which : Tensor, int64, shape (m,)
            The row of `alike` of each pair.
        alike : Tensor, float64, shape (a, networks)
            How much more alike one is to each recorded network than the other.
        apart : Tensor, float64, shape (m,)
            1 less the likeness of the two.
        """
        pairs, which = different(np.hstack([tokens, others]))
        one, other = pairs.tensor_split(2, dim=1)
        alike = [alike_tokens(self.free, of, self.data.networks) for of in (one, other)]
        apart = (one != other).double() @ self.free["decisions"].exp()
        return which, alike[0] - alike[1], (1 - torch.exp(-apart))[which]

    def mean(self, tasks: Tensor, which: Tensor, alike: Tensor, level: Tensor) -> Tensor:
        """Read the posterior mean of values, but for the mean of all.

        Parameters
        ----------
        tasks : Tensor, float64, shape (m, T)
            How alike each value's data set is to each recorded task.
        which : Tensor, int64, shape (m,)
            The row of `alike` of each value.
        alike : Tensor, float64, shape (a, networks)
            How alike what is asked about is to each recorded network.
        level : Tensor, float64, shape ()
            Variance of what is the same for all architectures on a data set.
        """
        variances = self.variances
        by_task = self._by_task @ alike.T  # (T, a)
        always = variances["architecture"] * by_task.sum(0)
        changing = level * self._by_task.sum(1)[:, None] + variances["descriptors"] * by_task
        return (tasks @ changing + always).gather(1, which[:, None])[:, 0]

    def explained(self, tasks: Tensor, alike: Tensor, level: Tensor) -> Tensor:
        """Say how much of the variance of each value the records explain; alike is (m, networks), the rest as above."""
        data, variances = self.data, self.variances
        alike = alike.float()[:, data.network]
        changing = level + variances["descriptors"] * alike
        between = changing * tasks.float()[:, data.task] + variances["architecture"] * alike
        return self._half_solved(between).square().sum(0).double()

    @cached_property
    def product(self) -> Callable[[tuple[int, ...]], Tensor]:
        """Solve the records for one architecture on any data set.

        Its covariance with the records is linear in the likeness of its data set to the recorded tasks, so that what
        they explain is a quadratic form in these and in 1 for what is the same on all: float64, (T + 1, T + 1). What is
        asked about for many data sets is asked about again, so it is remembered.
        """
        return lru_cache(maxsize=_REMEMBERED)(self._product)

    def _product(self, tokens: tuple[int, ...]) -> Tensor:
        data, variances = self.data, self.variances
        (alike,) = alike_tokens(self.free, torch.tensor([tokens]), data.networks).float()
        alike = alike[data.network]
        changing = variances["task"] + variances["descriptors"] * alike
        columns = torch.nn.functional.one_hot(data.task, len(data.vectors)) * changing[:, None]
        columns = torch.cat([columns, variances["architecture"] * alike[:, None]], dim=1)
        solved = self._half_solved(columns.T.float())
        return (solved.T @ solved).double()

    def _half_solved(self, covariances: Tensor) -> Tensor:
        """Solve Cholesky's factor for covariances with the records, float32, (m, n); (n, m)."""
        return torch.linalg.solve_triangular(self._short_factor, covariances.T, upper=False)

    def known_across(self, tasks: Tensor) -> Tensor:
        """Share of an architecture's worth on a data set that is known if it is known on every recorded task; (m,).

        tasks is as for `mean`.
        """
        between = self.worth_across(alike_tasks(self.free, self.data.vectors, self.data.vectors))
        between = between + JITTER * torch.eye(len(between), dtype=torch.float64)
        across = self.worth_across(tasks)
        known = (across * torch.linalg.solve(between, across.T).T).sum(1)
        return known / self.worth_across(torch.tensor(1.0))

    def without(self, task: int) -> Tensor:
        """Give the weights of the posterior mean of all records but one task's, which get 0; (n,).

        With P the inverse covariance and B the task's rows, the inverse of what is left is P less
        P[:, B] P[B, B]^-1 P[B, :] (the inverse of a partitioned matrix).
        """
        (rows,) = (self.data.task == task).nonzero(as_tuple=True)
        if not len(rows):
            return self.weights
        inverse = self.inverse[:, rows]
        found = self.weights - inverse @ torch.linalg.solve(inverse[rows], self.weights[rows])
        found[rows] = 0.0
        return found

    @cached_property
    def inverse(self) -> Tensor:
        """The inverse of the covariance of the records; (n, n)."""
        with torch.no_grad():
            return torch.cholesky_inverse(self.factor)

    @cached_property
    def _by_task(self) -> Tensor:
        """The weights of the posterior mean, summed over the records of one network on one task; (T, networks)."""
        data = self.data
        found = torch.zeros((len(data.vectors), len(data.networks)), dtype=torch.float64)
        return found.index_put_((data.task, data.network), self.weights, accumulate=True)

    @cached_property
    def _short_factor(self) -> Tensor:
        """Cholesky's factor in float32: a deviation needs no more digits, and takes half the time."""
        return self.factor.float()


def different(tokens: np.ndarray) -> tuple[Tensor, Tensor]:
    """Give the different rows in the order in which they come, and which of them each row is."""
    tokens = np.ascontiguousarray(tokens, dtype=np.int64)
    numbers: dict[bytes, int] = {}
    which = [numbers.setdefault(row.tobytes(), len(numbers)) for row in tokens]
    rows = np.frombuffer(b"".join(numbers), dtype=np.int64).reshape(-1, tokens.shape[1])
    return torch.tensor(rows), torch.tensor(which)
