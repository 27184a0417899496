"""Child networks: the fidelity at which they are trained, the training, the baseline to beat."""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Fidelities and metrics are read by those who never train: torch is imported by what needs it.
_HOMES = {
    "FULL": "ambient.child.fidelity",
    "SEARCH": "ambient.child.fidelity",
    "Fidelity": "ambient.child.fidelity",
    "TrainedChild": "ambient.child.train",
    "aupr": "ambient.child.metrics",
    "auroc": "ambient.child.metrics",
    "fit_kmer_baseline": "ambient.child.kmer",
    "kmer_counts": "ambient.child.kmer",
    "named_fidelity": "ambient.child.fidelity",
    "predict": "ambient.child.train",
    "train_child": "ambient.child.train",
}

__all__ = [
    "FULL",
    "SEARCH",
    "Fidelity",
    "TrainedChild",
    "aupr",
    "auroc",
    "fit_kmer_baseline",
    "kmer_counts",
    "named_fidelity",
    "predict",
    "train_child",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ambient.child' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
