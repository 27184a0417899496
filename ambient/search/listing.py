"""What a search of one task evaluated, in its run's folder: a table, and each architecture as a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ambient.evaluate import Evaluation
from ambient.files import make_folder, write_atomic

__all__ = ["ARCHITECTURES", "EVALUATIONS", "write_listing"]

EVALUATIONS = "evaluations.tsv"
ARCHITECTURES = "architectures"  # folder: 1.json is the architecture of the first evaluation


def write_listing(
    folder: Path,
    evaluations: Sequence[Evaluation],
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
) -> None:
    """List evaluations by number, from 1, in the order in which they were asked.

    Parameters
    ----------
    folder : path
        The run's.
    evaluations : sequence of Evaluation
    columns, rows : sequence
        What `ambient.search.tracked.evaluation_table` says of them. Test scores are left out, since a
        user may choose from the list.
    """
    kept = [index for index, name in enumerate(columns) if not name.startswith("test_")]
    lines = [["evaluation", *(columns[index] for index in kept)]]
    for number, row in enumerate(rows, start=1):
        lines.append([str(number), *(_cell(row[index]) for index in kept)])
    write_atomic(folder / EVALUATIONS, "".join("\t".join(line) + "\n" for line in lines))
    place = make_folder(folder / ARCHITECTURES)
    for number, one in enumerate(evaluations, start=1):
        path = place / f"{number}.json"
        if not path.exists():  # a search that was lengthened has the first ones already
            write_atomic(path, one.architecture.to_json())


def _cell(value: Any) -> str:
    """Give a cell without tabs and line breaks; empty where nothing is known."""
    return "" if value is None else " ".join(str(value).split())
