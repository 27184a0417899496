"""Does a long training pay on human data too, and how long need it be?

    python benchmarks/human/longer.py [--recorded]

What `pretrained/yeast` puts first for each of the 13 data sets (proposals.json), one network: trained at `full`, which
passes over these training windows about seven times, and as `ambient propose --fit` trains each of its five
(`full_for`: 15 passes at least), a rule that was made on yeast. Beside it what is proven in short trainings, at `full`,
and what run.py measured at `search`. Goes on where it stopped. Trainings go into longer.tsv.gz, tables into longer.md
and longer.json; `--recorded` trains nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from data import CHIP, CLIP, HERE, NAMES_OF_TASKS, read_task
from run import CACHE, FIRST, PROPOSALS, SHORT, train

sys.path.append(str(HERE.parent / "yeast"))
from measured_text import as_gain
from script import begin, tell

from ambient.child.fidelity import FULL, PASSES, Fidelity, full_for
from ambient.controller.card import Controller
from ambient.data.task import TaskData
from ambient.evaluate import PoolEngine, Remembering, Request, Store
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.files import read_json
from ambient.space import SearchSpace

ROWS = HERE / "longer.tsv.gz"
RULE = f"proven in long trainings, {PASSES} passes"
PLAIN = "proven in long trainings, `full`"
OTHER = "proven in short trainings, `full`"
BEFORE = {
    "proven in long trainings, `search`": FIRST,
    "proven in short trainings, `search`": SHORT,
    "5-mer regression": "5-mer regression",
}
METRICS = ("validation_auroc", "test_auroc")


def main() -> None:
    """Train, tell."""
    arguments = begin(__doc__).parse_args()
    CACHE.mkdir(exist_ok=True)
    tasks = {name: read_task(name) for name in NAMES_OF_TASKS}
    space = Controller.load("yeast").space
    asked = requests(tasks, space)
    with Store(CACHE / "longer.sqlite") as store:
        if ROWS.exists():
            import_tsv(store, ROWS)
        if not arguments.recorded:
            try:
                with Remembering(PoolEngine(tasks), store) as engine:
                    for some in asked.values():
                        train(engine, some)
            finally:
                export_tsv(store, ROWS)
        known = {
            (row.task, row.architecture.key, row.fidelity_hash): row
            for row in store.rows(list(tasks), space.name, state="done")
        }
    found = {}
    for way, some in asked.items():
        rows = [known.get((one.task, one.architecture.key, one.fidelity.hash)) for one in some]
        if None in rows:
            raise SystemExit(f"{way}: not all of it is trained yet; call this without --recorded")
        found[way] = {
            row.task: {
                **{metric: row.metrics[metric] for metric in METRICS},
                "cpu_seconds": row.cpu_seconds,
            }
            for row in rows
            if row is not None
        }
    before = read_json(HERE / "results.json", "file of results")
    for way, name in BEFORE.items():
        found[way] = {task: {"test_auroc": of["test_auroc"][name]} for task, of in before.items()}
    tell(HERE, found, as_text(found, tasks), "longer")


def requests(tasks: Mapping[str, TaskData], space: SearchSpace) -> dict[str, list[Request]]:
    """Give the trainings of each way, in the order in which they are done."""
    proposals = read_json(PROPOSALS, "file of proposals")

    def asked(which: str, fidelities: Mapping[str, Fidelity]) -> list[Request]:
        return [
            Request(name, space.architecture(proposals[name][which]), 0, fidelities[name])
            for name in tasks
        ]

    def one(fidelity: Fidelity) -> Fidelity:
        return replace(fidelity, name=f"{fidelity.name}, one member", members=1)

    by_rule = {name: one(full_for(len(task.subset("train")))) for name, task in tasks.items()}
    plain = dict.fromkeys(tasks, one(FULL))
    return {RULE: asked(FIRST, by_rule), PLAIN: asked(FIRST, plain), OTHER: asked(SHORT, plain)}


def as_text(
    found: Mapping[str, Mapping[str, Mapping[str, float]]], tasks: Mapping[str, TaskData]
) -> str:
    """Write the means and each data set as Markdown."""
    lines = []
    for title, names in (("CLIP", CLIP), ("ChIP-seq", CHIP), ("All", NAMES_OF_TASKS)):
        lines += [f"{title}, {len(names)} data sets:", "", *table_of(found, names), ""]
    passes = [
        FULL.epochs * FULL.windows_per_epoch / len(task.subset("train")) for task in tasks.values()
    ]
    own, full = (
        {m: np.array([found[way][n][m] for n in tasks]) for m in METRICS} for way in (RULE, PLAIN)
    )
    gains = {metric: own[metric] - full[metric] for metric in METRICS}
    lines += [
        f"{PASSES} passes over `full` ({min(passes):.1f} to {max(passes):.1f} passes): validation AUROC "
        f"{as_gain(gains['validation_auroc'])}, test AUROC {as_gain(gains['test_auroc'])}, better on "
        f"{(gains['test_auroc'] > 0).sum()} of {len(tasks)}.",
        "",
        "| data set | " + " | ".join(found) + " |",
        "|---" * (1 + len(found)) + "|",
    ]
    for name in tasks:
        cells = [f"{of[name]['test_auroc']:.3f}" for of in found.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def table_of(
    found: Mapping[str, Mapping[str, Mapping[str, float]]], names: Sequence[str]
) -> list[str]:
    """Compare the training by the rule with everything else, over some data sets."""
    lines = [
        f"| what | test AUROC | {PASSES} passes are better by (95% interval over data sets) | on | CPU s |",
        "|---" * 5 + "|",
    ]
    own = np.array([found[RULE][name]["test_auroc"] for name in names])
    for way, of in found.items():
        reached = np.array([of[name]["test_auroc"] for name in names])
        gain = own - reached
        told = " | " if way == RULE else f"{as_gain(gain)} | {(gain > 0).sum()}"
        seconds = [of[name]["cpu_seconds"] for name in names if "cpu_seconds" in of[name]]
        cost = f"{np.mean(seconds):.0f}" if seconds else ""
        lines.append(f"| {way} | {reached.mean():.4f} | {told} | {cost} |")
    return lines


if __name__ == "__main__":
    main()
