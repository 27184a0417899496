"""What the zero-shot proposal replaces: searches of held-out yeast tasks, each by itself, in real evaluations.

    python benchmarks/yeast/searches.py --hours 2 [--tasks Snf2 Tho1]

works through `PLAN`, from where it stopped before: AMBER (PPO) on all held-out tasks, regularised evolution, TPE and
random search on four, of `ambient-plus`, each one task at a time, from nothing, at the `search` fidelity. Runs lie in
cache/searches; they share a store, but each is charged what its children cost. Every training goes into
searches/evaluations.tsv.gz; on another machine the same searches ask the same again and find it there, so that nothing
is trained twice. What each asked for, in its order, goes into searches/rows.tsv.gz. `ambient compare` sets the runs on
the four tasks beside the controller's proposal: searches/comparison.txt and comparison.json. `--hours 0` only writes
these.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from table import CACHE, HERE

from ambient.child.fidelity import SEARCH
from ambient.controller.card import Controller
from ambient.data.corpus import read_corpus
from ambient.data.describe import describe_corpus
from ambient.data.prepare import prepare_corpus
from ambient.evaluate import PoolEngine, Remembering, Request, Store
from ambient.evaluate.energy import EnergyMeter
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.files import write_atomic, write_json_atomic
from ambient.propose import propose_for_tasks
from ambient.report.comparison import compare_runs
from ambient.report.comparison_notes import notes_on
from ambient.report.comparison_tables import as_json
from ambient.report.comparison_terminal import comparison_text
from ambient.search.journal import read_journal
from ambient.search.run_folder import CONFIGURATION, JOURNAL
from ambient.search.search_run import SearchConfig, search_task
from ambient.space import named_space

SPACE = named_space("ambient-plus")
TASKS = {"Tbf1": "tf", "Rpo21": "polymerase", "H4": "histone", "Hst1": "other"}
LONG = (
    "Tbf1",
    "H4",
    "Hst1",
)  # searched up to 300; of the four those whose trainings are the shortest
OTHERS = ("H4ac", "War1", "Dbp2", "Iws1", "Mot1", "Smd1", "Snf2", "Tho1")  # searched by AMBER alone
METHODS = ("amber", "random", "evolution", "tpe")
CONTROLLER = HERE / "zero-shot" / SPACE.name / "controller"
CHILD_SEEDS = (0, 1)  # of the proposals' trainings
RECORDS = HERE / "searches"
EVALUATIONS = RECORDS / "evaluations.tsv.gz"
RUNS = CACHE / "searches"
STORE = RUNS / "store.sqlite"
COLUMNS = ("method", "task", "seed", "number", "architecture", "state")
MEASURED = ("validation_auroc", "test_auroc")
COSTS = ("wall_seconds", "cpu_seconds", "energy_kwh")


@dataclass(frozen=True)
class Search:
    """One method on one task, up to a number of evaluations; one with more goes on from there."""

    method: str
    task: str
    evaluations: int
    seed: int = 0

    @property
    def folder(self) -> Path:
        """Where the run lies."""
        return RUNS / f"{self.task}-{self.method}-{self.seed}"


PLAN = (
    *(Search("amber", task, 100) for task in TASKS),
    *(Search("amber", task, 300) for task in LONG),
    *(Search("amber", task, 100) for task in OTHERS),
    *(Search(method, task, 100) for method in METHODS if method != "amber" for task in TASKS),
    *(Search(method, task, 100, seed) for seed in (1, 2) for method in METHODS for task in TASKS),
)


def main() -> None:
    """Search, write the rows, compare."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="searches at a time")
    parser.add_argument("--tasks", nargs="*", default=[*TASKS, *OTHERS], help="search only these")
    arguments = parser.parse_args()
    corpus = read_corpus(HERE / "corpus.yaml")
    prepare_corpus(corpus, CACHE / "tasks", [*TASKS, *OTHERS])
    RUNS.mkdir(exist_ok=True)
    RECORDS.mkdir(exist_ok=True)
    signal.signal(signal.SIGTERM, end_searches)
    with Store(STORE) as store:
        if EVALUATIONS.exists():
            import_tsv(store, EVALUATIONS)
        try:
            if arguments.hours > 0:
                until = time.time() + 3600 * arguments.hours
                search_all(arguments.workers, until, arguments.tasks)
            proposals = propose(store)
        finally:
            write_rows()
            export_tsv(store, EVALUATIONS)
    compare(proposals)


def search_all(workers: int, until: float, tasks: Sequence[str]) -> None:
    """Run the plan for some tasks, each search in a process of its own, no two of them in one folder."""
    planned = [one for one in PLAN if one.task in tasks]
    open_ones = [one for one in planned if evaluations_of(one.folder) < one.evaluations]
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        running: dict[Any, Search] = {}
        while (open_ones and time.time() < until) or running:
            busy = {one.folder for one in running.values()}
            for one in list(open_ones):
                if len(running) < workers and time.time() < until and one.folder not in busy:
                    open_ones.remove(one)
                    busy.add(one.folder)
                    running[pool.submit(search, one, until)] = one
            done = next(as_completed(running))
            one = running.pop(done)
            done.result()
            print(f"{one}: {evaluations_of(one.folder)} of {one.evaluations}", flush=True)


def end_searches(number: int, _: object) -> None:
    """End the searches with this process; they go on from their last step when the script is called again."""
    for process in multiprocessing.active_children():
        process.terminate()
    sys.exit(128 + number)


def search(one: Search, until: float) -> None:
    """Search until the evaluations are made or the time is up."""
    hours = (until - time.time()) / 3600
    if hours <= 0:
        return
    corpus = read_corpus(HERE / "corpus.yaml")
    (task,) = prepare_corpus(corpus, CACHE / "tasks", [one.task]).values()
    config = SearchConfig(
        one.method,
        one.evaluations,
        hours,
        seed=one.seed,
        engine="pool",
        workers=1,
        store=STORE,
    )
    resume = (one.folder / CONFIGURATION).exists()
    where = "benchmarks/yeast/corpus.yaml"
    search_task(one.folder, task, SPACE, config, where, resume)


def evaluations_of(folder: Path) -> int:
    """Give how many evaluations a run has."""
    if not (folder / JOURNAL).exists():
        return 0
    return sum(len(line["evaluations"]) for line in read_journal(folder / JOURNAL))


def rows_of(one: Search) -> Iterator[list[Any]]:
    """Give the evaluations of a run in the order in which they were asked for."""
    number = 0
    for line in read_journal(one.folder / JOURNAL):
        for index, entry in enumerate(line["evaluations"]):
            number += 1
            found = [entry["metrics"].get(name) for name in MEASURED]
            spent = [line["costs"][name][index] for name in COSTS]
            head = [one.method, one.task, one.seed, number, entry["architecture"], entry["state"]]
            yield [*head, *found, *spent]


def begun() -> list[Search]:
    """Give the longest search of each run that has evaluations."""
    longest = {one.folder: one for one in sorted(PLAN, key=lambda one: one.evaluations)}
    return [one for folder, one in sorted(longest.items()) if evaluations_of(folder)]


def write_rows() -> None:
    """Write all evaluations of all runs."""
    text = io.StringIO()
    table = csv.writer(text, delimiter="\t", lineterminator="\n")
    table.writerow([*COLUMNS, *MEASURED, *COSTS])
    for one in begun():
        table.writerows(rows_of(one))
    write_atomic(RECORDS / "rows.tsv.gz", gzip.compress(text.getvalue().encode(), mtime=0))


def propose(store: Store) -> Path:
    """Write the zero-shot proposals, and train them where they were not."""
    corpus = read_corpus(HERE / "corpus.yaml")
    tasks = prepare_corpus(corpus, CACHE / "tasks", list(TASKS))
    described = describe_corpus(corpus, cache=CACHE / "descriptors")
    specs = [spec for spec in corpus.held_out_tasks if spec.name in TASKS]
    path = RECORDS / "proposals.json"
    proposals = propose_for_tasks(Controller.load(CONTROLLER), specs, described, path, top=1)
    requests = [
        Request(name, architecture, seed, SEARCH)
        for name, architecture in proposals.items()
        for seed in CHILD_SEEDS
    ]
    with (
        closing(EnergyMeter()) as meter,
        Remembering(PoolEngine(tasks), store, meter=meter) as engine,
    ):
        list(engine.run(requests))
    return path


def compare(proposals: Path) -> None:
    """Set the methods that have begun on every task beside the zero-shot proposals."""
    os.chdir(HERE)  # so that no path of this machine is written
    runs = begun()
    there = {(one.method, one.seed, one.task) for one in runs}
    folders = [
        one.folder.relative_to(HERE)
        for one in runs
        if one.task in TASKS and all((one.method, one.seed, task) in there for task in TASKS)
    ]
    compared = compare_runs(folders, proposals.relative_to(HERE), [STORE.relative_to(HERE)])
    text = comparison_text(compared)
    write_atomic(RECORDS / "comparison.txt", text)
    write_json_atomic(RECORDS / "comparison.json", as_json(compared, notes_on(compared)))
    print(text)


if __name__ == "__main__":
    main()
