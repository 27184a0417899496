"""How thoroughly a child network is trained: every constant of the recipe, in two grades."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

from ambient.errors import RunError
from ambient.files import short_hash

_RECIPE = 2  # raised whenever the same constants come to mean another training

__all__ = ["FULL", "PASSES", "SEARCH", "Fidelity", "full_for", "named_fidelity"]


@dataclass(frozen=True)
class Fidelity:
    """The constants of one training; two children are compared only at the same fidelity.

    Raises
    ------
    RunError
        A constant lies outside its range.
    """

    name: str  # for people and for the store's rows
    windows_per_epoch: int  # drawn in an epoch whatever the task's size, in its ratio of classes
    epochs: int  # the schedule spans all of them
    keep_from: float  # share of the epochs before validation is judged; the rate is high till then
    patience: int  # further epochs without a better validation AUROC before training stops
    batch_size: int  # windows in one step of Adam
    learning_rate: float  # peak of the one-cycle schedule; an architecture's recipe overrides it
    warm_up: float  # share of the steps that climb to the peak; a half cosine falls from it
    weight_decay: float  # decoupled (AdamW); an architecture's recipe overrides it
    shift_bp: int  # each training window moves by up to so many bp to either side
    reverse_complement: bool  # half of the training windows flipped; both strands in prediction; not of stranded tasks
    seeded_filters: float  # share of the first filters that start from enriched words, 0 to 1
    members: int  # networks trained from different seeds, whose logits are averaged
    precision: str  # "float32", or "bfloat16" by autocast

    def __post_init__(self) -> None:
        counts = ("windows_per_epoch", "epochs", "patience", "batch_size", "members")
        for key in (*counts, "learning_rate"):
            self._check(key, getattr(self, key) > 0, "a number above 0")
        for key in ("weight_decay", "shift_bp"):
            self._check(key, getattr(self, key) >= 0, "0 or more")
        for key in ("warm_up", "keep_from"):
            self._check(key, 0 <= getattr(self, key) < 1, "0 or more and below 1")
        self._check("seeded_filters", 0 <= self.seeded_filters <= 1, "a share from 0 to 1")
        known = ("float32", "bfloat16")
        self._check("precision", self.precision in known, "float32 or bfloat16")

    def _check(self, key: str, holds: bool, needed: str) -> None:
        if not holds:
            raise RunError(
                f"fidelity {self.name}: found {key} = {getattr(self, key)!r}, needed {needed}; "
                "correct it"
            )

    @cached_property
    def hash(self) -> str:
        """Sixteen hexadecimal digits of all constants but the name, and of the recipe's version."""
        constants = {key: value for key, value in asdict(self).items() if key != "name"}
        return short_hash({**constants, "recipe": _RECIPE})

    def on_strands(self, stranded: bool) -> Fidelity:
        """Give the training of a task that is stranded or not: what is stranded is read as it lies, never flipped."""
        return replace(self, reverse_complement=False) if stranded else self

    def to_dict(self) -> dict[str, Any]:
        """Give the constants as a JSON object."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Fidelity:
        """Read constants; ``name`` says which grade fills in those that are not given.

        Parameters
        ----------
        values : mapping
            Any of the constants. Where some are missing, ``name`` must be ``"search"`` or
            ``"full"``, or ``like`` must name one of the two.

        Raises
        ------
        RunError
            A key is unknown (the nearest known one is named), or a value has the wrong type.
        """
        given = dict(values)
        like = given.pop("like", given.get("name", "search"))
        base = _NAMED.get(like)
        kinds = {field.name: field.type for field in fields(cls)}
        for key, value in list(given.items()):
            if key not in kinds:
                near = difflib.get_close_matches(key, kinds, n=1, cutoff=0.0)[0]
                raise RunError(
                    f"fidelity: found the unknown key {key!r}, the nearest known one is {near!r}; "
                    "rename it or remove it"
                )
            if not _is_of_kind(value, str(kinds[key])):
                raise RunError(
                    f"fidelity: found {key} = {value!r}, needed a value of type {kinds[key]}; "
                    "correct it"
                )
            given[key] = float(value) if kinds[key] == "float" else value
        missing = [key for key in kinds if key not in given]
        if missing and base is None:
            raise RunError(
                f"fidelity {like!r}: {', '.join(missing)} are missing, and the name is neither "
                "search nor full; give them, or say which of the two to start from with 'like'"
            )
        return cls(**given) if base is None else replace(base, **given)


def _is_of_kind(value: Any, kind: str) -> bool:
    if kind == "bool" or isinstance(value, bool):
        return kind == "bool" and isinstance(value, bool)
    if kind == "float":
        return isinstance(value, int | float)
    return isinstance(value, {"int": int, "str": str}[kind])


# Ranks architectures, cheaply; benchmarks/fidelity measures how well.
SEARCH = Fidelity(
    name="search",
    windows_per_epoch=1200,
    epochs=10,
    keep_from=0.5,
    patience=10,
    batch_size=64,
    learning_rate=0.005,
    warm_up=0.3,
    weight_decay=0.01,
    shift_bp=32,
    reverse_complement=True,
    seeded_filters=0.75,
    members=1,
    precision="bfloat16",
)

# What a user gets in the end.
FULL = Fidelity(
    name="full",
    windows_per_epoch=2000,
    epochs=24,
    keep_from=0.75,
    patience=5,
    batch_size=32,
    learning_rate=0.003,
    warm_up=0.3,
    weight_decay=0.01,
    shift_bp=32,
    reverse_complement=True,
    seeded_filters=0.75,
    members=5,
    precision="bfloat16",
)

# So often `full` as it stands passes over 3,200 training windows. On yeast (benchmarks/yeast/longer) two and four times
# the epochs gain where these pass over the windows fewer than 10 times; from there on two bring nothing and four lose.
PASSES = 15


def full_for(windows: int) -> Fidelity:
    """Give `FULL` for a data set of so many training windows: longer epochs where it would be passed over too rarely.

    Parameters
    ----------
    windows : int
        Training windows of both classes.

    Returns
    -------
    Fidelity
        `FULL` itself for up to 3,200; else its epochs draw as much more as makes `PASSES` passes.
    """
    needed = math.ceil(PASSES * windows / FULL.epochs)
    if needed <= FULL.windows_per_epoch:
        return FULL
    return replace(FULL, name="full, longer", windows_per_epoch=needed)


_NAMED = {"search": SEARCH, "full": FULL}


def named_fidelity(name: str) -> Fidelity:
    """Give the fidelity of a name, ``"search"`` or ``"full"``.

    Raises
    ------
    RunError
        The name is neither.
    """
    if name not in _NAMED:
        raise RunError(f"fidelity: found {name!r}, needed search or full; choose one of the two")
    return _NAMED[name]
