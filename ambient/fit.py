"""Train one architecture on one task as well as we can, and leave a model that needs no ambient."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ambient.errors import RunError
from ambient.files import whole_folder, write_atomic, write_json_atomic
from ambient.version import __version__

if TYPE_CHECKING:
    from ambient.child.fidelity import Fidelity
    from ambient.child.train import TrainedChild
    from ambient.data.task import TaskData
    from ambient.space import Architecture

__all__ = ["Fitted", "check_model_folder", "fit"]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted model: where it lies, how well it does, and beside what."""

    folder: Path
    trained: TrainedChild
    metrics: Mapping[str, float | None]  # validation and test AUROC and AUPR
    kmer: Mapping[str, float | None]  # the same of 5-mer logistic regression on the same windows


def check_model_folder(folder: Path) -> None:
    """Refuse a folder that a model cannot be written into, before any work is done.

    Raises
    ------
    RunError
        It is a file, holds something, or lies in a folder that does not exist.
    """
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder}: found a file where a folder was needed; name another --output")
    if folder.is_dir() and any(folder.iterdir()):
        first = min(path.name for path in folder.iterdir())
        raise RunError(
            f"{folder}: found {first!r} in it, an absent or empty folder was needed; name another --output"
        )
    if not folder.parent.is_dir():
        raise RunError(f"{folder}: the folder {folder.parent} does not exist; make it first")


def fit(
    task: TaskData,
    architecture: Architecture,
    folder: str | Path,
    fidelity: Fidelity | None = None,
    seed: int = 0,
    device: str = "cpu",
    workers: int = 1,
    advance: Callable[[], object] = lambda: None,
) -> Fitted:
    """Train an architecture on a task and export it.

    The folder gets `model.py` and `weights.safetensors` (plain torch, no ambient), `architecture.json`,
    `metrics.json` and `README.md`, the model's card: all of them, or none where the writing is interrupted.

    Parameters
    ----------
    task : TaskData
        Early stopping reads its validation windows; its test windows are scored once, at the end.
    architecture : Architecture
        Its own window, where it has one, is used.
    folder : path
        Absent or empty.
    fidelity : Fidelity, optional
        `full_for` the number of training windows where it is not given.
    seed : int
        Of weights, order and augmentation.
    device : str
        As torch spells it.
    workers : int
        Networks that are trained at once, in processes of their own where there are several; a script that asks for
        more than one must do its work under ``if __name__ == "__main__":``.
    advance : callable
        Called whenever a network is trained.

    Raises
    ------
    RunError
        The folder holds something, or training failed.
    InputError
        The architecture reads a wider window than the task stores.
    """
    from ambient.child.export import export_model
    from ambient.child.fidelity import full_for
    from ambient.child.kmer import fit_kmer_baseline
    from ambient.evaluate.members import train_members

    folder = Path(folder)
    check_model_folder(folder)
    task.check_window(architecture.window_bp or task.window_bp)
    fidelity = fidelity or full_for(len(task.subset("train")))
    trained = train_members(task, architecture, fidelity, seed, device, workers, advance)
    kmer = fit_kmer_baseline(task, window_bp=trained.window_bp)
    labels = task.label_names or ([task.name] if task.outputs == 1 else [])
    record: dict[str, Any] = {
        "task": task.name,
        "task_hash": task.hash,
        "window_bp": trained.window_bp,
        "seed": seed,
        "metrics": dict(trained.metrics),
        "kmer_baseline": dict(kmer),
        "windows": _counts(task),
        "split": _chromosomes(task),
        "stranded": task.stranded,
        "left_out": dict(task.left_out),
        "fidelity": fidelity.to_dict(),
        "epochs": trained.epochs,
        "restarts": trained.restarts,
        "ambient_version": __version__,
    }
    if task.label_names:
        record["labels"] = _labels(task, trained)
    with whole_folder(folder) as place:
        export_model(
            trained.members,
            place,
            trained.window_bp,
            labels=labels,
            both_strands=trained.fidelity.reverse_complement,
            title=f"{task.name}: {architecture.summary()}",
        )
        write_atomic(place / "architecture.json", architecture.to_json())
        write_json_atomic(place / "metrics.json", record)
        write_atomic(place / "README.md", _card(task, architecture, trained, record))
    return Fitted(folder, trained, trained.metrics, kmer)


def _counts(task: TaskData) -> dict[str, dict[str, int]]:
    """Count the positives and negatives of each split."""
    positive = np.asarray((task.labels > 0.5).any(axis=1))
    return {
        split: {
            "positives": int(positive[task.subset(split)].sum()),
            "negatives": int((~positive[task.subset(split)]).sum()),
        }
        for split in ("train", "validation", "test")
    }


def _labels(task: TaskData, trained: TrainedChild) -> list[dict[str, Any]]:
    """Give a row for each label of a task that has several: its name, windows and metrics."""
    windows = (task.labels[task.subset("train")] > 0.5).sum(axis=0)
    return [
        {
            "name": name,
            "category": task.label_categories[number],
            "train_positives": int(windows[number]),
            **{metric: values[number] for metric, values in trained.by_label.items()},
        }
        for number, name in enumerate(task.label_names)
    ]


def _chromosomes(task: TaskData) -> dict[str, list[str]]:
    """Name the chromosomes of each split; empty where a task was not made from a genome."""
    if not len(task.chromosome):
        return {}
    return {
        split: [str(name) for name in np.unique(task.chromosome[task.subset(split)])]
        for split in ("train", "validation", "test")
    }


def _categories(task: TaskData, trained: TrainedChild) -> str:
    """Write what the means of a card are made of; nothing for a task of one label."""
    if not task.label_names:
        return ""
    rows = [
        f"| {category} | {task.label_categories.count(category)} | "
        + " | ".join(
            _number(trained.metrics[f"{split}_{metric}_{category}"])
            for split in ("validation", "test")
            for metric in ("auroc", "aupr")
        )
        + " |"
        for category in sorted(set(task.label_categories))
    ]
    lacking = trained.by_label["test_auroc"].count(None)
    without = f", without {lacking} that lack a class in the test windows" if lacking else ""
    return "\n".join(
        [
            "",
            "A window counts as positive where it has any label. AUROC and AUPR are means over the "
            f"{task.outputs} labels{without}; `metrics.json` holds each.",
            "",
            "| labels | number | validation AUROC | AUPR | test AUROC | AUPR |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def _strand(task: TaskData) -> str:
    """Say on which strand a stranded task is read; nothing of others."""
    if not task.stranded:
        return ""
    return (
        "\nIt reads each window on the strand of its peak and never turns it: "
        "give the sequence of the transcript's strand."
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _card(
    task: TaskData, architecture: Architecture, trained: TrainedChild, record: dict[str, Any]
) -> str:
    """Write the model's card for a person."""
    kmer, counts, fidelity = record["kmer_baseline"], record["windows"], trained.fidelity
    how = (
        f"{len(trained.members)} network(s) of this architecture, trained from different seeds for up to "
        f"{fidelity.epochs} epochs of {fidelity.windows_per_epoch:,} windows; their logits are averaged."
    )
    split = "; ".join(f"{name}: {', '.join(held)}" for name, held in record["split"].items())
    rows = "\n".join(
        f"| {split} | {counts[split]['positives']:,} | {counts[split]['negatives']:,} "
        f"| {_number(trained.metrics[f'{split}_auroc'])} | {_number(trained.metrics[f'{split}_aupr'])} "
        f"| {_number(kmer[f'{split}_auroc'])} | {_number(kmer[f'{split}_aupr'])} |"
        for split in ("validation", "test")
    )
    of_train = counts["train"]
    trained_on = (
        f"Trained on {of_train['positives']:,} positives and {of_train['negatives']:,} negatives."
    )
    peak, outputs = f"is a peak of {task.name}", task.outputs
    if task.label_names:
        peak = f"has a peak, for each of {outputs} data sets"
    return f"""# {task.name}

A convolutional network that gives the probability that a window of {trained.window_bp} bp {peak}.

    {architecture.summary()}

{how}

| windows | positives | negatives | AUROC | AUPR | 5-mer regression AUROC | AUPR |
|---|---|---|---|---|---|---|
{rows}
{_categories(task, trained)}
{trained_on} {split}{_strand(task)}
The validation windows chose when to stop; the test windows were scored once, afterwards.

## Use
Needs torch and safetensors, not ambient:

```python
from model import load, predict

networks = load()
probabilities = predict(networks, ["ACGT..."])   # each sequence {trained.window_bp} bp; shape (sequences, {outputs})
```

Negatives were sampled, so the probability ranks windows; it is not the share of the genome that is bound.
`metrics.json` holds all numbers and settings, `architecture.json` the architecture. Made with ambient {__version__}.
"""
