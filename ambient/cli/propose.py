"""`ambient propose`: descriptors, or peaks, to architectures in one forward pass."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ambient.cli.describe import descriptors_of
from ambient.cli.fitting import Fitting, fitting_options, show_fitted
from ambient.cli.options import (
    PATH,
    check_new_file,
    data_set_options,
    json_option,
    need,
    print_json,
    seed_option,
)
from ambient.errors import InputError

if TYPE_CHECKING:
    from descriptors import Descriptors

EXPECTED = ", expected {metric} {mean:.2f} ({low:.2f} to {high:.2f})"
MOST_PROPOSALS = 1000  # as `ambient.controller.proposer` has it, which is slow to import
METRICS = {"validation_auroc": "AUROC", "validation_aupr": "AUPR"}  # as a user reads them


@click.command(
    epilog="""\b
Example
  ambient propose reb1.json --controller runs/yeast --top 3
  ambient propose reb1.bed.gz --genome sacCer3.fa.gz --annotation sacCer3.gtf.gz \\
      --category tf --controller runs/yeast --fit --output reb1"""
)
@click.argument("source", type=PATH, metavar="DESCRIPTORS.json|PEAKS")
@click.option(
    "--controller", required=True, help="A run's folder, a controller's, or a pretrained name."
)
@click.option(
    "--top",
    type=click.IntRange(1, MOST_PROPOSALS),
    default=1,
    show_default=True,
    help="How many architectures.",
)
@click.option("--max-parameters", type=click.IntRange(min=1), help="Propose no larger network.")
@click.option(
    "--max-flops", type=click.IntRange(min=1), help="Nor one that computes more for one window."
)
@click.option("--window", "window_bp", type=click.IntRange(min=50), default=500, show_default=True)
@click.option(
    "--fit",
    "fitting",
    is_flag=True,
    help="Train the first proposal; needs PEAKS. The next five options are for this.",
)
@fitting_options
@data_set_options
@click.option("--output", type=PATH, help="JSON file; with --fit a folder, made anew.")
@seed_option
@json_option
def command(
    source: Path,
    controller: str,
    top: int,
    max_parameters: int | None,
    max_flops: int | None,
    window_bp: int,
    fitting: bool,
    training: Fitting,
    output: Path | None,
    seed: int,
    as_json: bool,
    **options: Any,
) -> None:
    """Propose architectures for a data set, from its descriptors (what `describe` wrote) or from its PEAKS.

    With --fit the first one is trained on the peaks. Only its training chromosomes are described then, and the folder
    --output gets descriptors.json, proposals.json and the trained model.
    """
    asked = _Asked(controller, top, window_bp, max_parameters, max_flops)
    if fitting:
        _propose_and_fit(source, asked, training, output, seed, as_json, options)
        return
    if training.given:
        raise InputError(f"found {training.given} without --fit; add --fit, or leave it out")
    check_new_file(output)
    described = descriptors_of(source, seed, options)
    entry = _propose(asked, described, options["category"])
    if output is not None:
        from ambient.files import write_json_atomic

        write_json_atomic(output, entry)
    _show(entry, as_json)
    if output is not None:
        click.echo(f"wrote {output}", err=True)


@dataclass(frozen=True)
class _Asked:
    """What is asked of which controller."""

    controller: str
    top: int
    window_bp: int
    max_parameters: int | None
    max_flops: int | None


def _propose(asked: _Asked, described: Descriptors, category: str | None) -> dict[str, Any]:
    from ambient.child.count import within_limits
    from ambient.controller.card import Controller
    from ambient.propose import proposal_entry

    controller = Controller.load(asked.controller)
    accepts = within_limits(asked.window_bp, asked.max_parameters, asked.max_flops)
    proposals = controller.propose(described, asked.top, accepts)
    worked = controller.worked(described, accepts=accepts)
    entry = proposal_entry(described.task, proposals, worked, category, held_out=True)
    outside = controller.is_outside(described)
    return {**entry, "is_outside": outside, "metric": controller.metric}


def _propose_and_fit(
    peaks: Path,
    asked: _Asked,
    training: Fitting,
    output: Path | None,
    seed: int,
    as_json: bool,
    options: dict[str, Any],
) -> None:
    from ambient.controller.card import Controller
    from ambient.files import write_json_atomic
    from ambient.fit import check_model_folder
    from ambient.space import Architecture

    if peaks.suffix == ".json":
        raise InputError(f"{peaks}: found descriptors, --fit trains on peaks; give the peak file")
    folder: Path = need(output, "--output", "as the folder of the fitted model")
    check_model_folder(folder)
    space = Controller.load(asked.controller).space  # a wrong name is found before the work begins
    widest_bp = space.widest_window_bp or 0
    task = training.task_of_peaks(peaks, asked.window_bp, widest_bp, seed, options)
    # Described from the chromosomes that train, so that no test label is seen.
    trained_on = sorted(set(task.chromosome[task.subset("train")].tolist()))
    described = descriptors_of(peaks, seed, {**options, "chromosomes": ",".join(trained_on)})
    entry = _propose(asked, described, options["category"])
    first = Architecture.from_dict(entry["proposals"][0]["architecture"])
    fitted = training.fit(task, first, folder, seed)
    described.save(folder / "descriptors.json")
    write_json_atomic(folder / "proposals.json", entry)
    if not as_json:
        _show(entry, as_json=False)
    show_fitted(fitted, as_json)


def _show(entry: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(entry)
        return
    proposals = entry["proposals"]
    nearest = ", ".join(f"{name} ({distance:.1f})" for name, distance in proposals[0]["nearest"])
    click.echo(f"{entry['task']}: nearest training tasks {nearest}")
    if entry.get("is_outside"):
        click.echo(
            "this data set lies farther from every training task than any of these from its nearest: take the "
            "proposal as a guess, and search from it, or train a controller on a corpus with data sets like this",
            err=True,
        )
    metric = METRICS.get(entry["metric"], entry["metric"])
    at_full = [one for one in entry["worked"] if one["fidelity"]]
    for rank, proposal in enumerate(proposals, start=1):
        expected = proposal["expected"]
        told = "" if expected is None else EXPECTED.format(metric=metric, **expected)
        proven = ", proven on all training tasks" if proposal["proven"] else ""
        if proven and at_full:
            proven += " in long trainings"
        click.echo(
            f"{rank}. probability {proposal['probability']:.3g}{proven}{told}: {proposal['summary']}"
        )
    if proposals[0]["proven"] and proposals[0]["probability"] < 0.5:
        click.echo(
            "number 1 comes first for what it reached on the training tasks, however improbable the policy finds it"
        )
    if at_full:
        click.echo(
            f"expected {metric}s are of one short training, as the controller's records are; what is proven in long "
            "ones may reach less in a short one"
        )
    if entry["worked"]:
        click.echo("what was best on training tasks:")
    for one in entry["worked"]:
        on = f"all {len(one['tasks'])}, on average" if len(one["tasks"]) > 1 else one["tasks"][0]
        at = f" ({one['fidelity']})" * bool(one["fidelity"])
        told = EXPECTED.format(metric=metric, **one["expected"])
        click.echo(f"   {on} {one['reached']:.3f}{at}{told}: {one['summary']}")
