"""The parts of a search space: decisions, conditions between them, places in the network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ambient.space.operations import Operation, Value, read_operation

__all__ = [
    "SETS",
    "Condition",
    "Decision",
    "Place",
    "Reference",
    "choice_as_data",
    "key_of",
    "matches",
    "space_as_data",
]

# What a decision may set: a whole layer; the input window; settings of the training recipe; a
# parameter that places in the network and conditions refer to, such as a number of blocks; or
# whether what one layer gives is added to what a later one gives.
SETS = ("layer", "parameter", "recipe", "skip", "window")


@dataclass(frozen=True)
class Condition:
    """One earlier decision must have taken one of these tokens.

    It does not hold where the earlier decision does not apply itself.
    """

    decision: int  # index of the earlier decision
    tokens: frozenset[int]


@dataclass(frozen=True)
class Decision:
    """One thing that the space leaves open.

    Parameters
    ----------
    name : str
        Unique in the space.
    sets : str
        One of `SETS`.
    choices : tuple of Operation
        What may be chosen; a token is an index into it.
    when : tuple of Condition
        All must hold for the decision to apply; empty: it always does.
    shares : str or None
        Decisions of one group offer equally many choices of like meaning; a controller may share
        their embeddings.
    skip : tuple of int or None
        Of a skip, the layer decisions that it leads from and to; its choices are no (0) and yes (1).
    """

    name: str
    sets: str
    choices: tuple[Operation, ...]
    when: tuple[Condition, ...] = ()
    shares: str | None = None
    skip: tuple[int, int] | None = None


@dataclass(frozen=True)
class Reference:
    """The value of a parameter decision, passed through a table where there is one."""

    decision: int
    table: tuple[tuple[Value, Value], ...] = ()

    def look_up(self, value: Value) -> Value:
        """Give what the layer gets when the decision chose `value`."""
        return dict(self.table)[value] if self.table else value


@dataclass(frozen=True)
class Place:
    """One place in the network: a layer decision, or a layer that is fixed up to references.

    Parameters
    ----------
    decision : int or None
        Index of the layer decision that fills the place; None for a layer that is written out.
    values : tuple of (str, value or Reference)
        The written layer: ``operation`` and its parameters.
    when : tuple of Condition
        All must hold for the layer to exist.
    """

    decision: int | None = None
    values: tuple[tuple[str, Value | Reference], ...] = ()
    when: tuple[Condition, ...] = ()

    def layer(self, chosen: Mapping[int, Operation], where: str) -> Operation:
        """Give the layer that stands here, given what each applying decision chose."""
        if self.decision is not None:
            return chosen[self.decision]
        entry: dict[str, Any] = {}
        for name, value in self.values:
            if isinstance(value, Reference):
                value = value.look_up(chosen[value.decision].parameters["value"])
            entry[name] = value
        return read_operation(entry, where)


def choice_as_data(sets: str, choice: Operation) -> Any:
    """Give a choice as a space's file writes it."""
    if sets == "layer":
        return choice.to_dict()
    if sets == "recipe":
        return dict(choice.parameters)
    return choice.parameters["window_bp" if sets == "window" else "value"]


def key_of(value: Value) -> str:
    """Give the key under which a reference's table has a value; JSON has no keys but text."""
    return value if isinstance(value, str) else json.dumps(value)


def matches(sets: str, choice: Operation, wanted: Any) -> bool:
    """Is this choice the one that a condition names?

    A mapping names every choice that has all its values; a plain value names a layer by its
    operation and anything else by its value.
    """
    data = choice_as_data(sets, choice)
    if isinstance(wanted, dict):
        return isinstance(data, dict) and all(
            name in data and _equal(data[name], value) for name, value in wanted.items()
        )
    if sets == "layer":
        return bool(choice.kind == wanted)
    if sets == "recipe":
        return len(data) == 1 and _equal(next(iter(data.values())), wanted)
    return _equal(data, wanted)


def _equal(left: Any, right: Any) -> bool:
    """Compare values; true is not 1."""
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def space_as_data(decisions: tuple[Decision, ...], network: tuple[Place, ...]) -> dict[str, Any]:
    """Give decisions and network as `parse_space` reads them."""

    def conditions(when: tuple[Condition, ...]) -> dict[str, Any]:
        if not when:
            return {}
        named: dict[str, Any] = {}
        for condition in when:
            other = decisions[condition.decision]
            named[other.name] = [
                choice_as_data(other.sets, other.choices[token])
                for token in sorted(condition.tokens)
            ]
        return {"when": named}

    def offer(decision: Decision) -> dict[str, Any]:
        if decision.skip is not None:
            source, target = decision.skip
            return {"from": decisions[source].name, "to": decisions[target].name}
        return {"choices": [choice_as_data(decision.sets, choice) for choice in decision.choices]}

    def value_as_data(value: Value | Reference) -> Any:
        if not isinstance(value, Reference):
            return value
        name = decisions[value.decision].name
        if not value.table:
            return {"from": name}
        return {"from": name, "map": {key_of(key): given for key, given in value.table}}

    return {
        "decisions": [
            {
                "name": decision.name,
                "sets": decision.sets,
                **offer(decision),
                **conditions(decision.when),
                **({} if decision.shares is None else {"shares": decision.shares}),
            }
            for decision in decisions
        ],
        "network": [
            {"decision": decisions[place.decision].name}
            if place.decision is not None
            else {
                **{name: value_as_data(value) for name, value in place.values},
                **conditions(place.when),
            }
            for place in network
        ],
    }
