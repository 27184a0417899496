"""`ambient demo`: the whole story in under three minutes."""

from __future__ import annotations

from pathlib import Path

import click

from ambient.cli.options import PATH, json_option, print_json, seed_option
from ambient.errors import InputError


@click.command(
    epilog="""\b
Example
  ambient demo --output demo"""
)
@click.option("--output", type=PATH, default=Path("demo"), show_default=True, help="A folder.")
@click.option("--overwrite", is_flag=True, help="Replace a demo that the folder holds.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes; one for each core.")
@seed_option
@json_option
def command(output: Path, overwrite: bool, workers: int | None, seed: int, as_json: bool) -> None:
    """Simulate a genome and data sets, train a controller over some of them, propose for the others, and report."""
    _make_room(output, overwrite)
    from ambient.cli.progress import progress
    from ambient.demo import STEPS, run_demo
    from ambient.report import write_report

    with progress("training the controller", STEPS) as advance:
        comparison = run_demo(
            output,
            seed,
            workers,
            say=lambda text: click.echo(text, err=True),
            on_step=lambda step: advance(f"reward {step.logs['reward']:.3f}"),
        )
    page = write_report(output / "run")
    if as_json:
        print_json({"comparison": comparison, "report": str(page)})
        return
    click.echo("")
    click.echo(_table(comparison))
    click.echo("")
    click.echo(f"a model that needs no ambient: {output / 'model'}")
    click.echo(f"the page: {page}")


def _make_room(folder: Path, overwrite: bool) -> None:
    """Make sure that the folder is absent or empty; a demo of before is removed only when asked."""
    import shutil

    if not folder.absolute().parent.is_dir():
        raise InputError(
            f"--output {folder}: the folder {folder.parent} does not exist; make it first"
        )
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--output {folder}: found a file where a folder was needed; name another")
    held = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if not held:
        return
    if not set(held) <= {"corpus", "run", "model"}:
        raise InputError(
            f"--output {folder}: found {held[0]!r} in it, which no demo wrote; name an absent or empty folder"
        )
    if not overwrite:
        raise InputError(
            f"--output {folder}: holds a demo already; pass --overwrite or name another"
        )
    shutil.rmtree(folder)


def _table(comparison: dict) -> str:
    """Set the comparison as text: test AUROC of the proposal, of random architectures, of 5-mers."""
    head = f"{'held-out task':<16}{'category':<12}{'proposal':>9}{'random (mean, best)':>22}"
    lines = ["test AUROC", head + f"{'proposal, trained longer':>26}{'5-mers':>9}"]
    for row in comparison["rows"]:
        random = [one["test_auroc"] for one in row["random"] if one["test_auroc"] is not None]
        spread = f"{sum(random) / len(random):.3f}, {max(random):.3f}" if random else "-"
        own, full, kmer = (
            "-" if row[name]["test_auroc"] is None else f"{row[name]['test_auroc']:.3f}"
            for name in ("proposal", "full", "kmer")
        )
        lines.append(
            f"{row['task']:<16}{row['category']:<12}{own:>9}{spread:>22}{full:>26}{kmer:>9}"
        )
    return "\n".join(lines)
