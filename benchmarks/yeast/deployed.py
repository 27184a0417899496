"""What a user gets on data sets that no controller saw: the proposal, with what is proven at `full` first, trained so.

    python benchmarks/yeast/deployed.py [--recorded]

The first controller of zero_shot.py, told by thorough.py's trainings of the 36 training tasks which architecture is
best at `full`, proposes for the 12 held-out tasks (deployed/proposals.json, kept once it is there), and each proposal
is trained as `ambient propose --fit` trains it: `full`, longer where there are many training windows (`full_for`), five
members. Beside it stand the same controller's proposals
without that knowledge, at `search` and at `full` (zero_shot.py, `--full`), the same trained as `search` with five
members, what AMBER had found on each task by itself after 100 real evaluations (searches.py), trained as the proposals
are (on the tasks where this is done), and 5-mer regression. Goes on where it stopped. Trainings go into
deployed/rows.tsv.gz, tables into deployed/results.md and results.json; `--recorded` trains nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from measure import SEARCHES
from measured_text import as_gain
from script import begin, tell
from table import CACHE, HERE
from thorough import FIVE, SPACE, proven_at_full
from zero_shot import DESCRIBED, descriptors_in, entry_of

from ambient.child.fidelity import FULL, SEARCH, full_for
from ambient.cli.progress import progress
from ambient.controller.card import Controller
from ambient.data.corpus import read_corpus
from ambient.data.prepare import prepare_corpus
from ambient.evaluate import PoolEngine, Remembering, Request, Store
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.files import read_json, write_atomic
from ambient.space import Architecture

RECORDS = HERE / "deployed"
ROWS = RECORDS / "rows.tsv.gz"
MEASURED = HERE / "zero-shot" / SPACE.name
OWN = "proven at `full` first, `full`"
SHORT = "proven at `search` first, `search`"
AVERAGED = "proven at `search` first, `search`, five members"
LONG = "proven at `search` first, `full`"
SEARCHED = "best of AMBER's 100 evaluations, `full`"
EVALUATIONS = 100
EVERY_SEARCH = SEARCHES.with_name("evaluations.tsv.gz")
KMER = "5-mer logistic regression"


def main() -> None:
    """Propose, train, tell."""
    arguments = begin(__doc__).parse_args()
    RECORDS.mkdir(exist_ok=True)
    path = RECORDS / "proposals.json"
    if not path.exists():
        write_atomic(path, json.dumps(propose()) + "\n")
    proposals = read_json(path, "file of proposals")
    before = read_json(MEASURED / "proposals.json", "file of proposals")["controller"]
    own, short = (
        {name: SPACE.architecture(entry["tokens"]) for name, entry in found.items()}
        for found in (proposals, {name: entries[0] for name, entries in before.items()})
    )
    trained = {
        OWN: [Request(name, one, 0, FULL) for name, one in own.items()],
        SEARCHED: [Request(name, one, 0, FULL) for name, one in searched(list(own)).items()],
        AVERAGED: [Request(name, one, 0, FIVE) for name, one in short.items()],
    }
    requests = [one for some in trained.values() for one in some]
    with Store(CACHE / "deployed.sqlite") as store:
        if ROWS.exists():
            import_tsv(store, ROWS)
        if not arguments.recorded:
            train(store, requests)
        known = list(store.rows(list(own), SPACE.name, state="done"))
    by_length = sorted(known, key=lambda row: row.fidelity.windows_per_epoch)
    found = {key_of(row.request): row for row in by_length}  # of two trainings the longer one
    rows = {
        way: [found[key_of(one)] for one in some if key_of(one) in found]
        for way, some in trained.items()
    }
    missing = {way: len(trained[way]) - len(some) for way, some in rows.items()}
    if missing[OWN] or missing[AVERAGED] or not rows[SEARCHED]:
        raise SystemExit(f"{sum(missing.values())} trainings are not there yet; call this again")
    ways = {
        way: {row.task: row.metrics["test_auroc"] for row in some} for way, some in rows.items()
    }
    seconds = {way: float(np.mean([row.cpu_seconds for row in some])) for way, some in rows.items()}
    result = {
        "ways": {**ways, **measured_before(before)},
        "cpu_seconds": seconds,
        "proven": [name for name, entry in proposals.items() if entry["proven"]],
        "summary": {name: entry["summary"] for name, entry in proposals.items()},
    }
    tell(RECORDS, result, as_text(result))


def key_of(request: Request) -> tuple[str, str, str]:
    """Name a training, whatever its seed and the windows in its epochs."""
    grade = replace(request.fidelity, windows_per_epoch=FULL.windows_per_epoch)
    return request.task, request.architecture.key, grade.hash


def searched(names: Sequence[str]) -> dict[str, Architecture]:
    """Give what AMBER had found on each task: the best by validation."""
    rows = pd.read_csv(SEARCHES, sep="\t")
    rows = rows[(rows["method"] == "amber") & (rows["seed"] == 0)]
    begun = rows[rows["number"] <= EVALUATIONS]
    found = begun.loc[begun.groupby("task")["validation_auroc"].idxmax()].set_index("task")
    missing = [name for name in names if (begun["task"] == name).sum() < EVALUATIONS]
    if missing:
        raise SystemExit(
            f"AMBER has not searched {', '.join(missing)} to its end; call searches.py"
        )
    with Store(CACHE / "searched.sqlite") as store:
        import_tsv(store, EVERY_SEARCH)
        known = {row.architecture.key: row.architecture for row in store.rows(list(names))}
    return {name: known[found.loc[name, "architecture"]] for name in names}


def propose() -> dict[str, Any]:
    """Let the controller propose one architecture for each held-out task, with what is proven at `full`."""
    controller = proven_at_full(Controller.load(MEASURED / "controller"))
    found = {}
    for described in descriptors_in(DESCRIBED):
        (first,) = controller.propose(described)
        found[described.task] = {**entry_of(first.architecture), "proven": first.proven}
    return found


def train(store: Store, requests: list[Request]) -> None:
    """Train what is not there; write all that is known."""
    corpus = read_corpus(HERE / "corpus.yaml")
    tasks = prepare_corpus(corpus, CACHE / "tasks", sorted({one.task for one in requests}))
    requests = [
        replace(one, fidelity=full_for(len(tasks[one.task].subset("train"))))
        if one.fidelity == FULL
        else one
        for one in requests
    ]
    try:
        with (
            progress("trainings", len(requests)) as advance,
            Remembering(PoolEngine(tasks), store) as engine,
        ):
            for done in engine.run(requests):
                advance(done.task)
    finally:
        export_tsv(store, ROWS)


def measured_before(before: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Give what the first controller's own proposals reached, as far as zero_shot.py trained them, and 5-mers."""
    with Store(CACHE / "table.sqlite") as store:
        import_tsv(store, HERE / "table.tsv.gz")
        rows = [row for row in store.rows(list(before), SPACE.name, state="done") if row.seed == 0]
    keys = {name: SPACE.architecture(entries[0]["tokens"]).key for name, entries in before.items()}
    found: dict[str, dict[str, float]] = {SHORT: {}, LONG: {}}
    for row in rows:
        if row.architecture.key == keys[row.task] and row.fidelity_hash in {FULL.hash, SEARCH.hash}:
            way = LONG if row.fidelity_hash == FULL.hash else SHORT
            found[way][row.task] = row.metrics["test_auroc"]
    kmer = read_json(MEASURED / "results.json", "file of results")["kmer"]
    ways = {**found, KMER: kmer}
    return {way: {name: of[name] for name in before} for way, of in ways.items()}


def as_text(result: Mapping[str, Any]) -> str:
    """Write the means and each task as Markdown."""
    ways = result["ways"]
    tasks = list(ways[OWN])
    lines = [
        f"12 held-out tasks; what is proven at `full` comes first on {len(result['proven'])} of them.",
        "",
        "| what comes first, and how it is trained | test AUROC | what a user gets is better by (95% interval over "
        "tasks) | on tasks | of | CPU s |",
        "|---" * 6 + "|",
    ]
    for way, of in ways.items():
        there = [name for name in tasks if name in of]
        reached = np.array([of[name] for name in there])
        gain = np.array([ways[OWN][name] for name in there]) - reached
        told = " | | " if way == OWN else f"{as_gain(gain)} | {(gain > 0).sum()} | {len(there)}"
        seconds = f"{result['cpu_seconds'][way]:.0f}" if way in result["cpu_seconds"] else ""
        lines.append(f"| {way} | {reached.mean():.4f} | {told} | {seconds} |")
    lines += ["", "| task | " + " | ".join(ways) + " |", "|---" * (len(ways) + 1) + "|"]
    for name in tasks:
        cells = [f"{of[name]:.3f}" if name in of else "" for of in ways.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
