"""`ambient`: finds the verb, imports it, and turns a user's mistake into one sentence and exit code 2."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from types import FrameType

import click

from ambient.errors import InputError
from ambient.version import __version__

# Verb to what `ambient --help` says of it; its command is `command` in ambient/cli/VERB.py.
VERBS = {
    "demo": "The whole story in under three minutes, on data that it simulates.",
    "describe": "Summarise a peak file or a corpus as 40 named numbers.",
    "propose": "Propose architectures for a data set in one forward pass; --fit trains the best.",
    "fit": "Train one architecture on one task and export it.",
    "train": "Train a controller jointly over a corpus.",
    "evaluate": "Train and score architectures on the tasks of a corpus; keep the rows in a store.",
    "report": "Write a run's page: one self-contained HTML file.",
    "simulate": "Write a small simulated genome with peaks and a corpus file.",
}

EPILOGUE = """\b
Begin with
  ambient demo --output demo
  ambient describe peaks.bed.gz --genome genome.fa.gz --category tf --output peaks.json
Each verb has its own --help with an example."""


class Verbs(click.Group):
    """A group that knows its verbs by name and imports one only to run it or to show its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the verbs in the order in which a newcomer meets them."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one verb; None where there is no such verb."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"ambient.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing any."""
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.command(cls=Verbs, epilog=EPILOGUE, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ambient")
def ambient() -> None:
    """From the peaks of an experiment to a convolutional network that predicts them from DNA."""


def _end_on_sigterm(signal_number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + signal_number)


def main() -> None:
    """Run the command line; exit with 0, 2 for a user's mistake, 1 (and a traceback) for ours."""
    signal.signal(signal.SIGTERM, _end_on_sigterm)
    try:
        ambient.main(prog_name="ambient", standalone_mode=False)
    except InputError as error:
        click.echo(f"ambient: {error}", err=True)
        sys.exit(2)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("ambient: interrupted", err=True)
        sys.exit(130)


if __name__ == "__main__":
    main()
