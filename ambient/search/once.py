"""No searcher trains an architecture twice: what is known already is answered from memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ambient.errors import RunError
from ambient.evaluate.records import Evaluation, Request
from ambient.search.loop import Searcher
from ambient.space import Architecture

__all__ = ["Once"]

# So many steps of a searcher in a row that hold only what it was told before mean that it has
# settled, or that nothing is left.
PATIENCE = 10
# So many architectures that are refused before one is found that is not mean that there is none.
MOST_REFUSED = 2000

Refusal = Callable[[Architecture], str | None]


class Once:
    """Asks what another searcher asks, but each architecture only once for each task.

    A searcher that learns comes back to what it found good. What it was told before it is told
    again, without an evaluation: a budget of 100 evaluations is one of 100 trained children. An
    architecture that is refused is told as failed, and nobody trains it.

    The search ends where `PATIENCE` steps in a row hold nothing new, so it ends by itself on a space
    that is smaller than its budget, and where a controller has made up its mind; and where
    `MOST_REFUSED` architectures were refused before one was found that may be trained.

    Parameters
    ----------
    searcher : Searcher
        May ask for what it likes; is told the results of each of its steps, in its order. It is
        told states, reasons and metrics alone, not what an evaluation cost or how it went.
    refuse : callable, optional
        Says of an architecture why it must not be trained; None where it may be.
    """

    def __init__(self, searcher: Searcher, refuse: Refusal | None = None) -> None:
        self.searcher = searcher
        self._refuse = refuse
        self._known: dict[tuple[str, str], _Known] = {}  # (task, architecture key) to its result
        self._open: deque[list[Request]] = deque()  # what is new of the searcher's steps
        self._sampled = 0  # architectures that the searcher asked for, known ones included
        self.logs: Mapping[str, float] = {}

    def ask(self, count: int, /) -> list[Request]:
        """Let the searcher ask until there is something new; nothing where it has nothing new."""
        idle = refused = 0
        while idle < PATIENCE and refused < MOST_REFUSED:
            requests = self.searcher.ask(count)
            if not requests:
                break
            self._sampled += len(requests)
            before = len(self._known)
            new = self._new(requests)
            if new:
                self._open.append(new)
                return list(new)
            refused += len(self._known) - before
            idle = 0 if len(self._known) > before else idle + 1
            self._pass_on()
        return []

    def _new(self, requests: Sequence[Request]) -> list[Request]:
        asked = {_pair(request) for step in self._open for request in step}
        new: dict[tuple[str, str], Request] = {}
        for request in requests:
            pair = _pair(request)
            if pair in self._known or pair in asked:
                continue
            reason = self._refuse(request.architecture) if self._refuse else None
            if reason is None:
                new.setdefault(pair, request)
            else:
                self._known[pair] = _Known("failed", reason, {})
        return list(new.values())

    def _pass_on(self) -> None:
        """Tell the searcher each of its oldest steps of which all is known."""
        for step in self.searcher.open_steps():
            known = [self._known.get(_pair(request)) for request in step]
            if None in known:
                return
            self.searcher.tell(
                [one.answer(request) for one, request in zip(known, step, strict=True) if one]
            )

    def tell(self, evaluations: Sequence[Evaluation], /) -> None:
        """Learn from all results of the oldest open step, in any order.

        Raises
        ------
        RunError
            No step waits, or these are not its results.
        """
        asked = [_pair(request) for request in self._open[0]] if self._open else []
        told = {_pair(one): one for one in evaluations}
        if not asked or set(told) != set(asked) or len(evaluations) != len(asked):
            raise RunError(
                f"search: told {len(evaluations)} results, of which {len(set(told) & set(asked))} are "
                f"of the {len(asked)} that the oldest open step waits for; tell what `ask` gave, step "
                "by step"
            )
        self._open.popleft()
        for pair in asked:
            one = told[pair]
            self._known[pair] = _Known(one.state, one.reason, dict(one.metrics))
        self._pass_on()
        self._take_logs()

    def favourite(self) -> Architecture | None:
        """Give what the searcher holds to be best of what was trained; None where it leaves that to the results."""
        own = getattr(self.searcher, "favourite", None)
        return own() if own else None

    def _take_logs(self) -> None:
        self.logs = {**self.searcher.logs, "sampled": float(self._sampled)}

    def open_steps(self) -> list[list[Request]]:
        """Give what was asked and not yet told, the oldest step first."""
        return [list(step) for step in self._open]

    def state_dict(self) -> dict[str, Any]:
        """Give JSON values, and the tensors of the searcher, from which `load_state_dict` goes on."""
        return {
            "searcher": self.searcher.state_dict(),
            "known": [[*pair, asdict(known)] for pair, known in self._known.items()],
            "open": [[request.to_dict() for request in step] for step in self._open],
            "sampled": self._sampled,
            "logs": dict(self.logs),
        }

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Go on from where `state_dict` was taken.

        Raises
        ------
        RunError
            The state is of another search.
        """
        self.searcher.load_state_dict(state["searcher"])
        self._known = {(task, key): _Known(**known) for task, key, known in state["known"]}
        self._open = deque([Request.from_dict(one) for one in step] for step in state["open"])
        self._sampled = state["sampled"]
        self.logs = dict(state["logs"])


@dataclass(frozen=True)
class _Known:
    """What a searcher may learn of an evaluation."""

    state: str
    reason: str
    metrics: dict[str, float | None]

    def answer(self, request: Request) -> Evaluation:
        """Give the evaluation that answers a request."""
        return Evaluation.of(
            request, "", state=self.state, reason=self.reason, metrics=self.metrics, created=""
        )


def _pair(one: Request | Evaluation) -> tuple[str, str]:
    return one.task, one.architecture.key
