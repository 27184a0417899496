"""`ambient train`: a corpus to a jointly trained controller."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ambient.cli.options import (
    PATH,
    SPACE,
    check_sources,
    engine_options,
    how_to_go_on,
    json_option,
    print_json,
    seed_option,
)

if TYPE_CHECKING:
    from ambient.evaluate.choose import EngineChoice


@click.command(
    epilog="""\b
Example
  ambient train corpus.yaml --output runs/yeast --steps 100
  ambient train corpus.yaml --output runs/yeast --steps 200 --resume
  ambient train yeast.yaml human.yaml --output runs/both"""
)
@click.argument("corpora", metavar="CORPUS...", type=PATH, nargs=-1, required=True)
@click.option("--output", type=PATH, required=True, help="The run's folder.")
@click.option("--steps", type=click.IntRange(min=1), default=50, show_default=True)
@click.option("--hours", type=float, help="Stop after the step that passes this wall time.")
@click.option("--tasks", "tasks_per_step", type=click.IntRange(min=1), help="Tasks in a step.")
@click.option(
    "--ahead",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Further steps that are trained before the results of one are learned from.",
)
@click.option(
    "--real-every",
    type=click.IntRange(min=1),
    help="With predictor:PATH: every so many steps train what is proposed for each task, and learn from it.",
)
@click.option(
    "--stop-early", is_flag=True, help="Give up children that are below the median of their task."
)
@click.option(
    "--space",
    help=f"A name, or a YAML file; {SPACE}, or that of the run that goes on, if not given.",
)
@click.option("--config", type=PATH, help="YAML: constants of `fidelity` and `controller`.")
@click.option("--store", type=PATH, help="Remembers evaluations; RUN/store.sqlite if not given.")
@click.option("--cache", type=PATH, help="A folder that remembers tasks and descriptors.")
@click.option("--resume", is_flag=True, help="Go on with the run in --output.")
@click.option("--track", type=click.Choice(["none", "wandb"]), default="none", show_default=True)
@engine_options
@seed_option
@json_option
def command(
    corpora: tuple[Path, ...],
    output: Path,
    steps: int,
    hours: float | None,
    tasks_per_step: int | None,
    ahead: int,
    real_every: int | None,
    stop_early: bool,
    space: str | None,
    config: Path | None,
    store: Path | None,
    cache: Path | None,
    resume: bool,
    track: Literal["none", "wandb"],
    engine: EngineChoice,
    retry_failed: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Train a controller jointly over the training tasks of CORPUS; propose for its held-out tasks.

    Of several corpora each has a genome, a split and negatives of its own; their tasks need different names.

    Every evaluation and every step is on the disk before the next one begins: a run that was killed goes on
    with --resume and ends with the same weights as one that was not.
    """
    from ambient.cli.progress import progress
    from ambient.data.corpora import read_corpora
    from ambient.propose import propose_for_tasks
    from ambient.report import controller_figures, write_report
    from ambient.search.joint import JointConfig, read_descriptors, train_jointly
    from ambient.search.run_folder import begun_configuration, check_run, hold_run
    from ambient.space import SearchSpace, open_space

    def say(text: str) -> None:
        click.echo(text, err=True)

    named = read_corpora(corpora)
    check_run(output, resume)  # before anything else is looked at
    begun = begun_configuration(output, resume)
    chosen = open_space(space or SPACE)
    if begun and space is None:
        chosen = SearchSpace.from_dict(begun["space"])
    check_sources(engine, store)
    settings = JointConfig(
        steps=steps,
        hours=hours,
        ahead=ahead,
        real_every=real_every,
        seed=seed,
        engine=engine,
        store=store,
        track=track,
        retry_failed=retry_failed,
        **_constants(config, tasks_per_step, stop_early, begun),
    )
    with hold_run(output, resume, say), how_to_go_on():
        click.echo(f"preparing {len(named.training_tasks)} tasks", err=True)
        tasks = named.prepare_training(cache and cache / "tasks")
        described = read_descriptors(output) if resume else {}
        if not described:
            with progress("describing", len(named.tasks)) as advance:
                described = named.describe(
                    cache and cache / "descriptors", engine.workers, on_done=advance
                )
        with progress("steps", steps) as advance:
            controller = train_jointly(
                output,
                named,
                chosen,
                tasks,
                described,
                settings,
                resume,
                on_step=lambda step: advance(f"reward {step.logs['reward']:.3f}"),
                say=say,
                draw=lambda controller: controller_figures(
                    controller, described, {spec.name: spec.category for spec in named.tasks}
                ),
            )
        proposed = propose_for_tasks(
            controller, named.held_out_tasks, described, output / "proposals.json"
        )
        page = write_report(output)
    if as_json:
        print_json({"run": str(output), "steps": controller.training["steps"], "report": str(page)})
        return
    for name, architecture in proposed.items():
        click.echo(f"{name}: {architecture.summary()}")
    click.echo(f"wrote {output / 'controller'} and {page}")


def _constants(
    config: Path | None, tasks_per_step: int | None, stop_early: bool, begun: Mapping[str, Any]
) -> dict[str, Any]:
    """Read the constants that a YAML file or a flag overrides; of a run that goes on its own, where none does."""
    from dataclasses import replace

    from ambient.child.fidelity import SEARCH, Fidelity
    from ambient.errors import InputError
    from ambient.files import read_yaml
    from ambient.search.config import AmbientConfig
    from ambient.search.stopping import StoppingConfig

    if begun and config is None and tasks_per_step is None and not stop_early:
        return {
            "fidelity": Fidelity.from_dict(begun["fidelity"]),
            "controller": AmbientConfig.from_dict(begun["controller"]),
        }
    values = {} if config is None else read_yaml(config, "configuration file")
    unknown = sorted(set(values) - {"fidelity", "controller"})
    if unknown:
        raise InputError(
            f"{config}: found the unknown key {unknown[0]!r}, known are fidelity and controller; rename it or remove it"
        )
    fidelity = Fidelity.from_dict(values["fidelity"]) if "fidelity" in values else SEARCH
    controller = AmbientConfig.from_dict(values.get("controller", {}))
    if tasks_per_step is not None:
        controller = replace(controller, tasks_per_step=tasks_per_step)
    if stop_early and controller.early_stopping is None:
        controller = replace(controller, early_stopping=StoppingConfig())
    return {"fidelity": fidelity, "controller": controller}
