"""Skip connections: as decisions of a space, as pairs of layers of an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ambient.errors import SpaceError
from ambient.space.decisions import Decision
from ambient.space.operations import OPERATIONS, Operation, Settings, unknown

__all__ = [
    "SKIP_CHOICES",
    "check_skips",
    "expand_skips",
    "read_skip",
]

SKIP_CHOICES = tuple(Operation("skip", Settings({"value": taken})) for taken in (False, True))
_SHARED = "skip"  # skips mean alike wherever they are, so that controllers share their embeddings


def expand_skips(content: Sequence[Any], where: str) -> list[Any]:
    """Spell out the key ``skips`` of layer decisions: a yes-or-no decision for each earlier layer.

    Parameters
    ----------
    content : list
        Decisions as a file holds them. ``skips`` is ``all``, or a list of names of earlier layer
        decisions.
    where : str
        The file, named by every error.

    Returns
    -------
    list
        The same decisions without that key; after each that had it, in the order of their sources,
        entries such as ``{name: layer 1 > layer 3, sets: skip, from: layer 1, to: layer 3}``.

    Raises
    ------
    SpaceError
        The key names no earlier layer decision, or stands where there is no layer.
    """
    spelled: list[Any] = []
    layers: list[dict[str, Any]] = []
    for entry in content:
        if not isinstance(entry, dict) or "skips" not in entry:
            spelled.append(entry)
        else:
            plain = {key: value for key, value in entry.items() if key != "skips"}
            here = f'{where}: decision "{entry.get("name")}", "skips"'
            if plain.get("sets", "layer") != "layer":
                raise SpaceError(
                    f"{here}: found it on a decision that sets no layer; only a layer can be skipped to, so "
                    "move or remove it"
                )
            spelled.append(plain)
            spelled += [_edge(source, plain) for source in _sources(entry["skips"], layers, here)]
        if isinstance(entry, dict) and entry.get("sets", "layer") == "layer":
            layers.append(entry)
    return spelled


def _sources(wanted: Any, layers: list[dict[str, Any]], where: str) -> list[dict[str, Any]]:
    if wanted == "all":
        return layers
    names = [layer.get("name") for layer in layers]
    if not isinstance(wanted, list):
        raise SpaceError(
            f"{where}: found {wanted!r} where the word all or a list of earlier layer decisions was needed; "
            "write one of the two"
        )
    for name in wanted:
        if name not in names:
            raise SpaceError(unknown(where, "earlier layer decision", name, map(str, names)))
    return [layers[names.index(name)] for name in wanted]


def _edge(source: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    name, to = source.get("name"), target.get("name")
    when: dict[Any, Any] = {}
    for layer in (source, target):  # a skip needs both of its ends
        condition = layer.get("when")
        when.update(condition if isinstance(condition, dict) else {})
    edge = {"name": f"{name} > {to}", "sets": "skip", "from": name, "to": to}
    return {**edge, "when": when} if when else edge


def read_skip(
    entry: dict[str, Any], decisions: Sequence[Decision], where: str
) -> tuple[tuple[int, int], str]:
    """Read the ends of a skip decision, and the group whose embeddings it shares.

    Raises
    ------
    SpaceError
        ``from`` or ``to`` is missing or names no earlier layer decision; both are the same; or
        another decision leads from and to the same layers.
    """
    layers = [decision.name for decision in decisions if decision.sets == "layer"]
    names = [decision.name for decision in decisions]
    ends = []
    for key in ("from", "to"):
        if key not in entry:
            raise SpaceError(f'{where}: found no "{key}", which a skip needs; add it')
        if entry[key] not in layers:
            raise SpaceError(
                unknown(f'{where}, "{key}"', "earlier layer decision", entry[key], layers)
            )
        ends.append(names.index(entry[key]))
    source, target = ends
    if source == target or any(decision.skip == (source, target) for decision in decisions):
        raise SpaceError(
            f'{where}: found a skip from "{entry["from"]}" to "{entry["to"]}" where each may lead once from '
            "one layer to a later one; correct or remove it"
        )
    return (source, target), entry.get("shares") or _SHARED


def check_skips(layers: Sequence[Operation], skips: Sequence[tuple[int, int]], where: str) -> None:
    """Check that skips lead forwards between layers that give sequences.

    Parameters
    ----------
    layers : sequence of Operation
        From DNA to the last one before the output.
    skips : sequence of (int, int)
        Numbers of two layers, from 0: what the first gives is added to what the second gives.

    Raises
    ------
    SpaceError
        One leads backwards, to a layer that is not there or gives no sequence; or they are not in
        ascending order, each once.
    """
    if not skips:
        return
    tail = next(n for n, layer in enumerate(layers) if OPERATIONS[layer.kind].gives == "vector")
    for source, target in skips:
        if not 0 <= source < target < tail:
            raise SpaceError(
                f"{where}: found a skip from layer {source} to layer {target}, needed one that leads forwards "
                f"among the layers 0 to {tail - 1}, which give sequences; correct or remove it"
            )
    if list(skips) != sorted(set(skips)):
        raise SpaceError(
            f"{where}: found the skips {[list(skip) for skip in skips]}, needed each once and in ascending order; "
            "sort them"
        )
