"""`ambient describe`: peaks, or a whole corpus, to named numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ambient.cli.options import (
    PATH,
    check_new_file,
    check_new_page,
    data_set_options,
    need,
    seed_option,
    split_names,
)
from ambient.errors import InputError

if TYPE_CHECKING:
    from ambient.controller.card import Controller
    from descriptors import Descriptors


@click.command(
    epilog="""\b
Examples
  ambient describe reb1.bed.gz --genome sacCer3.fa.gz --annotation sacCer3.gtf.gz \\
      --category tf --factor Reb1 --output reb1.json
  ambient describe corpus.yaml --output corpus.tsv --page corpus.html
  ambient describe reb1.json --explain --against corpus.tsv"""
)
@click.argument("source", type=PATH, metavar="PEAKS|DESCRIPTORS.json|CORPUS.yaml")
@data_set_options
@click.option(
    "--explain", "explaining", is_flag=True, help="Print a table with units and meanings."
)
@click.option(
    "--against",
    metavar="TSV|CONTROLLER",
    help="With --explain: place the data set among the tasks of a corpus's table, or of a controller.",
)
@click.option("--page", type=PATH, help="Of a corpus: one HTML page with heat map and PCA.")
@click.option("--cache", type=PATH, help="Of a corpus: a folder that remembers descriptors.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    help="Of a corpus: processes; one for each core where it is not given.",
)
@click.option("--output", type=PATH, help="JSON (one task) or TSV (a corpus); else it is printed.")
@seed_option
def command(
    source: Path,
    explaining: bool,
    against: str | None,
    page: Path | None,
    cache: Path | None,
    workers: int | None,
    output: Path | None,
    seed: int,
    **options: Any,
) -> None:
    """Summarise PEAKS (BED, narrowPeak, broadPeak) as 40 numbers, or each task of a CORPUS (YAML).

    For a corpus only the training chromosomes of its split count, so that descriptors never see a test label.
    With --explain a table for people is printed, and the numbers go to --output alone. What was left out of the
    files is said on standard error, or below the table.
    """
    check_new_file(output)
    if against is not None and not explaining:
        raise InputError("--against was given without --explain; add it")
    if source.suffix in (".yaml", ".yml"):
        if against is not None:
            raise InputError(
                f"--against was given with the corpus {source}; it places one data set among others"
            )
        check_new_page(page, "--page")
        text, table = _describe_corpus(source, seed, options, page, cache, workers, explaining)
    else:
        for name, value in (("page", page), ("cache", cache), ("workers", workers)):
            if value is not None:
                raise InputError(
                    f"--{name} was given with {source}; it is for a corpus (YAML), leave it out"
                )
        text, table = _describe_task(source, seed, options, against, explaining)
    if output is not None:
        from ambient.files import write_atomic

        write_atomic(output, text)
    for written in (output, page):
        if written is not None:
            click.echo(f"wrote {written}", err=explaining or output is None)
    if explaining or output is None:
        shown = table if explaining else text
        click.echo(shown, nl=not shown.endswith("\n"))


def descriptors_of(
    source: Path, seed: int, options: dict[str, Any], quiet: bool = False
) -> Descriptors:
    """Read descriptors from JSON, or make them from peaks and say, unless quiet, what was left out."""
    from descriptors.record import Descriptors

    if source.suffix == ".json":
        given = sorted(name for name, value in options.items() if value is not None)
        if given:
            raise InputError(
                f"--{given[0].replace('_', '-')} was given with the descriptors {source}, which are finished; "
                "leave it out, or give the peaks"
            )
        return Descriptors.load(source)
    need(options["genome"], "--genome", "to read the sequence under the peaks")
    if options["interpro"] is not None and options["factor"] is None:
        raise InputError(
            "--interpro was given without --factor, whose domains it lists; add --factor, or leave it out"
        )
    from descriptors.explain import left_out
    from descriptors.pipeline import describe

    chosen = {**options, "chromosomes": split_names(options["chromosomes"])}
    described = describe(source, seed=seed, **chosen)
    if not quiet:
        for line in left_out(described):
            click.echo(f"left out of the {line}", err=True)
        _say_which_factors_are_unknown({described.task: described})
    return described


def _describe_task(
    source: Path, seed: int, options: dict[str, Any], against: str | None, explaining: bool
) -> tuple[str, str]:
    """Give the JSON, and the table where it is asked for."""
    among, controller = (None, None) if against is None else _values_of(against)
    described = descriptors_of(source, seed, options, quiet=explaining)
    table = ""
    if explaining:
        from ambient.report.terminal import explain_task

        table = explain_task(described, among)
    if controller is not None and (conflict := controller.scaler.conflict(described)) is not None:
        click.echo(conflict, err=True)
    return described.to_json(), table


def _values_of(against: str) -> tuple[dict[str, list[float | None]], Controller | None]:
    """Read the descriptors of a corpus's tasks from its table, or of a controller's training tasks, and that."""
    if Path(against).is_file() or Path(against).suffix == ".tsv":
        from ambient.data.table import read_table

        return read_table(against), None
    from ambient.controller.card import Controller

    controller = Controller.load(against)
    return controller.scaler.restore([task.vector for task in controller.tasks]), controller


def _describe_corpus(
    path: Path,
    seed: int,
    options: dict[str, Any],
    page: Path | None,
    cache: Path | None,
    workers: int | None,
    explaining: bool,
) -> tuple[str, str]:
    """Give the TSV, and the table where it is asked for; write the page."""
    from ambient.cli.progress import progress
    from ambient.data.corpus import read_corpus
    from ambient.data.describe import describe_corpus
    from ambient.data.table import format_table
    from descriptors.schema import NAMES

    given = sorted(name for name, value in options.items() if value is not None)
    if given:
        raise InputError(
            f"--{given[0].replace('_', '-')} was given with the corpus {path}, which names its own files; "
            "leave the option out or write it into the corpus"
        )
    corpus = read_corpus(path)
    with progress("describing", len(corpus.tasks)) as advance:
        described = describe_corpus(
            corpus,
            cache=cache and cache / "descriptors",
            seed=seed,
            workers=workers,
            on_done=advance,
        )
    say_what_was_left_out(described)
    if page is not None:
        from ambient.report import write_corpus_page

        write_corpus_page(corpus, described, page)
    table = ""
    if explaining:
        from ambient.report.terminal import explain_corpus

        table = explain_corpus(
            {name: [one.values[name] for one in described.values()] for name in NAMES}
        )
    return format_table(corpus.tasks, described), table


def say_what_was_left_out(described: Mapping[str, Descriptors]) -> None:
    """Say once what no row of the table shows: peaks over all tasks, rows of the files that all share, factors."""
    from descriptors.explain import ROLES

    peaks: Counter[str] = Counter()
    shared: dict[str, dict[str, int]] = {}
    for one in described.values():
        peaks.update(one.sources["peaks"]["left_out"])
        shared |= {
            role: one.sources[role]["left_out"]
            for role in ("annotation", "exclude")
            if role in one.sources
        }
    for role, counts in {"peaks": peaks, **shared}.items():
        if counts:
            said = "; ".join(f"{count:,} {reason}" for reason, count in sorted(counts.items()))
            click.echo(f"left out of the {ROLES.get(role, role)}: {said}", err=True)
    _say_which_factors_are_unknown(described)


def _say_which_factors_are_unknown(described: Mapping[str, Descriptors]) -> None:
    unknown = sorted(
        str(one.sources["interpro"]["factor"])
        for one in described.values()
        if one.values["has_bzip_maf"] is None and "interpro" in one.sources
    )
    if unknown:
        names = ", ".join(unknown[:5]) + (", ..." if len(unknown) > 5 else "")
        click.echo(
            f"no table of domains lists the factor of {len(unknown)} of {len(described)} tasks ({names}); list them "
            "in one for --interpro (in a corpus: interpro), or their domains are missing",
            err=True,
        )
