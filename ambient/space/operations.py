"""What a layer may be: the operations by name, their parameters, and where each may stand."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ambient.errors import SpaceError

__all__ = [
    "OPERATIONS",
    "RECIPE_SETTINGS",
    "Operation",
    "Settings",
    "check_keys",
    "check_layers",
    "read_operation",
    "read_settings",
    "unknown",
]

Value = str | int | float | bool


class Settings(Mapping[str, Value]):
    """A small mapping that cannot change, so that it can be hashed and compared.

    Parameters
    ----------
    values : mapping
        Names to plain values (text, whole numbers, numbers, truth values). The order is kept for
        reading and does not count when two are compared.
    """

    __slots__ = ("_items",)

    def __init__(self, values: Mapping[str, Value] | Iterable[tuple[str, Value]] = ()) -> None:
        self._items: tuple[tuple[str, Value], ...] = tuple(dict(values).items())

    def __getitem__(self, name: str) -> Value:
        for known, value in self._items:
            if known == name:
                return value
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (name for name, _ in self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items))

    def __repr__(self) -> str:
        return f"Settings({dict(self._items)!r})"

    def __reduce__(self) -> tuple[type[Settings], tuple[dict[str, Value]]]:
        return Settings, (dict(self._items),)


@dataclass(frozen=True)
class Operation:
    """One operation with all its parameters spelled out.

    Parameters
    ----------
    kind : str
        A name of `OPERATIONS` for a layer; ``window``, ``recipe`` or ``parameter`` for what else a
        decision may choose.
    parameters : Settings
        Every parameter, defaults included.
    """

    kind: str
    parameters: Settings = field(default_factory=Settings)

    def to_dict(self) -> dict[str, Any]:
        """Give the operation as JSON data: its name under ``operation``, then its parameters."""
        return {"operation": self.kind, **self.parameters}


@dataclass(frozen=True)
class Parameter:
    """What one parameter of an operation may be."""

    type: type
    least: float = -math.inf  # smallest value allowed
    most: float = math.inf  # largest value allowed
    among: tuple[str, ...] = ()  # for text: the words allowed
    default: Value | None = None  # None: it must be given

    def read(self, value: Any, where: str) -> Value:
        """Give the value in its own type, or raise `SpaceError`."""
        if self.type is str:
            if not isinstance(value, str) or value not in self.among:
                raise SpaceError(unknown(where, "value", value, self.among))
            return value
        if self.type is bool:
            if not isinstance(value, bool):
                raise SpaceError(
                    f"{where}: found {value!r} where true or false was needed; write one"
                )
            return value
        number = _number(value)
        whole = number is not None and float(number).is_integer()
        if number is None or (self.type is int and not whole):
            needed = "a whole number" if self.type is int else "a number"
            raise SpaceError(f"{where}: found {value!r} where {needed} was needed; write one")
        if not self.least <= number <= self.most:
            raise SpaceError(
                f"{where}: found {value!r} where a value of at least {self.least:g} and at most "
                f"{self.most:g} was needed; choose one in that range"
            )
        return int(number) if self.type is int else float(number)


def _number(value: Any) -> float | None:
    """Read a number; text is tried as well, since YAML 1.1 takes ``1e-3`` for text."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


@dataclass(frozen=True)
class Kind:
    """Where an operation may stand and which parameters it has.

    A network carries a sequence, (batch, channels, length), until a tail turns it into a vector,
    (batch, features).
    """

    takes: str  # "sequence", "vector" or "either"
    gives: str  # "sequence", "vector" or "same"
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


_POOLING = {"size": Parameter(int, least=1, most=1024)}

OPERATIONS: Mapping[str, Kind] = {
    # Batch normalisation, where the space has it, stands between a convolution and its activation.
    "convolution": Kind(
        "sequence",
        "sequence",
        {
            "filters": Parameter(int, least=1, most=65536),
            "kernel": Parameter(int, least=1, most=1024),
            "dilation": Parameter(int, least=1, most=1024, default=1),
            "activation": Parameter(str, among=("exponential", "linear", "relu"), default="relu"),
            # Each filter reads both strands and keeps the stronger answer at each position; only
            # meaningful on DNA itself, so only the first layer may have it.
            "reverse_complement": Parameter(bool, default=False),
        },
    ),
    "max_pooling": Kind("sequence", "sequence", _POOLING),
    "average_pooling": Kind("sequence", "sequence", _POOLING),
    # Poolings that move on by one position and so keep the length; what lies beyond the ends is left out.
    "sliding_max": Kind("sequence", "sequence", _POOLING),
    "sliding_average": Kind("sequence", "sequence", _POOLING),
    "dropout": Kind("either", "same", {"rate": Parameter(float, least=0.0, most=0.95)}),
    "identity": Kind("either", "same"),
    "flatten": Kind("sequence", "vector"),
    "global_max": Kind("sequence", "vector"),
    "global_average": Kind("sequence", "vector"),
    "attention": Kind("sequence", "vector"),
    "lstm": Kind("sequence", "vector", {"units": Parameter(int, least=1, most=65536)}),
    "dense": Kind("vector", "vector", {"units": Parameter(int, least=1, most=65536)}),
}

RECIPE_SETTINGS: Mapping[str, Parameter] = {
    "learning_rate": Parameter(float, least=1e-8, most=1.0),
    # Times the fidelity's own rate: a choice that means the same at each fidelity.
    "learning_rate_factor": Parameter(float, least=1e-3, most=1e3),
    "weight_decay": Parameter(float, least=0.0, most=1.0),
}


def unknown(where: str, what: str, found: object, known: Iterable[str]) -> str:
    """Say that a name is not known, which known one is nearest, and which there are."""
    names = sorted(known)
    near = difflib.get_close_matches(str(found), names, n=1, cutoff=0.5)
    hint = f'; did you mean "{near[0]}"?' if near else ";"
    return f'{where}: found the unknown {what} "{found}"{hint} known are {", ".join(names)}'


def check_keys(
    entry: Any, known: Sequence[str], required: Sequence[str], where: str
) -> dict[str, Any]:
    """Give a mapping back, sure that its keys are known and the required ones are there.

    Raises
    ------
    SpaceError
        It is no mapping, a key is unknown (the nearest known one is named), or one is missing.
    """
    if not isinstance(entry, dict):
        raise SpaceError(
            f"{where}: found {entry!r} where a mapping was needed; write one with the keys "
            f"{', '.join(known)}"
        )
    for key in entry:
        if key not in known:
            raise SpaceError(unknown(where, "key", key, known))
    for key in required:
        if key not in entry:
            raise SpaceError(f'{where}: found no "{key}", which is needed; add it')
    return entry


def read_parameter(kind: str, name: str, value: Any, where: str) -> Value:
    """Check one parameter of one kind of operation."""
    known = OPERATIONS[kind].parameters
    if name not in known:
        if not known:
            raise SpaceError(
                f'{where}: found the parameter "{name}" where none was needed, since "{kind}" has '
                "none; remove it"
            )
        raise SpaceError(unknown(where, f'parameter of "{kind}"', name, known))
    return known[name].read(value, f'{where}, "{name}"')


def read_operation(entry: Any, where: str) -> Operation:
    """Read one layer's operation and fill in its defaults.

    Parameters
    ----------
    entry : dict or str
        ``{"operation": name, parameter: value, ...}``, or the name alone where nothing is needed.
    where : str
        What an error names: the file and the decision.

    Raises
    ------
    SpaceError
        The operation, a parameter or a value is not known; the nearest known one is named.
    """
    if isinstance(entry, str):
        entry = {"operation": entry}
    if not isinstance(entry, dict) or "operation" not in entry:
        raise SpaceError(
            f'{where}: found {entry!r} where a mapping with the key "operation" was needed; write '
            "for example {operation: dropout, rate: 0.1}"
        )
    kind = entry["operation"]
    if not isinstance(kind, str) or kind not in OPERATIONS:
        raise SpaceError(unknown(where, "operation", kind, OPERATIONS))
    given = {
        str(name): read_parameter(kind, str(name), value, where)
        for name, value in entry.items()
        if name != "operation"
    }
    complete = {}
    for name, parameter in OPERATIONS[kind].parameters.items():
        value = given.get(name, parameter.default)
        if value is None:
            raise SpaceError(f'{where}: found "{kind}" without "{name}", which it needs; add it')
        complete[name] = value
    return Operation(kind, Settings(complete))


def read_settings(entry: Any, where: str) -> Settings:
    """Read settings of the training recipe, such as ``{"learning_rate": 0.001}``."""
    entry = check_keys(entry, sorted(RECIPE_SETTINGS), (), where)
    return Settings(
        {
            name: RECIPE_SETTINGS[name].read(value, f'{where}, "{name}"')
            for name, value in entry.items()
        }
    )


def check_layers(layers: Sequence[Operation], where: str) -> None:
    """Check that the layers can stand in this order: sequence layers, one tail, vector layers.

    Raises
    ------
    SpaceError
        A layer gets a sequence where it needs a vector or the reverse; the network ends without a
        tail; a layer that is not the first reads both strands.
    """
    carried = "sequence"
    on_dna = True
    for number, layer in enumerate(layers):
        kind = OPERATIONS[layer.kind]
        if kind.takes not in ("either", carried):
            advice = (
                "put flatten, global_max, global_average, attention or lstm before it"
                if carried == "sequence"
                else "move it before the layer that ends the sequence"
            )
            raise SpaceError(
                f'{where}: layer {number} ("{layer.kind}") gets a {carried} where a {kind.takes} '
                f"was needed; {advice}"
            )
        if layer.parameters.get("reverse_complement") and not on_dna:
            raise SpaceError(
                f'{where}: layer {number} ("{layer.kind}") reads both strands, but only a layer '
                'that sees DNA itself can; set "reverse_complement" on the first layer alone'
            )
        if kind.gives != "same":
            carried = kind.gives
            on_dna = False
    if carried == "sequence":
        raise SpaceError(
            f"{where}: the network ends in a sequence where a vector was needed; end it with "
            "flatten, global_max, global_average, attention or lstm"
        )
