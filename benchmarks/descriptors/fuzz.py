"""Fuzz the readers of every text format with Hypothesis: 20,000 files, valid, damaged, and of any bytes.

    python benchmarks/descriptors/fuzz.py [--cases 20000] [--seed 0]

Each file is read by the package and, row by row, by a slow reader written for the tests; a valid file must be read,
and any other read alike or refused with an InputError that names the file. Every other exception, a reader that takes
more than a minute, a lost row and a wrong value is a failure. Writes fuzz.json and fuzz.md (with what the last run of
fuzz_atheris.py found, where there is one).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
from collections import Counter
from multiprocessing import Pool
from pathlib import Path

from common import HERE, REPOSITORY, as_table, machine, write_results
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

sys.path.insert(0, str(REPOSITORY / "tests" / "helpers"))
from file_strategies import FORMATS, any_bytes, damaged_files_of, files_of
from plain_readers import CHECKS

SHARES = {"valid": 0.25, "damaged": 0.6, "any bytes": 0.15}
SECONDS_OF_A_HANG = 60
AT_ONCE = 500  # cases of one seed; Hypothesis remembers all that it tried with one


def strategy(name: str, kind: str) -> st.SearchStrategy[bytes]:
    """Give the files of a format and a kind."""
    if kind == "valid":
        return files_of(FORMATS[name].lines, FORMATS[name].has_headers)
    return damaged_files_of(FORMATS[name].lines) if kind == "damaged" else any_bytes()


def fuzz(name: str, kind: str, cases: int, first_seed: int, path: Path) -> Counter[str]:
    """Try at least so many files; count those read and refused, and the failures."""
    counts: Counter[str] = Counter()
    check = CHECKS[name]

    def one(content: bytes) -> None:
        path.write_bytes(content)
        counts["cases"] += 1
        signal.alarm(SECONDS_OF_A_HANG)
        was_read = check(path)
        signal.alarm(0)
        counts["read" if was_read else "refused"] += 1
        if kind == "valid" and not was_read:
            raise AssertionError("a valid file was refused")

    number = first_seed
    while counts["cases"] < cases:
        several = settings(
            max_examples=min(AT_ONCE, cases - counts["cases"]),
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        try:
            seed(number)(several(given(strategy(name, kind))(one)))()
        except Exception as error:
            counts["failures"] += 1
            print(f"{name}, {kind}: {error!r}\n" + "\n".join(getattr(error, "__notes__", [])))
        number += 1
    return counts


def main() -> None:
    """Fuzz every format and write down what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ["AMBIENT_CACHE"] = ""
    parts = {
        (name, kind): -(-round(options.cases * share) // len(FORMATS))
        for name in FORMATS
        for kind, share in SHARES.items()
    }
    results = {}
    with tempfile.TemporaryDirectory() as folder, Pool() as pool:
        running = {
            part: pool.apply_async(
                fuzz, (*part, cases, options.seed, Path(folder) / "-".join(part))
            )
            for part, cases in parts.items()
        }
        for part, answer in running.items():
            counts = answer.get()
            kinds = ("cases", "read", "refused", "failures")
            results[", ".join(part)] = {key: counts[key] for key in kinds}
            print(f"{', '.join(part)}: {dict(counts)}", file=sys.stderr)
        pool.close()
        pool.join()
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = sum(found["cases"] for found in results.values())
    failures = sum(found["failures"] for found in results.values())
    record = {
        "command": f"python benchmarks/descriptors/fuzz.py --cases {options.cases}",
        "seed": options.seed,
        "machine": machine("hypothesis", "numpy", "pandas"),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime),
        "cases": total,
        "failures": failures,
        "results": results,
    }
    columns = ["format", "files", "cases", "read", "refused", "failures"]
    cells = [[*key.split(", "), *found.values()] for key, found in results.items()]
    text = (
        f"# Fuzzing the readers\n\n{total:,} files, {failures} failures, "
        f"{record['cpu_seconds']} CPU seconds (`{record['command']}`).\n\n"
    )
    write_results("fuzz", record, text + as_table(columns, cells) + _coverage_guided())
    raise SystemExit(1 if failures else 0)


def _coverage_guided() -> str:
    path = HERE / "fuzz_atheris.json"
    if not path.is_file():
        return ""
    found = json.loads(path.read_text())
    cells = [[name, f"{runs:,}"] for name, runs in found["executions"].items()]
    return (
        f"\n## Guided by coverage (atheris)\n\n{found['seconds']} seconds, "
        f"{sum(found['executions'].values()):,} executions, {len(found['findings'])} findings "
        f"(`{found['command']}`).\n\n" + as_table(["format", "executions"], cells)
    )


if __name__ == "__main__":
    main()
