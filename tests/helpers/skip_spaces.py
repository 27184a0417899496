"""A space of the family of amber-12 that trains in milliseconds, and tasks for it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ambient.data.task import TaskData
from ambient.space import SearchSpace


def small_space(filters: int = 4, kernels: tuple[int, ...] = (3, 5), **changes: Any) -> SearchSpace:
    """Make two blocks of two layers: convolutions, a dilated one, a sliding maximum, identity."""

    def choices(width: int) -> list[Any]:
        plain = [
            {"operation": "convolution", "filters": width, "kernel": kernel} for kernel in kernels
        ]
        dilated = {"operation": "convolution", "filters": width, "kernel": 3, "dilation": 4}
        return [*plain, dilated, {"operation": "sliding_max", "size": 4}, "identity"]

    linear = {"operation": "convolution", "kernel": 1, "activation": "linear"}
    decisions = [
        {
            "name": f"layer {number}",
            "shares": "operation",
            "choices": choices(filters * (1 if number < 3 else 2)),
            **({"skips": "all"} if number > 1 else {}),
        }
        for number in (1, 2, 3, 4)
    ]
    return SearchSpace.from_dict(
        {
            "name": "small",
            "version": 1,
            "window_bp": 40,
            "decisions": decisions,
            "network": [
                {"operation": "convolution", "filters": 6, "kernel": 5},
                {**linear, "filters": filters},
                {"decision": "layer 1"},
                {"decision": "layer 2"},
                {"operation": "max_pooling", "size": 4},
                {**linear, "filters": 2 * filters},
                {"decision": "layer 3"},
                {"decision": "layer 4"},
                {"operation": "flatten"},
                {"operation": "dense", "units": 6},
            ],
            **changes,
        }
    )


def many_labels(outputs: int = 3, windows: int = 96, seed: int = 0) -> TaskData:
    """Make windows with a motif of their own for each label; a window may have several labels."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (windows, 60), dtype=np.uint8)
    labels = (rng.random((windows, outputs)) < 0.4).astype(np.float32)
    motifs = np.random.default_rng(1).integers(0, 4, (outputs, 6), dtype=np.uint8)
    for row, column in zip(*np.nonzero(labels), strict=True):
        start = 14 + 10 * column
        codes[row, start : start + 6] = motifs[column]
    split = np.array([0, 0, 0, 0, 1, 1, 2, 2], dtype=np.uint8)[np.arange(windows) % 8]
    origin = (labels.max(1) == 0).astype(np.uint8)
    return TaskData("many", "other", 40, codes, labels, split, origin)
