"""What can a search bring that begins from a controller? Simulated: a predictor of recorded results plays the data.

    python benchmarks/yeast/few_shot.py [--tasks 12] [--seeds 2] [--recorded]

Some training tasks of each fold of folds.py are searched for from the controllers there that never saw them (it learns
those that are missing): by their records (`predicted`), by AMBER at several temperatures (`curiosity`), by evolution
from the proposals, and by AMBER from nothing; 30 evaluations each. In place of a training stands what the predictor of
all records, the task's own included, expects of it, and noise as large as that of a training. What a search has found
is its favourite, else the evaluated architecture that was measured best; it is scored without the noise. Writes
few-shot/results.json and results.md.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from folds import SPACE, folds, learn_all, run_of
from measured_text import as_gain
from played import BATCH, Played, search
from script import begin, tell
from table import CACHE, HERE

from ambient.child.fidelity import SEARCH
from ambient.cli.progress import progress
from ambient.controller.card import Controller
from ambient.controller.policy import Policy
from ambient.data.corpus import read_corpus
from ambient.data.describe import describe_corpus
from ambient.files import read_json, write_json_atomic
from ambient.search.amber import amber_searcher
from ambient.search.evolution import EvolutionConfig, EvolutionSearcher
from ambient.search.loop import Searcher
from ambient.search.predicted import PredictedSearcher
from descriptors import Descriptors

RECORDS = HERE / "few-shot"
WORLD = HERE / "zero-shot" / SPACE.name / "controller"  # its predictor knows all training tasks
LEARNED = "own records out"  # which controllers of folds.py
CURIOSITIES = (1.0, 2.0, 3.0, 4.0, 6.0)
FEW, MANY = 30, 300  # evaluations of a search that begins from a controller, and from nothing
TOLD = (1, 5, 10, 30, 100, 300)
PREDICTED = "by the controller's records (predicted)"
PROPOSAL = "the proposal alone"
NOTHING = "AMBER from nothing"
BEST = "best of 3,000 samples, known without noise"
SAMPLES, HOT = 3000, 6.0


def main() -> None:
    """Search, write."""
    parser = begin(__doc__)
    parser.add_argument("--tasks", type=int, default=12, help="of each fold")
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    if not arguments.recorded:
        RECORDS.mkdir(exist_ok=True)
        write_json_atomic(RECORDS / "results.json", search_all(arguments.tasks, arguments.seeds))
    found = read_json(RECORDS / "results.json", "file of results")
    tell(RECORDS, found, as_text(pd.DataFrame(found)))


def search_all(tasks: int, seeds: int) -> list[dict[str, Any]]:
    """Search for some tasks of each fold, several at a time."""
    learn_all([LEARNED])
    corpus = read_corpus(HERE / "corpus.yaml")
    jobs = [
        (fold, name, seeds) for fold, hidden in enumerate(folds(corpus)) for name in hidden[:tasks]
    ]
    rows: list[dict[str, Any]] = []
    with (
        progress("tasks", len(jobs)) as advance,
        ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        for found in pool.map(search_task, *zip(*jobs, strict=True)):
            rows += found
            advance(found[0]["task"])
    return rows


def search_task(fold: int, task: str, seeds: int) -> list[dict[str, Any]]:
    """Search for a task in every way, with every seed."""
    torch.set_num_threads(1)
    described = describe_corpus(read_corpus(HERE / "corpus.yaml"), cache=CACHE / "descriptors")
    controller = Controller.load(run_of(LEARNED, fold))
    predictor = Controller.load(WORLD).predictor
    assert predictor is not None
    world = Played.of(predictor, task)
    first = [one.architecture for one in controller.propose(described[task], BATCH)]
    rows = []

    def row(way: str, seed: int, found: Sequence[float], asked: int) -> dict[str, Any]:
        values = dict(zip(map(str, TOLD), found, strict=True))
        return {"task": task, "way": way, "seed": seed, "asked": asked, **values}

    for seed in range(seeds):
        of_task = SPACE, task, SEARCH
        begun = controller, described[task], first
        settings = "ppo", BATCH, seed, "validation_auroc"
        ways: dict[str, Searcher] = {
            PREDICTED: PredictedSearcher(*of_task, *begun[:2], first[:1], seed)
        }
        ways |= {
            f"AMBER from the controller, curiosity {curiosity:g}": amber_searcher(
                *of_task, *settings, *begun, curiosity
            )
            for curiosity in CURIOSITIES
        }
        ways["evolution from the proposals"] = EvolutionSearcher(
            *of_task, EvolutionConfig(), seed, proposals=first
        )
        ways[NOTHING] = amber_searcher(*of_task, *settings)
        for way, searcher in ways.items():
            most = MANY if way == NOTHING else FEW
            found, asked = search(searcher, world, seed, most, TOLD)
            rows.append(row(way, seed, [value for _, value in found], asked))
        rows.append(row(PROPOSAL, seed, [world.value(first[0].tokens)] * len(TOLD), 1))
        best = float(world.values(samples(controller, described[task], seed)).max())
        rows.append(row(BEST, seed, [best] * len(TOLD), SAMPLES))
    return rows


def samples(controller: Controller, described: Descriptors, seed: int) -> np.ndarray:
    """Draw architectures widely around what a controller proposes."""
    shape = replace(controller.policy.config, temperature=HOT)
    warm = Policy(controller.space, shape, len(controller.scaler.names))
    warm.load_state_dict(controller.policy.state_dict())
    vector = torch.from_numpy(controller.scaler.transform(described))
    drawn, _ = warm.sample(vector.expand(SAMPLES, -1), torch.Generator().manual_seed(seed))
    return drawn.numpy()


def as_text(rows: pd.DataFrame) -> str:
    """Write the means over tasks, and what each way gains over the proposal."""
    columns = [str(count) for count in TOLD]
    by_task = rows.groupby(["way", "task"])[[*columns, "asked"]].mean()
    tasks = rows["task"].nunique()
    lines = [
        f"{tasks} training tasks, {rows['seed'].nunique()} seeds each; controllers that never saw the task.",
        "",
        f"| way | asked for | {' | '.join(f'after {count}' for count in TOLD)} | at its end over the proposal "
        f"(95% interval over tasks) | after {FEW} `predicted` is better by |",
        "|---" * (len(TOLD) + 4) + "|",
    ]
    proposal = by_task.loc[PROPOSAL][columns[-1]]
    predicted = by_task.loc[PREDICTED][str(FEW)]
    for way in rows["way"].unique():
        one = by_task.loc[way]
        cells = " | ".join(f"{one[column].mean():.4f}" for column in columns)
        gain, better = one[columns[-1]] - proposal, predicted - one[str(FEW)]
        told = [as_gain(of.to_numpy()) if of.any() else "" for of in (gain, better)]
        lines.append(f"| {way} | {one['asked'].mean():.0f} | {cells} | {' | '.join(told)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
