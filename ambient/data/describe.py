"""Descriptors of every task of a corpus: training chromosomes only, many at once, remembered by content."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ambient.data.corpus import Corpus, TaskSpec
from ambient.files import short_hash, write_atomic
from ambient.version import __version__
from descriptors.genome import Genome
from descriptors.pipeline import Descriptors, describe
from descriptors.schema import SCHEMA_VERSION
from descriptors.sources import sha256_of

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__ = ["describe_corpus"]

_genomes: dict[Path, Genome] = {}  # of this process: a worker opens a genome once


def describe_corpus(
    corpus: Corpus,
    specs: Sequence[TaskSpec] | None = None,
    cache: Path | None = None,
    seed: int = 0,
    workers: int | None = None,
    on_done: Callable[[str], None] | None = None,
) -> dict[str, Descriptors]:
    """Describe the tasks of a corpus from the training chromosomes of its split.

    Parameters
    ----------
    corpus : Corpus
    specs : sequence of TaskSpec, optional
        Which tasks; all where it is not given.
    cache : path, optional
        A folder, made where absent, that remembers each result by the contents of all files that it was made from.
    seed : int
        Of the background windows of the motif finder.
    workers : int, optional
        Processes; one for each core where it is not given. The results do not depend on it.
    on_done : callable, optional
        Told each task's name when its descriptors are there.

    Returns
    -------
    dict of str to Descriptors
        In the order of the corpus.

    Raises
    ------
    InputError
        A file of a task is wrong.
    """
    specs = corpus.tasks if specs is None else specs
    files = {path: sha256_of(path) for path in _shared_files(corpus)}
    described: dict[str, Descriptors] = {}
    missing: dict[str, tuple[dict[str, Any], Path | None]] = {}
    for spec in specs:
        arguments = _arguments(corpus, spec, seed)
        remembered = None
        if cache is not None:
            cache.mkdir(parents=True, exist_ok=True)
            identity = {
                "version": [__version__, SCHEMA_VERSION],
                "peaks": sha256_of(spec.peaks),
                "files": sorted(files.values()),
                "arguments": {
                    key: value for key, value in arguments.items() if not isinstance(value, Path)
                },
            }
            remembered = cache / f"{spec.name}-{short_hash(identity)}.json"
        if remembered is not None and remembered.is_file():
            described[spec.name] = Descriptors.load(remembered)
            if on_done:
                on_done(spec.name)
        else:
            missing[spec.name] = (arguments, remembered)
    for name, result in _describe_many(missing, workers):
        described[name] = result
        remembered = missing[name][1]
        if remembered is not None:
            write_atomic(remembered, result.to_json())
        if on_done:
            on_done(name)
    return {spec.name: described[spec.name] for spec in specs}


def _shared_files(corpus: Corpus) -> list[Path]:
    named = (corpus.genome, corpus.annotation, corpus.phastcons, corpus.phylop)
    return [path for path in (*named, corpus.interpro, corpus.exclude) if path is not None]


def _arguments(corpus: Corpus, spec: TaskSpec, seed: int) -> dict[str, Any]:
    chromosomes = corpus.split.training_chromosomes(
        [name for name in _genome(corpus.genome).sizes if name not in corpus.skip_chromosomes]
    )
    return {
        "peaks": spec.peaks,
        "genome": corpus.genome,
        "annotation": corpus.annotation,
        "phastcons": corpus.phastcons,
        "phylop": corpus.phylop,
        "interpro": corpus.interpro,
        "exclude": corpus.exclude,
        "category": spec.category,
        "factor": spec.factor,
        "chromosomes": chromosomes,
        "rename_chromosomes": corpus.rename_chromosomes,
        "name": spec.name,
        "seed": seed,
    }


def _describe_many(
    missing: dict[str, tuple[dict[str, Any], Path | None]], workers: int | None
) -> Any:
    """Yield (name, descriptors) as they are done."""
    workers = min(workers or os.cpu_count() or 1, len(missing))
    if workers <= 1:
        for name, (arguments, _) in missing.items():
            yield name, _describe_one(arguments)
        return
    executor: Executor
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as executor:
        names = {
            executor.submit(_describe_one, arguments): name
            for name, (arguments, _) in missing.items()
        }
        try:
            for future in as_completed(names):
                yield names[future], future.result()
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def _describe_one(arguments: dict[str, Any]) -> Descriptors:
    return describe(**{**arguments, "genome": _genome(arguments["genome"])})


def _genome(path: Path) -> Genome:
    if path not in _genomes:
        _genomes[path] = Genome.open(path)
    return _genomes[path]
