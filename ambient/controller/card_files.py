"""The files of a controller's folder: where it is found, and what must hold before anything of it is used."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from safetensors.torch import load as tensors_from_bytes
from torch import Tensor

from ambient.child.fidelity import Fidelity
from ambient.controller.predictor import Predictor
from ambient.controller.recorded import Proven
from ambient.controller.scaling import Scaler
from ambient.errors import RunError
from ambient.files import sha256_of_bytes
from ambient.version import __version__
from descriptors.schema import DESCRIPTORS, SCHEMA_VERSION

__all__ = [
    *("CARD", "RECORDS", "WEIGHTS"),
    *("check_schema", "find_controller", "read_predictor", "read_proven", "read_tensors"),
]

CARD, WEIGHTS, RECORDS = "card.json", "weights.safetensors", "predictor.safetensors"


def find_controller(name_or_folder: str | Path) -> Path:
    """Find the folder that holds the card: a run's, its controller's, or a pretrained one of this name.

    Raises
    ------
    RunError
        There is none; those that are installed are named.
    """
    shelf = Path(str(resources.files("pretrained")))
    given = Path(name_or_folder)
    for folder in (given, given / "controller", shelf / given.name):
        if (folder / CARD).is_file() and (
            folder.parent != shelf or given.parent in (Path("."), shelf)
        ):
            return folder
    names = sorted(path.parent.name for path in shelf.glob(f"*/{CARD}"))
    known = (
        f"the pretrained ones are {', '.join(names)}" if names else "no pretrained one is installed"
    )
    found = "there is no such folder or name"
    if given.is_dir():
        found = f"the folder holds no {CARD}"
    elif given.exists():
        found = "found a file"
    raise RunError(
        f"{name_or_folder}: {found} where a controller was needed; give a run's folder or a name "
        f"({known})"
    )


def read_tensors(path: Path, needed: str) -> dict[str, Tensor]:
    """Read a file of tensors whose hash is known.

    Raises
    ------
    RunError
        It cannot be read, or is another file than the card names.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise RunError(
            f"{path}: a file of the controller cannot be read ({error}); restore it"
        ) from error
    found = sha256_of_bytes(content)
    if found != needed:
        raise RunError(
            f"{path}: the file has SHA-256 {found}, but {CARD} beside it says {needed}; they "
            "do not belong together, so restore both from one source"
        )
    return tensors_from_bytes(content)


def read_predictor(folder: Path, entry: Mapping[str, Any] | None) -> Predictor | None:
    """Read what the card says of a predictor; older cards say nothing."""
    if entry is None:
        return None
    return Predictor.from_tensors(read_tensors(folder / RECORDS, entry["sha256"]), entry["tasks"])


def read_proven(entry: Mapping[str, Any] | None) -> Proven | None:
    """Read what the card says is proven at `full`; older cards say nothing."""
    if entry is None:
        return None
    fidelity = Fidelity.from_dict(entry["fidelity"])
    return Proven(tuple(entry["tokens"]), float(entry["reached"]), fidelity)


def check_schema(path: Path, scaler: Scaler) -> None:
    """Make sure that a card's descriptors are those that this version makes.

    Raises
    ------
    RunError
        They are of another schema version, or named otherwise.
    """
    if scaler.schema_version != SCHEMA_VERSION:
        raise RunError(
            f"{path}: the controller reads descriptors of schema version "
            f"{scaler.schema_version}, but this version of ambient ({__version__}) makes version "
            f"{SCHEMA_VERSION}; use another controller, or the ambient that trained it"
        )
    names = tuple(entry.name for entry in DESCRIPTORS)
    if scaler.names != names:
        pairs = zip((*scaler.names, "nothing"), (*names, "nothing"), strict=False)
        found, needed = next(pair for pair in pairs if pair[0] != pair[1])
        raise RunError(
            f"{path}: the card names the descriptor {found!r} where schema version "
            f"{SCHEMA_VERSION} has {needed!r}; restore the card, or train the controller again"
        )
