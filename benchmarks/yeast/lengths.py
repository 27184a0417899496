"""Do descriptors tell how long to train?

    python benchmarks/yeast/lengths.py

Two ways to spend about a minute on a data set, both trained on all 36 training tasks by thorough.py: what is proven at
`search` with five short members, and what is proven at `full` once, long. A ridge regression from the 40 standardised
descriptors to the gain of the long way, in validation AUROC, chooses between them for each training task from the other
35. Controls: the better way for all, by those 35; the same regression learned from descriptors that were dealt out to
other tasks; and the right regression asked with another task's descriptors. Trains nothing; writes lengths/results.md
and results.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from measured_text import as_gain
from script import tell
from sklearn.linear_model import RidgeCV
from table import HERE
from thorough import FIVE, ONE, SPACE
from thorough import RECORDS as THOROUGH

from ambient.controller.card import Controller
from ambient.files import read_json

RECORDS = HERE / "lengths"
CONTROLLER = HERE / "zero-shot" / SPACE.name / "controller"  # whose scaler standardised them
WAYS = {"short": ("good 3", FIVE), "long": ("good 6", ONE)}
PENALTIES = np.logspace(
    0, 4, 9
)  # of which the ridge takes what leave-one-out within its tasks says
DEALS = 100
METRICS = ("validation_auroc", "test_auroc")

Rule = Callable[[np.ndarray], np.ndarray]  # descriptors (m, D) -> whether to train long (m,)


def main() -> None:
    """Choose, tell."""
    RECORDS.mkdir(exist_ok=True)
    controller = Controller.load(CONTROLLER)
    count = len(controller.scaler.names)
    names = [task.name for task in controller.tasks]
    descriptors = np.array([task.vector[:count] for task in controller.tasks])
    result = left_out(descriptors, gains_of(names))
    tell(RECORDS, {"tasks": names, **result}, as_text(result, len(names)))


def gains_of(names: Sequence[str]) -> pd.DataFrame:
    """Give what the long way gains over the short one on each task; (tasks, metrics)."""
    rows = pd.DataFrame(read_json(THOROUGH / "results.json", "file of results"))
    found = {}
    for way, (architecture, fidelity) in WAYS.items():
        own = (rows["architecture"] == architecture) & (rows["how"] == fidelity.name)
        found[way] = rows[own].set_index("task").loc[list(names), list(METRICS)]
    return found["long"] - found["short"]


def learned(descriptors: np.ndarray, gains: np.ndarray) -> Rule:
    """Learn from descriptors, (tasks, D), and gains, (tasks,), where to train long."""
    ridge = RidgeCV(PENALTIES).fit(descriptors, gains)
    return lambda asked: ridge.predict(asked) > 0


def left_out(descriptors: np.ndarray, gains: pd.DataFrame) -> dict[str, Any]:
    """Choose for each task from the others; give what that gains over each control, for each task, in both metrics."""
    validation = gains["validation_auroc"].to_numpy()
    everyone = np.arange(len(gains))
    rng = np.random.default_rng(0)
    deals = [rng.permutation(descriptors) for _ in range(DEALS)]

    def rules(known: np.ndarray) -> list[Rule]:
        return [learned(known[everyone != one], validation[everyone != one]) for one in everyone]

    def choices(some: Sequence[Rule], asked: np.ndarray) -> np.ndarray:
        return np.array([rule(asked[[one]])[0] for one, rule in enumerate(some)])

    own = rules(descriptors)
    long = {
        "own": choices(own, descriptors),
        "short for all": np.zeros(len(gains)),
        "long for all": np.ones(len(gains)),
        "the better one for all, by the other tasks": np.array(
            [validation[everyone != one].mean() > 0 for one in everyone]
        ),
        "learned from shuffled descriptors": np.mean(
            [choices(rules(dealt), dealt) for dealt in deals], axis=0
        ),
        "asked with another task's descriptors": np.mean(
            [choices(own, dealt) for dealt in deals], axis=0
        ),
        "each task's own, by its validation": validation > 0,
    }
    chosen = long.pop("own")
    found: dict[str, Any] = {"long": chosen.tolist()}
    for metric in METRICS:
        of_long = gains[metric].to_numpy()
        found[metric] = {
            name: ((chosen.astype(float) - share) * of_long).tolist()
            for name, share in long.items()
        }
    return found


def as_text(result: Mapping[str, Any], tasks: int) -> str:
    """Write the means over tasks."""
    lines = [
        f"{tasks} training tasks, each chosen for by the other {tasks - 1}; {sum(result['long'])} are trained long.",
        "",
        "| the choice by descriptors, over | validation AUROC (95% interval over tasks) | test AUROC |",
        "|---|---|---|",
    ]
    for name in result["test_auroc"]:
        cells = [as_gain(np.array(result[metric][name])) for metric in METRICS]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
