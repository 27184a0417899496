"""Evaluations as a table, to look at, to commit and to take over from others."""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ambient.errors import RunError
from ambient.evaluate.exchange_rows import (
    CHUNK,
    OnRows,
    check_columns,
    columns_of,
    flat,
    put_rows,
    replacing,
)
from ambient.evaluate.store import Store

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["export_table", "export_tsv", "import_table", "import_tsv", "table_format", "to_table"]

FORMATS = (".tsv", ".tsv.gz", ".parquet")
SPECIAL = re.compile(r'[\t\n\r"]')


def to_table(store: Store, **filters: Any) -> pd.DataFrame:
    """Give the evaluations of a store as a table with a column for each metric.

    Parameters
    ----------
    store : Store
    **filters
        As for `Store.rows`.

    Returns
    -------
    DataFrame
        Key, task and results; `architecture_json` rebuilds the network, `fidelity_json` the recipe, which `fidelity`
        (hash) and `fidelity_name` name; `metrics_json` holds the metrics once more. Rows of other versions of
        ambient are in it, too.
    """
    import pandas as pd

    columns = columns_of(store, **filters)
    return pd.DataFrame.from_records(
        [flat(row) for row in store.select(**filters)], columns=columns
    )


def table_format(path: str | Path) -> str:
    """Give "tsv" or "parquet" by a file's name.

    Raises
    ------
    RunError
        It is neither; or it is Parquet, and pyarrow is not installed.
    """
    name = str(path)
    if name.endswith((".tsv", ".tsv.gz")):
        return "tsv"
    if name.endswith(".parquet"):
        from ambient.evaluate.exchange_parquet import need_pyarrow

        need_pyarrow()
        return "parquet"
    raise RunError(
        f"{path}: found a name that ends in none of {', '.join(FORMATS)} where that of a table of "
        "evaluations was needed; rename it"
    )


def export_table(store: Store, path: str | Path, on_rows: OnRows | None = None) -> int:
    """Write a store by `export_parquet` or `export_tsv`, as the name ends."""
    if table_format(path) == "parquet":
        from ambient.evaluate.exchange_parquet import export_parquet

        return export_parquet(store, path, on_rows)
    return export_tsv(store, path, on_rows)


def import_table(store: Store, path: str | Path, on_rows: OnRows | None = None) -> int:
    """Take the rows of a table over by `import_parquet` or `import_tsv`, as the name ends."""
    if table_format(path) == "parquet":
        from ambient.evaluate.exchange_parquet import import_parquet

        return import_parquet(store, path, on_rows)
    return import_tsv(store, path, on_rows)


def export_tsv(
    store: Store, path: str | Path, on_rows: OnRows | None = None, **filters: Any
) -> int:
    """Write the rows of `to_table` as tab-separated text; they are never in memory all at once.

    Parameters
    ----------
    store : Store
    path : path
        Compressed where the name ends in .gz. It appears when it is whole.
    on_rows : callable, optional
        Told now and then how many more rows are written.
    **filters
        As for `Store.rows`.

    Returns
    -------
    int
        The number of rows.

    Raises
    ------
    RunError
        The file cannot be written, or the store is damaged; an older file is left as it was.
    """
    path = Path(path)
    columns = columns_of(store, **filters)
    count = 0
    with replacing(path) as part, part.open("xb") as raw, _packed(path, raw) as stream:
        stream.write(_line(columns))
        rows = store.select(**filters)
        while chunk := list(islice(rows, CHUNK)):
            records = map(flat, chunk)
            stream.writelines(_line([row.get(name) for name in columns]) for row in records)
            count += len(chunk)
            if on_rows is not None:
                on_rows(len(chunk))
    return count


def _line(values: Iterable[Any]) -> str:
    return "\t".join(map(_cell, values)) + "\n"


def _cell(value: Any) -> str:
    """Give a value as csv would, and quote a carriage return, which csv forgets."""
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if SPECIAL.search(text) else text


def _packed(path: Path, raw: Any) -> io.TextIOWrapper:
    """Give a stream of text onto one of bytes; equal rows give equal files."""
    if path.suffix == ".gz":
        raw = gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0)
    return io.TextIOWrapper(raw, encoding="utf-8", newline="")


def import_tsv(store: Store, path: str | Path, on_rows: OnRows | None = None) -> int:
    """Take the rows of a table that `export_tsv` wrote over into a store, by the rule of `Store.put`.

    Parameters
    ----------
    store : Store
    path : path
        Plain, or compressed where the name ends in .gz. What schema 1 exported is read as well.
    on_rows : callable, optional
        Told now and then how many more rows are taken over.

    Returns
    -------
    int
        How many were new there, or replaced another.

    Raises
    ------
    RunError
        The file is absent or is no such table, and nothing is taken over; or a later row is damaged, and
        those before it are taken over: to take them over again changes nothing.
    """
    path = Path(path)
    return put_rows(store, _rows_of_tsv(path), path, on_rows)


def _rows_of_tsv(path: Path) -> Iterator[dict[str, str]]:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream, delimiter="\t", strict=True)
        check_columns(reader.fieldnames or ())
        yield from reader
