"""The joint searcher: one controller, trained by PPO over many tasks at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ambient.child.fidelity import Fidelity
from ambient.child.stopping import Rung, check_rungs
from ambient.controller.baselines import Baselines, reward
from ambient.controller.card import Controller, TrainingTask
from ambient.controller.checkpoint import read_checkpoint, write_checkpoint
from ambient.controller.policy import Policy
from ambient.controller.ppo import Step, update
from ambient.controller.scaling import Scaler
from ambient.errors import RunError
from ambient.evaluate.records import Evaluation, Request
from ambient.files import short_hash
from ambient.search.config import AmbientConfig
from ambient.search.open_step import OpenStep, opened_in, pair_of, step_state, steps_of
from ambient.search.start import check_space
from ambient.search.stopping import EarlyStopping
from ambient.search.strands import draw_until_strands_differ
from ambient.space import Architecture, SearchSpace

if TYPE_CHECKING:
    from descriptors.record import Descriptors

__all__ = ["AmbientSearcher"]


class AmbientSearcher:
    """Asks for architectures for a few tasks at a time, and learns from what they earn.

    Each step takes the next tasks of a shuffled order, so that all are visited equally often,
    samples architectures for each from the policy given the task's descriptors (for a stranded one
    again, until they tell the strands apart), and after their evaluation runs one PPO update over
    the buffer of recent steps. An architecture that is sampled twice for a task is asked for once
    and counts twice.

    Parameters
    ----------
    space : SearchSpace
    tasks : mapping of str to (Descriptors or None)
        The training tasks; None gives a vector of zeros (a search of one task needs no
        descriptors).
    fidelity : Fidelity
        Of every child.
    config : AmbientConfig
    seed : int
        Of everything random here, and of every child, so that the store knows a repeated
        architecture again.
    controller : Controller, optional
        Whose policy, shape and reading of descriptors the search begins with; else with random weights.
    proposals : mapping of str to sequence of Architecture, optional
        Of each task, what is asked for, in this order, before anything is sampled for it. The
        policy learns from them as from its samples.

    Raises
    ------
    RunError
        There is no task, or the controller is of another space, another schema of descriptors or
        another finder of motifs.

    Notes
    -----
    Every baseline begins with the mean of its task's first batch, also where a controller's predictor
    expects something. That errs in the level of a new data set by more than architectures differ, so
    that all that is proposed would be pushed down together, or up.
    """

    def __init__(
        self,
        space: SearchSpace,
        tasks: Mapping[str, Descriptors | None],
        fidelity: Fidelity,
        config: AmbientConfig | None = None,
        seed: int = 0,
        controller: Controller | None = None,
        proposals: Mapping[str, Sequence[Architecture]] | None = None,
    ) -> None:
        if not tasks:
            raise RunError("controller: found no training task; name at least one")
        self.space, self.fidelity, self.seed = space, fidelity, seed
        config = config or AmbientConfig()
        if controller is not None:
            check_space(controller, space)
            shape = controller.policy.config
            warmer = replace(shape, temperature=shape.temperature * config.curiosity)
            config = replace(config, policy=warmer)
        self.config = config
        self.names = tuple(sorted(tasks))
        self.scaler = (
            controller.scaler if controller else Scaler.fit([tasks[name] for name in self.names])
        )
        seeds = np.random.SeedSequence(seed).generate_state(4)
        self._sampling, self._shuffling, self._ordering = (_generator(int(s)) for s in seeds[:3])
        self._vectors = {
            name: torch.from_numpy(self.scaler.transform(tasks[name])) for name in self.names
        }
        self._stranded = frozenset(
            name for name, one in tasks.items() if one is not None and one.stranded
        )
        if config.shuffle_descriptors:
            self._shuffle_descriptors()
        self.policy = Policy(space, config.policy, len(self.scaler.names), seed=int(seeds[3]))
        if controller is not None:
            self.policy.load_state_dict(controller.policy.state_dict())
        self._begun_from = controller.weights_sha256 if controller else None
        self._proposed = {  # tokens, still to be asked for
            task: deque(one.tokens for one in those) for task, those in (proposals or {}).items()
        }
        self.optimiser = torch.optim.Adam(
            self.policy.parameters(), lr=config.ppo.learning_rate, eps=1e-5, fused=True
        )
        self.baselines = Baselines(config.baseline_decay)
        self._stopping = EarlyStopping(config.early_stopping) if config.early_stopping else None
        if self._stopping:
            check_rungs(self._stopping.rungs(self.names[0]), fidelity)  # before a child fails of it
        self.steps = 0  # updates made
        self.logs: Mapping[str, float] = {}  # of the newest update, as `ppo.update` names them
        self._buffer: deque[Step] = deque(maxlen=config.ppo.buffer_steps)
        self._queue: list[str] = []  # tasks of this epoch that are still to be visited
        self._open: deque[OpenStep] = deque()  # asked, not yet told

    def ask(self, count: int, /) -> list[Request]:
        """Sample the next step's architectures from the policy as it is now.

        Parameters
        ----------
        count : int
            Most evaluations wanted; a full step is `tasks_per_step` times `architectures_per_task`.

        Returns
        -------
        list of Request
            At least one, at most `count`, all different.
        """
        if count < 1:
            raise RunError(f"controller: asked for {count} evaluations; ask for at least 1")
        each = min(self.config.architectures_per_task, count)
        visited = self._next_tasks(min(self.config.tasks_per_step, count // each))
        tasks = tuple(task for task in visited for _ in range(each))
        descriptors = torch.stack([self._vectors[task] for task in tasks])
        tokens, log_probabilities = self._drawn(tasks, descriptors)
        unknown = torch.full((len(tasks),), torch.nan)
        opened = self._spelled_out(
            Step(tasks, descriptors, tokens, log_probabilities, unknown),
            {task: self._stopping.rungs(task) for task in visited} if self._stopping else {},
        )
        self._open.append(opened)
        return opened.different()

    def _drawn(self, tasks: Sequence[str], descriptors: Tensor) -> tuple[Tensor, Tensor]:
        """Sample an architecture for each row, but take what is proposed for its task first."""
        tokens, log_probabilities = self.policy.sample(descriptors, self._sampling)
        for row, task in enumerate(tasks):
            if self._proposed.get(task):
                tokens[row] = torch.tensor(self._proposed[task].popleft())
                one = slice(row, row + 1)
                proposed = self.policy.log_probability(descriptors[one], tokens[one])
                log_probabilities[one] = proposed.detach()
        stranded = [task if task in self._stranded else None for task in tasks]
        draw_until_strands_differ(
            self.policy, stranded, descriptors, tokens, log_probabilities, self._sampling
        )
        return tokens, log_probabilities

    def accepts(self, task: str, architecture: Architecture) -> bool:
        """Whether a task has a use for an architecture: a stranded one for those that tell the strands apart."""
        return task not in self._stranded or not architecture.reads_both_strands

    def tell(self, evaluations: Sequence[Evaluation], /) -> None:
        """Take in the results of the oldest step that waits for them, in any order; the policy learns.

        Raises
        ------
        RunError
            No step waits, an evaluation is not one of that step's, or one is missing.
        """
        asked = self._open[0].different() if self._open else []
        wanted = {pair_of(request) for request in asked}
        earned: dict[tuple[str, str], float | None] = {}
        for evaluation in evaluations:
            pair = pair_of(evaluation)
            if pair not in wanted:
                raise RunError(
                    f"controller: told of architecture {pair[1]} on task {pair[0]}, which the oldest open "
                    "step did not ask for; tell what `ask` returned, step by step"
                )
            earned[pair] = self._earned(evaluation)
        if len(earned) < max(len(wanted), 1):
            raise RunError(
                f"controller: told {len(earned)} of the {len(wanted)} results of the oldest open step; "
                "tell all of a step together"
            )
        if self._stopping:
            self._stopping.observe(evaluations)
        self._learn(self._open.popleft(), earned)

    def _earned(self, evaluation: Evaluation) -> float | None:
        if self._stopping and evaluation.state == "stopped":
            return self._stopping.guess(evaluation)
        return reward(evaluation, self.config.metric)

    @property
    def vectors(self) -> dict[str, np.ndarray]:
        """The standardised descriptors of each task as the policy reads them; float32, (2 D,)."""
        return {name: vector.numpy() for name, vector in self._vectors.items()}

    def open_steps(self) -> list[list[Request]]:
        """Give what was asked and not yet told, the oldest step first."""
        return [opened.different() for opened in self._open]

    def controller(self) -> Controller:
        """Give a copy of the controller as it is now, to save or to propose with."""
        policy = Policy(self.space, self.config.policy, len(self.scaler.names))
        policy.load_state_dict(self.policy.state_dict())
        policy.requires_grad_(False)
        baselines = self.baselines.to_dict()
        tasks = tuple(
            TrainingTask(name, tuple(self._vectors[name].tolist()), baselines.get(name))
            for name in self.names
        )
        training = {"steps": self.steps, **self._identity()}
        return Controller(policy, self.scaler, tasks, self.config.metric, training)

    def state_dict(self) -> dict[str, Any]:
        """Give all that the future depends on: JSON values and tensors, nested in mappings."""
        moments = self.optimiser.state_dict()["state"]
        return {
            "identity": self._identity(),
            "steps": self.steps,
            "logs": dict(self.logs),
            "policy": dict(self.policy.state_dict()),
            "optimiser": {str(index): dict(values) for index, values in moments.items()},
            "baselines": self.baselines.state_dict(),
            "buffer": {str(index): step_state(step) for index, step in enumerate(self._buffer)},
            "open": {str(index): one.to_state() for index, one in enumerate(self._open)},
            **({"stopping": self._stopping.state_dict()} if self._stopping else {}),
            "queue": list(self._queue),
            "proposed": {task: list(map(list, left)) for task, left in self._proposed.items()},
            "generators": {
                "sampling": self._sampling.get_state(),
                "shuffling": self._shuffling.get_state(),
                "ordering": self._ordering.get_state(),
            },
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state_dict` gave; what follows is then the same, bit for bit.

        Raises
        ------
        RunError
            The state is of a search with another space, tasks, fidelity, configuration or seed.
        """
        for name, needed in self._identity().items():
            found = state["identity"].get(name)
            if found != needed:
                raise RunError(
                    f"controller: the checkpoint's {name} is {found}, but this run's is {needed}; "
                    "resume with what the run was begun with, or begin a new run"
                )
        self.steps = state["steps"]
        self.logs = dict(state["logs"])
        self.policy.load_state_dict(state["policy"])
        optimiser = self.optimiser.state_dict()
        optimiser["state"] = {int(i): dict(values) for i, values in state["optimiser"].items()}
        self.optimiser.load_state_dict(optimiser)
        self.baselines.load_state_dict(state["baselines"])
        self._buffer.clear()
        self._buffer.extend(steps_of(state["buffer"]))
        self._open.clear()
        self._open.extend(self._spelled_out(*opened) for opened in opened_in(state))
        if self._stopping:
            self._stopping.load_state_dict(state["stopping"])
        self._queue = list(state["queue"])
        # States from before there could be proposals hold none.
        proposed = state.get("proposed", {}).items()
        self._proposed = {task: deque(map(tuple, left)) for task, left in proposed}
        self._sampling.set_state(state["generators"]["sampling"])
        self._shuffling.set_state(state["generators"]["shuffling"])
        self._ordering.set_state(state["generators"]["ordering"])

    def save_checkpoint(self, folder: str | Path) -> Path:
        """Write the state after the newest step; the folder keeps the last two checkpoints."""
        return write_checkpoint(folder, self.steps, self.state_dict())

    def load_checkpoint(self, folder: str | Path) -> str | None:
        """Go back to the newest whole checkpoint; say what was wrong with a newer one, if any.

        Raises
        ------
        RunError
            There is no whole checkpoint, or it is of another search.
        """
        state, notice = read_checkpoint(folder)
        self.load_state_dict(state)
        return notice

    def _spelled_out(self, step: Step, rungs: Mapping[str, tuple[Rung, ...]]) -> OpenStep:
        rows = zip(step.tasks, step.tokens.tolist(), strict=True)
        settings = self.seed, self.fidelity
        return OpenStep(
            step,
            [
                Request(task, self.space.architecture(tuple(row)), *settings, rungs.get(task, ()))
                for task, row in rows
            ],
            rungs,
        )

    def _learn(self, told: OpenStep, earned: Mapping[tuple[str, str], float | None]) -> None:
        """Close a step: rewards, baselines, buffer, update."""
        by_task: dict[str, list[float | None]] = {}
        for request in told.requests:
            by_task.setdefault(request.task, []).append(earned[pair_of(request)])
        unknown = [task for task in by_task if task not in self.baselines]
        # Samples of one task stand together in a step, so the order here is that of the step.
        rewards = [
            value for task, batch in by_task.items() for value in self.baselines.update(task, batch)
        ]
        self._settle([task for task in unknown if task in self.baselines])
        step = told.step
        self._buffer.append(
            Step(
                step.tasks,
                step.descriptors,
                step.tokens,
                step.log_probabilities,
                torch.tensor(rewards, dtype=torch.float32),
            )
        )
        logs = update(
            self.policy,
            self.optimiser,
            tuple(self._buffer),
            {task: self.baselines[task] for step in self._buffer for task in step.tasks},
            self.config.ppo,
            self._shuffling,
        )
        today = {
            f"baseline/{task}": self.baselines[task] for task in by_task if task in self.baselines
        }
        self.logs = {"reward": sum(rewards) / len(rewards), **logs, **today}
        self.steps += 1

    def _settle(self, tasks: Sequence[str]) -> None:
        """Give their floor to the children of tasks that all failed before it was known."""
        for task in tasks:
            floor = torch.tensor(self.baselines.floor(task))
            for index, step in enumerate(self._buffer):
                rows = torch.tensor([one == task for one in step.tasks])
                settled = torch.where(rows, floor, step.rewards)
                self._buffer[index] = replace(step, rewards=settled)

    def _next_tasks(self, count: int) -> list[str]:
        """Take the next tasks, all different; shuffle anew when every task had its turn."""
        taken: list[str] = []
        count = min(count, len(self.names))
        while len(taken) < count:
            if not self._queue:
                order = torch.randperm(len(self.names), generator=self._ordering).tolist()
                self._queue = [self.names[index] for index in order]
            # Where a step begins an epoch anew, a task that it already has waits for the next step.
            task = next(name for name in self._queue if name not in taken)
            self._queue.remove(task)
            taken.append(task)
        return taken

    def _shuffle_descriptors(self) -> None:
        """Give each task the descriptors of another one: of the next in a random circle."""
        order = torch.randperm(len(self.names), generator=self._ordering).tolist()
        circle = [self.names[index] for index in order]
        following = [*circle[1:], circle[0]]
        vectors = {
            name: self._vectors[other] for name, other in zip(circle, following, strict=True)
        }
        self._vectors = vectors

    def _identity(self) -> dict[str, Any]:
        """Say what makes a run itself; a checkpoint is of no use to any other."""
        vectors = {name: self._vectors[name].tolist() for name in self.names}
        return {
            "space": f"{self.space.name} (version {self.space.version}, "
            f"{short_hash(self.space.to_dict())})",
            "fidelity": f"{self.fidelity.name} ({self.fidelity.hash})",
            "seed": self.seed,
            "tasks": f"{len(self.names)} tasks ({short_hash(vectors)})",
            "config": self.config.to_dict(),
            **({"begun_from": self._begun_from} if self._begun_from else {}),
        }


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
