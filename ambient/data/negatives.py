"""Negatives: windows that are no peak of a task, chosen so that composition does not give the answer away."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ambient.data.intervals import Intervals, overlaps
from ambient.data.task import ORIGINS, SPLITS
from ambient.data.windows import Landscape
from ambient.errors import InputError

__all__ = ["KINDS", "NegativesConfig", "choose_negatives", "match_gc", "split_rng"]

KINDS = ("random", "gc_matched", "other_tasks")
# Two windows count as alike in composition when their shares of G and C fall into the same of so
# many bins.
GC_BINS = 50
# Where a bin has too few candidates, those of bins up to this far away serve; beyond, there is a
# shortfall.
GC_REACH = 2


@dataclass(frozen=True)
class NegativesConfig:
    """How many negatives a task gets, and of which kinds.

    Attributes
    ----------
    per_positive : float
        Negatives for each positive, in each split.
    mix : mapping of str to float, or None
        Parts of each kind: "random" (anywhere), "gc_matched" (anywhere with the composition of the
        positives), "other_tasks" (peaks of the corpus's other training tasks). None stands for
        equal parts of gc_matched and other_tasks where there are other training tasks, and for
        gc_matched alone where there are none.
    """

    per_positive: float = 2.0
    mix: Mapping[str, float] | None = field(default=None)

    def __post_init__(self) -> None:
        if not 0 < self.per_positive <= 1000:
            raise InputError(
                f"negatives: found {self.per_positive} per_positive; give a number above 0, at most 1000"
            )
        if self.mix is None:
            return
        for kind, part in self.mix.items():
            if kind not in KINDS:
                raise InputError(
                    f'negatives: found the kind "{kind}" in mix; the kinds are {", ".join(KINDS)}'
                )
            if not part >= 0:
                raise InputError(
                    f"negatives: found {part} parts of {kind} in mix; give 0 or more parts"
                )
        if not sum(self.mix.values()) > 0:
            raise InputError(
                "negatives: the parts in mix add up to 0; give one of them a part above 0"
            )

    def to_dict(self) -> dict[str, object]:
        """Give plain values that JSON can hold."""
        return {
            "per_positive": self.per_positive,
            "mix": None if self.mix is None else dict(sorted(self.mix.items())),
        }

    def resolved_mix(self, has_other_tasks: bool, where: str) -> dict[str, float]:
        """Give the share of each kind, adding up to 1.

        Raises
        ------
        InputError
            Other tasks' peaks were asked for and there is no other training task.
        """
        if self.mix is None:
            return (
                {"gc_matched": 0.5, "other_tasks": 0.5} if has_other_tasks else {"gc_matched": 1.0}
            )
        if self.mix.get("other_tasks") and not has_other_tasks:
            raise InputError(
                f"{where}: negatives of the kind other_tasks were asked for, but there is no other "
                "training task to take them from; use gc_matched"
            )
        total = sum(self.mix.values())
        return {kind: self.mix[kind] / total for kind in KINDS if self.mix.get(kind)}


def choose_negatives(
    landscape: Landscape,
    positives: np.ndarray,
    positives_gc: np.ndarray,
    forbidden: Intervals,
    config: NegativesConfig,
    others: Sequence[np.ndarray],
    seed: int,
    where: str,
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Choose negatives for a task, split by split.

    No negative overlaps a positive, covers N, touches an excluded region or is chosen twice.

    Parameters
    ----------
    landscape : Landscape
    positives : ndarray, int64, shape (n,)
        Starts of the positives on the landscape's line.
    positives_gc : ndarray, float32, shape (n,)
        Their shares of G and C.
    forbidden : Intervals
        Where the task has peaks, on the line: each peak and the window around it.
    config : NegativesConfig
    others : sequence of ndarray, int64
        For each other training task the starts of its positives; each task gives equally many as
        far as it can.
    seed : int
    where : str
        What an error names as its place.

    Returns
    -------
    starts : ndarray, int64, shape (m,)
    origin : ndarray, uint8, shape (m,)
        Index into `ORIGINS`.
    short : dict of str to int
        Negatives that were wanted and could not be found, by kind and split.
    """
    shares = config.resolved_mix(len(others) > 0, where)
    width = landscape.window_bp
    free = ~overlaps(landscape.candidates, landscape.candidates + width, forbidden)
    candidates, gc = landscape.candidates[free], landscape.gc[free]
    candidate_split = landscape.candidate_split[free]
    usable = [_usable(landscape, starts, forbidden) for starts in others]
    positive_split = landscape.split_of(positives)
    starts: list[np.ndarray] = []
    origin: list[np.ndarray] = []
    short: dict[str, int] = {}
    for number, split in enumerate(SPLITS):
        of_split = positive_split == number
        rng = split_rng(seed, number, positives[of_split])
        wanted = _parts(round(config.per_positive * int(of_split.sum())), shares)
        taken = np.empty(0, np.int64)
        here = candidate_split == number
        for kind in ("other_tasks", "gc_matched", "random"):
            count = wanted.get(kind, 0)
            if count == 0:
                continue
            if kind == "other_tasks":
                pools = [pool[landscape.split_of(pool) == number] for pool in usable]
                chosen = _take_turns(pools, width // 2, count, rng)
            else:
                left = np.flatnonzero(here & ~np.isin(candidates, taken))
                if kind == "gc_matched":
                    chosen = candidates[
                        left[match_gc(positives_gc[of_split], gc[left], count, rng)]
                    ]
                else:
                    chosen = candidates[rng.permutation(left)[:count]]
            if len(chosen) < count:
                short[f"{kind} negatives missing in {split}"] = count - len(chosen)
            taken = np.r_[taken, chosen]
            starts.append(chosen)
            origin.append(np.full(len(chosen), ORIGINS.index(kind), np.uint8))
    return np.concatenate(starts), np.concatenate(origin), short


def split_rng(seed: int, split: int, positives: np.ndarray) -> np.random.Generator:
    """Give the random numbers of one split of a task, which nothing in another split can change.

    Parameters
    ----------
    seed : int
    split : int
    positives : ndarray, int64, shape (n,)
        Starts of the positives of that split: two tasks draw different numbers, whatever they are
        called.
    """
    return np.random.default_rng([seed, split, zlib.crc32(positives.tobytes())])


def match_gc(
    wanted_gc: np.ndarray, candidate_gc: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Choose candidates whose shares of G and C are distributed like some given ones.

    Parameters
    ----------
    wanted_gc : ndarray, float, shape (n,)
        Shares to imitate, 0 to 1.
    candidate_gc : ndarray, float, shape (m,)
    count : int
        How many to choose; each of the n shares is imitated count / n times.
    rng : numpy Generator

    Returns
    -------
    ndarray, int64, shape (k,), k <= count
        Indices into `candidate_gc`, each once. Fewer than `count` where no candidate within
        `GC_REACH` bins is left.
    """
    if len(wanted_gc) == 0 or len(candidate_gc) == 0:
        return np.empty(0, np.int64)
    imitated = np.resize(rng.permutation(wanted_gc), count)
    demand = np.bincount(_bin(imitated), minlength=GC_BINS)
    shuffled = rng.permutation(len(candidate_gc))
    order = shuffled[np.argsort(_bin(candidate_gc)[shuffled], kind="stable")]
    supply = np.bincount(_bin(candidate_gc), minlength=GC_BINS)
    first = np.r_[0, np.cumsum(supply)[:-1]]
    used = np.zeros(GC_BINS, dtype=np.int64)
    for away in sorted(range(-GC_REACH, GC_REACH + 1), key=abs):
        for wish in np.flatnonzero(demand):
            source = wish + away
            if 0 <= source < GC_BINS:
                given = min(demand[wish], supply[source] - used[source])
                used[source] += given
                demand[wish] -= given
    return np.concatenate([order[a : a + n] for a, n in zip(first, used, strict=True)])


def _bin(gc: np.ndarray) -> np.ndarray:
    return np.minimum((gc * GC_BINS).astype(np.int64), GC_BINS - 1)


def _usable(landscape: Landscape, starts: np.ndarray, forbidden: Intervals) -> np.ndarray:
    ends = starts + landscape.window_bp
    return starts[~overlaps(starts, ends, landscape.unusable) & ~overlaps(starts, ends, forbidden)]


def _parts(total: int, shares: Mapping[str, float]) -> dict[str, int]:
    """Divide a whole number by shares; what rounding leaves goes to the largest remainders."""
    exact = {kind: total * share for kind, share in shares.items()}
    parts = {kind: int(value) for kind, value in exact.items()}
    by_remainder = sorted(exact, key=lambda kind: (parts[kind] - exact[kind], kind))
    for kind in by_remainder[: total - sum(parts.values())]:
        parts[kind] += 1
    return parts


def _take_turns(
    pools: Sequence[np.ndarray], cell_bp: int, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Take places from each pool in turn, at most one in each cell of the line, until there are enough."""
    places = np.concatenate([rng.permutation(pool) for pool in pools])
    turn = np.concatenate([np.arange(len(pool)) for pool in pools])
    places = places[np.lexsort((rng.random(len(places)), turn))]
    _, first = np.unique(places // max(1, cell_bp), return_index=True)
    return places[np.sort(first)[:count]]
