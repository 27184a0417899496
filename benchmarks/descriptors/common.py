"""What the benchmarks of the descriptors share: where data lies, how a child is measured, what is written."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
DATA = Path(os.environ.get("AMBIENT_DATA", REPOSITORY.parent / "shared" / "data"))
CACHE = HERE / "cache"  # what is simulated once; git ignores it


def machine(*packages: str) -> dict[str, Any]:
    """Give what a number depends on and names no machine: cores and versions."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        **{package: version(package) for package in packages},
    }


def measured(*command: object) -> dict[str, Any]:
    """Run a command; give its wall and CPU seconds (of its children too), peak memory and output.

    The memory is the largest of any one process; CPU seconds hardly change when others compute too.
    """
    with tempfile.TemporaryFile() as output:
        begun = time.perf_counter()
        child = subprocess.Popen([str(part) for part in command], stdout=output, cwd=REPOSITORY)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begun
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"{command} ended with code {child.returncode}")
        output.seek(0)
        text = output.read().decode()
    # Linux counts in KiB, macOS in bytes.
    peak_mb = usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return {
        "wall_seconds": round(wall, 2),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2),
        "peak_mb": round(peak_mb),
        "output": text,
    }


def as_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Give a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join("| " + " | ".join(str(cell) for cell in line) + " |\n" for line in lines)


def write_results(name: str, record: Mapping[str, Any], text: str) -> None:
    """Write NAME.json and NAME.md beside the scripts, and print the text."""
    (HERE / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n")
    (HERE / f"{name}.md").write_text(text)
    print(text)
