"""A search of one task: one run's folder from its configuration to its best architecture."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ambient.child.count import check_limits
from ambient.child.fidelity import SEARCH, Fidelity
from ambient.child.threads import one_thread
from ambient.controller.baselines import reward
from ambient.controller.checkpoint import read_checkpoint, write_checkpoint
from ambient.errors import RunError
from ambient.evaluate import Engine, Evaluation, Remembering, Request, Store
from ambient.evaluate.choose import EngineChoice, as_choice, open_engine
from ambient.evaluate.energy import EnergyMeter
from ambient.files import write_atomic
from ambient.search.journal import Journal, read_journal
from ambient.search.listing import write_listing
from ambient.search.loop import Searcher, Step, run_search
from ambient.search.methods import BATCH, check_method, make_searcher
from ambient.search.run_folder import BEST, CHECKPOINTS, JOURNAL, open_run
from ambient.search.start import Start
from ambient.search.tracked import add_costs, evaluation_table, step_values
from ambient.track import open_tracker
from ambient.version import __version__

if TYPE_CHECKING:
    from ambient.data.task import TaskData
    from ambient.space import SearchSpace

__all__ = ["SearchConfig", "SearchOutcome", "best_of", "go_back", "search_task"]

METRIC = "validation_auroc"
HOPELESS = 5  # so many first children that all failed end a search: something is wrong with it

# How long, how fast and where a search goes on may change when it is resumed; what it computes may not.
MAY_DIFFER = (
    *("corpus", "evaluations", "hours", "store", "track", "retry_failed", "from_controller"),
    *("engine", "workers", "device", "address", "gpus_per_child", "child_minutes"),
)


@dataclass(frozen=True)
class SearchConfig:
    """What a search of one task is begun with."""

    method: str = "amber"  # one of `methods.METHODS`
    evaluations: int = 50  # different architectures that are evaluated
    hours: float | None = None  # stop after the step in which this wall time is passed
    max_parameters: int | None = None  # larger networks are not trained
    max_flops: int | None = None  # nor those that compute more for one window
    seed: int = 0  # of everything random, and of every child
    fidelity: Fidelity = SEARCH  # of every child
    batch: int = BATCH  # architectures in a step
    ahead: int = 0  # further steps that are trained before the results of one are learned from
    engine: str | EngineChoice = "pool"  # what trains children; a name alone goes with `workers`
    workers: int | None = None  # None: one for each core
    store: Path | None = None  # remembers evaluations; None: store.sqlite in the run's folder
    track: Literal["none", "wandb"] = "none"
    retry_failed: bool = False  # train again what the store remembers as failed

    def __post_init__(self) -> None:
        check_method(self.method)
        for name in ("evaluations", "hours", "max_parameters", "max_flops", "batch"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise RunError(f"search: found {name} = {value}, more than 0 is needed; raise it")
        if self.ahead < 0:
            raise RunError(
                f"search: found {self.ahead} steps ahead, 0 or more are needed; correct it"
            )

    def resolve(
        self, corpus: str, space: SearchSpace, task: TaskData, start: Start | None = None
    ) -> dict[str, Any]:
        """Give the whole configuration of a search, as YAML values; the data is named by its hash."""
        return {
            "corpus": corpus,
            "task": {task.name: task.hash},
            "method": self.method,
            "evaluations": self.evaluations,
            "hours": self.hours,
            "max_parameters": self.max_parameters,
            "max_flops": self.max_flops,
            **({} if start is None else start.to_dict()),
            "seed": self.seed,
            "batch": self.batch,
            "ahead": self.ahead,
            **as_choice(self.engine, self.workers).to_dict(),
            "store": None if self.store is None else str(self.store),
            "track": self.track,
            "retry_failed": self.retry_failed,
            "fidelity": self.fidelity.to_dict(),
            "space": space.to_dict(),
        }


@dataclass(frozen=True)
class SearchOutcome:
    """What a search found."""

    best: Evaluation
    evaluations: tuple[Evaluation, ...]  # in the order in which they were asked
    sampled: int  # architectures that the method asked for, those it knew already included


def search_task(
    folder: Path,
    task: TaskData,
    space: SearchSpace,
    config: SearchConfig,
    corpus: str = "",
    resume: bool = False,
    on_step: Callable[[Step], None] | None = None,
    say: Callable[[str], None] | None = None,
    start: Start | None = None,
) -> SearchOutcome:
    """Search the best architecture of one task; leave everything in a run's folder.

    The folder gets `config.yaml`, and in `from_controller/` what the search begins from, before the first
    step; a line in `journal.jsonl` and a checkpoint in `checkpoints/` after each step; every evaluation in
    the store; and at the end the best architecture in `best.json`, all of them in `evaluations.tsv` and
    `architectures/`.

    Parameters
    ----------
    folder : path
        Absent or empty, or a run's folder to resume.
    task : TaskData
        Its test labels are scored and stored, and nothing here reads those scores.
    space : SearchSpace
    config : SearchConfig
    corpus : str
        Where the task is from, for the record.
    resume : bool
        Go on from the last checkpoint; the result is then that of an uninterrupted search.
    on_step : callable, optional
        Told each step once it is on the disk.
    say : callable, optional
        Told in a sentence what a user should know.
    start : Start, optional
        A controller to begin from. A run that goes on needs the same one, or what `read_start` gives.

    Returns
    -------
    SearchOutcome

    Raises
    ------
    RunError
        The folder is not what it should be, the run was begun with another configuration, or no
        architecture could be evaluated.
    InputError
        The space has windows that are wider than what the task stores.
    """
    started = time.monotonic()
    say = say or (lambda text: None)
    task.check_window(space.widest_window_bp or task.window_bp)
    searcher = make_searcher(
        config.method,
        space,
        task.name,
        config.fidelity,
        config.seed,
        config.batch,
        METRIC,
        check_limits(
            task.window_bp, config.max_parameters, config.max_flops, task.outputs, task.stranded
        ),
        start,
    )
    configuration = config.resolve(corpus, space, task, start)
    folder = open_run(folder, configuration, resume, MAY_DIFFER)
    if start is not None:
        start.save(folder)
        if (notice := start.notice(task.name)) is not None:
            say(notice)
    steps = go_back(searcher, folder / CHECKPOINTS, say) if resume else 0

    class OutOfTimeError(Exception):
        """The wall time that the user allowed is used up."""

    def after(step: Step) -> None:
        found.extend(step.evaluations)
        if len(found) >= HOPELESS and all(one.state == "failed" for one in found):
            raise RunError(
                f"{folder}: all {len(found)} children failed, the first with {found[0].reason!r}; "
                "correct what is wrong, then go on with --resume --retry-failed"
            )
        state = {"steps": step.number + 1, "search": searcher.state_dict()}
        write_checkpoint(folder / CHECKPOINTS, step.number + 1, state)
        line = step.to_dict()
        add_costs(spent, line)
        tracker.log(step.number, step_values(line, METRIC, spent))
        if on_step:
            on_step(step)
        if config.hours is not None and time.monotonic() - started > 3600 * config.hours:
            raise OutOfTimeError

    spent: dict[str, float] = {}  # in the steps so far
    with ExitStack() as stack:
        tracker = open_tracker(config.track, folder, {"version": __version__, **configuration})
        stack.callback(tracker.finish)
        stack.enter_context(one_thread())
        engine, memory = _open_engines(stack, folder, task, config)
        journal = stack.enter_context(Journal(folder / JOURNAL, keep_steps=steps))
        before = read_journal(folder / JOURNAL)
        found = _told_before(before, memory, space, config)
        for line in before:
            add_costs(spent, line)
        left = config.evaluations - len(found)
        try:
            if left > 0:
                run_search(
                    searcher,
                    engine,
                    config.batch,
                    evaluations=left,
                    journal=journal,
                    on_step=after,
                    first_step=steps,
                    ahead=config.ahead,
                )
        except OutOfTimeError:
            say(f"stopped after {len(found)} evaluations: the {config.hours} hours are used up")
        else:
            if len(found) < config.evaluations:
                say(f"ended after {len(found)} evaluations: {config.method} asks for nothing new")
        table = evaluation_table(read_journal(folder / JOURNAL), space, {task.name: task.category})
        tracker.table("evaluations", *table)
    write_listing(folder, found, *table)
    best = best_of(found, folder)
    favourite = searcher.favourite()
    if favourite is not None:
        best = next(one for one in found if one.architecture.key == favourite.key)
    write_atomic(folder / BEST, best.architecture.to_json())
    return SearchOutcome(best, tuple(found), int(searcher.logs.get("sampled", len(found))))


def best_of(evaluations: Sequence[Evaluation], where: object = "search") -> Evaluation:
    """Give the evaluation of the highest validation AUROC, the earliest of equal ones.

    Raises
    ------
    RunError
        There is none: all failed, or nothing was evaluated.
    """
    scored = [(reward(one, METRIC), one) for one in evaluations]
    done = [(value, one) for value, one in scored if value is not None]
    failed = [one for one in evaluations if one.state == "failed"]
    if not done and failed:
        raise RunError(
            f"{where}: none of {len(evaluations)} evaluations has a {METRIC}, {len(failed)} failed, the first with "
            f"{failed[0].reason!r}; correct what is wrong, then begin anew with another --output"
        )
    if not done:
        raise RunError(
            f"{where}: none of {len(evaluations)} evaluations has a {METRIC}; see that --max-parameters "
            "and --max-flops leave architectures to try (for a stranded task, of those that do not read both strands "
            "alike), and that the task has validation windows of both classes"
        )
    return max(done, key=lambda pair: pair[0])[1]


def go_back(searcher: Searcher, checkpoints: Path, say: Callable[[str], None]) -> int:
    """Bring a searcher to the last checkpoint, where there is one; give the steps that it stands at."""
    if not any(checkpoints.glob("step-*.json")):
        return 0
    state, notice = read_checkpoint(checkpoints)
    if notice:
        say(notice)
    searcher.load_state_dict(state["search"])
    return int(state["steps"])


def _open_engines(
    stack: ExitStack, folder: Path, task: TaskData, config: SearchConfig
) -> tuple[Engine, Engine]:
    """Give what evaluates, and what gives again what was evaluated before."""
    trainer = stack.enter_context(open_engine(config.engine, {task.name: task}, config.workers))
    # What a table replays under other seeds is no evaluation to remember.
    if as_choice(config.engine, config.workers).kind == "table":
        return trainer, trainer
    store = stack.enter_context(Store(config.store or folder / "store.sqlite"))
    meter = stack.enter_context(closing(EnergyMeter()))
    # A failure that the search was told of stays one, also where those to come are tried again.
    return Remembering(trainer, store, config.retry_failed, meter), Remembering(trainer, store)


def _told_before(
    lines: Sequence[Mapping[str, Any]], memory: Engine, space: SearchSpace, config: SearchConfig
) -> list[Evaluation]:
    """Give the evaluations of the steps of a journal again, from what remembers them."""
    requests = [
        Request(one["task"], space.architecture(one["tokens"]), one["seed"], config.fidelity)
        for line in lines
        for one in line["evaluations"]
    ]
    found = {one.architecture.key: one for one in memory.run(requests)}
    return [found[request.architecture.key] for request in requests]
