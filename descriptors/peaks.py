"""Peak files and other BED-like interval files, checked row by row without a loop over rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from descriptors.bed import COLUMNS, read_bed
from descriptors.errors import InputError
from descriptors.genome import NOT_ASKED, NOT_IN_GENOME, Genome, check_chromosomes, respell
from descriptors.sources import Source, sha256_of

__all__ = [
    "COLUMNS",
    "NOT_IN_GENOME",
    "Peaks",
    "check_strands",
    "overlaps",
    "read_intervals",
    "read_labelled_windows",
    "read_peaks",
    "widen_points",
]

ON_EXCLUDED = "on an excluded region"
DUPLICATE = "the same chromosome, start, end and strand as another row"


@dataclass(frozen=True)
class Peaks:
    """The peaks of one file and where they came from.

    The table has the columns of `COLUMNS`, sorted by position. Positions are int64, counted from 0
    and half open; `summit` is absolute, the midpoint where the file names none; `score` is float64,
    NaN where absent; `strand` is "+", "-" or ".".
    """

    table: pd.DataFrame
    source: Source


def read_peaks(
    path: str | Path,
    genome: Genome | None = None,
    exclude: str | Path | None = None,
    chromosomes: Sequence[str] | None = None,
    rename_chromosomes: str | None = None,
) -> Peaks:
    """Read a peak file: BED3 to BED12, narrowPeak or broadPeak, plain, gzip or bgzip.

    Parameters
    ----------
    path : path
        Headers, comments and a byte-order mark are passed over; lines may end in LF, CRLF or CR,
        and columns may be separated by spaces if they are so throughout.
    genome : Genome, optional
        Checks names and ends of chromosomes.
    exclude : path, optional
        BED of regions; a peak that overlaps one in at least one base is left out.
    chromosomes : sequence of str, optional
        The only chromosomes to keep, spelled as the genome does.
    rename_chromosomes : "strip-chr" or "add-chr", optional
        Respells names that the genome does not have, also those of the excluded regions.

    Returns
    -------
    Peaks
        Sorted by chromosome, start, end and strand; `source.left_out` counts by reason what was
        left out.

    Raises
    ------
    InputError
        The file is missing, empty or damaged; a row is wrong (names its line); a peak ends past
        its chromosome; no peak lies on the genome; none is left.
    """
    path = Path(path)
    rows = read_bed(path)
    rows["chromosome"] = _respelled(rows["chromosome"], rename_chromosomes, genome)
    left_out: dict[str, int] = {}
    total = len(rows)
    if genome is not None:
        check_chromosomes(rows["chromosome"], genome, str(path))
        rows = _keep(rows, rows["chromosome"].isin(genome.sizes), NOT_IN_GENOME, left_out)
        _check_ends(rows, genome, path)
    if chromosomes is not None:
        _check_asked(chromosomes, genome)
        rows = _keep(rows, rows["chromosome"].isin(list(chromosomes)), NOT_ASKED, left_out)
    if exclude is not None:
        regions = read_intervals(exclude, genome, rename_chromosomes)
        rows = _keep(rows, ~overlaps(rows, regions), ON_EXCLUDED, left_out)
    rows = _in_order(rows)
    rows = _keep(rows, ~_is_repeated(rows), DUPLICATE, left_out)
    if rows.empty:
        reasons = "; ".join(f"{count:,} {reason}" for reason, count in left_out.items() if count)
        raise InputError(
            f"{path}: none of its {total:,} peaks is left ({reasons}); "
            "name other chromosomes, another exclusion list or another peak file"
        )
    table = rows.astype({"chromosome": object, "strand": object}).reset_index(drop=True)
    return Peaks(table, Source(path.name, sha256_of(path), len(table), left_out))


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Sort rows so that their order in the file does not matter, not even for which of two stays."""
    score, summit = rows["score"].to_numpy(), rows["summit"].to_numpy()
    return rows.take(np.lexsort((summit, -score, *_place(rows)[::-1])))


def _is_repeated(rows: pd.DataFrame) -> np.ndarray:
    """Tell which of sorted rows name the same place as the row before."""
    repeated = np.zeros(len(rows), dtype=bool)
    repeated[1:] = np.logical_and.reduce([key[1:] == key[:-1] for key in _place(rows)])
    return repeated


def _place(rows: pd.DataFrame) -> list[np.ndarray]:
    return [
        rows["chromosome"].cat.codes.to_numpy(),
        rows["start"].to_numpy(),
        rows["end"].to_numpy(),
        rows["strand"].cat.codes.to_numpy(),
    ]


def read_intervals(
    path: str | Path, genome: Genome | None = None, rename_chromosomes: str | None = None
) -> pd.DataFrame:
    """Read a plain BED file, such as a list of regions to exclude.

    Returns
    -------
    DataFrame
        chromosome (str), start, end (int64, counted from 0, half open), in the file's order.

    Raises
    ------
    InputError
        A row or the file is wrong, as for `read_peaks`; no row lies on the genome; or one begins past
        the end of its chromosome.
    """
    rows = read_bed(Path(path))[["chromosome", "start", "end"]]
    rows["chromosome"] = _respelled(rows["chromosome"], rename_chromosomes, genome)
    if genome is not None:
        check_chromosomes(rows["chromosome"], genome, str(path), "regions")
        _check_starts(rows, genome, Path(path))
    return rows.astype({"chromosome": object}).reset_index(drop=True)


def read_labelled_windows(
    path: str | Path, genome: Genome | None = None, rename_chromosomes: str | None = None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Read windows whose label, 1 or 0, stands in column 5 of a BED file.

    Returns
    -------
    table : DataFrame
        chromosome (str), start, end, label (int64), strand ("+", "-" or "."), in the file's order.
    left_out : dict of str to int
        How many were left out, by reason.

    Raises
    ------
    InputError
        As `read_peaks` does, or a label is neither 0 nor 1.
    """
    path = Path(path)
    rows = read_bed(path)
    labels = rows["score"].to_numpy()
    wrong = ~np.isin(labels, (0.0, 1.0))
    if wrong.any():
        raise InputError(
            f"{path}:{rows.index[int(np.argmax(wrong))]}: column 5 is neither 1 nor 0, the "
            "label was needed there; write it"
        )
    rows["chromosome"] = _respelled(rows["chromosome"], rename_chromosomes, genome)
    left_out: dict[str, int] = {}
    if genome is not None:
        check_chromosomes(rows["chromosome"], genome, str(path), "windows")
        rows = _keep(rows, rows["chromosome"].isin(genome.sizes), NOT_IN_GENOME, left_out)
        _check_ends(rows, genome, path)
    table = rows[["chromosome", "start", "end", "strand"]].assign(
        label=rows["score"].astype(np.int64)
    )
    return table.astype({"chromosome": object, "strand": object}).reset_index(drop=True), left_out


def check_strands(table: pd.DataFrame, where: str, what: str = "peaks") -> None:
    """See to it that every row names its strand.

    Parameters
    ----------
    table : DataFrame
        With a column `strand`.
    where : str
        The file, for the error.
    what : str
        What the rows are, for the error.

    Raises
    ------
    InputError
        The strand of a row is neither "+" nor "-".
    """
    lost = int((~table["strand"].isin(["+", "-"])).sum())
    if lost:
        raise InputError(
            f"{where}: {lost:,} of the {len(table):,} {what} name no strand, which stranded windows need; "
            "write + or - into column 6, or leave stranded out"
        )


def widen_points(
    table: pd.DataFrame, point_window_bp: int = 200, genome: Genome | None = None
) -> pd.DataFrame:
    """Turn peaks of one base into windows around the point; wider peaks stay as they are.

    Parameters
    ----------
    table : DataFrame
        Peaks, columns as in `COLUMNS`.
    point_window_bp : int
        Width of the window; it begins `point_window_bp // 2` before the point.
    genome : Genome, optional
        Where given, windows are cut at the ends of chromosomes; at 0 they always are.

    Returns
    -------
    DataFrame
        A copy with new `start` and `end`.

    Raises
    ------
    InputError
        The width is below 1.
    """
    if point_window_bp < 1:
        raise InputError(
            f"the window around a point was given as {point_window_bp} bp; give 1 bp or more"
        )
    start, end = table["start"].to_numpy(), table["end"].to_numpy()
    points = end - start == 1
    first = np.where(points, start - point_window_bp // 2, start)
    last = np.where(points, start - point_window_bp // 2 + point_window_bp, end)
    if genome is not None:
        last = np.minimum(last, table["chromosome"].map(genome.sizes).to_numpy(dtype=np.int64))
    return table.assign(start=np.maximum(first, 0), end=last)


def overlaps(table: pd.DataFrame, regions: pd.DataFrame) -> np.ndarray:
    """Tell which intervals share at least one base with any of the regions.

    Returns
    -------
    ndarray, bool, shape (rows of table,)
    """
    result = np.zeros(len(table), dtype=bool)
    by_chromosome = dict(iter(regions.groupby("chromosome", sort=False)))
    codes, names = pd.factorize(table["chromosome"])
    starts, ends = table["start"].to_numpy(), table["end"].to_numpy()
    for code, name in enumerate(names):
        group = by_chromosome.get(name)
        if group is None:
            continue
        members = np.flatnonzero(codes == code)
        order = np.argsort(group["start"].to_numpy(), kind="stable")
        region_starts = group["start"].to_numpy()[order]
        # The furthest end so far: an interval overlaps if any region that begins before its end
        # reaches past its start.
        reach = np.maximum.accumulate(group["end"].to_numpy()[order])
        before = np.searchsorted(region_starts, ends[members], side="left") - 1
        result[members] = (before >= 0) & (reach[np.maximum(before, 0)] > starts[members])
    return result


def _keep(
    rows: pd.DataFrame, kept: pd.Series | np.ndarray, reason: str, left_out: dict[str, int]
) -> pd.DataFrame:
    mask = np.asarray(kept, dtype=bool)
    left_out[reason] = int((~mask).sum())
    return rows[mask]


def _respelled(names: pd.Series, how: str | None, genome: Genome | None) -> pd.Series:
    """Spell the names of a categorical column as the genome does, without spaces around them."""
    known = genome.sizes if genome is not None else ()
    old = names.cat.categories
    spelling = [respell(name.strip(), how, known) for name in old]
    kinds = pd.Index(sorted(set(spelling)), dtype=object)
    codes = kinds.get_indexer(spelling)[names.cat.codes]
    return pd.Series(pd.Categorical.from_codes(codes, kinds), index=names.index)


def _check_asked(chromosomes: Sequence[str], genome: Genome | None) -> None:
    for name in chromosomes:
        if genome is not None and name not in genome.sizes:
            known = ", ".join(list(genome.sizes)[:5])
            raise InputError(
                f'the chromosome "{name}" was asked for and {genome.name} has none of that name '
                f"(it has {known}, ...); correct the list of chromosomes"
            )


def _sizes(rows: pd.DataFrame, genome: Genome, unknown: int) -> np.ndarray:
    names = rows["chromosome"].cat
    return np.array([genome.sizes.get(name, unknown) for name in names.categories])[names.codes]


def _check_starts(rows: pd.DataFrame, genome: Genome, path: Path) -> None:
    # Regions may end past the end, as bins of a whole width do, but none begins there.
    sizes = _sizes(rows, genome, np.iinfo(np.int64).max)
    past = rows["start"].to_numpy() >= sizes
    if past.any():
        at = int(np.argmax(past))
        row = rows.iloc[at]
        raise InputError(
            f"{path}:{rows.index[at]}: the start {row['start']} is past the end of "
            f"{row['chromosome']} in {genome.name} ({sizes[at]} bp), so the file looks like one of "
            "another assembly; name that of the genome, or correct the row"
        )


def _check_ends(rows: pd.DataFrame, genome: Genome, path: Path) -> None:
    sizes = _sizes(rows, genome, 0)
    past = rows["end"].to_numpy() > sizes
    if not past.any():
        return
    at, count = int(np.argmax(past)), int(past.sum())
    row = rows.iloc[at]
    many = count >= 10 or count > 0.01 * len(rows)
    advice = (
        f", as do {count:,} of {len(rows):,} rows, so the file looks like one of another assembly; "
        "name the genome that it was made on"
        if many and count > 1
        else "; correct the row, or name the genome that the file was made on"
    )
    raise InputError(
        f"{path}:{rows.index[at]}: the end {row['end']} is past the end of {row['chromosome']} in "
        f"{genome.name} ({sizes[at]} bp){advice}"
    )
