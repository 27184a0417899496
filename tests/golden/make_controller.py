"""Write the small controller that every later version must load (run once for each card format).

python tests/golden/make_controller.py tests/golden/controller-1
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ambient.controller.card import Controller, TrainingTask
from ambient.controller.policy import Policy, PolicyConfig
from ambient.controller.scaling import Scaler
from ambient.space import SearchSpace
from descriptors.record import Descriptors
from descriptors.schema import DESCRIPTORS, SCHEMA_VERSION

SPACE: dict[str, Any] = {
    "name": "golden",
    "version": 1,
    "window_bp": 200,
    "decisions": [
        {"name": "window", "sets": "window", "choices": [200, 500]},
        {"name": "blocks", "sets": "parameter", "choices": [1, 2]},
        {
            "name": "first",
            "shares": "convolution",
            "choices": [
                {"operation": "convolution", "filters": n, "kernel": 8} for n in (4, 8, 16)
            ],
        },
        {
            "name": "second",
            "shares": "convolution",
            "when": {"blocks": 2},
            "choices": [
                {"operation": "convolution", "filters": n, "kernel": 4} for n in (4, 8, 16)
            ],
        },
        {"name": "tail", "choices": ["global_max", "global_average", "attention"]},
        {
            "name": "rate",
            "sets": "recipe",
            "choices": [{"learning_rate": 0.001}, {"learning_rate": 0.003}],
        },
    ],
}


def described(task: str, generator: np.random.Generator) -> Descriptors:
    values: dict[str, float | None] = {
        entry.name: round(float(generator.random() * 10), 3) for entry in DESCRIPTORS
    }
    values["phylop_mean"] = None
    return Descriptors(
        task=task, schema_version=SCHEMA_VERSION, values=values, sources={}, motifs=()
    )


def main(folder: Path) -> None:
    generator = np.random.default_rng(1)
    corpus = [described(name, generator) for name in ("alpha", "beta", "gamma")]
    scaler = Scaler.fit(corpus)
    config = PolicyConfig(hidden=6, encoder=4, embedding=3, temperature=1.2, tanh_bound=3.0)
    policy = Policy(SearchSpace.from_dict(SPACE), config, len(DESCRIPTORS), seed=1)
    with torch.no_grad():
        for weight in policy.parameters():
            weight.mul_(3)  # far from uniform, so that a change of the arithmetic shows
    tasks = tuple(
        TrainingTask(task.task, tuple(scaler.transform(task).tolist()), baseline)
        for task, baseline in zip(corpus, (0.7, 0.8, None), strict=True)
    )
    controller = Controller(policy, scaler, tasks, training={"steps": 0, "seed": 1})
    controller.save(folder)
    new = described("delta", generator)
    proposals = controller.propose(new, top=3)
    expected = {
        "descriptors": json.loads(new.to_json()),
        "tokens": [list(proposal.architecture.tokens) for proposal in proposals],
        "probabilities": [proposal.probability for proposal in proposals],
        "nearest": [list(pair) for pair in proposals[0].nearest],
    }
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
