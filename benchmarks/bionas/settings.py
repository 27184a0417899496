"""With which constants does each method search best, on made-up landscapes?

Run:  python benchmarks/bionas/settings.py [--repeats 16] [--workers 2]

The constants of the searchers were chosen here and not on BioNAS's table. A landscape gives each architecture of a
space a value: normal effects of each choice and, half as strong, of each pair of choices, in standard deviations of
the landscape. Each training shows it with normal noise of 0.5 anew; one in five goes wrong and shows 2 less. What
counts is the true value of what is chosen, as `run.py` chooses, after 50 and 100 evaluations. Writes settings.json
and settings.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import zlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ambient.child.fidelity import SEARCH
from ambient.child.threads import one_thread
from ambient.controller.ppo import PPOConfig
from ambient.evaluate import Evaluation
from ambient.search.amber import PPO, REINFORCE, amber_config
from ambient.search.ambient import AmbientSearcher
from ambient.search.loop import Searcher
from ambient.search.methods import BATCH, make_searcher
from ambient.space import SearchSpace, named_space

HERE = Path(__file__).parent
SPACES = ("bionas-4", "ambient-10")
BUDGETS = (50, 100)
NOISE, MISHAP = 0.5, 0.2

VARIANTS: dict[str, PPOConfig | str] = {
    "random": "random",
    "evolution": "evolution",
    **{
        f"PPO, rate {rate}, {epochs} epochs, entropy {entropy}": replace(
            PPO, learning_rate=rate, epochs=epochs, entropy_weight=entropy
        )
        for rate, epochs, entropy in (
            *((0.003, 4, 0.01), (0.01, 4, 0.01), (0.01, 4, 0.05)),
            *((0.02, 4, 0.05), (0.01, 10, 0.05), (0.003, 10, 0.01)),
        )
    },
    **{
        f"REINFORCE, rate {rate}, entropy {entropy}": replace(
            REINFORCE, learning_rate=rate, entropy_weight=entropy
        )
        for rate, entropy in ((0.003, 0.01), (0.01, 0.05), (0.02, 0.1))
    },
}


class Landscape:
    """Values of architectures, and what a training shows of them."""

    def __init__(self, space: SearchSpace, seed: int) -> None:
        rng = np.random.default_rng([zlib.crc32(space.name.encode()), seed])
        counts = [len(decision.choices) for decision in space.decisions]
        self._single = [rng.normal(size=count) for count in counts]
        self._pairs = {
            (i, j): 0.5 * rng.normal(size=(counts[i], counts[j]))
            for i, j in itertools.combinations(range(len(counts)), 2)
        }
        drawn = [self._raw(space.sample(rng).tokens) for _ in range(1000)]
        self._mean, self._spread = np.mean(drawn), np.std(drawn)

    def _raw(self, tokens: Sequence[int]) -> float:
        single = sum(effects[token] for effects, token in zip(self._single, tokens, strict=True))
        return float(single + sum(p[tokens[i], tokens[j]] for (i, j), p in self._pairs.items()))

    def value(self, tokens: Sequence[int]) -> float:
        """Give the true value, in standard deviations above the mean."""
        return float((self._raw(tokens) - self._mean) / self._spread)

    def show(self, tokens: Sequence[int], rng: np.random.Generator) -> float:
        """Give what a training of an architecture shows."""
        mishap = 2.0 if rng.random() < MISHAP else 0.0
        return self.value(tokens) + float(rng.normal(0, NOISE)) - mishap


def make(space: SearchSpace, seed: int, variant: PPOConfig | str) -> Searcher:
    """Make the searcher of a variant; it pays for what it asks for again."""
    if isinstance(variant, str):
        return make_searcher(variant, space, "made up", SEARCH, seed).searcher
    config = replace(amber_config(batch=BATCH), ppo=variant)
    return AmbientSearcher(space, {"made up": None}, SEARCH, config, seed)


def search(job: tuple[str, str, int]) -> list[float]:
    """Search one landscape; give the true value of what is chosen at each budget."""
    name, where, seed = job
    space = named_space(where)
    landscape, rng = Landscape(space, seed), np.random.default_rng([seed, 7])
    searcher = make(space, seed, VARIANTS[name])
    shown: dict[tuple[int, ...], list[float]] = defaultdict(list)
    chosen: list[float] = []
    with one_thread():
        while (made := sum(map(len, shown.values()))) < max(BUDGETS):
            results = []
            for request in searcher.ask(min(BATCH, max(BUDGETS) - made)):
                tokens = request.architecture.tokens
                shown[tokens].append(landscape.show(tokens, rng))
                metrics = {"validation_auroc": shown[tokens][-1]}
                results.append(Evaluation.of(request, "", metrics=metrics))
                if sum(map(len, shown.values())) in BUDGETS:
                    chosen.append(landscape.value(_choose(shown)))
            searcher.tell(results)
    return chosen


def _choose(shown: dict[tuple[int, ...], list[float]]) -> tuple[int, ...]:
    """Choose as `run.regrets` does with a prior of 1."""
    mean = np.mean([value for values in shown.values() for value in values])
    return max(shown, key=lambda tokens: (sum(shown[tokens]) + mean) / (len(shown[tokens]) + 1))


def main() -> None:
    """Search all landscapes with all variants, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=16)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    jobs = [(n, w, seed) for n in VARIANTS for w in SPACES for seed in range(arguments.repeats)]
    with multiprocessing.get_context("spawn").Pool(arguments.workers) as pool:
        found = pool.map(search, jobs, chunksize=1)
    columns = [(where, budget) for where in SPACES for budget in BUDGETS]
    values: dict[str, dict[str, list[float]]] = {
        name: {f"{w}, {b}": [] for w, b in columns} for name in VARIANTS
    }
    for (name, where, _), row in zip(jobs, found, strict=True):
        for budget, value in zip(BUDGETS, row, strict=True):
            values[name][f"{where}, {budget}"].append(value)
    head = [f"{w}, {b} evaluations" for w, b in columns]
    lines = ["| | " + " | ".join(head) + " |", "|---" * (1 + len(head)) + "|"]
    for name, cells in values.items():
        means = (
            f"{np.mean(v):.2f} ± {np.std(v, ddof=1) / len(v) ** 0.5:.2f}" for v in cells.values()
        )
        lines.append(f"| {name} | " + " | ".join(means) + " |")
    (HERE / "settings.md").write_text("\n".join(lines) + "\n")
    (HERE / "settings.json").write_text(json.dumps(values) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
