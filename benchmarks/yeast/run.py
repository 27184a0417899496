"""Train a controller on 36 yeast data sets, propose for 12 that it never saw, and measure the proposals.

    python benchmarks/yeast/run.py --hours 1

trains for an hour (going on from where it stopped before, since evaluations, steps and tasks are remembered under
cache/), then proposes, trains each proposal and ten random architectures alike, fits each proposal at `full`, and
writes comparison.json, results.md, evaluations.tsv.gz, proposals.json and controller/ beside this file.
`--hours 0` only measures.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ambient.child.fidelity import FULL, SEARCH
from ambient.cli.progress import progress
from ambient.controller.card import Controller
from ambient.data.corpus import Corpus, read_corpus
from ambient.data.describe import describe_corpus
from ambient.data.prepare import prepare_corpus
from ambient.data.task import TaskData
from ambient.errors import InputError
from ambient.evaluate import Remembering, Store
from ambient.evaluate.choose import open_engine
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.files import write_atomic, write_json_atomic
from ambient.propose import propose_for_tasks
from ambient.report.summary import mean_interval
from ambient.search.config import AmbientConfig
from ambient.search.joint import JointConfig, train_jointly
from ambient.search.loop import Step
from ambient.space import named_space
from ambient.zero_shot import compare, draw_random
from descriptors import Descriptors

HERE = Path(__file__).resolve().parent
CACHE = HERE / "cache"
RECORDS = HERE / "evaluations.tsv.gz"
STEPS = 10_000  # the hours end the training, not the steps
RANDOM = 10  # architectures that each proposal is compared with
RANDOM_SEED = 2026  # of which ones; the controller's own seed is another


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=1.0, help="of training, 0 for none")
    parser.add_argument("--workers", type=int, help="processes; one for each core if not given")
    parser.add_argument("--seed", type=int, default=0, help="of the controller and the children")
    parser.add_argument("--train-only", action="store_true", help="measure nothing yet")
    parser.add_argument(
        "--no-full", action="store_true", help="leave the fits at full fidelity out"
    )
    arguments = parser.parse_args()
    try:
        corpus = read_corpus(HERE / "corpus.yaml")
    except InputError as error:
        sys.exit(f"the yeast benchmark needs the real data beside the checkout: {error}")
    CACHE.mkdir(exist_ok=True)
    tasks = prepare_corpus(corpus, CACHE / "tasks")
    with progress("describing", len(corpus.tasks)) as advance:
        described = describe_corpus(corpus, cache=CACHE / "descriptors", on_done=advance)
    store_path = CACHE / "store.sqlite"
    if RECORDS.exists():
        with Store(store_path) as store:
            import_tsv(store, RECORDS)

    run = CACHE / f"run-{arguments.seed}"
    if arguments.hours > 0:
        train(corpus, tasks, described, run, store_path, arguments)
    if arguments.train_only:
        return
    controller = Controller.load(run if run.exists() else HERE / "controller")
    controller.save(HERE / "controller")

    held_out = {spec.name: tasks[spec.name] for spec in corpus.held_out_tasks}
    proposed = propose_for_tasks(
        controller, corpus.held_out_tasks, described, HERE / "proposals.json"
    )
    random = draw_random(controller.space, RANDOM, RANDOM_SEED)
    single = controller.propose(None)[0].architecture
    total = len(held_out) * (2 + RANDOM + (not arguments.no_full))
    with (
        Store(store_path) as store,
        progress("measuring", total) as advance,
        Remembering(open_engine("pool", held_out, arguments.workers), store) as engine,
    ):
        comparison = compare(
            held_out,
            proposed,
            random,
            engine,
            SEARCH,
            full=None if arguments.no_full else FULL,
            single=single,
            seed=arguments.seed,
            on_evaluation=lambda evaluation: advance(evaluation.task),
        )
        export_tsv(store, RECORDS)
    comparison["training"] = dict(controller.training)
    write_json_atomic(HERE / "comparison.json", comparison)
    text = "\n\n".join(table(comparison, metric) for metric in ("test_auroc", "test_aupr")) + "\n"
    write_atomic(HERE / "results.md", text)
    print(text)


def train(
    corpus: Corpus,
    tasks: dict[str, TaskData],
    described: dict[str, Descriptors],
    run: Path,
    store: Path,
    arguments: argparse.Namespace,
) -> None:
    """Train the controller for some hours, going on from where it stopped."""
    config = JointConfig(
        steps=STEPS,
        hours=arguments.hours,
        seed=arguments.seed,
        fidelity=SEARCH,
        controller=AmbientConfig(),
        workers=arguments.workers,
        store=store,
    )

    def tell(step: Step) -> None:
        logs = step.logs
        print(
            f"step {step.number}: reward {logs['reward']:.4f}, entropy {logs['entropy']:.2f}, "
            f"{len(step.evaluations)} evaluations in {step.wall_seconds:.0f} s",
            flush=True,
        )

    space = named_space("ambient-10")
    train_jointly(
        run, corpus, space, tasks, described, config, run.exists(), on_step=tell, say=print
    )


def table(comparison: dict[str, Any], metric: str) -> str:
    """Set the comparison in one metric as Markdown."""
    name = {"test_auroc": "AUROC", "test_aupr": "AUPR"}[metric]
    lines = [
        f"**Test {name}**",
        "",
        "| task (training positives) | proposal | one for all | random: mean, best of 10 | random beaten "
        "| 5-mers | proposal at `full` |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in comparison["rows"]:
        random = [one[metric] for one in row["random"] if one[metric] is not None]
        own = row["proposal"][metric]
        beaten = sum(own > score for score in random)
        lines.append(
            f"| {row['task']} ({row['train_positives']:,}) | {own:.3f} | {row['single'][metric]:.3f} "
            f"| {np.mean(random):.3f}, {max(random):.3f} | {beaten} of {len(random)} "
            f"| {row['kmer'][metric]:.3f} | {_or_dash(row.get('full', {}).get(metric))} |"
        )
    rows = comparison["rows"]
    means = [[one[metric] for one in row["random"] if one[metric] is not None] for row in rows]
    gains = {
        "the mean random architecture": [
            row["proposal"][metric] - np.mean(random)
            for row, random in zip(rows, means, strict=True)
        ],
        "the one architecture for all": [
            row["proposal"][metric] - row["single"][metric] for row in rows
        ],
    }
    if all("full" in row for row in rows):
        gains["5-mers, at `full`,"] = [row["full"][metric] - row["kmer"][metric] for row in rows]
    lines.append("")
    for what, values in gains.items():
        interval = mean_interval([float(value) for value in values])
        wins = sum(value > 0 for value in values)
        lines.append(
            f"- Over {what} the proposal gains {interval.mean:+.4f} (95% interval {interval.low:+.4f} to "
            f"{interval.high:+.4f} over tasks), and is above it on {wins} of {len(values)}."
        )
    return "\n".join(lines)


def _or_dash(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    main()
