"""The published spaces, by name."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files

from ambient.errors import SpaceError
from ambient.space.operations import unknown
from ambient.space.space import SearchSpace

__all__ = ["named_space", "open_space", "published_spaces"]


def published_spaces() -> tuple[str, ...]:
    """Give the names of the spaces that ship with the package, in order of the alphabet."""
    folder = files("ambient.space") / "published"
    names = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


@cache
def named_space(name: str) -> SearchSpace:
    """Read a published space.

    Raises
    ------
    SpaceError
        There is no space of that name; the nearest one is named.
    """
    _check_published(name, "read its file with SearchSpace.read")
    with as_file(files("ambient.space") / "published" / f"{name}.yaml") as path:
        return SearchSpace.read(path)


def open_space(name_or_path: str) -> SearchSpace:
    """Read a published space by its name, or a user's own by the path of its YAML file.

    Raises
    ------
    SpaceError
        There is no such space, or the file holds none.
    """
    if name_or_path.endswith((".yaml", ".yml")):
        return SearchSpace.read(name_or_path)
    _check_published(name_or_path, "name its YAML file")
    return named_space(name_or_path)


def _check_published(name: str, otherwise: str) -> None:
    """Refuse a name that no published space has, and say what to do for a space of one's own."""
    if name not in published_spaces():
        raise SpaceError(
            unknown("search space", "name", name, published_spaces())
            + f"; for a space of your own, {otherwise}"
        )
