"""Tasks in a folder, from which worker processes map them instead of each holding a copy."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ambient.data.task import TaskData

__all__ = ["load_spilled_task", "spill_task"]


def spill_task(task: TaskData, folder: Path) -> None:
    """Write a task into a new folder, one file for each array.

    Parameters
    ----------
    task : TaskData
        What to write.
    folder : Path
        Must not exist; its parent must.

    Raises
    ------
    OSError
        The disk is full or the folder cannot be written.
    """
    folder.mkdir()
    values = {field.name: getattr(task, field.name) for field in fields(task)}
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    for name, array in arrays.items():
        _save(array, folder / f"{name}.npy")
    facts = {name: value for name, value in values.items() if name not in arrays}
    facts["left_out"] = dict(task.left_out)
    # The system maps no empty file.
    mapped = [name for name, array in arrays.items() if array.size]
    plain = [name for name in arrays if name not in mapped]
    content = json.dumps({"facts": facts, "mapped": mapped, "plain": plain})
    (folder / "task.json").write_text(content, encoding="utf-8")


def _save(array: np.ndarray, path: Path) -> None:
    """Do as `np.save`, which says nothing when the disk is full and the array small."""
    array = np.ascontiguousarray(array)
    with path.open("wb") as stream:
        facts = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(stream, facts)
        stream.write(array.tobytes())


def load_spilled_task(folder: Path) -> TaskData:
    """Read a task that `spill_task` wrote; its codes stay on the disk until they are used.

    Parameters
    ----------
    folder : Path
        What `spill_task` wrote.

    Returns
    -------
    TaskData
        Equal to the one that was written. Writing into its codes changes this copy alone.
    """
    from ambient.data.task import TaskData

    content = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    # Copy on write ("c"), since torch warns of arrays that it could not write to.
    arrays = {
        name: np.load(
            folder / f"{name}.npy",
            mmap_mode="c" if name in content["mapped"] else None,
            allow_pickle=False,
        )
        for name in content["mapped"] + content["plain"]
    }
    return TaskData(**content["facts"], **arrays)
