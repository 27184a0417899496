"""Prepare the multi-label task of the yeast benchmark, and count what it holds and costs.

    python benchmarks/yeast/multilabel.py

writes multilabel.json beside this file and prints its numbers.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ambient.data import SPLITS, TaskData, prepare_task, read_corpus
from ambient.errors import InputError
from ambient.files import write_json_atomic

HERE = Path(__file__).resolve().parent
TASK = "all"


def main() -> None:
    """Prepare, count, write."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    ).parse_args()
    try:
        corpus = read_corpus(HERE / "multilabel.yaml")
    except InputError as error:
        sys.exit(f"the yeast benchmark needs the real data beside the checkout: {error}")
    before, started, cpu = _peak_mb(), time.perf_counter(), time.process_time()
    task = prepare_task(corpus, corpus.task(TASK))
    facts = {
        **count(task),
        "data_sets": len(corpus.task(TASK).labels),
        "wall_seconds": round(time.perf_counter() - started, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_mb_before": before,
        "peak_mb": _peak_mb(),
    }
    write_json_atomic(HERE / "multilabel.json", facts)
    for key, value in facts.items():
        print(f"{key}: {value}")


def _peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def count(task: TaskData) -> dict[str, Any]:
    """Count windows and labels."""
    is_labelled = (task.labels > 0.5).any(axis=1)
    positives = np.nansum(task.labels, axis=0).astype(int)
    unknown = np.isnan(task.labels).mean(axis=0)
    return {
        "hash": task.hash,
        "windows": {
            split: {
                "labelled": int(is_labelled[task.subset(split)].sum()),
                "without": int((~is_labelled[task.subset(split)]).sum()),
            }
            for split in SPLITS
        },
        "labels": dict(sorted(Counter(task.label_categories).items())),
        "positives_of_a_label": {
            "least": int(positives.min()),
            "median": float(np.median(positives)),
            "most": int(positives.max()),
        },
        "labels_of_a_labelled_window": round(float(positives.sum() / is_labelled.sum()), 2),
        "share_unknown_of_a_label": {
            "least": round(float(unknown.min()), 3),
            "median": round(float(np.median(unknown)), 3),
            "most": round(float(unknown.max()), 3),
        },
        "left_out": dict(task.left_out),
        "codes_mb": round(task.codes.nbytes / 2**20, 1),
        "labels_mb": round(task.labels.nbytes / 2**20, 1),
    }


if __name__ == "__main__":
    main()
