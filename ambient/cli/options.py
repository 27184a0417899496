"""Options and small courtesies that several verbs share."""

from __future__ import annotations

import contextlib
import functools
import json
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ambient.errors import InputError
from descriptors.categories import CATEGORIES

if TYPE_CHECKING:
    from ambient.evaluate.choose import EngineChoice

Command = TypeVar("Command", bound=Callable[..., Any])

PATH = click.Path(path_type=Path)
PAGE = b"<!doctype html"  # how each page begins
SPACE = "ambient-plus"  # where nobody names one


def together(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Make one decorator of several options."""

    def add(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


# What a network is trained from.
peak_options = together(
    click.option("--genome", type=PATH, help="FASTA of the genome: plain, gzip or bgzip."),
    click.option("--category", type=click.Choice(CATEGORIES), help="What kind of assay it is."),
    click.option(
        "--stranded",
        is_flag=True,
        default=None,
        help="Read each peak on its strand (BED column 6) only, as of CLIP and other RNA.",
    ),
    click.option("--exclude", type=PATH, help="BED of regions to leave out."),
    click.option("--chromosomes", help="Only these, separated by commas."),
    click.option(
        "--rename-chromosomes",
        type=click.Choice(["strip-chr", "add-chr"]),
        help="Make the names in every file (peaks, regions, annotation, bigWigs) fit the genome's; those that fit "
        "already stay.",
    ),
    click.option("--name", help="Name of the task; the file's name where it is not given."),
)
# What else is described.
description_options = together(
    click.option("--annotation", type=PATH, help="GTF or GFF3 with the genes."),
    click.option("--phastcons", type=PATH, help="bigWig of phastCons scores."),
    click.option("--phylop", type=PATH, help="bigWig of phyloP scores."),
    click.option("--homer", type=PATH, help="A folder or file of motifs that HOMER wrote."),
    click.option(
        "--run-homer",
        is_flag=True,
        default=None,
        help="Find the motifs with homer2, which must be on the PATH.",
    ),
    click.option("--factor", help="The protein's name, for its domains."),
    click.option(
        "--interpro", type=PATH, help="TSV (factor, interpro) of protein domains; needs --factor."
    ),
)
data_set_options = together(peak_options, description_options)

seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Of all that is random.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
_engine_options = together(
    click.option(
        "--engine",
        default="pool",
        show_default=True,
        metavar="pool|inline|ray|table:PATH|predictor:PATH",
        help="Worker processes, this process, a Ray cluster; or recorded evaluations (a store or TSV), "
        "replayed or, for `train`, learned from.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        help="Worker processes of one thread each; one for each core where it is not given.",
    ),
    click.option(
        "--device", default="cpu", show_default=True, help="cpu, cuda (all GPUs), or cuda:0."
    ),
    click.option("--address", help="Of a Ray cluster; one on this machine where it is not given."),
    click.option(
        "--gpus-per-child", type=float, help="Ray, on cuda: the share of a GPU for each child."
    ),
    click.option(
        "--child-minutes",
        type=float,
        help="Give a child up after so long; by its size where it is not given.",
    ),
    click.option(
        "--retry-failed", is_flag=True, help="Train again what the store holds as failed."
    ),
)


def engine_options(command: Command) -> Command:
    """Add the options of engines to a command, which gets an `EngineChoice` as `engine`, and `retry_failed`."""

    @functools.wraps(command)
    def with_choice(*given: Any, engine: str, **options: Any) -> Any:
        from ambient.evaluate.choose import EngineChoice

        settings = ("workers", "device", "address", "gpus_per_child", "child_minutes")
        choice = EngineChoice(engine, **{name: options.pop(name) for name in settings})
        return command(*given, engine=choice, **options)

    return _engine_options(with_choice)  # type: ignore[return-value]


def split_names(text: str | None, option: str = "--chromosomes") -> list[str] | None:
    """Split a comma-separated option into its names; None stays None."""
    if text is None:
        return None
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise InputError(f"{option}: found no name; give names separated by commas")
    return names


def need(value: Any, option: str, why: str) -> Any:
    """Give back an option's value, or say that it is missing and what it is needed for."""
    if value is None:
        raise InputError(f"{option} is missing; it is needed {why}")
    return value


def check_new_file(path: Path | None, option: str = "--output") -> None:
    """Refuse an output file whose folder is absent, before any work is done."""
    if path is None:
        return
    if path.is_dir():
        raise InputError(
            f"{option} {path}: found a folder where a file's name was needed; name a file in it"
        )
    if not path.parent.is_dir():
        raise InputError(f"{option} {path}: the folder {path.parent} does not exist; make it first")
    if path.exists() and option != "--store" and _is_read(path, option):
        raise InputError(
            f"{option} {path}: it is one of the files that are read; name another file"
        )


def check_new_page(path: Path | None, option: str = "--output") -> None:
    """Refuse a page's file as `check_new_file` does, and one that holds something else than a page."""
    check_new_file(path, option)
    if path is not None and path.exists():
        with path.open("rb") as stream:
            is_page = stream.read(len(PAGE)).lower() == PAGE
        if not is_page:
            raise InputError(
                f"{option} {path}: found a file that is no page; name another file, or remove it"
            )


def _is_read(path: Path, option: str) -> bool:
    """Whether another argument of the command names the same file."""
    own = option.removeprefix("--").replace("-", "_")
    others = [v for name, v in click.get_current_context().params.items() if name != own]
    named = [one for value in others for one in (value if isinstance(value, tuple) else (value,))]
    return any(isinstance(one, Path) and one.exists() and one.samefile(path) for one in named)


def check_sources(engine: EngineChoice, store: Path | None) -> None:
    """Refuse records and a store that cannot be read, before any work is done."""
    if not engine.trains and not engine.path.is_file():
        raise InputError(
            f"--engine {engine.name}: there is no file {engine.path}; check the path of the records"
        )
    check_new_file(store, "--store")
    if store is not None and store.exists():
        from ambient.evaluate import Store

        with Store(store):
            pass


def print_json(value: Any) -> None:
    """Print a result for another program."""
    click.echo(json.dumps(value, indent=2))


@contextlib.contextmanager
def how_to_go_on() -> Iterator[None]:
    """Print the command that goes on with the run, where a signal or the disk ends it."""
    from ambient.files import DiskError

    try:
        yield
    except (KeyboardInterrupt, SystemExit, DiskError):
        asked = sys.argv[1:]
        again = shlex.join(["ambient", *asked, *([] if "--resume" in asked else ["--resume"])])
        click.echo(f"stopped; go on with: {again}", err=True)
        raise
