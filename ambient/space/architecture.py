"""An architecture: one choice for each decision of a space, spelled out; a value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ambient.errors import SpaceError
from ambient.files import short_hash
from ambient.space.operations import (
    Operation,
    Settings,
    check_keys,
    check_layers,
    read_operation,
    read_settings,
)
from ambient.space.skips import check_skips

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Architecture"]

_KEYS = (
    "space",
    "space_version",
    "tokens",
    "window_bp",
    "recipe",
    "batch_normalisation",
    "skips",
    "layers",
)
# Left out where there is nothing to say, so that networks without skips are written as they always were.
_MAY_LACK = ("window_bp", "recipe", "skips")


@dataclass(frozen=True)
class Architecture:
    """A network of a search space: hashable, comparable, JSON.

    What it spells out is enough to build it; the space's file is not needed.

    Parameters
    ----------
    space : str
        Name of the space.
    space_version : int
        Version of the space.
    tokens : tuple of int
        The choice of each decision of the space, in order; -1 where the decision does not apply.
    layers : tuple of Operation
        The layers from DNA to the last one before the output, every parameter spelled out.
    window_bp : int or None
        The input window, in base pairs, where the space decides it.
    recipe : Settings
        Settings of the training recipe that the space decides, such as ``learning_rate``.
    batch_normalisation : bool
        Whether batch normalisation follows each convolution, and each layer that is skipped to.
    skips : tuple of (int, int)
        Numbers of two layers, from 0, ascending: what the first gives is added to what the second
        gives.

    Raises
    ------
    SpaceError
        The layers cannot stand in this order, or a skip leads to where it cannot.
    """

    space: str
    space_version: int
    tokens: tuple[int, ...]
    layers: tuple[Operation, ...]
    window_bp: int | None = None
    recipe: Settings = field(default_factory=Settings)
    batch_normalisation: bool = True
    skips: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        where = f'architecture {list(self.tokens)} of the space "{self.space}"'
        check_layers(self.layers, where)
        check_skips(self.layers, self.skips, where)

    @cached_property
    def key(self) -> str:
        """16 hexadecimal digits that name the network and its recipe.

        Made from what is trained (layers, normalisation, window, recipe), not from names or tokens:
        equal networks have equal keys.
        """
        content = self.to_dict()
        for name in ("space", "space_version", "tokens"):
            del content[name]
        return short_hash(content)

    @property
    def reads_both_strands(self) -> bool:
        """Whether a filter answers to a motif on either strand alike, so that it cannot tell the two apart."""
        return any(layer.parameters.get("reverse_complement") for layer in self.layers)

    def to_dict(self) -> dict[str, Any]:
        """Give the architecture as plain JSON data."""
        return {
            "space": self.space,
            "space_version": self.space_version,
            "tokens": list(self.tokens),
            "window_bp": self.window_bp,
            "recipe": dict(self.recipe),
            "batch_normalisation": self.batch_normalisation,
            **({"skips": [list(skip) for skip in self.skips]} if self.skips else {}),
            "layers": [layer.to_dict() for layer in self.layers],
        }

    def to_json(self) -> str:
        """Give the architecture as JSON that a person can read, one layer a line."""
        content = self.to_dict()
        layers = content.pop("layers")
        head = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in content.items()]
        body = ",\n".join(f"    {json.dumps(layer)}" for layer in layers)
        return "{\n" + ",\n".join(head) + ',\n  "layers": [\n' + body + "\n  ]\n}\n"

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], where: str = "architecture") -> Architecture:
        """Read what `to_dict` gives.

        Raises
        ------
        SpaceError
            A key is unknown or missing, a value has the wrong type, or the layers make no network.
        """
        required = [key for key in _KEYS if key not in _MAY_LACK]
        entry = check_keys(content, _KEYS, required, where)
        if not isinstance(entry["space"], str):
            raise SpaceError(
                f'{where}, "space": found {entry["space"]!r}, needed a name; write one'
            )
        for name, kind in (("tokens", list), ("layers", list), ("batch_normalisation", bool)):
            if not isinstance(entry[name], kind):
                raise SpaceError(
                    f'{where}, "{name}": found {entry[name]!r} where a {kind.__name__} was needed; '
                    "write one"
                )
        window_bp = entry.get("window_bp")
        return cls(
            space=entry["space"],
            space_version=_whole(entry["space_version"], f'{where}, "space_version"'),
            tokens=tuple(_whole(token, f'{where}, "tokens"') for token in entry["tokens"]),
            layers=tuple(
                read_operation(layer, f"{where}, layer {number}")
                for number, layer in enumerate(entry["layers"])
            ),
            window_bp=None if window_bp is None else _whole(window_bp, f'{where}, "window_bp"'),
            recipe=read_settings(entry.get("recipe", {}), f'{where}, "recipe"'),
            batch_normalisation=entry["batch_normalisation"],
            skips=_read_skips(entry.get("skips", []), f'{where}, "skips"'),
        )

    @classmethod
    def from_json(cls, text: str, where: str = "architecture") -> Architecture:
        """Read what `to_json` gives; raises `SpaceError` as `from_dict` does."""
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise SpaceError(
                f"{where}: found something that is not JSON ({error}) where an architecture was "
                "needed; write it with Architecture.to_json"
            ) from error
        return cls.from_dict(content, where)

    def build(self, window_bp: int | None = None, outputs: int = 1) -> nn.Module:
        """Build the torch module, weights drawn from torch's global generator.

        Parameters
        ----------
        window_bp : int, optional
            Length of the input in base pairs; the architecture's own window where it has one.
        outputs : int
            Number of labels.

        Returns
        -------
        torch.nn.Module
            (batch, 4, window_bp) float, channels A, C, G, T -> (batch, outputs) logits.

        Raises
        ------
        SpaceError
            No window is given and the architecture decides none, or it is not positive.
        """
        # torch is heavy, and the child stands above the space: it is called, not depended upon.
        from ambient.child.build import build

        width = self.window_bp if window_bp is None else window_bp
        if width is None:
            raise SpaceError(
                f'an architecture of the space "{self.space}" decides no input window: found no '
                "window_bp where one was needed; give it to build()"
            )
        return build(self, width, outputs)

    def summary(self) -> str:
        """Describe it in one line, such as ``conv 16x14 > max 4 > global max > dense 100``."""
        parts = [_phrase(layer) for layer in self.layers if not _is_idle(layer)]
        line = " > ".join(parts)
        if self.window_bp is not None:
            line = f"{self.window_bp} bp > {line}"
        if self.skips:
            line = f"{line}, {len(self.skips)} skip{'s' if len(self.skips) > 1 else ''}"
        if self.recipe:
            settings = (
                f"{name.replace('_', ' ')} {value:g}" for name, value in self.recipe.items()
            )
            line = f"{line} ({', '.join(settings)})"
        return line


def _whole(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise SpaceError(f"{where}: found {value!r} where a whole number was needed; write one")
    return value


def _read_skips(content: Any, where: str) -> tuple[tuple[int, int], ...]:
    if not isinstance(content, list) or not all(
        isinstance(skip, list) and len(skip) == 2 for skip in content
    ):
        raise SpaceError(
            f"{where}: found {content!r} where pairs of numbers of layers were needed; write for example [[1, 3]]"
        )
    return tuple((_whole(source, where), _whole(target, where)) for source, target in content)


def _is_idle(layer: Operation) -> bool:
    return layer.kind == "identity" or layer.parameters.get("rate") == 0


_NAMES = {"max_pooling": "max", "average_pooling": "average", "dropout": "drop"}


def _phrase(layer: Operation) -> str:
    """Name one layer in a word or two."""
    values = layer.parameters
    if layer.kind == "convolution":
        words = [f"conv {values['filters']}x{values['kernel']}"]
        words += [f"d{values['dilation']}"] if values["dilation"] != 1 else []
        words += [str(values["activation"])] if values["activation"] != "relu" else []
        words += ["both strands"] if values["reverse_complement"] else []
        return " ".join(words)
    name = _NAMES.get(layer.kind, layer.kind.replace("_", " "))
    return " ".join([name, *(f"{value:g}" for value in values.values())])
