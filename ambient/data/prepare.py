"""From peak files to tasks in memory: positives, negatives, split; one task, or a whole corpus with a cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ambient.data.assemble import Ground, Positives, assemble, read_excluded, read_positives
from ambient.data.corpus import CATEGORIES, WIDEST_WINDOW_BP, Corpus, TaskSpec
from ambient.data.negatives import NegativesConfig
from ambient.data.split import Split, choose_split, is_skipped
from ambient.data.strict import nearest
from ambient.data.task import FORMAT, TaskData
from ambient.data.tiles import assemble_tiles
from ambient.data.windows import Landscape
from ambient.errors import InputError, RunError
from ambient.files import short_hash
from descriptors.genome import Genome
from descriptors.peaks import read_peaks
from descriptors.sources import sha256_of

__all__ = ["open_genome", "prepare_corpus", "prepare_task", "task_from_peaks"]

# Goes into the names of cached tasks: raise it whenever the same input gives other windows.
RECIPE = 1


def open_genome(corpus: Corpus) -> Genome:
    """Open a corpus's genome and check that its split fits.

    Raises
    ------
    InputError
        The split or `skip_chromosomes` names a chromosome that the genome lacks, or no chromosome
        is left to train on.
    """
    genome = Genome.open(corpus.genome)
    for key, names in (
        ("split: validation", corpus.split.validation),
        ("split: test", corpus.split.test),
        ("skip_chromosomes", corpus.skip_chromosomes),
    ):
        for name in names:
            is_there = name in genome.sizes
            if key == "skip_chromosomes":
                is_there = any(is_skipped(one, [name]) for one in genome.sizes)
            if not is_there:
                raise InputError(
                    f'{corpus.path}: {key} names "{name}", which {genome.name} does not have; '
                    f"{nearest(name, genome.sizes)}"
                )
    if not corpus.split.training_chromosomes(_chromosomes(genome, corpus.skip_chromosomes)):
        raise InputError(
            f"{corpus.path}: split leaves no chromosome of {genome.name} to train on; "
            "take one out of validation or test"
        )
    return genome


def prepare_task(corpus: Corpus, spec: TaskSpec, genome: Genome | None = None) -> TaskData:
    """Make one task of a corpus: its windows, negatives and split.

    Parameters
    ----------
    corpus : Corpus
    spec : TaskSpec
        One of the corpus's tasks.
    genome : Genome, optional
        The corpus's, already opened.

    Returns
    -------
    TaskData

    Raises
    ------
    InputError
        A file is wrong, or a split is left without positives or negatives.
    """
    return _Preparation(corpus, genome).prepare(spec)


def prepare_corpus(
    corpus: Corpus, cache: str | Path | None = None, names: Sequence[str] | None = None
) -> dict[str, TaskData]:
    """Make the tasks of a corpus, or read those that were made before from the same content.

    Parameters
    ----------
    corpus : Corpus
    cache : path of a folder, optional
        Made where it is absent. A file in it is named by the hash of everything that its task
        depends on.
    names : sequence of str, optional
        Only these tasks.

    Returns
    -------
    dict of str to TaskData
        In the corpus's order.

    Raises
    ------
    InputError
        As `prepare_task`; or a name is no task's.
    """
    specs = corpus.tasks if names is None else tuple(corpus.task(name) for name in names)
    genome = open_genome(corpus)
    prepare = _Preparation(corpus, genome).prepare
    if cache is None:
        return {spec.name: prepare(spec) for spec in specs}
    folder = Path(cache)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"{folder}: a file stands where a folder was needed; name another"
        ) from error
    shared = _shared_facts(corpus, genome)
    tasks = {}
    for spec in specs:
        path = folder / f"{spec.name}-{_key(shared, corpus, spec)}.npz"
        try:
            tasks[spec.name] = TaskData.load(path)
        except RunError:  # absent or damaged: made anew
            tasks[spec.name] = prepare(spec)
            tasks[spec.name].save(path)
    return tasks


def task_from_peaks(
    peaks: str | Path,
    genome: str | Path | Genome,
    *,
    name: str | None = None,
    category: str = "other",
    split: Split | None = None,
    exclude: str | Path | None = None,
    labelled: str | Path | None = None,
    chromosomes: Sequence[str] | None = None,
    rename_chromosomes: str | None = None,
    window_bp: int = 500,
    widest_window_bp: int = WIDEST_WINDOW_BP,
    margin_bp: int = 32,
    negatives: NegativesConfig | None = None,
    stranded: bool = False,
    seed: int = 0,
) -> TaskData:
    """Make a task from one peak file, without a corpus.

    Parameters
    ----------
    peaks : path
        BED, narrowPeak or broadPeak.
    genome : path or Genome
    name : str, optional
        The peak file's name up to its first dot where it is not given.
    category : str
    split : Split, optional
        Chosen from the peaks where it is not given (`choose_split`); the windows' chromosomes tell
        what was chosen.
    exclude : path, optional
        BED of regions that neither peaks nor negatives may touch.
    labelled : path, optional
        BED of labelled windows, whose zeros are then the only negatives.
    chromosomes : sequence of str, optional
        Only these take part.
    rename_chromosomes : "strip-chr" or "add-chr", optional
    window_bp, widest_window_bp, margin_bp : int
        As in a corpus.
    negatives : NegativesConfig, optional
        Two GC-matched ones for each positive where it is not given.
    stranded : bool
        Windows are read on the strand of their peak, as RNA is; negatives lie on either.
    seed : int

    Returns
    -------
    TaskData

    Raises
    ------
    InputError
        A file is wrong; peaks lie on fewer than three chromosomes; a split has no positives or no
        negatives.
    """
    opened = Genome.open(genome)
    peaks = Path(peaks)
    label = name or peaks.name.split(".")[0]
    if category not in CATEGORIES:
        raise InputError(f'{label}: unknown category "{category}"; {nearest(category, CATEGORIES)}')
    if window_bp < 10 or margin_bp < 0:
        raise InputError(
            f"{label}: found a window of {window_bp} bp with a margin of {margin_bp} bp; "
            "give a window of at least 10 bp and a margin of at least 0 bp"
        )
    names = list(opened.sizes) if chromosomes is None else list(chromosomes)
    excluded = read_excluded(exclude, opened, rename_chromosomes)
    if split is None:
        table = read_peaks(peaks, opened, exclude, names, rename_chromosomes).table
        counts = {str(key): int(n) for key, n in table["chromosome"].value_counts().items()}
        split = choose_split(counts, where=str(peaks))
    for part in (*split.validation, *split.test):
        if part not in names:
            raise InputError(
                f'{label}: the split names "{part}", which is not among the chromosomes that take '
                f"part; {nearest(part, names)}"
            )
    ground = Ground(
        opened,
        Landscape(opened, window_bp, names, split, excluded, seed, stranded),
        excluded,
        rename_chromosomes,
        max(window_bp, widest_window_bp) + 2 * margin_bp,
        negatives or NegativesConfig(),
        seed,
    )
    own = Path(labelled) if labelled else None
    spec = TaskSpec(label, peaks, category, negatives=own, stranded=stranded)
    return assemble(ground, spec, read_positives(ground, peaks), [])


def _chromosomes(genome: Genome, skipped: Sequence[str]) -> list[str]:
    return [name for name in genome.sizes if not is_skipped(name, skipped)]


class _Preparation:
    """Prepares tasks of one corpus; what they share is made when the first of them needs it."""

    def __init__(self, corpus: Corpus, genome: Genome | None) -> None:
        self.corpus = corpus
        self.genome = genome
        self._ground: dict[bool, Ground] = {}
        self._positives: dict[str, Positives] = {}

    def ground(self, stranded: bool) -> Ground:
        if stranded not in self._ground:
            self.genome = self.genome or open_genome(self.corpus)
            self._ground[stranded] = _ground_of(self.corpus, self.genome, stranded)
        return self._ground[stranded]

    def positives(self, name: str, peaks: Path, stranded: bool) -> Positives:
        if name not in self._positives:
            self._positives[name] = read_positives(self.ground(stranded), peaks)
        return self._positives[name]

    def prepare(self, spec: TaskSpec) -> TaskData:
        ground = self.ground(spec.stranded)
        if spec.peaks is None:
            return assemble_tiles(ground, spec)
        others: list[np.ndarray] = []
        if _wants_other_tasks(self.corpus, spec):
            others = [
                self.positives(name, peaks, spec.stranded).starts
                for name, peaks in _training_peaks(self.corpus, spec.stranded).items()
                if name != spec.name
            ]
        own = self.positives(spec.name, spec.peaks, spec.stranded)
        return assemble(ground, spec, own, others)


def _training_peaks(corpus: Corpus, stranded: bool) -> dict[str, Path]:
    """Give the peaks that may be negatives of others: those of training tasks of one data set, stranded alike."""
    return {
        one.name: one.peaks
        for one in corpus.training_tasks
        if one.peaks is not None and one.stranded == stranded
    }


def _wants_other_tasks(corpus: Corpus, spec: TaskSpec) -> bool:
    mix = corpus.negatives.mix
    return spec.negatives is None and (mix is None or bool(mix.get("other_tasks")))


def _ground_of(corpus: Corpus, genome: Genome, stranded: bool) -> Ground:
    excluded = read_excluded(corpus.exclude, genome, corpus.rename_chromosomes)
    names = _chromosomes(genome, corpus.skip_chromosomes)
    return Ground(
        genome,
        Landscape(genome, corpus.window_bp, names, corpus.split, excluded, corpus.seed, stranded),
        excluded,
        corpus.rename_chromosomes,
        corpus.stored_bp,
        corpus.negatives,
        corpus.seed,
        corpus.most_positives,
    )


def _shared_facts(corpus: Corpus, genome: Genome) -> dict[str, Any]:
    """Give what every task of a corpus depends on."""
    return {
        "format": [FORMAT, RECIPE],
        "genome": genome.sha256,
        "exclude": sha256_of(corpus.exclude) if corpus.exclude else None,
        "skip_chromosomes": sorted(corpus.skip_chromosomes),
        "rename_chromosomes": corpus.rename_chromosomes,
        "window_bp": corpus.window_bp,
        "stored_bp": corpus.stored_bp,
        "split": {"validation": sorted(corpus.split.validation), "test": sorted(corpus.split.test)},
        "negatives": corpus.negatives.to_dict(),
        "seed": corpus.seed,
        "training_peaks": {
            stranded: {n: sha256_of(p) for n, p in _training_peaks(corpus, stranded).items()}
            for stranded in (False, True)
        },
    }


def _key(shared: dict[str, Any], corpus: Corpus, spec: TaskSpec) -> str:
    facts = {**shared, "name": spec.name, "category": spec.category, **_files(spec)}
    training_peaks = facts.pop("training_peaks")
    if spec.stranded:
        facts["stranded"] = True
    if spec.tiles is not None:
        facts["tiles"] = asdict(spec.tiles)
        facts["labels"] = [[one.name, one.category, _files(one)] for one in spec.labels]
        del facts["negatives"]
        return short_hash(facts)
    if corpus.most_positives is not None:
        facts["most_positives"] = corpus.most_positives
    if _wants_other_tasks(corpus, spec):
        facts["training_peaks"] = training_peaks[spec.stranded]
    return short_hash(facts)


def _files(spec: TaskSpec) -> dict[str, str | None]:
    """Give the hashes of a task's own files."""
    return {
        "peaks": sha256_of(spec.peaks) if spec.peaks else None,
        "labelled": sha256_of(spec.negatives) if spec.negatives else None,
    }
