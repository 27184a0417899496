"""Evaluations as a table, to look at, to commit and to take over from others."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ambient.errors import RunError
from ambient.evaluate.store import COLUMNS, Store
from ambient.files import write_atomic

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["export_tsv", "import_tsv", "to_table"]


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

    records = []
    for row in store.select(**filters):
        record = dict(row)
        metrics = json.loads(record["metrics"])
        record["fidelity_name"] = json.loads(record["fidelity_json"])["name"]
        record["metrics_json"] = record.pop("metrics")
        records.append({**record, **metrics})
    columns = [c for c in COLUMNS if c != "metrics"]
    return pd.DataFrame.from_records(records) if records else pd.DataFrame(columns=columns)


def export_tsv(store: Store, path: str | Path, **filters: Any) -> int:
    """Write `to_table` as tab-separated text, compressed where the name ends in .gz; give the number of rows."""
    table = to_table(store, **filters)
    content = table.to_csv(sep="\t", index=False).encode()
    if str(path).endswith(".gz"):
        content = gzip.compress(content, mtime=0)
    write_atomic(path, content)
    return len(table)


def import_tsv(store: Store, path: str | Path) -> int:
    """Take the rows of a table that `export_tsv` wrote over into a store, by the rule of `Store.put`.

    Parameters
    ----------
    store : Store
    path : path
        Plain, or compressed where the name ends in .gz.

    Returns
    -------
    int
        How many were new there, or replaced a failed one.

    Raises
    ------
    RunError
        The file is absent or is no such table; nothing is taken over then.
    """
    import pandas as pd

    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
        rows = [
            {**row, "metrics": row["metrics_json"], "seed": int(row["seed"])}
            | {name: float(row[name]) for name in ("wall_seconds", "cpu_seconds")}
            for row in table.to_dict("records")
        ]
        evaluations = [store.evaluation_of(row) for row in rows]
    except FileNotFoundError as error:
        raise RunError(f"{path}: there is no such table of evaluations; check the path") from error
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise RunError(
            f"{path}: found something else ({error}) where a table of evaluations was needed; "
            "name a file that `ambient evaluate --export` wrote"
        ) from error
    return store.put(*evaluations)
