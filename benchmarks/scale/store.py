"""How does the store do with ten million evaluations?

    python benchmarks/scale/store.py [--rows 10000000]

The rows are made up but of real size: 500 tasks, 2,000 architectures of `ambient-10`, ten seeds, in the order of a
search that jumps among tasks, each with four metrics and a learning curve. Each step runs in a process of its own,
whose largest memory is recorded. The store lies in benchmarks/scale/cache, which git ignores, and is made once (about
6 GB at ten million rows, and as much again while it is merged).
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import platform
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ambient.child import SEARCH
from ambient.evaluate import Evaluation, EvaluationKey, Store
from ambient.evaluate.exchange import export_tsv, import_table
from ambient.evaluate.exchange_parquet import export_parquet
from ambient.evaluate.store_rows import COLUMNS, digest
from ambient.files import canonical_json, write_atomic, write_json_atomic
from ambient.space import named_space
from ambient.zero_shot import draw_random

HERE = Path(__file__).resolve().parent
CACHE = HERE / "cache"
TASKS, ARCHITECTURES = 500, 2_000
JUMP = 7_654_321  # has no divisor in common with a number of rows that is a power of ten
BUILT_AT_ONCE = 50_000  # rows of one transaction of the build
DIFFERENT = 9_973  # results; the keys all differ
GETS = 5_000
EXPORTED_TASKS = 50  # a tenth of the rows


def main() -> None:
    """Run all steps, or the one that is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--rows", type=int, default=10_000_000, help="a power of ten, 1,000,000 or more"
    )
    parser.add_argument("--step", choices=STEPS, help="this one alone, in this process")
    arguments = parser.parse_args()
    if arguments.step is not None:
        print(json.dumps(STEPS[arguments.step](arguments.rows)))
        return
    CACHE.mkdir(exist_ok=True)
    kept = big(arguments.rows).with_suffix(".json")  # so that a run that broke off goes on
    steps = json.loads(kept.read_text()) if kept.exists() else {}
    for name in STEPS:
        if name not in steps:
            steps[name] = run(name, arguments.rows)
            write_json_atomic(kept, steps)
    about = {
        "rows": arguments.rows,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }
    write_json_atomic(HERE / "store.json", {**about, "steps": steps})
    write_atomic(HERE / "store.md", table(about, steps))
    print(table(about, steps))
    write_json_atomic(kept, {"build": steps["build"]})


def run(step: str, rows: int) -> dict[str, Any]:
    """Run one step in a process of its own; add its times and its largest memory."""
    started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, __file__, "--rows", str(rows), "--step", step]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = json.loads(done.stdout)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{step}: {time.perf_counter() - started:.0f} s wall, {cpu:.0f} s CPU", flush=True)
    return {**found, "process_cpu_seconds": round(cpu, 1)}


def timed(work: Callable[[], Any]) -> dict[str, float]:
    """Give the seconds that some work took, and this process's largest memory after it."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return {
        "wall_seconds": round(time.perf_counter() - wall, 3),
        "cpu_seconds": round(time.process_time() - cpu, 3),
        "largest_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def build(rows: int) -> dict[str, Any]:
    """Make the store, past `Store.put`, which has a step of its own."""
    path = big(rows)
    part = CACHE / "building.sqlite"
    part.unlink(missing_ok=True)
    with Store(part) as store:
        store.put(*(made_up(architecture) for architecture in architectures()))
        connection = store._connection
        connection.execute("DELETE FROM evaluations")
        connection.execute("PRAGMA synchronous = OFF")
        insert = (
            f"INSERT INTO evaluations ({', '.join(COLUMNS)}, digest) "
            f"VALUES ({', '.join('?' * (len(COLUMNS) + 1))})"
        )
        made = made_up_rows(rows)

        def write() -> None:
            while chunk := list(islice(made, BUILT_AT_ONCE)):
                connection.execute("BEGIN")
                connection.executemany(insert, chunk)
                connection.execute("COMMIT")

        found = timed(write)
    part.rename(path)
    return {**found, "bytes": path.stat().st_size}


def put(rows: int) -> dict[str, Any]:
    """Put new rows into the full store, few and many in a transaction; take them out again."""
    found: dict[str, Any] = {}
    names = architectures()
    with Store(big(rows)) as store:
        seed = 1_000_000
        for at_once, times in ((1, 300), (10, 100), (100, 30), (1000, 5)):
            groups = []
            for _ in range(times):
                groups.append([made_up(names[n % len(names)], seed + n) for n in range(at_once)])
                seed += at_once
            cost = timed(lambda groups=groups: [store.put(*group) for group in groups])
            for unit in ("wall", "cpu"):
                share = cost[f"{unit}_seconds"] / (at_once * times) * 1000
                found[f"{unit}_ms_each_of_{at_once}"] = round(share, 3)
        store._connection.execute("DELETE FROM evaluations WHERE seed >= 1000000")
    return found


def get(rows: int) -> dict[str, Any]:
    """Look rows up by their keys: such as are there, and such as are not."""
    rng = random.Random(1)
    with Store(big(rows)) as store:
        keys = [key_of(rng.randrange(rows)) for _ in range(GETS)]
        known = latencies(store, keys)
        unknown = latencies(store, [key._replace(seed=77) for key in keys])
    return {"known_us": known, "unknown_us": unknown}


def latencies(store: Store, keys: list[EvaluationKey]) -> dict[str, float]:
    """Give the median and the 99th hundredth of the microseconds of a look-up, after a first round."""
    for key in keys:
        store.get(key)
    found = []
    for key in keys:
        before = time.perf_counter_ns()
        store.get(key)
        found.append((time.perf_counter_ns() - before) / 1000)
    return {
        "median": round(statistics.median(found), 1),
        "p99": round(sorted(found)[len(found) * 99 // 100], 1),
    }


def read(rows: int) -> dict[str, Any]:
    """Open, count, add up, select a task."""
    opening = timed(lambda: Store(big(rows)).close())
    with Store(big(rows)) as store:
        return {
            "open": opening,
            "count": timed(lambda: len(store)),
            "count_one_task": timed(lambda: store.count(tasks=["task 7"])),
            "sums": timed(store.sums),
            "rows_of_one_task": {
                **timed(lambda: list(store.rows(tasks=["task 7"]))),
                "rows": store.count(tasks=["task 7"]),
            },
        }


def merge(rows: int) -> dict[str, Any]:
    """Merge the store into an empty one."""
    path = CACHE / "merged.sqlite"
    remove(path)
    with Store(path) as store:
        found = timed(lambda: store.merge(big(rows)))
        assert len(store) == rows
    remove(path)
    return {**found, "rows": rows}


def export(rows: int) -> dict[str, Any]:
    """Write a tenth of the rows as tables, and read one back into a store."""
    tasks = [f"task {number}" for number in range(EXPORTED_TASKS)]
    found: dict[str, Any] = {}
    with Store(big(rows)) as store:
        for name, write in (("rows.tsv", export_tsv), ("rows.parquet", export_parquet)):
            path = CACHE / name
            found[name] = timed(lambda write=write, path=path: write(store, path, tasks=tasks))
            found[name]["bytes"] = path.stat().st_size
        found["rows"] = store.count(tasks=tasks)
    remove(CACHE / "imported.sqlite")
    small = CACHE / "small.parquet"
    with Store(big(rows)) as store:
        export_parquet(store, small, tasks=tasks[:5])
    with Store(CACHE / "imported.sqlite") as other:
        found["import"] = timed(lambda: import_table(other, small))
        found["import"]["rows"] = len(other)
    for path in (CACHE / "rows.tsv", CACHE / "rows.parquet", small, CACHE / "imported.sqlite"):
        remove(path)
    return found


STEPS: dict[str, Callable[[int], dict[str, Any]]] = {
    "build": build,
    "put": put,
    "get": get,
    "read": read,
    "merge": merge,
    "export": export,
}


def big(rows: int) -> Path:
    """Name the store of so many rows."""
    return CACHE / f"{rows}.sqlite"


def remove(path: Path) -> None:
    """Remove a file of ours, where it is there, with what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def architectures() -> list[Any]:
    """Draw the architectures, the same in each process."""
    return draw_random(named_space("ambient-10"), ARCHITECTURES, 0)


@functools.cache
def fixed() -> tuple[list[str], list[str], str]:
    """Give the hashes of the tasks, the keys of the architectures, and the hash of the fidelity."""
    hashes = [f"{task:016x}" for task in range(TASKS)]
    return hashes, [architecture.key for architecture in architectures()], SEARCH.hash


def key_of(row: int) -> EvaluationKey:
    """Give the key of a row by its number."""
    hashes, keys, fidelity = fixed()
    seed, place = divmod(row, TASKS * ARCHITECTURES)
    task, architecture = divmod(place, ARCHITECTURES)
    return EvaluationKey(hashes[task], "ambient-10", keys[architecture], seed, fidelity)


def made_up_rows(rows: int) -> Iterator[tuple[Any, ...]]:
    """Make rows up as `Store` would write them."""
    rng = random.Random(0)
    results = [made_up_results(rng) for _ in range(DIFFERENT)]
    for number in range(rows):
        key = key_of(number * JUMP % rows)
        values = (*key, f"task {int(key.task_hash, 16)}", *results[number % DIFFERENT])
        yield (*values, digest(values))


def made_up_results(rng: random.Random) -> tuple[Any, ...]:
    """Make what came out of a training up."""
    scores = [rng.random() for _ in range(4)]
    names = ("test_aupr", "test_auroc", "validation_aupr", "validation_auroc")
    metrics = "{" + ",".join(f'"{n}":{s!r}' for n, s in zip(names, scores, strict=True)) + "}"
    curve = ",".join(f"{rng.random():.4f}" for _ in range(10))
    details = f'{{"curve":[{curve}],"parameters":12345,"restarts":0}}'
    seconds = rng.random() * 20
    return (
        *("done", "", metrics, seconds, seconds * 0.9, "cpu", "machine", "0.2.0"),
        *("2026-11-21T06:05:42+00:00", 0.0, seconds * 1e-5, details),
    )


def made_up(architecture: Any, seed: int = 0) -> Evaluation:
    """Make one evaluation up."""
    return Evaluation(
        "task 0",
        architecture,
        seed,
        SEARCH,
        task_hash=f"{0:016x}",
        metrics={"validation_auroc": 0.7512345678, "test_auroc": 0.71},
        details=json.loads(
            canonical_json({"curve": [0.5] * 10, "parameters": 12345, "restarts": 0})
        ),
        created="2026-11-21T06:05:42+00:00",
    )


def table(about: dict[str, Any], steps: dict[str, dict[str, Any]]) -> str:
    """Set the numbers as Markdown."""
    rows, built = about["rows"], steps["build"]
    put, get, reading, exported = steps["put"], steps["get"], steps["read"], steps["export"]

    def rate(cost: dict[str, Any], count: int) -> str:
        speeds = (count / cost[f"{unit}_seconds"] for unit in ("wall", "cpu"))
        text = "{:,.0f} rows/s of wall, {:,.0f} of CPU time".format(*speeds)
        memory = cost.get("largest_memory_mb")
        return text if memory is None else f"{text}, {memory:,} MB"

    lines = [
        f"| {rows:,} evaluations, {about['cores']} cores, SQLite {about['sqlite']} | |",
        "|---|---|",
        f"| file | {built['bytes'] / 1e9:.2f} GB, {built['bytes'] / rows:.0f} bytes a row |",
        f"| made by 50,000 in a transaction, not synced | {rate(built, rows)} |",
    ]
    for count in (1, 10, 100, 1000):
        wall, cpu = put[f"wall_ms_each_of_{count}"], put[f"cpu_ms_each_of_{count}"]
        lines.append(
            f"| put, {count:,} in a transaction, synced | {wall} ms wall, {cpu} ms CPU each |"
        )
    for kind in ("known", "unknown"):
        found = get[f"{kind}_us"]
        text = f"{found['median']} us median, {found['p99']} us at the 99th hundredth"
        lines.append(f"| get by key, {kind} | {text} |")
    for name in ("open", "count", "count_one_task", "sums"):
        lines.append(f"| {name.replace('_', ' ')} | {reading[name]['wall_seconds']} s |")
    one = reading["rows_of_one_task"]
    lines += [
        f"| rows of one task ({one['rows']:,}) | {rate(one, one['rows'])} |",
        f"| merged into an empty store | {rate(steps['merge'], rows)} |",
        f"| exported as TSV ({exported['rows']:,} rows) | {rate(exported['rows.tsv'], exported['rows'])} |",
        f"| exported as Parquet | {rate(exported['rows.parquet'], exported['rows'])} |",
        f"| imported from Parquet | {rate(exported['import'], exported['import']['rows'])} |",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
