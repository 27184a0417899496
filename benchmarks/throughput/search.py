"""How many steps a minute does a search take, and what share of the time goes to its controller?

    python benchmarks/throughput/search.py

runs single-run AMBER (20 evaluations on Reb1) and joint training (3 steps of 4 tasks and 5 architectures) over
`ambient-10` on real yeast data, without a store that remembers, and measures the wall time within `ask` and `tell`.
Writes search.json and search.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ambient.child.fidelity import SEARCH
from ambient.child.threads import one_thread
from ambient.data.corpus import read_corpus
from ambient.data.describe import describe_corpus
from ambient.data.prepare import prepare_corpus
from ambient.evaluate import Evaluation, PoolEngine, Request
from ambient.files import write_atomic, write_json_atomic
from ambient.search.ambient import AmbientSearcher
from ambient.search.config import AmbientConfig
from ambient.search.loop import Searcher, run_search
from ambient.search.methods import make_searcher
from ambient.space import named_space

HERE = Path(__file__).resolve().parent
YEAST = HERE.parent / "yeast"
TASKS = ("Reb1", "Sko1", "Bdf1", "H3", "Rpb7", "Nrd1")
SPACE = named_space("ambient-10")


class Timed:
    """A searcher whose time is taken."""

    def __init__(self, searcher: Searcher) -> None:
        self._searcher, self.seconds = searcher, 0.0

    @property
    def logs(self) -> Mapping[str, float]:
        """Of the searcher."""
        return self._searcher.logs

    def ask(self, count: int, /) -> list[Request]:
        """Ask, on the clock."""
        started = time.perf_counter()
        requests = self._searcher.ask(count)
        self.seconds += time.perf_counter() - started
        return requests

    def tell(self, evaluations: Sequence[Evaluation], /) -> None:
        """Tell, on the clock."""
        started = time.perf_counter()
        self._searcher.tell(evaluations)
        self.seconds += time.perf_counter() - started

    def open_steps(self) -> list[list[Request]]:
        """Of the searcher."""
        return self._searcher.open_steps()

    def state_dict(self) -> dict[str, Any]:
        """Of the searcher."""
        return self._searcher.state_dict()

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Of the searcher."""
        self._searcher.load_state_dict(state)


def main() -> None:
    """Run both, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    corpus = read_corpus(YEAST / "corpus.yaml")
    tasks = prepare_corpus(corpus, YEAST / "cache" / "tasks", TASKS)
    described = describe_corpus(
        corpus, [corpus.task(name) for name in TASKS], YEAST / "cache" / "descriptors"
    )
    joint = AmbientConfig()
    searches = {
        "AMBER, one task": (make_searcher("amber", SPACE, "Reb1", SEARCH), 5, 4),
        "joint training": (
            AmbientSearcher(SPACE, described, SEARCH, joint),
            joint.tasks_per_step * joint.architectures_per_task,
            3,
        ),
    }
    result = {}
    with one_thread(), PoolEngine(tasks, arguments.workers) as engine:
        # The first children wait for the workers to start; that is no part of a search's steps.
        list(
            engine.run(
                [
                    Request(name, SPACE.sample(np.random.default_rng(0)), 0, SEARCH)
                    for name in TASKS[:2]
                ]
            )
        )
        for name, (searcher, batch, steps) in searches.items():
            timed = Timed(searcher)
            started = time.perf_counter()
            found = run_search(timed, engine, batch, steps=steps)
            wall = time.perf_counter() - started
            result[name] = {
                "steps": steps,
                "evaluations": len(found),
                "wall_seconds": round(wall, 1),
                "steps_a_minute": round(60 * steps / wall, 2),
                "evaluations_a_minute": round(60 * len(found) / wall, 1),
                "controller_seconds": round(timed.seconds, 3),
                "controller_share": timed.seconds / wall,
            }
            print(json.dumps({name: result[name]}), flush=True)
    write_json_atomic(HERE / "search.json", {"workers": arguments.workers, "searches": result})
    write_atomic(HERE / "search.md", as_text(result))


def as_text(result: Mapping[str, Mapping[str, Any]]) -> str:
    """Write what came out as Markdown."""
    lines = [
        "| search | evaluations | steps a minute | evaluations a minute | controller's share of the wall time |",
        "|---|---|---|---|---|",
        *(
            f"| {name} | {one['evaluations']} in {one['steps']} steps | {one['steps_a_minute']} "
            f"| {one['evaluations_a_minute']} | {one['controller_share']:.2%} |"
            for name, one in result.items()
        ),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
