"""The most probable architectures of a policy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ambient.controller.policy import Begun, Policy

__all__ = ["beam", "most_probable"]

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
def most_probable(
    policy: Policy, descriptors: Tensor, count: int, width: int
) -> list[tuple[Tensor, Tensor]]:
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
    list of (tokens, log_probability), one for each data set
        As `beam` gives them; fewer than `count` only where the space has fewer, and maybe more.
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
        wide = _Rows.joined(
            [part for part in (wide, left.taken(policy, floor)) if part is not None]
        )
    return _by_data_set([narrow, *([] if wide is None else [wide])], len(descriptors))


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
    """Beginnings that were given up: what would have been taken after which rows."""

    begun: Begun  # after its step, before a token was taken
    rows: Tensor
    tokens: Tensor
    owners: Tensor
    totals: Tensor

    def taken(self, policy: Policy, floor: Tensor) -> _Rows | None:
        """Take up again what is as probable as its data set's floor; None where nothing is."""
        again = self.totals >= floor[self.owners]
        if not again.any():
            return None
        begun = self.begun.chosen(self.rows[again])
        policy.take(begun, self.tokens[again])
        return _Rows(begun, self.owners[again], self.totals[again])


def _grow(
    policy: Policy, rows: _Rows, width: int, floor: Tensor | None = None
) -> tuple[_Rows, _Left]:
    """Write the next decision; keep the `width` most probable beginnings of each data set that are above its floor."""
    begun = rows.begun
    log_probabilities, active = policy.step(begun)
    # Column 0 stands for "not active" (probability 1), the others for the choices.
    grown = torch.nn.functional.pad(log_probabilities, (1, 0), value=-math.inf)
    grown = torch.where(active[:, None], grown, _only_first(grown.shape[1]))
    scores = rows.totals[:, None] + grown
    least = -math.inf if floor is None else floor[rows.owners, None]
    parents, columns = ((scores >= least) & (scores > -math.inf)).nonzero(as_tuple=True)
    owners, totals = rows.owners[parents], scores[parents, columns]
    kept, cut = _best_of_each(owners, totals, width)
    tokens = columns - 1
    left = _Left(begun, parents[cut], tokens[cut], owners[cut], totals[cut])
    begun = begun.chosen(parents[kept])
    policy.take(begun, tokens[kept])
    return _Rows(begun, owners[kept], totals[kept]), left


def _only_first(count: int) -> Tensor:
    """Log-probabilities of a decision that is not active, column 0 first; (count,)."""
    return torch.tensor([0.0] + [-math.inf] * (count - 1))


def _best_of_each(owners: Tensor, scores: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Give the indices of the `width` highest scores of each owner (owners ascending), and of the others."""
    if not len(owners):
        return owners, owners
    counts = torch.bincount(owners)
    first = counts.cumsum(0) - counts
    grid = scores.new_full((len(counts), int(counts.max())), -math.inf)
    grid[owners, torch.arange(len(owners)) - first[owners]] = scores
    order = torch.argsort(grid, dim=1, descending=True, stable=True)  # the padding comes last
    rank = torch.arange(grid.shape[1])
    indices = first[:, None] + order
    is_kept = rank < counts.clamp(max=width)[:, None]
    is_cut = (rank < counts[:, None]) & ~is_kept
    return indices[is_kept], indices[is_cut]


def _by_data_set(found: Sequence[_Rows], count: int) -> list[tuple[Tensor, Tensor]]:
    """Give the architectures of each data set, the most probable first."""
    owners = torch.cat([rows.owners for rows in found])
    totals = torch.cat([rows.totals for rows in found])
    order = torch.argsort(totals, descending=True, stable=True)
    order = order[torch.argsort(owners[order], stable=True)]
    tokens = torch.cat([rows.begun.tokens for rows in found])[order]
    counts = torch.bincount(owners, minlength=count).tolist()
    return list(zip(tokens.split(counts), totals[order].split(counts), strict=True))
