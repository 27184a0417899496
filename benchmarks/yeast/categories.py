"""Is there a better network than the proven one for each category of data sets?

    python benchmarks/yeast/categories.py [--recorded]

hindsight.py shows that histone marks may want another network than what is proven on all training tasks. So the search
that found that one is taken a step further: for each category the first controller's predictor says, from all records,
of which architecture most is expected on the category's training tasks, among those that were recorded and 300 more
that the controller draws for each task at three times its temperature; the three best that differ in two decisions or
more are trained on all tasks of the category (categories/candidates.json, written before). Beside them stands what
controllers had asked for on six of the seven histone marks, trained on all 36 tasks and, from two seeds, on the two
held-out histone marks. What a choice by category brings is told by leaving one task out: of the category's candidates
and the proven one, that which validates best on its other tasks. Trainings go into categories/rows.tsv.gz, tables into
results.md and results.json; goes on where it stopped, `--recorded` trains nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from measure import good_architectures
from measured_text import as_gain
from script import begin, tell
from table import CACHE, HERE, TABLE
from thorough import SPACE

from ambient.child.fidelity import SEARCH
from ambient.cli.progress import progress
from ambient.controller.card import Controller
from ambient.controller.policy import Policy
from ambient.data.corpus import Corpus, read_corpus
from ambient.data.prepare import prepare_corpus
from ambient.evaluate import PoolEngine, Remembering, Request, Store
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.files import read_json, write_atomic
from ambient.space import Architecture

RECORDS = HERE / "categories"
ROWS, CANDIDATES = RECORDS / "rows.tsv.gz", RECORDS / "candidates.json"
PROVEN = 3  # of good.json
ASKED = "b41ad115f26e7c2c"  # asked for on six histone marks, and on no other task
CATEGORIES = ("tf", "polymerase", "histone", "other")  # accessibility has one training task
EACH, APART = 3, 2  # candidates of a category, and the decisions in which they differ at least
DRAWN, HOT = 300, 3.0  # architectures for each task, and the temperature they are drawn at
MARKS = ("H4", "H4ac")  # held-out histone marks
METRICS = ("validation_auroc", "test_auroc")

Known = Mapping[tuple[str, str, int], Mapping[str, Any]]  # metrics by task, architecture and seed


def main() -> None:
    """Find candidates, train them, tell."""
    arguments = begin(__doc__).parse_args()
    RECORDS.mkdir(exist_ok=True)
    corpus = read_corpus(HERE / "corpus.yaml")
    with Store(CACHE / "categories.sqlite") as store:
        if ROWS.exists():
            import_tsv(store, ROWS)
        with Store(CACHE / "categories-table.sqlite") as table:
            import_tsv(table, TABLE)
            before = list(
                table.rows([one.name for one in corpus.tasks], SPACE.name, SEARCH.hash, "done")
            )
        recorded = {row.architecture.key: row.architecture for row in before}
        if not CANDIDATES.exists():
            write_atomic(CANDIDATES, json.dumps(candidates(corpus, list(recorded.values()))) + "\n")
        chosen = {
            category: [SPACE.architecture(tokens) for tokens in entries]
            for category, entries in read_json(CANDIDATES, "file of candidates").items()
        }
        asked = requests(corpus, chosen, recorded[ASKED])
        if not arguments.recorded:
            there = {(row.task, row.architecture.key, row.seed) for row in before}
            train(store, corpus, [one for one in asked if key_of(one) not in there])
        rows = [*before, *store.rows([one.name for one in corpus.tasks], SPACE.name, state="done")]
        known = {(row.task, row.architecture.key, row.seed): row.metrics for row in rows}
    missing = sum(key_of(one) not in known for one in asked)
    if missing:
        raise SystemExit(f"{missing} trainings are missing; call this without --recorded")
    result = measured(corpus, chosen, recorded[ASKED], known)
    tell(RECORDS, result, as_text(result))


def key_of(request: Request) -> tuple[str, str, int]:
    """Name a training."""
    return request.task, request.architecture.key, request.seed


def of_category(corpus: Corpus, category: str) -> list[str]:
    """Name the training tasks of a category."""
    return [spec.name for spec in corpus.training_tasks if spec.category == category]


def candidates(
    corpus: Corpus, recorded: Sequence[Architecture]
) -> dict[str, list[tuple[int, ...]]]:
    """Give for each category the tokens of which most is expected on its tasks."""
    controller = Controller.load(HERE / "zero-shot" / SPACE.name / "controller")
    assert controller.predictor is not None
    hotter = replace(controller.policy.config, temperature=HOT)
    warm = Policy(SPACE, hotter, len(controller.scaler.names))
    warm.load_state_dict(controller.policy.state_dict())
    pool = {one.key: one for one in recorded}
    for seed, task in enumerate(controller.tasks):
        vector = torch.tensor(task.vector, dtype=torch.float32).expand(DRAWN, -1)
        drawn, _ = warm.sample(vector, torch.Generator().manual_seed(seed))
        for tokens in drawn.tolist():
            one = SPACE.architecture(tuple(tokens))
            pool.setdefault(one.key, one)
    tokens = np.array([one.tokens for one in pool.values()])
    proven = list(pool).index(good_architectures(SPACE)[PROVEN].key)
    found = {}
    for category in CATEGORIES:
        expected = np.mean(
            [
                controller.predictor.recorded_function(name)(tokens)
                for name in of_category(corpus, category)
            ],
            axis=0,
        )
        picked: list[int] = []
        for index in np.argsort(-expected, kind="stable").tolist():
            apart = [(tokens[index] != tokens[other]).sum() for other in picked]
            if index != proven and min(apart, default=APART) >= APART:
                picked.append(index)
            if len(picked) == EACH:
                break
        found[category] = [tuple(tokens[index].tolist()) for index in picked]
    return found


def requests(
    corpus: Corpus, chosen: Mapping[str, Sequence[Architecture]], asked: Architecture
) -> list[Request]:
    """Give all trainings."""
    return [
        *(Request(name, asked, seed, SEARCH) for seed in (0, 1) for name in MARKS),
        *(Request(spec.name, asked, 0, SEARCH) for spec in corpus.training_tasks),
        *(
            Request(name, one, 0, SEARCH)
            for category, several in chosen.items()
            for one in several
            for name in of_category(corpus, category)
        ),
    ]


def train(store: Store, corpus: Corpus, asked: Sequence[Request]) -> None:
    """Train what is not there; write all that is known."""
    tasks = prepare_corpus(corpus, CACHE / "tasks")
    try:
        with (
            progress("trainings", len(asked)) as advance,
            Remembering(PoolEngine(tasks), store) as engine,
        ):
            for done in engine.run(asked):
                advance(done.task)
    finally:
        export_tsv(store, ROWS)


def measured(
    corpus: Corpus,
    chosen: Mapping[str, Sequence[Architecture]],
    asked: Architecture,
    known: Known,
) -> dict[str, Any]:
    """Give what each candidate gains over the proven architecture, and what a choice by category does."""
    proven = good_architectures(SPACE)[PROVEN]

    def gains(
        names: Sequence[str], one: Architecture, seed: int = 0
    ) -> dict[str, dict[str, float]]:
        return {
            name: {
                metric: known[name, one.key, seed][metric] - known[name, proven.key, seed][metric]
                for metric in METRICS
            }
            for name in names
        }

    by_candidate: dict[str, list[dict[str, Any]]] = {}
    by_choice: dict[str, dict[str, dict[str, Any]]] = {}
    for category, several in chosen.items():
        names = of_category(corpus, category)
        rivals = {one.key: one for one in (*several, *([asked] if category == "histone" else []))}
        of = {key: gains(names, one) for key, one in rivals.items()}
        by_candidate[category] = [
            {"summary": rivals[key].summary(), "gains": found} for key, found in of.items()
        ]
        by_choice[category] = {name: left_out(of, name) for name in names}
    return {
        "candidates": by_candidate,
        "asked_elsewhere": {
            category: gains(of_category(corpus, category), asked)
            for category in dict.fromkeys(spec.category for spec in corpus.training_tasks)
        },
        "held_out": {str(seed): gains(MARKS, asked, seed) for seed in (0, 1)},
        "choice": by_choice,
    }


def left_out(of: Mapping[str, Mapping[str, Mapping[str, float]]], name: str) -> dict[str, Any]:
    """Choose for a task by the other ones of its category; the proven architecture gains 0."""
    means = {
        key: np.mean([gain["validation_auroc"] for other, gain in found.items() if other != name])
        for key, found in of.items()
    }
    best = max(means, key=lambda key: means[key])
    if means[best] <= 0:
        return {"architecture": None, **dict.fromkeys(METRICS, 0.0)}
    return {"architecture": best, **of[best][name]}


def as_text(result: Mapping[str, Any]) -> str:
    """Write the gains as Markdown."""

    def row(told: Sequence[str], gains: Sequence[Mapping[str, float]]) -> str:
        values = {metric: np.array([one[metric] for one in gains]) for metric in METRICS}
        shown = [as_gain(of) if len(of) > 1 else f"{of.mean():+.4f}" for of in values.values()]
        test = values["test_auroc"]
        cells = [*told, str(len(gains)), *shown, f"{(test > 0).sum()}", f"{(test < 0).sum()}"]
        return "| " + " | ".join(cells) + " |"

    head = (
        "tasks | validation AUROC (95% interval over tasks) | test AUROC | better on | worse on |"
    )
    lines = [
        "Gains over what is proven on all training tasks, at `search`, one training each. Three candidates for each "
        "category, and what had been asked for on six histone marks:",
        "",
        f"| category | architecture | {head}",
        "|---" * 7 + "|",
    ]
    for category, several in result["candidates"].items():
        lines += [row([category, one["summary"]], list(one["gains"].values())) for one in several]
    lines += ["", "The one that had been asked for on histone marks, on all training tasks:", ""]
    lines += [f"| category | {head}", "|---" * 6 + "|"]
    for category, gains in result["asked_elsewhere"].items():
        lines.append(row([category], list(gains.values())))
    lines += ["", "On the two held-out histone marks, from two seeds:", ""]
    for seed, gains in result["held_out"].items():
        told = ", ".join(f"{name} {gain['test_auroc']:+.4f}" for name, gain in gains.items())
        lines.append(f"- seed {seed}, test AUROC: {told}")
    lines += [
        "",
        "A choice among a category's candidates and the proven one, for each task by the validation AUROC of the other "
        "tasks of its category:",
        "",
        f"| category | {head}",
        "|---" * 6 + "|",
    ]
    every = [one for of in result["choice"].values() for one in of.values()]
    for category, of in result["choice"].items():
        lines.append(row([category], list(of.values())))
    lines.append(row(["all"], every))
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
