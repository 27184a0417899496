"""Ten million peaks: seconds and memory of reading, checking and summarising them.

    python benchmarks/descriptors/ten_million.py [--rows 10000000]

Simulates peaks on chromosomes of human lengths as BED3, narrowPeak and gzipped narrowPeak, reads each in a
process of its own, beside `sort -k1,1 -k2,2n` of the same file (what one does before bedtools), and writes
ten_million.json and ten_million.md. Acceptance: 2 GB.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import as_table, machine, measured, write_results

from descriptors.genome import Genome
from descriptors.peaks import read_peaks

LIMIT_MB = 2000
# UCSC's hg38.chrom.sizes, in millions of bp.
MEGABASES = {
    **{f"chr{at + 1}": size for at, size in enumerate((248, 242, 198, 190, 181, 170, 159, 145))},
    **{f"chr{at + 9}": size for at, size in enumerate((138, 133, 135, 133, 114, 107, 101, 90))},
    **{f"chr{at + 17}": size for at, size in enumerate((83, 80, 58, 64, 46, 50))},
    **{"chrX": 156, "chrY": 57},
}
SIZES = {name: size * 1_000_000 for name, size in MEGABASES.items()}
ROWS_AT_ONCE = 200_000


def simulate(path: Path, rows: int, kind: str) -> None:
    """Write peaks in any order: BED3 or narrowPeak."""
    rng = np.random.default_rng(0)
    names, sizes = np.array(list(SIZES)), np.array(list(SIZES.values()))
    with open(path, "w") as file:
        for first in range(0, rows, ROWS_AT_ONCE):
            n = min(ROWS_AT_ONCE, rows - first)
            which = rng.choice(len(names), n, p=sizes / sizes.sum())
            width = rng.integers(100, 1000, n)
            start = (rng.random(n) * (sizes[which] - 1000)).astype(np.int64)
            columns = [names[which], start.astype(str), (start + width).astype(str)]
            if kind != "BED3":
                number = np.arange(first, first + n).astype(str)
                columns += [np.char.add("peak_", number), rng.integers(0, 1000, n).astype(str)]
                columns += [np.array(["+", "-", "."])[rng.integers(0, 3, n)]]
            if kind == "narrowPeak":
                columns += [np.char.mod("%.5f", rng.random(n) * 90) for _ in range(3)]
                columns += [(rng.random(n) * width).astype(np.int64).astype(str)]
            file.write("\n".join("\t".join(row) for row in zip(*columns, strict=True)) + "\n")


def summarise(path: Path) -> None:
    """Read the peaks as `describe` does and print what it says of them."""
    genome = Genome.from_sequences({"chr1": "A"}, "human.fa")
    genome.sizes = SIZES  # the lengths are all that reading needs
    peaks = read_peaks(path, genome)
    widths = (peaks.table["end"] - peaks.table["start"]).to_numpy()
    summary = {
        "rows": peaks.source.rows,
        "left_out": sum(peaks.source.left_out.values()),
        "width_median_bp": float(np.median(widths)),
        "width_variance_bp2": float(np.var(widths)),
    }
    print(json.dumps(summary))


def main() -> None:
    """Measure each kind of file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--summarise", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.summarise:
        summarise(options.summarise)
        return
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("BED3", "narrowPeak", "narrowPeak, gz"):
            path = Path(folder) / kind.split(",")[0]
            if kind.endswith("gz"):
                with open(path, "rb") as plain, gzip.open(f"{path}.gz", "wb", 1) as packed:
                    shutil.copyfileobj(plain, packed)
                path = Path(f"{path}.gz")
            else:
                simulate(path, options.rows, kind)
            found = measured(sys.executable, __file__, "--summarise", path)
            found |= json.loads(found.pop("output"))
            found["file_mb"] = round(path.stat().st_size / 1e6)
            if not kind.endswith("gz"):
                command = f"LC_ALL=C sort -S 1G -k1,1 -k2,2n {path} > {folder}/sorted"
                sorting = measured("sh", "-c", command)
                found["sort_seconds"] = sorting["cpu_seconds"]
            results[kind] = found
            if found["rows"] + found["left_out"] != options.rows:
                raise SystemExit(f"{kind}: rows were lost: {found}")
    worst = max(found["peak_mb"] for found in results.values())
    record = {
        "command": "python benchmarks/descriptors/ten_million.py",
        "rows": options.rows,
        "machine": machine("numpy", "pandas"),
        "results": results,
        "worst_peak_mb": worst,
        "limit_mb": LIMIT_MB,
    }
    columns = ["file", "MB", "CPU s", "wall s", "peak MB", "`sort` CPU s"]
    cells = [
        [
            *(kind, found["file_mb"], found["cpu_seconds"], found["wall_seconds"]),
            *(found["peak_mb"], found.get("sort_seconds", "")),
        ]
        for kind, found in results.items()
    ]
    text = (
        f"# {options.rows:,} peaks\n\nRead, checked, sorted, duplicates counted, widths summarised; "
        f"start of Python included.\nWorst peak memory {worst:,} MB (limit {LIMIT_MB:,} MB). "
        f"No row is lost: those used and those counted as left out are all.\n\n"
    )
    write_results("ten_million", record, text + as_table(columns, cells))


if __name__ == "__main__":
    main()
