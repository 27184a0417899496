"""`ambient search`: the best architecture of one task of a corpus, by one method."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ambient.cli.options import (
    PATH,
    engine_options,
    how_to_go_on,
    json_option,
    print_json,
    seed_option,
)

if TYPE_CHECKING:
    from ambient.evaluate.choose import EngineChoice
    from ambient.search.search_run import SearchOutcome


@click.command(
    epilog="""\b
Example
  ambient search corpus.yaml --task Reb1 --method evolution --evaluations 60 --output runs/reb1
  ambient search corpus.yaml --task Reb1 --method evolution --evaluations 90 --output runs/reb1 --resume
  ambient fit corpus.yaml --task Reb1 --architecture runs/reb1/best.json --output reb1"""
)
@click.argument("corpus", type=PATH)
@click.option("--task", "task_name", required=True, help="Which task of the corpus.")
@click.option(
    "--method",
    default="amber",
    show_default=True,
    metavar="amber|amber-reinforce|evolution|random|tpe",
    help="amber is PPO; tpe needs optuna, of the extra [tpe].",
)
@click.option(
    "--evaluations",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Different architectures that are evaluated.",
)
@click.option("--output", type=PATH, required=True, help="The run's folder.")
@click.option("--max-parameters", type=click.IntRange(min=1), help="Larger networks are not tried.")
@click.option("--max-hours", type=float, help="Stop after the step that passes this wall time.")
@click.option(
    "--batch",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="Architectures in a step: no more than so many workers are busy.",
)
@click.option(
    "--ahead",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Further steps that are trained before the results of one are learned from.",
)
@click.option("--space", default="ambient-10", show_default=True, help="A name, or a YAML file.")
@click.option(
    "--fidelity", type=click.Choice(["search", "full"]), default="search", show_default=True
)
@click.option("--store", type=PATH, help="Remembers evaluations; RUN/store.sqlite if not given.")
@click.option("--cache", type=PATH, help="A folder that remembers tasks.")
@click.option("--resume", is_flag=True, help="Go on with the run in --output.")
@engine_options
@seed_option
@json_option
def command(
    corpus: Path,
    task_name: str,
    method: str,
    evaluations: int,
    output: Path,
    max_parameters: int | None,
    max_hours: float | None,
    batch: int,
    ahead: int,
    space: str,
    fidelity: str,
    store: Path | None,
    cache: Path | None,
    resume: bool,
    engine: EngineChoice,
    retry_failed: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Search one task of CORPUS for the architecture with the best validation AUROC.

    Every evaluation and every step is on the disk before the next one begins: a search that was killed goes
    on with --resume and ends with the same architecture. What the store knows is not trained again.
    Test chromosomes have no say.
    """
    from ambient.child.fidelity import named_fidelity
    from ambient.cli.progress import progress
    from ambient.data.corpus import read_corpus
    from ambient.data.prepare import prepare_corpus
    from ambient.search.run_folder import check_run, hold_run
    from ambient.search.search_run import SearchConfig, search_task
    from ambient.space import open_space

    def say(text: str) -> None:
        click.echo(text, err=True)

    named = read_corpus(corpus)
    named.task(task_name)  # before anything else is looked at
    chosen = open_space(space)
    config = SearchConfig(
        method=method,
        evaluations=evaluations,
        hours=max_hours,
        max_parameters=max_parameters,
        seed=seed,
        fidelity=named_fidelity(fidelity),
        batch=batch,
        ahead=ahead,
        engine=engine,
        store=store,
        retry_failed=retry_failed,
    )
    check_run(output, resume)
    with hold_run(output, resume, say), how_to_go_on():
        task = prepare_corpus(named, cache and cache / "tasks", [task_name])[task_name]
        with progress("evaluations", evaluations) as advance:
            outcome = search_task(
                output,
                task,
                chosen,
                config,
                str(named.path),
                resume,
                on_step=lambda step: advance(by=len(step.evaluations)),
                say=say,
            )
    _show(outcome, output, method, as_json)


def _show(outcome: SearchOutcome, folder: Path, method: str, as_json: bool) -> None:
    """Print what was found, on validation, and what it cost."""
    from ambient.evaluate.costs import Costs

    best, costs = outcome.best, Costs.of(outcome.evaluations)
    auroc = best.metrics["validation_auroc"]
    if as_json:
        print_json(
            {
                "run": str(folder),
                "task": best.task,
                "method": method,
                "validation_auroc": auroc,
                "summary": best.architecture.summary(),
                "architecture": best.architecture.to_dict(),
                "evaluation": 1 + outcome.evaluations.index(best),
                "sampled": outcome.sampled,
                "costs": costs.to_dict(),
            }
        )
        return
    click.echo(costs.words(), err=True)
    click.echo(f"{best.task}: {best.architecture.summary()}")
    click.echo(
        f"validation AUROC {auroc:.4f}, the best of {len(outcome.evaluations)} by {method}; "
        f"wrote {folder / 'best.json'}"
    )
