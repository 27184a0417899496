"""A run's folder with everything in it, made up: what the tests of the report read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from descriptors.schema import DESCRIPTORS

TRAINING = ("Abf1", "Cin5", "Fkh1", "H3K4me3", "Reb1", "Rpo31", "Spt16", "YEP_NFR")
HELD_OUT = ("Tbf1", "War1", "H4ac", "Rpo21")
CATEGORY = {"H3K4me3": "histone", "H4ac": "histone", "Rpo31": "polymerase", "Rpo21": "polymerase"}
CATEGORY |= {"YEP_NFR": "accessibility", "Spt16": "other"}
EASE = {"H3K4me3": -0.12, "H4ac": -0.15, "War1": -0.09, "Rpo31": 0.03}
CONSENSUS = {"Reb1": "TTACCCGG", "Abf1": "CGTNNNNNTGA", "Tbf1": "AACCCTAA", "Fkh1": "GTAAACAA"}


def make_layers(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Draw the layers of one network of ambient-10."""

    def convolution(filters: int) -> dict[str, Any]:
        return {
            "operation": "convolution",
            "filters": filters,
            "kernel": int(rng.choice([8, 14, 20])),
            "dilation": int(rng.choice([1, 2])),
            "activation": "relu",
            "reverse_complement": False,
        }

    pooling = {"operation": str(rng.choice(["max_pooling", "average_pooling"])), "size": 4}
    dropout = {"operation": "dropout", "rate": float(rng.choice([0.1, 0.3, 0.5]))}
    return [
        convolution(16),
        pooling,
        dropout,
        convolution(64),
        pooling,
        dropout,
        {"operation": "global_max"},
        {"operation": "dense", "units": int(rng.choice([30, 100]))},
    ]


def summarise_layers(layers: list[dict[str, Any]]) -> str:
    """Give the line that `Architecture.summary` gives for these layers."""
    words = {"max_pooling": "max", "average_pooling": "average", "dropout": "drop"}
    parts = []
    for layer in layers:
        if layer["operation"] == "convolution":
            part = f"conv {layer['filters']}x{layer['kernel']}"
            parts.append(part + (f" d{layer['dilation']}" if layer["dilation"] != 1 else ""))
        else:
            name = words.get(layer["operation"], layer["operation"].replace("_", " "))
            values = [f"{value:g}" for key, value in layer.items() if key != "operation"]
            parts.append(" ".join([name, *values]))
    return " > ".join(parts)


def make_motif(rng: np.random.Generator, consensus: str, log_p: float) -> dict[str, Any]:
    """Make a motif around a consensus; N is any base."""
    rows = []
    for letter in consensus:
        sharp = rng.uniform(6, 40)
        weights = (
            [sharp if base == letter else 0.8 for base in "ACGT"] if letter != "N" else [9] * 4
        )
        rows.append([float(p) for p in rng.dirichlet(weights)])
    return {
        "name": f"1-{consensus}",
        "consensus": consensus,
        "probabilities": rows,
        "log_p": log_p,
        "targets": 400,
        "target_share": float(rng.uniform(0.2, 0.7)),
        "background_share": float(rng.uniform(0.01, 0.08)),
        "strand_bias": float(rng.uniform(0, 0.5)),
        "multiplicity": float(rng.uniform(1.0, 1.4)),
        "threshold": 6.5,
    }


def make_descriptors(rng: np.random.Generator, task: str) -> dict[str, Any]:
    """Make one task's descriptors, motifs and sources; some values are missing."""
    category = CATEGORY.get(task, "tf")
    values: dict[str, float | None] = {}
    for descriptor in DESCRIPTORS:
        name = descriptor.name
        if name.startswith("is_"):
            values[name] = float(name == f"is_{category}")
        elif name.startswith("has_"):
            values[name] = None if category == "other" else float(rng.random() < 0.3)
        elif descriptor.transform == "log1p":
            values[name] = float(np.round(np.exp(rng.normal(6, 1.1)), 2))
        else:
            values[name] = float(rng.uniform(0, 2))
    values["n_peaks"] = float(rng.integers(300, 5000))
    if task in ("War1", "Rpo31"):
        values["phylop_mean"] = None
    first = CONSENSUS.get(task, "".join(rng.choice(list("ACGT"), 8)))
    others = ["".join(rng.choice(list("ACGT"), size)) for size in (6, 10, 8)]
    strengths = (-310.5, -1577.25, -120.0, -44.0)
    motifs = [
        make_motif(rng, consensus, log_p)
        for consensus, log_p in zip([others[0], first, *others[1:]], strengths, strict=True)
    ]
    peaks = {
        "name": f"{task}.bed.gz",
        "sha256": "".join(rng.choice(list("0123456789abcdef"), 64)),
        "rows": int(values["n_peaks"] or 0),
        "left_out": {"duplicate": 3, "excluded region": 0},
    }
    genome = {"name": "sacCer3.fa.gz", "sha256": "ab" * 32, "rows": 17, "left_out": {}}
    return {
        "task": task,
        "schema_version": 1,
        "values": values,
        "sources": {"peaks": peaks, "genome": genome},
        "motifs": motifs,
    }


def make_journal(rng: np.random.Generator, training: tuple[str, ...], steps: int) -> str:
    """Make the records of a controller that learns."""
    lines = []
    baselines: dict[str, float] = {}
    for step in range(1, steps + 1):
        learnt = 0.09 * (1 - np.exp(-step / 25))
        rewards = {}
        for task in sorted(rng.choice(training, size=2, replace=False)):
            centre = 0.80 + learnt + EASE.get(task, 0.0)
            rewards[str(task)] = [
                float(round(value, 4)) for value in rng.normal(centre, 0.03, size=5)
            ]
            before = baselines.get(task, float(np.mean(rewards[task])))
            baselines[str(task)] = round(0.9 * before + 0.1 * float(np.mean(rewards[task])), 4)
        evaluations = [
            {"task": task, "state": "done", "metrics": {"validation_auroc": value}}
            for task, values in rewards.items()
            for value in values
        ]
        if step in (31, 40):
            evaluations.append({"task": "Reb1", "state": "failed", "metrics": {}})
        record = {
            "step": step - 1,
            "evaluations": evaluations,
            "wall_seconds": 61.5,
            "logs": {
                **{f"baseline/{task}": baselines[task] for task in rewards},
                "approx_kl": float(abs(rng.normal(0.008, 0.004))),
                "clip_fraction": float(abs(rng.normal(0.08, 0.03))),
                "entropy": float(12.5 - 4 * learnt / 0.09 * 0.6 + rng.normal(0, 0.1)),
                "explained_variance": float(np.tanh(step / 20) * 0.7 + rng.normal(0, 0.06)),
                "policy_loss": -0.01,
            },
        }
        lines.append(json.dumps(record))
    return "\n".join(lines) + "\n"


def make_run(
    folder: Path,
    training: tuple[str, ...] = TRAINING,
    held_out: tuple[str, ...] = HELD_OUT,
    steps: int = 60,
    random_architectures: int = 10,
    full: bool = True,
) -> Path:
    """Write a run's folder with everything in it, as `ambient train` and `ambient demo` do."""
    rng = np.random.default_rng(7)
    folder.mkdir(parents=True)
    config = {
        "version": "0.1.0",
        "seed": 11,
        "space": "ambient-10",
        "fidelity": {"name": "search", "epochs": 12},
        "corpus": "corpus.yaml",
        "steps": steps,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (folder / "journal.jsonl").write_text(make_journal(rng, training, steps))
    described = {task: make_descriptors(rng, task) for task in (*training, *held_out)}
    proposals, rows = [], []
    for task in held_out:
        found = []
        for rank in range(3):
            layers = make_layers(rng)
            architecture = {
                "space": "ambient-10",
                "space_version": 1,
                "tokens": list(range(10)),
                "window_bp": None,
                "recipe": {},
                "batch_normalisation": True,
                "layers": layers,
            }
            near = rng.choice(training, 2, replace=False)
            distances = np.sort(rng.uniform(2, 6, size=2))
            found.append(
                {
                    "summary": summarise_layers(layers),
                    "probability": 0.013 / (rank + 1),
                    "architecture": architecture,
                    "nearest": [[str(n), float(d)] for n, d in zip(near, distances, strict=True)],
                }
            )
        category = CATEGORY.get(task, "tf")
        proposals.append({"task": task, "category": category, "held_out": True, "proposals": found})
        centre = 0.87 + EASE.get(task, 0.0)

        def scores(mean: float, spread: float) -> dict[str, float]:
            auroc = float(np.clip(rng.normal(mean, spread), 0.5, 0.99))
            aupr = float(np.clip(auroc - 0.11 + rng.normal(0, 0.01), 0.1, 0.99))
            return {"test_auroc": auroc, "test_aupr": aupr, "validation_auroc": auroc + 0.004}

        row = {
            "task": task,
            "category": category,
            "proposal": scores(centre + 0.02, 0.015),
            "random": [scores(centre - 0.02, 0.035) for _ in range(random_architectures)],
            "kmer": scores(centre, 0.015),
        }
        if full:
            row["full"] = scores(centre + 0.035, 0.01)
        rows.append(row)
    comparison = {"fidelity": "search", "rows": rows}
    for name, content in (
        ("descriptors.json", described),
        ("proposals.json", proposals),
        ("comparison.json", comparison),
    ):
        (folder / name).write_text(json.dumps(content))
    return folder
