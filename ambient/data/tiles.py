"""One task from many data sets: windows tiled over the genome, a label for each data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ambient.data.assemble import Ground
from ambient.data.intervals import Intervals, bases_covered, overlaps
from ambient.data.negatives import split_rng
from ambient.data.specs import TaskSpec, Tiles
from ambient.data.task import ORIGINS, SPLITS, TaskData
from ambient.data.windows import Landscape
from ambient.errors import InputError
from descriptors.peaks import overlaps as overlapping_rows
from descriptors.peaks import read_labelled_windows, read_peaks

__all__ = ["assemble_tiles"]


@dataclass(frozen=True)
class _Grid:
    """All tiles without an N, in the order of the genome."""

    starts: np.ndarray  # int64, shape (tiles,), on the landscape's line
    bins: np.ndarray  # int64, shape (tiles,): where the middle that decides the labels begins
    splits: np.ndarray  # uint8, shape (tiles,)
    touched: np.ndarray  # bool, shape (tiles,): touches an excluded region


@dataclass(frozen=True)
class _DataSet:
    """The peaks of one label on the landscape's line."""

    points: np.ndarray  # int64, ascending: summits, or midpoints where a file names none
    covered: Intervals
    zeros: Intervals | None  # known to be silent; None: wherever there is no peak


@dataclass(frozen=True)
class _Label:
    """What one data set says of each tile."""

    spec: TaskSpec
    positive: np.ndarray  # int64: the numbers of the tiles with the label
    unknown: np.ndarray | None  # bool, shape (tiles,): neither with nor without; None: none such


def assemble_tiles(ground: Ground, spec: TaskSpec) -> TaskData:
    """Tile windows over the genome and give each the labels of several data sets.

    A window has a label where the middle of it, `bin_bp` wide, holds the summit of a peak of that
    data set, or is covered by its peaks by half or more. Elsewhere the label is 0, unless that is
    not known (NaN): in windows that touch an excluded region, and, of a data set with a file of
    labelled windows, where its zeros do not cover half of the middle or a peak touches it.

    Parameters
    ----------
    ground : Ground
    spec : TaskSpec
        With labels and tiles.

    Returns
    -------
    TaskData
        Windows in the order of the genome; labels 1, 0 or NaN.

    Raises
    ------
    InputError
        A file is wrong, or no label has `least_positives` windows of both classes in each split.
    """
    assert spec.tiles is not None
    landscape, tiles = ground.landscape, spec.tiles
    grid, left_out = _tile(landscape, tiles)
    labels = []
    peaks_left_out: Counter[str] = Counter()
    for one in spec.labels:
        data_set, reasons = _read(ground, one)
        peaks_left_out.update(reasons)
        labels.append(_judge(one, data_set, grid.bins, tiles.bin_bp))
    left_out.update({f"peaks: {reason}": count for reason, count in peaks_left_out.items()})
    labels = _frequent(spec, tiles, labels, grid, left_out)
    chosen, is_labelled = _choose(ground, tiles, labels, grid, left_out)
    kept = grid.starts[chosen]
    chromosome, centre = landscape.places(kept)
    return TaskData(
        name=spec.name,
        category=spec.category,
        window_bp=landscape.window_bp,
        codes=landscape.read(kept, ground.stored_bp),
        labels=_matrix(labels, grid, chosen),
        split=grid.splits[chosen],
        origin=np.where(is_labelled, 0, ORIGINS.index("random")).astype(np.uint8),
        chromosome=chromosome,
        centre=centre,
        left_out={reason: count for reason, count in left_out.items() if count},
        label_names=tuple(label.spec.name for label in labels),
        label_categories=tuple(label.spec.category for label in labels),
    )


def _tile(landscape: Landscape, tiles: Tiles) -> tuple[_Grid, dict[str, int]]:
    """Lay the tiles over the genome, and count what is left out of it."""
    width = landscape.window_bp
    counts = np.maximum((landscape.sizes - width) // tiles.stride_bp + 1, 0)
    starts = np.concatenate(
        [
            offset + np.arange(count, dtype=np.int64) * tiles.stride_bp
            for offset, count in zip(landscape.offsets[:-1], counts, strict=True)
        ]
    )
    ends = np.where(counts > 0, (counts - 1) * tiles.stride_bp + width, 0)
    unknown = overlaps(starts, starts + width, landscape.unknown)
    left_out = {
        "bp at the ends of chromosomes, too few for a window": int((landscape.sizes - ends).sum()),
        "windows: hold N": int(unknown.sum()),
    }
    starts = starts[~unknown]
    touched = overlaps(starts, starts + width, landscape.unusable)
    bins = starts + (width - tiles.bin_bp) // 2
    return _Grid(starts, bins, landscape.split_of(starts), touched), left_out


def _read(ground: Ground, spec: TaskSpec) -> tuple[_DataSet, dict[str, int]]:
    """Read the peaks of a data set, and where it is known to be silent."""
    landscape = ground.landscape
    assert spec.peaks is not None
    peaks = read_peaks(
        spec.peaks, ground.genome, None, landscape.chromosomes, ground.rename_chromosomes
    )
    table, left_out = peaks.table, dict(peaks.source.left_out)
    if ground.excluded is not None:
        excluded = overlapping_rows(table, ground.excluded)
        table = table[~excluded]
        left_out["on an excluded region"] = int(excluded.sum())
    zeros = None
    if spec.negatives is not None:
        windows, unread = read_labelled_windows(
            spec.negatives, ground.genome, ground.rename_chromosomes
        )
        left_out |= {f"labelled windows: {reason}": n for reason, n in unread.items() if n}
        zeros = landscape.on_line(windows[windows["label"] == 0])
    points = landscape.points_on_line(
        table["chromosome"].to_numpy(), table["summit"].to_numpy(np.int64)
    )
    return _DataSet(points, landscape.on_line(table), zeros), left_out


def _judge(spec: TaskSpec, data_set: _DataSet, bins: np.ndarray, bin_bp: int) -> _Label:
    """Say which of some stretches of `bin_bp`, which start at `bins`, have a label."""
    ends = bins + bin_bp
    first, last = (np.searchsorted(data_set.points, edge) for edge in (bins, ends))
    positive = last > first
    positive |= 2 * bases_covered(bins, ends, data_set.covered) >= bin_bp
    unknown = None
    if data_set.zeros is not None:
        is_zero = 2 * bases_covered(bins, ends, data_set.zeros) >= bin_bp
        is_zero &= ~overlaps(bins, ends, data_set.covered)
        unknown = ~(positive | is_zero)
    return _Label(spec, np.flatnonzero(positive), unknown)


def _frequent(
    spec: TaskSpec,
    tiles: Tiles,
    labels: Sequence[_Label],
    grid: _Grid,
    left_out: dict[str, int],
) -> list[_Label]:
    """Keep the labels that every split can teach, judge and measure."""
    rare = []
    for label in labels:
        positives = np.bincount(grid.splits[label.positive], minlength=len(SPLITS))
        is_zero = ~grid.touched if label.unknown is None else ~(grid.touched | label.unknown)
        is_zero[label.positive] = False
        zeros = np.bincount(grid.splits[is_zero], minlength=len(SPLITS))
        if min(positives.min(), zeros.min()) < tiles.least_positives:
            rare.append(label.spec.name)
    if len(rare) == len(labels):
        raise InputError(
            f"{spec.name}: none of the {len(labels)} labels has {tiles.least_positives} windows of "
            "both classes in each split; choose other chromosomes in split, a smaller stride_bp or "
            "fewer least_positives"
        )
    if rare:
        reason = f"labels: fewer than {tiles.least_positives} windows of a class in a split"
        left_out[f"{reason} ({', '.join(rare)})"] = len(rare)
    return [label for label in labels if label.spec.name not in rare]


def _choose(
    ground: Ground,
    tiles: Tiles,
    labels: Sequence[_Label],
    grid: _Grid,
    left_out: dict[str, int],
) -> tuple[np.ndarray, np.ndarray]:
    """Take all tiles with a label and, in each split, some of those without.

    Returns
    -------
    chosen : ndarray, int64, shape (windows,)
        The numbers of the tiles, ascending.
    is_labelled : ndarray, bool, shape (windows,)
    """
    is_labelled = np.zeros(len(grid.starts), dtype=bool)
    for label in labels:
        is_labelled[label.positive] = True
    is_chosen = is_labelled.copy()
    is_free = ~(is_labelled | grid.touched)
    left_out["windows: without a label, touch an excluded region"] = int(
        (grid.touched & ~is_labelled).sum()
    )
    for number, split in enumerate(SPLITS):
        here = grid.splits == number
        labelled, pool = np.flatnonzero(here & is_labelled), np.flatnonzero(here & is_free)
        wanted = round(tiles.unlabelled_per_labelled * len(labelled))
        rng = split_rng(ground.seed, number, grid.starts[labelled])
        is_chosen[rng.permutation(pool)[:wanted]] = True
        left_out[f"windows: without a label, in {split}"] = max(0, len(pool) - wanted)
        left_out[f"windows: without a label, missing in {split}"] = max(0, wanted - len(pool))
    chosen = np.flatnonzero(is_chosen)
    return chosen, is_labelled[chosen]


def _matrix(labels: Sequence[_Label], grid: _Grid, chosen: np.ndarray) -> np.ndarray:
    """Give 1, 0 or NaN for each chosen tile and label, float32 (chosen, labels)."""
    row = np.full(len(grid.starts), -1, dtype=np.int64)
    row[chosen] = np.arange(len(chosen))
    matrix = np.zeros((len(chosen), len(labels)), dtype=np.float32)
    matrix[grid.touched[chosen]] = np.nan
    for column, label in enumerate(labels):
        if label.unknown is not None:
            matrix[label.unknown[chosen], column] = np.nan
        matrix[row[label.positive], column] = 1
    return matrix
