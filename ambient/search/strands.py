"""Draws for stranded tasks: networks that tell the strands apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ambient.controller.policy import Policy
from ambient.errors import RunError

__all__ = ["draw_until_strands_differ"]

# What reads both strands alike is drawn again so often; then any network that does not is taken, which is looked for
# among so many of the whole space.
REDRAWS, MOST_DRAWN = 50, 1000


def draw_until_strands_differ(
    policy: Policy,
    of: Sequence[str | None],
    descriptors: Tensor,
    tokens: Tensor,
    log_probabilities: Tensor,
    generator: torch.Generator,
) -> None:
    """Draw again, in place, what reads both strands alike and was drawn for a stranded task.

    Parameters
    ----------
    policy : Policy
    of : sequence of (str or None), length batch
        The stranded task of each row; None where a row's task is none.
    descriptors : Tensor, float32, shape (batch, 2 * D)
    tokens : Tensor, int64, shape (batch, decisions)
        As `Policy.sample` gave them; so are the log-probabilities, float32, (batch,), under the policy as it is.
    generator : torch.Generator
        The only source of randomness.

    Raises
    ------
    RunError
        The space has no network that tells strands apart, as far as can be found.
    """
    space = policy.space
    rows = [row for row, task in enumerate(of) if task is not None]
    for _ in range(REDRAWS):
        rows = [r for r in rows if space.architecture(tokens[r].tolist()).reads_both_strands]
        if not rows:
            return
        tokens[rows], log_probabilities[rows] = policy.sample(descriptors[rows], generator)
    # A policy that is all but sure of both strands: any network that tells them apart will do.
    rng = np.random.default_rng(int(torch.randint(2**62, (1,), generator=generator)))
    for row in rows:
        drawn = (space.sample(rng) for _ in range(MOST_DRAWN))
        found = next((one for one in drawn if not one.reads_both_strands), None)
        if found is None:
            raise RunError(
                f"controller: {of[row]} is stranded, and of {MOST_DRAWN:,} networks drawn from the space "
                f"{space.name} none tells the strands apart; choose another space"
            )
        tokens[row] = torch.tensor(found.tokens)
    with torch.no_grad():
        log_probabilities[rows] = policy.log_probability(descriptors[rows], tokens[rows])
