"""Whether a saved state is of the search that is to go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ambient.errors import RunError
from ambient.files import short_hash

if TYPE_CHECKING:
    from ambient.child.fidelity import Fidelity
    from ambient.space import SearchSpace

__all__ = ["check_identity", "identity_of"]


def identity_of(
    space: SearchSpace, task: str, fidelity: Fidelity, seed: int, **settings: Any
) -> dict[str, Any]:
    """Say what makes a search of one task itself, as JSON values."""
    return {
        "space": f"{space.name} (version {space.version}, {short_hash(space.to_dict())})",
        "task": task,
        "fidelity": f"{fidelity.name} ({fidelity.hash})",
        "seed": seed,
        **settings,
    }


def check_identity(found: Mapping[str, Any], needed: Mapping[str, Any], what: str) -> None:
    """Refuse the state of another search.

    Raises
    ------
    RunError
        Names the first thing that differs, and both its values.
    """
    for name, value in needed.items():
        if found.get(name) != value:
            raise RunError(
                f"{what}: the state's {name} is {found.get(name)}, but this search's is {value}; "
                "resume with what the search was begun with, or begin a new one"
            )
