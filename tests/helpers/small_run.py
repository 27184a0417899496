"""A joint training of seconds over tiny tasks; also a program that the tests of faults start and kill.

python small_run.py FOLDER STEPS [--resume] [--pool] prints a line for each evaluation and each step that is on the
disk; --pool trains in two worker processes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from tiny_children import SPACE, TINY, tiny_task

from ambient.controller.card import Controller
from ambient.data.corpus import Corpus, TaskSpec
from ambient.data.split import Split
from ambient.data.task import TaskData
from ambient.evaluate import Store
from ambient.search.config import AmbientConfig
from ambient.search.joint import JointConfig, train_jointly
from ambient.search.loop import Step
from ambient.search.run_folder import hold_run
from descriptors import Descriptors
from descriptors.schema import NAMES, SCHEMA_VERSION

LEARNING, HELD_OUT = ("one", "two", "three"), ("four",)
CONTROLLER = AmbientConfig(tasks_per_step=2, architectures_per_task=2)


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
    folder: Path,
    steps: int = 4,
    resume: bool = False,
    on_step: Callable[[Step], None] | None = None,
    said: list[str] | None = None,
    draw: Callable[[Controller], Mapping[str, object]] | None = None,
    **changes: object,
) -> Controller:
    """Train a controller over three tiny tasks; what a user would be told is added to `said`."""
    say = [] if said is None else said
    usual = {"engine": "inline", "controller": CONTROLLER}
    config = JointConfig(steps=steps, fidelity=TINY, **{**usual, **changes})  # type: ignore[arg-type]
    names = (*LEARNING, *HELD_OUT)
    with hold_run(folder, resume, say.append):
        return train_jointly(
            folder,
            make_corpus(),
            SPACE,
            make_tasks(),
            {name: make_descriptors(name) for name in names},
            config,
            resume,
            on_step,
            say.append,
            draw,
        )


def tell(step: Step) -> None:
    """Say that a step is on the disk."""
    print(f"step {step.number}", flush=True)


if __name__ == "__main__":
    put = Store.put

    def put_and_tell(self: Store, *evaluations: object) -> int:
        """Store, then say so: the parent may kill this process at that moment."""
        changed = put(self, *evaluations)  # type: ignore[arg-type]
        print("evaluation", flush=True)
        return changed

    Store.put = put_and_tell  # type: ignore[method-assign]
    pool = {"engine": "pool", "workers": 2} if "--pool" in sys.argv else {}
    train_small(Path(sys.argv[1]), int(sys.argv[2]), "--resume" in sys.argv, tell, **pool)
