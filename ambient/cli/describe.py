"""`ambient describe`: peaks, or a whole corpus, to named numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ambient.cli.options import (
    PATH,
    check_new_file,
    data_set_options,
    need,
    seed_option,
    split_names,
)


@click.command(
    epilog="""\b
Example
  ambient describe reb1.bed.gz --genome sacCer3.fa.gz --annotation sacCer3.gtf.gz \\
      --category tf --factor Reb1 --output reb1.json
  ambient describe corpus.yaml --output descriptors.tsv"""
)
@click.argument("peaks", type=PATH, metavar="PEAKS|CORPUS")
@data_set_options
@click.option("--output", type=PATH, help="JSON (one task) or TSV (a corpus); else it is printed.")
@seed_option
def command(peaks: Path, output: Path | None, seed: int, **options: Any) -> None:
    """Summarise PEAKS (BED, narrowPeak, broadPeak) as 40 numbers, or each task of a CORPUS (YAML).

    For a corpus only the training chromosomes of its split count, so that descriptors never see a test label.
    """
    from ambient.files import write_atomic

    check_new_file(output)
    if peaks.suffix in (".yaml", ".yml"):
        text = _corpus_table(peaks, seed, options)
    else:
        from descriptors import describe

        need(options["genome"], "--genome", "to read the sequence under the peaks")
        options["chromosomes"] = split_names(options["chromosomes"])
        text = describe(peaks, seed=seed, **options).to_json()
    if output is None:
        click.echo(text, nl=not text.endswith("\n"))
    else:
        write_atomic(output, text)
        click.echo(f"wrote {output}")


def _corpus_table(path: Path, seed: int, options: dict[str, Any]) -> str:
    from ambient.data.corpus import read_corpus
    from ambient.data.describe import describe_corpus
    from ambient.errors import InputError
    from descriptors.schema import DESCRIPTORS

    given = sorted(name for name, value in options.items() if value is not None)
    if given:
        raise InputError(
            f"--{given[0].replace('_', '-')} was given with the corpus {path}, which names its own files; "
            "leave the option out or write it into the corpus"
        )
    corpus = read_corpus(path)
    described = describe_corpus(corpus, seed=seed)
    names = [descriptor.name for descriptor in DESCRIPTORS]
    lines = ["\t".join(["task", "category", "held_out", *names])]
    for spec in corpus.tasks:
        values = described[spec.name].values
        cells = ["" if values[name] is None else repr(values[name]) for name in names]
        lines.append("\t".join([spec.name, spec.category, str(spec.held_out).lower(), *cells]))
    return "\n".join(lines) + "\n"
