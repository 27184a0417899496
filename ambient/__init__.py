"""Architectures for genomic data sets, proposed by a controller that was trained once over many of them."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ambient.version import __version__

_HOMES = {
    "Architecture": "ambient.space",
    "Controller": "ambient.controller.card",
    "Descriptors": "descriptors.record",
    "InputError": "ambient.errors",
    "RunError": "ambient.errors",
    "SearchSpace": "ambient.space",
    "SpaceError": "ambient.errors",
    "Store": "ambient.evaluate.store",
    "describe": "descriptors.pipeline",
    "named_space": "ambient.space",
    "read_corpora": "ambient.data.corpora",
    "read_corpus": "ambient.data.corpus",
}

__all__ = [
    "Architecture",
    "Controller",
    "Descriptors",
    "InputError",
    "RunError",
    "SearchSpace",
    "SpaceError",
    "Store",
    "__version__",
    "describe",
    "named_space",
    "read_corpora",
    "read_corpus",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ambient' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
