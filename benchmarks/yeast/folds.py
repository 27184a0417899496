"""How should a controller learn from records? Decided on training tasks alone, in three folds of them.

    python benchmarks/yeast/folds.py

Two thirds of the 36 training tasks teach controllers, which propose for the others; what they propose is trained. So
each training task is once a data set that was never seen, and the 12 held-out tasks need not be looked at for this.
Controllers lie in cache/folds; proposals are written to folds/proposals.json before anything is trained on them,
evaluations to table.tsv.gz. What is there is not made again; `--recorded` only writes folds/results.json and .md anew.

Ways to choose for a task that was left out:

- **own records in**: the most probable architecture; a training task's reward was what the predictor expects, its own
  records included;
- **own records out**: the same, where a reward was only what the records of the other training tasks tell
  (`leave_own_out`);
- **reranked**: of the 64 most probable ones of the second the one of which the predictor expects most;
- **proven first**: the first proposal of the second, as `Controller.propose` gives it: what is proven on all training
  tasks, unless the most probable one promises clearly more; added when the others were known;
- **no descriptors**: the first controller, asked for a data set of which nothing is known;
- **best single**: of good.json the architecture with the best mean validation AUROC on the tasks that teach, and
  **best of the category**: on those of the same category, where there are any.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from analyse import GOOD, read_table, whole
from choose import SEED
from script import begin, tell
from table import CACHE, HERE, TABLE
from zero_shot import ASKING, CONFIG, STEPS, entry_of, most_probable

from ambient.child.fidelity import SEARCH
from ambient.cli.progress import progress
from ambient.controller.card import Controller
from ambient.controller.proposal import Proposal
from ambient.data.corpus import Corpus, read_corpus
from ambient.data.describe import describe_corpus
from ambient.data.prepare import prepare_corpus
from ambient.evaluate import PoolEngine, Remembering, Request, Store
from ambient.evaluate.choose import EngineChoice
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.files import read_json, write_json_atomic
from ambient.report.summary import mean_interval
from ambient.search.joint import JointConfig, train_jointly
from ambient.space import named_space
from descriptors import Descriptors

SPACE = named_space("ambient-plus")
FOLDS = 3
RECORDS = HERE / "folds"
LEARNING = {"own records in": ASKING, "own records out": CONFIG}
TRAINED = (*LEARNING, "reranked", "proven first", "no descriptors")
DEPTH = 64  # proposals that are ranked anew
FACTORS = (0.0, 0.25, 0.5, 1.0, 2.0)  # of a promise's deviation, which it must pass
METRICS = ("validation_auroc", "test_auroc")

Proposals = dict[str, dict[str, dict[str, Any]]]  # way -> task -> what was chosen


def main() -> None:
    """Learn, propose, train, measure."""
    arguments = begin(__doc__).parse_args()
    RECORDS.mkdir(exist_ok=True)
    corpus = read_corpus(HERE / "corpus.yaml")
    path = RECORDS / "proposals.json"
    if not arguments.recorded:
        if not path.exists():
            learn_all()
            write_json_atomic(path, propose(corpus))
        evaluate(corpus, read_json(path, "file of proposals"))
    result = measure(corpus, read_json(path, "file of proposals"))
    tell(RECORDS, result, as_text(result))


def folds(corpus: Corpus) -> list[list[str]]:
    """Deal the training tasks out, each category evenly."""
    rng = np.random.default_rng(SEED)
    specs = list(corpus.training_tasks)
    order = sorted(rng.permutation(len(specs)).tolist(), key=lambda i: specs[i].category)
    return [[specs[i].name for i in order[fold::FOLDS]] for fold in range(FOLDS)]


def run_of(way: str, fold: int) -> Path:
    """Name the folder of a training."""
    return CACHE / "folds" / f"{way.replace(' ', '-')}-{fold}"


def learn_all(ways: Collection[str] = LEARNING) -> None:
    """Learn the controllers that are not there, one on each core."""
    wanted = [(way, fold) for fold in range(FOLDS) for way in ways]
    missing = [one for one in wanted if not (run_of(*one) / "controller").exists()]
    with (
        progress("controllers", len(missing)) as advance,
        ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        running = {pool.submit(learn, *one): one for one in missing}
        for done in as_completed(running):
            done.result()
            advance("{} {}".format(*running[done]))


def learn(way: str, fold: int) -> None:
    """Learn a controller from the records of the tasks that are not in the fold."""
    whole_corpus = read_corpus(HERE / "corpus.yaml")
    tasks = prepare_corpus(whole_corpus, CACHE / "tasks")
    described = describe_corpus(whole_corpus, cache=CACHE / "descriptors")
    hidden = folds(whole_corpus)[fold]
    specs = tuple(
        replace(spec, held_out=spec.held_out or spec.name in hidden) for spec in whole_corpus.tasks
    )
    corpus = replace(whole_corpus, tasks=specs)
    joint = JointConfig(
        steps=STEPS, controller=LEARNING[way], engine=EngineChoice(f"predictor:{TABLE}")
    )
    run = run_of(way, fold)
    run.parent.mkdir(exist_ok=True)
    train_jointly(run, corpus, SPACE, tasks, described, joint, (run / "config.yaml").exists())


def propose(corpus: Corpus) -> Proposals:
    """Let each controller propose for the tasks that it never saw."""
    described = describe_corpus(corpus, cache=CACHE / "descriptors")
    found: Proposals = {way: {} for way in TRAINED}
    for fold, hidden in enumerate(folds(corpus)):
        controllers = {way: Controller.load(run_of(way, fold)) for way in LEARNING}
        blind = most_probable(controllers["own records in"], None)
        for name in hidden:
            for way, controller in controllers.items():
                probable = most_probable(controller, described[name])
                promised = promise(controller, described[name], probable)
                found[way][name] = {**entry(probable), "promised": promised}
            several = controllers["own records out"].propose(described[name], top=DEPTH + 1)
            found["proven first"][name] = entry(several[0])
            several.sort(key=lambda one: -one.probability)
            best = max(several[:DEPTH], key=lambda one: one.expected.mean if one.expected else 0.0)
            found["reranked"][name] = entry(best)
            found["no descriptors"][name] = entry(blind)
    return found


def promise(controller: Controller, of: Descriptors, proposal: Proposal) -> list[float]:
    """Give by how much a proposal is expected to be better than what is proven, and the deviation of that."""
    assert controller.predictor is not None
    proven = controller.worked(None)[0].architecture
    pair = [np.array([one.tokens]) for one in (proposal.architecture, proven)]
    found = controller.predictor.difference(controller.scaler.transform(of)[None], *pair)
    return [float(found.mean[0]), float(found.deviation[0])]


def entry(proposal: Any) -> dict[str, Any]:
    """Write a proposal."""
    return {**entry_of(proposal.architecture), "expected": proposal.expected.mean}


def evaluate(corpus: Corpus, proposals: Proposals) -> None:
    """Train what was proposed."""
    tasks = prepare_corpus(corpus, CACHE / "tasks")
    requests = [
        Request(name, SPACE.architecture(one["tokens"]), 0, SEARCH)
        for way in TRAINED
        for name, one in proposals[way].items()
    ]
    with Store(CACHE / "table.sqlite") as store:
        import_tsv(store, TABLE)
        try:
            with (
                progress("proposals", len(requests)) as advance,
                Remembering(PoolEngine(tasks), store) as engine,
            ):
                for done in engine.run(requests):
                    advance(done.task)
        finally:
            export_tsv(store, TABLE)


def measure(corpus: Corpus, proposals: Proposals) -> dict[str, Any]:
    """Look up what every choice reached."""
    rows = read_table(TABLE)
    good = rows[(rows["origin"] == GOOD) & (rows["seed"] == 0)]
    training = {spec.name: spec.category for spec in corpus.training_tasks}
    validation, test = (whole(good, value, list(training)) for value in ("validation", "test"))
    reached: dict[str, dict[str, dict[str, float]]] = {}
    with Store(CACHE / "table.sqlite") as store:
        import_tsv(store, TABLE)
        known = {
            (row.task, row.architecture.key): row.metrics
            for row in store.rows(list(training), SPACE.name, SEARCH.hash, "done")
            if row.seed == 0
        }
    for way in TRAINED:
        for name, one in proposals[way].items():
            metrics = known[name, SPACE.architecture(one["tokens"]).key]
            reached.setdefault(way, {})[name] = {
                "expected": one["expected"],
                **{key: metrics[key] for key in METRICS},
            }
    for hidden in folds(corpus):
        teach = [name for name in training if name not in hidden]
        for name in hidden:
            alike = [one for one in teach if training[one] == training[name]] or teach
            for way, of in (("best single", teach), ("best of the category", alike)):
                key = validation.loc[of].mean().idxmax()
                reached.setdefault(way, {})[name] = {
                    "validation_auroc": float(validation.loc[name, key]),
                    "test_auroc": float(test.loc[name, key]),
                }
    different = {
        way: len({tuple(one["tokens"]) for one in proposals[way].values()}) for way in TRAINED
    }
    return {
        "good": validation.shape[1],
        "different": different,
        "reached": reached,
        "promises": {way: promises(proposals[way], reached, way) for way in LEARNING},
    }


def promises(
    proposed: Mapping[str, Mapping[str, Any]],
    reached: Mapping[str, Mapping[str, Mapping[str, float]]],
    way: str,
) -> dict[str, Any]:
    """Say what promises were worth, and what is reached if they must pass so many of their own deviations."""
    names = list(proposed)
    mean, deviation = np.array([proposed[name]["promised"] for name in names]).T
    own, proven = (
        {key: np.array([reached[one][name][key] for name in names]) for key in METRICS}
        for one in (way, "best single")
    )
    kept = {
        factor: np.where(mean > factor * deviation, own["test_auroc"], proven["test_auroc"])
        for factor in FACTORS
    }
    gained = own["validation_auroc"] - proven["validation_auroc"]
    return {
        "correlation": float(np.corrcoef(mean, gained)[0, 1]),
        "test_auroc": {str(factor): float(of.mean()) for factor, of in kept.items()},
    }


def as_text(result: Mapping[str, Any]) -> str:
    """Write means over tasks, and how much better each way is than the choice without descriptors."""
    frame = {
        metric: pd.DataFrame(
            {
                way: {name: one.get(metric, np.nan) for name, one in of.items()}
                for way, of in result["reached"].items()
            }
        )
        for metric in ("expected", "validation_auroc", "test_auroc")
    }
    test = frame["test_auroc"]
    lines = [
        f"{len(test)} training tasks, each proposed for by controllers that never saw it; children from one seed.",
        "",
        "| choice | different architectures | expected | reached in validation | test AUROC "
        "| over no descriptors (95% interval over tasks) | better on |",
        "|---|---|---|---|---|---|---|",
    ]
    for way in test:
        gain = (test[way] - test["no descriptors"]).tolist()
        expected = frame["expected"][way].mean()
        lines.append(
            f"| {way} | {result['different'].get(way, '')} | {'' if np.isnan(expected) else f'{expected:.4f}'} | "
            f"{frame['validation_auroc'][way].mean():.4f} | {test[way].mean():.4f} | {told(way, gain)} |"
        )
    lines += [
        "",
        "| the most probable one, where it promises more than the proven one by so many deviations of that | "
        + " | ".join(map(str, FACTORS))
        + " | correlation of promised and reached |",
        "|---" * (len(FACTORS) + 2) + "|",
    ]
    for way, one in result["promises"].items():
        cells = " | ".join(f"{value:.4f}" for value in one["test_auroc"].values())
        lines.append(f"| {way} | {cells} | {one['correlation']:+.2f} |")
    return "\n".join(lines) + "\n"


def told(way: str, gain: Sequence[float]) -> str:
    """Give a difference with its interval, and on how many tasks it is above 0."""
    if way == "no descriptors":
        return " | "
    interval = mean_interval(gain)
    better = sum(value > 0 for value in gain)
    return f"{interval.mean:+.4f} ({interval.low:+.4f} to {interval.high:+.4f}) | {better}"


if __name__ == "__main__":
    main()
