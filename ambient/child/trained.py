"""A trained child network, and prediction with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from ambient.child.batches import Windows, one_hot, reverse_complement
from ambient.child.count import count_parameters
from ambient.child.fidelity import Fidelity
from ambient.child.layout import forward
from ambient.child.stopping import CURVE_DIGITS
from ambient.errors import RunError

if TYPE_CHECKING:
    from ambient.space import Architecture

__all__ = ["TrainedChild", "autocast", "logits_of_rows", "predict"]

_BATCH = 64  # windows at once without gradients; more would leave the cache


@dataclass(eq=False)
class TrainedChild:
    """A child network as training left it: the best weights of each member.

    Attributes
    ----------
    members : list of torch.nn.Module
        Each maps (batch, 4, window_bp) to (batch, outputs) logits; in evaluation mode.
    window_bp, outputs : int
        Width of the windows that the members read; number of labels.
    metrics : dict
        ``validation_auroc``, ``validation_aupr``, ``test_auroc``, ``test_aupr`` of the averaged
        members; None where the split lacks a class. Of several labels the mean, without those that
        lack a class; and, as ``test_auroc_tf``, that of each category of labels.
    by_label : dict
        Each of the four for each label; None where the split lacks a class.
    history : list of dict
        One row for each epoch: member, attempt, epoch, loss, learning_rate, validation_auroc.
    epochs : int
        Epochs trained, over all members and restarts.
    restarts : int
        How often a dead network was begun again at a lower rate.
    stopped : str
        Why it was given up before its last epoch; empty where it was not. The members then have
        the weights of that epoch.
    """

    architecture: Architecture
    fidelity: Fidelity
    seed: int
    window_bp: int
    outputs: int
    members: list[nn.Module] = field(default_factory=list)
    metrics: dict[str, float | None] = field(default_factory=dict)
    by_label: dict[str, list[float | None]] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    epochs: int = 0
    restarts: int = 0
    stopped: str = ""

    @property
    def module(self) -> nn.Module:
        """The first member."""
        return self.members[0]

    @property
    def details(self) -> dict[str, object]:
        """What a record of this training tells beside its metrics, as JSON values.

        ``curves`` holds for each member the validation AUROC of every epoch of its last attempt,
        rounded to 4 digits, None where it was not judged; ``restarts``; ``parameters`` of a member;
        of several labels ``unmeasured_labels``, how many lack a class in each split.
        """
        curves: dict[tuple[float, float], list[float | None]] = {}
        for row in self.history:
            reached = row.get("validation_auroc")
            epochs = curves.setdefault((row["member"], row["attempt"]), [])
            epochs.append(None if reached is None else round(reached, CURVE_DIGITS))
        last = {member: epochs for (member, _), epochs in curves.items()}
        facts: dict[str, object] = {
            "curves": list(last.values()),
            "restarts": self.restarts,
            "parameters": count_parameters(self.module),
        }
        if self.outputs > 1 and self.by_label:
            facts["unmeasured_labels"] = {
                split: self.by_label[f"{split}_auroc"].count(None)
                for split in ("validation", "test")
            }
        return facts


def predict(trained: TrainedChild, codes: np.ndarray) -> np.ndarray:
    """Give probabilities for integer-coded windows.

    Parameters
    ----------
    trained : TrainedChild
        The logits of its members are averaged, and those of both strands where the fidelity says
        so.
    codes : array, uint8, shape (n, window_bp)
        A0 C1 G2 T3, anything else is no base.

    Returns
    -------
    array, float32, shape (n, outputs)
        In [0, 1].

    Raises
    ------
    RunError
        The windows have another width than the network reads.
    """
    if codes.ndim != 2 or codes.shape[1] != trained.window_bp:
        raise RunError(
            f"predict: found windows of shape {tuple(codes.shape)}, the network reads "
            f"(n, {trained.window_bp}); cut them to that width"
        )
    device = next(trained.module.parameters()).device
    windows = torch.from_numpy(np.ascontiguousarray(codes, dtype=np.uint8)).to(device)
    logits = _logits(trained.members, windows, trained.outputs, trained.fidelity)
    return torch.sigmoid(logits).cpu().numpy()


def logits_of_rows(
    members: list[nn.Module], windows: Windows, rows: np.ndarray, fidelity: Fidelity
) -> np.ndarray:
    """Give the averaged logits of the central windows of some rows, float32 (rows, outputs)."""
    return _logits(members, windows.central(rows), windows.outputs, fidelity).cpu().numpy()


def autocast(device: torch.device, fidelity: Fidelity) -> torch.autocast:
    """Compute in the fidelity's precision within this context."""
    enabled = fidelity.precision == "bfloat16"
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=enabled)


@torch.no_grad()
def _logits(
    members: list[nn.Module], codes: torch.Tensor, outputs: int, fidelity: Fidelity
) -> torch.Tensor:
    total = torch.zeros((len(codes), outputs), device=codes.device)
    passes = len(members) * (2 if fidelity.reverse_complement else 1)
    for member in members:
        member.eval()
        for start in range(0, len(codes), _BATCH):
            batch = codes[start : start + _BATCH]
            strands = [batch, reverse_complement(batch)] if fidelity.reverse_complement else [batch]
            for strand in strands:
                with autocast(codes.device, fidelity):
                    logits = forward(member, one_hot(strand))
                total[start : start + _BATCH] += logits.float() / passes
    return total
