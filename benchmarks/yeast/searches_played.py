"""What AMBER would find on each held-out task, up to 300 evaluations: played by a predictor, and marked as such.

    python benchmarks/yeast/searches_played.py

`searches.py` searches the held-out tasks in real trainings, most of them to 100. Here a predictor of all that is
recorded, the held-out tasks' own evaluations included, plays each of them, with as much noise as a training has. AMBER
searches from nothing, from several seeds; what it has found is the evaluated architecture that was measured best, and
it is scored without noise, as are the controllers' proposals (zero-shot/ambient-plus/proposals.json) and the random
architectures of the table. Real searches are set beside it, so that one can see what the play is worth. Writes
searches/played.json, which `zero_shot.py --recorded` puts into its table.
"""

from __future__ import annotations

import argparse
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from measure import BUDGETS, SEARCHES, random_architectures
from played import Played, search
from table import CACHE, HERE, TABLE

from ambient.child.fidelity import SEARCH
from ambient.cli.progress import progress
from ambient.controller.card import Controller
from ambient.controller.predictor import Predictor
from ambient.data.corpus import read_corpus
from ambient.data.describe import describe_corpus
from ambient.data.prepare import prepare_corpus
from ambient.evaluate.predicted import records_of
from ambient.evaluate.table import read_recorded
from ambient.files import read_json, write_json_atomic
from ambient.search.amber import amber_searcher
from ambient.space import named_space

SPACE = named_space("ambient-plus")
CONTROLLER = HERE / "zero-shot" / SPACE.name / "controller"
PROPOSALS = HERE / "zero-shot" / SPACE.name / "proposals.json"
PLAYED = HERE / "searches" / "played.json"


def main() -> None:
    """Learn the predictor, search, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    names = [spec.name for spec in read_corpus(HERE / "corpus.yaml").held_out_tasks]
    predictor = learn()
    worlds = {name: Played.of(predictor, name) for name in names}
    random = np.array([one.tokens for one in random_architectures(SPACE)])
    proposed = read_json(PROPOSALS, "file of proposals")["controller"]
    found: dict[str, Any] = {
        name: {
            "controller": [world.value(entry["tokens"]) for entry in proposed[name]],
            "random": world.values(random).tolist(),
            "amber": [],
            "measured": [],
        }
        for name, world in worlds.items()
    }
    sent = replace(predictor)  # without what it has computed
    jobs = [(sent, name, seed) for seed in range(arguments.seeds) for name in names]
    with (
        progress("searches", len(jobs)) as advance,
        ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        for (_, name, _), values in zip(
            jobs, pool.map(amber, *zip(*jobs, strict=True)), strict=True
        ):
            for key, column in zip(("measured", "amber"), zip(*values, strict=True), strict=True):
                found[name][key].append(dict(zip(map(str, BUDGETS), column, strict=True)))
            advance(name)
    result = {
        "noise": predictor.noise_deviation,
        "records": len(predictor.records.values),
        "tasks": found,
        "real": real(),
    }
    write_json_atomic(PLAYED, result)
    print(beside_real(result))


def learn() -> Predictor:
    """Learn from all rows of the table at `search`."""
    corpus = read_corpus(HERE / "corpus.yaml")
    tasks = prepare_corpus(corpus, CACHE / "tasks")
    described = describe_corpus(corpus, cache=CACHE / "descriptors")
    scaler = Controller.load(CONTROLLER).scaler
    vectors = {name: scaler.transform(of) for name, of in described.items()}
    hashes = {name: task.hash for name, task in tasks.items()}
    rows = read_recorded(TABLE)
    return Predictor.fit(records_of(rows, vectors, hashes, SPACE, SEARCH, TABLE))


def amber(predictor: Predictor, task: str, seed: int) -> list[tuple[float, float]]:
    """Give what AMBER measured best after each budget, and what that is worth."""
    torch.set_num_threads(1)
    searcher = amber_searcher(SPACE, task, SEARCH, seed=seed)
    return search(searcher, Played.of(predictor, task), seed, max(BUDGETS), BUDGETS)[0]


def real() -> dict[str, dict[str, float]]:
    """Give the validation AUROC that real AMBER searches had measured after each budget: budget -> task -> mean."""
    rows = pd.read_csv(SEARCHES, sep="\t")
    rows = rows[rows["method"] == "amber"]
    found: dict[str, dict[str, float]] = {}
    for budget in BUDGETS:
        for task, of_task in rows.groupby("task"):
            runs = [run for _, run in of_task.groupby("seed") if run["number"].max() >= budget]
            if runs:
                best = [run.loc[run["number"] <= budget, "validation_auroc"].max() for run in runs]
                found.setdefault(str(budget), {})[task] = float(np.mean(best))
    return found


def beside_real(result: dict[str, Any]) -> str:
    """Write what the play and the real searches gave on the same tasks."""
    lines = [
        "| evaluations | tasks | real, best measured | played, best measured | the same without noise |",
        "|---|---|---|---|---|",
    ]
    for budget, by_task in result["real"].items():
        measured, worth = (
            np.mean([run[budget] for task in by_task for run in result["tasks"][task][key]])
            for key in ("measured", "amber")
        )
        trained = np.mean(list(by_task.values()))
        names = ", ".join(by_task)
        lines.append(f"| {budget} | {names} | {trained:.4f} | {measured:.4f} | {worth:.4f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
