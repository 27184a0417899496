"""A corpus: many tasks that share a genome, named in one YAML file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ambient.data.negatives import NegativesConfig
from ambient.data.specs import CATEGORIES, TaskSpec, read_tasks
from ambient.data.split import Split, is_skipped
from ambient.data.strict import Section, nearest, read_section
from ambient.errors import InputError

__all__ = ["CATEGORIES", "WIDEST_WINDOW_BP", "Corpus", "TaskSpec", "read_corpus"]

# Stored where nobody says how much: networks of the named spaces ask for no more.
WIDEST_WINDOW_BP = 1000
_RENAMES = ("strip-chr", "add-chr")


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
    widest_window_bp: int = WIDEST_WINDOW_BP
    margin_bp: int = 32
    negatives: NegativesConfig = field(default_factory=NegativesConfig)
    most_positives: int | None = None
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
        skipped = ("split", "tasks", "negatives")
        return {
            **{
                key: str(value) if isinstance(value, Path) else value
                for key, value in vars(self).items()
                if key not in skipped
            },
            "skip_chromosomes": list(self.skip_chromosomes),
            "split": self.split.to_dict(),
            "negatives": self.negatives.to_dict(),
            "tasks": [spec.to_dict() for spec in self.tasks],
        }


def read_corpus(path: str | Path) -> Corpus:
    """Read a corpus file and check that every file it names exists.

    Keys (paths are relative to the YAML file; those with a star are required):

    - `genome`*: FASTA. `annotation`: GTF or GFF3. `conservation`: `{phastcons, phylop}`, bigWigs.
      `interpro`: TSV (factor, interpro). `exclude`: BED of regions that neither peaks nor negatives
      may touch.
    - `skip_chromosomes`: left out of everything, as `[chrM, "chrUn_*"]`; `*` stands for any letters.
      `rename_chromosomes`: strip-chr or add-chr, where the peaks' names do not fit the genome's.
    - `window_bp` (500): input of a network that does not say its own. `widest_window_bp` (1000, or
      `window_bp` where that is more): the widest input that any network will ask for. `margin_bp`
      (32): how far a window may be shifted.
    - `split`*: `{validation: [chromosomes], test: [chromosomes]}`; every other chromosome trains.
    - `negatives`: `{per_positive: 2, mix: {gc_matched: 1, other_tasks: 1}}`; kinds are random,
      gc_matched, other_tasks. Peaks of held-out tasks are never used as negatives.
    - `most_positives` (all): of a task with more, so many are drawn, in the ratio of the splits.
    - `seed` (0).
    - `tasks`*: a list of `{name*, peaks*, category, factor, negatives, held_out, stranded}`; or the path of a
      TSV with such columns; or `{table*, columns, where, held_out}`: `columns` maps our names to
      the TSV's (`{peaks: path}`), `where` keeps rows (`{benchmark: [train, test]}`), `held_out`
      says which rows are held out (`{column: benchmark, value: test}`). Paths in a TSV are relative
      to the TSV.
    - In the list, a task may have `labels`* instead of `peaks`: many data sets, in any form that
      `tasks` may have, which one network is to predict together. Its windows are tiled over the
      genome: `tiles: {stride_bp, bin_bp, unlabelled_per_labelled: 1, least_positives: 10}`.
      `bin_bp` (a whole window) is the middle of a window that decides its labels, `stride_bp` (the
      same) the way to the next window.

    A task with `held_out: true` is kept for measuring: training never touches it. One with `stranded: true`
    is read on the strand of its peaks, as RNA is.

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
            tasks=read_tasks(top, folder, window_bp),
            annotation=top.file("annotation", folder),
            phastcons=conservation.file("phastcons", folder),
            phylop=conservation.file("phylop", folder),
            interpro=top.file("interpro", folder),
            exclude=top.file("exclude", folder),
            skip_chromosomes=top.texts("skip_chromosomes"),
            rename_chromosomes=rename,
            window_bp=window_bp,
            widest_window_bp=top.whole(
                "widest_window_bp", max(window_bp, WIDEST_WINDOW_BP), least=window_bp
            ),
            margin_bp=top.whole("margin_bp", 32, least=0),
            negatives=NegativesConfig(
                negatives.number("per_positive", 2.0),
                {str(kind): mix.number(str(kind), 0.0) for kind in mix.values} or None,
            ),
            most_positives=_most_positives(top),
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


def _most_positives(top: Section) -> int | None:
    # Three: one for each split.
    return None if top.raw("most_positives") is None else top.whole("most_positives", 3, least=3)


def _check(corpus: Corpus) -> None:
    for name in (*corpus.split.validation, *corpus.split.test):
        if is_skipped(name, corpus.skip_chromosomes):
            raise InputError(
                f'{corpus.path}: "{name}" stands in split and in skip_chromosomes; '
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
