"""Joint training of a controller over a corpus: one run's folder from its configuration to its controller."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ambient.child.fidelity import SEARCH, Fidelity
from ambient.child.threads import one_thread
from ambient.controller.card import Controller
from ambient.data.corpora import Corpora
from ambient.data.corpus import Corpus
from ambient.errors import RunError
from ambient.evaluate import Engine, Remembering, Store
from ambient.evaluate.choose import EngineChoice, as_choice, open_engine
from ambient.evaluate.energy import EnergyMeter
from ambient.evaluate.predicted import PredictorEngine
from ambient.evaluate.table import read_recorded
from ambient.files import read_json, write_json_atomic
from ambient.search.ambient import AmbientSearcher
from ambient.search.config import AmbientConfig
from ambient.search.from_records import answering, predictor_from, predictor_of, proven_in
from ambient.search.honest import HonestPredictor
from ambient.search.journal import Journal, read_journal
from ambient.search.loop import Step, run_search
from ambient.search.run_folder import (
    CHECKPOINTS,
    JOURNAL,
    begun_configuration,
    open_run,
)
from ambient.search.tracked import add_costs, evaluation_table, step_values
from ambient.track import Tracker, open_tracker
from ambient.version import __version__

if TYPE_CHECKING:
    from ambient.data.task import TaskData
    from ambient.space import SearchSpace
    from descriptors.pipeline import Descriptors

__all__ = ["JointConfig", "read_descriptors", "train_jointly"]

DESCRIPTORS = "descriptors.json"

# How long, how fast and where a run goes on may change when it is resumed; what it computes may not.
MAY_DIFFER = (
    *("corpus", "steps", "hours", "store", "records", "track", "retry_failed", "real_every"),
    *("engine", "workers", "device", "address", "gpus_per_child", "child_minutes"),
)


@dataclass(frozen=True)
class JointConfig:
    """What a joint training is begun with."""

    steps: int = 50  # updates of the controller
    hours: float | None = None  # stop after the step in which this wall time is passed
    seed: int = 0  # of the controller and of every child
    fidelity: Fidelity = SEARCH  # of every child
    controller: AmbientConfig = field(default_factory=AmbientConfig)
    engine: str | EngineChoice = "pool"  # what trains children; a name alone goes with `workers`
    workers: int | None = None  # None: one for each core
    ahead: int = 0  # further steps that are trained before the results of one are learned from
    store: Path | None = None  # remembers evaluations; None: store.sqlite in the run's folder
    track: Literal["none", "wandb"] = "none"
    retry_failed: bool = False  # train again what the store remembers as failed
    real_every: int | None = None  # with a predictor: steps between rounds of real children

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise RunError(f"train: found {self.steps} steps, at least 1 is needed; ask for more")
        if self.hours is not None and not self.hours > 0:
            raise RunError(f"train: found {self.hours} hours, more than 0 are needed; ask for more")
        if self.ahead < 0:
            raise RunError(
                f"train: found {self.ahead} steps ahead, 0 or more are needed; correct it"
            )
        choice = as_choice(self.engine, self.workers)
        if self.controller.leave_own_out and choice.kind != "predictor":
            raise RunError(
                f"train: found leave_own_out with the engine {choice.name}, whose rewards are each task's own; set it "
                "to false, or choose predictor:PATH"
            )
        if self.real_every is None:
            if choice.kind == "predictor" and choice != EngineChoice(choice.name):
                raise RunError(
                    "train: found settings of workers with a predictor, which trains nothing; leave them out, "
                    "or have it kept honest with real_every (--real-every)"
                )
        elif self.real_every < 1:
            raise RunError(
                f"train: found real children every {self.real_every} steps, at least 1 is needed; ask for more"
            )
        elif choice.kind != "predictor":
            raise RunError(
                f"train: found real children every {self.real_every} steps with the engine {choice.name}, "
                "which is no predictor; leave real_every (--real-every) out, or choose predictor:PATH"
            )

    def resolve(
        self, corpora: Corpora, space: SearchSpace, tasks: Mapping[str, TaskData]
    ) -> dict[str, Any]:
        """Give the whole configuration of a run over corpora, as YAML values; the data is named by its hashes."""
        return {
            **corpora.to_record(),
            "steps": self.steps,
            "hours": self.hours,
            "seed": self.seed,
            **as_choice(self.engine, self.workers).to_dict(),
            "store": None if self.store is None else str(self.store),
            "track": self.track,
            "retry_failed": self.retry_failed,
            "training_tasks": {spec.name: tasks[spec.name].hash for spec in corpora.training_tasks},
            "held_out_tasks": [spec.name for spec in corpora.held_out_tasks],
            "fidelity": self.fidelity.to_dict(),
            "controller": self.controller.to_dict(),
            "space": space.to_dict(),
            # Runs that were begun before it could be chosen had none, and say nothing of it.
            **({"ahead": self.ahead} if self.ahead else {}),
            **({"real_every": self.real_every} if self.real_every else {}),
        }


def train_jointly(
    folder: Path,
    corpus: Corpus | Corpora,
    space: SearchSpace,
    tasks: Mapping[str, TaskData],
    described: Mapping[str, Descriptors],
    config: JointConfig,
    resume: bool = False,
    on_step: Callable[[Step], None] | None = None,
    say: Callable[[str], None] | None = None,
    draw: Callable[[Controller], Mapping[str, Any]] | None = None,
) -> Controller:
    """Train a controller over the training tasks of a corpus; leave everything in a run's folder.

    The folder gets `config.yaml` before the first step; `descriptors.json`; a line in `journal.jsonl` and a
    checkpoint in `checkpoints/` after each step; every evaluation in the store; and the controller in `controller/`.

    Parameters
    ----------
    folder : path
        Absent or empty, or a run's folder to resume.
    corpus : Corpus or Corpora
        One, or several, each on a genome of its own.
    space : SearchSpace
    tasks : mapping of str to TaskData
        At least the training tasks; no other is ever trained on.
    described : mapping of str to Descriptors
        Of the training tasks, and of held-out ones for the report.
    config : JointConfig
    resume : bool
        Go on from the last checkpoint; the result is then that of an uninterrupted run, bit for bit on a CPU.
    on_step : callable, optional
        Told each step once it is on the disk.
    say : callable, optional
        Told in a sentence what a user should know (a damaged checkpoint that was passed over).
    draw : callable, optional
        Makes plotly figures of the controller, by name, for the tracker
        (`ambient.report.controller_figures`).

    Returns
    -------
    Controller
        As it is in `controller/`.

    Raises
    ------
    RunError
        The folder is not what it should be, or the run was begun with another configuration.
    InputError
        The space has windows that are wider than what a task stores.
    """
    started = time.monotonic()
    corpora = Corpora((corpus,)) if isinstance(corpus, Corpus) else corpus
    for spec in corpora.training_tasks:
        tasks[spec.name].check_window(space.widest_window_bp or tasks[spec.name].window_bp)
    choice = as_choice(config.engine, config.workers)
    configuration = config.resolve(corpora, space, tasks)
    learned_from = choice.path if choice.kind == "predictor" else _records_of(folder, resume)
    if learned_from is not None:
        configuration["records"] = str(learned_from)
    recorded = [] if learned_from is None else read_recorded(learned_from)
    folder = open_run(folder, configuration, resume, MAY_DIFFER)
    names = [spec.name for spec in corpora.training_tasks]
    write_descriptors(folder, described)
    searcher = AmbientSearcher(
        space,
        {name: described[name] for name in names},
        config.fidelity,
        config.controller,
        config.seed,
    )
    if resume and any((folder / CHECKPOINTS).glob("step-*.json")):
        notice = searcher.load_checkpoint(folder / CHECKPOINTS)
        if notice and say:
            say(notice)
    training = {name: tasks[name] for name in names}
    metric = config.controller.metric

    with ExitStack() as stack:
        tracker = open_tracker(config.track, folder, {"version": __version__, **configuration})
        stack.callback(tracker.finish)
        stack.enter_context(one_thread())
        store = stack.enter_context(Store(config.store or folder / "store.sqlite"))
        honest: HonestPredictor | None = None
        engine: Engine
        if choice.kind != "predictor":
            engine = stack.enter_context(
                _open_engine(stack, choice, training, store, config.retry_failed)
            )
        elif config.real_every:
            real = replace(choice, name="pool")
            where = choice.path
            honest = HonestPredictor(
                folder, recorded, where, searcher, training, store, real, config.retry_failed
            )
            honest.recall()
            engine = honest.learn()
        else:
            learned = predictor_from(recorded, choice.path, searcher, training)
            engine = stack.enter_context(answering(learned, searcher, training))
        journal = stack.enter_context(Journal(folder / JOURNAL, keep_steps=searcher.steps))
        ends = None if config.hours is None else started + 3600 * config.hours
        after = _AfterStep(folder, searcher, tracker, metric, ends, on_step)
        try:
            for until in _stretches(searcher.steps, config.steps, config.real_every):
                if honest and _is_round(searcher.steps, until, config.real_every):
                    held = honest.hold()
                    tracker.log(searcher.steps - 1, held.to_dict())
                    if say:
                        say(str(held))
                    engine = honest.learn()
                run_search(
                    searcher,
                    engine,
                    config.controller.tasks_per_step * config.controller.architectures_per_task,
                    steps=until,
                    journal=journal,
                    on_step=after,
                    first_step=searcher.steps,
                    ahead=config.ahead,
                )
        except _OutOfTimeError:
            if say:
                say(f"stopped after {searcher.steps} steps: the {config.hours} hours are used up")
        known = list({row.key: row for row in (*recorded, *store.rows(names))}.values())
        predictor = (
            engine.predictor
            if isinstance(engine, PredictorEngine)
            else predictor_of(known, folder, searcher, training, metric)
        )
        proven = proven_in(known, space, training, metric)
        controller = replace(searcher.controller(), predictor=predictor, proven=proven)
        controller.save(folder / "controller")
        if config.track != "none":
            _track_outcome(tracker, folder, corpora, controller, draw)
    return controller


def _records_of(folder: Path, resume: bool) -> Path | None:
    """Say from which records a run that goes on has learned; None where from none."""
    begun = begun_configuration(folder, resume)
    kind, _, path = str(begun.get("engine")).partition(":")  # all that older runs say of it
    path = begun.get("records", path if kind == "predictor" else "")
    return Path(path) if path else None


class _OutOfTimeError(Exception):
    """The wall time that the user allowed is used up."""


class _AfterStep:
    """What happens once a step is in the journal: it is checked, kept and told."""

    def __init__(
        self,
        folder: Path,
        searcher: AmbientSearcher,
        tracker: Tracker,
        metric: str,
        ends: float | None,
        on_step: Callable[[Step], None] | None,
    ) -> None:
        self._folder, self._searcher, self._tracker = folder, searcher, tracker
        self._metric, self._ends, self._on_step = metric, ends, on_step
        self._spent: dict[str, float] = {}  # in the steps so far
        for line in read_journal(folder / JOURNAL):
            add_costs(self._spent, line)

    def __call__(self, step: Step) -> None:
        if step.failed == len(step.evaluations):
            raise RunError(
                f"{self._folder}: all {step.failed} children of step {step.number} failed, the first with "
                f"{step.evaluations[0].reason!r}; correct what is wrong, then go on with --resume --retry-failed"
            )
        self._searcher.save_checkpoint(self._folder / CHECKPOINTS)
        line = step.to_dict()
        add_costs(self._spent, line)
        self._tracker.log(step.number, step_values(line, self._metric, self._spent))
        if self._on_step:
            self._on_step(step)
        if self._ends is not None and time.monotonic() > self._ends:
            raise _OutOfTimeError


def _track_outcome(
    tracker: Tracker,
    folder: Path,
    corpora: Corpora,
    controller: Controller,
    draw: Callable[[Controller], Mapping[str, Any]] | None,
) -> None:
    """Record all evaluations of a run, figures of its controller, and the controller itself."""
    categories = {spec.name: spec.category for spec in corpora.tasks}
    lines = read_journal(folder / JOURNAL)
    tracker.table("evaluations", *evaluation_table(lines, controller.space, categories))
    for name, figure in (draw(controller) if draw else {}).items():
        tracker.figure(name, figure)
    tracker.artifact(folder / "controller", name="controller", type="model")


def _stretches(first: int, last: int, every: int | None) -> list[int]:
    """Give the steps to stop before, so that rounds of real children come after each multiple of `every`."""
    between = range(every, last, every) if every else ()
    return [*(step for step in between if step > first), last]


def _is_round(step: int, until: int, every: int | None) -> bool:
    return every is not None and 0 < step < until and step % every == 0


def _open_engine(
    stack: ExitStack,
    choice: EngineChoice,
    tasks: Mapping[str, TaskData],
    store: Store,
    retry_failed: bool,
) -> Engine:
    """Open the engine; what children that it trains come to, and what they cost, is remembered."""
    engine = open_engine(choice, tasks)
    if not choice.trains:
        return engine
    meter = stack.enter_context(closing(EnergyMeter()))
    return Remembering(engine, store, retry_failed, meter)


def write_descriptors(folder: Path, described: Mapping[str, Descriptors]) -> None:
    """Write the descriptors of a run's tasks into its folder."""
    texts = {name: json.loads(one.to_json()) for name, one in described.items()}
    write_json_atomic(folder / DESCRIPTORS, texts)


def read_descriptors(folder: Path) -> dict[str, Descriptors]:
    """Read the descriptors that a run was begun with; an absent file holds none.

    Raises
    ------
    RunError
        The file is not what `write_descriptors` wrote.
    """
    from descriptors.pipeline import Descriptors

    path = folder / DESCRIPTORS
    if not path.exists():
        return {}
    return {
        name: Descriptors.from_json(json.dumps(values))
        for name, values in read_json(path, "file of descriptors").items()
    }
