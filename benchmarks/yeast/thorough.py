"""Does the architecture that wins in short trainings win in thorough ones, and what do these bring?

    python benchmarks/yeast/thorough.py [--hours 2 | --recorded]

On six training tasks (those of `table.CURVES`): the architectures of good.json that the table has for all training
tasks and the best of its random ones, trained at `full` with one member; and the best of good.json as `search` with
five members. Then, on the other training tasks in a drawn order until the time is up: at `full` with one member the two
that the six tasks speak for, and then the same five members. Goes on where it stopped. Evaluations go into
thorough/rows.tsv.gz, tables into thorough/results.md and results.json; `--recorded` trains nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from measure import good_architectures, random_architectures, scores
from measured_text import as_gain
from scipy.stats import spearmanr
from script import begin, tell
from table import CACHE, CURVES, HERE, TABLE

from ambient.child.fidelity import FULL, SEARCH
from ambient.cli.progress import progress
from ambient.controller.card import Controller
from ambient.data.corpus import Corpus, read_corpus
from ambient.data.prepare import prepare_corpus
from ambient.evaluate import PoolEngine, Remembering, Request, Store
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.search.from_records import proven_in
from ambient.space import Architecture, named_space

SPACE = named_space("ambient-plus")
RECORDS = HERE / "thorough"
ROWS = RECORDS / "rows.tsv.gz"
ONE = replace(FULL, name="full, one member", members=1)
FIVE = replace(SEARCH, name="search, five members", members=5)
METRICS = ("validation_auroc", "test_auroc")
RIVALS = (
    "good 0",
    "good 6",
)  # better than the best one at `full` on the six tasks: is it so on others?
MANY = 1000  # peaks
ORDER_SEED = 2028  # of the other training tasks


def main() -> None:
    """Train, tell."""
    arguments = begin(__doc__, hours=2.0).parse_args()
    RECORDS.mkdir(exist_ok=True)
    corpus = read_corpus(HERE / "corpus.yaml")
    with Store(CACHE / "thorough.sqlite") as store:
        for path in (TABLE, ROWS):
            if path.exists():
                import_tsv(store, path)
        training = [spec.name for spec in corpus.training_tasks]
        architectures = chosen(store, training)
        if not arguments.recorded:
            train(store, corpus, architectures, arguments.hours)
        found = frame(store, architectures, training)
    tell(RECORDS, found.to_dict("records"), as_text(found, next(iter(architectures))))


def chosen(store: Store, training: list[str]) -> dict[str, Architecture]:
    """Give the architectures, the best one at `search` first: by mean validation AUROC over all training tasks."""
    good, random = good_architectures(SPACE), random_architectures(SPACE)
    known = {
        key: float(np.mean(list(of.values())))
        for some in (good, None)
        for key, of in scores(store, SPACE, training, of=some).items()
    }
    best = max((one.key for one in random if one.key in known), key=lambda key: known[key])
    named = {f"good {number}": one for number, one in enumerate(good) if one.key in known}
    named["best random"] = next(one for one in random if one.key == best)
    return dict(sorted(named.items(), key=lambda pair: -known[pair[1].key]))


def train(
    store: Store, corpus: Corpus, architectures: Mapping[str, Architecture], hours: float
) -> None:
    """Train what is not there; the best one first, in every way."""
    until = time.monotonic() + 3600 * hours
    training = [spec.name for spec in corpus.training_tasks]
    tasks = prepare_corpus(corpus, CACHE / "tasks", training)
    best, *others = architectures.values()
    others_of_six = [(one, 0, ONE) for one in others]
    short = (best, 0, FIVE)
    rivals = [(architectures[name], 0, ONE) for name in RIVALS]
    drawn = drawn_tasks()
    stages = [
        *(
            [Request(task, *way) for task in CURVES]
            for way in (short, (best, 0, ONE), *others_of_six)
        ),
        *([Request(task, *way) for way in rivals] for task in drawn),
        *([Request(task, *short) for task in drawn[at : at + 2]] for at in range(0, len(drawn), 2)),
    ]
    try:
        with (
            progress("trainings", sum(map(len, stages))) as advance,
            Remembering(PoolEngine(tasks), store) as engine,
        ):
            for stage in stages:
                if time.monotonic() > until:
                    break
                for done in engine.run(stage):
                    advance(done.task)
    finally:
        thorough = {how.hash for how in (ONE, FIVE)}
        rows = [row for row in store.rows(training) if row.fidelity_hash in thorough]
        with Store(CACHE / "thorough-only.sqlite") as own:
            own.put(*rows)
            export_tsv(own, ROWS)


def drawn_tasks() -> list[str]:
    """Give the other training tasks, in a drawn order."""
    training = [spec.name for spec in read_corpus(HERE / "corpus.yaml").training_tasks]
    rest = sorted(set(training) - set(CURVES))
    return np.random.default_rng(ORDER_SEED).permutation(rest).tolist()


def proven_at_full(controller: Controller) -> Controller:
    """Tell a controller which architecture is best on all training tasks at `full`."""
    corpus = read_corpus(HERE / "corpus.yaml")
    tasks = prepare_corpus(corpus, CACHE / "tasks", [spec.name for spec in corpus.training_tasks])
    with Store(CACHE / "thorough.sqlite") as store:
        import_tsv(store, ROWS)
        proven = proven_in(store.rows(list(tasks)), SPACE, tasks)
    if proven is None:
        raise SystemExit(
            f"{ROWS}: no architecture was trained on all {len(tasks)} training tasks; go on"
        )
    return replace(controller, proven=proven)


def frame(
    store: Store, architectures: Mapping[str, Architecture], training: Sequence[str]
) -> pd.DataFrame:
    """Give a row for each training of seed 0."""
    names = {one.key: name for name, one in architectures.items()}
    ways = {how.hash: how.name for how in (SEARCH, ONE, FIVE)}
    return pd.DataFrame(
        {
            "architecture": names[row.architecture.key],
            "task": row.task,
            "how": ways[row.fidelity_hash],
            "cpu_seconds": row.cpu_seconds,
            **{metric: row.metrics[metric] for metric in METRICS},
        }
        for row in store.rows(training, SPACE.name, state="done")
        if row.seed == 0 and row.architecture.key in names and row.fidelity_hash in ways
    )


def as_text(found: pd.DataFrame, best: str) -> str:
    """Write both tables; the best one at `search` beside the others."""
    whole = found.pivot_table(index="task", columns=["architecture", "how"], values=list(METRICS))
    table = whole.loc[list(CURVES)].dropna(axis=1)
    seconds = found.groupby(["architecture", "how"])["cpu_seconds"].mean()
    lines = [
        f"Six training tasks; {best} is the best of those that were trained on all 36 at `search`.",
        "",
        "| architecture | validation AUROC, search | full, one member | test AUROC, search | full, one member "
        "| the best one is better at full, in test AUROC, by (95% interval over tasks) | on tasks |",
        "|---" * 7 + "|",
    ]
    short, long = SEARCH.name, ONE.name
    both = [
        name
        for name in table.columns.get_level_values(1).unique()
        if all((METRICS[0], name, how) in table for how in (short, long))
    ]
    both.sort(key=lambda name: -table[METRICS[0], name, short].mean())
    for name in both:
        cells = [
            f"{table[metric, name, how].mean():.4f}" for metric in METRICS for how in (short, long)
        ]
        gain = (table["test_auroc", best, long] - table["test_auroc", name, long]).to_numpy()
        told = f"{as_gain(gain)} | {(gain > 0).sum()}" if name != best else " | "
        lines.append(f"| {name} | {' | '.join(cells)} | {told} |")
    means = table[METRICS[0]].mean()
    agreement = spearmanr(*([means[name, how] for name in both] for how in (short, long))).statistic
    lines += [
        "",
        f"Rank correlation over these {len(both)} of the mean validation AUROC at `search` and at `full` with one "
        f"member: {agreement:.2f}.",
    ]
    return "\n".join([*lines, *by_number_of_peaks(whole, seconds, best)]) + "\n"


def by_number_of_peaks(whole: pd.DataFrame, seconds: pd.Series, best: str) -> list[str]:
    """Say what other ways to train gain over the best one at `search`, with few peaks and with many."""
    peaks = pd.read_csv(HERE / "descriptors.tsv", sep="\t").set_index("task")["n_peaks"]
    ways = [
        (best, FIVE.name),
        *((name, how.name) for name in RIVALS for how in (SEARCH, ONE)),
    ]
    first = whole[[(metric, best, SEARCH.name) for metric in METRICS]]
    lines = [
        "",
        f"Over {best} once at `search`, on these six training tasks and others, drawn (means with 95% intervals over "
        "tasks):",
        "",
        "| architecture | trained as | tasks | validation AUROC | test AUROC | better on "
        f"| fewer than {MANY:,} peaks | more | rank correlation with the peaks | CPU s |",
        "|---" * 10 + "|",
    ]
    for name, how in ways:
        gains = whole[[(metric, name, how) for metric in METRICS]] - first.to_numpy()
        gains = gains.set_axis(METRICS, axis=1).dropna()
        test, validation = gains["test_auroc"], gains["validation_auroc"]
        count = peaks.reindex(gains.index)
        cells = [
            f"{name} | {how} | {len(gains)} | {as_gain(validation.to_numpy())}",
            f"{as_gain(test.to_numpy())} | {(test > 0).sum()}",
            *(f"{as_gain(test[few].to_numpy())}" for few in (count < MANY, count >= MANY)),
            f"{spearmanr(count, test).statistic:+.2f} | {seconds[name, how]:.0f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


if __name__ == "__main__":
    main()
