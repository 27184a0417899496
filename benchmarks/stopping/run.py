"""What giving hopeless children up saves, and what it does to the ranking: replayed over recorded learning curves.

    python benchmarks/stopping/run.py

takes from benchmarks/yeast/table.tsv.gz the architectures of `ambient-plus` whose validation AUROC was judged after
every epoch on six tasks, draws orders in which a search may have met them, and applies each rule to each order: the
very code that a search uses (`ambient.search.stopping`), or halving of batches. Nothing is trained. Writes
results.json and results.md beside this file.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from ambient.child import SEARCH
from ambient.child.stopping import Rung
from ambient.data.corpus import read_corpus
from ambient.data.prepare import prepare_corpus
from ambient.data.task import TaskData
from ambient.evaluate import Evaluation, Store
from ambient.evaluate.exchange import import_tsv
from ambient.files import write_atomic, write_json_atomic
from ambient.report.summary import mean_interval
from ambient.search.stopping import EarlyStopping, StoppingConfig

HERE = Path(__file__).resolve().parent
YEAST = HERE.parent / "yeast"
TASKS = ("Sko1", "Reb1", "Bdf1", "Nrd1", "H3", "Rpb7")
SPACE = "ambient-plus"
ORDERS = 50  # in which the architectures come
BATCH = 16  # of successive halving, and of what a search asks at once
SEED = 3


@dataclass(frozen=True)
class Rule:
    """A way to give children up."""

    name: str
    epochs: tuple[int, ...]
    share: float
    halving: bool = False  # within a batch; otherwise against all earlier children


RULES = (
    *(Rule(f"median after epoch {epoch}", (epoch,), 0.5) for epoch in (2, 3, 4, 5)),
    *(Rule(f"lower quarter after epoch {epoch}", (epoch,), 0.25) for epoch in (2, 3, 4, 5)),
    Rule("median after epochs 3 and 5", (3, 5), 0.5),
    Rule("lower quarter after epochs 2 and 4", (2, 4), 0.25),
    Rule("half of each batch after epochs 2 and 5", (2, 5), 0.5, halving=True),
)


def main() -> None:
    """Replay all rules on all tasks; write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--orders", type=int, default=ORDERS)
    arguments = parser.parse_args()
    children, again = read_children()
    tasks = prepare_corpus(read_corpus(YEAST / "corpus.yaml"), YEAST / "cache" / "tasks", TASKS)
    rows = []
    for rule in RULES:
        found = {
            task: replayed(rule, children[task], tasks[task], arguments.orders) for task in TASKS
        }
        keys = next(iter(found.values()))
        means = {key: float(np.mean([one[key] for one in found.values()])) for key in keys}
        interval = mean_interval([one["spearman"] for one in found.values()])
        rows.append(
            {
                "rule": rule.name,
                **means,
                "spearman_interval": [interval.low, interval.high],
                "tasks": found,
            }
        )
    summary = {
        "space": SPACE,
        "architectures": {task: len(children[task]) for task in TASKS},
        "orders": arguments.orders,
        "another_seed": {
            task: agreement_of_seeds(children[task], again[task]) for task in TASKS if again[task]
        },
        "rules": rows,
    }
    write_json_atomic(HERE / "results.json", summary)
    text = as_table(summary)
    write_atomic(HERE / "results.md", text)
    print(text)


def read_children() -> tuple[dict[str, list[Evaluation]], dict[str, list[Evaluation]]]:
    """Read the whole trainings with their curves, for each task: of seed 0, and of seed 1."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Store(Path(folder) / "store.sqlite") as store,
    ):
        import_tsv(store, YEAST / "table.tsv.gz")
        rows = list(store.rows(TASKS, SPACE, SEARCH.hash, "done"))
    children: dict[str, list[Evaluation]] = {task: [] for task in TASKS}
    again: dict[str, list[Evaluation]] = {task: [] for task in TASKS}
    for row in rows:
        if row.seed == 1:
            again[row.task].append(row)
        elif None not in row.details["curves"][0]:
            children[row.task].append(row)
    return children, again


def replayed(
    rule: Rule, children: Sequence[Evaluation], task: TaskData, orders: int
) -> dict[str, float]:
    """Apply a rule to children in several orders, and average what comes out."""
    rng = np.random.default_rng(SEED)
    full = np.array([one.metrics["validation_auroc"] for one in children])
    test = np.array([one.metrics["test_auroc"] for one in children])
    costs = Costs(task)
    found = []
    for _ in range(orders):
        order = rng.permutation(len(children))
        reward = np.empty(len(children))
        cost = np.empty(len(children))
        for index, value, epochs, rungs in apply(rule, [children[i] for i in order]):
            reward[order[index]] = value
            cost[order[index]] = costs.of(children[order[index]], epochs, rungs)
        whole = sum(costs.of(one, SEARCH.epochs, 0) for one in children)
        best = int(np.argmax(reward))
        found.append(
            {
                "saved": 1 - cost.sum() / whole,
                "stopped": float(np.mean(reward != full)),
                "spearman": float(spearmanr(reward, full).statistic),
                "spearman_test": float(spearmanr(reward, test).statistic),
                "spearman_test_whole": float(spearmanr(full, test).statistic),
                "regret": float(full.max() - full[best]),
                "best_stopped": float(reward[int(np.argmax(full))] != full.max()),
            }
        )
    return {key: float(np.mean([one[key] for one in found])) for key in found[0]}


def apply(rule: Rule, children: Sequence[Evaluation]) -> Iterator[tuple[int, float, int, int]]:
    """Give for each child its index, its reward, the epochs that it was trained for, the rungs that it met."""
    memory = EarlyStopping(StoppingConfig(rule.epochs, rule.share))
    for start in range(0, len(children), BATCH):
        batch = children[start : start + BATCH]
        if rule.halving:
            ends = halved(rule, batch)
        else:
            rungs = memory.rungs(batch[0].task)
            ends = [ended(one, rungs) for one in batch]
        memory.observe(ends)
        for number, one in enumerate(ends):
            (curve,) = one.details["curves"]
            met = sum(epoch <= len(curve) for epoch in rule.epochs)
            value = one.metrics["validation_auroc"] if one.is_done else memory.guess(one)
            yield start + number, float(value or 0.0), len(curve), met


def ended(child: Evaluation, rungs: Sequence[Rung]) -> Evaluation:
    """Give what a recorded child would have come to, had it been asked for with rungs."""
    return child.answering(replace(child.request, rungs=tuple(rungs)))


def halved(rule: Rule, batch: Sequence[Evaluation]) -> list[Evaluation]:
    """Keep the better half of a batch at each rung (successive halving, Jamieson and Talwalkar 2016)."""
    left = list(batch)
    ends: dict[str, Evaluation] = {one.architecture.key: one for one in batch}
    for epoch in rule.epochs:
        least = float(np.median([one.details["curves"][0][epoch - 1] for one in left]))
        for one in left:
            ends[one.architecture.key] = ended(one, [Rung(epoch, least)])
        left = [one for one in left if ends[one.architecture.key].is_done]
    return [ends[one.architecture.key] for one in batch]


class Costs:
    """The cost of a training, in seconds of its record, shared out over the windows that pass the network.

    A training window counts three times (forward, and backward twice as much), a judged one twice (both strands).
    """

    def __init__(self, task: TaskData) -> None:
        validation, test = (int((np.asarray(task.split) == split).sum()) for split in (1, 2))
        self._epoch = 3 * SEARCH.windows_per_epoch
        self._judged, self._test = 2 * validation, 2 * test
        self._first_kept = int(SEARCH.keep_from * SEARCH.epochs) + 1

    def of(self, child: Evaluation, epochs: int, rungs: int) -> float:
        """Give the seconds of a training that ended after some epochs and was judged at some rungs more."""
        is_whole = epochs == SEARCH.epochs
        kept = max(0, epochs - self._first_kept + 1)
        passed = epochs * self._epoch + (rungs + kept) * self._judged
        passed += (self._judged + self._test) * is_whole
        recorded = SEARCH.epochs * (self._epoch + self._judged) + self._judged + self._test
        return child.cpu_seconds * passed / recorded


def agreement_of_seeds(children: list[Evaluation], again: list[Evaluation]) -> dict[str, float]:
    """Rank correlation of the same architectures trained from two seeds: what noise leaves."""
    first = {one.architecture.key: one.metrics["validation_auroc"] for one in children}
    pairs = [
        (first[one.architecture.key], one.metrics["validation_auroc"])
        for one in again
        if one.architecture.key in first
    ]
    one, other = zip(*pairs, strict=True)
    return {"architectures": len(pairs), "spearman": float(spearmanr(one, other).statistic)}


def as_table(summary: dict[str, Any]) -> str:
    """Write the summary as a table in Markdown."""
    lines = [
        "| rule | stopped | cost saved | Spearman with whole training (95% interval over tasks) | "
        "with its test AUROC | regret | best one stopped |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in summary["rules"]:
        low, high = row["spearman_interval"]
        lines.append(
            f"| {row['rule']} | {row['stopped']:.0%} | {row['saved']:.0%} | {row['spearman']:.2f} "
            f"({low:.2f} to {high:.2f}) | {row['spearman_test']:.2f} | {row['regret']:.4f} | "
            f"{row['best_stopped']:.0%} |"
        )
    whole = summary["rules"][0]["spearman_test_whole"]
    lines.append(f"\nWhole trainings correlate with their own test AUROC by {whole:.2f}.")
    seeds = summary["another_seed"]
    if seeds:
        mean = np.mean([one["spearman"] for one in seeds.values()])
        lines[-1] += f" Two seeds of the same architectures correlate by {mean:.2f}."
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
