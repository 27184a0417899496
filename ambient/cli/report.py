"""`ambient report`: a run's folder to one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from ambient.cli.options import PATH, check_new_page


@click.command(
    epilog="""\b
Example
  ambient report runs/yeast --output yeast.html
  ambient report runs/reb1"""
)
@click.argument("run", type=PATH)
@click.option("--output", type=PATH, help="The page; RUN/report.html where it is not given.")
def command(run: Path, output: Path | None) -> None:
    """Write one self-contained HTML page about RUN, which `train`, `search` or `demo` wrote.

    Of a controller: results, proposals, architectures by category, rewards, descriptors. Of a search: the best
    architectures, how it went, what it cost.
    """
    check_new_page(output)
    from ambient.report import write_report

    click.echo(f"wrote {write_report(run, output)}")
