"""Does what the 12 held-out tasks say hold on 66 further data sets, and what do descriptors tell of these?

    python benchmarks/yeast/wider.py [--hours 2 | --recorded]

The recommended data sets of yeast that are no part of the benchmark (wider.yaml), looked at once, when everything else
was settled. The first controller of zero_shot.py proposes; so do controllers that learned from shuffled descriptors;
beside them stand the choices among the 40 recorded random architectures that zero_shot.py makes, and 5-mer regression.
Each is trained once at `search`; ways are trained one after the other, and told of as far as all data sets have them.
What was proposed, and what was expected of it, is in wider/proposals.json, written before anything was trained; every
training in rows.tsv.gz, tables in results.md and results.json. Goes on where it stopped; `--recorded` trains nothing.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from measure import Proposals, random_architectures, scores
from measured_text import as_gain
from script import begin, tell
from table import CACHE, HERE, TABLE
from thorough import SPACE
from zero_shot import choose_recorded, entry_of, learn, run_of

from ambient.child.fidelity import SEARCH
from ambient.child.kmer import fit_kmer_baseline
from ambient.cli.progress import progress
from ambient.controller.card import Controller
from ambient.controller.proposal import Expected
from ambient.data.corpus import Corpus, read_corpus
from ambient.data.describe import describe_corpus
from ambient.data.prepare import prepare_corpus
from ambient.data.task import TaskData
from ambient.evaluate import PoolEngine, Remembering, Request, Store
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.files import read_json, write_atomic
from descriptors import Descriptors

RECORDS = HERE / "wider"
ROWS, PROPOSALS = RECORDS / "rows.tsv.gz", RECORDS / "proposals.json"
SHUFFLED_SEEDS = 3
OWN, OTHER, KMER = "controller", "shuffled descriptors", "5-mer logistic regression"
RANDOM, DRAWN = "random", 2  # of the 40 architectures; the row is their mean
WAYS = (OWN, "best single", OTHER, "nearest task's best", "best of the category", RANDOM)
AT_ONCE = 22  # trainings between two looks at the clock
SIZES = (150, 200, 250, 600, 10_000)  # positives


def main() -> None:
    """Propose, train, tell."""
    arguments = begin(__doc__, hours=2.0).parse_args()
    RECORDS.mkdir(exist_ok=True)
    corpus = with_new_ones_held_out()
    tasks = prepare_corpus(corpus, CACHE / "tasks", [spec.name for spec in corpus.held_out_tasks])
    with Store(CACHE / "wider.sqlite") as store:
        if ROWS.exists():
            import_tsv(store, ROWS)
        if not arguments.recorded:
            if not PROPOSALS.exists():
                write_atomic(PROPOSALS, json.dumps(propose(corpus)) + "\n")
            train(store, tasks, time.monotonic() + 3600 * arguments.hours)
        result = measured(store, tasks)
    tell(RECORDS, result, as_text(result))


def with_new_ones_held_out() -> Corpus:
    """Give the 36 training tasks of the benchmark, and the data sets that are no part of it, held out."""
    known = read_corpus(HERE / "corpus.yaml")
    names = {spec.name for spec in known.tasks}
    wide = read_corpus(HERE / "wider.yaml")
    new = [replace(spec, held_out=True) for spec in wide.tasks if spec.name not in names]
    return replace(wide, tasks=(*known.training_tasks, *new))


def propose(corpus: Corpus) -> Proposals:
    """Propose in all ways for all held-out tasks; say what is expected of the first controller's proposals."""
    described = describe_corpus(corpus, corpus.held_out_tasks, CACHE / "descriptors")
    controller = Controller.load(HERE / "zero-shot" / SPACE.name / "controller")
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        seeds = [n for n in range(SHUFFLED_SEEDS) if not (learnt(n) / "controller").exists()]
        list(pool.map(learn, [SPACE] * len(seeds), ["shuffled"] * len(seeds), seeds))
    others = [Controller.load(learnt(seed)) for seed in range(SHUFFLED_SEEDS)]
    found: Proposals = {way: {} for way in (OWN, OTHER, RANDOM)}
    drawn = [entry_of(one) for one in random_architectures(SPACE)[:DRAWN]]
    for name, of in described.items():
        first = controller.propose(of)[0]
        tokens = first.architecture.tokens
        found[OWN][name] = [
            {
                **entry_of(first.architecture),
                "expected": expected(controller, of, tokens),
                "by_others": [expected(one, of, tokens) for one in others],
                "outside": bool(controller.is_outside(of)),
            }
        ]
        found[OTHER][name] = [entry_of(one.propose(of)[0].architecture) for one in others]
        found[RANDOM][name] = drawn
    with Store(CACHE / "wider-table.sqlite") as store:
        import_tsv(store, TABLE)
        recorded = scores(store, SPACE, [spec.name for spec in corpus.training_tasks])
    nearest = {name: controller.nearest(of)[0][0] for name, of in described.items()}
    return {**found, **choose_recorded(corpus, SPACE, recorded, nearest)}


def learnt(seed: int) -> Any:
    """Name the folder of a controller that learns from shuffled descriptors."""
    return run_of(SPACE, "shuffled", seed)


def expected(controller: Controller, of: Descriptors, tokens: tuple[int, ...]) -> dict[str, float]:
    """Say what a controller's records make expect of an architecture, in validation AUROC."""
    assert controller.predictor is not None
    vector = controller.scaler.transform(of)[None]
    (found,) = Expected.each(controller.predictor.predict(vector, np.array([tokens])))
    return asdict(found)


def requests_of(way: str) -> list[Request]:
    """Give the trainings of a way, each once."""
    proposals = read_json(PROPOSALS, "file of proposals")[way]
    asked = {
        (name, tuple(entry["tokens"])): None
        for name, entries in proposals.items()
        for entry in entries
    }
    return [Request(name, SPACE.architecture(tokens), 0, SEARCH) for name, tokens in asked]


def train(store: Store, tasks: Mapping[str, TaskData], until: float) -> None:
    """Train what is not there; write all that is known."""
    try:
        with Remembering(PoolEngine(tasks), store) as engine:
            for way in WAYS:
                requests = requests_of(way)
                with progress(way, len(requests)) as advance:
                    for at in range(0, len(requests), AT_ONCE):
                        if time.monotonic() > until:
                            return
                        for done in engine.run(requests[at : at + AT_ONCE]):
                            advance(done.task)
    finally:
        export_tsv(store, ROWS)


def measured(store: Store, tasks: Mapping[str, TaskData]) -> dict[str, Any]:
    """Give what each way reached in test AUROC, and how well it was foretold."""
    proposals = read_json(PROPOSALS, "file of proposals")
    rows = {
        (row.task, row.architecture.tokens): row.metrics
        for row in store.rows(list(tasks), SPACE.name, SEARCH.hash, "done")
    }
    ways = {}
    for way in WAYS:
        reached = {
            name: [rows.get((name, tuple(entry["tokens"]))) for entry in entries]
            for name, entries in proposals[way].items()
        }
        if all(None not in of for of in reached.values()):
            ways[way] = {
                name: float(np.mean([one["test_auroc"] for one in of if one]))
                for name, of in reached.items()
            }
    if OWN not in ways:
        raise SystemExit("not all proposals are trained yet; call this without --recorded")
    ways[KMER] = {name: fit_kmer_baseline(task)["test_auroc"] for name, task in tasks.items()}
    own = {name: entries[0] for name, entries in proposals[OWN].items()}
    validation = {
        name: rows[name, tuple(entry["tokens"])]["validation_auroc"] for name, entry in own.items()
    }
    return {
        "ways": ways,
        "peaks": {name: int((task.labels > 0.5).sum()) for name, task in tasks.items()},
        "validation": validation,
        "proposals": own,
        "shuffled_propose_the_same": [
            entry["tokens"] == own[name]["tokens"]
            for name, entries in proposals[OTHER].items()
            for entry in entries
        ],
    }


def as_text(result: Mapping[str, Any]) -> str:
    """Write the means, and how well what was reached was foretold."""
    ways, names = result["ways"], list(result["validation"])
    own = np.array([ways[OWN][name] for name in names])
    different = {tuple(result["proposals"][name]["tokens"]) for name in names}
    same, positives = result["shuffled_propose_the_same"], list(result["peaks"].values())
    lines = [
        f"{len(names)} data sets that are no part of the benchmark, once each at `search`, with {min(positives):,} to "
        f"{max(positives):,} positives (median {np.median(positives):,.0f}). Different architectures that are proposed "
        f"for them: {len(different)}; controllers with shuffled descriptors propose the same in {sum(same)} of "
        f"{len(same)} cases.",
        "",
        "| choice | test AUROC | the controller is better by (95% interval over data sets) | on |",
        "|---" * 4 + "|",
    ]
    for way, of in ways.items():
        reached = np.array([of[name] for name in names])
        gain = own - reached
        told = " | " if way == OWN else f"{as_gain(gain)} | {(gain > 0).sum()}"
        lines.append(f"| {way} | {reached.mean():.4f} | {told} |")
    proposals = [result["proposals"][name] for name in names]
    truth = np.array([result["validation"][name] for name in names])
    foretold = np.array([one["expected"]["mean"] for one in proposals])
    by_others = np.array([[of["mean"] for of in one["by_others"]] for one in proposals])
    inside = [
        one["expected"]["low"] <= value <= one["expected"]["high"]
        for one, value in zip(proposals, truth, strict=True)
    ]
    errors = {
        "its own descriptors": np.abs(foretold - truth),
        OTHER: np.abs(by_others - truth[:, None]).mean(axis=1),
        "the mean of these data sets": np.abs(truth.mean() - truth),
    }
    first = errors["its own descriptors"]
    lines += [
        "",
        "What the proposals were expected to reach in validation AUROC, against what they reached:",
        "",
        "| by | mean absolute error | own descriptors are better by (95% interval over data sets) | correlation |",
        "|---" * 4 + "|",
    ]
    told_by = {"its own descriptors": foretold, OTHER: by_others}
    for by, error in errors.items():
        gain = "" if by == "its own descriptors" else as_gain(error - first)
        several = np.atleast_2d(told_by[by].T) if by in told_by else []
        related = [np.corrcoef(one, truth)[0, 1] for one in several]
        related_told = f"{np.mean(related):.2f}" if related else ""
        lines.append(f"| {by} | {error.mean():.4f} | {gain} | {related_told} |")
    lines += [
        "",
        f"80% intervals hold {sum(inside)} of {len(names)}; on average {np.mean(foretold - truth):+.4f} too much was "
        f"expected, {np.mean(foretold - own):+.4f} against test AUROC. Told that they lie outside of the "
        f"corpus: {sum(one['outside'] for one in proposals)}. By size:",
        "",
        *by_size(
            [result["peaks"][name] for name in names], foretold - truth, foretold - own, inside
        ),
        "",
        "| data set | positives | " + " | ".join(ways) + " |",
        "|---" * (2 + len(ways)) + "|",
    ]
    for name in names:
        cells = " | ".join(f"{of[name]:.3f}" for of in ways.values())
        lines.append(f"| {name} | {result['peaks'][name]:,} | {cells} |")
    return "\n".join(lines) + "\n"


def by_size(
    positives: Sequence[int], too_much: np.ndarray, over_test: np.ndarray, inside: Sequence[bool]
) -> list[str]:
    """Tell how well it was foretold what small and larger data sets reach."""
    lines = [
        "| positives | data sets | expected too much, against validation AUROC | against test AUROC | intervals hold |",
        "|---" * 5 + "|",
    ]
    sizes = np.array(positives)
    for least, most in itertools.pairwise(SIZES):
        of = (sizes >= least) & (sizes < most)
        label = f"{least:,} or more" if most == SIZES[-1] else f"{least:,} to {most - 1:,}"
        lines.append(
            f"| {label} | {of.sum()} | {too_much[of].mean():+.4f} | {over_test[of].mean():+.4f} | "
            f"{np.array(inside)[of].sum()} |"
        )
    return lines


if __name__ == "__main__":
    main()
