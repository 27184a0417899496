"""An evaluation as a row of a store or of a table, and back; and how a damaged row is told."""

from __future__ import annotations

import functools
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ambient.errors import InputError, RunError
from ambient.evaluate.records import Evaluation, EvaluationKey
from ambient.files import canonical_json

if TYPE_CHECKING:
    from ambient.child.fidelity import Fidelity
    from ambient.space import Architecture

__all__ = [
    "COLUMNS",
    "JSON",
    "KEY",
    "NUMBERS",
    "RESULTS",
    "digest",
    "evaluation_of",
    "is_whole",
    "row_of",
]

KEY = EvaluationKey._fields
NUMBERS = ("wall_seconds", "cpu_seconds", "gpu_seconds", "energy_kwh")
JSON = ("metrics", "details")
RESULTS = (
    *("task", "state", "reason", "metrics", "wall_seconds", "cpu_seconds"),
    *("device", "host", "version", "created", "gpu_seconds", "energy_kwh", "details"),
)
COLUMNS = KEY + RESULTS  # what an evaluation is, and what its digest is made of

# Left joins: a row must not vanish because the JSON that belongs to it was damaged.
SELECT = f"""
SELECT {", ".join(f"evaluations.{c}" for c in COLUMNS)}, evaluations.digest,
    architectures.json AS architecture_json, of_architecture.digest AS architecture_digest,
    fidelities.json AS fidelity_json, of_fidelity.digest AS fidelity_digest
FROM evaluations
LEFT JOIN architectures
    ON architectures.space = evaluations.space AND architectures.key = evaluations.architecture
LEFT JOIN fidelities ON fidelities.hash = evaluations.fidelity
LEFT JOIN digests AS of_architecture
    ON of_architecture.space = evaluations.space AND of_architecture.key = evaluations.architecture
LEFT JOIN digests AS of_fidelity
    ON of_fidelity.space = '' AND of_fidelity.key = evaluations.fidelity
"""
REMEMBERED = 4096  # architectures and fidelities that are not read from their JSON again


# One encoder for all: to make it takes longer than to use it. Damage may turn text into bytes.
_encode = json.JSONEncoder(separators=(",", ":"), default=repr).encode


def digest(values: Iterable[Any]) -> int:
    """Give 64 bits (signed, as SQLite holds them) by which damaged values are found out."""
    content = hashlib.blake2b(_encode(list(values)).encode(), digest_size=8).digest()
    return int.from_bytes(content, "big", signed=True)


def row_of(evaluation: Evaluation) -> dict[str, Any]:
    """Give the values of `COLUMNS`, and their digest."""
    row = evaluation.key._asdict() | {column: getattr(evaluation, column) for column in RESULTS}
    for column in JSON:
        row[column] = canonical_json(dict(row[column]))
    for column in NUMBERS:
        if row[column] is not None:
            row[column] = float(row[column]) + 0.0  # SQLite knows no -0.0
    row["digest"] = digest(row[column] for column in COLUMNS)
    return row


def evaluation_of(row: Mapping[Any, Any] | sqlite3.Row, where: str) -> Evaluation:
    """Read what `row_of` gave, with `architecture_json` and `fidelity_json` beside it.

    Parameters
    ----------
    row : mapping
        A row of a store, or anything with the same names.
    where : str
        What messages begin with.

    Raises
    ------
    RunError
        This version of ambient does not know the architecture or the fidelity.
    ValueError
        The row holds what no evaluation can hold.
    """
    results = {column: row[column] for column in RESULTS}
    for column in JSON:
        results[column] = json.loads(results[column])
    try:
        architecture = _architecture(row["architecture_json"])
        fidelity = _fidelity(row["fidelity_json"])
    except InputError as error:
        raise RunError(
            f"{where}: a row was written by ambient {row['version']}, which knew other "
            f"architectures or fidelities ({error}); read it with that version, or ask for the "
            "rows of another fidelity"
        ) from error
    return Evaluation(
        architecture=architecture,
        fidelity=fidelity,
        fidelity_hash=row["fidelity"],
        seed=row["seed"],
        task_hash=row["task_hash"],
        **results,
    )


def is_whole(row: sqlite3.Row) -> bool:
    """Whether a row of a store is as it was written.

    What a program of schema 1 wrote has no digest and cannot be told from damage.
    """
    texts = [row["architecture_json"], row["fidelity_json"]]
    return (
        None not in texts
        and row["digest"] in (None, digest(row[column] for column in COLUMNS))
        and _is_whole_text(texts[0], row["architecture_digest"])
        and _is_whole_text(texts[1], row["fidelity_digest"])
    )


@functools.lru_cache(REMEMBERED)
def _is_whole_text(text: str, found: int | None) -> bool:
    return found in (None, digest([text]))


@functools.lru_cache(REMEMBERED)
def _architecture(text: str) -> Architecture:
    from ambient.space import Architecture

    return Architecture.from_dict(json.loads(text))


@functools.lru_cache(REMEMBERED)
def _fidelity(text: str) -> Fidelity:
    from ambient.child.fidelity import Fidelity

    return Fidelity.from_dict(json.loads(text))
