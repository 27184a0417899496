"""What `fit` and `propose --fit` share: a network that is trained for good."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ambient.cli.options import Command, need, print_json, split_names, together
from ambient.errors import InputError

if TYPE_CHECKING:
    from ambient.data.task import TaskData
    from ambient.fit import Fitted
    from ambient.space import Architecture

__all__ = ["Fitting", "fitting_options", "show_fitted"]

FEW = 10  # positives of a split, of which a user is told

_fitting_options = together(
    click.option(
        "--validation", help="Chromosomes that stop the training, by commas; else chosen."
    ),
    click.option("--test", help="Chromosomes that only measure, by commas; else chosen."),
    click.option(
        "--epochs",
        type=click.IntRange(min=1),
        help="24 if not given, of 2,000 windows each, or more for a large data set.",
    ),
    click.option(
        "--workers",
        type=click.IntRange(min=1),
        help="Networks trained at once; one for each core if not given.",
    ),
    click.option("--device", default="cpu", show_default=True, help="As torch spells it."),
)


@dataclass(frozen=True)
class Fitting:
    """The options of `fitting_options`."""

    validation: str | None = None
    test: str | None = None
    epochs: int | None = None
    workers: int | None = None
    device: str = "cpu"

    @property
    def given(self) -> str:
        """The options that are not what they are where nobody gives them, as a user writes them."""
        return " and ".join(
            f"--{field.name}"
            for field in fields(self)
            if getattr(self, field.name) != field.default
        )

    def task_of_peaks(
        self, peaks: Path, window_bp: int, widest_bp: int, seed: int, options: dict[str, Any]
    ) -> TaskData:
        """Make a task from the options of a single peak file; `widest_bp` is what networks may ask for."""
        from ambient.data.corpus import WIDEST_WINDOW_BP
        from ambient.data.prepare import task_from_peaks
        from ambient.data.split import Split

        need(options["genome"], "--genome", "to read the sequence under the peaks")
        if (self.validation is None) != (self.test is None):
            raise InputError("found one of --validation and --test; give both, or neither")
        split = None
        if self.validation is not None and self.test is not None:
            split = Split(
                tuple(split_names(self.validation, "--validation") or ()),
                tuple(split_names(self.test, "--test") or ()),
            )
        return task_from_peaks(
            peaks,
            options["genome"],
            name=options["name"],
            category=options["category"] or "other",
            split=split,
            exclude=options["exclude"],
            chromosomes=split_names(options["chromosomes"]),
            rename_chromosomes=options["rename_chromosomes"],
            window_bp=window_bp,
            widest_window_bp=max(widest_bp, WIDEST_WINDOW_BP),
            stranded=bool(options["stranded"]),
            seed=seed,
        )

    def fit(self, task: TaskData, architecture: Architecture, folder: Path, seed: int) -> Fitted:
        """Train an architecture and export it, with progress."""
        from ambient.child.fidelity import full_for
        from ambient.cli.progress import progress
        from ambient.evaluate.pool import default_workers
        from ambient.fit import fit

        for split, use in (("validation", "stop the training by"), ("test", "measure by")):
            positives = int((task.labels[task.subset(split)] > 0.5).any(axis=1).sum())
            if positives < FEW:
                click.echo(
                    f"{task.name}: the {split} chromosomes hold {positives} positives, few to {use}; "
                    "choose others by --validation and --test, or in the corpus",
                    err=True,
                )
        fidelity = full_for(len(task.subset("train")))
        if self.epochs is not None:
            fidelity = replace(fidelity, name="full-epochs", epochs=self.epochs)
        workers = self.workers or default_workers(self.device)
        drawn = f"{fidelity.epochs} epochs of {fidelity.windows_per_epoch:,} windows each"
        with progress(f"networks, {drawn}", fidelity.members) as advance:
            return fit(task, architecture, folder, fidelity, seed, self.device, workers, advance)


def fitting_options(command: Command) -> Command:
    """Add the options of how a network is trained for good to a command, which gets a `Fitting` as `training`."""

    @functools.wraps(command)
    def with_fitting(*given: Any, **options: Any) -> Any:
        names = ("validation", "test", "epochs", "workers", "device")
        chosen = Fitting(**{name: options.pop(name) for name in names})
        return command(*given, training=chosen, **options)

    return _fitting_options(with_fitting)  # type: ignore[return-value]


def show_fitted(fitted: Fitted, as_json: bool) -> None:
    """Print what came out: the network beside 5-mer regression on the same windows."""
    if as_json:
        print_json(
            {
                "folder": str(fitted.folder),
                "metrics": dict(fitted.metrics),
                "kmer_baseline": dict(fitted.kmer),
            }
        )
        return
    for word, scores in (("network", fitted.metrics), ("5-mer regression", fitted.kmer)):
        cells = ", ".join(
            f"{name} {scores[key]:.3f}" if scores[key] is not None else f"{name} -"
            for name, key in (("AUROC", "test_auroc"), ("AUPR", "test_aupr"))
        )
        click.echo(f"test chromosomes, {word}: {cells}")
    click.echo(f"wrote {fitted.folder}")
