"""The most probable architectures of a policy."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ambient.controller.policy import Policy

__all__ = ["beam", "most_probable"]

ROUNDING = 1e-4  # by which two passes may differ in one log-probability, with room to spare


@torch.no_grad()
def beam(
    policy: Policy, descriptors: Tensor, width: int, at_least: Tensor | None = None
) -> list[tuple[Tensor, Tensor]]:
    """Find the most probable architectures for each of several data sets.

    Exact where `width` is at least the number of architectures, or of beginnings that are as probable
    as `at_least`; else a beam search, whose log-probabilities are exact but which may miss an
    architecture that begins improbably.

    Parameters
    ----------
    policy : Policy
    descriptors : Tensor, float32, shape (batch, 2 * D)
        Standardised values, then missing flags.
    width : int
        How many beginnings of each data set are kept at each decision.
    at_least : Tensor, float32, shape (batch,), optional
        Log-probability below which a beginning is given up.

    Returns
    -------
    list of (tokens, log_probability), one for each data set
        Most probable first: int64, shape (at most width, decisions); float32, shape (at most width,).
    """
    found, _ = _beam(policy, descriptors, width, at_least)
    return found


@torch.no_grad()
def most_probable(
    policy: Policy, descriptors: Tensor, count: int, width: int
) -> list[tuple[Tensor, Tensor]]:
    """Find the `count` most probable architectures for each of several data sets, in two passes.

    A narrow beam finds as many that are good, and says where it gave up a beginning that was as probable as
    the worst of these; only for such data sets a wide one looks at all of them. So a decided policy is read
    about as fast as it is sampled from.

    Parameters
    ----------
    policy : Policy
    descriptors : Tensor, float32, shape (batch, 2 * D)
        Standardised values, then missing flags.
    count : int
    width : int
        Of the wide beam, as for `beam`.

    Returns
    -------
    list of (tokens, log_probability), one for each data set
        As `beam` gives them; fewer than `count` only where the space has fewer, and maybe more.
    """
    found, given_up = _beam(policy, descriptors, count)
    worst = torch.stack([totals[-1] for _, totals in found])
    open_rows = (given_up >= worst - ROUNDING).nonzero()[:, 0]
    if len(open_rows):
        wide = max(count, width)
        again, _ = _beam(policy, descriptors[open_rows], wide, worst[open_rows])
        for row, beam in zip(open_rows.tolist(), again, strict=True):
            found[row] = beam
    return found


def _beam(
    policy: Policy, descriptors: Tensor, width: int, at_least: Tensor | None = None
) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
    """Do what `beam` says; give beside it the most probable beginning that was lost, for each data set."""
    begun = policy.begin(descriptors)
    owners = torch.arange(len(descriptors))  # the data set of each beginning, ascending
    totals = torch.zeros(len(descriptors))
    floor = torch.full_like(totals, -math.inf) if at_least is None else at_least - ROUNDING
    lost = torch.full_like(totals, -math.inf)
    for _ in policy.choice_counts:
        log_probabilities, active = policy.step(begun)
        # Column 0 stands for "not active" (probability 1), the others for the choices.
        grown = torch.cat([torch.zeros(len(active), 1), log_probabilities], dim=1)
        grown[active, 0] = -math.inf
        grown[~active, 1:] = -math.inf
        scores = totals[:, None] + grown
        possible = (scores >= floor[owners, None]) & (scores > -math.inf)
        rows, columns = possible.nonzero(as_tuple=True)
        owners, totals = owners[rows], scores[rows, columns]
        kept, cut = _best_of_each(owners, totals, width)
        lost.scatter_reduce_(0, owners[cut], totals[cut], "amax")
        owners, totals = owners[kept], totals[kept]
        policy.take(begun, columns[kept] - 1, rows[kept])
    counts = torch.bincount(owners, minlength=len(descriptors)).tolist()
    return list(zip(begun.tokens.split(counts), totals.split(counts), strict=True)), lost


def _best_of_each(owners: Tensor, scores: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Give the indices of the `width` highest scores of each owner (owners ascending), and of the others."""
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
