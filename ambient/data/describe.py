"""Descriptors of every task of a corpus: training chromosomes only, many at once, remembered by content."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import descriptors
from ambient.data.corpus import Corpus, TaskSpec
from ambient.data.prepare import open_genome
from ambient.data.split import is_skipped
from ambient.errors import InputError, RunError
from ambient.files import short_hash, write_atomic
from ambient.processes import leave_with_parent
from ambient.version import __version__
from descriptors.annotation import Annotation, read_annotation
from descriptors.genome import Genome
from descriptors.pipeline import Descriptors, describe
from descriptors.schema import SCHEMA_VERSION
from descriptors.sources import sha256_of

__all__ = ["describe_corpus"]


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
        A folder, made where absent, that remembers each result by everything that it was made from.
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
        A file of a task is wrong, the split names a chromosome that the genome does not have, or the
        cache cannot be written.
    RunError
        A worker was killed.
    """
    specs = corpus.tasks if specs is None else specs
    # Files may have changed since an earlier call in this process.
    _genome.cache_clear()
    _annotation.cache_clear()
    for spec in specs:
        if spec.peaks is None:
            raise InputError(
                f"{corpus.path}: {spec.name} has {len(spec.labels)} labels, and descriptors are of one data "
                "set; name its data sets as tasks of their own, or choose other tasks"
            )
    names = [n for n in open_genome(corpus).sizes if not is_skipped(n, corpus.skip_chromosomes)]
    chromosomes = corpus.split.training_chromosomes(names)
    arguments = {spec.name: _arguments(corpus, spec, chromosomes, seed) for spec in specs}
    places = {} if cache is None else _places(cache, arguments)
    described: dict[str, Descriptors] = {}
    for name, place in places.items():
        if (remembered := _remembered(place, name)) is not None:
            described[name] = remembered
            if on_done:
                on_done(name)
    missing = {name: arguments[name] for name in arguments if name not in described}
    for name, result in _describe_many(missing, workers):
        described[name] = result
        if name in places:
            write_atomic(places[name], result.to_json())
        if on_done:
            on_done(name)
    return {spec.name: described[spec.name] for spec in specs}


def _arguments(
    corpus: Corpus, spec: TaskSpec, chromosomes: Sequence[str], seed: int
) -> dict[str, Any]:
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
        "stranded": spec.stranded,
        "seed": seed,
    }


def _places(cache: Path, arguments: Mapping[str, Mapping[str, Any]]) -> dict[str, Path]:
    """Give the file that remembers each task: named by the code, the contents of all files and the options."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{cache}: the cache cannot be made there ({error.strerror}); name another folder"
        ) from error
    made_by = [__version__, SCHEMA_VERSION, _code_of_descriptors()]
    hashed = functools.cache(sha256_of)
    places = {}
    for name, options in arguments.items():
        # The names of files stand in the result's provenance.
        identity = {
            key: [value.name, hashed(value)] if isinstance(value, Path) else value
            for key, value in options.items()
        }
        places[name] = cache / f"{name}-{short_hash({'made_by': made_by, **identity})}.json"
    return places


@functools.cache
def _code_of_descriptors() -> str:
    """Hash the package that describes: with any change of it, what is remembered is made again."""
    folder = Path(str(descriptors.__file__)).parent
    files = sorted(path for path in folder.iterdir() if path.suffix in (".py", ".tsv"))
    return short_hash([[path.name, sha256_of(path)] for path in files])


def _remembered(place: Path, name: str) -> Descriptors | None:
    """Read what was described before; None where it is absent, damaged or another task's."""
    try:
        found = Descriptors.load(place)
    except InputError:
        return None
    return found if found.task == name else None


def _describe_many(
    missing: Mapping[str, Mapping[str, Any]], workers: int | None
) -> Iterator[tuple[str, Descriptors]]:
    """Yield names and descriptors as they are done; where that is broken off, so are the descriptions under way."""
    workers = min(workers or os.cpu_count() or 1, len(missing))
    if workers <= 1:
        for name, arguments in missing.items():
            yield name, _describe_one(arguments)
        return
    context = multiprocessing.get_context("spawn")
    leash, own_end = context.Pipe(duplex=False)
    with leash, own_end, ProcessPoolExecutor(workers, context, _begin_worker, (leash,)) as executor:
        names = {
            executor.submit(_describe_one, arguments): name for name, arguments in missing.items()
        }
        try:
            for future in as_completed(names):
                yield names[future], future.result()
        except BrokenProcessPool as error:
            raise RunError(
                f"one of the {workers} processes that describe was killed, perhaps for want of memory; "
                "use fewer workers"
            ) from error
        finally:
            # Nobody waits here; the leash, whose ends are closed next, ends what is under way.
            executor.shutdown(wait=False, cancel_futures=True)


def _begin_worker(leash: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the parent to answer
    leave_with_parent(leash=leash)


def _describe_one(arguments: Mapping[str, Any]) -> Descriptors:
    genome, annotation = _genome(arguments["genome"]), arguments["annotation"]
    if annotation is not None:
        chromosomes, rename = tuple(arguments["chromosomes"]), arguments["rename_chromosomes"]
        annotation = _annotation(annotation, arguments["genome"], chromosomes, rename)
    return describe(**{**arguments, "genome": genome, "annotation": annotation})


# A process opens what all tasks of a corpus share once, and holds no more than that.
@functools.lru_cache(maxsize=1)
def _genome(path: Path) -> Genome:
    return Genome.open(path)


@functools.lru_cache(maxsize=1)
def _annotation(
    path: Path, genome: Path, chromosomes: tuple[str, ...], rename: str | None
) -> Annotation:
    return read_annotation(path, _genome(genome), chromosomes, rename)
