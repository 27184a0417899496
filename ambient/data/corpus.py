"""A corpus: many tasks that share a genome, named in one YAML file."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ambient.data.negatives import NegativesConfig
from ambient.data.split import Split
from ambient.data.strict import Section, existing, nearest, read_section
from ambient.errors import InputError

__all__ = ["CATEGORIES", "Corpus", "TaskSpec", "read_corpus"]

CATEGORIES = ("tf", "polymerase", "histone", "accessibility", "other")

# Other spellings of the categories that published tables use.
_SPELLINGS = {
    **{name: name for name in CATEGORIES},
    "transcription factor": "tf",
    "pol": "polymerase",
    "dnase": "accessibility",
    "atac": "accessibility",
}
_RENAMES = ("strip-chr", "add-chr")
_COLUMNS = ("name", "peaks", "category", "factor", "negatives", "held_out")


@dataclass(frozen=True)
class TaskSpec:
    """One task as the corpus file names it.

    Attributes
    ----------
    name : str
        Unique in its corpus.
    peaks : Path
        BED, narrowPeak or broadPeak.
    category : str
        tf, polymerase, histone, accessibility or other.
    factor : str, optional
        The protein, for its domains.
    negatives : Path, optional
        BED of labelled windows (column 5: 1 or 0); where it is given, only its zeros serve as
        negatives.
    held_out : bool
        The task is kept for measuring: no controller is trained on it, and its peaks serve no other
        task.
    """

    name: str
    peaks: Path
    category: str = "other"
    factor: str | None = None
    negatives: Path | None = None
    held_out: bool = False


@dataclass(frozen=True)
class Corpus:
    """Tasks that share a genome; every path is absolute. `read_corpus` says what each key means."""

    path: Path
    genome: Path
    split: Split
    tasks: tuple[TaskSpec, ...]
    annotation: Path | None = None
    phastcons: Path | None = None
    phylop: Path | None = None
    interpro: Path | None = None
    exclude: Path | None = None
    skip_chromosomes: tuple[str, ...] = ()
    rename_chromosomes: str | None = None
    window_bp: int = 500
    widest_window_bp: int = 500
    margin_bp: int = 32
    negatives: NegativesConfig = field(default_factory=NegativesConfig)
    seed: int = 0

    @property
    def training_tasks(self) -> tuple[TaskSpec, ...]:
        """The tasks that a controller may train on."""
        return tuple(spec for spec in self.tasks if not spec.held_out)

    @property
    def held_out_tasks(self) -> tuple[TaskSpec, ...]:
        """The tasks that are kept for measuring."""
        return tuple(spec for spec in self.tasks if spec.held_out)

    @property
    def stored_bp(self) -> int:
        """Sequence stored around each centre: the widest window and a margin for shifts on both sides, bp."""
        return max(self.window_bp, self.widest_window_bp) + 2 * self.margin_bp

    def task(self, name: str) -> TaskSpec:
        """Give the task of a name.

        Raises
        ------
        InputError
            There is none; the nearest name is offered.
        """
        for spec in self.tasks:
            if spec.name == name:
                return spec
        names = [spec.name for spec in self.tasks]
        raise InputError(f'{self.path}: holds no task "{name}"; {nearest(name, names)}')

    def to_dict(self) -> dict[str, Any]:
        """Give the resolved configuration in plain values that JSON can hold."""

        def plain(value: Any) -> Any:
            return str(value) if isinstance(value, Path) else value

        skipped = ("split", "tasks", "negatives")
        facts = {key: plain(value) for key, value in vars(self).items() if key not in skipped}
        return {
            **facts,
            "skip_chromosomes": list(self.skip_chromosomes),
            "split": self.split.to_dict(),
            "negatives": self.negatives.to_dict(),
            "tasks": [{k: plain(v) for k, v in vars(spec).items()} for spec in self.tasks],
        }


def read_corpus(path: str | Path) -> Corpus:
    """Read a corpus file and check that every file it names exists.

    Keys (paths are relative to the YAML file; those with a star are required):

    - `genome`*: FASTA. `annotation`: GTF or GFF3. `conservation`: `{phastcons, phylop}`, bigWigs.
      `interpro`: TSV (factor, interpro). `exclude`: BED of regions that neither peaks nor negatives
      may touch.
    - `skip_chromosomes`: left out of everything, as `[chrM]`. `rename_chromosomes`: strip-chr or
      add-chr, where the peaks' names do not fit the genome's.
    - `window_bp` (500): input of a network. `widest_window_bp` (the same): the widest input that
      any network will ask for. `margin_bp` (32): how far a window may be shifted.
    - `split`*: `{validation: [chromosomes], test: [chromosomes]}`; every other chromosome trains.
    - `negatives`: `{per_positive: 2, mix: {gc_matched: 1, other_tasks: 1}}`; kinds are random,
      gc_matched, other_tasks. Peaks of held-out tasks are never used as negatives.
    - `seed` (0).
    - `tasks`*: a list of `{name*, peaks*, category, factor, negatives, held_out}`; or the path of a
      TSV with such columns; or `{table*, columns, where, held_out}`: `columns` maps our names to
      the TSV's (`{peaks: path}`), `where` keeps rows (`{benchmark: [train, test]}`), `held_out`
      says which rows are held out (`{column: benchmark, value: test}`). Paths in a TSV are relative
      to the TSV.

    A task with `held_out: true` is kept for measuring: training never touches it.

    Parameters
    ----------
    path : path of a YAML file

    Returns
    -------
    Corpus

    Raises
    ------
    InputError
        The file is absent or broken, a key is unknown or missing, a value is of the wrong kind, a
        named file does not exist, names stand twice, a chromosome serves two splits.
    """
    path = Path(path).expanduser().resolve()
    top = read_section(path, "corpus file")
    folder = path.parent
    top.require("genome", "genome.fa.gz")
    top.require("split", "{validation: [chrII], test: [chrIV]}")
    top.require("tasks", "tasks.tsv")
    conservation = top.section("conservation")
    split = top.section("split")
    negatives = top.section("negatives")
    mix = negatives.section("mix")
    window_bp = top.whole("window_bp", 500, least=10)
    rename = top.text("rename_chromosomes")
    if rename is not None and rename not in _RENAMES:
        raise InputError(
            f'{path}: rename_chromosomes is "{rename}"; give one of {", ".join(_RENAMES)}'
        )
    genome = top.file("genome", folder)
    if genome is None:
        raise InputError(f"{path}: genome is missing; add the path of a FASTA file")
    try:
        corpus = Corpus(
            path=path,
            genome=genome,
            split=Split(validation=split.texts("validation"), test=split.texts("test")),
            tasks=_read_tasks(top, folder),
            annotation=top.file("annotation", folder),
            phastcons=conservation.file("phastcons", folder),
            phylop=conservation.file("phylop", folder),
            interpro=top.file("interpro", folder),
            exclude=top.file("exclude", folder),
            skip_chromosomes=top.texts("skip_chromosomes"),
            rename_chromosomes=rename,
            window_bp=window_bp,
            widest_window_bp=top.whole("widest_window_bp", window_bp, least=window_bp),
            margin_bp=top.whole("margin_bp", 32, least=0),
            negatives=NegativesConfig(
                negatives.number("per_positive", 2.0),
                {str(kind): mix.number(str(kind), 0.0) for kind in mix.values} or None,
            ),
            seed=top.whole("seed", 0, least=0),
        )
    except InputError as error:
        if str(error).startswith(("split:", "negatives:")):
            raise InputError(f"{path}: {error}") from error
        raise
    for section in (conservation, split, negatives, top):
        section.finish()
    _check(corpus)
    return corpus


def _check(corpus: Corpus) -> None:
    skipped = set(corpus.skip_chromosomes) & {*corpus.split.validation, *corpus.split.test}
    if skipped:
        raise InputError(
            f'{corpus.path}: "{min(skipped)}" stands in split and in skip_chromosomes; '
            "remove it from one of them"
        )
    seen: set[str] = set()
    for spec in corpus.tasks:
        if spec.name in seen:
            raise InputError(
                f'{corpus.path}: two tasks are named "{spec.name}"; give each its own name'
            )
        seen.add(spec.name)
    if not corpus.tasks:
        raise InputError(f"{corpus.path}: tasks names no task; add at least one")


def _read_tasks(top: Section, folder: Path) -> tuple[TaskSpec, ...]:
    value = top.raw("tasks")
    if isinstance(value, list):
        specs = []
        for number, entry in enumerate(value, start=1):
            where = f"{top.where}: task {number}"
            if not isinstance(entry, Mapping):
                raise InputError(
                    f"{where}: found {entry!r}, but keys and values were needed; "
                    "write for example `- {name: Reb1, peaks: reb1.bed}`"
                )
            specs.append(_read_task(Section(entry, where), folder))
        return tuple(specs)
    if isinstance(value, Mapping):
        return _read_table(Section(value, f"{top.where}: tasks"), folder)
    return _read_table(Section({"table": value}, f"{top.where}: tasks"), folder)


def _read_task(entry: Section, folder: Path) -> TaskSpec:
    entry.require("name", "Reb1")
    entry.require("peaks", "peaks/reb1.bed")
    name = entry.text("name") or ""
    if not re.fullmatch(r"\w[\w .+()-]*", name):
        raise InputError(
            f'{entry.where}: the name "{name}" cannot serve as a name of a file; '
            "use letters, digits and _ . + -"
        )
    entry.where = f"{entry.where} ({name})"
    peaks = entry.file("peaks", folder)
    if peaks is None:
        raise InputError(f"{entry.where}: peaks is missing; add the path of a peak file")
    category = entry.text("category") or "other"
    if category.lower() not in _SPELLINGS:
        raise InputError(
            f'{entry.where}: unknown category "{category}"; {nearest(category.lower(), _SPELLINGS)}'
        )
    spec = TaskSpec(
        name=name,
        peaks=peaks,
        category=_SPELLINGS[category.lower()],
        factor=entry.text("factor"),
        negatives=entry.file("negatives", folder),
        held_out=entry.truth("held_out", False),
    )
    entry.finish()
    return spec


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
    rows, header = _read_rows(table)
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
        elif "held_out" in entry:
            entry["held_out"] = _truth_of(entry["held_out"], f"{table}:{line}")
        specs.append(_read_task(Section(entry, f"{table}:{line}"), table.parent))
    if not specs:
        raise InputError(f"{table}: no row is left of {len(rows)}; loosen `where` or add rows")
    return tuple(specs)


def _truth_of(text: str, where: str) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in words:
        raise InputError(f'{where}: held_out is "{text}"; write true or false')
    return words[text.lower()]


def _read_rows(table: Path) -> tuple[list[tuple[int, dict[str, str]]], list[str]]:
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
