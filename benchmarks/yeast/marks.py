"""Does a few-shot search beat its proposal on histone marks?

    python benchmarks/yeast/marks.py [--recorded]

On the 12 held-out tasks a search that begins from a controller adds nothing (predicted.py). hindsight.py and
categories.py then showed that histone marks want another network than all others, so that there a search should have
something to find. This is the check, in real evaluations at `search`: `ambient search --method predicted` on the seven
histone marks among the training tasks, each from a controller of folds.py that never saw it, 20 evaluations in steps of
five. Its favourite is held against its first evaluation, which is the zero-shot proposal, and against random search of
the task (the first 20 and all 40 random architectures of the table). Trainings go into marks/rows.tsv.gz, tables into
results.md and results.json; goes on where it stopped. `--recorded` only writes the tables anew.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from folds import SPACE, folds, learn_all, run_of
from hindsight import LEARNED
from measure import random_architectures
from measured_text import as_gain
from script import begin, tell
from table import CACHE, HERE, TABLE

from ambient.child.fidelity import SEARCH
from ambient.controller.card import Controller
from ambient.data.corpus import read_corpus
from ambient.data.describe import describe_corpus
from ambient.data.prepare import prepare_corpus
from ambient.evaluate import Evaluation, PoolEngine, Remembering, Store
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.files import read_json, write_json_atomic
from ambient.search.methods import make_searcher
from ambient.search.start import Start

RECORDS = HERE / "marks"
ROWS = RECORDS / "rows.tsv.gz"
STORE = CACHE / "marks.sqlite"
METHOD, EVALUATIONS, BATCH = "predicted", 20, 5
RANDOM_OF = (20, 40)
PROPOSAL, FAVOURITE, RANDOM = "the proposal", "favourite after {}", "random search, {} trainings"
LAST = FAVOURITE.format(EVALUATIONS)


def main() -> None:
    """Search, write."""
    arguments = begin(__doc__).parse_args()
    if not arguments.recorded:
        RECORDS.mkdir(exist_ok=True)
        with Store(STORE) as store:
            for path in (TABLE, ROWS):
                if path.exists():
                    import_tsv(store, path)
            write_json_atomic(RECORDS / "results.json", search_all(store))
    found = read_json(RECORDS / "results.json", "file of results")
    tell(RECORDS, found, as_text(found))


def search_all(store: Store) -> dict[str, dict[str, Any]]:
    """Search all marks side by side; give what was found on each."""
    learn_all([LEARNED])
    corpus = read_corpus(HERE / "corpus.yaml")
    marks = [spec for spec in corpus.training_tasks if spec.category == "histone"]
    names = [spec.name for spec in marks]
    described = describe_corpus(corpus, marks, CACHE / "descriptors")
    searchers = {
        name: make_searcher(
            METHOD,
            SPACE,
            name,
            SEARCH,
            batch=BATCH,
            start=Start(Controller.load(run_of(LEARNED, fold)), described[name], f"fold {fold}"),
        )
        for fold, hidden in enumerate(folds(corpus))
        for name in hidden
        if name in names
    }
    asked: dict[str, list[Evaluation]] = {name: [] for name in names}
    favourites: dict[str, dict[str, str]] = {name: {} for name in names}
    with Remembering(PoolEngine(prepare_corpus(corpus, CACHE / "tasks", names)), store) as engine:
        for count in range(BATCH, EVALUATIONS + 1, BATCH):
            steps = {name: searcher.ask(BATCH) for name, searcher in searchers.items()}
            done = {
                (one.task, one.architecture.key): one
                for one in engine.run([one for step in steps.values() for one in step])
            }
            for name, step in steps.items():
                answers = [done[name, one.architecture.key] for one in step]
                asked[name] += answers
                searchers[name].tell(answers)
                best = searchers[name].favourite()
                assert best is not None
                favourites[name][FAVOURITE.format(count)] = best.key
            print(f"{count} evaluations of each are done", flush=True)
    with Store(CACHE / "marks-own.sqlite") as own:
        own.put(*(one for of in asked.values() for one in of))
        export_tsv(own, ROWS)
    return {name: found(name, asked[name], favourites[name], store) for name in names}


def found(
    name: str, asked: list[Evaluation], favourites: dict[str, str], store: Store
) -> dict[str, Any]:
    """Give the test AUROC of what each way found, and what the search favours."""
    by_key = {one.architecture.key: one for one in asked}
    random = [one.key for one in random_architectures(SPACE)]
    known = {
        row.architecture.key: row.metrics
        for row in store.rows([name], SPACE.name, SEARCH.hash, "done")
        if row.seed == 0 and row.architecture.key in random
    }
    reached = {PROPOSAL: asked[0].metrics["test_auroc"]}
    reached |= {way: by_key[key].metrics["test_auroc"] for way, key in favourites.items()}
    for count in RANDOM_OF:
        best = max(random[:count], key=lambda key: known[key]["validation_auroc"])
        reached[RANDOM.format(count)] = known[best]["test_auroc"]
    return {
        "test_auroc": reached,
        "proposal": asked[0].architecture.summary(),
        "favourite": by_key[favourites[LAST]].architecture.summary(),
    }


def as_text(result: dict[str, dict[str, Any]]) -> str:
    """Write the means, and each mark."""
    reached = pd.DataFrame({name: of["test_auroc"] for name, of in result.items()}).T
    lines = [
        f"{len(result)} histone marks, test AUROC at `search`, one training each.",
        "",
        f"| what | test AUROC | {LAST}: better by (95% interval over marks) | better on | worse on |",
        "|---" * 5 + "|",
    ]
    for way in reached:
        gain = (reached[LAST] - reached[way]).to_numpy()
        told = f"{as_gain(gain)} | {(gain > 0).sum()} | {(gain < 0).sum()}"
        cells = " | | " if way == LAST else told
        lines.append(f"| {way} | {np.mean(reached[way]):.4f} | {cells} |")
    lines += [
        "",
        "| mark | " + " | ".join(reached) + " |",
        "|---" * (1 + len(reached.columns)) + "|",
    ]
    for name, row in reached.iterrows():
        lines.append(f"| {name} | " + " | ".join(f"{value:.3f}" for value in row) + " |")
    lines += ["", "| mark | the proposal | the favourite |", "|---|---|---|"]
    lines += [f"| {name} | {of['proposal']} | {of['favourite']} |" for name, of in result.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
