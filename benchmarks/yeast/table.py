"""Train the same random architectures on all 48 yeast tasks: the table that every claim here rests on.

 of the draw; those of benchmarks/yeast/run.py have another  python benchmarks/yeast/table.py --hours 1

works through `PLAN`, from where it stopped before, at the `search` fidelity: each part of it is so many random
architectures of a space on some tasks with one seed of the children. Evaluations go into cache/table.sqlite as they
come, and into table.tsv.gz at the end of the call, or when it is interrupted; `--hours 0` only says how far it is.
"""

from __future__ import annotations

import argparse
import itertools
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ambient.child.fidelity import SEARCH
from ambient.child.stopping import Rung
from ambient.data.corpus import Corpus, read_corpus
from ambient.data.prepare import prepare_corpus
from ambient.evaluate import PoolEngine, Remembering, Request, Store
from ambient.evaluate.exchange import export_tsv, import_tsv
from ambient.space import named_space
from ambient.zero_shot import draw_random

HERE = Path(__file__).resolve().parent
CACHE = HERE / "cache"
TABLE = HERE / "table.tsv.gz"
ARCHITECTURES_SEED = 2027  # of the draw
# Training tasks of four categories, small and large: on these every architecture is judged after each epoch.
CURVES = ("Sko1", "Reb1", "Bdf1", "Nrd1", "H3", "Rpb7")
JUDGED = tuple(Rung(epoch, 0.0) for epoch in range(1, int(SEARCH.keep_from * SEARCH.epochs) + 1))


@dataclass(frozen=True)
class Part:
 of the draw; those of benchmarks/yeast/run.py have another  """Architectures `first` to `last` (not included) of the draw from a space, on some tasks."""

 of the draw; those of benchmarks/yeast/run.py have another  space: str
 of the draw; those of benchmarks/yeast/run.py have another  first: int
 of the draw; those of benchmarks/yeast/run.py have another  last: int
 of the draw; those of benchmarks/yeast/run.py have another  seed: int = 0  # of the children
 of the draw; those of benchmarks/yeast/run.py have another  tasks: tuple[str, ...] | None = None  # None: all
 of the draw; those of benchmarks/yeast/run.py have another  training_only: bool = False  # what a controller learns from comes before what it is measured by


PLAN = (
 of the draw; those of benchmarks/yeast/run.py have another  Part("ambient-plus", 0, 200, tasks=CURVES),
 of the draw; those of benchmarks/yeast/run.py have another  Part("ambient-plus", 0, 40, training_only=True),
 of the draw; those of benchmarks/yeast/run.py have another  Part("ambient-plus", 0, 40),
 of the draw; those of benchmarks/yeast/run.py have another  Part("ambient-plus", 0, 14, seed=1),
 of the draw; those of benchmarks/yeast/run.py have another  Part("ambient-10", 0, 20),
 of the draw; those of benchmarks/yeast/run.py have another  Part("ambient-10", 0, 7, seed=1),
 of the draw; those of benchmarks/yeast/run.py have another  Part("ambient-plus", 40, 60),
 of the draw; those of benchmarks/yeast/run.py have another  Part("ambient-plus", 14, 40, seed=1),
)


def main() -> None:
 of the draw; those of benchmarks/yeast/run.py have another  """Run what the command line asks for."""
 of the draw; those of benchmarks/yeast/run.py have another  parser = argparse.ArgumentParser(
 of the draw; those of benchmarks/yeast/run.py have another      description=__doc__, formatter_class=argparse.RawTextHelpFormatter
 of the draw; those of benchmarks/yeast/run.py have another  )
 of the draw; those of benchmarks/yeast/run.py have another  parser.add_argument("--hours", type=float, default=1.0)
 of the draw; those of benchmarks/yeast/run.py have another  parser.add_argument("--workers", type=int, help="processes; one for each core if not given")
 of the draw; those of benchmarks/yeast/run.py have another  arguments = parser.parse_args()
 of the draw; those of benchmarks/yeast/run.py have another  signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # leave by the way out, table written
 of the draw; those of benchmarks/yeast/run.py have another  corpus = read_corpus(HERE / "corpus.yaml")
 of the draw; those of benchmarks/yeast/run.py have another  tasks = prepare_corpus(corpus, CACHE / "tasks")
 of the draw; those of benchmarks/yeast/run.py have another  with Store(CACHE / "table.sqlite") as store:
 of the draw; those of benchmarks/yeast/run.py have another      if TABLE.exists():
 of the draw; those of benchmarks/yeast/run.py have another          import_tsv(store, TABLE)
 of the draw; those of benchmarks/yeast/run.py have another      try:
 of the draw; those of benchmarks/yeast/run.py have another          if arguments.hours > 0:
 of the draw; those of benchmarks/yeast/run.py have another              with Remembering(PoolEngine(tasks, arguments.workers), store) as engine:
 of the draw; those of benchmarks/yeast/run.py have another                  work(engine, store, corpus, time.monotonic() + 3600 * arguments.hours)
 of the draw; those of benchmarks/yeast/run.py have another      except KeyboardInterrupt:
 of the draw; those of benchmarks/yeast/run.py have another          print("interrupted")
 of the draw; those of benchmarks/yeast/run.py have another      finally:
 of the draw; those of benchmarks/yeast/run.py have another          export_tsv(store, TABLE)
 of the draw; those of benchmarks/yeast/run.py have another      for part in PLAN:
 of the draw; those of benchmarks/yeast/run.py have another          wanted = list(requests_of(part, corpus))
 of the draw; those of benchmarks/yeast/run.py have another          there = sum(is_known(store, tasks[one.task].hash, one) for one in wanted)
 of the draw; those of benchmarks/yeast/run.py have another          print(f"{part}: {there} of {len(wanted)}")


def is_known(store: Store, task_hash: str, request: Request) -> bool:
 of the draw; those of benchmarks/yeast/run.py have another  """Whether the store holds an answer."""
 of the draw; those of benchmarks/yeast/run.py have another  return store.get(request.key(task_hash)) is not None


def requests_of(part: Part, corpus: Corpus) -> Iterator[Request]:
 of the draw; those of benchmarks/yeast/run.py have another  """Give a part's requests, one architecture after the other."""
 of the draw; those of benchmarks/yeast/run.py have another  of = corpus.training_tasks if part.training_only else corpus.tasks
 of the draw; those of benchmarks/yeast/run.py have another  names = part.tasks or [spec.name for spec in of]
 of the draw; those of benchmarks/yeast/run.py have another  drawn = draw_random(named_space(part.space), part.last, ARCHITECTURES_SEED)
 of the draw; those of benchmarks/yeast/run.py have another  for architecture in drawn[part.first : part.last]:
 of the draw; those of benchmarks/yeast/run.py have another      for task in names:
 of the draw; those of benchmarks/yeast/run.py have another          rungs = JUDGED if task in CURVES and part.seed == 0 else ()
 of the draw; those of benchmarks/yeast/run.py have another          yield Request(task, architecture, part.seed, SEARCH, rungs)


def work(engine: Remembering, store: Store, corpus: Corpus, until: float) -> None:
 of the draw; those of benchmarks/yeast/run.py have another  """Keep the workers busy with the plan's requests, in their order, until the time is up."""
 of the draw; those of benchmarks/yeast/run.py have another  planned = (request for part in PLAN for request in requests_of(part, corpus))
 of the draw; those of benchmarks/yeast/run.py have another  unknown = (one for one in planned if not is_known(store, engine.task_hash(one.task), one))
 of the draw; those of benchmarks/yeast/run.py have another  waiting = 2 * engine.capacity
 of the draw; those of benchmarks/yeast/run.py have another  began, spent = time.monotonic(), 0.0
 of the draw; those of benchmarks/yeast/run.py have another  engine.submit(list(itertools.islice(unknown, waiting)))
 of the draw; those of benchmarks/yeast/run.py have another  for count, done in enumerate(engine.results(), 1):
 of the draw; those of benchmarks/yeast/run.py have another      spent += done.cpu_seconds
 of the draw; those of benchmarks/yeast/run.py have another      if count % 100 == 0:
 of the draw; those of benchmarks/yeast/run.py have another          minutes = (time.monotonic() - began) / 60
 of the draw; those of benchmarks/yeast/run.py have another          print(f"{count} in {minutes:.1f} min, {spent / count:.1f} CPU s each", flush=True)
 of the draw; those of benchmarks/yeast/run.py have another      if time.monotonic() < until:
 of the draw; those of benchmarks/yeast/run.py have another          engine.submit(list(itertools.islice(unknown, 1)))


if __name__ == "__main__":
 of the draw; those of benchmarks/yeast/run.py have another  main()
