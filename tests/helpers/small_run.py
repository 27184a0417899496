"""A joint training of seconds over tiny tasks; also a program that the tests of faults start and kill.

python small_run.py FOLDER STEPS [--resume] prints a line for each evaluation and each step that is on the disk.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from tiny_children import SPACE, TINY, tiny_task

from ambient.controller.card import Controller
from ambient.data.corpus import Corpus, TaskSpec
from ambient.data.split import Split
from ambient.data.task import TaskData
from ambient.evaluate import Store
from ambient.search.ambient import AmbientConfig
from ambient.search.joint import JointConfig, train_jointly
from descriptors import Descriptors
from descriptors.schema import NAMES, SCHEMA_VERSION

LEARNING, HELD_OUT = ("one", "two", "three"), ("four",)


def make_descriptors(name: str) -> Descriptors:
    """Make descriptors that differ from task to task; one is missing."""
    rng = np.random.default_rng(len(name) + ord(name[0]))
    values: dict[str, float | None] = {key: float(rng.uniform(0, 3)) for key in NAMES}
    values["phylop_mean"] = None
    return Descriptors(task=name, schema_version=SCHEMA_VERSION, values=values, sources={})


def make_corpus() -> Corpus:
    """Make a corpus whose files nobody opens."""
    specs = tuple(
        TaskSpec(name, Path(f"{name}.bed"), "tf", held_out=name in HELD_OUT)
        for name in (*LEARNING, *HELD_OUT)
    )
    split = Split(validation=("chr2",), test=("chr3",))
    return Corpus(Path("corpus.yaml"), Path("genome.fa"), split, specs, window_bp=60)


def make_tasks() -> dict[str, TaskData]:
    """Make the windows of all tasks."""
    return {name: tiny_task(name, seed) for seed, name in enumerate((*LEARNING, *HELD_OUT))}


def train_small(
    folder: Path, steps: int = 4, resume: bool = False, talk: bool = False, **changes: object
) -> Controller:
    """Train a controller over three tiny tasks."""
    config = JointConfig(
        steps=steps,
        fidelity=TINY,
        controller=AmbientConfig(tasks_per_step=2, architectures_per_task=2),
        engine="inline",
        **changes,  # type: ignore[arg-type]
    )
    names = (*LEARNING, *HELD_OUT)
    return train_jointly(
        folder,
        make_corpus(),
        SPACE,
        make_tasks(),
        {name: make_descriptors(name) for name in names},
        config,
        resume,
        on_step=(lambda step: print(f"step {step.number}", flush=True)) if talk else None,
    )


if __name__ == "__main__":
    put = Store.put

    def put_and_tell(self: Store, *evaluations: object) -> int:
        """Store, then say so: the parent may kill this process at that moment."""
        changed = put(self, *evaluations)  # type: ignore[arg-type]
        print("evaluation", flush=True)
        return changed

    Store.put = put_and_tell  # type: ignore[method-assign]
    train_small(Path(sys.argv[1]), int(sys.argv[2]), "--resume" in sys.argv, talk=True)
