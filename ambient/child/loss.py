"""What a child network minimises: binary cross-entropy over the labels that are known."""

from __future__ import annotations

import torch
from torch.nn import functional

__all__ = ["label_loss"]


def label_loss(
    logits: torch.Tensor, targets: torch.Tensor, has_unknown: bool = False
) -> torch.Tensor:
    """Give the mean binary cross-entropy over windows and labels.

    Parameters
    ----------
    logits : Tensor, float32, shape (batch, outputs)
    targets : Tensor, float32, shape (batch, outputs)
        1 or 0; NaN where a label is not known, which then has no say.
    has_unknown : bool
        Whether to look for NaN.

    Returns
    -------
    Tensor, float32, shape ()
        In nats; 0 where no label is known.
    """
    if not has_unknown:
        return functional.binary_cross_entropy_with_logits(logits, targets)
    known = ~targets.isnan()
    each = functional.binary_cross_entropy_with_logits(
        logits, targets.nan_to_num(), known.to(logits.dtype), reduction="sum"
    )
    return each / known.sum().clamp(min=1)
