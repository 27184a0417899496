"""`ambient search`: the best architecture of one task of a corpus, by one method."""

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
from ambient.errors import InputError

if TYPE_CHECKING:
    from ambient.controller.card import Controller
    from ambient.data.corpus import Corpus
    from ambient.evaluate.choose import EngineChoice
    from ambient.search.search_run import SearchOutcome
    from ambient.search.start import Start
    from ambient.space import SearchSpace
    from descriptors import Descriptors

METHOD = "amber"  # where neither --method nor a controller's records say another
ENAS_SPACE = "amber-12"
NOT_OF_ENAS = ("batch", "ahead", "from_controller", "descriptors")


@click.command(
    epilog="""\b
Example
  ambient search corpus.yaml --task Reb1 --method evolution --evaluations 60 --output runs/reb1
  ambient search corpus.yaml --task Reb1 --method evolution --evaluations 90 --output runs/reb1 --resume
  ambient search corpus.yaml --task Reb1 --from-controller runs/yeast --evaluations 20 --output runs/few
  ambient fit corpus.yaml --task Reb1 --architecture runs/reb1/best.json --output reb1"""
)
@click.argument("corpus", type=PATH)
@click.option("--task", "task_name", required=True, help="Which task of the corpus.")
@click.option(
    "--method",
    metavar="amber|amber-reinforce|enas|evolution|predicted|random|tpe",
    help="If not given: amber (PPO), or predicted where a controller keeps records; of a run that goes on, its own. "
    "enas shares weights; tpe needs optuna, of the extra [tpe].",
)
@click.option(
    "--evaluations",
    type=click.IntRange(min=1),
    help="Different architectures that are trained from scratch; 50, for enas 5, if not given.",
)
@click.option(
    "--turns",
    type=click.IntRange(min=1),
    help="Of enas: steps of its controller; 200 if not given.",
)
@click.option("--output", type=PATH, required=True, help="The run's folder.")
@click.option(
    "--from-controller",
    metavar="NAME_OR_RUN",
    help="Begin with what this controller proposes, and go on by its records (predicted), from its policy (amber) or "
    "from its proposals (evolution).",
)
@click.option(
    "--descriptors",
    type=PATH,
    help="With --from-controller: of the task, from `describe`; else the corpus is described.",
)
@click.option("--max-parameters", type=click.IntRange(min=1), help="Larger networks are not tried.")
@click.option(
    "--max-flops", type=click.IntRange(min=1), help="Nor one that computes more for one window."
)
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
@click.option(
    "--space",
    help=f"A name, or a YAML file; {SPACE}, for enas {ENAS_SPACE}, or the controller's, if not given.",
)
@click.option(
    "--fidelity", type=click.Choice(["search", "full"]), default="search", show_default=True
)
@click.option("--store", type=PATH, help="Remembers evaluations; RUN/store.sqlite if not given.")
@click.option("--cache", type=PATH, help="A folder that remembers tasks.")
@click.option("--resume", is_flag=True, help="Go on with the run in --output.")
@click.option("--track", type=click.Choice(["none", "wandb"]), default="none", show_default=True)
@engine_options
@seed_option
@json_option
def command(
    corpus: Path,
    task_name: str,
    method: str | None,
    evaluations: int | None,
    turns: int | None,
    output: Path,
    from_controller: str | None,
    descriptors: Path | None,
    max_parameters: int | None,
    max_flops: int | None,
    max_hours: float | None,
    batch: int,
    ahead: int,
    space: str | None,
    fidelity: str,
    store: Path | None,
    cache: Path | None,
    resume: bool,
    track: Literal["none", "wandb"],
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
    from ambient.search.enas_run import EnasRunConfig, search_enas
    from ambient.search.run_folder import begun_configuration, check_run, hold_run
    from ambient.search.search_run import SearchConfig, search_task
    from ambient.search.start import Start, read_start

    def say(text: str) -> None:
        click.echo(text, err=True)

    named = read_corpus(corpus)
    named.task(task_name)  # before anything else is looked at
    check_sources(engine, store)
    if method is None and resume:
        method = _method_of(output)
    _check_options(method or METHOD, turns)
    shared: dict[str, Any] = {
        "hours": max_hours,
        "max_parameters": max_parameters,
        "max_flops": max_flops,
        "seed": seed,
        "fidelity": named_fidelity(fidelity),
        "engine": engine,
        "store": store,
        "track": track,
        "retry_failed": retry_failed,
    }
    if method == "enas":
        chosen = _space(space or ENAS_SPACE, None, {})
        settings = EnasRunConfig(turns=turns or 200, evaluations=evaluations or 5, **shared)
        check_run(output, resume)
        with hold_run(output, resume, say), how_to_go_on():
            task = prepare_corpus(named, cache and cache / "tasks", [task_name])[task_name]
            with progress("controller steps", settings.turns) as advance:
                outcome = search_enas(
                    output,
                    task,
                    chosen,
                    settings,
                    str(named.path),
                    resume,
                    on_step=lambda step: advance(),
                    say=say,
                )
        _show(outcome, output, method, as_json)
        return
    check_run(output, resume)
    begun = read_start(output) if resume else None
    controller = _controller(from_controller, begun, method, descriptors)
    if method is None:
        method = _default_method(controller)
    config = SearchConfig(
        method=method, evaluations=evaluations or 50, batch=batch, ahead=ahead, **shared
    )
    described = _descriptors(descriptors, begun, named)
    chosen = _space(space, controller, begun_configuration(output, resume))
    with hold_run(output, resume, say), how_to_go_on():
        task = prepare_corpus(named, cache and cache / "tasks", [task_name])[task_name]
        start = None
        if controller is not None:
            described = described or _describe(named, task_name, cache)
            name = from_controller or (begun.name if begun else "")
            start = Start(controller, described, name)
        with progress("evaluations", config.evaluations) as advance:
            outcome = search_task(
                output,
                task,
                chosen,
                config,
                str(named.path),
                resume,
                on_step=lambda step: advance(by=len(step.evaluations)),
                say=say,
                start=start,
            )
    _show(outcome, output, method, as_json)


def _default_method(controller: Controller | None) -> str:
    """Choose the method that asks the controller's records, where it has some of what a search is judged by."""
    from ambient.search.search_run import METRIC

    if controller is None or controller.predictor is None or controller.metric != METRIC:
        return METHOD
    return "predicted"


def _method_of(run: Path) -> str | None:
    """Give the method of the run that goes on; None where there is no run, which is refused later."""
    from ambient.search.run_folder import CONFIGURATION, read_configuration

    return read_configuration(run)["method"] if (run / CONFIGURATION).is_file() else None


def _check_options(method: str, turns: int | None) -> None:
    """Refuse what a method has no use for."""
    if method != "enas" and turns is not None:
        raise InputError(
            f"search: found --turns with the method {method}; only enas has them, so leave it out"
        )
    given = click.get_current_context().get_parameter_source
    for name in NOT_OF_ENAS:
        if method == "enas" and given(name) == click.core.ParameterSource.COMMANDLINE:
            raise InputError(
                f"search: found --{name.replace('_', '-')} with the method enas, which has no use for it; leave it out"
            )


def _controller(
    name: str | None, begun: Start | None, method: str | None, descriptors: Path | None
) -> Controller | None:
    """Load the controller to begin from, if there is one; a run that goes on has its own copy."""
    from ambient.controller.card import Controller
    from ambient.search.methods import check_method

    if method is not None and (name is not None or begun is not None):
        check_method(method, few_shot=True)
    if name is not None:
        return Controller.load(name)
    if begun is not None:
        return begun.controller
    if descriptors is not None:
        raise InputError(
            f"--descriptors {descriptors} was given without --from-controller, which alone reads them; "
            "add it, or leave them out"
        )
    return None


def _descriptors(path: Path | None, begun: Start | None, corpus: Corpus) -> Descriptors | None:
    """Read the descriptors of the task, if they are there: from a file, or of the run that goes on."""
    from ambient.search.start import check_unseen
    from descriptors import Descriptors

    if path is None:
        return begun.descriptors if begun else None
    described = Descriptors.load(path)
    check_unseen(described, corpus.split, path)
    return described


def _describe(corpus: Corpus, task: str, cache: Path | None) -> Descriptors:
    """Describe one task of a corpus."""
    from ambient.data.describe import describe_corpus

    place = cache and cache / "descriptors"
    return describe_corpus(corpus, [corpus.task(task)], place, workers=1)[task]


def _space(
    given: str | None, controller: Controller | None, begun: Mapping[str, Any]
) -> SearchSpace:
    """Open the space that is searched: the one that was named, the controller's, the run's that goes on, or `SPACE`."""
    from ambient.search.start import check_space
    from ambient.space import SearchSpace, open_space

    if controller is None and given is None and begun:
        return SearchSpace.from_dict(begun["space"])
    if controller is None:
        return open_space(given or SPACE)
    if given is not None:
        check_space(controller, open_space(given))
    return controller.space


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
    chosen = "of which most is expected, of" if method == "predicted" else "the best of"
    click.echo(
        f"validation AUROC {auroc:.4f}, {chosen} {len(outcome.evaluations)} by {method}; "
        f"wrote {folder / 'best.json'}"
    )
