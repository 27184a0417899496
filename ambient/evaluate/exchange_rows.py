"""What the tables of evaluations have in common, whatever their format: columns, chunks, messages."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from ambient.errors import InputError, RunError
from ambient.evaluate.records import Evaluation
from ambient.evaluate.store import Store
from ambient.evaluate.store_rows import COLUMNS, JSON, NUMBERS, evaluation_of
from ambient.files import PART, disk_errors

__all__ = ["LEADING", "OnRows", "check_columns", "columns_of", "flat", "put_rows", "replacing"]

# Before the columns of the metrics, of which each store has its own.
LEADING = (
    *(column for column in COLUMNS if column not in JSON),
    *("architecture_json", "fidelity_json", "fidelity_name", "metrics_json", "details_json"),
)
OPTIONAL = {"gpu_seconds": "0", "energy_kwh": "", "details_json": "{}"}  # since schema 2
READING = (OSError, ValueError, KeyError, TypeError, EOFError, csv.Error, zlib.error)
CHUNK = 5_000  # rows of one transaction

OnRows = Callable[[int], None]  # told now and then how many more rows are done


def columns_of(store: Store, **filters: Any) -> list[str]:
    """Give the columns of a table: `LEADING`, then the metrics whose names are not among those."""
    return [*LEADING, *(name for name in store.metric_names(**filters) if name not in LEADING)]


def flat(row: Any) -> dict[str, Any]:
    """Give a row of a store with the names of `LEADING` and one for each metric."""
    record = dict(row)
    metrics = json.loads(record["metrics"])
    record["fidelity_name"] = json.loads(record["fidelity_json"])["name"]
    for column in JSON:
        record[f"{column}_json"] = record.pop(column)
    return metrics | {column: record[column] for column in LEADING}


def put_rows(
    store: Store, rows: Iterable[Mapping[str, Any]], path: Path, on_rows: OnRows | None
) -> int:
    """Put rows as `flat` gave them, all values text or as they were, into a store.

    Returns
    -------
    int
        How many were new there, or replaced another.

    Raises
    ------
    RunError
        A row is none, or this version does not know its architecture or fidelity.
    """
    done = changed = 0
    evaluations = (_read(row, f"{path}, row {number}") for number, row in enumerate(rows, start=1))
    try:
        while chunk := list(islice(evaluations, CHUNK)):
            changed += store.put(*chunk)
            done += len(chunk)
            if on_rows is not None:
                on_rows(len(chunk))
    except InputError:
        raise
    except FileNotFoundError as error:
        raise RunError(f"{path}: there is no such table of evaluations; check the path") from error
    except READING as error:
        before = f" (the {done} rows before are taken over)" if done else ""
        raise RunError(
            f"{path}: found something else ({error}) where a table of evaluations was needed{before}; "
            "name a whole file that `ambient evaluate --export` wrote"
        ) from error
    return changed


def _read(row: Mapping[str, Any], where: str) -> Evaluation:
    values = {**OPTIONAL, **row, "seed": int(row["seed"])}
    for column in JSON:
        values[column] = values[f"{column}_json"]
    for column in NUMBERS:
        text = values[column]
        values[column] = None if text in ("", None) else float(text)
    return evaluation_of(values, where)


def check_columns(found: Iterable[str]) -> None:
    """Raise `ValueError` where a table lacks a column that every version wrote."""
    missing = set(LEADING) - set(OPTIONAL) - set(found)
    if missing:
        raise ValueError(f"a table without the columns {', '.join(sorted(missing))}")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the name of a file to write; it takes the place of `path` when it is whole, or is removed."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}{PART}")
    with disk_errors(path):
        try:
            yield part
            with part.open("rb+") as stream:
                os.fsync(stream.fileno())
            part.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise
