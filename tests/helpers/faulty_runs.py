"""Small trainings among system calls that fail; a program that runs with the library of `failing_calls.c` loaded.

python faulty_runs.py FOLDER STEPS FAULT... trains in FOLDER/0, FOLDER/1, ..., one for each fault, each in a process
of its own, and prints a line of JSON for each: how it ended ("done", "killed", or the kind of error), what was said,
and how many calls the fault was asked about.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("failing_calls.c")


@dataclass(frozen=True)
class Outcome:
    """How one training ended."""

    run: Path
    fault: str
    end: str
    said: str
    calls: int


def build_library(folder: Path) -> Path | None:
    """Compile the library; None where that cannot be done."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not sys.platform.startswith("linux"):
        return None
    path = folder / "failing_calls.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(path), str(SOURCE), "-ldl"]
    built = subprocess.run(command, capture_output=True, check=False).returncode == 0
    return path if built else None


def run_faulty(library: Path, folder: Path, steps: int, *faults: str) -> list[Outcome]:
    """Train once for each fault, all of them in new folders below a new one."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, __file__, str(folder), str(steps), *faults],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    ends = [json.loads(line) for line in done.stdout.splitlines()]
    return [
        Outcome(folder / str(number), fault, *end)
        for number, (fault, end) in enumerate(zip(faults, ends, strict=True))
    ]


def _train_in_child(run: Path, steps: int, fault: str) -> tuple[str, str, int]:
    from small_run import train_small

    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        library = ctypes.CDLL(None)
        library.ambient_fault(fault.encode())
        end, said = "done", ""
        try:
            train_small(run, steps)
        except BaseException as error:
            end, said = type(error).__name__, str(error)
        calls = library.ambient_fault_calls()
        library.ambient_fault(None)
        os.write(theirs, json.dumps([end, said, calls]).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    end, said, calls = json.loads(text) if text else ("killed", "", 0)
    return end, said, calls


if __name__ == "__main__":
    import torch
    from small_run import train_small

    torch.set_num_threads(1)  # threads do not outlive a fork
    with tempfile.TemporaryDirectory() as place:
        train_small(Path(place) / "run", 1)  # loads all modules, once for all children
    for index, text in enumerate(sys.argv[3:]):
        outcome = _train_in_child(Path(sys.argv[1]) / str(index), int(sys.argv[2]), text)
        print(json.dumps(outcome), flush=True)
