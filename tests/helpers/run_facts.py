"""What must be the same at the end of two equal runs, whatever happened to them on the way."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from ambient.controller.checkpoint import read_checkpoint
from ambient.evaluate import Store
from ambient.search import read_journal


def facts(run: Path) -> dict[str, Any]:
    """Give the weights, the optimiser, baselines and random states, the store's rows and the journal of a run."""
    with Store(run / "store.sqlite") as store:
        rows = sorted((tuple(row.key), sorted(row.metrics.items())) for row in store.rows())
    steps = read_journal(run / "journal.jsonl")
    for step in steps:
        del step["wall_seconds"], step["costs"]
    last = max((run / "checkpoints").glob("*.safetensors"))
    return {
        "weights": (run / "controller" / "weights.safetensors").read_bytes(),
        "card": json.loads((run / "controller" / "card.json").read_text()),
        "optimiser and buffer": last.read_bytes(),
        "state": json.loads(last.with_suffix(".json").read_text()),
        "store": rows,
        "journal": steps,
    }


def check_whole(run: Path) -> int:
    """Make sure that all that a stopped run left is whole; give the steps that its checkpoint stands at."""
    assert litter(run) == []
    if (run / "store.sqlite").exists():
        connection = sqlite3.connect(run / "store.sqlite")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
    steps = len(read_journal(run / "journal.jsonl"))
    if not any(run.glob("checkpoints/step-*.json")):
        assert steps <= 1
        return 0
    state, notice = read_checkpoint(run / "checkpoints")
    assert notice is None
    assert state["steps"] in (steps, steps - 1)
    return int(state["steps"])


def litter(run: Path) -> list[str]:
    """Name the files that no finished piece of work leaves in a run's folder."""
    names = ("*.part", ".lock", "*.aside", "*.tmp", ".store*")
    return sorted(path.name for name in names for path in run.rglob(name))
