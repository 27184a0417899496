"""Check what the files of a run hold; each refusal names the place and what was needed there."""

from __future__ import annotations

import math
from typing import Any

from ambient.errors import RunError

__all__ = ["as_list", "as_mapping", "as_numbers", "broken"]


def broken(where: str, needed: str) -> RunError:
    return RunError(f"{where}: {needed} was needed; make the file again or take it out of the run")


def as_mapping(value: Any, where: str, *keys: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise broken(where, f"found {type(value).__name__} where a mapping")
    missing = [key for key in keys if key not in value]
    if missing:
        raise broken(where, f"found no {missing[0]!r}; the mapping with {', '.join(keys)}")
    return value


def as_list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise broken(where, f"found {type(value).__name__} where a list")
    return value


def as_numbers(value: Any, where: str) -> dict[str, float | None]:
    """Check a mapping of numbers; NaN and infinity, which JSON does not know, become None."""
    checked: dict[str, float | None] = {}
    for name, number in as_mapping(value, where).items():
        if number is not None and (isinstance(number, str | list | dict)):
            raise broken(f"{where}, {name}", f"found {number!r} where a number or null")
        checked[name] = None if number is None or not math.isfinite(number) else float(number)
    return checked
