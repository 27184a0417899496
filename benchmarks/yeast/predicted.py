"""What does a search by the controller's records add to its proposal? Real evaluations on the 12 held-out tasks.

    python benchmarks/yeast/predicted.py [--recorded]

`ambient search --method predicted` from the first controller of zero_shot.py, which never saw these tasks: 10
evaluations at `search` on each. What it found is what it holds to be best of what it trained, its `favourite`. Beside
it stand the proposal, which is its first evaluation, the luckiest of the 10, and AMBER from nothing (searches.py).
Every evaluation goes into predicted/rows.tsv.gz, tables into predicted/results.md and results.json; goes on where it
stopped. `--recorded` trains nothing: it tells a searcher the recorded results again.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import pandas as pd
import torch
from measure import SEARCHES
from measured_text import as_gain
from script import begin, tell
from table import CACHE, HERE, TABLE
from zero_shot import DESCRIBED, descriptors_in

from ambient.child.fidelity import SEARCH
from ambient.controller.card import Controller
from ambient.data.corpus import read_corpus
from ambient.data.prepare import prepare_corpus
from ambient.evaluate import Evaluation, Store
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.search.methods import make_searcher
from ambient.search.run_folder import CONFIGURATION
from ambient.search.search_run import SearchConfig, search_task
from ambient.search.start import Start
from ambient.space import named_space

SPACE = named_space("ambient-plus")
CONTROLLER = HERE / "zero-shot" / SPACE.name / "controller"
RECORDS = HERE / "predicted"
ROWS = RECORDS / "rows.tsv.gz"
RUNS = CACHE / "predicted"
STORE = RUNS / "store.sqlite"
METHOD = "predicted"
EVALUATIONS, BATCH = 10, 5
BUDGETS = (5, 10)
OF_AMBER = (10, 100)
PROPOSAL, LUCKIEST = "the proposal", "the best measured"


def main() -> None:
    """Search, write."""
    arguments = begin(__doc__).parse_args()
    RECORDS.mkdir(exist_ok=True)
    RUNS.mkdir(exist_ok=True)
    names = [described.task for described in descriptors_in(DESCRIBED)]
    with Store(STORE) as store:
        for path in (TABLE, ROWS):
            if path.exists():
                import_tsv(store, path)
        if not arguments.recorded:
            search_all(names)
        found = {
            name: told_again(name, store.rows([name], SPACE.name, SEARCH.hash)) for name in names
        }
        if not arguments.recorded:
            rows = [row for one in found.values() for row in one["rows"]]
            with Store(RUNS / "own.sqlite") as own:
                own.put(*rows)
                export_tsv(own, ROWS)
    reached = {name: one["test_auroc"] for name, one in found.items()}
    tell(RECORDS, reached, as_text(pd.DataFrame(reached).T))


def search_all(names: Sequence[str]) -> None:
    """Search task after task, one on each core."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count(), context) as pool:
        for done in as_completed([pool.submit(search, name) for name in names]):
            print(done.result(), flush=True)


def search(name: str) -> str:
    """Search one task to its end, or go on with it."""
    corpus = read_corpus(HERE / "corpus.yaml")
    (task,) = prepare_corpus(corpus, CACHE / "tasks", [name]).values()
    folder = RUNS / name
    config = SearchConfig(METHOD, EVALUATIONS, batch=BATCH, engine="pool", workers=1, store=STORE)
    resume = (folder / CONFIGURATION).exists()
    where = "benchmarks/yeast/corpus.yaml"
    found = search_task(folder, task, SPACE, config, where, resume, start=start_of(name))
    return f"{name}: {found.best.architecture.summary()}"


def start_of(name: str) -> Start:
    """Give the controller and what it is told of a held-out task."""
    described = {one.task: one for one in descriptors_in(DESCRIBED)}
    return Start(Controller.load(CONTROLLER), described[name], "zero-shot/ambient-plus")


def told_again(name: str, rows: Sequence[Evaluation]) -> dict[str, Any]:
    """Let a searcher ask again and answer it from the records; give what it asked for and what that reached."""
    torch.set_num_threads(1)  # as in the search
    searcher = make_searcher(METHOD, SPACE, name, SEARCH, batch=BATCH, start=start_of(name))
    known = {row.architecture.key: row for row in rows if row.seed == 0}
    asked: list[Evaluation] = []
    tests: dict[str, float] = {}
    while len(asked) < EVALUATIONS:
        requests = searcher.ask(BATCH)
        missing = [one for one in requests if one.architecture.key not in known]
        if missing or not requests:
            raise SystemExit(
                f"{name}: {len(missing)} evaluations of a step are not there; call this again"
            )
        answers = [known[one.architecture.key] for one in requests]
        asked += answers
        searcher.tell(answers)
        favourite = searcher.favourite()
        assert favourite is not None
        tests[f"after {len(asked)}"] = known[favourite.key].metrics["test_auroc"]
    done = [row for row in asked if row.state == "done"]
    luckiest = max(done, key=lambda row: row.metrics["validation_auroc"])
    tests[PROPOSAL] = asked[0].metrics["test_auroc"]
    tests[LUCKIEST] = luckiest.metrics["test_auroc"]
    tests |= {f"AMBER from nothing, {count}": of_amber(name, count) for count in OF_AMBER}
    return {"rows": asked, "test_auroc": tests}


def of_amber(name: str, count: int) -> float:
    """Give the test AUROC of what AMBER had measured best after so many evaluations of the task."""
    rows = pd.read_csv(SEARCHES, sep="\t")
    run = rows[(rows["method"] == "amber") & (rows["task"] == name) & (rows["seed"] == 0)]
    begun = run[run["number"] <= count]
    if len(begun) < count:
        raise SystemExit(f"AMBER has made {len(begun)} evaluations of {name}; call searches.py")
    return float(begun.loc[begun["validation_auroc"].idxmax(), "test_auroc"])


def as_text(reached: pd.DataFrame) -> str:
    """Write what the search found beside the others, over the tasks."""
    own = f"after {EVALUATIONS}"
    lines = [
        f"{len(reached)} held-out tasks, test AUROC at `search`, one training each.",
        "",
        f"| what | test AUROC | the favourite {own} is better by (95% interval over tasks) | on tasks | as good |",
        "|---" * 5 + "|",
    ]
    columns = [PROPOSAL, *(f"after {count}" for count in BUDGETS), LUCKIEST]
    columns += [f"AMBER from nothing, {count}" for count in OF_AMBER]
    for name in columns:
        gain = (reached[own] - reached[name]).to_numpy()
        told = (
            " | | "
            if name == own
            else f"{as_gain(gain)} | {(gain > 0).sum()} | {(gain == 0).sum()}"
        )
        title = f"favourite {name}" if name.startswith("after") else name
        lines.append(f"| {title} | {reached[name].mean():.4f} | {told} |")
    lines += ["", "| task | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for task, row in reached.iterrows():
        lines.append(f"| {task} | " + " | ".join(f"{row[name]:.3f}" for name in columns) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
