"""With which constants does each method search best, on made-up landscapes?

Run:  python benchmarks/bionas/settings.py [--repeats 24] [--workers 2]

The constants of the searchers were chosen here and not on BioNAS's table. A landscape gives each architecture of a
space a value: normal effects of each choice and, half as strong, of each pair of choices, in standard deviations of
the landscape. One training shows it with normal noise of 0.5; one in ten goes wrong and shows 2 less. What counts is
the true value of the architecture with the best shown value after 50 and 100 evaluations. Writes settings.json and
settings.md.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import zlib
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ambient.child.fidelity import SEARCH
from ambient.child.threads import one_thread
from ambient.controller.ppo import PPOConfig
from ambient.evaluate import Evaluation, Request
from ambient.search.amber import PPO, REINFORCE, amber_config
from ambient.search.ambient import AmbientSearcher
from ambient.search.evolution import EvolutionConfig, EvolutionSearcher
from ambient.search.loop import Searcher
from ambient.search.methods import BATCH, make_searcher
from ambient.search.once import Once
from ambient.space import SearchSpace, named_space

HERE = Path(__file__).parent
SPACES = ("bionas-4", "ambient-10")
BUDGETS = (50, 100)
NOISE, MISHAP = 0.5, 0.1

VARIANTS: dict[str, dict[str, Any]] = {
    "random": {"method": "random"},
    "tpe": {"method": "tpe"},
    **{
        f"evolution, population {population}, tournament {tournament}": {
            "evolution": EvolutionConfig(population, tournament)
        }
        for population, tournament in ((10, 3), (20, 5), (20, 10), (50, 10))
    },
    **{
        f"PPO, rate {rate}, {epochs} epochs": {
            "ppo": replace(PPO, learning_rate=rate, epochs=epochs)
        }
        for rate, epochs in ((0.001, 4), (0.003, 4), (0.01, 4), (0.003, 10), (0.001, 10))
    },
    **{
        f"REINFORCE, rate {rate}, entropy {entropy}": {
            "ppo": replace(REINFORCE, learning_rate=rate, entropy_weight=entropy)
        }
        for rate, entropy in (
            (0.001, 0.01),
            (0.003, 0.01),
            (0.01, 0.01),
            (0.01, 0.05),
            (0.03, 0.05),
        )
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
        self._mean, self._spread, self._seed = np.mean(drawn), np.std(drawn), seed

    def _raw(self, tokens: Sequence[int]) -> float:
        single = sum(effects[token] for effects, token in zip(self._single, tokens, strict=True))
        return float(single + sum(p[tokens[i], tokens[j]] for (i, j), p in self._pairs.items()))

    def value(self, tokens: Sequence[int]) -> float:
        """Give the true value, in standard deviations above the mean."""
        return float((self._raw(tokens) - self._mean) / self._spread)

    def show(self, tokens: Sequence[int]) -> float:
        """Give what the one training of an architecture shows."""
        rng = np.random.default_rng([self._seed, *tokens])
        mishap = 2.0 if rng.random() < MISHAP else 0.0
        return self.value(tokens) + float(rng.normal(0, NOISE)) - mishap


def make(space: SearchSpace, seed: int, variant: dict[str, Any]) -> Searcher:
    """Make the searcher of a variant."""
    if "method" in variant:
        return make_searcher(variant["method"], space, "made up", SEARCH, seed)
    if "evolution" in variant:
        return Once(EvolutionSearcher(space, "made up", SEARCH, variant["evolution"], seed))
    ppo: PPOConfig = variant["ppo"]
    config = replace(amber_config(batch=BATCH), ppo=ppo)
    return Once(AmbientSearcher(space, {"made up": None}, SEARCH, config, seed))


def search(job: tuple[str, str, int]) -> list[float]:
    """Search one landscape; give the true value of what is chosen at each budget."""
    name, where, seed = job
    space = named_space(where)
    landscape = _landscape(where, seed)
    searcher = make(space, seed, VARIANTS[name])
    seen: list[tuple[float, float]] = []  # shown, true
    with one_thread():
        while len(seen) < max(BUDGETS):
            requests = searcher.ask(min(BATCH, max(BUDGETS) - len(seen)))
            if not requests:
                break
            results = [_answer(landscape, request) for request in requests]
            for one in results:
                shown = float(one.metrics["validation_auroc"] or 0.0)
                seen.append((shown, landscape.value(one.architecture.tokens)))
            searcher.tell(results)
    return [max(seen[:budget])[1] for budget in BUDGETS]


@cache
def _landscape(where: str, seed: int) -> Landscape:
    return Landscape(named_space(where), seed)


def _answer(landscape: Landscape, request: Request) -> Evaluation:
    shown = landscape.show(request.architecture.tokens)
    return Evaluation.of(request, "", metrics={"validation_auroc": shown})


def main() -> None:
    """Search all landscapes with all variants, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=24)
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
