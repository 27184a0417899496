"""Reads bigWig files in a child process, since a broken one can crash the library that reads it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from descriptors.errors import InputError

__all__ = ["ask_child"]

# Bases of which the scores are held at one time: bounds the memory of wide intervals.
_PIECE_BP = 1 << 22
_CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from descriptors.bigwig import answer; answer()"
)
# Reading takes milliseconds for each interval; a child that takes far longer is caught in a loop.
_START_SECONDS = 120.0
_INTERVAL_SECONDS = 0.05


def ask_child(path: Path, intervals: dict[str, list[list[int]]]) -> dict[str, Any]:
    """Read a bigWig file in a child process.

    Parameters
    ----------
    path : path
        Local bigWig file.
    intervals : dict of lists of [start, end]
        For each chromosome the intervals to read, counted from 0, half open.

    Returns
    -------
    dict
        "sizes": chromosome -> its length in base pairs according to the file; "total": sum of the
        scores of all bases that have one; "scored": how many have; "bases": how many were asked
        for.

    Raises
    ------
    InputError
        The file is no bigWig, or broken: the child failed, crashed or never came to an end.
    """
    count = sum(map(len, intervals.values()))
    needed = "a whole bigWig file was needed; fetch or make it again"
    try:
        child = subprocess.run(
            [sys.executable, "-c", _CHILD, json.dumps(sys.path)],
            input=json.dumps({"path": str(path), "intervals": intervals}).encode(),
            capture_output=True,
            timeout=_START_SECONDS + _INTERVAL_SECONDS * count,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"{path}: reading the file does not come to an end; {needed}") from error
    if child.returncode < 0:
        raise InputError(
            f"{path}: reading the file crashed (signal {-child.returncode}), it is broken; {needed}"
        )
    if child.returncode > 0:
        lines = child.stderr.decode("utf-8", "replace").strip().splitlines()
        raise RuntimeError(f"the bigWig reader failed: {lines[-1] if lines else child.returncode}")
    result: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    if "wrong" in result:
        raise InputError(f"{path}: found {result['wrong']} where {needed}")
    return result


def answer() -> None:
    """Answer the one question on standard input: the child's side of `ask_child`."""
    question = json.load(sys.stdin)
    print("\n" + json.dumps(_read(question["path"], question["intervals"])), flush=True)


def _read(path: str, intervals: dict[str, list[list[int]]]) -> dict[str, Any]:
    import pyBigWig

    try:
        with pyBigWig.open(path) as bigwig:
            if not bigwig.isBigWig():
                return {"wrong": "a bigBed file"}
            return _sums(bigwig, intervals)
    except (RuntimeError, ValueError, OverflowError, MemoryError, SystemError) as error:
        # What pyBigWig raises for a broken file depends on where it is broken.
        return {"wrong": f"a file that cannot be read as bigWig ({error})"}


def _sums(bigwig: Any, intervals: dict[str, list[list[int]]]) -> dict[str, Any]:
    import numpy as np

    sizes = {name: int(size) for name, size in (bigwig.chroms() or {}).items()}
    total, scored, bases = 0.0, 0, 0
    for chromosome in sorted(intervals):
        size = sizes.get(chromosome, 0)
        for start, end in sorted(intervals[chromosome]):
            bases += end - start
            for first in range(start, min(end, size), _PIECE_BP):
                last = min(first + _PIECE_BP, end, size)
                values = np.asarray(bigwig.values(chromosome, first, last), dtype=np.float64)
                known = np.isfinite(values)
                total += float(values[known].sum())
                scored += int(known.sum())
    return {"sizes": sizes, "total": total, "scored": scored, "bases": bases}
