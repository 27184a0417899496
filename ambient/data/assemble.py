"""One task from its parts: a genome's landscape, peaks, negatives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ambient.data.corpus import TaskSpec
from ambient.data.intervals import overlaps
from ambient.data.negatives import NegativesConfig, choose_negatives, split_rng
from ambient.data.task import ORIGINS, SPLITS, TaskData
from ambient.data.windows import BEYOND, Landscape, place_windows
from ambient.errors import InputError
from descriptors.genome import Genome
from descriptors.peaks import check_strands, read_intervals, read_labelled_windows, read_peaks
from descriptors.peaks import overlaps as overlapping_rows

__all__ = ["Ground", "Positives", "assemble", "read_excluded", "read_positives"]


@dataclass(frozen=True)
class Ground:
    """What all tasks of a corpus share."""

    genome: Genome
    landscape: Landscape
    excluded: pd.DataFrame | None
    rename_chromosomes: str | None
    stored_bp: int
    negatives: NegativesConfig
    seed: int
    most_positives: int | None = None


@dataclass(frozen=True)
class Positives:
    """The positives of a task and where its negatives may not lie."""

    starts: np.ndarray  # int64, on the landscape's line
    occupied: pd.DataFrame  # chromosome, start, end of each peak and of the window around it
    left_out: dict[str, int]


def read_excluded(
    path: str | Path | None, genome: Genome, rename: str | None
) -> pd.DataFrame | None:
    """Read a BED of regions to keep clear of, as `read_intervals` does; None where there is none."""
    return None if path is None else read_intervals(path, genome, rename)


def read_positives(ground: Ground, path: Path) -> Positives:
    """Read a peak file and put one window on each summit or midpoint.

    Raises
    ------
    InputError
        The file is wrong, none of its peaks lies on a chromosome that takes part, or all of its windows are too wide
        for their chromosomes.
    """
    landscape = ground.landscape
    stranded = landscape.stranded
    # Excluded peaks are read too: they are no positives, but no negative may lie on them either.
    peaks = read_peaks(path, ground.genome, None, landscape.chromosomes, ground.rename_chromosomes)
    table = peaks.table
    if stranded:
        check_strands(table, str(path))
    left = table["summit"].to_numpy(np.int64) - landscape.window_bp // 2
    occupied = pd.DataFrame(
        {
            "chromosome": table["chromosome"],
            "start": np.minimum(table["start"], left),
            # A window of the other strand may reach one base further.
            "end": np.maximum(table["end"], left + landscape.window_bp + stranded),
        }
    )
    kept = np.ones(len(table), dtype=bool)
    if ground.excluded is not None:
        kept = ~overlapping_rows(table, ground.excluded)
    chosen = table[kept]
    starts, reasons = place_windows(
        landscape,
        chosen["chromosome"].to_numpy(),
        chosen["summit"].to_numpy(np.int64),
        chosen["strand"].to_numpy(),
    )
    if len(chosen) and reasons.get(BEYOND) == len(chosen):
        raise InputError(
            f"{path}: windows of {landscape.window_bp:,} bp around its {len(chosen):,} peaks all reach past the ends "
            f"of their chromosomes, of which the longest has {landscape.sizes.max():,} bp; ask for narrower windows"
        )
    counted = {**peaks.source.left_out, "on an excluded region": int((~kept).sum()), **reasons}
    left_out = {f"peaks: {reason}": count for reason, count in counted.items() if count}
    return Positives(starts, occupied, left_out)


def assemble(
    ground: Ground, spec: TaskSpec, positives: Positives, others: list[np.ndarray]
) -> TaskData:
    """Give a task its negatives and read the sequence of all its windows.

    Parameters
    ----------
    ground : Ground
    spec : TaskSpec
    positives : Positives
        The task's own.
    others : list of ndarray, int64
        For each other training task the starts of its positives; empty where no such negatives are
        wanted.

    Raises
    ------
    InputError
        A split is left without positives or without negatives.
    """
    landscape = ground.landscape
    _need_windows(ground, spec, positives.starts, "positives", positives.left_out)
    if ground.most_positives is not None:
        positives = _thin(ground, positives, ground.most_positives)
    codes = landscape.read(positives.starts, ground.stored_bp)
    if spec.negatives is not None:
        starts, origin, notes = _labelled_negatives(ground, spec, positives)
    else:
        crop = ground.stored_bp // 2 - landscape.window_bp // 2
        inner = codes[:, crop : crop + landscape.window_bp]
        starts, origin, notes = choose_negatives(
            landscape,
            positives.starts,
            ((inner == 1) | (inner == 2)).mean(axis=1),
            landscape.on_line(positives.occupied),
            ground.negatives,
            others,
            ground.seed,
            spec.name,
        )
    _need_windows(ground, spec, starts, "negatives", notes)
    both = np.r_[positives.starts, starts]
    chromosome, centre = landscape.places(both)
    labels = np.zeros((len(both), 1), dtype=np.float32)
    labels[: len(positives.starts)] = 1
    return TaskData(
        name=spec.name,
        category=spec.category,
        window_bp=landscape.window_bp,
        codes=np.concatenate([codes, landscape.read(starts, ground.stored_bp)]),
        labels=labels,
        split=landscape.split_of(both),
        origin=np.r_[np.zeros(len(positives.starts), np.uint8), origin],
        chromosome=chromosome,
        centre=centre,
        left_out={**positives.left_out, **notes},
        stranded=landscape.stranded,
    )


def _thin(ground: Ground, positives: Positives, most: int) -> Positives:
    """Draw at most so many positives, in the ratio of the splits and one of each at least."""
    starts = positives.starts
    if len(starts) <= most:
        return positives
    splits = ground.landscape.split_of(starts)
    drawn = []
    for number in range(len(SPLITS)):
        own = starts[splits == number]
        count = max(1, most * len(own) // len(starts))
        drawn.append(split_rng(ground.seed, number, own).permutation(own)[:count])
    kept = np.sort(np.concatenate(drawn))
    left_out = {"peaks: more than most_positives asks for": len(starts) - len(kept)}
    return replace(positives, starts=kept, left_out={**positives.left_out, **left_out})


def _labelled_negatives(
    ground: Ground, spec: TaskSpec, positives: Positives
) -> tuple[np.ndarray, np.ndarray, dict[str, int]]:
    """Take the zeros of a file of labelled windows; at most `per_positive` in each split."""
    landscape = ground.landscape
    table, unread = read_labelled_windows(
        str(spec.negatives), ground.genome, ground.rename_chromosomes
    )
    centre = (table["start"] + table["end"]).to_numpy(np.int64) // 2
    is_zero = (table["label"] == 0).to_numpy()
    zeros, ones = table[is_zero], table[~is_zero]
    if landscape.stranded:
        check_strands(zeros, str(spec.negatives), "windows with label 0")
    starts, reasons = place_windows(
        landscape, zeros["chromosome"].to_numpy(), centre[is_zero], zeros["strand"].to_numpy()
    )
    occupied = pd.concat([positives.occupied, ones[["chromosome", "start", "end"]]])
    width = landscape.window_bp
    excluded = overlaps(starts, starts + width, landscape.unusable)
    on_peak = overlaps(starts, starts + width, landscape.on_line(occupied)) & ~excluded
    starts = starts[~excluded & ~on_peak]
    reasons["touches an excluded region"] = int(excluded.sum())
    reasons["overlaps a positive"] = int(on_peak.sum())
    splits, wanted = landscape.split_of(starts), landscape.split_of(positives.starts)
    chosen = []
    for number in range(len(SPLITS)):
        of_split = starts[splits == number]
        own = positives.starts[wanted == number]
        most = round(ground.negatives.per_positive * len(own))
        rng = split_rng(ground.seed, number, own)
        chosen.append(np.sort(rng.permutation(of_split)[:most]))
    kept = np.concatenate(chosen)
    reasons["more than per_positive asks for"] = len(starts) - len(kept)
    notes = {f"labelled windows: {reason}": n for reason, n in unread.items() if n}
    notes |= {f"labelled negatives: {reason}": n for reason, n in reasons.items() if n}
    return kept, np.full(len(kept), ORIGINS.index("file"), np.uint8), notes


def _need_windows(
    ground: Ground, spec: TaskSpec, starts: np.ndarray, what: str, left_out: dict[str, int]
) -> None:
    """Raise where a split holds none of some windows."""
    landscape = ground.landscape
    splits = landscape.split_of(starts)
    for number, split in enumerate(SPLITS):
        if not (splits == number).any():
            names = [
                n
                for n, s in zip(landscape.chromosomes, landscape.splits, strict=True)
                if s == number
            ]
            lost = "; ".join(f"{count:,} {reason}" for reason, count in left_out.items())
            raise InputError(
                f"{spec.name}: none of the {len(starts):,} {what} lies on the {split} chromosomes "
                f"({', '.join(names)}){f' (left out: {lost})' if lost else ''}; "
                "choose other chromosomes in split or leave the task out"
            )
