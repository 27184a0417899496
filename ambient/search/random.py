"""Uniformly random architectures without repeats: what every other search must beat."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ambient.child.fidelity import Fidelity
from ambient.errors import RunError
from ambient.evaluate.records import Evaluation, Request
from ambient.space import Architecture, SearchSpace

__all__ = ["RandomSearcher"]

# So many known architectures drawn in a row mean that few are left: then the rest is listed.
PATIENCE = 200


class RandomSearcher:
    """Asks for random architectures, each once for each task, the tasks in turn.

    Parameters
    ----------
    space : SearchSpace
        What is drawn from, as `SearchSpace.sample` draws.
    tasks : sequence of str
        Names of the tasks, all different.
    fidelity : Fidelity
        Of every child.
    seed : int
        Of the draws.
    child_seed : int
        Of every child.

    Raises
    ------
    RunError
        There is no task, or one is named twice.
    """

    def __init__(
        self,
        space: SearchSpace,
        tasks: Sequence[str],
        fidelity: Fidelity,
        seed: int = 0,
        child_seed: int = 0,
    ) -> None:
        if not tasks or len(set(tasks)) < len(tasks):
            raise RunError(
                f"random search: found the tasks {list(tasks)}, at least one was needed and each "
                "once; correct the list"
            )
        self._space, self._tasks, self._fidelity = space, tuple(tasks), fidelity
        self._child_seed = child_seed
        self._rng = np.random.default_rng(seed)
        self._turn = 0  # index of the next task
        self._seen: dict[str, set[str]] = {task: set() for task in tasks}  # architecture keys
        self._open: deque[list[Request]] = deque()
        self.logs: Mapping[str, float] = {}

    def ask(self, count: int, /) -> list[Request]:
        """Draw new architectures; fewer than `count` where the space is used up on every task."""
        requests: list[Request] = []
        exhausted = 0
        while len(requests) < count and exhausted < len(self._tasks):
            task = self._tasks[self._turn]
            self._turn = (self._turn + 1) % len(self._tasks)
            architecture = self._draw(self._seen[task])
            if architecture is None:
                exhausted += 1
                continue
            exhausted = 0
            self._seen[task].add(architecture.key)
            requests.append(Request(task, architecture, self._child_seed, self._fidelity))
        if requests:
            self._open.append(requests)
        return requests

    def _draw(self, seen: set[str]) -> Architecture | None:
        # Tokens that differ may spell one network, so that counting to the space's size is no end.
        if len(seen) < self._space.size:
            for _ in range(PATIENCE):
                architecture = self._space.sample(self._rng)
                if architecture.key not in seen:
                    return architecture
        rest = list(self._unseen(seen))
        return rest[int(self._rng.integers(len(rest)))] if rest else None

    def _unseen(self, seen: set[str]) -> Iterator[Architecture]:
        found = set(seen)
        for architecture in self._space.enumerate():
            if architecture.key not in found:
                found.add(architecture.key)
                yield architecture

    def tell(self, evaluations: Sequence[Evaluation], /) -> None:
        """Learn nothing."""
        self._open.popleft()

    def open_steps(self) -> list[list[Request]]:
        """Give what was asked and not yet told, the oldest step first."""
        return [list(step) for step in self._open]

    def state_dict(self) -> dict[str, Any]:
        """Give JSON values from which `load_state_dict` goes on."""
        return {
            "generator": self._rng.bit_generator.state,
            "turn": self._turn,
            "seen": {task: sorted(keys) for task, keys in self._seen.items()},
            "open": [[request.to_dict() for request in step] for step in self._open],
        }

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Go on from where `state_dict` was taken.

        Raises
        ------
        RunError
            The state is of a search over other tasks.
        """
        if set(state["seen"]) != set(self._tasks):
            raise RunError(
                f"random search: the state is of the tasks {sorted(state['seen'])}, this search "
                f"has {sorted(self._tasks)}; resume with the same tasks"
            )
        self._rng.bit_generator.state = state["generator"]
        self._turn = state["turn"]
        self._seen = {task: set(keys) for task, keys in state["seen"].items()}
        self._open = deque([Request.from_dict(one) for one in step] for step in state["open"])
