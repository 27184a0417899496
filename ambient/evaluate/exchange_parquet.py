"""Evaluations as Parquet, a few thousand rows at a time; needs pyarrow, the extra [parquet]."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ambient.errors import RunError
from ambient.evaluate.exchange_rows import (
    LEADING,
    OnRows,
    check_columns,
    columns_of,
    flat,
    put_rows,
    replacing,
)
from ambient.evaluate.store import Store
from ambient.evaluate.store_rows import NUMBERS

if TYPE_CHECKING:
    import pyarrow

__all__ = ["export_parquet", "import_parquet", "need_pyarrow"]

ROW_GROUP = 20_000  # rows that are in memory at once


def export_parquet(
    store: Store, path: str | Path, on_rows: OnRows | None = None, **filters: Any
) -> int:
    """Write the rows of `to_table` as Parquet; parameters, result and errors as for `export_tsv`.

    Raises
    ------
    RunError
        pyarrow is not installed.
    """
    pa = need_pyarrow()
    from pyarrow.parquet import ParquetWriter

    schema = _schema(pa, columns_of(store, **filters))
    rows = (flat(row) for row in store.select(**filters))
    count = 0
    with (
        replacing(Path(path)) as part,
        ParquetWriter(part, schema, compression="zstd") as writer,
    ):
        while chunk := list(islice(rows, ROW_GROUP)):
            writer.write_table(pa.Table.from_pylist(chunk, schema))
            count += len(chunk)
            if on_rows is not None:
                on_rows(len(chunk))
    return count


def import_parquet(store: Store, path: str | Path, on_rows: OnRows | None = None) -> int:
    """Take the rows of a file that `export_parquet` wrote over; as `import_tsv` otherwise.

    Raises
    ------
    RunError
        pyarrow is not installed.
    """
    need_pyarrow()
    path = Path(path)
    return put_rows(store, _rows_of_parquet(path), path, on_rows)


def _rows_of_parquet(path: Path) -> Iterator[dict[str, Any]]:
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        check_columns(file.schema_arrow.names)
        for batch in file.iter_batches(ROW_GROUP):
            yield from batch.to_pylist()


def _schema(pa: Any, columns: list[str]) -> pyarrow.Schema:
    """Give the type of each column: all that is not text before the metrics is named."""
    kinds = {column: pa.string() for column in LEADING} | {"seed": pa.int64()}
    kinds |= dict.fromkeys(NUMBERS, pa.float64())
    return pa.schema([(name, kinds.get(name, pa.float64())) for name in columns])


def need_pyarrow() -> Any:
    """Import pyarrow, or say that it is missing."""
    try:
        import pyarrow
    except ImportError as error:
        raise RunError(
            "Parquet: found no pyarrow, which reads and writes it; install it with "
            "`pip install 'ambient-nas[parquet]'`, or name a .tsv.gz"
        ) from error
    return pyarrow
