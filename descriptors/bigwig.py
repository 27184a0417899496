"""Reads bigWig files in a child process, since a broken one can crash the library that reads it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from descriptors.errors import InputError

if TYPE_CHECKING:
    import numpy as np

__all__ = ["ask_child"]

# Bases of which the scores are held at one time: bounds the memory of wide intervals.
_PIECE_BP = 1 << 20
# Intervals that are no further apart are read at once: reading what lies between them costs less
# than another search, and than unpacking one block of the file twice.
_GAP_BP = 2000
# Reading one piece takes milliseconds; a child that takes far longer is caught in a loop.
_LONGEST_READ_SECONDS = 120
# From so many on two children share the intervals, whatever the number of cores: the same bytes.
_TWO_CHILDREN_INTERVALS = 10_000
_CHILD = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from descriptors.bigwig import answer; answer()"
)


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
        for. A base counts as often as intervals cover it. "lowest", "highest": of their scores; inf and -inf where
        no base has one.

    Raises
    ------
    InputError
        The file is no bigWig, or broken: the child failed, crashed or never came to an end.
    """
    if sum(map(len, intervals.values())) < _TWO_CHILDREN_INTERVALS:
        return _ask_one(path, intervals)
    halves: list[dict[str, list[list[int]]]] = [{}, {}]
    for chromosome, pairs in intervals.items():
        ordered, middle = sorted(pairs), len(pairs) // 2
        halves[0][chromosome], halves[1][chromosome] = ordered[:middle], ordered[middle:]
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda half: _ask_one(path, half), halves)
    sums = {name: first[name] + second[name] for name in ("total", "scored", "bases")}
    sums["lowest"] = min(first["lowest"], second["lowest"])
    sums["highest"] = max(first["highest"], second["highest"])
    return {**first, **sums}


def _ask_one(path: Path, intervals: dict[str, list[list[int]]]) -> dict[str, Any]:
    needed = "a whole bigWig file was needed; fetch or make it again"
    child = subprocess.run(
        [sys.executable, "-c", _CHILD, json.dumps(sys.path)],
        input=json.dumps({"path": str(path), "intervals": intervals}).encode(),
        capture_output=True,
        check=False,
    )
    if child.returncode == -signal.SIGALRM:
        raise InputError(f"{path}: reading the file does not come to an end; {needed}")
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
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    _begin_read()
    question = json.load(sys.stdin)
    print("\n" + json.dumps(_read(question["path"], question["intervals"])), flush=True)


def _begin_read() -> None:
    """Have this process killed unless it gets here again in time, even from within a library."""
    signal.alarm(_LONGEST_READ_SECONDS)


def _read(path: str, intervals: dict[str, list[list[int]]]) -> dict[str, Any]:
    import pyBigWig

    try:
        with pyBigWig.open(path) as bigwig:
            if not bigwig.isBigWig():
                return {"wrong": "a bigBed file"}
            sums = _sums(bigwig, intervals)
            claimed = bigwig.header()["nBasesCovered"]
            if claimed and sums["bases"] and not sums["scored"] and not _has_scores(bigwig):
                return {"wrong": f"a summary of {claimed:,} bases with a score and no such base"}
            return sums
    except (RuntimeError, ValueError, OverflowError, MemoryError, SystemError) as error:
        # What pyBigWig raises for a broken file depends on where it is broken.
        return {"wrong": f"a file that cannot be read as bigWig ({error})"}


def _sums(bigwig: Any, intervals: dict[str, list[list[int]]]) -> dict[str, Any]:
    import numpy as np

    sizes = {name: int(size) for name, size in (bigwig.chroms() or {}).items()}
    total, scored, bases = 0.0, 0, 0
    lowest, highest = np.inf, -np.inf
    for chromosome in sorted(intervals):
        pairs = np.array(intervals[chromosome], dtype=np.int64).reshape(-1, 2)
        bases += int((pairs[:, 1] - pairs[:, 0]).sum())
        # Bases past the end of the chromosome have no score.
        pairs = np.minimum(pairs, sizes.get(chromosome, 0))
        pairs = pairs[pairs[:, 0] < pairs[:, 1]]
        starts, ends = np.sort(pairs[:, 0]), np.sort(pairs[:, 1])
        for first, last in _pieces(starts, ends):
            _begin_read()
            values = _values(bigwig, chromosome, first, last)
            depth = _depth(starts, ends, first, last)
            counted = np.isfinite(values) & (depth > 0)
            values, depth = values[counted], depth[counted]
            total += float((values * depth).sum())
            scored += int(depth.sum())
            if len(values):
                lowest = min(lowest, float(values.min()))
                highest = max(highest, float(values.max()))
    return {
        **{"sizes": sizes, "total": total, "scored": scored, "bases": bases},
        **{"lowest": lowest, "highest": highest},
    }


def _has_scores(bigwig: Any) -> bool:
    """Whether any base of any chromosome has a score: a file whose header is damaged may hide them all."""
    import numpy as np

    for chromosome, size in bigwig.chroms().items():
        for first in range(0, int(size), _PIECE_BP):
            _begin_read()
            values = _values(bigwig, chromosome, first, min(first + _PIECE_BP, int(size)))
            if np.isfinite(values).any():
                return True
    return False


def _pieces(starts: np.ndarray, ends: np.ndarray) -> list[tuple[int, int]]:
    """Give what to read at one time for intervals of sorted starts and sorted ends."""
    import numpy as np

    # All that begin up to the i-th have ended with the i-th end where the next begins after it.
    apart = np.flatnonzero(starts[1:] > ends[:-1] + _GAP_BP)
    firsts = starts[np.append(0, apart + 1)] if len(starts) else starts
    lasts = ends[np.append(apart, -1)] if len(ends) else ends
    return [
        (at, min(at + _PIECE_BP, last))
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)
        for at in range(first, last, _PIECE_BP)
    ]


def _values(bigwig: Any, chromosome: str, first: int, last: int) -> np.ndarray:
    """Give the scores of single bases: float64, NaN where there is none."""
    import numpy as np
    import pyBigWig

    as_array = {"numpy": True} if pyBigWig.numpy else {}
    return np.asarray(bigwig.values(chromosome, first, last, **as_array), dtype=np.float64)


def _depth(starts: np.ndarray, ends: np.ndarray, first: int, last: int) -> np.ndarray:
    """Count the intervals that cover each base from `first` to `last`."""
    import numpy as np

    begun, begin = np.searchsorted(starts, [first, last])
    ended, end = np.searchsorted(ends, [first, last])
    depth = np.bincount(starts[begun:begin] - first, minlength=last - first)
    depth -= np.bincount(ends[ended:end] - first, minlength=last - first)
    depth[0] += begun - ended
    return np.cumsum(depth)
