"""A search by shared weights: one run's folder from its configuration to derived, trained architectures."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ambient.child.count import check_limits
from ambient.child.fidelity import SEARCH, Fidelity
from ambient.child.threads import one_thread
from ambient.controller.checkpoint import write_checkpoint
from ambient.errors import RunError
from ambient.evaluate import Evaluation, Remembering, Request, Store
from ambient.evaluate.choose import EngineChoice, as_choice, open_engine
from ambient.evaluate.energy import EnergyMeter
from ambient.evaluate.supernet import SupernetEngine
from ambient.files import make_folder, remove_parts, write_atomic, write_json_atomic
from ambient.search.enas import EnasConfig, EnasSearcher
from ambient.search.journal import Journal, read_journal
from ambient.search.listing import ARCHITECTURES, write_listing
from ambient.search.loop import Step, run_search
from ambient.search.run_folder import BEST, CHECKPOINTS, JOURNAL, open_run
from ambient.search.search_run import MAY_DIFFER, SearchOutcome, best_of, go_back
from ambient.search.tracked import evaluation_table
from ambient.track import open_tracker
from ambient.version import __version__

if TYPE_CHECKING:
    from ambient.data.task import TaskData
    from ambient.space import Architecture, SearchSpace

__all__ = ["EnasRunConfig", "search_enas"]

SUPERNET = "supernet"  # folder: journal and checkpoints of the search by shared weights
DERIVED = "derived.json"  # what the controller proposed in the end, by what the shared weights say


@dataclass(frozen=True)
class EnasRunConfig:
    """What a search by shared weights is begun with."""

    turns: int = 200  # controller steps
    evaluations: int = 5  # derived architectures that are trained from scratch
    derived_from: int = 100  # samples of the trained controller, of which the best are derived
    hours: float | None = (
        None  # end the search after the controller step that passes this wall time
    )
    max_parameters: int | None = None  # larger networks are not chosen
    max_flops: int | None = None  # nor those that compute more for one window
    seed: int = 0  # of everything random, and of every child
    fidelity: Fidelity = SEARCH  # of the derived children; its windows are the supernet's too
    enas: EnasConfig = field(default_factory=EnasConfig)
    checkpoint_seconds: float = 60.0  # at least so long between two checkpoints
    engine: str | EngineChoice = "pool"  # what trains the derived children
    workers: int | None = None  # None: one for each core
    store: Path | None = None  # remembers evaluations; None: store.sqlite in the run's folder
    track: Literal["none", "wandb"] = "none"
    retry_failed: bool = False  # train again what the store remembers as failed

    def __post_init__(self) -> None:
        for name in (
            *("turns", "evaluations", "derived_from"),
            *("hours", "max_parameters", "max_flops"),
        ):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise RunError(f"enas: found {name} = {value}, more than 0 is needed; raise it")
        kind = as_choice(self.engine, self.workers).kind
        if kind in ("table", "predictor"):
            raise RunError(
                f"enas: found the engine {kind!r}, needed one that trains, since what is derived is trained from "
                "scratch; choose inline, pool or ray"
            )

    def resolve(self, corpus: str, space: SearchSpace, task: TaskData) -> dict[str, Any]:
        """Give the whole configuration of a search, as YAML values; the data is named by its hash."""
        return {
            "corpus": corpus,
            "task": {task.name: task.hash},
            "method": "enas",
            "turns": self.turns,
            "evaluations": self.evaluations,
            "derived_from": self.derived_from,
            "hours": self.hours,
            "max_parameters": self.max_parameters,
            "max_flops": self.max_flops,
            "seed": self.seed,
            **as_choice(self.engine, self.workers).to_dict(),
            "store": None if self.store is None else str(self.store),
            "track": self.track,
            "retry_failed": self.retry_failed,
            "fidelity": self.fidelity.to_dict(),
            "enas": self.enas.to_dict(),
            "space": space.to_dict(),
        }


def search_enas(
    folder: Path,
    task: TaskData,
    space: SearchSpace,
    config: EnasRunConfig | None = None,
    corpus: str = "",
    resume: bool = False,
    on_step: Callable[[Step], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> SearchOutcome:
    """Search one task by shared weights, then train what the controller derives from scratch.

    The folder gets `config.yaml` before the first step; in `supernet/` a line of `journal.jsonl` for
    each controller step, and `checkpoints/`; `derived.json`; and then, as every search of one task
    leaves them, the derived children's `journal.jsonl`, `evaluations.tsv`, `architectures/`, rows of
    the store and `best.json`. What shared weights say of an architecture stands in `supernet/` and
    `derived.json` alone and is no evaluation.

    Parameters
    ----------
    folder : path
        Absent or empty, or a run's folder to resume.
    task : TaskData
        Its test labels are scored and stored with the derived children, and nothing here reads
        those scores.
    space : SearchSpace
        As `ambient.child.supernet.Supernet` takes it, `amber-12` for example.
    config : EnasRunConfig
    corpus : str
        Where the task is from, for the record.
    resume : bool
        Go on from the last checkpoint; the result is then that of an uninterrupted search.
    on_step : callable, optional
        Told each controller step once it is on the disk.
    say : callable, optional
        Told in a sentence what a user should know.

    Returns
    -------
    SearchOutcome
        Its evaluations are the derived children's; `sampled` counts what was judged by shared weights.

    Raises
    ------
    SpaceError
        The space cannot share weights.
    RunError
        The folder is not what it should be, the run was begun with another configuration, no sample
        could be judged, or no derived child could be trained.
    """
    config, say = config or EnasRunConfig(), say or (lambda text: None)
    engine = as_choice(config.engine, config.workers)
    refuse = check_limits(
        task.window_bp, config.max_parameters, config.max_flops, task.outputs, task.stranded
    )
    enas = config.enas
    supernet = SupernetEngine(
        space,
        task,
        config.fidelity,
        enas.child_learning_rate,
        enas.judged_windows,
        config.seed,
        engine.device,
    )
    searcher = EnasSearcher(space, task.name, config.fidelity, supernet, enas, config.seed, refuse)
    configuration = config.resolve(corpus, space, task)
    folder = open_run(folder, configuration, resume, (*MAY_DIFFER, "turns"))
    with ExitStack() as stack:
        tracker = open_tracker(config.track, folder, {"version": __version__, **configuration})
        stack.callback(tracker.finish)
        stack.enter_context(one_thread())

        def after(step: Step) -> None:
            tracker.log(step.number, {**step.logs, "step_seconds": step.wall_seconds})
            if on_step:
                on_step(step)

        sampled = _search(folder / SUPERNET, searcher, config, resume, after, say)
        derived = _derive(searcher, space, config, refuse)
        write_json_atomic(
            folder / DERIVED,
            [{"shared_weights": said, **one.to_dict()} for one, said in derived],
        )
        if not derived:
            raise RunError(
                f"{folder}: none of {config.derived_from} samples may be chosen; raise --max-parameters or "
                "--max-flops, or, for a stranded task, search a space with networks that do not read both strands alike"
            )
        found = _train(stack, folder, task, [one for one, _ in derived], config)
        lines = read_journal(folder / JOURNAL)
        table = evaluation_table(lines, space, {task.name: task.category})
        tracker.table("evaluations", *table)
    for path in (folder / ARCHITECTURES).glob("*.json"):
        path.unlink()  # a search that went on may have derived others
    write_listing(folder, found, *table)
    best = best_of(found, folder)
    write_atomic(folder / BEST, best.architecture.to_json())
    return SearchOutcome(best, tuple(found), sampled)


def _search(
    folder: Path,
    searcher: EnasSearcher,
    config: EnasRunConfig,
    resume: bool,
    on_step: Callable[[Step], None],
    say: Callable[[str], None],
) -> int:
    """Take the controller steps that are left; give how many architectures were judged in all."""
    make_folder(folder)
    started = written = time.monotonic()
    done = 0
    if resume:
        for place in (folder, folder / CHECKPOINTS):
            remove_parts(place)
        done = go_back(searcher, folder / CHECKPOINTS, say)

    class OutOfTimeError(Exception):
        """The wall time that the user allowed is used up."""

    def after(step: Step) -> None:
        nonlocal written, done
        if step.failed == len(step.evaluations):
            raise RunError(
                f"{folder}: all {step.failed} samples of a step failed, the first with "
                f"{step.evaluations[0].reason!r}; correct what is wrong, then go on with --resume"
            )
        done = step.number + 1
        now = time.monotonic()
        is_late = config.hours is not None and now - started > 3600 * config.hours
        if now - written >= config.checkpoint_seconds or done >= config.turns or is_late:
            state = {"steps": done, "search": searcher.state_dict()}
            write_checkpoint(folder / CHECKPOINTS, done, state)
            written = now
        on_step(step)
        if is_late:
            raise OutOfTimeError

    with Journal(folder / JOURNAL, keep_steps=done) as journal:
        try:
            if done < config.turns:
                run_search(
                    searcher,
                    searcher.supernet,
                    config.enas.architectures,
                    steps=config.turns,
                    journal=journal,
                    on_step=after,
                    first_step=done,
                )
        except OutOfTimeError:
            say(f"stopped after {done} controller steps: the {config.hours} hours are used up")
        else:
            if done < config.turns:
                say(f"ended after {done} controller steps: all that was sampled is refused")
    return sum(len(line["evaluations"]) for line in read_journal(folder / JOURNAL))


def _derive(
    searcher: EnasSearcher,
    space: SearchSpace,
    config: EnasRunConfig,
    refuse: Callable[[Architecture], str | None] | None,
) -> list[tuple[Architecture, dict[str, float | None]]]:
    """Sample the controller, and keep the best by the shared weights on all validation windows."""
    rows = searcher.sample(config.derived_from).tolist()
    drawn = {one.key: one for one in map(space.architecture, rows)}
    allowed = [one for one in drawn.values() if refuse is None or refuse(one) is None]
    judged = list(zip(allowed, searcher.supernet.judge_all(allowed), strict=True))
    known = [pair for pair in judged if pair[1][config.enas.metric] is not None]
    known.sort(key=lambda pair: -float(pair[1][config.enas.metric] or 0.0))
    return known[: config.evaluations]


def _train(
    stack: ExitStack,
    folder: Path,
    task: TaskData,
    architectures: list[Architecture],
    config: EnasRunConfig,
) -> list[Evaluation]:
    """Train architectures from scratch, as any search has its children trained; in their order."""
    trainer = stack.enter_context(open_engine(config.engine, {task.name: task}, config.workers))
    store = stack.enter_context(Store(config.store or folder / "store.sqlite"))
    meter = stack.enter_context(closing(EnergyMeter()))
    journal = stack.enter_context(Journal(folder / JOURNAL))
    started = time.perf_counter()
    requests = [Request(task.name, one, config.seed, config.fidelity) for one in architectures]
    engine = Remembering(trainer, store, config.retry_failed, meter)
    answers = {one.architecture.key: one for one in engine.run(requests)}
    found = [answers[one.key] for one in architectures]
    step = Step(0, tuple(found), wall_seconds=time.perf_counter() - started)
    journal.append(step.to_dict())
    return found
