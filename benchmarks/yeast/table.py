"""Train the same architectures on all 48 yeast tasks: the table that every claim here rests on.

    python benchmarks/yeast/table.py --hours 1

works through `PLAN`, from where it stopped before, at the `search` fidelity: each part of it is so many random
architectures of a space on some tasks with one seed of the children; or, on the training tasks, those of good.json,
which controllers proposed (each entry says who, and for what). Evaluations go into cache/table.sqlite as they come, and
into table.tsv.gz at the end of the call, or when it is interrupted; `--hours 0` only says how far it is.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ambient.child.fidelity import SEARCH
from ambient.child.stopping import Rung
from ambient.data.corpus import Corpus, read_corpus
from ambient.data.prepare import prepare_corpus
from ambient.evaluate import PoolEngine, Remembering, Request, Store
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.files import read_json
from ambient.space import Architecture, named_space
from ambient.zero_shot import draw_random

HERE = Path(__file__).resolve().parent
CACHE = HERE / "cache"
TABLE = HERE / "table.tsv.gz"
GOOD = HERE / "good.json"
ARCHITECTURES_SEED = 2027  # of the draw
# Training tasks of four categories, small and large: on these every architecture is judged after each epoch.
CURVES = ("Sko1", "Reb1", "Bdf1", "Nrd1", "H3", "Rpb7")
JUDGED = tuple(Rung(epoch, 0.0) for epoch in range(1, int(SEARCH.keep_from * SEARCH.epochs) + 1))


@dataclass(frozen=True)
class Part:
    """Architectures `first` to `last` (not included) of the draw from a space, on some tasks."""

    space: str
    first: int
    last: int
    seed: int = 0  # of the children
    tasks: tuple[str, ...] | None = None  # None: all
    training_only: bool = False  # what a controller learns from comes before what it is measured by
    good: bool = False  # of good.json, in its order, not of the draw


PLAN = (
    Part("ambient-plus", 0, 200, tasks=CURVES),
    Part("ambient-plus", 0, 40, training_only=True),
    Part("ambient-plus", 0, 7, training_only=True, good=True),
    Part("ambient-plus", 0, 40),
    Part("ambient-10", 0, 20),
    Part("ambient-plus", 0, 14, seed=1),
    Part("ambient-10", 0, 7, seed=1),
    Part("ambient-plus", 40, 60),
    Part("ambient-plus", 14, 40, seed=1),
)


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--workers", type=int, help="processes; one for each core if not given")
    parser.add_argument("--parts", type=int, default=len(PLAN), help="of the plan, from its first")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave by the way out, table written
    corpus = read_corpus(HERE / "corpus.yaml")
    tasks = prepare_corpus(corpus, CACHE / "tasks")
    with Store(CACHE / "table.sqlite") as store:
        if TABLE.exists():
            import_tsv(store, TABLE)
        try:
            if arguments.hours > 0:
                with Remembering(PoolEngine(tasks, arguments.workers), store) as engine:
                    until = time.monotonic() + 3600 * arguments.hours
                    work(engine, store, corpus, PLAN[: arguments.parts], until)
        except KeyboardInterrupt:
            print("interrupted")
        finally:
            export_tsv(store, TABLE)
        for part in PLAN:
            wanted = list(requests_of(part, corpus))
            there = sum(is_known(store, tasks[one.task].hash, one) for one in wanted)
            print(f"{part}: {there} of {len(wanted)}")


def is_known(store: Store, task_hash: str, request: Request) -> bool:
    """Whether the store holds an answer."""
    return store.get(request.key(task_hash)) is not None


def requests_of(part: Part, corpus: Corpus) -> Iterator[Request]:
    """Give a part's requests, one architecture after the other."""
    of = corpus.training_tasks if part.training_only else corpus.tasks
    names = part.tasks or [spec.name for spec in of]
    for architecture in architectures_of(part):
        for task in names:
            rungs = JUDGED if task in CURVES and part.seed == 0 else ()
            yield Request(task, architecture, part.seed, SEARCH, rungs)


def architectures_of(part: Part) -> list[Architecture]:
    """Give a part's architectures."""
    space = named_space(part.space)
    if part.good:
        proposed = read_json(GOOD, "file of proposed architectures")
        found = [space.architecture(entry["tokens"]) for entry in proposed]
    else:
        found = draw_random(space, part.last, ARCHITECTURES_SEED)
    return found[part.first : part.last]


def work(
    engine: Remembering, store: Store, corpus: Corpus, parts: Sequence[Part], until: float
) -> None:
    """Keep the workers busy with the requests of parts, in their order, until the time is up."""
    planned = (request for part in parts for request in requests_of(part, corpus))
    unknown = (one for one in planned if not is_known(store, engine.task_hash(one.task), one))
    waiting = 2 * engine.capacity
    began, spent = time.monotonic(), 0.0
    engine.submit(list(itertools.islice(unknown, waiting)))
    for count, done in enumerate(engine.results(), 1):
        spent += done.cpu_seconds
        if count % 100 == 0:
            minutes = (time.monotonic() - began) / 60
            print(f"{count} in {minutes:.1f} min, {spent / count:.1f} CPU s each", flush=True)
        if time.monotonic() < until:
            engine.submit(list(itertools.islice(unknown, 1)))


if __name__ == "__main__":
    main()
