"""How long should a network train on how many windows?

    python benchmarks/yeast/longer.py [--hours 2 | --recorded]

What is proven at `full` (good 6 of good.json), one member. First on training tasks, with other numbers of epochs than
the 24 of `full`: 48 and 96 on the twelve that have most training windows, 12 on all. From these a rule was made
(`full_for`: 15 passes over the training windows at least). Then, once, on data sets that are no part of the
benchmark's corpus (large.yaml): `full` beside what the rule says. At last, to see how far it goes, twice as many
passes on the three training tasks with most windows. Goes on where it stopped. Evaluations go into
longer/rows.tsv.gz, tables into longer/results.md and results.json; `--recorded` trains nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from measure import good_architectures
from measured_text import as_gain
from script import begin, tell
from table import CACHE, HERE
from thorough import METRICS, ONE, SPACE
from thorough import ROWS as THOROUGH

from ambient.child.fidelity import PASSES, Fidelity, full_for
from ambient.cli.progress import progress
from ambient.data.corpus import read_corpus
from ambient.data.prepare import prepare_corpus
from ambient.data.task import TaskData
from ambient.evaluate import PoolEngine, Remembering, Request, Store
from ambient.evaluate.exchange import export_tsv, import_tsv

RECORDS = HERE / "longer"
ROWS = RECORDS / "rows.tsv.gz"
PROVEN = 6  # of good.json
LARGEST = 12
EPOCHS = (12, 24, 48, 96)
MOST = 3  # training tasks with most windows, on which twice the passes are tried
AT_ONCE = 2  # trainings between two looks at the clock

Tasks = Mapping[str, TaskData]


def main() -> None:
    """Train, tell."""
    arguments = begin(__doc__, hours=2.0).parse_args()
    RECORDS.mkdir(exist_ok=True)
    training, large = tasks_of("corpus.yaml"), tasks_of("large.yaml")
    with Store(CACHE / "longer.sqlite") as store:
        if ROWS.exists():
            import_tsv(store, ROWS)
        if not arguments.recorded:
            asked = [
                *on_training_tasks(training),
                *on_large_ones(large),
                *on_the_largest(training),
            ]
            train(store, {**training, **large}, asked, arguments.hours)
        import_tsv(store, THOROUGH)
        found = {"training": frame(store, training), "large": frame(store, large)}
    text = training_as_text(found["training"]) + large_as_text(found["large"])
    tell(RECORDS, {name: rows.to_dict("records") for name, rows in found.items()}, text)


def tasks_of(corpus: str) -> Tasks:
    """Prepare the training tasks of a corpus."""
    read = read_corpus(HERE / corpus)
    return prepare_corpus(read, CACHE / "tasks", [spec.name for spec in read.training_tasks])


def windows_of(task: TaskData) -> int:
    """Count the training windows."""
    return len(task.subset("train"))


def epochs_of(number: int) -> Fidelity:
    """Give `full` with one member and so many epochs."""
    if number == ONE.epochs:
        return ONE
    return replace(ONE, name=f"one member, {number} epochs", epochs=number)


def by_rule(task: TaskData, times: int = 1) -> Fidelity:
    """Give what the rule says, with one member; or so many times the passes."""
    fidelity = full_for(times * windows_of(task))
    return replace(fidelity, name=f"{fidelity.name}, one member", members=1)


def ways_of(task: TaskData) -> dict[str, Fidelity]:
    """Give the ways to train that are compared on a training task."""
    ways = {
        f"{2 * PASSES} passes": by_rule(task, 2)
    }  # on a small task `full` itself, and called so
    return {**ways, **{f"{number} epochs": epochs_of(number) for number in EPOCHS}}


def on_training_tasks(tasks: Tasks) -> list[Request]:
    """Give the trainings that the rule was made from."""
    by_size = sorted(tasks, key=lambda name: -windows_of(tasks[name]))
    largest, others = by_size[:LARGEST], by_size[LARGEST:]
    proven = good_architectures(SPACE)[PROVEN]
    stages = ((96, largest), (48, largest), (12, others), (12, largest))
    return [Request(task, proven, 0, epochs_of(number)) for number, some in stages for task in some]


def on_the_largest(tasks: Tasks) -> list[Request]:
    """Give the trainings with twice the passes that the rule makes."""
    by_size = sorted(tasks, key=lambda name: -windows_of(tasks[name]))
    proven = good_architectures(SPACE)[PROVEN]
    return [Request(name, proven, 0, by_rule(tasks[name], 2)) for name in by_size[:MOST]]


def on_large_ones(tasks: Tasks) -> list[Request]:
    """Give the trainings that try it."""
    proven = good_architectures(SPACE)[PROVEN]
    return [
        Request(name, proven, 0, fidelity)
        for name, task in tasks.items()
        for fidelity in (by_rule(task), ONE)
    ]


def train(store: Store, tasks: Tasks, requests: Sequence[Request], hours: float) -> None:
    """Train what is not there."""
    until = time.monotonic() + 3600 * hours
    try:
        with (
            progress("trainings", len(requests)) as advance,
            Remembering(PoolEngine(tasks), store) as engine,
        ):
            for at in range(0, len(requests), AT_ONCE):
                if time.monotonic() > until:
                    break
                for done in engine.run(requests[at : at + AT_ONCE]):
                    advance(done.task)
    finally:
        export_tsv(store, ROWS)


def frame(store: Store, tasks: Tasks) -> pd.DataFrame:
    """Give a row for each training."""
    proven = good_architectures(SPACE)[PROVEN].key
    names = {
        (name, fidelity.hash): way
        for name, task in tasks.items()
        for way, fidelity in {"by rule": by_rule(task), **ways_of(task)}.items()
    }
    return pd.DataFrame(
        {
            "task": row.task,
            "windows": windows_of(tasks[row.task]),
            "seed": row.seed,
            "way": names[row.task, row.fidelity_hash],
            "cpu_seconds": row.cpu_seconds,
            **{metric: row.metrics[metric] for metric in METRICS},
        }
        for row in store.rows(list(tasks), SPACE.name, state="done")
        if row.architecture.key == proven and (row.task, row.fidelity_hash) in names
    )


def training_as_text(found: pd.DataFrame) -> str:
    """Write the gains over `full`, by size, and each task."""
    full = f"{ONE.epochs} epochs"
    table = found.pivot_table(index="task", columns="way", values=list(METRICS))
    ways = [*(f"{number} epochs" for number in EPOCHS), f"{2 * PASSES} passes"]
    ways = [way for way in ways if (METRICS[0], way) in table]
    windows = found.groupby("task")["windows"].first().sort_values(ascending=False)
    table = table.loc[windows.index]
    passes = ONE.epochs * ONE.windows_per_epoch / windows
    groups = {
        "passed over fewer than 10 times by `full`": passes < 10,
        "10 to 15 times": (passes >= 10) & (passes < 15),
        "more often": passes >= 15,
    }
    lines = [
        f"36 training tasks, good 6, one member. Over `full` ({full} of {ONE.windows_per_epoch:,} windows), means with "
        "95% intervals over tasks:",
        "",
        "| trained for | training windows | tasks | validation AUROC | test AUROC | better on |",
        "|---" * 6 + "|",
    ]
    for way in (way for way in ways if way != full):
        for group, is_in in groups.items():
            gains = {
                metric: (table[metric, way] - table[metric, full])[is_in].dropna().to_numpy()
                for metric in METRICS
            }
            test = gains["test_auroc"]
            if len(test) > 2:
                told = " | ".join(map(as_gain, gains.values()))
                lines.append(f"| {way} | {group} | {len(test)} | {told} | {(test > 0).sum()} |")
    heads = [f"{metric.split('_')[0]}, {way}" for metric in METRICS for way in ways]
    lines += [
        "",
        f"| task | training windows | passes of `full` | {' | '.join(heads)} |",
        "|---" * (3 + len(heads)) + "|",
    ]
    for name, row in table[[(metric, way) for metric in METRICS for way in ways]].iterrows():
        cells = ["" if np.isnan(value) else f"{value:.4f}" for value in row]
        lines.append(f"| {name} | {windows[name]:,} | {passes[name]:.1f} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def large_as_text(found: pd.DataFrame) -> str:
    """Write what the rule gains on data sets that it was not made from."""
    if found.empty:
        return ""
    full = f"{ONE.epochs} epochs"
    values = [*METRICS, "cpu_seconds"]
    table = found.pivot_table(index=["task", "windows"], columns="way", values=values).dropna()
    gains = {metric: table[metric, "by rule"] - table[metric, full] for metric in METRICS}
    test = gains["test_auroc"].to_numpy()
    lines = [
        "",
        f"{len(table)} data sets that are no part of the corpus, one seed. {PASSES} passes over `full`: validation "
        f"AUROC {as_gain(gains['validation_auroc'].to_numpy())}, test AUROC {as_gain(test)}, better on "
        f"{(test > 0).sum()}.",
        "",
        "| data set | training windows | test AUROC, `full` | by rule | CPU s, `full` | by rule |",
        "|---" * 6 + "|",
    ]
    for (name, windows), row in table.iterrows():
        scores = " | ".join(f"{row['test_auroc', way]:.4f}" for way in (full, "by rule"))
        seconds = " | ".join(f"{row['cpu_seconds', way]:.0f}" for way in (full, "by rule"))
        lines.append(f"| {name} | {windows:,} | {scores} | {seconds} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
