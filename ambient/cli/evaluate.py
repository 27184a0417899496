"""`ambient evaluate`: architectures on tasks of a corpus, rows in a store."""

from __future__ import annotations

from pathlib import Path

import click

from ambient.cli.options import PATH, check_new_file, engine_options, json_option, seed_option
from ambient.errors import InputError


@click.command(
    epilog="""\b
Example
  ambient evaluate corpus.yaml random:10 best.json --tasks Reb1,Abf1 --seeds 0,1 \\
      --store evaluations.sqlite"""
)
@click.argument("corpus", type=PATH)
@click.argument("architectures", nargs=-1, required=True, metavar="FILE|random:N...")
@click.option("--tasks", help="Names, separated by commas; all where it is not given.")
@click.option("--seeds", default="0", show_default=True, help="Of the children; by commas.")
@click.option("--space", default="ambient-10", show_default=True, help="For random:N; or a YAML.")
@click.option(
    "--fidelity", type=click.Choice(["search", "full"]), default="search", show_default=True
)
@click.option("--store", type=PATH, default=Path("evaluations.sqlite"), show_default=True)
@click.option("--export", type=PATH, help="Also write these evaluations as TSV.")
@engine_options
@seed_option
@json_option
def command(
    corpus: Path,
    architectures: tuple[str, ...],
    tasks: str | None,
    seeds: str,
    space: str,
    fidelity: str,
    store: Path,
    export: Path | None,
    engine: str,
    workers: int | None,
    retry_failed: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Train and score architectures on tasks of CORPUS; what the store knows is not trained again.

    An architecture is a JSON file (an architecture, or proposals: their first), or random:N for N drawn
    from --space with --seed.
    """
    from ambient.child.fidelity import named_fidelity
    from ambient.cli.progress import progress
    from ambient.data.corpus import read_corpus
    from ambient.data.prepare import prepare_corpus
    from ambient.evaluate import Remembering, Request, Store
    from ambient.evaluate.choose import open_engine
    from ambient.evaluate.exchange import export_tsv

    check_new_file(export)
    check_new_file(store)
    described = read_corpus(corpus)
    specs = described.tasks
    if tasks is not None:
        specs = tuple(described.task(name.strip()) for name in tasks.split(","))
    chosen = [one for text in architectures for one in _architectures(text, space, seed)]
    grade = named_fidelity(fidelity)
    children = _seeds(seeds)
    data = prepare_corpus(described, names=[spec.name for spec in specs])
    requests = [
        Request(spec.name, architecture, child, grade)
        for spec in specs
        for architecture in chosen
        for child in children
    ]
    with (
        Store(store) as memory,
        Remembering(open_engine(engine, data, workers), memory, retry_failed) as trainer,
        progress("evaluations", len(requests)) as advance,
    ):
        rows = []
        for evaluation in trainer.run(requests):
            rows.append(evaluation)
            advance(evaluation.task)
        if export is not None:
            export_tsv(memory, export)
    order = {request: index for index, request in enumerate(requests)}
    rows.sort(key=lambda evaluation: order[evaluation.request])
    _show(rows, as_json)
    click.echo(f"{len(rows)} evaluations are in {store}", err=True)


def _seeds(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(
            f"--seeds: found {text!r}, needed whole numbers separated by commas"
        ) from error


def _architectures(text: str, space: str, seed: int) -> list:
    from ambient.propose import read_architecture
    from ambient.space import open_space
    from ambient.zero_shot import draw_random

    if not text.startswith("random:"):
        return [read_architecture(Path(text))]
    count = text.removeprefix("random:")
    if not count.isdigit() or int(count) < 1:
        raise InputError(f"{text}: found {count!r} after random:, needed a number above 0")
    return draw_random(open_space(space), int(count), seed)


def _show(rows: list, as_json: bool) -> None:
    from ambient.cli.options import print_json

    if as_json:
        print_json(
            [
                {
                    "task": row.task,
                    "architecture": row.architecture.key,
                    "summary": row.architecture.summary(),
                    "seed": row.seed,
                    "state": row.state,
                    "reason": row.reason,
                    "wall_seconds": row.wall_seconds,
                    **row.metrics,
                }
                for row in rows
            ]
        )
        return
    click.echo("task\tseed\tvalidation_auroc\ttest_auroc\tseconds\tarchitecture")
    for row in rows:
        scores = [row.metrics.get(name) for name in ("validation_auroc", "test_auroc")]
        cells = [row.reason or "-" if score is None else f"{score:.4f}" for score in scores]
        click.echo(
            "\t".join(
                [
                    row.task,
                    str(row.seed),
                    *cells,
                    f"{row.wall_seconds:.1f}",
                    row.architecture.summary(),
                ]
            )
        )
