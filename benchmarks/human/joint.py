"""Do descriptors matter where data sets differ in kind? Controllers that learn from yeast and human data together.

    python benchmarks/human/joint.py [--hours 2 | --recorded]

In each of four folds of the 13 human data sets, controllers learn from the 36 yeast training tasks and the human ones
that are not in the fold, by the recipe that the yeast benchmark settled on (zero_shot.CONFIG, nothing of it chosen
here), from the table of yeast and rows.tsv.gz: with their own descriptors, and with another task's. Then they propose
for those in the fold, of which they saw nothing. Then, since untried architectures are promised too much, the first
controller of each fold asks: what it finds most probable for each human data set that taught it is trained on all of
the same kind that taught it, and controllers learn again, with these results (of their own fold alone), and propose
again. What was proposed is written to joint/proposals.json before any of it is trained; each proposal is trained twice
at `search`. Trainings go into joint/rows.tsv.gz, tables into joint/results.md and results.json. Goes on where it
stopped; `--recorded` trains neither controllers nor children.

Ways to choose for a data set that was left out:

- **own descriptors** and **shuffled descriptors**: the first proposal of each controller, which may be what is proven
  on all that taught it; before and after asking;
- **most probable**: of the first kind of controller the most probable proposal;
- **proven on all**: of what all tasks that teach were trained with, the best by their mean validation AUROC;
- **best single**, **nearest task's best**, **best of its kind**: of the 40 recorded random architectures, by the
  validation AUROC on all tasks that teach, on the nearest of them (by descriptors), on those of the same kind (CLIP,
  ChIP-seq), which someone has to know; for CLIP, which is stranded, of those that tell the strands apart;
- **random**: their mean.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from data import CLIP, HERE, NAMES_OF_TASKS, read_task
from joint_text import AFTER, BEFORE, KINDS, OTHER, OWN, as_text
from run import CACHE, ROWS, described_once

sys.path.append(str(HERE.parent / "yeast"))
import table as yeast
from measure import random_architectures
from script import begin, tell
from zero_shot import CONFIG, SHUFFLED, STEPS, entry_of, most_probable

from ambient.child.fidelity import SEARCH
from ambient.cli.progress import progress
from ambient.controller.card import Controller
from ambient.controller.proposal import Proposal
from ambient.data.corpus import Corpus, TaskSpec, read_corpus
from ambient.data.describe import describe_corpus
from ambient.data.prepare import prepare_corpus
from ambient.data.task import TaskData
from ambient.evaluate import PoolEngine, Remembering, Request, Store
from ambient.evaluate.choose import EngineChoice
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.files import read_json, write_atomic
from ambient.search.joint import JointConfig, train_jointly
from ambient.space import named_space
from descriptors import Descriptors

SPACE = named_space("ambient-plus")
RECORDS = HERE / "joint"
PROPOSALS, TRAINED = RECORDS / "proposals.json", RECORDS / "rows.tsv.gz"
LEARNT = CACHE / "joint"
BOTH = CACHE / "joint-table.sqlite"  # the tables of yeast and of run.py
FOLDS, SEEDS = 4, 3
CHILD_SEEDS = (0, 1)
AT_ONCE = 20  # trainings between two looks at the clock
PROBABLE = "most probable"
ARMS = {OWN: CONFIG, OTHER: SHUFFLED}
PROVEN = "proven on all"
RANDOM = "random"
METRICS = ("validation_auroc", "test_auroc")

Choices = dict[str, dict[str, list[dict[str, Any]]]]  # way -> task -> repeats


def main() -> None:
    """Learn, propose, train, measure."""
    arguments = begin(__doc__, hours=2.0).parse_args()
    RECORDS.mkdir(exist_ok=True)
    CACHE.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    with Store(BOTH) as both:
        import_tsv(both, yeast.TABLE)
        import_tsv(both, ROWS)
    with Store(CACHE / "joint.sqlite") as store:
        for path in (ROWS, TRAINED):
            if path.exists():
                import_tsv(store, path)
        if not arguments.recorded:
            until = time.monotonic() + 3600 * arguments.hours
            for when in (BEFORE, AFTER):
                found = read_json(PROPOSALS, "file of proposals") if PROPOSALS.exists() else {}
                if OWN + when not in found:
                    if when == AFTER:
                        ask(store)
                    learn_all(when)
                    proposed = {**found, **propose(when)}
                    write_atomic(
                        PROPOSALS, json.dumps(proposed) + "\n"
                    )  # in one line: for programs
                train(store, until)
        found = {"ways": measured(store), **agreement()}
    tell(RECORDS, found, as_text(found))


def folds() -> list[list[str]]:
    """Deal the human data sets out, both kinds evenly."""
    rng = np.random.default_rng(0)
    order = [str(name) for kind in KINDS.values() for name in rng.permutation(kind)]
    return [order[fold::FOLDS] for fold in range(FOLDS)]


def corpus_of(fold: int) -> Corpus:
    """Give the training tasks of yeast and the human data sets, those of a fold held out."""
    known = read_corpus(yeast.HERE / "corpus.yaml")
    hidden = folds()[fold]
    human = [  # their windows come from data.py, not from peaks
        TaskSpec(name, None, "other" if name in CLIP else "tf", held_out=name in hidden)
        for name in NAMES_OF_TASKS
    ]
    return replace(known, tasks=(*known.training_tasks, *human))


def everything() -> tuple[dict[str, TaskData], dict[str, Descriptors]]:
    """Give all tasks, yeast's held-out ones excepted, and their descriptors."""
    known = read_corpus(yeast.HERE / "corpus.yaml")
    names = [spec.name for spec in known.training_tasks]
    tasks = dict(prepare_corpus(known, yeast.CACHE / "tasks", names))
    described = describe_corpus(known, known.training_tasks, yeast.CACHE / "descriptors")
    human = {name: read_task(name) for name in NAMES_OF_TASKS}
    of_human = {name: on_its_strands(described_once(name, one), one) for name, one in human.items()}
    return tasks | human, {name: described[name] for name in names} | of_human


def on_its_strands(of: Descriptors, task: TaskData) -> Descriptors:
    """Have descriptors say that a task is stranded, as those that `ambient describe` makes do."""
    return replace(of, sources={**of.sources, "peaks": {"stranded": True}}) if task.stranded else of


def run_of(arm: str, fold: int, seed: int, when: str) -> Path:
    """Name the folder of a training."""
    return LEARNT / f"{arm.split()[0]}-{fold}-{seed}{'-again' if when == AFTER else ''}"


def table_for(fold: int, when: str) -> Path:
    """Name the table that a fold's controllers learn from: those of yeast and run.py; and what was asked for."""
    return CACHE / ("joint.tsv.gz" if when == BEFORE else f"joint-{fold}.tsv.gz")


def ask(store: Store) -> None:
    """Train what the first controllers find most probable for human data sets that taught them; write their tables."""
    tasks, described = everything()
    human = {name: tasks[name] for name in NAMES_OF_TASKS}
    asked = {}
    for fold, hidden in enumerate(folds()):
        controller = Controller.load(run_of(OWN, fold, 0, BEFORE))
        for kind in KINDS.values():
            teach = [name for name in kind if name not in hidden]
            probable = [most_probable(controller, described[name]).architecture for name in teach]
            different = {one.key: one for one in probable}.values()
            asked[fold, kind] = [Request(n, a, 0, SEARCH) for a in different for n in teach]
    with Remembering(PoolEngine(human), store) as engine:
        train_rows(engine, [one for some in asked.values() for one in some])
    for fold in range(FOLDS):
        own = {
            (one.task, one.architecture.key)
            for (of, _), some in asked.items()
            if of == fold
            for one in some
        }
        with Store(CACHE / f"joint-{fold}.sqlite") as both:
            import_tsv(both, table_for(fold, BEFORE))
            for row in store.rows(list(NAMES_OF_TASKS), SPACE.name, SEARCH.hash, "done"):
                if row.seed == 0 and (row.task, row.architecture.key) in own:
                    both.put(row)
            export_tsv(both, table_for(fold, AFTER))


def learn_all(when: str) -> None:
    """Learn the controllers that are not there, one on each core."""
    table = table_for(0, BEFORE)
    if not table.exists():
        with Store(BOTH) as both:
            export_tsv(both, table)
    everything()  # once, before several processes ask for it
    wanted = [
        (arm, fold, seed, when) for seed in range(SEEDS) for fold in range(FOLDS) for arm in ARMS
    ]
    missing = [one for one in wanted if not (run_of(*one) / "controller").exists()]
    with (
        progress("controllers", len(missing)) as advance,
        ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        running = {pool.submit(learn, *one): one for one in missing}
        for done in as_completed(running):
            done.result()
            advance("{}, fold {}, seed {}".format(*running[done]))


def learn(arm: str, fold: int, seed: int, when: str) -> None:
    """Learn a controller from the records of all tasks that are not in the fold."""
    tasks, described = everything()
    engine = EngineChoice(f"predictor:{table_for(fold, when)}")
    joint = JointConfig(steps=STEPS, seed=seed, controller=ARMS[arm], engine=engine)
    run = run_of(arm, fold, seed, when)
    run.parent.mkdir(exist_ok=True)
    begun = (run / "config.yaml").exists()
    train_jointly(run, corpus_of(fold), SPACE, tasks, described, joint, begun)


def propose(when: str) -> Choices:
    """Let each controller propose for the data sets that it never saw; choose in the other ways."""
    _, described = everything()
    random = {one.key: one for one in random_architectures(SPACE)}
    reached = table_of(random)
    found: Choices = {}

    def note(way: str, name: str, entries: list[dict[str, Any]]) -> None:
        found.setdefault(way, {})[name] = entries

    for fold, hidden in enumerate(folds()):
        teach = [spec.name for spec in corpus_of(fold).training_tasks]
        controllers = {
            arm: [Controller.load(run_of(arm, fold, seed, when)) for seed in range(SEEDS)]
            for arm in ARMS
        }
        first = controllers[OWN][0]
        (proven,) = (one for one in first.worked(None) if len(one.tasks) == len(teach))
        for name in hidden:
            of = described[name]
            for arm, several in controllers.items():
                note(arm + when, name, [told(one.propose(of)[0]) for one in several])
            probable = [told(most_probable(one, of)) for one in controllers[OWN]]
            note(PROBABLE + when, name, probable)
            if when == AFTER:
                continue
            kind = next(kind for kind in KINDS.values() if name in kind)
            allowed = [
                k for k, one in random.items() if not (of.stranded and one.reads_both_strands)
            ]
            among = {
                "best single": teach,
                "nearest task's best": [first.nearest(of)[0][0]],
                "best of its kind": [one for one in kind if one not in hidden],
            }
            for way, names in among.items():
                best = reached.loc[allowed, names].mean(axis=1).idxmax()
                note(way, name, [entry_of(random[best])])
            note(PROVEN, name, [entry_of(proven.architecture)])
            note(RANDOM, name, [entry_of(random[key]) for key in allowed])
    return found


def told(proposal: Proposal) -> dict[str, Any]:
    """Write a proposal."""
    assert proposal.expected is not None
    return {
        **entry_of(proposal.architecture),
        "expected": asdict(proposal.expected),
        "proven": proposal.proven,
        "nearest": proposal.nearest[0][0],
    }


def table_of(random: Mapping[str, Any]) -> pd.DataFrame:
    """Give the validation AUROC of the random architectures (rows) on all tasks (columns), from seed 0."""
    with Store(BOTH) as both:
        rows = [*both.rows(None, SPACE.name, SEARCH.hash, "done")]
    values: dict[str, dict[str, float]] = {}
    for row in rows:
        if row.seed == 0 and row.architecture.key in random:
            value = float(row.metrics["validation_auroc"] or 0.0)
            values.setdefault(row.task, {})[row.architecture.key] = value
    return pd.DataFrame(values)


def train(store: Store, until: float) -> None:
    """Train what was proposed and is not recorded yet, seed after seed; write all that is known."""
    proposals = read_json(PROPOSALS, "file of proposals")
    tasks = {name: read_task(name) for name in NAMES_OF_TASKS}
    asked = {
        (name, tuple(entry["tokens"])): None
        for way, of in proposals.items()
        if way != RANDOM
        for name, entries in of.items()
        for entry in entries
    }
    try:
        with Remembering(PoolEngine(tasks), store) as engine:
            for seed in CHILD_SEEDS:
                requests = [Request(name, SPACE.architecture(t), seed, SEARCH) for name, t in asked]
                for at in range(0, len(requests), AT_ONCE):
                    if time.monotonic() > until:
                        return
                    train_rows(engine, requests[at : at + AT_ONCE])
    finally:
        export_tsv(store, TRAINED)


def train_rows(engine: Remembering, requests: Sequence[Request]) -> None:
    """Train what is not recorded yet."""
    with progress("trainings", len(requests)) as advance:
        for done in engine.run(requests):
            advance(done.task)


def measured(store: Store) -> dict[str, Any]:
    """Give what each way reached on each data set: means over controllers and over trainings."""
    proposals = read_json(PROPOSALS, "file of proposals")
    known: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in store.rows(list(NAMES_OF_TASKS), SPACE.name, SEARCH.hash, "done"):
        known.setdefault((row.task, row.architecture.key), []).append(row.metrics)

    def reached(name: str, entries: Sequence[Mapping[str, Any]], metric: str) -> float:
        keys = [SPACE.architecture(entry["tokens"]).key for entry in entries]
        if any((name, key) not in known for key in keys):
            raise SystemExit(f"{name}: not all of it is trained yet; call this without --recorded")
        return float(np.mean([np.mean([m[metric] for m in known[name, key]]) for key in keys]))

    found: dict[str, Any] = {}
    for way, of in proposals.items():
        for name in NAMES_OF_TASKS:
            entries = of[name]
            values = {metric: reached(name, entries, metric) for metric in METRICS}
            if "expected" in entries[0]:
                values["expected"] = float(np.mean([one["expected"]["mean"] for one in entries]))
                values["proven"] = float(np.mean([one["proven"] for one in entries]))
            found.setdefault(way, {})[name] = values
    return found


def agreement() -> dict[str, Any]:
    """Say how data sets of each kind rank the random architectures alike, and what reading both strands alike costs."""
    random = {one.key: one for one in random_architectures(SPACE)}
    corpus = read_corpus(yeast.HERE / "corpus.yaml")
    kinds = {**KINDS, "yeast": tuple(spec.name for spec in corpus.training_tasks)}
    reached = table_of(random)[[name for names in kinds.values() for name in names]]
    ranks = reached.corr(method="spearman")
    alike = ranks.where(~np.eye(len(ranks), dtype=bool))  # not of a data set with itself
    both = np.array([random[key].reads_both_strands for key in reached.index])
    return {
        "rank_correlation": {
            f"{one}, {other}": float(np.nanmean(alike.loc[list(of), list(with_those)]))
            for one, of in kinds.items()
            for other, with_those in kinds.items()
        },
        "both_strands": {
            kind: [float(reached.loc[which, list(of)].mean(axis=None)) for which in (both, ~both)]
            for kind, of in kinds.items()
        },
        "reading_both": int(both.sum()),
    }


if __name__ == "__main__":
    main()
