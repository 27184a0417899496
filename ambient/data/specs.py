"""Tasks as a corpus file names them: a list, a table, or many data sets as the labels of one task."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ambient.data.strict import Section, existing, nearest
from ambient.errors import InputError
from descriptors.categories import CATEGORIES

__all__ = ["CATEGORIES", "TaskSpec", "Tiles", "read_rows", "read_tasks"]

# Other spellings of the categories that published tables use.
_SPELLINGS = {
    **{name: name for name in CATEGORIES},
    "transcription factor": "tf",
    "pol": "polymerase",
    "dnase": "accessibility",
    "atac": "accessibility",
}
_COLUMNS = ("name", "peaks", "category", "factor", "negatives", "held_out", "stranded")
_TRUTHS = ("held_out", "stranded")


@dataclass(frozen=True)
class Tiles:
    """How the windows of a task with several labels lie on the genome, and which of them stay.

    Attributes
    ----------
    stride_bp : int
        From the start of one window to that of the next.
    bin_bp : int
        Width of the middle of a window that decides its labels; the whole window where the two are
        equal.
    unlabelled_per_labelled : float
        Windows without any label that are kept for each window with one, in each split.
    least_positives : int
        A data set with fewer windows of either class in any split is no label of the task.
    """

    stride_bp: int
    bin_bp: int
    unlabelled_per_labelled: float = 1.0
    least_positives: int = 10


@dataclass(frozen=True)
class TaskSpec:
    """One task as the corpus file names it.

    Attributes
    ----------
    name : str
        Unique in its corpus.
    peaks : Path, or None
        BED, narrowPeak or broadPeak; None where the task has labels.
    category : str
        tf, polymerase, histone, accessibility or other.
    factor : str, optional
        The protein, for its domains.
    negatives : Path, optional
        BED of labelled windows (column 5: 1 or 0); where it is given, only its zeros serve as
        negatives.
    stranded : bool
        Windows are read on the strand of their peak, as RNA is, and never on the other.
    held_out : bool
        The task is kept for measuring: no controller is trained on it, and its peaks serve no other
        task.
    labels : tuple of TaskSpec
        The data sets that one network is to predict together; empty for a task of one data set.
    tiles : Tiles, optional
        Where the windows of a task with labels lie.
    """

    name: str
    peaks: Path | None
    category: str = "other"
    factor: str | None = None
    negatives: Path | None = None
    held_out: bool = False
    stranded: bool = False
    labels: tuple[TaskSpec, ...] = ()
    tiles: Tiles | None = None

    def to_dict(self) -> dict[str, Any]:
        """Give plain values that JSON can hold."""
        facts: dict[str, Any] = {
            key: str(value) if isinstance(value, Path) else value
            for key, value in vars(self).items()
            if key not in ("labels", "tiles")
        }
        if self.tiles is not None:
            facts["tiles"] = asdict(self.tiles)
            facts["labels"] = [label.to_dict() for label in self.labels]
        return facts


def read_tasks(top: Section, folder: Path, window_bp: int) -> tuple[TaskSpec, ...]:
    """Read the tasks of a corpus file.

    Parameters
    ----------
    top : Section
        The file; its key `tasks` is read as `read_corpus` says.
    folder : Path
        Where relative paths begin.
    window_bp : int
        The corpus's; the windows of a task with labels stand so far apart where it does not say.

    Raises
    ------
    InputError
        A key is unknown or missing, a value is wrong, a named file does not exist.
    """
    return _read_several(top, "tasks", "task", folder, window_bp)


def _read_several(
    section: Section, key: str, what: str, folder: Path, window_bp: int | None
) -> tuple[TaskSpec, ...]:
    """Read a list, a table's path or a table with settings; labels (no `window_bp`) have none themselves."""
    value = section.raw(key)
    if isinstance(value, list):
        specs = []
        for number, entry in enumerate(value, start=1):
            where = f"{section.where}: {what} {number}"
            if not isinstance(entry, Mapping):
                raise InputError(
                    f"{where}: found {entry!r}, but keys and values were needed; "
                    "write for example `- {name: Reb1, peaks: reb1.bed}`"
                )
            specs.append(_read_task(Section(entry, where), folder, window_bp))
        return tuple(specs)
    settings = value if isinstance(value, Mapping) else {"table": value}
    return _read_table(Section(settings, f"{section.where}: {key}"), folder)


def _read_task(entry: Section, folder: Path, window_bp: int | None) -> TaskSpec:
    entry.require("name", "Reb1")
    name = entry.text("name") or ""
    if not re.fullmatch(r"\w[\w .+()-]*", name):
        raise InputError(
            f'{entry.where}: the name "{name}" cannot serve as a name of a file; '
            "use letters, digits and _ . + -"
        )
    named = Section(entry.values, f"{entry.where} ({name})")
    named.text("name")
    has_labels = window_bp is not None and "labels" in entry.values
    if not has_labels:
        entry.require("peaks", "peaks/reb1.bed")
    category = named.text("category") or "other"
    if category.lower() not in _SPELLINGS:
        raise InputError(
            f'{named.where}: unknown category "{category}"; {nearest(category.lower(), _SPELLINGS)}'
        )
    spec = TaskSpec(
        name=name,
        peaks=None,
        category=_SPELLINGS[category.lower()],
        held_out=named.truth("held_out", False),
    )
    if window_bp is not None and has_labels:
        labels, tiles = _read_labels(named, folder), _read_tiles(named, window_bp)
        spec = replace(spec, labels=labels, tiles=tiles)
    else:
        spec = replace(
            spec,
            peaks=named.file("peaks", folder),
            factor=named.text("factor"),
            negatives=named.file("negatives", folder),
            stranded=named.truth("stranded", False),
        )
    named.finish()
    return spec


def _read_labels(entry: Section, folder: Path) -> tuple[TaskSpec, ...]:
    for key in ("peaks", "factor", "negatives"):
        if entry.values.get(key) is not None:
            raise InputError(
                f"{entry.where}: found {key} beside labels, which name their own; leave one of the two out"
            )
    if entry.values.get("stranded"):
        raise InputError(
            f"{entry.where}: found stranded beside labels, whose windows are tiled over both strands; leave it out, "
            "or make each data set a task of its own"
        )
    labels = _read_several(entry, "labels", "label", folder, None)
    if not labels:
        raise InputError(f"{entry.where}: labels names no data set; add at least one")
    counts = Counter(label.name for label in labels)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise InputError(
            f'{entry.where}: two labels are named "{twice[0]}"; give each its own name'
        )
    stranded = [label.name for label in labels if label.stranded]
    if stranded:
        raise InputError(
            f'{entry.where}: the label "{stranded[0]}" is stranded, but windows with many labels are read on both '
            "strands; leave it out, or make it a task of its own"
        )
    held_out = [label.name for label in labels if label.held_out]
    if held_out:
        raise InputError(
            f'{entry.where}: the label "{held_out[0]}" is held out, but a task is held out as a whole; '
            "leave held_out of its labels out"
        )
    return labels


def _read_tiles(entry: Section, window_bp: int) -> Tiles:
    section = entry.section("tiles")
    bin_bp = section.whole("bin_bp", window_bp, least=1)
    if bin_bp > window_bp:
        raise InputError(
            f"{section.where}: found a bin_bp of {bin_bp} in windows of {window_bp} bp; "
            "give the window's width or less"
        )
    tiles = Tiles(
        stride_bp=section.whole("stride_bp", bin_bp, least=1),
        bin_bp=bin_bp,
        unlabelled_per_labelled=section.number("unlabelled_per_labelled", 1.0),
        least_positives=section.whole("least_positives", 10, least=1),
    )
    if not 0 <= tiles.unlabelled_per_labelled <= 1000:
        raise InputError(
            f"{section.where}: found {tiles.unlabelled_per_labelled} unlabelled_per_labelled; "
            "give a number from 0 to 1000"
        )
    section.finish()
    return tiles


def _read_table(settings: Section, folder: Path) -> tuple[TaskSpec, ...]:
    """Read tasks from a TSV; its columns that no task needs are ignored."""
    settings.require("table", "tasks.tsv")
    table = existing(settings.text("table") or "", folder, f"{settings.where}: table")
    columns = settings.section("columns")
    ours = {name: columns.text(name) for name in _COLUMNS}
    columns.finish()
    where = settings.section("where")
    keep = {str(column): where.texts(str(column)) for column in where.values}
    held_out = settings.section("held_out")
    held_out_column, held_out_values = held_out.text("column"), held_out.texts("value")
    held_out.finish()
    settings.finish()
    if bool(held_out_column) != bool(held_out_values):
        raise InputError(f"{held_out.where}: needs both column and value; add the missing one")
    rows, header = read_rows(table)
    asked = [*keep, *(name for name in ours.values() if name)]
    for column in [*asked, *([held_out_column] if held_out_column else [])]:
        if column not in header:
            raise InputError(f'{table}: has no column "{column}"; {nearest(column, header)}')
    specs = []
    for line, row in rows:
        if any(row[column] not in values for column, values in keep.items()):
            continue
        entry: dict[str, Any] = {
            name: row[ours[name] or name] for name in _COLUMNS if (ours[name] or name) in row
        }
        entry = {name: text for name, text in entry.items() if text != ""}
        if held_out_column:
            entry["held_out"] = row[held_out_column] in held_out_values
        for key in _TRUTHS:
            if isinstance(entry.get(key), str):
                entry[key] = _truth_of(entry[key], f"{table}:{line}", key)
        specs.append(_read_task(Section(entry, f"{table}:{line}"), table.parent, None))
    if not specs:
        raise InputError(f"{table}: no row is left of {len(rows)}; loosen `where` or add rows")
    return tuple(specs)


def _truth_of(text: str, where: str, key: str) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in words:
        raise InputError(f'{where}: {key} is "{text}"; write true or false')
    return words[text.lower()]


def read_rows(table: Path) -> tuple[list[tuple[int, dict[str, str]]], list[str]]:
    """Read a TSV with a header.

    Returns
    -------
    rows : list of (int, dict of str to str)
        Each row's line, counted from 1, and its cells by column, without spaces around them.
    header : list of str

    Raises
    ------
    InputError
        The file cannot be read or is empty, or a row has more cells than the header.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            lines = list(csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: cannot be read as a table ({error}); give a TSV") from error
    if not lines:
        raise InputError(f"{table}: is empty; give a TSV with a header and a row for each task")
    header = [name.strip() for name in lines[0]]
    rows = []
    for number, cells in enumerate(lines[1:], start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header):
            raise InputError(
                f"{table}:{number}: {len(cells)} columns were found where the header has "
                f"{len(header)}; correct the row"
            )
        padded = [cell.strip() for cell in cells] + [""] * (len(header) - len(cells))
        rows.append((number, dict(zip(header, padded, strict=True))))
    return rows, header
