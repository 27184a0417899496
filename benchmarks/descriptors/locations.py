"""Measure distances to genes, exons, UTRs and splice sites at human scale, against bedtools.

    python benchmarks/descriptors/locations.py

simulates an annotation as large as GENCODE's once (cache/simulated.gtf.gz), reads it in fresh processes, first with
nothing remembered and then from what the first one remembered, and measures 100,000 peaks of 500 bp. `bedtools closest`
and the usual `zcat | awk | sort` run on the same machine in the same run, and every distance and every interval is
compared. With the real yeast data beside the checkout the distances of all its data sets are compared as well.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from common import CACHE, DATA, as_table, machine, measured, write_results
from simulated_annotation import SIZES, simulated_peaks, write_annotation

GTF = CACHE / "simulated.gtf.gz"
PEAKS = 100_000
WIDTH_BP = 500
SEED = 5
# What the rows of one type are in the file, for the reference.
TYPES = {"exon": "exon", "gene": "gene", "utr": "UTR"}


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--child", type=Path, help="measure in this process, write to this folder")
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(measure_here(arguments.child)))
        return
    if shutil.which("bedtools") is None:
        sys.exit("this benchmark compares with bedtools, which is not installed")
    write_annotation(GTF)
    with tempfile.TemporaryDirectory() as folder:
        record = compare(Path(folder))
    write_results("locations", record, report(record))


def measure_here(folder: Path) -> dict[str, Any]:
    """Read the annotation and measure the distances in this process."""
    from descriptors.annotation import FEATURES, read_annotation
    from descriptors.nearest import distances_to_nearest

    steps = {}
    peaks = simulated_peaks(PEAKS, WIDTH_BP, SEED, SIZES)
    # Of the genome only the names and lengths of chromosomes are asked for.
    genome: Any = SimpleNamespace(name="hg38", sizes=SIZES)
    begun, cpu = time.perf_counter(), time.process_time()
    annotation = read_annotation(GTF, genome)
    steps["annotation"] = (time.perf_counter() - begun, time.process_time() - cpu)
    begun, cpu = time.perf_counter(), time.process_time()
    distances = {}
    for feature in FEATURES:
        distances[feature], _ = distances_to_nearest(peaks, annotation.features[feature])
    steps["distances"] = (time.perf_counter() - begun, time.process_time() - cpu)
    np.savez(folder / "distances.npz", **distances)
    for feature in FEATURES:
        to_bed(annotation.features[feature], folder / f"{feature}.bed")
    to_bed(peaks, folder / "peaks.bed")
    return {
        "seconds": {name: {"wall": wall, "cpu": used} for name, (wall, used) in steps.items()},
        "rows": annotation.source.rows + sum(annotation.source.left_out.values()),
        "features": {feature: len(annotation.features[feature]) for feature in FEATURES},
        "origins": dict(annotation.origins),
    }


def to_bed(table: pd.DataFrame, path: Path) -> None:
    """Write intervals as BED, sorted as `bedtools closest` needs them."""
    table.to_csv(path, sep="\t", header=False, index=False, columns=["chromosome", "start", "end"])


def compare(folder: Path) -> dict[str, Any]:
    """Measure in fresh processes, and have the reference do the same."""
    remembered = folder / "remembered"
    command = ("env", f"AMBIENT_CACHE={remembered}", sys.executable, __file__, "--child", folder)
    record: dict[str, Any] = {"machine": machine("numpy", "pandas")}
    start = measured(sys.executable, "-c", "import descriptors.annotation, descriptors.nearest")
    record["start"] = {"wall": start["wall_seconds"], "cpu": start["cpu_seconds"]}
    for name in ("first", "again"):
        run = measured(*command)
        record[name] = {**run, **json.loads(run.pop("output").splitlines()[-1])}
    record["remembered_mb"] = round(sum(f.stat().st_size for f in remembered.iterdir()) / 1e6, 1)
    record["annotation_mb"] = round(GTF.stat().st_size / 1e6, 1)
    record["bedtools"] = subprocess.check_output(["bedtools", "--version"], text=True).split()[-1]
    ordered = measured("sort", "-k1,1", "-k2,2n", folder / "peaks.bed", "-o", folder / "sorted.bed")
    record["sort"] = {"wall": ordered["wall_seconds"], "cpu": ordered["cpu_seconds"]}
    record["reference"], record["extraction"] = {}, {}
    with np.load(folder / "distances.npz") as ours:
        for feature in ours:
            distances, seconds = closest(folder / "sorted.bed", folder / f"{feature}.bed")
            own = in_order(folder / "peaks.bed", ours[feature])
            seconds["different"] = int((distances != own).sum())
            record["reference"][feature] = seconds
    for feature, kind in TYPES.items():
        record["extraction"][feature] = extract(kind, folder / f"{feature}.bed")
    record["yeast"] = compare_yeast(folder)
    return record


def in_order(bed: Path, distances: np.ndarray) -> np.ndarray:
    """Put distances into the order of the sorted peaks, ties by their distances."""
    table = pd.read_csv(bed, sep="\t", header=None)
    return distances[np.lexsort((distances, table[2], table[1], table[0]))]


def closest(peaks: Path, features: Path) -> tuple[np.ndarray, dict[str, Any]]:
    """Let bedtools measure: the distance of each peak, in sorted order, and the seconds it took."""
    run = measured("bedtools", "closest", "-d", "-t", "first", "-a", peaks, "-b", features)
    rows = [line.split("\t") for line in run["output"].splitlines()]
    table = pd.DataFrame({"chromosome": [row[0] for row in rows]})
    for at, name in ((1, "start"), (2, "end"), (-1, "distance")):
        table[name] = [int(row[at]) for row in rows]
    table = table.sort_values(["chromosome", "start", "end", "distance"])
    seconds = {"wall": run["wall_seconds"], "cpu": run["cpu_seconds"]}
    return table["distance"].to_numpy(), seconds


def extract(kind: str, ours: Path) -> dict[str, Any]:
    """Let awk and sort extract the intervals of a type, and compare them with ours."""
    script = f"""zcat {GTF} | awk -F'\\t' -v OFS='\\t' '$3=="{kind}"{{print $1,$4-1,$5}}' """
    run = measured("bash", "-c", script + "| sort -u -k1,1 -k2,2n -k3,3n -S 1G")
    same = sorted(run["output"].splitlines()) == sorted(ours.read_text().splitlines())
    return {"wall": run["wall_seconds"], "cpu": run["cpu_seconds"], "same": same}


def compare_yeast(folder: Path) -> dict[str, int] | None:
    """Compare the distances of all real data sets; None where the data is absent."""
    from descriptors.annotation import FEATURES, read_annotation
    from descriptors.genome import Genome
    from descriptors.nearest import distances_to_nearest
    from descriptors.peaks import read_peaks

    yeast = DATA / "yeast"
    if not yeast.is_dir():
        return None
    genome = Genome.open(yeast / "genome" / "sacCer3.fa.gz")
    annotation = read_annotation(yeast / "annotation" / "sacCer3.sgd_R64.gtf.gz", genome)
    counts = {"sets": 0, "peaks": 0, "without_features": 0, "distances": 0, "different": 0}
    tables = []
    for path in sorted((yeast / "peaks").glob("*.bed.gz")):
        tables.append(read_peaks(path, genome).table)
        counts["sets"] += 1
    peaks = pd.concat(tables, ignore_index=True)[["chromosome", "start", "end"]]
    peaks = peaks.sort_values(["chromosome", "start", "end"], ignore_index=True)
    counts["peaks"] = len(peaks)
    to_bed(peaks, folder / "yeast.bed")
    for feature in FEATURES:
        table = annotation.features[feature]
        to_bed(table, folder / "yeast-features.bed")
        distances, _ = closest(folder / "yeast.bed", folder / "yeast-features.bed")
        own, unmatched = distances_to_nearest(peaks, table)
        # Where a chromosome has no feature, bedtools says -1 and we count the peak.
        counts["different"] += int((np.sort(distances[distances < 0]) != -1).sum())
        counts["different"] += abs(int((distances < 0).sum()) - unmatched)
        counts["different"] += int((distances[distances >= 0] != own).sum())
        counts["without_features"] += unmatched
        counts["distances"] += len(own)
    return counts


def report(record: dict[str, Any]) -> str:
    """Say it in a table."""

    def seconds(run: str, *steps: str) -> str:
        parts = [record[run]["seconds"][step] for step in steps]
        return " / ".join(f"{sum(part[kind] for part in parts):.2f}" for kind in ("wall", "cpu"))

    def reference(*runs: dict[str, Any]) -> tuple[str, float]:
        wall, cpu = (sum(run[kind] for run in runs) for kind in ("wall", "cpu"))
        return f"{wall:.2f} / {cpu:.2f}", cpu

    def ratio(cpu: float, run: str, *steps: str) -> str:
        return f"{cpu / sum(record[run]['seconds'][step]['cpu'] for step in steps):.1f}"

    tool = [record["sort"], *record["reference"].values()]
    extraction = list(record["extraction"].values())
    both = ("annotation", "distances")
    rows = [
        ("start-up of Python and imports", reference(record["start"])[0], "", "", ""),
        (
            "first parse",
            seconds("first", "annotation"),
            "25",
            f"zcat, awk, sort: {reference(*extraction)[0]}",
            ratio(reference(*extraction)[1], "first", "annotation"),
        ),
        (
            "from the cache: annotation and distances",
            seconds("again", *both),
            "2",
            f"zcat, awk, sort, bedtools: {reference(*extraction, *tool)[0]}",
            ratio(reference(*extraction, *tool)[1], "again", *both),
        ),
        (
            "distances alone",
            seconds("again", "distances"),
            "",
            f"bedtools closest and sort: {reference(*tool)[0]}",
            ratio(reference(*tool)[1], "again", "distances"),
        ),
    ]
    again = record["again"]
    features = ", ".join(f"{count:,} {name}" for name, count in again["features"].items())
    different = sum(run["different"] for run in record["reference"].values())
    same = sum(run["same"] for run in extraction)
    text = "# Distances to the nearest features, human scale\n\n"
    text += f"{PEAKS:,} peaks of {WIDTH_BP} bp; {again['rows']:,} rows of GTF "
    text += f"({record['annotation_mb']} MB packed; {again['origins']['splice_site']}), of which "
    text += f"unique: {features}.\n"
    text += "Seconds are wall / CPU; the ratio is of the reference's CPU seconds "
    text += "to ours.\n\n"
    columns = (
        "step",
        "ours",
        "at most (wall)",
        f"reference (bedtools {record['bedtools']})",
        "ratio",
    )
    text += as_table(columns, rows)
    text += f"\nDifferent from bedtools: {different} of {4 * PEAKS:,} distances. Features equal to "
    text += f"what awk finds: {same} of {len(extraction)}.\n"
    text += (
        f"Peak memory: {record['first']['peak_mb']:,} MB first, {again['peak_mb']:,} MB from the "
    )
    text += f"cache, whose file has {record['remembered_mb']} MB.\n"
    if record["yeast"]:
        real = record["yeast"]
        text += (
            f"Real yeast data, {real['sets']} sets, {real['peaks']:,} peaks: {real['different']} "
        )
        text += f"of {real['distances']:,} distances differ; {real['without_features']:,} times a "
        text += "peak lies on a chromosome without such a feature, in both.\n"
    text += "\nMade by `python benchmarks/descriptors/locations.py` on "
    return text + f"{record['machine']['cores']} cores.\n"


if __name__ == "__main__":
    main()
