"""`ambient compare`: runs beside one another, on equal budgets, and beside the zero-shot proposal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ambient.cli.options import PATH, check_new_page, json_option, need, print_json
from ambient.errors import InputError

if TYPE_CHECKING:
    from ambient.report.comparison import Comparison


@click.command(
    epilog="""\b
Example
  ambient search corpus.yaml --task Reb1 --method evolution --seed 0 --output runs/evolution-0
  ambient search corpus.yaml --task Reb1 --method evolution --seed 1 --output runs/evolution-1
  ambient search corpus.yaml --task Reb1 --method random --seed 0 --output runs/random-0
  ambient compare runs/evolution-* runs/random-* --zero-shot runs/yeast --output compared.html"""
)
@click.argument("runs", type=PATH, nargs=-1, required=True, metavar="RUN...")
@click.option(
    "--zero-shot",
    type=PATH,
    metavar="PROPOSALS|RUN",
    help="Proposals for the tasks: a file that `propose` or `train` wrote, or the run that holds it.",
)
@click.option(
    "--store",
    "stores",
    type=PATH,
    multiple=True,
    help="Where trainings of the proposals are looked for, beside the runs' own stores.",
)
@click.option("--output", type=PATH, help="A page: one self-contained HTML file.")
@click.option("--track", type=click.Choice(["none", "wandb"]), default="none", show_default=True)
@json_option
def command(
    runs: tuple[Path, ...],
    zero_shot: Path | None,
    stores: tuple[Path, ...],
    output: Path | None,
    track: Literal["none", "wandb"],
    as_json: bool,
) -> None:
    """Compare RUNs of `search`, and of `train` where it trained on the same tasks, finished or not.

    Runs that differ in their seeds alone are repeats of one search. A search is charged the recorded cost of each
    evaluation that it asked for, whether or not its store knew the result. With --zero-shot it is said from which
    evaluation on each search is better than the proposal.
    """
    from ambient.report.comparison import compare_runs
    from ambient.report.comparison_notes import notes_on
    from ambient.report.comparison_page import write_comparison
    from ambient.report.comparison_tables import as_json as values_of
    from ambient.report.comparison_terminal import comparison_text

    check_new_page(output)
    if stores and zero_shot is None:
        raise InputError(
            f"--store {stores[0]} was given without --zero-shot, whose trainings it holds; add it, or leave --store out"
        )
    if track != "none":
        need(output, "--output", "since the tracker's files lie beside the page")
    comparison = compare_runs(runs, zero_shot, stores)
    if output is not None:
        write_comparison(comparison, output)
        _track(comparison, output, track)
    if as_json:
        print_json(values_of(comparison, notes_on(comparison)))
    else:
        click.echo(comparison_text(comparison), nl=False)
    if output is not None:
        click.echo(f"wrote {output}", err=True)


def _track(comparison: Comparison, page: Path, kind: Literal["none", "wandb"]) -> None:
    """Tell the comparison to a tracker, whose files lie in a folder beside the page."""
    if kind == "none":
        return
    from ambient.files import make_folder
    from ambient.report.comparison_terminal import track_comparison
    from ambient.track import open_tracker

    folder = make_folder(page.with_name(f"{page.name}.{kind}"))
    config = {"runs": [str(one.run) for one in comparison.searched]}
    tracker = open_tracker(kind, folder, {**config, "zero_shot": str(comparison.source or "")})
    try:
        track_comparison(tracker, comparison)
    finally:
        tracker.finish()
