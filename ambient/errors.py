"""Errors for a user's mistakes; everything else that breaks is our bug and keeps its traceback."""

from __future__ import annotations

from descriptors.errors import InputError

__all__ = ["InputError", "RunError", "SpaceError"]


class SpaceError(InputError):
    """A search space or an architecture is not what it should be."""


class RunError(InputError):
    """A run's folder, store, checkpoint or controller is not what it should be."""
