"""The whole story on simulated data: describe, train jointly, propose, compare, fit, report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ambient.files import write_json_atomic

__all__ = ["run_demo"]

TASKS = 8  # of which the last two are held out
GENOME_BP = 400_000
STEPS = 8  # updates of the controller
TASKS_PER_STEP = 3
ARCHITECTURES_PER_TASK = 4
RANDOM = 6  # architectures that each proposal is compared with


def run_demo(
    folder: Path,
    seed: int = 0,
    workers: int | None = None,
    steps: int = STEPS,
    say: Callable[[str], None] = lambda text: None,
    on_step: Callable[[Any], None] | None = None,
) -> dict[str, Any]:
    """Show everything on data that is simulated: a corpus, a controller, proposals for tasks it never saw.

    Parameters
    ----------
    folder : path
        Absent or empty; gets `corpus/`, `run/` (with `report.html`) and `model/`.
    seed : int
        Of the data, the controller and the children.
    workers : int, optional
        Processes; one for each core where it is not given.
    steps : int
        Updates of the controller.
    say : callable
        Told each chapter as it begins.
    on_step : callable, optional
        Told each step of the training.

    Returns
    -------
    dict
        The comparison on the held-out tasks, as `ambient.zero_shot.compare` gives it.
    """
    from ambient.child.fidelity import FULL, SEARCH
    from ambient.data.corpus import read_corpus
    from ambient.data.describe import describe_corpus
    from ambient.data.prepare import prepare_corpus
    from ambient.data.simulate import simulate_corpus
    from ambient.evaluate import Remembering, Store
    from ambient.evaluate.choose import open_engine
    from ambient.fit import fit
    from ambient.propose import propose_for_tasks
    from ambient.search.config import AmbientConfig
    from ambient.search.joint import JointConfig, train_jointly
    from ambient.space import named_space
    from ambient.zero_shot import compare, draw_random

    folder.mkdir(exist_ok=True)
    say(f"simulating a genome of {GENOME_BP:,} bp and {TASKS} data sets")
    corpus = read_corpus(simulate_corpus(folder / "corpus", TASKS, GENOME_BP, seed))
    tasks = prepare_corpus(corpus)

    say("describing each data set by 40 numbers, from its training chromosomes")
    described = describe_corpus(corpus, workers=workers)

    space = named_space("ambient-10")
    learning = [spec.name for spec in corpus.training_tasks]
    say(f"training a controller jointly over {', '.join(learning)} ({space.size:,} architectures)")
    fidelity = replace(SEARCH, name="demo", windows_per_epoch=600, epochs=6)
    config = JointConfig(
        steps=steps,
        seed=seed,
        fidelity=fidelity,
        controller=AmbientConfig(
            tasks_per_step=TASKS_PER_STEP, architectures_per_task=ARCHITECTURES_PER_TASK
        ),
        workers=workers,
    )
    run = folder / "run"
    controller = train_jointly(
        run, corpus, space, tasks, described, config, on_step=on_step, say=say
    )

    held_out = {spec.name: tasks[spec.name] for spec in corpus.held_out_tasks}
    say(f"proposing for {', '.join(held_out)}, which the controller never saw")
    proposed = propose_for_tasks(
        controller, corpus.held_out_tasks, described, run / "proposals.json"
    )

    say(f"training each proposal and {RANDOM} random architectures alike, and 5-mer regression")
    random = draw_random(space, RANDOM, seed)
    thorough = replace(FULL, name="demo-full", epochs=16, members=1)
    with (
        Store(run / "store.sqlite") as store,
        Remembering(open_engine("pool", held_out, workers), store) as engine,
    ):
        comparison = compare(held_out, proposed, random, engine, fidelity, full=thorough, seed=seed)
    write_json_atomic(run / "comparison.json", comparison)

    first = next(iter(held_out))
    say(f"fitting the proposal for {first} and exporting it as plain torch")
    fit(held_out[first], proposed[first], folder / "model", thorough, seed)
    return comparison
