"""What the zero-shot proposals of a controller reach on the tasks that were searched, and what training them cost."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ambient.errors import RunError
from ambient.evaluate import Evaluation, Store
from ambient.propose import read_proposals
from ambient.report.curves import SPENT
from ambient.report.searched import REWARD, TEST, Searched
from ambient.report.summary import Interval, mean_auroc
from ambient.space import Architecture

__all__ = ["PROPOSALS", "Proposed", "read_proposed"]

PROPOSALS = "proposals.json"  # of a controller's run


@dataclass(frozen=True, eq=False)
class Proposed:
    """The proposal for one task, as recorded trainings of it came out."""

    task: str
    summary: str  # of the architecture
    space: str
    seeds: tuple[int, ...]  # of the trainings
    validation: Interval  # of the AUROC, over the trainings
    test: Interval | None  # None where the task has no test windows
    spent: Mapping[str, float]  # mean of one training, by the names of `SPENT`; NaN: not known

    def level(self, measure: str) -> float:
        """Give what a search has to pass, by one of "validation" and "test"; NaN where it is not known."""
        interval = self.validation if measure == "validation" else self.test
        return float("nan") if interval is None else interval.mean


def read_proposed(
    source: str | Path, searched: Sequence[Searched], stores: Iterable[Path] = ()
) -> dict[str, Proposed]:
    """Look up how the proposals for the searched tasks came out.

    Parameters
    ----------
    source : path
        A file of proposals, or a folder with `proposals.json` in it.
    searched : sequence of Searched
        The trainings that count are of the same tasks' contents and of the same fidelity.
    stores : iterable of path
        Where to look beside the stores of those runs.

    Returns
    -------
    dict of str to Proposed
        By the name of the task.

    Raises
    ------
    RunError
        There is no proposal for one of the tasks, or it was never trained to its end at that fidelity.
    """
    path = Path(source)
    path = path / PROPOSALS if path.is_dir() else path
    proposals = read_proposals(path)
    named = list(stores)
    for store in named:
        if not store.is_file():
            raise RunError(f"{store}: there is no such store; check the path")
    places = {one.resolve(): one for one in (*named, *(run.store for run in searched))}
    found: dict[str, Proposed] = {}
    with ExitStack() as stack:
        opened = [stack.enter_context(Store(one)) for one in places.values() if one.is_file()]
        for task in dict.fromkeys(one.task for one in searched):
            runs = [one for one in searched if one.task == task]
            if task not in proposals:
                raise RunError(
                    f"{path}: found proposals for {', '.join(proposals)}, but the runs search {task}; propose for it "
                    f"(`ambient propose --name {task}`), or leave its runs out"
                )
            rows = _trainings(opened, runs[0], proposals[task])
            if not rows:
                raise _never_trained(path, runs, [store.path for store in opened], named)
            found[task] = _proposed(task, proposals[task], rows)
    return found


def _trainings(
    stores: Sequence[Store], run: Searched, architecture: Architecture
) -> list[Evaluation]:
    """Give the trainings of an architecture that came to their end, each seed once, in order of seed."""
    rows: dict[int, Evaluation] = {}
    for store in stores:
        filters = {"space": architecture.space, "fidelity": run.fidelity.hash, "state": "done"}
        for row in store.rows([run.task], **filters):
            is_it = row.architecture.key == architecture.key and row.task_hash == run.task_hash
            if is_it and row.metrics.get(REWARD) is not None:
                rows.setdefault(row.seed, row)
    return [rows[seed] for seed in sorted(rows)]


def _never_trained(
    path: Path, runs: Sequence[Searched], looked: Sequence[Path], named: Sequence[Path]
) -> RunError:
    first = runs[0]
    store = named[0] if named else first.store
    seeds = ",".join(str(seed) for seed in sorted({one.seed for one in runs}))
    command = ["ambient", "evaluate", first.corpus, f"{path}:{first.task}", "--tasks", first.task]
    command += ["--seeds", seeds, "--fidelity", first.fidelity.name, "--store", str(store)]
    where = ", ".join(map(str, looked[:3])) or "no store that is still there"
    where += f" and {len(looked) - 3} more" if len(looked) > 3 else ""
    return RunError(
        f"{path}: the proposal for {first.task} was never trained to its end at the fidelity {first.fidelity.name} "
        f"of the runs (looked in {where}); train it with `{shlex.join(command)}`"
    )


def _proposed(task: str, architecture: Architecture, rows: Sequence[Evaluation]) -> Proposed:
    validation = mean_auroc([float(row.metrics[REWARD] or 0.0) for row in rows])
    assert validation is not None
    tests = [row.metrics.get(TEST) for row in rows]
    known = [value for value in tests if value is not None]
    spent = {}
    for axis, (name, unit) in SPENT.items():
        values = [getattr(row, name) for row in rows]
        spent[axis] = float("nan") if None in values else float(np.mean(values)) / unit
    return Proposed(
        task,
        architecture.summary(),
        architecture.space,
        tuple(row.seed for row in rows),
        validation,
        mean_auroc(known) if len(known) == len(rows) else None,
        spent,
    )
