"""Windows of tasks, compared and as tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ambient.data import TaskData


def equal(first: TaskData, second: TaskData) -> bool:
    """Whether two tasks hold the same windows around the same places."""
    return first.hash == second.hash and np.array_equal(first.centre, second.centre)


def as_table(task: TaskData, rows: np.ndarray) -> pd.DataFrame:
    """Give the intervals of some windows."""
    start = task.centre[rows] - task.window_bp // 2
    return pd.DataFrame(
        {"chromosome": task.chromosome[rows], "start": start, "end": start + task.window_bp}
    )
