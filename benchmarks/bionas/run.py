"""Which method finds a good architecture soonest, on BioNAS's recorded table?

Run:  python benchmarks/bionas/run.py [--repeats 100] [--workers 2] [--table PATH]

Every architecture of the space bionas-4 was trained 20 times by BioNAS's authors. Each method searches the table
100 times, through the loop, the engine and the searchers that `ambient search` uses. Written beside this file:
rows.tsv.gz (every evaluation of every search), results.json, results.md, regret.svg. `--draw` makes the last three
from the first.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import itertools
import json
import multiprocessing
import platform
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from ambient.child.fidelity import SEARCH
from ambient.child.threads import one_thread
from ambient.evaluate import Evaluation, Request, TableEngine
from ambient.search.loop import Searcher, run_search
from ambient.search.methods import BATCH, make_searcher
from ambient.space import named_space

HERE = Path(__file__).parent
TABLE = HERE.parents[2] / "shared" / "data" / "bionas" / "mock_black_box.tsv.gz"
SPACE = named_space("bionas-4")
FIDELITY = replace(SEARCH, name="bionas")  # a name for what BioNAS did; no child is trained here
TASK, METRIC = "MYC_known1", "validation_reward"
BUDGETS = (25, 50, 100, 200)
FIRST_SEED = 1000  # above the 20 recorded ones: each architecture gets a repeat of its own
TITLES = {
    "random": "random",
    "evolution": "evolution",
    "tpe": "TPE",
    "amber-reinforce": "AMBER, REINFORCE",
    "amber": "AMBER, PPO",
}

SEARCHED = tuple(TITLES)  # ENAS trains a network of its own and cannot replay a table

# The table's words for the choices, in the order of the space's.
WORDS = (
    (
        *("conv1d_f3_k8", "conv1d_f3_k14", "conv1d_f3_k20"),
        *("regconv2d_f3_k8", "regconv2d_f3_k14", "regconv2d_f3_k20"),
    ),
    ("identity", "maxpool1d", "avgpool1d"),
    ("flatten", "globalmaxpool1d", "globalavgpool1d", "sfc"),
    ("dense_u3", "dense_u10", "identity"),
)
COLUMNS = ("conv", "feature_pool", "channel_pool", "dense")
NUMBERS = {
    tokens: number
    for number, tokens in enumerate(itertools.product(*(range(len(words)) for words in WORDS)))
}

# How often a search pays for an architecture that it asks for again.
PROTOCOLS = {
    "anew": 200,  # each time: another training, as BioNAS's authors replayed their table
    "once": 100,  # never: it is remembered, as `ambient search` does; near 216 nothing is left to search
}

Row = tuple[str, str, int, int, int, float]
ROW = ("protocol", "method", "repeat", "evaluation", "architecture", "reward")


def read_table(path: Path) -> list[Evaluation]:
    """Read the 4,320 trainings; the reward is minus the validation loss, the seed the number of the repeat."""
    with gzip.open(path, "rt", newline="") as stream:
        lines = list(csv.DictReader(stream, delimiter="\t"))
    rows = []
    for line in lines:
        tokens = [words.index(line[column]) for words, column in zip(WORDS, COLUMNS, strict=True)]
        request = Request(TASK, SPACE.architecture(tokens), int(line["repeat"]), FIDELITY)
        rows.append(Evaluation.of(request, TASK, metrics={METRIC: -float(line["loss"])}))
    return rows


def median_losses(rows: list[Evaluation]) -> np.ndarray:
    """Give the median loss of each architecture over its 20 repeats, float64, shape (216,)."""
    losses = defaultdict(list)
    for row in rows:
        losses[NUMBERS[row.architecture.tokens]].append(-float(row.metrics[METRIC] or 0.0))
    assert {len(values) for values in losses.values()} == {20}
    return np.array([np.median(losses[number]) for number in range(SPACE.size)])


class Anew:
    """Asks what another searcher asks, each time with a seed of its own: a repetition is a new training."""

    def __init__(self, searcher: Searcher, seed: int) -> None:
        self._searcher, self._seed = searcher, seed
        self.logs: Mapping[str, float] = {}

    def ask(self, count: int, /) -> list[Request]:
        """Ask, with the next seeds."""
        requests = self._searcher.ask(count)
        seeds = range(self._seed, self._seed + len(requests))
        self._seed += len(requests)
        return [replace(one, seed=seed) for one, seed in zip(requests, seeds, strict=True)]

    def tell(self, evaluations: Sequence[Evaluation], /) -> None:
        """Pass on; searchers do not look at seeds."""
        self._searcher.tell(evaluations)

    def open_steps(self) -> list[list[Request]]:
        """Give none: no search here goes on where it was stopped."""
        return []

    def state_dict(self) -> dict[str, Any]:
        """Give nothing, for the same reason."""
        raise NotImplementedError

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Take nothing, for the same reason."""
        raise NotImplementedError


def search(engine: TableEngine, protocol: str, method: str, repeat: int) -> list[Row]:
    """Search once; give every evaluation in its order."""
    searcher = make_searcher(method, SPACE, TASK, FIDELITY, FIRST_SEED + repeat, metric=METRIC)
    found = run_search(
        Anew(searcher.searcher, FIRST_SEED * (1 + repeat)) if protocol == "anew" else searcher,
        engine,
        BATCH,
        evaluations=PROTOCOLS[protocol],
    )
    return [
        (protocol, method, repeat, number, NUMBERS[one.architecture.tokens], _reward(one))
        for number, one in enumerate(found, start=1)
    ]


def _reward(one: Evaluation) -> float:
    value = one.metrics[METRIC]
    assert value is not None
    return value


_engine: TableEngine | None = None  # of a worker process


def _begin(path: Path) -> None:
    global _engine
    _engine = TableEngine(read_table(path))


def _search(job: tuple[str, str, int]) -> list[Row]:
    assert _engine is not None
    with one_thread():
        return search(_engine, *job)


def search_all(path: Path, repeats: int, workers: int) -> tuple[list[Row], dict[str, float]]:
    """Search with every method, `repeats` times each, on worker processes; give the wall seconds of each protocol."""
    # The slowest first, so that no worker is left with them at the end.
    order = sorted(SEARCHED, key=["amber", "tpe", "amber-reinforce", "evolution", "random"].index)
    found: list[Row] = []
    seconds = {}
    for protocol in PROTOCOLS:
        started = time.perf_counter()
        jobs = [(protocol, method, repeat) for method in order for repeat in range(repeats)]
        with multiprocessing.get_context("spawn").Pool(workers, _begin, (path,)) as pool:
            found += [row for rows in pool.imap(_search, jobs) for row in rows]
        seconds[protocol] = round(time.perf_counter() - started, 1)
    return found, seconds


def regrets(rows: list[Row], medians: np.ndarray, budget: int, prior: float) -> np.ndarray:
    """Give the regret of one search after each number of evaluations, float64, shape (budget,).

    What is chosen after n evaluations is the architecture with the highest mean of the rewards that the search saw
    of it, each mean taken with `prior` more rewards that equal the mean of all n. With 1, an architecture that was
    trained several times needs not be as lucky as the luckiest of those that were trained once; where each is
    trained once, it is the one with the highest reward. Its regret is its median loss less the least median loss.

    Parameters
    ----------
    rows : list of tuple
        Of one search, in order. One that ended early keeps what it chose.
    medians : array, float64, shape (216,)
    budget : int
    prior : float
        0 or more.
    """
    sums, counts = np.zeros(len(medians)), np.zeros(len(medians))
    found: list[float] = []
    for number, row in enumerate(rows[:budget], start=1):
        sums[row[4]] += row[5]
        counts[row[4]] += 1
        seen = counts > 0
        score = np.full(len(medians), -np.inf)
        score[seen] = (sums[seen] + prior * sums.sum() / number) / (counts[seen] + prior)
        found.append(float(medians[score.argmax()] - medians.min()))
    return np.array(found + found[-1:] * (budget - len(found)))


def interval(values: np.ndarray) -> dict[str, float]:
    """Give the mean over the repeats with its 95% interval (Student's t)."""
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    mean = float(values.mean())
    return {"mean": mean, "low": mean - float(half), "high": mean + float(half)}


# Name of a comparison to its protocol and the prior of the choice.
COMPARISONS = {"anew": ("anew", 1.0), "anew, plain mean": ("anew", 0.0), "once": ("once", 1.0)}


def analyse(
    rows: list[Row], table: list[Evaluation]
) -> tuple[dict[str, Any], dict[str, dict[str, np.ndarray]]]:
    """Sum the searches up; give also the regret of each search after each number of evaluations."""
    medians = median_losses(table)
    runs: dict[tuple[str, str], dict[int, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        runs[row[0], row[1]][row[2]].append(row)
    result: dict[str, Any] = {
        "repeats": len(runs["anew", "random"]),
        "batch": BATCH,
        "least_median_loss": float(medians.min()),
        "regret_of_any_architecture": float(medians.mean() - medians.min()),
        "regret_of_the_whole_table": interval(
            np.array([_choose_from_all(table, medians, n) for n in runs["anew", "random"]])
        ),
        "comparisons": {},
    }
    curves: dict[str, dict[str, np.ndarray]] = {}
    for name, (protocol, prior) in COMPARISONS.items():
        budget = PROTOCOLS[protocol]
        own = {
            method: [one for _, one in sorted(runs[protocol, method].items())] for method in TITLES
        }
        curves[name] = {
            method: np.stack([regrets(one, medians, budget, prior) for one in those])
            for method, those in own.items()
        }
        result["comparisons"][name] = {
            method: _summary(curves[name][method], curves[name]["random"], those)
            for method, those in own.items()
        }
    return result, curves


def _summary(curve: np.ndarray, random: np.ndarray, runs: list[list[Row]]) -> dict[str, Any]:
    budgets = [budget for budget in BUDGETS if budget <= curve.shape[1]]
    return {
        "regret": {str(b): interval(curve[:, b - 1]) for b in budgets},
        "less_random": {str(b): interval((curve - random)[:, b - 1]) for b in budgets},
        "evaluations": float(np.mean([len(run) for run in runs])),
        "different": float(np.mean([len({row[4] for row in run}) for run in runs])),
    }


def _choose_from_all(table: list[Evaluation], medians: np.ndarray, repeat: int) -> float:
    """Give the regret of who trains all 216 once and takes the best, in one drawing of the table."""
    rng = np.random.default_rng(repeat)
    rewards = np.array([_reward(one) for one in table])
    numbers = np.array([NUMBERS[one.architecture.tokens] for one in table])
    drawn = [rng.choice(rewards[numbers == number]) for number in range(SPACE.size)]
    return float(medians[int(np.argmax(drawn))] - medians.min())


def tables(result: dict[str, Any]) -> str:
    """Give the results as Markdown."""
    heads = {
        "anew": "A repetition is a new evaluation, the choice by shrunken means",
        "anew, plain mean": "The same searches, the choice by plain means",
        "once": "A repetition is remembered and costs nothing",
    }
    lines = [
        f"An architecture drawn at random has a regret of {result['regret_of_any_architecture']:.3f}. Who trains all "
        f"216 once and takes the best: {_cell(result['regret_of_the_whole_table'])}.",
        "",
    ]
    for name, head in heads.items():
        methods = result["comparisons"][name]
        budgets = list(methods["random"]["regret"])
        for title, key, sign in (
            (head, "regret", False),
            ("The same less random's regret", "less_random", True),
        ):
            lines += [
                f"**{title}**",
                "",
                f"| evaluations | {' | '.join(budgets)} | made | different |",
            ]
            lines += ["|---" * (len(budgets) + 3) + "|"]
            for method, one in methods.items():
                if sign and method == "random":
                    continue
                cells = [_cell(one[key][b], sign) for b in budgets]
                made = f"{one['evaluations']:.0f} | {one['different']:.0f}"
                lines.append(f"| {TITLES[method]} | {' | '.join(cells)} | {made} |")
            lines.append("")
    return "\n".join(lines)


def _cell(value: dict[str, float], signed: bool = False) -> str:
    sign = "+" if signed else ""
    return f"{value['mean']:{sign}.4f} ({value['low']:{sign}.4f} to {value['high']:{sign}.4f})"


def draw(curves: dict[str, dict[str, np.ndarray]], path: Path) -> None:
    """Draw mean regret with its 95% band against evaluations, for both protocols."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "ambient"
    from matplotlib import pyplot as plt

    colours = ("#7f7f7f", "#e69f00", "#009e73", "#56b4e9", "#0b3c6f")
    panels = {"anew": "a repetition is a new evaluation", "once": "a repetition costs nothing"}
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained", sharey=True)
    for axis, (name, title) in zip(axes, panels.items(), strict=True):
        for (method, label), colour in zip(TITLES.items(), colours, strict=True):
            curve = curves[name][method]
            x = np.arange(1, curve.shape[1] + 1)
            mean = curve.mean(axis=0)
            half = 1.984 * curve.std(axis=0, ddof=1) / np.sqrt(len(curve))
            axis.plot(x, mean, color=colour, label=label, linewidth=1.8)
            axis.fill_between(x, mean - half, mean + half, color=colour, alpha=0.15, linewidth=0)
        axis.set(title=title, xlabel="evaluations", xlim=(5, curve.shape[1]), ylim=(0, 0.25))
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("regret of the median loss")
    axes[0].legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def write_rows(rows: list[Row], path: Path) -> None:
    """Write the searches as TSV; the same rows give the same bytes."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter="\t", lineterminator="\n")
    writer.writerow(ROW)
    writer.writerows(sorted(rows, key=lambda row: row[:4]))
    path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def read_rows(path: Path) -> list[Row]:
    """Read what `write_rows` wrote."""
    with gzip.open(path, "rt", newline="") as stream:
        reader = csv.reader(stream, delimiter="\t")
        assert tuple(next(reader)) == ROW
        return [(p, m, int(r), int(e), int(a), float(v)) for p, m, r, e, a, v in reader]


def main() -> None:
    """Search, sum up, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--draw", action="store_true", help="from rows.tsv.gz; search nothing")
    arguments = parser.parse_args()
    path = HERE / "results.json"
    if arguments.draw:
        rows = read_rows(HERE / "rows.tsv.gz")
        wall_seconds = json.loads(path.read_text())["wall_seconds"]
    else:
        rows, wall_seconds = search_all(arguments.table, arguments.repeats, arguments.workers)
        write_rows(rows, HERE / "rows.tsv.gz")
    result, curves = analyse(rows, read_table(arguments.table))
    result |= {"wall_seconds": wall_seconds, "python": platform.python_version()}
    path.write_text(json.dumps(result, indent=1) + "\n")
    told = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in wall_seconds.items())
    text = tables(result) + f"\nThe searches took (wall time): {told}.\n"
    (HERE / "results.md").write_text(text)
    draw(curves, HERE / "regret.svg")
    print(text)


if __name__ == "__main__":
    main()
