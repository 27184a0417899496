"""From the YAML of a space to its decisions and places, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ambient.errors import SpaceError
from ambient.space.decisions import (
    SETS,
    Condition,
    Decision,
    Place,
    Reference,
    choice_as_data,
    key_of,
    matches,
)
from ambient.space.operations import (
    OPERATIONS,
    Operation,
    Parameter,
    Settings,
    Value,
    check_keys,
    read_operation,
    read_parameter,
    read_settings,
    unknown,
)
from ambient.space.skips import SKIP_CHOICES, expand_skips, read_skip

__all__ = ["parse_space"]

_SPACE_KEYS = (
    "name",
    "version",
    "description",
    "window_bp",
    "batch_normalisation",
    "decisions",
    "network",
)
_WINDOW = Parameter(int, least=1, most=1 << 24)
_VERSION = Parameter(int, least=1, most=1 << 31)


def parse_space(content: Any, where: str) -> dict[str, Any]:
    """Give the fields of a `SearchSpace` from plain data.

    Parameters
    ----------
    content : dict
        What a space's YAML file holds.
    where : str
        The file, named by every error.

    Raises
    ------
    SpaceError
        Anything that makes no space.
    """
    entry = check_keys(content, _SPACE_KEYS, ("name", "version", "window_bp", "decisions"), where)
    for name in ("name", "description"):
        _check_text(entry.get(name, ""), f'{where}, "{name}"')
    normalise = Parameter(bool).read(
        entry.get("batch_normalisation", True), f'{where}, "batch_normalisation"'
    )
    decisions = _parse_decisions(entry["decisions"], where)
    network = _parse_network(entry.get("network"), decisions, where)
    _check_all_used(decisions, network, where)
    _check_forwards(decisions, network, where)
    return {
        "name": entry["name"],
        "version": _VERSION.read(entry["version"], f'{where}, "version"'),
        "description": entry.get("description", "").strip(),
        "window_bp": _WINDOW.read(entry["window_bp"], f'{where}, "window_bp"'),
        "batch_normalisation": normalise,
        "decisions": decisions,
        "network": network,
    }


def _check_text(value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise SpaceError(f"{where}: found {value!r} where text was needed; quote it")


def _entries(content: Any, what: str, where: str) -> list[Any]:
    if not isinstance(content, list) or not content:
        raise SpaceError(f"{where}: found {content!r} where a list of {what} was needed; write one")
    return content


def _parse_decisions(content: Any, where: str) -> tuple[Decision, ...]:
    decisions: list[Decision] = []
    groups: dict[str, Decision] = {}
    listed = _entries(content, "decisions", f'{where}, "decisions"')
    for number, raw in enumerate(expand_skips(listed, where)):
        here = f"{where}: decision {number}"
        is_skip = isinstance(raw, dict) and raw.get("sets") == "skip"
        offer = ("from", "to") if is_skip else ("choices",)
        entry = check_keys(raw, ("name", "sets", *offer, "when", "shares"), ("name", *offer), here)
        name = entry["name"]
        _check_text(name, f'{here}, "name"')
        if name in [decision.name for decision in decisions]:
            raise SpaceError(
                f'{here}: found the name "{name}" of an earlier decision, needed one of its own; '
                "choose another"
            )
        here = f'{where}: decision "{name}"'
        sets = entry.get("sets", "layer")
        if sets not in SETS:
            raise SpaceError(unknown(f'{here}, "sets"', "value", sets, SETS))
        skip = None
        if is_skip:
            skip, entry["shares"] = read_skip(entry, decisions, here)
            choices = SKIP_CHOICES
        else:
            choices = tuple(
                _parse_choice(sets, choice, f"{here}, choice {position}")
                for position, choice in enumerate(_entries(entry["choices"], "choices", here))
            )
        if len(set(choices)) != len(choices):
            raise SpaceError(f"{here}: found the same choice twice; remove one of them")
        if entry.get("shares") is not None:
            _check_text(entry["shares"], f'{here}, "shares"')
        decision = Decision(
            name,
            sets,
            choices,
            _parse_when(entry.get("when"), decisions, here),
            entry.get("shares"),
            skip,
        )
        for end in skip or ():
            _check_implied(decision.when, decisions, end, here)
        if decision.shares is not None:
            other = groups.setdefault(decision.shares, decision)
            if len(other.choices) != len(choices):
                raise SpaceError(
                    f"{here}: found {len(choices)} choices where {len(other.choices)} were needed, "
                    f'as many as "{other.name}" of the same group "{decision.shares}" has; give it '
                    "a group of its own"
                )
        decisions.append(decision)
    return tuple(decisions)


def _parse_choice(sets: str, choice: Any, where: str) -> Operation:
    if sets == "layer":
        return read_operation(choice, where)
    if sets == "window":
        return Operation("window", Settings({"window_bp": _WINDOW.read(choice, where)}))
    if sets == "recipe":
        return Operation("recipe", read_settings(choice, where))
    if not isinstance(choice, (str, int, float, bool)):
        raise SpaceError(f"{where}: found {choice!r} where a plain value was needed; write one")
    return Operation("parameter", Settings({"value": choice}))


def _parse_when(content: Any, decisions: Sequence[Decision], where: str) -> tuple[Condition, ...]:
    """Read ``{decision: value or list of values}``; every part must hold."""
    if content is None:
        return ()
    if not isinstance(content, dict):
        raise SpaceError(
            f'{where}, "when": found {content!r} where a mapping from earlier decisions to values '
            "was needed; write for example {blocks: [2, 3]}"
        )
    names = [decision.name for decision in decisions]
    conditions = []
    for name, wanted in content.items():
        if name not in names:
            raise SpaceError(unknown(f'{where}, "when"', "earlier decision", name, names))
        index = names.index(name)
        decision = decisions[index]
        tokens: set[int] = set()
        for value in wanted if isinstance(wanted, list) else [wanted]:
            found = {
                token
                for token, choice in enumerate(decision.choices)
                if matches(decision.sets, choice, value)
            }
            if not found:
                known = [choice_as_data(decision.sets, choice) for choice in decision.choices]
                raise SpaceError(
                    f'{where}, "when": found {value!r}, which "{name}" does not offer; it offers '
                    f"{', '.join(map(str, known))}"
                )
            tokens |= found
        conditions.append(Condition(index, frozenset(tokens)))
    return tuple(conditions)


def _parse_network(content: Any, decisions: tuple[Decision, ...], where: str) -> tuple[Place, ...]:
    """Read the places; without a list, the layer decisions follow each other."""
    layers = [index for index, decision in enumerate(decisions) if decision.sets == "layer"]
    if content is None:
        return tuple(Place(decision=index) for index in layers)
    names = [decision.name for decision in decisions]
    places = []
    for number, raw in enumerate(_entries(content, "layers", f'{where}, "network"')):
        here = f"{where}: place {number} of the network"
        if isinstance(raw, dict) and "decision" in raw:
            name = check_keys(raw, ("decision",), (), here)["decision"]
            if name not in [names[index] for index in layers]:
                raise SpaceError(
                    unknown(here, "layer decision", name, [names[index] for index in layers])
                )
            places.append(Place(decision=names.index(name)))
        else:
            places.append(_parse_fixed(raw, decisions, here))
    for index in layers:
        count = sum(place.decision == index for place in places)
        if count != 1:
            raise SpaceError(
                f'{where}: decision "{names[index]}" sets a layer and stands {count} times in the '
                f'network where once was needed; write "decision: {names[index]}" at one place'
            )
    return tuple(places)


def _parse_fixed(raw: Any, decisions: tuple[Decision, ...], where: str) -> Place:
    """Read a layer that is written out, with references to parameter decisions."""
    if not isinstance(raw, dict) or "operation" not in raw:
        raise SpaceError(
            f"{where}: found {raw!r} where a layer was needed; write {{decision: NAME}} or "
            "{operation: NAME, ...}"
        )
    entry = dict(raw)
    when = _parse_when(entry.pop("when", None), decisions, where)
    values: list[tuple[str, Value | Reference]] = []
    possible: dict[str, list[Value]] = {}
    for name, value in sorted(entry.items()):
        here = f'{where}, "{name}"'
        if isinstance(value, dict):
            reference = _parse_reference(value, decisions, here)
            _check_implied(when, decisions, reference.decision, here)
            choices = decisions[reference.decision].choices
            possible[name] = [reference.look_up(c.parameters["value"]) for c in choices]
            values.append((name, reference))
        else:
            possible[name] = [value]
            values.append((name, value))
    for kind in possible.pop("operation"):
        if not isinstance(kind, str) or kind not in OPERATIONS:
            raise SpaceError(unknown(where, "operation", kind, OPERATIONS))
        for name, offered in possible.items():
            for value in offered:
                read_parameter(kind, name, value, where)
        read_operation({"operation": kind, **{name: v[0] for name, v in possible.items()}}, where)
    return Place(values=tuple(values), when=when)


def _parse_reference(
    content: dict[str, Any], decisions: tuple[Decision, ...], where: str
) -> Reference:
    entry = check_keys(content, ("from", "map"), ("from",), where)
    known = [decision.name for decision in decisions if decision.sets == "parameter"]
    if entry["from"] not in known:
        raise SpaceError(unknown(where, "parameter decision", entry["from"], known))
    index = [decision.name for decision in decisions].index(entry["from"])
    offered = [choice.parameters["value"] for choice in decisions[index].choices]
    table = entry.get("map")
    if table is None:
        return Reference(index)
    if isinstance(table, dict):
        table = {key_of(key): value for key, value in table.items()}
    if not isinstance(table, dict) or set(table) != {key_of(value) for value in offered}:
        raise SpaceError(
            f'{where}, "map": found {table!r} where an entry for each of '
            f"{', '.join(map(str, offered))} was needed; write them"
        )
    return Reference(index, tuple((value, table[key_of(value)]) for value in offered))


def _implied(when: Sequence[Condition], decisions: Sequence[Decision]) -> dict[int, frozenset[int]]:
    """Give all that must hold where these conditions hold, through the decisions that they name."""
    known: dict[int, frozenset[int]] = {}
    waiting = list(when)
    while waiting:
        condition = waiting.pop()
        before = known.get(condition.decision)
        known[condition.decision] = (
            condition.tokens if before is None else before & condition.tokens
        )
        if before is None:
            waiting.extend(decisions[condition.decision].when)
    return known


def _check_implied(
    when: Sequence[Condition], decisions: Sequence[Decision], needed: int, where: str
) -> None:
    known = _implied(when, decisions)
    for condition in decisions[needed].when:
        if not known.get(condition.decision, frozenset([-1])) <= condition.tokens:
            raise SpaceError(
                f'{where}: found the decision "{decisions[needed].name}", which does not always '
                'apply where this one exists; give this one the same "when"'
            )


def _check_all_used(
    decisions: tuple[Decision, ...], network: tuple[Place, ...], where: str
) -> None:
    used = {condition.decision for decision in decisions for condition in decision.when}
    for place in network:
        used |= {condition.decision for condition in place.when}
        used |= {value.decision for _, value in place.values if isinstance(value, Reference)}
    for index, decision in enumerate(decisions):
        if decision.sets == "parameter" and index not in used:
            raise SpaceError(
                f'{where}: decision "{decision.name}" sets a parameter that nothing refers to; '
                "refer to it in the network or remove it"
            )


def _check_forwards(
    decisions: tuple[Decision, ...], network: tuple[Place, ...], where: str
) -> None:
    places = {place.decision: number for number, place in enumerate(network)}
    for decision in decisions:
        if decision.skip is not None and places[decision.skip[0]] > places[decision.skip[1]]:
            source, target = (decisions[end].name for end in decision.skip)
            raise SpaceError(
                f'{where}: decision "{decision.name}" leads from "{source}" to "{target}", which stands before it in '
                'the network, needed a later layer; change "from" and "to"'
            )
