"""The descriptors of one data set, and their JSON."""

from __future__ import annotations

import contextlib
import difflib
import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from descriptors.errors import InputError
from descriptors.motif_model import Motif
from descriptors.schema import DESCRIPTORS, NAMES, SCHEMA_VERSION

__all__ = ["Descriptors"]

_KEYS = ("schema_version", "task", "values", "sources", "motifs")
_in_order = itemgetter(*NAMES)
_HOMER = ("homer", "homer2")  # its files were read, or it was run


@dataclass(frozen=True)
class Descriptors:
    """What is known of one data set."""

    task: str
    schema_version: int
    values: Mapping[str, float | None]  # in the schema's order; None where missing
    sources: Mapping[str, Mapping[str, Any]]  # where the values came from
    motifs: tuple[Motif, ...] = field(default=(), compare=False)  # what the motif values summarise

    def vector(self) -> np.ndarray:
        """Give the values as numbers.

        Returns
        -------
        ndarray, float64, shape (40,)
            In the schema's order and units; NaN where missing.
        """
        return np.array(_in_order(self.values), dtype=np.float64)  # None becomes NaN

    @property
    def stranded(self) -> bool:
        """Whether the peaks were read on their strand, as those of RNA are; False where that is not recorded."""
        return self.sources.get("peaks", {}).get("stranded") is True

    @property
    def motif_finder(self) -> str | None:
        """Name what found the motifs, with its revision; None where that is not recorded.

        The motif values of two finders, or of two revisions of one, agree only in part.
        """
        source = self.sources.get("motifs", {})
        finder, revision = source.get("finder"), source.get("revision")
        if finder in _HOMER:
            return "HOMER"
        if finder == "built-in" and isinstance(revision, int):
            return f"the built-in finder, revision {revision}"
        return None

    def to_json(self) -> str:
        """Give the descriptors as indented JSON; equal descriptors give equal text."""
        content = {
            "schema_version": self.schema_version,
            "task": self.task,
            "values": {name: self.values[name] for name in NAMES},
            "sources": {name: dict(source) for name, source in sorted(self.sources.items())},
            "motifs": [_motif_to_dict(motif) for motif in self.motifs],
        }
        return json.dumps(content, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str, where: str = "descriptors") -> Descriptors:
        """Read descriptors from what `to_json` wrote.

        Parameters
        ----------
        text : str
            JSON.
        where : str
            Where the text came from, for the error.

        Raises
        ------
        InputError
            The text is no JSON, of another schema, or its values are not the 40 descriptors, or cannot be.
        """
        again = "write it with ambient describe"
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(
                f"{where}: found text that is not JSON ({error}), descriptors were needed; {again}"
            ) from error
        if not isinstance(content, dict) or not isinstance(content.get("values"), dict):
            raise InputError(f"{where}: found JSON that holds no descriptors; {again}")
        if content.get("schema_version") != SCHEMA_VERSION:
            raise InputError(
                f"{where}: found descriptors of schema {content.get('schema_version')}, schema "
                f"{SCHEMA_VERSION} was needed; {again} of this version"
            )
        for key in content:
            if key not in _KEYS:
                near = difflib.get_close_matches(key, _KEYS, n=1, cutoff=0.0)[0]
                raise InputError(
                    f'{where}: found the unknown key "{key}", the nearest is "{near}"; correct it'
                )
        values = _checked_values(content["values"], where)
        try:
            motifs = tuple(_motif_from_dict(motif) for motif in content.get("motifs", []))
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise InputError(
                f"{where}: found a motif that cannot be read ({error}); {again}"
            ) from error
        sources = content.get("sources", {})
        if not isinstance(sources, dict) or not all(isinstance(s, dict) for s in sources.values()):
            raise InputError(f"{where}: found sources that are no mapping of mappings; {again}")
        return cls(str(content.get("task", "")), SCHEMA_VERSION, values, sources, motifs)

    def save(self, path: str | Path) -> None:
        """Write the JSON so that the file is either whole or untouched.

        Raises
        ------
        InputError
            The folder does not exist or cannot be written.
        """
        path = Path(path)
        temporary = ""
        try:
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(self.to_json())
            umask = os.umask(0)
            os.umask(umask)
            os.chmod(temporary, 0o666 & ~umask)
            os.replace(temporary, path)
        except OSError as error:
            reason = error.strerror or error
            raise InputError(
                f"{path}: the descriptors cannot be written there ({reason}); name another file"
            ) from error
        finally:
            with contextlib.suppress(OSError):
                os.unlink(temporary)

    @classmethod
    def load(cls, path: str | Path) -> Descriptors:
        """Read what `save` wrote.

        Raises
        ------
        InputError
            As `from_json` does, or the file cannot be read.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise InputError(
                f"{path}: the descriptors cannot be read ({reason}); name a file that "
                "ambient describe wrote"
            ) from error
        return cls.from_json(text, str(path))


def _checked_values(values: dict[str, Any], where: str) -> dict[str, float | None]:
    for name in values:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0.0)[0]
            raise InputError(
                f'{where}: found the unknown descriptor "{name}", the nearest is "{near}"; correct it'
            )
    checked: dict[str, float | None] = {}
    for descriptor in DESCRIPTORS:
        name = descriptor.name
        if name not in values:
            raise InputError(
                f'{where}: the descriptor "{name}" is not there; write null if it has no value'
            )
        value = values[name]
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (is_number and math.isfinite(value)):
            raise InputError(
                f'{where}: found {value!r} as "{name}", a number or null was needed; correct it'
            )
        if value is not None and value < 0 and descriptor.is_never_negative:
            raise InputError(
                f'{where}: found {value!r} as "{name}" ({descriptor.meaning}), which is never below 0; correct it'
            )
        checked[name] = None if value is None else float(value)
    return checked


def _motif_to_dict(motif: Motif) -> dict[str, Any]:
    content = asdict(motif)
    content["probabilities"] = motif.probabilities.tolist()
    return content


def _motif_from_dict(content: dict[str, Any]) -> Motif:
    matrix = np.array(content["probabilities"], dtype=np.float64)
    if matrix.ndim != 2 or matrix.shape[1] != 4:
        raise ValueError(f"probabilities of shape {matrix.shape}, (length, 4) was needed")
    return Motif(**{**content, "probabilities": matrix})
