"""Can a choice by descriptors beat one choice for all? Leave tasks out of the table, and choose for them.

    python benchmarks/yeast/choose.py [--space ambient-plus] [--good] [--held-out]

takes the random architectures of table.tsv.gz that all tasks have (`--good`: those that controllers proposed,
good.json), hides the evaluations of some tasks, chooses an architecture for each of them by what is left, and looks up
what it reached there. Only the 36 training tasks are used: in six folds of tasks, and leaving out one category at a
time. `--held-out` does it once more for the 12 held-out tasks, from all 36; that is for the end, when everything is
settled. Writes choices-SPACE.json and choices-SPACE.md, or choices-SPACE-good.*.

Ways to choose:

- **predictor**: the largest predicted mean of a Gaussian process over descriptors and architectures
  (`ambient.controller.predictor`), fitted to the tasks that are not hidden;
- **predictor, shuffled**: the same with the descriptors of the known tasks dealt out at random (mean of several deals);
- **predictor, no descriptors**: the same with all descriptors alike;
- **nearest task**: the best architecture of the known task with the nearest descriptors;
- **category**: the best mean over the known tasks of the same category, over all where there is none;
- **single**: the best mean over the known tasks; **random**: the mean over all architectures.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from analyse import GOOD, RANDOM, read_table, whole
from script import tell

from ambient.controller.predictor import Predictor
from ambient.controller.recorded import Records
from ambient.controller.scaling import Scaler
from ambient.data.corpus import read_corpus
from ambient.data.describe import describe_corpus
from ambient.report.summary import mean_interval
from ambient.space import named_space

HERE = Path(__file__).resolve().parent
FOLDS = 6
DEALS = 3  # of shuffled descriptors
FIT = {"steps": 80, "rows": 500}  # of each of some sixty predictors
SEED = 4


def main() -> None:
    """Choose in every way, for every split."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--space", default="ambient-plus")
    parser.add_argument("--good", action="store_true", help="among those of good.json")
    parser.add_argument(
        "--held-out", action="store_true", help="also choose for the held-out tasks"
    )
    arguments = parser.parse_args()
    corpus = read_corpus(HERE / "corpus.yaml")
    described = describe_corpus(corpus, cache=HERE / "cache" / "descriptors")
    rows = read_table(HERE / "table.tsv.gz")
    rows = rows[
        (rows["space"] == arguments.space)
        & (rows["version"] == named_space(arguments.space).version)
    ]
    origin = GOOD if arguments.good else RANDOM
    if not arguments.good:
        rows = rows[rows["origin"] == RANDOM]
    categories = {spec.name: spec.category for spec in corpus.tasks}
    training = [spec.name for spec in corpus.training_tasks]
    splits = {
        "tasks left out": folds(training),
        "categories left out": [
            [name for name in training if categories[name] == category]
            for category in sorted({categories[name] for name in training})
        ],
    }
    if arguments.held_out:
        splits["held-out tasks"] = [[spec.name for spec in corpus.held_out_tasks]]
    result = {
        name: chosen(rows, origin, described, training, categories, hidden)
        for name, hidden in splits.items()
    }
    name = f"choices-{arguments.space}" + ("-good" if arguments.good else "")
    text = "\n\n".join(as_table(name, one) for name, one in result.items()) + "\n"
    tell(HERE, result, text, name)


def folds(names: Sequence[str]) -> list[list[str]]:
    """Deal tasks out into folds."""
    order = np.random.default_rng(SEED).permutation(len(names))
    return [[names[i] for i in part] for part in np.array_split(order, FOLDS)]


def chosen(
    rows: pd.DataFrame,
    origin: str,
    described: Mapping[str, Any],
    training: Sequence[str],
    categories: Mapping[str, str],
    hidden_sets: Sequence[Sequence[str]],
) -> dict[str, dict[str, dict[str, float]]]:
    """Give for each way and each hidden task what the choice among the architectures of an origin reached."""
    candidates = rows[(rows["seed"] == 0) & (rows["origin"] == origin)]
    found: dict[str, dict[str, dict[str, float]]] = {}
    for hidden in hidden_sets:
        known = [name for name in training if name not in hidden]
        validation = whole(candidates, "validation", [*known, *hidden])
        test = whole(candidates, "test", [*known, *hidden])[validation.columns]
        scaler = Scaler.fit([described[name] for name in known])
        vectors = {name: scaler.transform(described[name]) for name in [*known, *hidden]}
        tokens = rows.drop_duplicates("architecture").set_index("architecture")["tokens"]
        records = records_of(rows[rows["seed"] == 0], known, vectors)
        scores = scored(records, validation, known, hidden, vectors, tokens, categories)
        for way, by_task in scores.items():
            for task in hidden:
                found.setdefault(way, {})[task] = reached(
                    by_task[task], validation.loc[task].to_numpy(), test.loc[task].to_numpy()
                )
    return found


def records_of(rows: pd.DataFrame, known: Sequence[str], vectors: Mapping[str, Any]) -> Records:
    """Give all that is recorded of the known tasks, whether or not the others have it."""
    kept = rows[rows["task"].isin(known)]
    index = {name: number for number, name in enumerate(known)}
    return Records(
        tuple(known),
        np.stack([vectors[name] for name in known]),
        kept["task"].map(index).to_numpy(),
        np.array(kept["tokens"].tolist()),
        kept["validation"].to_numpy(),
    )


def scored(
    records: Records,
    validation: pd.DataFrame,
    known: Sequence[str],
    hidden: Sequence[str],
    vectors: Mapping[str, np.ndarray],
    tokens: pd.Series,
    categories: Mapping[str, str],
) -> dict[str, dict[str, np.ndarray]]:
    """Give for each way and hidden task a score for each architecture; the highest is the choice."""
    candidates = np.array(tokens.loc[list(validation.columns)].tolist())
    rng = np.random.default_rng(SEED)

    def predicted(of: Records, blind: bool = False) -> dict[str, np.ndarray]:
        predictor = Predictor.fit(of, **FIT)
        asked = np.stack([vectors[name] * (not blind) for name in hidden])
        mean = predictor.mean_function(asked)
        return {
            name: mean(np.full(len(candidates), number), candidates)
            for number, name in enumerate(hidden)
        }

    deals = [
        predicted(replace(records, vectors=records.vectors[rng.permutation(len(known))]))
        for _ in range(DEALS)
    ]
    table = validation.loc[list(known)]
    nearest = {
        name: min(known, key=lambda other: float(np.linalg.norm(vectors[name] - vectors[other])))
        for name in hidden
    }
    alike = {
        name: [other for other in known if categories[other] == categories[name]] or list(known)
        for name in hidden
    }
    return {
        "predictor": predicted(records),
        **{f"predictor, shuffled {number}": deal for number, deal in enumerate(deals, 1)},
        "predictor, no descriptors": predicted(
            replace(records, vectors=np.zeros_like(records.vectors)), blind=True
        ),
        "nearest task": {name: table.loc[nearest[name]].to_numpy() for name in hidden},
        "category": {name: table.loc[alike[name]].mean().to_numpy() for name in hidden},
        "single": {name: table.mean().to_numpy() for name in hidden},
    }


def reached(score: np.ndarray, validation: np.ndarray, test: np.ndarray) -> dict[str, float]:
    """Look up what the choice reached on the hidden task."""
    choice = int(np.argmax(score))
    others = np.delete(validation, choice)
    return {
        "test_auroc": float(test[choice]),
        "validation_auroc": float(validation[choice]),
        "regret": float(validation.max() - validation[choice]),
        "percentile": float(100 * np.mean(others < validation[choice])),
        "random_test_auroc": float(test.mean()),
        "random_regret": float(validation.max() - validation.mean()),
    }


def as_table(split: str, found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Write one split as Markdown: means over tasks, and the gain over the single choice with its interval."""
    tasks = list(found["single"])
    lines = [
        f"**{split}** ({len(tasks)} tasks)",
        "",
        "| choice | test AUROC | over the single one (95% interval over tasks) | percentile | regret |",
        "|---|---|---|---|---|",
    ]

    def row(name: str, ways: Sequence[str]) -> str:
        mean = {
            key: np.array([[found[way][task][key] for task in tasks] for way in ways]).mean(0)
            for key in ("test_auroc", "percentile", "regret")
        }
        single = np.array([found["single"][task]["test_auroc"] for task in tasks])
        interval = mean_interval((mean["test_auroc"] - single).tolist())
        return (
            f"| {name} | {mean['test_auroc'].mean():.4f} | {interval.mean:+.4f} ({interval.low:+.4f} to "
            f"{interval.high:+.4f}) | {mean['percentile'].mean():.0f} | {mean['regret'].mean():.4f} |"
        )

    shuffled = [way for way in found if way.startswith("predictor, shuffled")]
    lines += [row(way, [way]) for way in found if way not in shuffled]
    lines.insert(5, row("predictor, shuffled", shuffled))
    random = [found["single"][task] for task in tasks]
    lines.append(
        f"| random | {np.mean([one['random_test_auroc'] for one in random]):.4f} | | 50 | "
        f"{np.mean([one['random_regret'] for one in random]):.4f} |"
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
