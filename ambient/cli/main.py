"""`ambient`: finds the verb, imports it, and turns a user's mistake into one sentence and exit code 2."""

from __future__ import annotations

import errno
import signal
import sys
import time
from importlib import import_module
from types import FrameType
from typing import NoReturn

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
    "search": "Search one task of a corpus for its best architecture, by one of several methods.",
    "compare": "Compare searches on equal budgets, and say when each passes the zero-shot proposal.",
    "report": "Write a run's page: one self-contained HTML file.",
    "simulate": "Write a small simulated genome with peaks and a corpus file.",
}

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SAME_WISH = 1.0  # seconds
# What the system refuses wherever a file is written or read: no bug of ours.
TROUBLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EIO)

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


class Stopping:
    """Turns the first SIGINT or SIGTERM into an orderly end; a later one ends the process at once.

    What follows within a second is the same wish: `timeout` and some terminals send a signal to the process and then to
    its group.
    """

    def __init__(self) -> None:
        self.code = 0  # what the process has to exit with: 128 and the signal's number
        self.name = ""
        self._since = 0.0

    def __enter__(self) -> Stopping:
        self._before = {number: signal.getsignal(number) for number in SIGNALS}
        for number, handler in self._before.items():
            if handler is not signal.SIG_IGN:  # a shell ignores SIGINT for what runs behind
                signal.signal(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        if not self.code:
            for number, handler in self._before.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self.code:
            self.code, self.name = 128 + number, signal.Signals(number).name
            self._since = time.monotonic()
            raise SystemExit(self.code)
        if time.monotonic() - self._since > SAME_WISH:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


def main() -> None:
    """Run the command line; exit with 0, 2 for a user's mistake, 1 for ours (a traceback), 130 or 143 for a signal."""
    with Stopping() as stopping:
        try:
            ambient.main(prog_name="ambient", standalone_mode=False)
        except BaseException as error:
            # What a signal breaks on its way out (workers that it ended as well) is nobody's mistake.
            if not stopping.code:
                _say_and_exit(error)
    if stopping.code:
        click.echo(f"ambient: stopped by {stopping.name}", err=True)
        sys.exit(stopping.code)


def _say_and_exit(error: BaseException) -> NoReturn:
    """Say a user's mistake or the system's trouble in one sentence and exit; raise anything else."""
    if isinstance(error, InputError):
        click.echo(f"ambient: {error}", err=True)
        sys.exit(2)
    if isinstance(error, OSError) and error.errno in TROUBLE:
        where = f"{error.filename}: " if error.filename is not None else ""
        click.echo(f"ambient: {where}{error.strerror}; correct that and try again", err=True)
        sys.exit(2)
    if isinstance(error, click.ClickException):
        error.show()
        sys.exit(2)
    if isinstance(error, click.Abort | KeyboardInterrupt):
        click.echo("ambient: interrupted", err=True)
        sys.exit(130)
    raise error


if __name__ == "__main__":
    main()
