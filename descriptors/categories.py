"""The kinds of assay; needs nothing, so that naming them costs no time."""

from __future__ import annotations

__all__ = ["CATEGORIES"]

CATEGORIES = ("tf", "polymerase", "histone", "accessibility", "other")
