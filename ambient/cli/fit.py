"""`ambient fit`: one architecture trained on one task, and exported."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ambient.cli.fitting import Fitting, fitting_options, show_fitted
from ambient.cli.options import (
    PATH,
    json_option,
    need,
    peak_options,
    seed_option,
)
from ambient.errors import InputError

if TYPE_CHECKING:
    from ambient.data.task import TaskData


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
@fitting_options
@peak_options
@click.option("--output", type=PATH, required=True, help="A folder; made anew.")
@seed_option
@json_option
def command(
    source: Path,
    architecture: Path,
    task_name: str | None,
    window_bp: int | None,
    training: Fitting,
    output: Path,
    seed: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Train an architecture on PEAKS, or on a task of a CORPUS, and export a model that needs no ambient."""
    from ambient.fit import check_model_folder
    from ambient.propose import read_architecture

    check_model_folder(output)
    chosen = read_architecture(architecture)
    if source.suffix in (".yaml", ".yml"):
        task = _task_of_corpus(
            source, need(task_name, "--task", "to choose one of a corpus"), options
        )
        if window_bp or training.validation or training.test:
            raise InputError(
                f"--window, --validation and --test were given with the corpus {source}, which says all three; "
                "leave them out"
            )
    else:
        if task_name is not None:
            raise InputError(f"--task was given, but {source} is no corpus; leave it out")
        own_bp = chosen.window_bp
        if window_bp is not None and own_bp is not None and window_bp != own_bp:
            raise InputError(
                f"--window {window_bp} was given, but the architecture reads {own_bp:,} bp; leave it out"
            )
        widest_bp = own_bp or 0
        task = training.task_of_peaks(source, window_bp or 500, widest_bp, seed, options)
    show_fitted(training.fit(task, chosen, output, seed), as_json)


def _task_of_corpus(path: Path, name: str, options: dict[str, Any]) -> TaskData:
    from ambient.data.corpus import read_corpus
    from ambient.data.prepare import prepare_corpus

    given = sorted(key for key, value in options.items() if value is not None)
    if given:
        raise InputError(
            f"--{given[0].replace('_', '-')} was given with the corpus {path}, which names its own files; leave it out"
        )
    return prepare_corpus(read_corpus(path), names=[name])[name]
