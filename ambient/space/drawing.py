"""Draw architectures of a given number of skips, to hold a searched one against."""

from __future__ import annotations

import numpy as np

from ambient.errors import SpaceError
from ambient.space.architecture import Architecture
from ambient.space.space import SearchSpace

__all__ = ["sample_with_skips"]


def sample_with_skips(
    space: SearchSpace, count: int, generator: np.random.Generator
) -> Architecture:
    """Draw an architecture of a given number of skips: operations uniformly, and which skips there are.

    Parameters
    ----------
    space : SearchSpace
        Its skips apply always.
    count : int
        How many skips are taken.
    generator : numpy.random.Generator
        The only source of randomness.

    Raises
    ------
    SpaceError
        The space has fewer skips, or some apply only at times.
    """
    skips = space.skips
    if any(space.decisions[index].when for index in skips):
        raise SpaceError(
            f'space "{space.name}": found skips that apply only at times, so that their number cannot be '
            "chosen; draw with SearchSpace.sample"
        )
    if not 0 <= count <= len(skips):
        raise SpaceError(
            f'space "{space.name}": found {count} skips to draw where 0 to {len(skips)} can be taken; '
            "choose a number in that range"
        )
    tokens = list(space.sample(generator).tokens)
    taken = set(generator.permutation(len(skips))[:count].tolist())
    for number, index in enumerate(skips):
        tokens[index] = int(number in taken)
    return space.architecture(tokens)
