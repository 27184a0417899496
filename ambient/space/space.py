"""A search space: its decisions, how many architectures it holds, and how to draw one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ambient.errors import SpaceError
from ambient.files import read_yaml
from ambient.space.architecture import Architecture
from ambient.space.decisions import Condition, Decision, Place, space_as_data
from ambient.space.operations import Operation, Settings
from ambient.space.reading import parse_space

__all__ = ["SearchSpace"]

NOT_APPLYING = -1  # the token of a decision whose conditions do not hold


@dataclass(frozen=True)
class SearchSpace:
    """Ordered decisions, and the network that they make.

    Parameters
    ----------
    name : str
        Name of the space.
    version : int
        Counts up whenever what the space offers changes.
    decisions : tuple of Decision
        In the order in which a controller takes them.
    network : tuple of Place
        In the order in which DNA passes through the layers.
    window_bp : int
        Input window where no decision sets it, in base pairs.
    batch_normalisation : bool
        Whether batch normalisation follows each convolution.
    description : str
        For people.
    """

    name: str
    version: int
    decisions: tuple[Decision, ...]
    network: tuple[Place, ...]
    window_bp: int
    batch_normalisation: bool = True
    description: str = ""

    @classmethod
    def read(cls, path: str | Path) -> SearchSpace:
        """Read a space from a YAML file.

        Raises
        ------
        SpaceError
            The file is missing or says something that makes no space; names the file, the decision
            and the nearest known word.
        """
        return cls.from_dict(read_yaml(path, "search space", SpaceError), str(path))

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], where: str = "search space") -> SearchSpace:
        """Read what `to_dict` gives, or what a YAML file holds."""
        space = cls(**parse_space(content, where))
        generator = np.random.default_rng(0)
        for _ in range(16):  # what cannot stand in a network shows before anything is trained
            try:
                space.sample(generator)
            except SpaceError as error:
                raise SpaceError(f"{where}: {error}") from error
        return space

    def to_dict(self) -> dict[str, Any]:
        """Give the whole space as plain JSON data."""
        head = {
            "name": self.name,
            "version": self.version,
            "description": self.description,
            "window_bp": self.window_bp,
            "batch_normalisation": self.batch_normalisation,
        }
        return {**head, **space_as_data(self.decisions, self.network)}

    @cached_property
    def skips(self) -> tuple[int, ...]:
        """Indices of the decisions about skip connections; token 1 takes the skip, 0 does not."""
        return tuple(n for n, decision in enumerate(self.decisions) if decision.skip is not None)

    @cached_property
    def widest_window_bp(self) -> int | None:
        """The widest input that an architecture sets for itself; None where all take the task's."""
        widths = [
            int(choice.parameters["window_bp"])
            for decision in self.decisions
            if decision.sets == "window"
            for choice in decision.choices
        ]
        return max(widths, default=None)

    def is_active(self, index: int, prefix: Sequence[int]) -> bool:
        """Does the decision `index` apply, given the tokens of the decisions before it?"""
        return _hold(self.decisions[index].when, prefix)

    def options(self, prefix: Sequence[int]) -> tuple[Operation, ...]:
        """Give what may be chosen next; empty where the next decision does not apply."""
        index = len(prefix)
        return self.decisions[index].choices if self.is_active(index, prefix) else ()

    def architecture(self, tokens: Sequence[int]) -> Architecture:
        """Give the architecture of one token for each decision.

        Parameters
        ----------
        tokens : sequence of int, shape (decisions,)
            Index of the choice; -1 exactly where a decision does not apply.

        Raises
        ------
        SpaceError
            Too few or too many tokens, one outside its range, or one given (missing) where the
            decision does not (does) apply.
        """
        tokens = tuple(int(token) for token in tokens)
        self._check_tokens(tokens)
        chosen = {
            index: decision.choices[token]
            for index, (decision, token) in enumerate(zip(self.decisions, tokens, strict=True))
            if token != NOT_APPLYING
        }
        settings = self._settings(chosen)
        window_bp = settings.pop("window_bp", None)
        places = [
            (number, place)
            for number, place in enumerate(self.network)
            if (
                place.decision in chosen
                if place.decision is not None
                else _hold(place.when, tokens)
            )
        ]
        layers = tuple(
            place.layer(chosen, f'space "{self.name}", place {number} of the network')
            for number, place in places
        )
        return Architecture(
            space=self.name,
            space_version=self.version,
            tokens=tokens,
            layers=layers,
            window_bp=window_bp,
            recipe=Settings(settings),
            batch_normalisation=self.batch_normalisation,
            skips=self._skips_of(tokens, [place.decision for _, place in places]),
        )

    def _skips_of(
        self, tokens: tuple[int, ...], layers: Sequence[int | None]
    ) -> tuple[tuple[int, int], ...]:
        """Give the pairs of layers between which skips are taken, ascending."""
        taken = [self.decisions[index].skip for index in self.skips if tokens[index] == 1]
        return tuple(
            sorted((layers.index(skip[0]), layers.index(skip[1])) for skip in taken if skip)
        )

    def _settings(self, chosen: Mapping[int, Operation]) -> dict[str, Any]:
        """Give the window and the recipe that these choices set."""
        settings: dict[str, Any] = {}
        for index, choice in chosen.items():
            if self.decisions[index].sets not in ("window", "recipe"):
                continue
            for name, value in choice.parameters.items():
                if name in settings:
                    raise SpaceError(
                        f'space "{self.name}", decision "{self.decisions[index].name}": found '
                        f'"{name}" set again where once was needed, since an earlier decision sets '
                        'it too; give the two "when" conditions that exclude each other'
                    )
                settings[name] = value
        return settings

    def _check_tokens(self, tokens: tuple[int, ...]) -> None:
        if len(tokens) != len(self.decisions):
            raise SpaceError(
                f'space "{self.name}": found {len(tokens)} tokens where {len(self.decisions)} were '
                "needed; give one for each decision, -1 where it does not apply"
            )
        for index, (decision, token) in enumerate(zip(self.decisions, tokens, strict=True)):
            where = f'space "{self.name}", decision "{decision.name}"'
            if not self.is_active(index, tokens):
                if token != NOT_APPLYING:
                    raise SpaceError(
                        f"{where}: found the token {token} where -1 was needed, since the decision "
                        "does not apply after the earlier choices; give -1"
                    )
            elif not 0 <= token < len(decision.choices):
                raise SpaceError(
                    f"{where}: found the token {token} where one from 0 to "
                    f"{len(decision.choices) - 1} was needed; choose one in that range"
                )

    def sample(self, generator: np.random.Generator) -> Architecture:
        """Draw an architecture: each decision that applies uniformly among its choices.

        Uniform over architectures where no decision has conditions. Where some have, each earlier
        choice is as likely as the others, however many architectures lie behind it.
        """
        tokens: list[int] = []
        for _ in self.decisions:
            count = len(self.options(tokens))
            tokens.append(int(generator.integers(count)) if count else NOT_APPLYING)
        return self.architecture(tokens)

    def enumerate(self) -> Iterator[Architecture]:
        """Give every architecture, one at a time, in the order of the tokens."""
        return (self.architecture(tokens) for tokens in self._continuations(()))

    def _continuations(self, prefix: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        if len(prefix) == len(self.decisions):
            yield prefix
            return
        count = len(self.options(prefix))
        for token in range(count) if count else (NOT_APPLYING,):
            yield from self._continuations((*prefix, token))

    @cached_property
    def size(self) -> int:
        """How many architectures the space holds, exactly.

        Counts token lists by dynamic programming over the decisions: two beginnings are one state
        when every later condition sees them alike, so nothing is enumerated.
        """
        # For each decision, the token sets that later conditions ask about.
        asked: list[list[frozenset[int]]] = [[] for _ in self.decisions]
        last_use = [0] * len(self.decisions)
        for index, decision in enumerate(self.decisions):
            for condition in decision.when:
                if condition.tokens not in asked[condition.decision]:
                    asked[condition.decision].append(condition.tokens)
                last_use[condition.decision] = index
        states: dict[frozenset[tuple[int, frozenset[int]]], int] = {frozenset(): 1}
        for index, decision in enumerate(self.decisions):
            following: dict[frozenset[tuple[int, frozenset[int]]], int] = {}
            for state, count in states.items():
                applies = all((c.decision, c.tokens) in state for c in decision.when)
                kept = {fact for fact in state if last_use[fact[0]] > index}
                tokens = range(len(decision.choices)) if applies else (NOT_APPLYING,)
                for token in tokens:
                    facts = {(index, wanted) for wanted in asked[index] if token in wanted}
                    reached = frozenset(kept | facts)
                    following[reached] = following.get(reached, 0) + count
            states = following
        return sum(states.values())


def _hold(conditions: Sequence[Condition], tokens: Sequence[int]) -> bool:
    return all(tokens[condition.decision] in condition.tokens for condition in conditions)
