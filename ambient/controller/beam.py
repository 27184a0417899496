"""The most probable architectures of a policy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ambient.controller.begun import Begun
from ambient.controller.policy import Policy, along

__all__ = ["Beams", "beam", "most_probable"]

ROUNDING = 1e-4  # by which two passes may differ in one log-probability, with room to spare


@torch.no_grad()
def beam(policy: Policy, descriptors: Tensor, width: int) -> list[tuple[Tensor, Tensor]]:
    """Find the most probable architectures for each of several data sets.

    Exact where `width` is at least the number of architectures; else a beam search, whose log-probabilities are exact
    but which may miss an architecture that begins improbably.

    Parameters
    ----------
    policy : Policy
    descriptors : Tensor, float32, shape (batch, 2 * D)
        Standardised values, then missing flags.
    width : int
        How many beginnings of each data set are kept at each decision.

    Returns
    -------
    list of (tokens, log_probability), one for each data set
        Most probable first: int64, shape (at most width, decisions); float32, shape (at most width,).
    """
    found = _Rows.first(policy, descriptors)
    for _ in policy.choice_counts:
        found, _ = _grow(policy, found, width)
    return _by_data_set([found], len(descriptors))


@torch.no_grad()
def most_probable(policy: Policy, descriptors: Tensor, count: int, width: int) -> Beams:
    """Find the `count` most probable architectures for each of several data sets, in two passes.

    A narrow beam finds as many that are good, and remembers the beginnings that it gives up. Those that are as probable
    as the worst that it found may lead to better ones: a wide beam goes on from them, and from no others. So a decided
    policy is read about as fast as it is sampled from.

    Parameters
    ----------
    policy : Policy
    descriptors : Tensor, float32, shape (batch, 2 * D)
        Standardised values, then missing flags.
    count : int
    width : int
        Of the wide beam, as for `beam`; exact where it holds all beginnings that are as probable as the worst.

    Returns
    -------
    Beams
        Of each data set fewer than `count` only where the space has fewer, and maybe more.
    """
    narrow = _Rows.first(policy, descriptors)
    given_up = []
    for _ in policy.choice_counts:
        narrow, left = _grow(policy, narrow, count)
        given_up.append(left)
    # The worst of each data set, and a little less.
    floor = torch.full((len(descriptors),), math.inf)
    floor.scatter_reduce_(0, narrow.owners, narrow.totals, "amin")
    floor -= ROUNDING
    wide: _Rows | None = None
    for left in given_up:
        if wide is not None:
            wide, _ = _grow(policy, wide, max(count, width), floor)
        again = left.taken(policy, left.scores >= floor[left.owners, None])
        wide = _Rows.joined([part for part in (wide, again) if part is not None])
    found = [narrow, *([] if wide is None else [wide])]
    return Beams(_by_data_set(found, len(descriptors)), policy, narrow, tuple(given_up))


@dataclass(frozen=True)
class Beams:
    """The most probable architectures for each of several data sets, and how they were found.

    Parameters
    ----------
    best : list of (tokens, log_probability), one for each data set
        As `beam` gives them.
    """

    best: list[tuple[Tensor, Tensor]]
    _policy: Policy
    _narrow: _Rows
    _given_up: tuple[_Left, ...]  # at each decision

    @torch.no_grad()
    def log_probability(self, tokens: Sequence[int]) -> Tensor:
        """Give the log-probability of any one architecture for each data set, float32, (batch,).

        It is read from where the narrow beam gave it up.
        """
        wanted = torch.tensor(tokens)
        found = torch.zeros(len(self.best))
        kept = (self._narrow.begun.tokens == wanted).all(dim=1)
        found[self._narrow.owners[kept]] = self._narrow.totals[kept]
        for index, left in enumerate(self._given_up):
            is_way = (left.begun.tokens == wanted[:index]).all(dim=1)
            is_token = torch.arange(left.scores.shape[1]) == wanted[index] + 1
            rows = left.taken(self._policy, is_way[:, None] & is_token & (left.scores > -math.inf))
            if rows is not None:
                rest = wanted.expand(len(rows.owners), -1)
                read = self._policy.read_on(rows.begun, rest)
                found[rows.owners] = rows.totals + along(read, rest[:, index + 1 :])[0]
        return found


@dataclass
class _Rows:
    """Beginnings of one length, those of a data set side by side."""

    begun: Begun
    owners: Tensor  # int64, (rows,): the data set of each, ascending
    totals: Tensor  # float32, (rows,): log-probability

    @classmethod
    def first(cls, policy: Policy, descriptors: Tensor) -> _Rows:
        count = len(descriptors)
        return cls(policy.begin(descriptors), torch.arange(count), torch.zeros(count))

    @classmethod
    def joined(cls, parts: Sequence[_Rows]) -> _Rows | None:
        """Put the rows of several together; None where there are none."""
        parts = [part for part in parts if len(part.owners)]
        if len(parts) < 2:
            return parts[0] if parts else None
        owners = torch.cat([part.owners for part in parts])
        order = torch.argsort(owners, stable=True)
        totals = torch.cat([part.totals for part in parts])[order]
        begun = Begun.joined([part.begun for part in parts]).chosen(order)
        return cls(begun, owners[order], totals)


@dataclass
class _Left:
    """Beginnings after a step, and what was given up of what could be taken after them."""

    begun: Begun  # before a token was taken
    owners: Tensor
    scores: Tensor  # (rows, 1 + choices): log-probability with each token, -1 first; -inf for what was kept

    def taken(self, policy: Policy, again: Tensor) -> _Rows | None:
        """Take up some tokens again, bool, (rows, 1 + choices); None where there are none."""
        rows, columns = again.nonzero(as_tuple=True)
        if not len(rows):
            return None
        begun = self.begun.chosen(rows)
        policy.take(begun, columns - 1)
        return _Rows(begun, self.owners[rows], self.scores[rows, columns])


def _grow(
    policy: Policy, rows: _Rows, width: int, floor: Tensor | None = None
) -> tuple[_Rows, _Left]:
    """Write the next decision; keep the `width` most probable beginnings of each data set that are above its floor."""
    begun = rows.begun
    log_probabilities, active = policy.step(begun)
    # Column 0 stands for "not active" (probability 1), the others for the choices.
    grown = torch.nn.functional.pad(log_probabilities, (1, 0), value=-math.inf)
    if active is not None:
        grown = torch.where(active[:, None], grown, _only_first(grown.shape[1]))
    scores = rows.totals[:, None] + grown
    parents, columns = _best_of_each(rows.owners, scores, width, floor)
    totals = scores[parents, columns]
    scores[parents, columns] = -math.inf
    left = _Left(begun, rows.owners, scores)
    begun = begun.chosen(parents)
    policy.take(begun, columns - 1)
    return _Rows(begun, rows.owners[parents], totals), left


def _only_first(count: int) -> Tensor:
    """Log-probabilities of a decision that is not active, column 0 first; (count,)."""
    return torch.tensor([0.0] + [-math.inf] * (count - 1))


def _best_of_each(
    owners: Tensor, scores: Tensor, width: int, floor: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Give rows and columns of the `width` highest scores of each owner (owners ascending) above its floor."""
    if width == 1 and floor is None:  # each owner has one row
        return torch.arange(len(owners)), scores.argmax(dim=1)
    least = -math.inf if floor is None else floor[owners, None]
    rows, columns = ((scores >= least) & (scores > -math.inf)).nonzero(as_tuple=True)
    counts = torch.bincount(owners[rows])
    if len(rows) and int(counts.max()) > width:
        first = counts.cumsum(0) - counts
        grid = scores.new_full((len(counts), int(counts.max())), -math.inf)
        grid[owners[rows], torch.arange(len(rows)) - first[owners[rows]]] = scores[rows, columns]
        order = torch.argsort(grid, dim=1, descending=True, stable=True)  # the padding comes last
        is_kept = torch.arange(grid.shape[1]) < counts.clamp(max=width)[:, None]
        kept = (first[:, None] + order)[is_kept]
        rows, columns = rows[kept], columns[kept]
    return rows, columns


def _by_data_set(found: Sequence[_Rows], count: int) -> list[tuple[Tensor, Tensor]]:
    """Give the architectures of each data set, the most probable first."""
    owners = torch.cat([rows.owners for rows in found])
    totals = torch.cat([rows.totals for rows in found])
    order = torch.argsort(totals, descending=True, stable=True)
    order = order[torch.argsort(owners[order], stable=True)]
    tokens = torch.cat([rows.begun.tokens for rows in found])[order]
    counts = torch.bincount(owners, minlength=count).tolist()
    return list(zip(tokens.split(counts), totals[order].split(counts), strict=True))
