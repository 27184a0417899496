"""The windows that motifs are looked for in: around summits, and matched ones away from peaks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from descriptors.errors import InputError
from descriptors.genome import Genome, reverse_complement_codes
from descriptors.peaks import overlaps

__all__ = ["MotifWindows", "gc_share", "motif_windows"]

WINDOW_BP = 200  # what HOMER looks at by default
MAXIMUM_FOREGROUND = 50_000  # more peaks sharpen no motif and cost time and memory
BACKGROUND = 5_000
_GC_BIN = 0.05  # width of the classes of GC share that are matched
_DRAWS = 10  # candidates drawn for each background window that is wanted
_MAXIMUM_ROUNDS = 6  # of drawing, while some class is still short


@dataclass(frozen=True)
class MotifWindows:
    """Sequences to find motifs in."""

    foreground: np.ndarray  # uint8, shape (n, WINDOW_BP)
    background: np.ndarray  # uint8, shape (m, WINDOW_BP), with no unknown base
    unknown: int  # peaks whose window was left out, as it holds no known base
    passed_over: int  # peaks beyond MAXIMUM_FOREGROUND, whose windows were not looked at


def gc_share(codes: np.ndarray) -> np.ndarray:
    """Give the share of G and C among the known bases of each sequence.

    Parameters
    ----------
    codes : ndarray, uint8, shape (n, length)
        A 0, C 1, G 2, T 3, anything else 4.

    Returns
    -------
    ndarray, float64, shape (n,)
        In [0, 1]; 0.5 where no base is known.
    """
    strong = ((codes == 1) | (codes == 2)).sum(axis=1)
    known = (codes < 4).sum(axis=1)
    return np.where(known > 0, strong / np.maximum(known, 1), 0.5)


def motif_windows(
    table: pd.DataFrame,
    genome: Genome,
    chromosomes: Sequence[str] | None = None,
    avoid: pd.DataFrame | None = None,
    seed: int = 0,
    stranded: bool = False,
) -> MotifWindows:
    """Cut windows around summits, and draw others of the same GC shares away from the peaks.

    Parameters
    ----------
    table : DataFrame
        Peaks with chromosome, start, end, summit; sorted by position.
    genome : Genome
        Where the sequences come from.
    chromosomes : sequence of str, optional
        Where to draw the background; default: the chromosomes that carry peaks.
    avoid : DataFrame, optional
        Regions (chromosome, start, end) where no background is drawn.
    seed : int
        Of the random draw.
    stranded : bool
        Whether each peak's window is read on the peak's strand; the background's are then on strands drawn at random.

    Returns
    -------
    MotifWindows
        At most 50,000 foreground windows, evenly taken from the sorted peaks, and 5,000 background
        windows, or as many as there is room for, that share no base with a peak or its window.

    Raises
    ------
    InputError
        No foreground window holds a known base, or there is no room for any background window.
    """
    chosen = np.arange(len(table))
    if len(table) > MAXIMUM_FOREGROUND:
        chosen = np.linspace(0, len(table) - 1, MAXIMUM_FOREGROUND).round().astype(np.int64)
    taken = table.iloc[chosen]
    summits = taken["summit"].to_numpy()
    foreground = genome.windows(taken["chromosome"].to_numpy(), summits, WINDOW_BP)
    if stranded:
        _turn(foreground, (taken["strand"] == "-").to_numpy())
    known = (foreground < 4).any(axis=1)
    if not known.any():
        raise InputError(
            f"{genome.name}: it has no known base (A, C, G, T) around any of the {len(table):,} "
            "peaks; name a genome with sequence, that of the peaks' assembly"
        )
    foreground = foreground[known]
    where = sorted(set(table["chromosome"]) if chromosomes is None else set(chromosomes))
    around = pd.DataFrame(
        {
            "chromosome": table["chromosome"],
            "start": np.minimum(table["start"], table["summit"] - WINDOW_BP // 2),
            "end": np.maximum(table["end"], table["summit"] + WINDOW_BP - WINDOW_BP // 2),
        }
    )
    if avoid is not None:
        around = pd.concat([around, avoid])
    background = _matched(gc_share(foreground), around, genome, where, seed)
    if stranded:
        _turn(background, np.random.default_rng([seed, 1]).random(len(background)) < 0.5)
    return MotifWindows(foreground, background, int((~known).sum()), len(table) - len(taken))


def _turn(codes: np.ndarray, which: np.ndarray) -> None:
    codes[which] = reverse_complement_codes(codes[which])


def _bins(codes: np.ndarray) -> np.ndarray:
    return np.floor(gc_share(codes) / _GC_BIN + 1e-9).astype(np.int64)


def _quotas(shares: np.ndarray, total: int) -> np.ndarray:
    """Divide a total over the classes in proportion to the shares' histogram, to the exact sum."""
    bins = np.floor(shares / _GC_BIN + 1e-9).astype(np.int64)
    counts = np.bincount(bins, minlength=round(1 / _GC_BIN) + 1)
    ends = np.round(np.cumsum(counts) / counts.sum() * total).astype(np.int64)
    return np.diff(ends, prepend=0)


def _matched(
    shares: np.ndarray, around: pd.DataFrame, genome: Genome, where: Sequence[str], seed: int
) -> np.ndarray:
    generator = np.random.default_rng(seed)
    quotas = _quotas(shares, BACKGROUND)
    drawn = np.empty((0, WINDOW_BP), dtype=np.uint8)
    places = np.empty((0, 2), dtype=np.int64)
    for _ in range(_MAXIMUM_ROUNDS):
        more, more_places = _draw(generator, around, genome, where, BACKGROUND * _DRAWS)
        places = np.concatenate([places, more_places])
        places, first = np.unique(places, axis=0, return_index=True)
        drawn = np.concatenate([drawn, more])[first]
        found = np.bincount(_bins(drawn), minlength=len(quotas))
        if (found >= quotas).all():
            break
    if not len(drawn):
        raise InputError(
            f"{genome.name}: the peaks and unknown bases leave no room for one background window "
            f"of {WINDOW_BP} bp, which motifs need; name fewer peaks or more chromosomes"
        )
    order = generator.permutation(len(drawn))
    bins = _bins(drawn)[order]
    # A class that is short lends its share to the others: its windows are all taken, and the rest
    # comes from the windows closest to it in GC share.
    chosen = np.concatenate([order[bins == k][: quotas[k]] for k in range(len(quotas))])
    for k in np.flatnonzero(found < quotas):
        rest = np.setdiff1d(order, chosen)
        near = rest[np.argsort(np.abs(_bins(drawn[rest]) - k), kind="stable")]
        chosen = np.concatenate([chosen, near[: quotas[k] - found[k]]])
    return drawn[np.sort(chosen)]


def _draw(
    generator: np.random.Generator,
    around: pd.DataFrame,
    genome: Genome,
    where: Sequence[str],
    count: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw windows uniformly; give those free of peaks and unknown bases, and their places."""
    room = np.array([max(genome.sizes[name] - WINDOW_BP + 1, 0) for name in where])
    offsets = np.concatenate([[0], np.cumsum(room)])
    flat = generator.integers(0, max(int(offsets[-1]), 1), count)
    flat = flat[flat < offsets[-1]]
    index = np.searchsorted(offsets, flat, side="right") - 1
    starts = flat - offsets[index]
    names = np.array(where, dtype=object)[index]
    windows = pd.DataFrame({"chromosome": names, "start": starts, "end": starts + WINDOW_BP})
    free = ~overlaps(windows, around)
    codes = genome.windows(names[free], starts[free] + WINDOW_BP // 2, WINDOW_BP)
    places = np.stack([index[free], starts[free]], axis=1)
    known = (codes < 4).all(axis=1)
    return codes[known], places[known]
