"""Child networks: the fidelity at which they are trained, the training, the baseline to beat."""

from __future__ import annotations

from ambient.child.fidelity import FULL, SEARCH, Fidelity, named_fidelity
from ambient.child.kmer import fit_kmer_baseline, kmer_counts
from ambient.child.metrics import aupr, auroc
from ambient.child.train import train_child
from ambient.child.trained import TrainedChild, predict

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
