"""Train a controller on 36 yeast data sets, propose for 12 that it never saw, and measure the proposals.

    python benchmarks/yeast/run.py --hours 1

trains for an hour (going on from where it stopped before, since evaluations, steps and tasks are remembered under cache/),
then proposes, trains each proposal and ten random architectures alike, fits each proposal at `full`, and writes comparison.json,
results.md, evaluations.tsv.gz, proposals.json and controller/ beside this file. `--hours 0` only measures.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from ambient.child.fidelity import FULL, SEARCH
from ambient.cli.progress import progress
from ambient.controller.card import Controller
from ambient.data.corpus import Corpus, read_corpus
from ambient.data.describe import describe_corpus
from ambient.data.prepare import prepare_corpus
from ambient.errors import InputError
from ambient.evaluate import Remembering, Store
from ambient.evaluate.choose import open_engine
from ambient.files import write_atomic, write_json_atomic
from ambient.propose import propose_for_tasks
from ambient.search.ambient import AmbientConfig
from ambient.search.joint import JointConfig, train_jointly
from ambient.space import named_space
from ambient.zero_shot import compare, draw_random

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
            store.import_tsv(RECORDS)

    run = CACHE / f"run-{arguments.seed}"
    if arguments.hours > 0:
        train(corpus, tasks, described, run, store_path, arguments)
    controller = Controller.load(run if run.exists() else HERE / "controller")
    controller.save(HERE / "controller")

    held_out = {spec.name: tasks[spec.name] for spec in corpus.held_out_tasks}
    proposed = propose_for_tasks(
        controller, corpus.held_out_tasks, described, HERE / "proposals.json"
    )
    random = draw_random(controller.space, RANDOM, RANDOM_SEED)
    total = len(held_out) * (1 + RANDOM + (not arguments.no_full))
    with (
        Store(store_path) as store,
        progress("measuring", total) as advance,
        Remembering(
            open_engine("pool", held_out, arguments.workers), store, on_result=advance
        ) as engine,
    ):
        comparison = compare(
            held_out,
            proposed,
            random,
            engine,
            SEARCH,
            full=None if arguments.no_full else FULL,
            seed=arguments.seed,
        )
        store.export_tsv(RECORDS)
    comparison["training"] = controller.training
    write_json_atomic(HERE / "comparison.json", comparison)
    text = table(comparison, corpus)
    write_atomic(HERE / "results.md", text)
    print(text)


def train(corpus: Corpus, tasks, described, run: Path, store: Path, arguments) -> None:
    """Train the controller for some hours, going on from where it stopped."""
    config = JointConfig(
        steps=STEPS,
        hours=arguments.hours,
        seed=arguments.seed,
        fidelity=SEARCH,
        controller=AmbientConfig.from_dict(json.loads((HERE / "controller.json").read_text())),
        workers=arguments.workers,
        store=store,
    )
    train_jointly(
        run,
        corpus,
        named_space("ambient-10"),
        tasks,
        described,
        config,
        resume=run.exists(),
        on_step=lambda step: print(
            f"step {step.number}: reward {step.logs['reward']:.4f}, entropy {step.logs['entropy']:.2f}, "
            f"{step.wall_seconds:.0f} s",
            flush=True,
        ),
        say=print,
    )
