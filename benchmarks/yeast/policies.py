"""Which settings of a controller choose best for tasks that it never saw? Leave tasks out, and ask the policy.

    python benchmarks/yeast/policies.py [--workers 2]

hides the evaluations of some of the 36 training tasks, trains controllers by PPO on a predictor of the others
(`ambient train --engine predictor:`), and has each choose among the random architectures of table.tsv.gz that all
tasks have: the one that is most probable under the policy, given the hidden task's descriptors. What it reached there
is looked up. In six folds of tasks, and leaving out one category at a time; the 12 held-out tasks are not touched.
Each variant differs from the first in one setting. Finished folds are kept in cache/policies.json; writes
policies.json and policies.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from analyse import read_table, whole
from choose import FIT, folds, reached
from choose import records_of as records_from
from table import CACHE, HERE, TABLE

from ambient.child.fidelity import SEARCH
from ambient.child.threads import one_thread
from ambient.controller.policy import Policy, PolicyConfig
from ambient.controller.ppo import PPOConfig
from ambient.controller.predictor import Predictor
from ambient.data.corpus import Corpus, read_corpus
from ambient.data.describe import describe_corpus
from ambient.data.prepare import prepare_corpus
from ambient.evaluate.predicted import PredictorEngine
from ambient.files import read_json, write_atomic, write_json_atomic
from ambient.report.summary import mean_interval
from ambient.search.ambient import AmbientSearcher
from ambient.search.config import AmbientConfig
from ambient.search.loop import run_search
from ambient.space import named_space

SPACE = named_space("ambient-plus")
STEPS = 200
BASE = AmbientConfig(tasks_per_step=12)
ENSEMBLE = 3  # policies whose log-probabilities are averaged
FIRST = "as measured"  # the settings of zero_shot.py
OWN_OUT = "own records left out"  # of each task's rewards
VARIANTS: dict[str, tuple[AmbientConfig, int]] = {  # settings, steps
    FIRST: (BASE, STEPS),
    OWN_OUT: (BASE, STEPS),
    "half the steps": (BASE, STEPS // 2),
    "no entropy bonus": (replace(BASE, ppo=PPOConfig(entropy_weight=0.0)), STEPS),
    "entropy bonus x 3": (replace(BASE, ppo=PPOConfig(entropy_weight=0.03)), STEPS),
    "encoder of 64": (replace(BASE, policy=PolicyConfig(encoder=64)), STEPS),
    "encoder of 4": (replace(BASE, policy=PolicyConfig(encoder=4)), STEPS),
    "shuffled descriptors": (replace(BASE, shuffle_descriptors=True), STEPS),
}
KEPT = CACHE / "policies.json"


def main() -> None:
    """Train what is missing; write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--variants", default=",".join(VARIANTS), help="by commas; all")
    arguments = parser.parse_args()
    corpus = read_corpus(HERE / "corpus.yaml")
    found: dict[str, Any] = read_json(KEPT, "file of folds") if KEPT.exists() else {}
    wanted = [
        (variant, seed, split, number)
        for seed in range(ENSEMBLE)
        for split, parts in splits(corpus).items()
        for number in range(len(parts))
        for variant in arguments.variants.split(",")
        if seed == 0 or variant == FIRST
    ]
    with ProcessPoolExecutor(arguments.workers, multiprocessing.get_context("spawn")) as pool:
        missing = {pool.submit(judge, *one): one for one in wanted if json.dumps(one) not in found}
        for count, done in enumerate(as_completed(missing), 1):
            found[json.dumps(missing[done])] = done.result()
            write_json_atomic(KEPT, found)
            print(f"{count} of {len(missing)}", flush=True)
    result = {split: ways for split in splits(corpus) if (ways := chosen(found, split, corpus))}
    write_json_atomic(HERE / "policies.json", result)
    text = "\n\n".join(as_table(split, one) for split, one in result.items()) + "\n"
    write_atomic(HERE / "policies.md", text)
    print(text)


def splits(corpus: Corpus) -> dict[str, list[list[str]]]:
    """Give the tasks that are hidden together, as choose.py hides them."""
    categories = {spec.name: spec.category for spec in corpus.training_tasks}
    return {
        "tasks left out": folds(list(categories)),
        "categories left out": [
            [name for name, category in categories.items() if category == hidden]
            for hidden in sorted(set(categories.values()))
        ],
    }


def judge(variant: str, seed: int, split: str, number: int) -> dict[str, list[float]]:
    """Train a controller without some tasks; give for each of these the log-probability of each architecture."""
    corpus = read_corpus(HERE / "corpus.yaml")
    hidden = splits(corpus)[split][number]
    known = [spec.name for spec in corpus.training_tasks if spec.name not in hidden]
    described = describe_corpus(corpus, cache=CACHE / "descriptors")
    config, steps = VARIANTS[variant]
    searcher = AmbientSearcher(
        SPACE, {name: described[name] for name in known}, SEARCH, config, seed
    )
    tasks = prepare_corpus(corpus, CACHE / "tasks", known)
    rows = records()
    with one_thread():
        predictor = Predictor.fit(records_from(rows, known, searcher.vectors), **FIT)
        engine = PredictorEngine(predictor, tasks, searcher.vectors, variant == OWN_OUT)
        run_search(searcher, engine, config.tasks_per_step * config.architectures_per_task, steps)
        return {
            name: ranked(searcher.policy, searcher.scaler.transform(described[name]))
            for name in hidden
        }


def records() -> Any:
    """Give the recorded evaluations of the space from the first seed."""
    rows = read_table(TABLE)
    return rows[
        (rows["space"] == SPACE.name) & (rows["version"] == SPACE.version) & (rows["seed"] == 0)
    ]


def architectures(corpus: Corpus, rows: Any) -> tuple[Any, list[list[int]]]:
    """Give the table (tasks x architectures) of validation AUROC, and the architectures' tokens."""
    validation = whole(rows, "validation", [spec.name for spec in corpus.training_tasks])
    tokens = rows.drop_duplicates("architecture").set_index("architecture")["tokens"]
    return validation, tokens.loc[list(validation.columns)].tolist()


def ranked(policy: Policy, vector: np.ndarray) -> list[float]:
    """Give the log-probability of each recorded architecture for a task."""
    _, tokens = architectures(read_corpus(HERE / "corpus.yaml"), records())
    given = torch.from_numpy(vector).expand(len(tokens), -1)
    with torch.no_grad():
        found: list[float] = policy.log_probability(given, torch.tensor(tokens)).tolist()
    return found


def chosen(
    found: Mapping[str, Any], split: str, corpus: Corpus
) -> dict[str, dict[str, dict[str, float]]]:
    """Give for each variant and hidden task what its choice reached."""
    rows = records()
    validation, _ = architectures(corpus, rows)
    test = whole(rows, "test", list(validation.index))[validation.columns]

    def of(variant: str, seeds: Sequence[int]) -> dict[str, dict[str, float]]:
        result = {}
        for number, hidden in enumerate(splits(corpus)[split]):
            each = [found[json.dumps((variant, seed, split, number))] for seed in seeds]
            for name in hidden:
                score = np.mean([one[name] for one in each], axis=0)
                own, tested = validation.loc[name].to_numpy(), test.loc[name].to_numpy()
                result[name] = reached(score, own, tested)
        return result

    asked = {variant: (variant, [0]) for variant in VARIANTS}
    asked[f"ensemble of {ENSEMBLE}"] = (FIRST, list(range(ENSEMBLE)))
    ways = {}
    for name, (variant, seeds) in asked.items():
        with contextlib.suppress(KeyError):  # not all of it is there yet
            ways[name] = of(variant, seeds)
    return ways


def as_table(split: str, ways: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Write one split as Markdown."""
    first, *_ = ways.values()
    lines = [
        f"**{split}** ({len(first)} tasks; a random architecture reaches "
        f"{np.mean([one['random_test_auroc'] for one in first.values()]):.4f})",
        "",
        "| settings | test AUROC | over the first (95% interval over tasks) | percentile | regret |",
        "|---|---|---|---|---|",
    ]
    for variant, by_task in ways.items():
        mean = {
            key: np.mean([one[key] for one in by_task.values()])
            for key in ("test_auroc", "percentile", "regret")
        }
        gain = mean_interval(
            [by_task[name]["test_auroc"] - first[name]["test_auroc"] for name in first]
        )
        over = "" if by_task is first else f"{gain.mean:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
        lines.append(
            f"| {variant} | {mean['test_auroc']:.4f} | {over} | {mean['percentile']:.0f} | {mean['regret']:.4f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
