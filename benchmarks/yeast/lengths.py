"""Do descriptors tell how long to train?

    python benchmarks/yeast/lengths.py [--recorded]

Two ways to spend about a minute on a data set, both trained on all 36 training tasks by thorough.py: what is proven at
`search` with five short members, and what is proven at `full` once, long. A ridge regression from the 40 standardised
descriptors to the gain of the long way, in validation AUROC, chooses between them for a data set that it does not know:
each training task from the other 35, and the 12 held-out tasks from all 36 (lengths/choices.json, written before
anything is trained there and kept). Controls: the better way for all; the same regression learned from descriptors that
were dealt out to other tasks; and the right regression asked with another task's descriptors. Trainings of the held-out
tasks go into lengths/rows.tsv.gz, tables into lengths/results.md and results.json; `--recorded` trains nothing.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from deployed import ROWS as DEPLOYED
from measure import good_architectures
from measured_text import as_gain
from sklearn.linear_model import RidgeCV
from table import CACHE, HERE
from thorough import FIVE, ONE, SPACE
from thorough import RECORDS as THOROUGH
from zero_shot import DESCRIBED, descriptors_in

from ambient.cli.progress import progress
from ambient.controller.card import Controller
from ambient.data.corpus import read_corpus
from ambient.data.prepare import prepare_corpus
from ambient.evaluate import PoolEngine, Remembering, Request, Store
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.files import read_json, write_atomic, write_json_atomic

RECORDS = HERE / "lengths"
ROWS = RECORDS / "rows.tsv.gz"
CONTROLLER = HERE / "zero-shot" / SPACE.name / "controller"
WAYS = {"short": (3, FIVE), "long": (6, ONE)}  # the number in good.json, and how it is trained
PENALTIES = np.logspace(
    0, 4, 9
)  # of which the ridge takes what leave-one-out within its tasks says
DEALS = 100
METRICS = ("validation_auroc", "test_auroc")

Rule = Callable[[np.ndarray], np.ndarray]  # descriptors (m, D) -> whether to train long (m,)


def main() -> None:
    """Choose, train, tell."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recorded", action="store_true", help="train nothing")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave by the way out, rows written
    RECORDS.mkdir(exist_ok=True)
    controller = Controller.load(CONTROLLER)
    count = len(controller.scaler.names)
    known = {task.name: np.array(task.vector[:count]) for task in controller.tasks}
    asked = {
        one.task: controller.scaler.transform(one)[:count] for one in descriptors_in(DESCRIBED)
    }
    gains = training_gains(list(known))
    descriptors = np.stack(list(known.values()))
    long = learned(descriptors, gains["validation_auroc"].to_numpy())(
        np.stack(list(asked.values()))
    )
    chosen = dict(zip(asked, ("long" if one else "short" for one in long), strict=True))
    path = RECORDS / "choices.json"
    if not path.exists():
        write_json_atomic(path, chosen)
    if read_json(path, "file of choices") != chosen:
        raise SystemExit(f"{path}: the rule chooses otherwise now; these were made before training")
    held_out = held_out_gains(list(asked), train=not arguments.recorded)
    parts = {
        "training": left_out(descriptors, gains),
        "held_out": compared(
            held_out,
            long,
            [
                learned(dealt, gains["validation_auroc"].to_numpy())(np.stack(list(asked.values())))
                for dealt in deals(descriptors)
            ],
            deals(long),
            bool(gains["validation_auroc"].mean() > 0),
        ),
    }
    write_json_atomic(RECORDS / "results.json", parts)
    text = as_text(parts, {"training": len(known), "held_out": len(asked)}, chosen)
    write_atomic(RECORDS / "results.md", text)
    print(text)


def training_gains(names: Sequence[str]) -> pd.DataFrame:
    """Give what the long way gains over the short one on each training task; (tasks, metrics)."""
    rows = pd.DataFrame(read_json(THOROUGH / "results.json", "file of results"))
    found = {}
    for way, (number, fidelity) in WAYS.items():
        own = (rows["architecture"] == f"good {number}") & (rows["how"] == fidelity.name)
        found[way] = rows[own].set_index("task").loc[list(names), list(METRICS)]
    return found["long"] - found["short"]


def held_out_gains(names: Sequence[str], train: bool) -> pd.DataFrame:
    """Give the same for the held-out tasks; train what is not there."""
    good = good_architectures(SPACE)
    requests = {
        way: [Request(name, good[number], 0, fidelity) for name in names]
        for way, (number, fidelity) in WAYS.items()
    }
    everything = [one for some in requests.values() for one in some]
    with Store(CACHE / "lengths.sqlite") as store:
        for path in (DEPLOYED, ROWS):
            if path.exists():
                import_tsv(store, path)
        if train:
            train_all(store, everything)
        found = {
            (row.task, row.architecture.key, row.fidelity_hash): row
            for row in store.rows(list(names), SPACE.name, state="done")
        }
    keys = {
        way: [(one.task, one.architecture.key, one.fidelity.hash) for one in some]
        for way, some in requests.items()
    }
    missing = sum(key not in found for some in keys.values() for key in some)
    if missing:
        raise SystemExit(
            f"{missing} of {len(everything)} trainings are not there yet; call this again"
        )
    values = {
        way: pd.DataFrame([found[key].metrics for key in some], index=names)[list(METRICS)]
        for way, some in keys.items()
    }
    return values["long"] - values["short"]


def train_all(store: Store, requests: Sequence[Request]) -> None:
    """Train what is not there; write what these requests gave."""
    corpus = read_corpus(HERE / "corpus.yaml")
    names = sorted({one.task for one in requests})
    tasks = prepare_corpus(corpus, CACHE / "tasks", names)
    asked = {(one.task, one.architecture.key, one.fidelity.hash) for one in requests}
    try:
        with (
            progress("trainings", len(requests)) as advance,
            Remembering(PoolEngine(tasks), store) as engine,
        ):
            for done in engine.run(list(requests)):
                advance(done.task)
    finally:
        rows = [
            row
            for row in store.rows(names, SPACE.name)
            if (row.task, row.architecture.key, row.fidelity_hash) in asked
        ]
        own_path = Path(CACHE / "lengths-only.sqlite")
        with Store(own_path) as own:
            own.put(*rows)
            export_tsv(own, ROWS)


def learned(descriptors: np.ndarray, gains: np.ndarray) -> Rule:
    """Learn from descriptors, (tasks, D), and gains, (tasks,), where to train long."""
    ridge = RidgeCV(PENALTIES).fit(descriptors, gains)
    return lambda asked: ridge.predict(asked) > 0


def deals(values: np.ndarray) -> list[np.ndarray]:
    """Deal out the rows to other tasks, again and again."""
    rng = np.random.default_rng(0)
    return [rng.permutation(values) for _ in range(DEALS)]


def left_out(descriptors: np.ndarray, gains: pd.DataFrame) -> dict[str, Any]:
    """Choose for each training task from the others."""
    validation = gains["validation_auroc"].to_numpy()
    everyone = np.arange(len(gains))

    def rules(known: np.ndarray) -> list[Rule]:
        return [learned(known[everyone != one], validation[everyone != one]) for one in everyone]

    def choices(some: Sequence[Rule], asked: np.ndarray) -> np.ndarray:
        return np.array([rule(asked[[one]])[0] for one, rule in enumerate(some)])

    own = rules(descriptors)
    single = np.array([validation[everyone != one].mean() > 0 for one in everyone])
    return compared(
        gains,
        choices(own, descriptors),
        [choices(rules(dealt), dealt) for dealt in deals(descriptors)],
        [choices(own, dealt) for dealt in deals(descriptors)],
        single,
    )


def compared(
    gains: pd.DataFrame,
    long: np.ndarray,
    learned_otherwise: Sequence[np.ndarray],
    asked_otherwise: Sequence[np.ndarray],
    single: np.ndarray | bool,
) -> dict[str, Any]:
    """Give what the choice gains over each control, for each task, in both metrics."""
    found: dict[str, Any] = {"long": int(long.sum())}
    for metric in METRICS:
        of_long = gains[metric].to_numpy()
        reached = np.where(long, of_long, 0.0)  # over the short way
        controls = {
            "short for all": np.zeros(len(gains)),
            "long for all": of_long,
            "the better one for all, by the tasks that teach": np.where(single, of_long, 0.0),
            "learned from shuffled descriptors": of_long * np.mean(learned_otherwise, axis=0),
            "asked with another task's descriptors": of_long * np.mean(asked_otherwise, axis=0),
            "each task's own, by its validation": np.where(
                gains["validation_auroc"] > 0, of_long, 0.0
            ),
        }
        found[metric] = {name: (reached - of).tolist() for name, of in controls.items()}
    return found


def as_text(parts: Mapping[str, Any], counts: Mapping[str, int], chosen: Mapping[str, str]) -> str:
    """Write both parts."""
    titles = {
        "training": "training tasks, each chosen for by the other 35",
        "held_out": "held-out tasks, chosen for by all 36 training tasks",
    }
    lines = []
    for part, title in titles.items():
        of = parts[part]
        lines += [
            f"{counts[part]} {title}; {of['long']} are trained long.",
            "",
            "| the choice by descriptors, against | validation AUROC (95% interval over tasks) | test AUROC |",
            "|---|---|---|",
        ]
        for name in of["test_auroc"]:
            cells = [as_gain(np.array(of[metric][name])) for metric in METRICS]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append("")
    lines.append(
        "Trained long: " + ", ".join(name for name, way in chosen.items() if way == "long")
    )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
