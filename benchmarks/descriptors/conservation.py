"""Measure mean conservation at human scale, against pyBigWig and pybigtools, and break bigWig files.

    python benchmarks/descriptors/conservation.py

simulates a chromosome of 249 Mb with a score for nearly every base once (cache/simulated.bw), and averages 100,000
peaks of 500 bp there in a fresh process, and a twelfth of them, as far apart as all are on a whole genome. A plain loop
over the peaks with pyBigWig and with pybigtools runs in the same run, and the means are compared. Then `--fuzz` damaged
files are read: a crash of the reader, a hang or an unknown error is counted.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import CACHE, as_table, machine, measured, write_results
from simulated_annotation import simulated_peaks
from simulated_track import CHROMOSOME, SIZE_BP, write_track

TRACK = CACHE / "simulated.bw"
PEAKS = 100_000
WIDTH_BP = 500
SEED = 6
# A whole genome is twelve such chromosomes: one of them has a twelfth of the peaks.
LAYOUTS = {"all on one chromosome": PEAKS, "a twelfth, as on a whole genome": PEAKS // 12}
READERS = ("ambient", "pyBigWig", "pybigtools")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--fuzz", type=int, default=3000, help="damaged files to read")
    parser.add_argument("--child", nargs=2, help="reader and number of peaks, in this process")
    arguments = parser.parse_args()
    if arguments.child:
        what, count = arguments.child
        if what == "simulate":
            write_track(TRACK)
        else:
            peaks = simulated_peaks(int(count), WIDTH_BP, SEED, {CHROMOSOME: SIZE_BP})
            print(json.dumps(globals()[f"with_{what.lower()}"](peaks)))
        return
    # In a process of its own: its memory would count as that of every later child.
    measured(sys.executable, __file__, "--child", "simulate", 0)
    record: dict[str, Any] = {
        "machine": machine("numpy", "pyBigWig", "pybigtools"),
        "track_mb": round(TRACK.stat().st_size / 1e6),
        "hash": hash_seconds(),
        "readers": {layout: {} for layout in LAYOUTS},
    }
    for layout, count in LAYOUTS.items():
        for reader in READERS:
            run = measured(sys.executable, __file__, "--child", reader, count)
            record["readers"][layout][reader] = {**run, **json.loads(run.pop("output"))}
    record["fuzz"] = fuzz(arguments.fuzz)
    write_results("conservation", record, report(record))


def with_ambient(peaks: pd.DataFrame) -> dict[str, float | None]:
    """Average as `describe` does."""
    from descriptors.conservation import mean_conservation

    found = mean_conservation(TRACK, peaks)
    bases = int((peaks["end"] - peaks["start"]).sum())
    return {"mean": found.mean, "scored": round(found.scored_share * bases)}


def with_pybigwig(peaks: pd.DataFrame) -> dict[str, float]:
    """Loop over the peaks with pyBigWig."""
    import pyBigWig

    with pyBigWig.open(str(TRACK)) as reader:
        return looped(peaks, lambda *peak: np.array(reader.values(*peak)))


def with_pybigtools(peaks: pd.DataFrame) -> dict[str, float]:
    """Loop over the peaks with pybigtools."""
    import pybigtools

    with pybigtools.open(str(TRACK)) as reader:
        return looped(peaks, lambda *peak: reader.values(*peak, fillna=None))


def looped(peaks: pd.DataFrame, values: Any) -> dict[str, float]:
    """Read peak by peak, in the order of the chromosome."""
    total, scored = 0.0, 0
    for peak in peaks.sort_values("start").itertuples(index=False):
        scores = np.asarray(values(*peak), dtype=np.float64)
        known = scores[np.isfinite(scores)]
        total += float(known.sum())
        scored += len(known)
    return {"mean": total / scored, "scored": scored}


def hash_seconds() -> dict[str, float]:
    """Hash the whole track, as provenance does."""
    from descriptors.sources import sha256_of

    begun, cpu = time.perf_counter(), time.process_time()
    sha256_of(TRACK)
    return {
        "wall": round(time.perf_counter() - begun, 2),
        "cpu": round(time.process_time() - cpu, 2),
    }


def fuzz(cases: int) -> dict[str, Any]:
    """Read damaged files, each in a process of its own; count how each ends."""
    rng = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged.bw"
        whole = small_track(path)
        expected, _ = read_apart(path)
        ends: collections.Counter[str] = collections.Counter()
        most_kb = 0
        for _ in range(cases):
            path.write_bytes(damage(whole, rng))
            end, peak_kb = read_apart(path)
            most_kb = max(most_kb, peak_kb)
            ends[end if not end.startswith("{") else how_read(end, expected)] += 1
    return {"cases": cases, "ends": dict(sorted(ends.items())), "peak_mb": round(most_kb / 1024)}


def small_track(path: Path) -> bytes:
    """Write a small whole bigWig file of two chromosomes with gaps."""
    import pyBigWig

    rng = np.random.default_rng(SEED)
    with pyBigWig.open(str(path), "w") as writer:
        writer.addHeader([("chrI", 300_000), ("chrII", 50_000)])
        for name, count in (("chrI", 100_000), ("chrII", 20_000)):
            for start in (0, count + 500):
                scores = rng.normal(size=count).round(2).astype(np.float32)
                writer.addEntries(name, start, values=scores, span=1, step=1)
    return path.read_bytes()


def damage(whole: bytes, rng: np.random.Generator) -> bytes:
    """Cut a file short, or change a few of its bytes: half of them in its first or last part."""
    if rng.random() < 0.2:
        return whole[: rng.integers(0, len(whole))]
    content = bytearray(whole)
    changes = (b"\xff", b"\x00", b"\x80", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", bytes(4))
    for _ in range(rng.integers(1, 4)):
        where = rng.choice([1200, len(whole), -3000])
        at = int(rng.integers(0, where) if where > 0 else len(whole) + rng.integers(where, -8))
        if rng.random() < 0.4:
            content[at] ^= 1 << int(rng.integers(0, 8))
        else:
            change = changes[rng.integers(0, len(changes))]
            content[at : at + len(change)] = change
    return bytes(content[: len(whole)])


def read_apart(path: Path) -> tuple[str, int]:
    """Read a file in a forked process, which is quicker than a new one; give how it ended."""
    from descriptors import bigwig

    intervals = {"chrI": [[0, 300_000], [10, 30]], "chrII": [[5, 30_000]]}
    answer, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        signal.alarm(20)
        try:
            text = json.dumps(bigwig._read(str(path), intervals))
        except BaseException as error:
            text = f"unknown error: {type(error).__name__}"
        os.write(write, text.encode()[:60_000])
        os._exit(0)
    os.close(write)
    with open(answer, "rb") as stream:
        text = stream.read().decode()
    _, status, usage = os.wait4(child, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        text = "never ended" if number == signal.SIGALRM else "the child crashed: InputError"
    return text, usage.ru_maxrss


def how_read(answer: str, expected: str) -> str:
    """Say whether a damaged file gave the whole one's sums."""
    found, right = json.loads(answer), json.loads(expected)
    if "wrong" in found:
        return "found broken: InputError"
    if found["sizes"] != right["sizes"]:
        return "other lengths of chromosomes: InputError where the genome is given"
    return "the right sums" if found == right else "other sums"


def report(record: dict[str, Any]) -> str:
    """Say it in tables."""
    rows = []
    for layout, readers in record["readers"].items():
        ours = readers["ambient"]
        for reader, run in readers.items():
            right = abs(run["mean"] / ours["mean"] - 1) < 1e-12 and run["scored"] == ours["scored"]
            rows.append(
                (
                    layout,
                    reader,
                    f"{run['wall_seconds']:.2f} / {run['cpu_seconds']:.2f}",
                    f"{run['cpu_seconds'] / ours['cpu_seconds']:.2f}",
                    run["peak_mb"],
                    f"{run['mean']:.12f}",
                    "yes" if right else "NO",
                )
            )
    text = "# Mean conservation, human scale\n\n"
    text += f"{PEAKS:,} peaks of {WIDTH_BP} bp on a simulated track of {SIZE_BP / 1e6:.0f} Mb "
    text += f"({record['track_mb']} MB); at most 15 s. A twelfth of them lies as far apart as all "
    text += "do on a whole genome.\nSeconds are wall / CPU of a whole process; the ratio is of CPU "
    text += "seconds to ours.\n\n"
    columns = ("peaks", "reader", "seconds", "ratio", "peak MB", "mean", "equals ours")
    text += as_table(columns, rows)
    text += (
        f"\nHashing the track for provenance: {record['hash']['wall']} / {record['hash']['cpu']} s."
    )
    fuzzed = record["fuzz"]
    text += (
        f"\n\n## Damaged files\n\n{fuzzed['cases']:,} files cut short or with a few bytes changed; "
    )
    text += f"no read took more than {fuzzed['peak_mb']} MB.\n\n"
    text += as_table(("how reading ended", "files"), list(fuzzed["ends"].items()))
    text += "\nMade by `python benchmarks/descriptors/conservation.py` on "
    return text + f"{record['machine']['cores']} cores.\n"


if __name__ == "__main__":
    main()
