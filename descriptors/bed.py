"""The rows of BED-like files (BED3 to BED12, narrowPeak, broadPeak), read and checked."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from descriptors.errors import InputError
from descriptors.rows import integers, read_rows

__all__ = ["COLUMNS", "read_bed"]

COLUMNS = ("chromosome", "start", "end", "score", "strand", "summit")
_NARROW_PEAK = re.compile(r"\.narrowpeak(\.b?gz)?$", re.IGNORECASE)
_STRANDS = pd.Index(["+", "-", "."], dtype=object)

_NEEDED = "3 columns (chromosome, start, end)"
# All but the name, and the 11th, which a narrowPeak file lacks.
_READ = (0, 1, 2, 4, 5, 6, 7, 8, 9, 10)


def read_bed(path: Path) -> pd.DataFrame:
    """Read the rows of a BED-like file and check each.

    Returns
    -------
    DataFrame
        Columns as in `COLUMNS`: positions int64, counted from 0, half open; `summit` absolute, the
        midpoint where the file names none; `score` float64, NaN where absent; `chromosome` and
        `strand` ("+", "-" or ".") categorical, so that ten million rows take 0.4 GB. In the file's
        order; the index is the line number, counted from 1.

    Raises
    ------
    InputError
        The file cannot be read, holds no rows, or a row is wrong (names the first).
    """
    parts: list[pd.DataFrame] = []
    narrow_peak: bool | None = None
    rows = read_rows(
        path,
        _READ,
        3,
        _NEEDED,
        spaces=True,
        even=True,
        numbers=(1, 2, 9),
        decimals=(4, 6, 7, 8),
        labels=(0, 5),
    )
    for text in rows:
        narrow_peak = _is_narrow_peak(text, path, narrow_peak)
        parts.append(_checked(text, path, narrow_peak))
    if not parts:
        raise InputError(
            f"{path}: found no rows beside headers, {_NEEDED} were needed in each; name a BED file"
        )
    names = sorted({name for part in parts for name in part["chromosome"].cat.categories})
    for part in parts:
        part["chromosome"] = part["chromosome"].cat.set_categories(pd.Index(names, dtype=object))
    return parts[0] if len(parts) == 1 else pd.concat(parts)


def _checked(text: pd.DataFrame, path: Path, narrow_peak: bool) -> pd.DataFrame:
    start, end = integers(text[1], path, "start"), integers(text[2], path, "end")

    def where(wrong: np.ndarray) -> tuple[int, str]:
        at = int(np.argmax(wrong))
        return at, f"{path}:{text.index[at]}"

    chromosome = text[0].cat.remove_unused_categories()
    unnamed = chromosome.isin([n for n in chromosome.cat.categories if not n.strip()]).to_numpy()
    if unnamed.any():
        raise InputError(
            f"{where(unnamed)[1]}: the chromosome's name is empty; write it or remove the row"
        )
    if (negative := start < 0).any():
        at, line = where(negative)
        raise InputError(
            f"{line}: the start {start[at]} is below 0, the first base of a chromosome; "
            "correct the row or remove it"
        )
    if (backward := end <= start).any():
        at, line = where(backward)
        advice = "swap the two"
        if end[at] == start[at]:  # as a file that counts from 1 names a single base
            advice = f"give the end {end[at] + 1} if the peak is one base"
        raise InputError(
            f"{line}: the end {end[at]} is not after the start {start[at]}; {advice} or remove the row"
        )
    width = max(map(int, text.columns)) + 1
    score = pd.to_numeric(text[4], errors="coerce").astype(np.float64) if width > 4 else np.nan
    strand = text[5] if width > 5 else pd.Series("", index=text.index, dtype="category")
    columns = {
        "chromosome": chromosome,
        "start": start,
        "end": end,
        "score": score,
        "strand": strand.cat.set_categories(_STRANDS).fillna("."),
        "summit": _summits(text, start, end, path) if narrow_peak else start + (end - start) // 2,
    }
    return pd.DataFrame(columns, index=text.index)


def _summits(text: pd.DataFrame, start: np.ndarray, end: np.ndarray, path: Path) -> np.ndarray:
    """Give the summits of narrowPeak rows: start plus column 10, the midpoint where that is -1."""
    offset = integers(text[9], path, "summit (column 10)")
    wrong = (offset < -1) | (offset >= end - start)
    if wrong.any():
        at = int(np.argmax(wrong))
        raise InputError(
            f"{path}:{text.index[at]}: the summit (column 10) lies {offset[at]} bp from the start, "
            f"outside its peak of {end[at] - start[at]} bp; give the distance from the start, "
            "or -1 where there is none"
        )
    return np.where(offset >= 0, start + offset, start + (end - start) // 2)


def _is_narrow_peak(text: pd.DataFrame, path: Path, before: bool | None) -> bool:
    """Whether column 10 is the summit: by the file's name, or ten columns that end in numbers.

    All rows must agree with those before: no single one, which may lie on a chromosome that is held
    back, decides how the others are read.
    """
    width = max(map(int, text.columns)) + 1
    if width < 10:
        if _NARROW_PEAK.search(path.name):
            raise InputError(
                f"{path}:{text.index[0]}: found {width} columns where the 10 of narrowPeak were needed; add what "
                "lacks up to the summit (column 10, -1 where there is none), or end the file's name in .bed"
            )
        return False
    if "narrowpeak" in path.name.lower():
        return True
    if width == 10:
        numbers = text[[6, 7, 8, 9]].apply(pd.to_numeric, errors="coerce")
        is_narrow = numbers.notna().all(axis=1).to_numpy()
    else:
        is_narrow = (text[10] == "").to_numpy()
    first = bool(is_narrow[0]) if before is None else before
    if (other := is_narrow != first).any():
        here, there = ("are not", "are") if first else ("are", "are not")
        raise InputError(
            f"{path}:{text.index[int(np.argmax(other))]}: columns 7 to 10 {here} those of "
            f"narrowPeak, in the rows before they {there}; write four numbers there in every row, "
            "or take the columns out"
        )
    return first
