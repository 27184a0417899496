"""Where a search of one task begins, if not at nothing: a trained controller, asked about that task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ambient.controller.card import Controller
from ambient.controller.card_files import CARD
from ambient.errors import RunError
from ambient.files import make_folder, short_hash, write_atomic
from ambient.search.run_folder import read_configuration
from descriptors.record import Descriptors

if TYPE_CHECKING:
    from ambient.data.split import Split
    from ambient.space import Architecture, SearchSpace

__all__ = ["Start", "check_space", "check_unseen", "read_start"]

FOLDER = (
    "from_controller"  # of a run: what it began with, so that it can go on without the original
)
DESCRIPTORS = "descriptors.json"


@dataclass(frozen=True, eq=False)
class Start:
    """A trained controller, and the descriptors of the data set that is searched for.

    Parameters
    ----------
    controller : Controller
    descriptors : Descriptors
        Of the task, as the controller's training tasks were described.
    name : str
        Of the controller, for the record.
    """

    controller: Controller
    descriptors: Descriptors
    name: str = ""

    def propose(
        self, count: int, accepts: Callable[[Architecture], bool] | None = None
    ) -> list[Architecture]:
        """Give what the controller proposes, the zero-shot proposal first.

        A search trains as the records were trained, so what is proven by these comes first, and not what is at `full`.

        Raises
        ------
        RunError
            As `Controller.propose`.
        """
        short = replace(self.controller, proven=None)
        proposals = short.propose(self.descriptors, count, accepts)
        return [proposal.architecture for proposal in proposals]

    def notice(self, task: str) -> str | None:
        """Say in a sentence that the controller was trained on the task; None where it was not."""
        vector = tuple(self.controller.scaler.transform(self.descriptors).tolist())
        for known in self.controller.tasks:
            if known.name == task or known.vector == vector:
                return (
                    f"{task}: found the task among those that the controller was trained on (as {known.name}), so "
                    "what it proposes here is no zero-shot proposal"
                )
        return None

    def to_dict(self) -> dict[str, Any]:
        """Say which controller and which descriptors these are, as YAML values."""
        return {
            "from_controller": self.name,
            "controller_sha256": self.controller.weights_sha256,
            "descriptors_hash": short_hash(dict(self.descriptors.values)),
        }

    def save(self, run: Path) -> None:
        """Leave a copy in a run's folder, for `read_start`; the card comes last."""
        folder = make_folder(run / FOLDER)
        write_atomic(folder / DESCRIPTORS, self.descriptors.to_json())
        self.controller.save(folder)


def read_start(run: Path) -> Start | None:
    """Read what a run began with; None where it began with nothing, or was killed before it was written.

    Raises
    ------
    RunError
        The copy is damaged.
    """
    folder = run / FOLDER
    if not (folder / CARD).is_file():
        return None
    name = read_configuration(run).get("from_controller", "")
    return Start(Controller.load(folder), Descriptors.load(folder / DESCRIPTORS), name)


def check_unseen(descriptors: Descriptors, split: Split, where: object) -> None:
    """Refuse descriptors that were made from peaks which only validate or test.

    Parameters
    ----------
    descriptors : Descriptors
    split : Split
    where : object
        What an error names as their place.

    Raises
    ------
    RunError
        Names the first such chromosome.
    """
    source = descriptors.sources.get("peaks", {})
    held_back = (*split.validation, *split.test)
    if "chromosomes" not in source:  # not recorded: made by hand, or by another program
        return
    described: Sequence[str] | None = source["chromosomes"]
    seen = [name for name in held_back if described is None or name in described]
    if seen:
        raise RunError(
            f"{where}: found descriptors of {'all chromosomes' if described is None else seen[0]}, but "
            f"{', '.join(held_back)} only validate and test here; describe the training chromosomes alone "
            "(--chromosomes), or leave --descriptors out"
        )


def check_space(controller: Controller, space: SearchSpace) -> None:
    """Refuse a controller that proposes from another space than the one that is searched.

    Raises
    ------
    RunError
        Names both spaces.
    """
    if controller.space.to_dict() != space.to_dict():
        raise RunError(
            f"controller: found one that proposes from the space {controller.space.name} (version "
            f"{controller.space.version}), this search is of {space.name} (version {space.version}); "
            "search that controller's space, or begin from one of this space"
        )
