"""Where a training may be given up: an epoch, and the validation AUROC that it must have reached by then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from ambient.errors import RunError

if TYPE_CHECKING:
    from ambient.child.fidelity import Fidelity

__all__ = ["CURVE_DIGITS", "DEAD_AUROC", "Rung", "StoppedEarlyError", "check_rungs", "missed"]

CURVE_DIGITS = 4  # of a recorded learning curve, and of what is held against a rung
DEAD_AUROC = 0.502  # a best validation AUROC at or below this is that of a dead network


class Rung(NamedTuple):
    """A child below `least` after `epoch` epochs is given up; 0 only has it judged there."""

    epoch: int  # from 1
    least: float  # validation AUROC


class StoppedEarlyError(Exception):
    """A child missed a rung; the message says which."""


def missed(rung: Rung, reached: float, epochs: int) -> str:
    """Say that a child is to be given up at a rung; empty where it passes.

    What was reached is rounded as recorded curves are, so that a record tells of any rung whether
    the child would have passed it. A network that looks dead passes: training finds that out by
    itself and begins it again.
    """
    reached = round(reached, CURVE_DIGITS)
    if not DEAD_AUROC < reached < rung.least:
        return ""
    return (
        f"stopped after epoch {rung.epoch} of {epochs}: validation AUROC {reached:.4f}, needed was "
        f"{rung.least:.4f}"
    )


def check_rungs(rungs: Sequence[Rung], fidelity: Fidelity) -> None:
    """Refuse rungs that this training cannot have.

    Raises
    ------
    RunError
        There are several members, an epoch is not one of the training's or is named twice, or a
        threshold is no AUROC.
    """
    if not rungs:
        return
    epochs = [rung.epoch for rung in rungs]
    if fidelity.members != 1:
        raise RunError(
            f"early stopping: the fidelity {fidelity.name} trains {fidelity.members} members, and only "
            "a single one can be given up early; set members to 1"
        )
    if len(set(epochs)) < len(epochs) or not all(1 <= one <= fidelity.epochs for one in epochs):
        raise RunError(
            f"early stopping: found rungs after the epochs {epochs}, needed are different ones from 1 "
            f"to {fidelity.epochs}; correct them"
        )
    for rung in rungs:
        if not 0 <= rung.least <= 1:
            raise RunError(
                f"early stopping: found the threshold {rung.least} after epoch {rung.epoch}, needed is a "
                "validation AUROC from 0 to 1; correct it"
            )
