"""Would a few-shot search beat its proposal if it were given every training of the data set that there is?

    python benchmarks/yeast/hindsight.py [--recorded]

few_shot.py plays searches, this one takes real results: of each of the 36 training tasks the table holds 50 trainings
or more (40 random architectures, on six tasks 200; those of good.json; what controllers asked for). A controller of
folds.py, which never saw the task, is told all of them, as `ambient search --method predicted` tells it what it asked
for. Its favourite, and the architecture that was measured best in validation, are held against what is proven on all
training tasks, in the test AUROC of the same trainings. Learns the controllers that are missing, trains no network;
writes hindsight/results.json and results.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from folds import SPACE, folds, learn_all, run_of
from measure import good_architectures
from measured_text import as_gain
from script import begin, tell
from table import CACHE, HERE, TABLE

from ambient.child.fidelity import SEARCH
from ambient.controller.card import Controller
from ambient.data.corpus import read_corpus
from ambient.data.describe import describe_corpus
from ambient.evaluate import Evaluation, Store
from ambient.evaluate.exchange import import_tsv
from ambient.files import read_json, write_json_atomic
from descriptors import Descriptors

RECORDS = HERE / "hindsight"
LEARNED = "own records out"  # which controllers of folds.py
PROVEN = 3  # of good.json
LOUD = 0.0125  # a deviation of the noise of one training, in validation AUROC, that parts the tasks
GROUPS = {
    "all": lambda rows: rows["noise"] > 0,
    "noise below": lambda rows: rows["noise"] < LOUD,
    "noise above": lambda rows: rows["noise"] >= LOUD,
    "histone marks": lambda rows: rows["category"] == "histone",
    "others": lambda rows: rows["category"] != "histone",
}
FOUND = {"favourite": "the favourite", "best": "the best measured"}


def main() -> None:
    """Tell, choose, write."""
    arguments = begin(__doc__).parse_args()
    if not arguments.recorded:
        RECORDS.mkdir(exist_ok=True)
        write_json_atomic(RECORDS / "results.json", chosen_with_hindsight())
    found = read_json(RECORDS / "results.json", "file of results")
    tell(RECORDS, found, as_text(pd.DataFrame(found)))


def chosen_with_hindsight() -> list[dict[str, Any]]:
    """Choose for each training task from all that is recorded of it."""
    learn_all([LEARNED])
    corpus = read_corpus(HERE / "corpus.yaml")
    described = describe_corpus(corpus, corpus.training_tasks, CACHE / "descriptors")
    categories = {spec.name: spec.category for spec in corpus.training_tasks}
    with Store(CACHE / "hindsight.sqlite") as store:
        import_tsv(store, TABLE)
        rows = [
            row
            for row in store.rows(list(categories), SPACE.name, SEARCH.hash, "done")
            if row.seed == 0
        ]
    found = []
    for fold, hidden in enumerate(folds(corpus)):
        controller = Controller.load(run_of(LEARNED, fold))
        for name in hidden:
            own = [row for row in rows if row.task == name]
            found.append(
                {"category": categories[name], **chosen(controller, name, described[name], own)}
            )
    return found


def chosen(
    controller: Controller, name: str, described: Descriptors, rows: list[Evaluation]
) -> dict[str, Any]:
    """Tell a controller all trainings of a task; compare what it then favours with what is proven."""
    assert controller.predictor is not None
    vector = controller.scaler.transform(described)
    belief = controller.predictor.belief(
        vector, np.array([row.architecture.tokens for row in rows])
    )
    validation, test = (
        np.array([row.metrics[metric] for row in rows])
        for metric in ("validation_auroc", "test_auroc")
    )
    for index, value in enumerate(validation):
        belief = belief.told(index, float(value))
    proven = good_architectures(SPACE)[PROVEN].key
    start = [row.architecture.key for row in rows].index(proven)
    picks = {"favourite": int(belief.mean.argmax()), "best": int(validation.argmax())}
    return {
        "task": name,
        "trainings": len(rows),
        "noise": float(np.sqrt(belief.noise)),
        **{f"{what}_is_proposal": index == start for what, index in picks.items()},
        **{
            f"{what}_validation": float(validation[i] - validation[start])
            for what, i in picks.items()
        },
        **{f"{what}_test": float(test[i] - test[start]) for what, i in picks.items()},
    }


def as_text(rows: pd.DataFrame) -> str:
    """Write the gains over the proposal, and each task."""
    lines = [
        f"{len(rows)} training tasks, {rows['trainings'].min()} to {rows['trainings'].max()} trainings of each at "
        f"`search`. What would be chosen of them, over the proposal (means with 95% intervals over tasks; noise: the "
        f"deviation of one training that is expected on the task, parted at {LOUD}):",
        "",
        "| chosen | on | tasks | is the proposal | validation AUROC | test AUROC | better on | worse on |",
        "|---" * 8 + "|",
    ]
    for what, told in FOUND.items():
        for group, is_in in GROUPS.items():
            own = rows[is_in(rows)]
            test = own[f"{what}_test"].to_numpy()
            cells = [
                told,
                group,
                str(len(own)),
                str(int(own[f"{what}_is_proposal"].sum())),
                as_gain(own[f"{what}_validation"].to_numpy()),
                as_gain(test),
                str(int((test > 0).sum())),
                str(int((test < 0).sum())),
            ]
            lines.append("| " + " | ".join(cells) + " |")
    lines += [
        "",
        "| task | category | trainings | noise | favourite, test AUROC | best measured, validation | test |",
        "|---" * 7 + "|",
    ]
    for _, row in rows.sort_values("noise").iterrows():
        gains = [row["favourite_test"], row["best_validation"], row["best_test"]]
        told = " | ".join(f"{gain:+.4f}" for gain in gains)
        lines.append(
            f"| {row['task']} | {row['category']} | {row['trainings']} | {row['noise']:.4f} | {told} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
