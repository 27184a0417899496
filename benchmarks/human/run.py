"""What is a controller worth that learned from yeast alone, on human data: CLIP, and ChIP-seq without a genome?

    python benchmarks/human/run.py [--recorded]

13 data sets (data.py), all at `search`: what `pretrained/yeast` proposes for each, without any training of the data
set; the 40 random architectures of the yeast table; and a search that begins from the proposal by the controller's
records (`ambient search --method predicted`), beside 5-mer logistic regression. CLIP is trained on its strand; the
proposals on both strands too, to see what that costs. What was proposed, before anything was trained, is in
proposals.json, every training in rows.tsv.gz, tables in results.md and results.json; goes on where it stopped.
`--recorded` trains nothing.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from data import CHIP, CLIP, HERE, NAMES_OF_TASKS, describe, read_task

sys.path.append(str(HERE.parent / "yeast"))
from measure import random_architectures, scores
from measured_text import as_gain
from script import begin, tell
from table import TABLE

from ambient.child.fidelity import SEARCH
from ambient.child.kmer import fit_kmer_baseline
from ambient.controller.card import Controller
from ambient.data.corpus import read_corpus
from ambient.data.task import TaskData
from ambient.evaluate import Evaluation, PoolEngine, Remembering, Request, Store
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.files import read_json, write_json_atomic
from ambient.search.methods import make_searcher
from ambient.search.start import Start
from ambient.space import Architecture, SearchSpace
from descriptors import Descriptors

CACHE = HERE / "cache"
ROWS, PROPOSALS = HERE / "rows.tsv.gz", HERE / "proposals.json"
BOTH = " on both strands"  # a CLIP task that is not stranded
EVALUATIONS, BATCH = 20, 5
RANDOM_OF = (10, 20, 40)
FIRST, SHORT = "proposed, proven in long trainings", "proposed, proven in short trainings"
FROM_IT, AFRESH = "search from it, {} trainings", "random search, {} trainings"
LAST = FROM_IT.format(EVALUATIONS)
KMER, BLIND = "5-mer regression", "5-mer regression on both strands"


def main() -> None:
    """Propose, train, search, write."""
    arguments = begin(__doc__).parse_args()
    CACHE.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    tasks = {name: read_task(name) for name in NAMES_OF_TASKS}
    tasks |= {n + BOTH: replace(tasks[n], name=n + BOTH, stranded=False) for n in CLIP}
    described = {name: described_once(name, tasks[name]) for name in NAMES_OF_TASKS}
    controller = Controller.load("yeast")
    proposals = proposals_of(controller, described)
    with Store(CACHE / "rows.sqlite") as store:
        if ROWS.exists():
            import_tsv(store, ROWS)
        if not arguments.recorded:
            with Remembering(PoolEngine(tasks), store) as engine:
                train(engine, proposed_requests(proposals, controller.space))
                search(engine, controller, described)
                train(
                    engine, [Request(n, a, 0, SEARCH) for a in drawn(controller) for n in described]
                )
            export_tsv(store, ROWS)
        found = measured(store, tasks, controller, described, proposals)
    tell(HERE, found, as_text(found))


def described_once(name: str, task: TaskData) -> Descriptors:
    """Describe a data set, or read what was described before from the same windows."""
    place = CACHE / f"{name}-{task.hash}.json"
    if not place.exists():
        describe(name, task).save(place)
    return Descriptors.load(place)


def drawn(controller: Controller) -> list[Architecture]:
    """Give the random architectures that all yeast tasks were trained with."""
    return random_architectures(controller.space)


def proposals_of(
    controller: Controller, described: Mapping[str, Descriptors]
) -> dict[str, dict[str, Any]]:
    """Give what was proposed, or propose; it is written down before anything is trained."""
    if PROPOSALS.exists():
        return dict(read_json(PROPOSALS, "file of proposals"))
    found: dict[str, dict[str, Any]] = {}
    for name, of in described.items():
        (short,) = start_of(controller, of).propose(1)
        (first,) = controller.propose(of, 1)
        found[name] = {
            "outside": bool(controller.is_outside(of)),
            "nearest": list(map(list, first.nearest)),
            "low": first.expected.low if first.expected else None,
            "high": first.expected.high if first.expected else None,
            FIRST: list(first.architecture.tokens),
            SHORT: list(short.tokens),
        }
    write_json_atomic(PROPOSALS, found)
    return found


def start_of(controller: Controller, described: Descriptors) -> Start:
    """Begin a search of a data set."""
    return Start(controller, described, "yeast")


def proposed_requests(
    proposals: Mapping[str, Mapping[str, Any]], space: SearchSpace
) -> Sequence[Request]:
    """Ask for the proposals; of CLIP on both strands too."""
    asked = []
    for name, of in proposals.items():
        for way in (FIRST, SHORT):
            architecture = space.architecture(of[way])
            asked.append(Request(name, architecture, 0, SEARCH))
            if name in CLIP:
                asked.append(Request(name + BOTH, architecture, 0, SEARCH))
    return asked


def train(engine: Remembering, requests: Sequence[Request]) -> None:
    """Train what is not recorded yet."""
    spent = 0.0
    for count, done in enumerate(engine.run(requests), 1):
        spent += done.cpu_seconds
        if done.state != "done":
            print(f"{done.task}: {done.reason}", flush=True)
        if count % 20 == 0:
            print(f"{count} of {len(requests)}, {spent / count:.1f} CPU s each", flush=True)


def search(
    engine: Remembering, controller: Controller, described: Mapping[str, Descriptors]
) -> None:
    """Search all data sets side by side."""
    searchers = {name: searcher_of(controller, name, of) for name, of in described.items()}
    for _ in range(EVALUATIONS // BATCH):
        asked = {name: searcher.ask(BATCH) for name, searcher in searchers.items()}
        done = {
            (one.task, one.architecture.key): one
            for one in engine.run([request for of in asked.values() for request in of])
        }
        for name, requests in asked.items():
            searchers[name].tell([done[name, one.architecture.key] for one in requests])
        print("a step of every search is done", flush=True)


def searcher_of(controller: Controller, name: str, described: Descriptors) -> Any:
    """Make what asks by the controller's records."""
    start = start_of(controller, described)
    return make_searcher("predicted", controller.space, name, SEARCH, batch=BATCH, start=start)


def measured(
    store: Store,
    tasks: Mapping[str, TaskData],
    controller: Controller,
    described: Mapping[str, Descriptors],
    proposals: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Give what every way reached, and how well yeast's ranking of the random architectures holds."""
    space = controller.space
    known = {
        (row.task, row.architecture.key): row
        for row in store.rows(list(tasks), space.name, SEARCH.hash, "done")
    }
    random = [one.key for one in drawn(controller)]
    yeast = read_corpus(HERE.parent / "yeast" / "corpus.yaml")
    with Store(CACHE / "yeast.sqlite") as recorded:
        import_tsv(recorded, TABLE)
        names = [spec.name for spec in yeast.training_tasks]
        of_yeast = scores(recorded, space, names)
    means = np.array([np.mean(list(of_yeast[key].values())) for key in random])
    best_single = random[int(means.argmax())]
    found: dict[str, Any] = {}
    for name, of in proposals.items():
        test = functools.partial(reached, known, name, "test_auroc")
        judged = np.array([reached(known, name, "validation_auroc", key) for key in random])
        tests = np.array([test(key) for key in random])
        first, short = (space.architecture(of[way]).key for way in (FIRST, SHORT))
        expected = reached(known, name, "validation_auroc", first)
        row = {
            FIRST: test(first),
            SHORT: test(short),
            "random": float(tests.mean()),
            "best of random on yeast": test(best_single),
            **{AFRESH.format(count): float(tests[judged[:count].argmax()]) for count in RANDOM_OF},
            **searched(controller, name, described[name], known),
            KMER: fit_kmer_baseline(tasks[name])["test_auroc"],
        }
        percentiles = {way: float(100 * (tests < row[way]).mean()) for way in (FIRST, SHORT)}
        found[name] = {
            "test_auroc": row,
            "percentile": percentiles,
            "rank_correlation_with_yeast": rank_correlation(means, judged),
            "is_in_interval": bool(of["low"] <= expected <= of["high"]),
            "is_outside": of["outside"],
        }
        if name in CLIP:
            row[BOTH.strip()] = reached(known, name + BOTH, "test_auroc", short)
            row[BLIND] = fit_kmer_baseline(tasks[name + BOTH])["test_auroc"]
    return found


def reached(known: Mapping[tuple[str, str], Evaluation], name: str, metric: str, key: str) -> float:
    """Give what an architecture reached on a data set."""
    if (name, key) not in known:
        raise SystemExit(f"{name}: not all of it is trained yet; call this without --recorded")
    return float(known[name, key].metrics[metric])


def searched(
    controller: Controller,
    name: str,
    described: Descriptors,
    known: Mapping[tuple[str, str], Evaluation],
) -> dict[str, float]:
    """Tell a searcher the recorded results again; give what its favourite reached after each step."""
    searcher = searcher_of(controller, name, described)
    found = {}
    for count in range(BATCH, EVALUATIONS + 1, BATCH):
        searcher.tell([known[name, one.architecture.key] for one in searcher.ask(BATCH)])
        key = searcher.favourite().key
        found[FROM_IT.format(count)] = reached(known, name, "test_auroc", key)
    return found


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Give Spearman's rho."""
    from scipy.stats import spearmanr

    return float(spearmanr(one, other).statistic)


def as_text(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the tables."""
    lines = ["Test AUROC at `search`, one training each.", ""]
    for title, names in (("CLIP", CLIP), ("ChIP-seq", CHIP), ("All", NAMES_OF_TASKS)):
        lines += [
            f"{title}, {len(names)} data sets:",
            "",
            *table_of([found[name] for name in names]),
        ]
    columns = list(found[NAMES_OF_TASKS[0]]["test_auroc"])
    lines += ["| data set | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name in NAMES_OF_TASKS:
        row = found[name]["test_auroc"]
        cells = [f"{row[key]:.3f}" if key in row else "" for key in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def table_of(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """Compare every way with the proposal and with the end of the search, over some data sets."""
    rows = [one["test_auroc"] for one in found]
    columns = [key for key in rows[0] if all(key in row for row in rows)]
    lines = ["| what | mean |", "|---|---|"]
    for of in (SHORT, LAST):
        lines[0] += f" {of}: better by (95% interval over data sets) | on |"
        lines[1] += "---|---|"
    for key in columns:
        cells = [key, f"{np.mean([row[key] for row in rows]):.4f}"]
        for of in (SHORT, LAST):
            gain = np.array([row[of] - row[key] for row in rows])
            cells += [] if key != of else ["", ""]
            cells += [] if key == of else [as_gain(gain), f"{(gain > 0).sum()}"]
        lines.append("| " + " | ".join(cells) + " |")
    means = {way: np.mean([one["percentile"][way] for one in found]) for way in (FIRST, SHORT)}
    agree = np.mean([one["rank_correlation_with_yeast"] for one in found])
    pairs = [
        (FROM_IT.format(count), AFRESH.format(count)) for count in RANDOM_OF if count <= EVALUATIONS
    ]
    if BLIND in columns:
        pairs += [(SHORT, BOTH.strip()), (KMER, BLIND)]
    gains = [(pair, np.array([row[pair[0]] - row[pair[1]] for row in rows])) for pair in pairs]
    return [
        *lines,
        "",
        *(
            f"- {one} over {other}: {as_gain(gain)}, on {(gain > 0).sum()}."
            for (one, other), gain in gains
        ),
        f"- Percentile among the 40 random architectures: {means[FIRST]:.0f} ({FIRST}), {means[SHORT]:.0f} ({SHORT}).",
        f"- Rank correlation of the 40, in validation AUROC, with their means over 36 yeast tasks: {agree:.2f}.",
        f"- 80% intervals hold {sum(one['is_in_interval'] for one in found)} of {len(found)} trainings of the first.",
        f"- Told that they lie outside of the corpus: {sum(one['is_outside'] for one in found)}.",
        "",
    ]


if __name__ == "__main__":
    main()
