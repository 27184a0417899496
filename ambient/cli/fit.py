"""`ambient fit`: one architecture trained on one task, and exported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ambient.cli.options import (
    PATH,
    data_set_options,
    json_option,
    need,
    print_json,
    seed_option,
    split_names,
)
from ambient.errors import InputError

if TYPE_CHECKING:
    from ambient.data.task import TaskData
    from ambient.fit import Fitted


@click.command(
    epilog="""\b
Example
  ambient fit reb1.bed.gz --genome sacCer3.fa.gz --architecture proposals.json --output reb1
  ambient fit corpus.yaml --task Reb1 --architecture proposals.json --output reb1"""
)
@click.argument("source", type=PATH, metavar="PEAKS|CORPUS")
@click.option("--architecture", type=PATH, required=True, help="JSON; of proposals the first.")
@click.option("--task", "task_name", help="Which task of a CORPUS.")
@click.option(
    "--window", "window_bp", type=click.IntRange(min=50), help="bp; 500, or the corpus's."
)
@click.option("--validation", help="Chromosomes that stop training, by commas; else chosen.")
@click.option("--test", help="Chromosomes that only measure, by commas; else chosen.")
@click.option(
    "--epochs", type=click.IntRange(min=1), help="Passes; of the full fidelity if not given."
)
@click.option("--device", default="cpu", show_default=True, help="As torch spells it.")
@data_set_options
@click.option("--output", type=PATH, required=True, help="A folder; made anew.")
@seed_option
@json_option
def command(
    source: Path,
    architecture: Path,
    task_name: str | None,
    window_bp: int | None,
    validation: str | None,
    test: str | None,
    epochs: int | None,
    device: str,
    output: Path,
    seed: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Train an architecture on PEAKS, or on a task of a CORPUS, and export a model that needs no ambient."""
    from ambient.fit import check_model_folder, fit
    from ambient.propose import read_architecture

    check_model_folder(output)
    chosen = read_architecture(architecture)
    if source.suffix in (".yaml", ".yml"):
        task = _task_of_corpus(
            source, need(task_name, "--task", "to choose one of a corpus"), options
        )
        if window_bp or validation or test:
            raise InputError(
                f"--window, --validation and --test were given with the corpus {source}, which says all three; "
                "leave them out"
            )
    else:
        if task_name is not None:
            raise InputError(f"--task was given, but {source} is no corpus; leave it out")
        task = task_of_peaks(source, window_bp or 500, validation, test, seed, options)
    from dataclasses import replace

    from ambient.child.fidelity import FULL

    fidelity = FULL if epochs is None else replace(FULL, name="full-epochs", epochs=epochs)
    show_fitted(fit(task, chosen, output, fidelity, seed, device), as_json)


def _task_of_corpus(path: Path, name: str, options: dict[str, Any]) -> TaskData:
    from ambient.data.corpus import read_corpus
    from ambient.data.prepare import prepare_corpus

    given = sorted(key for key, value in options.items() if value is not None)
    if given:
        raise InputError(
            f"--{given[0].replace('_', '-')} was given with the corpus {path}, which names its own files; leave it out"
        )
    return prepare_corpus(read_corpus(path), names=[name])[name]


def task_of_peaks(
    peaks: Path,
    window_bp: int,
    validation: str | None,
    test: str | None,
    seed: int,
    options: dict[str, Any],
) -> TaskData:
    """Make a task from the options of a single peak file."""
    from ambient.data.prepare import task_from_peaks
    from ambient.data.split import Split

    need(options["genome"], "--genome", "to read the sequence under the peaks")
    if (validation is None) != (test is None):
        raise InputError("found one of --validation and --test; give both, or neither")
    split = None
    if validation is not None and test is not None:
        split = Split(tuple(split_names(validation) or ()), tuple(split_names(test) or ()))
    return task_from_peaks(
        peaks,
        options["genome"],
        name=options["name"],
        category=options["category"] or "other",
        split=split,
        exclude=options["exclude"],
        chromosomes=split_names(options["chromosomes"]),
        rename_chromosomes=options["rename_chromosomes"],
        window_bp=window_bp,
        seed=seed,
    )


def show_fitted(fitted: Fitted, as_json: bool) -> None:
    """Print what came out: the network beside 5-mer regression on the same windows."""
    if as_json:
        print_json(
            {
                "folder": str(fitted.folder),
                "metrics": dict(fitted.metrics),
                "kmer_baseline": dict(fitted.kmer),
            }
        )
        return
    for word, scores in (("network", fitted.metrics), ("5-mer regression", fitted.kmer)):
        cells = ", ".join(
            f"{name} {scores[key]:.3f}" if scores[key] is not None else f"{name} -"
            for name, key in (("AUROC", "test_auroc"), ("AUPR", "test_aupr"))
        )
        click.echo(f"test chromosomes, {word}: {cells}")
    click.echo(f"wrote {fitted.folder}")
