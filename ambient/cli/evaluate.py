"""`ambient evaluate`: architectures on tasks of a corpus, rows in a store."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ambient.cli.options import (
    PATH,
    SPACE,
    check_new_file,
    check_sources,
    engine_options,
    json_option,
    seed_option,
)
from ambient.errors import InputError

if TYPE_CHECKING:
    from ambient.child.fidelity import Fidelity
    from ambient.data.task import TaskData
    from ambient.evaluate import Evaluation, Request, Store
    from ambient.evaluate.choose import EngineChoice


# What is of no use without a corpus.
TRAINING = (
    *("tasks", "seeds", "space", "fidelity", "members", "engine", "workers", "device", "address"),
    *("gpus_per_child", "child_minutes", "retry_failed", "seed"),
)


@click.command(
    epilog="""\b
Examples
  ambient evaluate corpus.yaml random:10 best.json --tasks Reb1,Abf1 --seeds 0,1 \\
      --store evaluations.sqlite
  ambient evaluate --store all.sqlite --merge a.sqlite --merge b.tsv.gz --export all.parquet"""
)
@click.argument("corpus", type=PATH, required=False)
@click.argument("architectures", nargs=-1, metavar="[FILE|FILE:TASK|random:N]...")
@click.option("--tasks", help="Names, separated by commas; all where it is not given.")
@click.option("--seeds", default="0", show_default=True, help="Of the children; by commas.")
@click.option("--space", default=SPACE, show_default=True, help="For random:N; or a YAML.")
@click.option(
    "--fidelity", type=click.Choice(["search", "full"]), default="search", show_default=True
)
@click.option(
    "--members",
    type=click.IntRange(min=1),
    help="Networks that are averaged, if not as many as the fidelity says; 1 is enough to compare at full.",
)
@click.option("--store", type=PATH, default=Path("evaluations.sqlite"), show_default=True)
@click.option(
    "--merge",
    type=PATH,
    multiple=True,
    help="First take over the rows of another store, or of a table that --export wrote.",
)
@click.option(
    "--salvage",
    type=PATH,
    multiple=True,
    help="First take over what can be read of a damaged store.",
)
@click.option(
    "--export", type=PATH, help="Then write all rows of the store: .tsv, .tsv.gz or .parquet."
)
@engine_options
@seed_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    corpus: Path | None,
    architectures: tuple[str, ...],
    tasks: str | None,
    seeds: str,
    space: str,
    fidelity: str,
    members: int | None,
    store: Path,
    merge: tuple[Path, ...],
    salvage: tuple[Path, ...],
    export: Path | None,
    engine: EngineChoice,
    retry_failed: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Train and score architectures on tasks of CORPUS; what the store knows is not trained again.

    An architecture is a JSON file (an architecture, or proposals: their first, or that for a task with
    FILE:TASK), or random:N for N drawn from --space with --seed. Without CORPUS nothing is trained: the
    store is merged, exported, and summed up.
    """
    from ambient.evaluate import Request, Store
    from ambient.evaluate.exchange import table_format

    check_new_file(export, "--export")
    check_sources(engine, store)
    if export is not None:
        table_format(export)
    asked: tuple[Mapping[str, TaskData], list[Request]] | None = None
    if corpus is None:
        _refuse_training(context)
    else:
        if not architectures:
            raise InputError(
                f"{corpus}: found no architecture to train on it; name a file, or random:10 for ten"
            )
        chosen = [one for text in architectures for one in _architectures(text, space, seed)]
        specs, data = _prepared(corpus, tasks)
        grade = _grade(fidelity, members)
        asked = (
            data,
            [
                Request(name, architecture, child, grade)
                for name in specs
                for architecture in chosen
                for child in _seeds(seeds)
            ],
        )
    _check_sources(store, merge, salvage, has_corpus=asked is not None)
    with Store(store) as memory:
        for path in merge:
            _merge(memory, path)
        for path in salvage:
            _salvage(memory, path)
        rows = None if asked is None else _evaluate(memory, *asked, engine, retry_failed)
        if export is not None:
            _export(memory, export)
        if rows is None:
            _show_store(memory, as_json)
            return
    _show(rows, as_json)


def _refuse_training(context: click.Context) -> None:
    from click.core import ParameterSource

    given = [n for n in TRAINING if context.get_parameter_source(n) is ParameterSource.COMMANDLINE]
    if given:
        option = "--" + given[0].replace("_", "-")
        raise InputError(f"{option}: found no CORPUS to train on; name one, or leave {option} out")


def _check_sources(
    store: Path, merge: tuple[Path, ...], salvage: tuple[Path, ...], has_corpus: bool
) -> None:
    """Refuse what is not there, or is nothing to merge, before a new store is made for it."""
    from ambient.evaluate.exchange import FORMATS
    from ambient.evaluate.table import is_store

    sources = (*merge, *salvage)
    for path in sources:
        if not path.exists():
            raise InputError(f"{path}: there is no such store or table; check the path")
    for path in merge:
        if path.is_dir() or not (path.name.endswith(FORMATS) or is_store(path)):
            raise InputError(
                f"{path}: found neither a store nor a table ({', '.join(FORMATS)}); name what `ambient evaluate` wrote"
            )
    if not (has_corpus or sources or store.exists()):
        raise InputError(
            f"{store}: there is no such store; check the path, or name a CORPUS to train on"
        )


def _prepared(corpus: Path, tasks: str | None) -> tuple[list[str], Mapping[str, TaskData]]:
    from ambient.data.corpus import read_corpus
    from ambient.data.prepare import prepare_corpus

    described = read_corpus(corpus)
    specs = described.tasks
    if tasks is not None:
        specs = tuple(described.task(name.strip()) for name in tasks.split(","))
    names = [spec.name for spec in specs]
    return names, prepare_corpus(described, names=names)


def _grade(name: str, members: int | None) -> Fidelity:
    from dataclasses import replace

    from ambient.child.fidelity import named_fidelity

    fidelity = named_fidelity(name)
    if members is None or members == fidelity.members:
        return fidelity
    of = "one member" if members == 1 else f"{members} members"
    return replace(fidelity, name=f"{name}, {of}", members=members)


def _merge(memory: Store, path: Path) -> None:
    from ambient.cli.progress import progress
    from ambient.evaluate.exchange import FORMATS, import_table

    is_table = path.name.endswith(FORMATS)
    with progress(f"rows of {path.name}", None) as advance:
        take = partial(import_table, memory) if is_table else memory.merge
        new = take(path, lambda rows: advance(by=rows))
    click.echo(f"{path}: {new:,} of its rows are new in {memory.path}", err=True)


def _salvage(memory: Store, path: Path) -> None:
    from ambient.evaluate.store_salvage import salvage

    saved, lost = salvage(memory, path)
    click.echo(f"{path}: {saved:,} rows could be read, {lost:,} are lost", err=True)


def _export(memory: Store, path: Path) -> None:
    from ambient.cli.progress import progress
    from ambient.evaluate.exchange import export_table

    with progress(f"rows to {path.name}", len(memory)) as advance:
        export_table(memory, path, lambda rows: advance(by=rows))


def _evaluate(
    memory: Store,
    data: Mapping[str, TaskData],
    requests: list[Request],
    engine: EngineChoice,
    retry_failed: bool,
) -> list[Evaluation]:
    """Give the results in the order of the requests, and say what they cost."""
    from ambient.cli.progress import progress
    from ambient.evaluate import Remembering
    from ambient.evaluate.choose import open_engine
    from ambient.evaluate.costs import Costs
    from ambient.evaluate.energy import EnergyMeter

    for request in requests:
        task = data[request.task]
        task.check_window(request.architecture.window_bp or task.window_bp)
    rows = []
    with (
        closing(EnergyMeter()) as meter,
        open_engine(engine, data) as trainer,
        progress("evaluations", len(requests)) as advance,
    ):
        # What a table replays under other seeds is no evaluation to remember.
        if engine.trains:
            trainer = Remembering(trainer, memory, retry_failed, meter)
        for evaluation in trainer.run(requests):
            rows.append(evaluation)
            advance(evaluation.task)
    order = {request: index for index, request in enumerate(requests)}
    rows.sort(key=lambda evaluation: order[evaluation.request])
    click.echo(Costs.of(rows).words(), err=True)
    if not engine.trains:
        return rows
    click.echo(f"{len(rows)} evaluations are in {memory.path}", err=True)
    if meter.problem:
        click.echo(f"energy was not measured: {meter.problem}", err=True)
    return rows


def _seeds(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(
            f"--seeds: found {text!r}, needed whole numbers separated by commas"
        ) from error


def _architectures(text: str, space: str, seed: int) -> list:
    from ambient.propose import read_architecture, read_proposals
    from ambient.space import open_space
    from ambient.zero_shot import draw_random

    if not text.startswith("random:"):
        path, _, task = text.rpartition(":")
        if Path(text).exists() or not Path(path).is_file():
            return [read_architecture(Path(text))]
        proposals = read_proposals(path)
        if task not in proposals:
            raise InputError(
                f"{text}: found no proposal for {task!r}, there are some for {', '.join(proposals)}; name one of them"
            )
        return [proposals[task]]
    count = text.removeprefix("random:")
    if not count.isdigit() or int(count) < 1:
        raise InputError(f"{text}: found {count!r} after random:, needed a number above 0")
    return draw_random(open_space(space), int(count), seed)


def _show_store(memory: Store, as_json: bool) -> None:
    from ambient.cli.options import print_json
    from ambient.evaluate.costs import Costs

    costs, tasks = Costs.of_store(memory), memory.task_names()
    if as_json:
        print_json({"store": str(memory.path), "tasks": tasks, **costs.to_dict()})
        return
    click.echo(f"{memory.path}: {costs.evaluations:,} evaluations on {len(tasks):,} tasks")
    click.echo(costs.words())


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
                    "cpu_seconds": row.cpu_seconds,
                    "gpu_seconds": row.gpu_seconds,
                    "energy_kwh": row.energy_kwh,
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
