"""Named numbers that summarise a genomic data set; needs no torch."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "Descriptors": "descriptors.record",
    "InputError": "descriptors.errors",
    "describe": "descriptors.pipeline",
}

__all__ = ["Descriptors", "InputError", "describe"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'descriptors' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
