"""What the scripts here and in ../human have in common: how they begin, and how they tell."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import Any

from ambient.files import write_atomic, write_json_atomic

__all__ = ["begin", "tell"]


def begin(doc: str | None, hours: float | None = None) -> argparse.ArgumentParser:
    """Give the options of a script: `--recorded`, and `--hours` where the clock ends it.

    Whoever ends the script lets it leave by the way out, with its rows written.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if hours is not None:
        parser.add_argument("--hours", type=float, default=hours)
    parser.add_argument(
        "--recorded", action="store_true", help="train nothing; write the tables anew"
    )
    return parser


def tell(folder: Path, result: Any, text: str, name: str = "results") -> None:
    """Write what came out, for programs and for readers, and print it."""
    write_json_atomic(folder / f"{name}.json", result)
    write_atomic(folder / f"{name}.md", text)
    print(text)
