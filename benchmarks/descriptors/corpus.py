"""How long a corpus of 250 data sets takes to describe, with one worker and with two.

    python benchmarks/descriptors/corpus.py

simulates ten data sets of 1,000 peaks on one genome of 1 Mb, draws 25 of 700 peaks from each, describes them with
`ambient describe`, and writes corpus.json and corpus.md beside this file. One worker is measured on the first few
alone, since it takes twice as long.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
from common import CACHE, as_table, machine, measured, write_results

from ambient.data.simulate import simulate_corpus

AMBIENT = Path(sys.executable).with_name("ambient")
GENOME_BP = 1_000_000
SIMULATED = 10  # more would not find room side by side
SHARE = 0.7  # of the peaks of one that a drawn data set has
SEED = 0


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=250)
    parser.add_argument("--few", type=int, default=24, help="tasks that one worker describes")
    arguments = parser.parse_args()
    runs = [
        (arguments.few, 1),
        (arguments.few, 2),
        (arguments.tasks, 2),
    ]
    rows = [run(tasks, workers, arguments.tasks) for tasks, workers in runs]
    few = {row["workers"]: row for row in rows if row["tasks"] == arguments.few}
    record = {
        "machine": machine("numpy", "pandas", "pyBigWig"),
        "peaks_of_a_task": round(SHARE * GENOME_BP / 1000),
        "rows": [{key: value for key, value in row.items() if key != "table"} for row in rows],
        "one_worker_over_two": round(few[1]["wall_seconds"] / few[2]["wall_seconds"], 2),
        "same_bytes": few[1]["table"] == few[2]["table"],
    }
    columns = ("data sets", "workers", "wall s", "CPU s", "CPU s each", "largest process MB")
    cells = [
        (
            row["tasks"],
            row["workers"],
            f"{row['wall_seconds']:.0f}",
            f"{row['cpu_seconds']:.0f}",
            f"{row['cpu_seconds'] / row['tasks']:.2f}",
            row["peak_mb"],
        )
        for row in rows
    ]
    text = as_table(columns, cells) + (
        f"\nOne worker takes {record['one_worker_over_two']} times as long as two; both write the same bytes: "
        f"{'yes' if record['same_bytes'] else 'NO'}.\n"
    )
    write_results("corpus", record, text)


def run(tasks: int, workers: int, simulated: int) -> dict[str, Any]:
    """Describe the first tasks of the simulated corpus from nothing."""
    folder = CACHE / f"corpus-{simulated}"
    if not folder.exists():
        make_corpus(folder, simulated)
    lines = (folder / "corpus.yaml").read_text().splitlines()
    few = folder / f"first-{tasks}.yaml"
    few.write_text("\n".join(lines[: lines.index("tasks:") + 1 + tasks]) + "\n")
    table = folder / "table.tsv"
    command = (AMBIENT, "describe", few, "--workers", workers, "--output", table)
    spent = measured(*command)
    del spent["output"]
    return {"tasks": tasks, "workers": workers, **spent, "table": table.read_text()}


def make_corpus(folder: Path, tasks: int) -> None:
    """Simulate a few data sets, and draw the others from them."""
    CACHE.mkdir(exist_ok=True)
    path = simulate_corpus(folder, tasks=SIMULATED, genome_bp=GENOME_BP, seed=SEED)
    rng = np.random.default_rng(SEED)
    lines = path.read_text().splitlines()
    first = lines.index("tasks:") + 1
    entries = [line.replace(", held_out: true", "") for line in lines[first:]]
    made = []
    for number in range(tasks):
        entry = entries[number % SIMULATED]
        name = entry.split("name: ")[1].split(",")[0]
        source = next((folder / "peaks").glob(f"{name}.*"))
        peaks = source.read_text().splitlines(keepends=True)
        chosen = np.sort(rng.choice(len(peaks), round(SHARE * len(peaks)), replace=False))
        target = source.with_name(f"{name}-{number}{source.suffix}")
        target.write_text("".join(peaks[at] for at in chosen))
        made.append(entry.replace(source.name, target.name).replace(name, f"{name}-{number}", 1))
    path.write_text("\n".join([*lines[:first], *made]) + "\n")


if __name__ == "__main__":
    main()
