"""What zero_shot.py writes: every way to choose, held against random architectures and the best that is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from table import ARCHITECTURES_SEED, HERE, PLAN, architectures_of

from ambient.child.fidelity import FULL, SEARCH
from ambient.child.kmer import fit_kmer_baseline
from ambient.controller.card import Controller
from ambient.controller.predictor import Prediction
from ambient.controller.proposal import Expected
from ambient.data.corpus import Corpus
from ambient.data.task import TaskData
from ambient.evaluate import Evaluation, Store
from ambient.files import read_json
from ambient.space import Architecture, SearchSpace
from ambient.zero_shot import draw_random
from descriptors import Descriptors

RANDOM = {"ambient-plus": 40, "ambient-10": 20}  # architectures of the table that all tasks have
LEAST_RANDOM = 10
SEEDS = 5  # trainings of a controller

# The order in which their proposals are trained.
WAYS = (
    *("controller", "best proposed before", "best single", "best of the category"),
    *("nearest task's best", "predictor's best recorded", "shuffled descriptors"),
    *("most probable", "no descriptors"),
)
LATER = WAYS[-2:]  # say what is wrong where something is; trained where that is asked for

SEARCHES = HERE / "searches" / "rows.tsv.gz"  # searches.py
SEARCHED_SPACE = "ambient-plus"
PLAYED = HERE / "searches" / "played.json"  # searches_played.py
BUDGETS = (10, 30, 100, 300)

Proposals = dict[str, dict[str, list[dict[str, Any]]]]  # way -> held-out task -> repeats


def random_architectures(space: SearchSpace) -> list[Architecture]:
    """Give the random architectures that the table has for all tasks."""
    return draw_random(space, RANDOM[space.name], ARCHITECTURES_SEED)


def good_architectures(space: SearchSpace) -> list[Architecture]:
    """Give the architectures that controllers had proposed before (good.json), where they are of this space."""
    part = next((part for part in PLAN if part.good and part.space == space.name), None)
    return [] if part is None else architectures_of(part)


def scores(
    store: Store,
    space: SearchSpace,
    tasks: Sequence[str],
    metric: str = "validation_auroc",
    of: Sequence[Architecture] | None = None,
) -> dict[str, dict[str, float]]:
    """Give for each architecture that all these tasks have what it reached on each, from seed 0.

    Of the random architectures, at least `LEAST_RANDOM` of which must be there, or of those that are given.
    """
    keys = {one.key for one in (random_architectures(space) if of is None else of)}
    found: dict[str, dict[str, float]] = {}
    for row in store.rows(list(tasks), space.name, SEARCH.hash, "done"):
        if row.seed == 0 and row.architecture.key in keys:
            found.setdefault(row.architecture.key, {})[row.task] = row.metrics[metric]
    whole = {key: of for key, of in found.items() if len(of) == len(tasks)}
    if of is None and len(whole) < LEAST_RANDOM:
        raise SystemExit(
            f"table.tsv.gz: all {len(tasks)} tasks have {len(whole)} random architectures of {space.name}, at least "
            f"{LEAST_RANDOM} are needed; go on with table.py"
        )
    return whole


def measure(
    proposals: Proposals,
    corpus: Corpus,
    space: SearchSpace,
    tasks: Mapping[str, TaskData],
    store: Store,
) -> dict[str, Any]:
    """Hold every proposal against the random architectures and the best that is known of its task."""
    held_out = [spec.name for spec in corpus.held_out_tasks]
    random = {
        metric: scores(store, space, held_out, metric)
        for metric in ("validation_auroc", "test_auroc")
    }
    known: dict[str, list[Evaluation]] = {name: [] for name in held_out}
    thorough: dict[tuple[str, tuple[int, ...]], float] = {}
    for row in store.rows(held_out, space.name, state="done"):
        if row.fidelity_hash == SEARCH.hash:
            known[row.task].append(row)
        elif row.fidelity_hash == FULL.hash:
            thorough[row.task, row.architecture.tokens] = row.metrics["test_auroc"]
    ways: dict[str, Any] = {}
    for way in WAYS:
        if way not in proposals:
            continue
        keys = {
            name: [space.architecture(entry["tokens"]).key for entry in proposals[way][name]]
            for name in held_out
        }
        trained = {name: {row.architecture.key for row in known[name]} for name in held_out}
        if any(set(keys[name]) - trained[name] for name in held_out):
            print(f"{way}: not all of it is trained yet; left out")
            continue
        ways[way] = {
            name: measured(
                keys[name], known[name], [of[name] for of in random["test_auroc"].values()]
            )
            for name in held_out
        }
    if "controller" not in ways:
        raise SystemExit(
            "table.tsv.gz: the controllers' proposals are not trained; run zero_shot.py"
        )
    ways["random"] = {
        name: measured(list(random["test_auroc"]), known[name], None) for name in held_out
    }
    validation = pd.DataFrame(random["validation_auroc"])  # tasks x architectures
    ways[f"random search of the task, {validation.shape[1]} trainings"] = {
        name: measured([validation.loc[name].idxmax()], known[name], None) for name in held_out
    }
    result: dict[str, Any] = {
        "space": space.name,
        "random_architectures": len(random["test_auroc"]),
        "ways": ways,
        "child_seeds": sorted({row.seed for row in trainings(proposals["controller"], known)}),
        "coverage": coverage(proposals["controller"], known),
    }
    if space.name == SEARCHED_SPACE:
        result["searches"] = searched(random["test_auroc"])
        if PLAYED.exists():
            result["played"] = read_json(PLAYED, "file of played searches")["tasks"]
    result["kmer"] = {name: fit_kmer_baseline(tasks[name])["test_auroc"] for name in held_out}
    first = {name: tuple(proposals["controller"][name][0]["tokens"]) for name in held_out}
    if all((name, first[name]) in thorough for name in held_out):
        result["full"] = {name: thorough[name, first[name]] for name in held_out}
    return result


def trainings(
    proposals: Mapping[str, Sequence[Mapping[str, Any]]], known: Mapping[str, Sequence[Evaluation]]
) -> list[Evaluation]:
    """Give the trainings of what was proposed."""
    return [
        row
        for name, entries in proposals.items()
        for row in known[name]
        if list(row.architecture.tokens) in [entry["tokens"] for entry in entries]
    ]


def measured(
    keys: Sequence[str], known: Sequence[Evaluation], random: Sequence[float] | None
) -> dict[str, float]:
    """Give the mean over repeats of test AUROC, percentile among random ones, and regret to the best known.

    The best known is the one of the highest validation AUROC; its test AUROC is what the regret refers to.
    """
    tests: dict[str, list[float]] = {}
    for row in known:
        tests.setdefault(row.architecture.key, []).append(row.metrics["test_auroc"])
    reached = [float(np.mean(tests[key])) for key in keys]
    best = max(known, key=lambda row: row.metrics["validation_auroc"]).architecture.key
    found = {
        "test_auroc": float(np.mean(reached)),
        "regret": float(np.mean(tests[best]) - np.mean(reached)),
    }
    if random is not None:
        found["percentile"] = float(
            np.mean([100 * np.mean(np.array(random) < value) for value in reached])
        )
    return found


def coverage(
    proposals: Mapping[str, Sequence[Mapping[str, Any]]], known: Mapping[str, Sequence[Evaluation]]
) -> float:
    """Give the share of trainings of proposals whose validation AUROC lies in the 80% interval that was given."""
    inside = []
    for name, entries in proposals.items():
        for entry in entries:
            low, high = entry["expected"]["low"], entry["expected"]["high"]
            inside += [
                low <= row.metrics["validation_auroc"] <= high
                for row in trainings({name: [entry]}, known)
            ]
    return float(np.mean(inside))


def searched(random: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, dict[str, Any]]]:
    """Give what searches of single tasks had found after so many real evaluations; means over their seeds.

    Parameters
    ----------
    random : mapping
        Architecture -> task -> test AUROC of the recorded random architectures.

    Returns
    -------
    dict
        Method -> evaluations -> task -> test AUROC of the best by validation, and its percentile.
    """
    rows = pd.read_csv(SEARCHES, sep="\t")
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for (method, task), of_task in rows.groupby(["method", "task"]):
        for budget in BUDGETS:
            tests = []
            for _, run in of_task.groupby("seed"):
                if run["number"].max() >= budget:
                    begun = run[run["number"] <= budget]
                    tests.append(begun.loc[begun["validation_auroc"].idxmax(), "test_auroc"])
            if tests:
                others = np.array([of[task] for of in random.values()])
                percentile = np.mean([100 * np.mean(others < value) for value in tests])
                found.setdefault(method, {}).setdefault(str(budget), {})[task] = {
                    "test_auroc": float(np.mean(tests)),
                    "percentile": float(percentile),
                }
    return found


def left_out(controller: Controller) -> dict[str, float]:
    """Give the coverage of 80% intervals on training tasks, each predicted from the other tasks' records alone."""
    predictor = controller.predictor
    assert predictor is not None
    records, found = predictor.records, predictor.left_out()
    inside = is_inside(found, records.values)
    proven = controller.worked(None)[0].architecture.tokens
    is_proven = (records.tokens == np.array(proven)).all(axis=1)
    return {"all": float(inside.mean()), "proven": float(inside[is_proven].mean())}


def is_inside(found: Prediction, values: Sequence[float]) -> np.ndarray:
    """Say of each value whether the 80% interval that was predicted for it holds it: bool, (m,)."""
    pairs = zip(Expected.each(found), values, strict=True)
    return np.array([one.low <= value <= one.high for one, value in pairs])


def never_seen(
    controller: Controller, described: Mapping[str, Descriptors], store: Store
) -> dict[str, float]:
    """Give the coverage of 80% intervals on all recorded trainings of the held-out tasks, which it never saw."""
    predictor = controller.predictor
    assert predictor is not None
    rows = [
        row
        for row in store.rows(list(described), controller.space.name, SEARCH.hash, "done")
        if row.seed == 0
    ]
    vectors = {name: controller.scaler.transform(of) for name, of in described.items()}
    found = predictor.predict(
        np.stack([vectors[row.task] for row in rows]),
        np.array([row.architecture.tokens for row in rows]),
    )
    inside = is_inside(found, [row.metrics["validation_auroc"] for row in rows])
    random = {one.key for one in random_architectures(controller.space)}
    is_random = np.array([row.architecture.key in random for row in rows])
    return {
        "trainings": len(rows),
        "all": float(inside.mean()),
        "random": float(inside[is_random].mean()),
    }
