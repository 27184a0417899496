"""The house: imports point downwards only, and heavy things are imported only where they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# From the ground up. A module may import from a lower floor, and from its own folder.
FLOORS = (
    {"descriptors.errors"},
    {"descriptors"},
    {"pretrained"},
    {"ambient.version"},
    {"ambient.errors"},
    {"ambient.files", "ambient.processes"},
    {"ambient.space"},
    {"ambient.data"},
    {"ambient.child"},
    {"ambient.controller"},
    {"ambient.evaluate"},
    {"ambient.track"},
    {"ambient.search"},
    {"ambient.propose", "ambient.fit", "ambient.zero_shot"},
    {"ambient.report"},
    {"ambient.demo"},
    {"ambient.cli"},
    {"ambient.__main__"},
)

# `Architecture.build` is the one door upwards: the method that DESIGN 11 promises to users.
DOORS = {("ambient.space.architecture", "ambient.child.build")}


def sources() -> Iterator[tuple[str, Path]]:
    for package in ("ambient", "descriptors", "pretrained"):
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; name the module in full"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(module: str) -> tuple[str, int] | None:
    """Give the room that a module lies in, and its floor."""
    matches = [
        (room, level)
        for level, rooms in enumerate(FLOORS)
        for room in rooms
        if module == room or module.startswith(room + ".")
    ]
    return max(matches, key=lambda match: len(match[0])) if matches else None


@pytest.mark.parametrize(("module", "path"), [pytest.param(m, p, id=m) for m, p in sources()])
def test_imports_point_downwards_only(module: str, path: Path) -> None:
    own = ("ambient", len(FLOORS)) if module == "ambient" else room_of(module)
    assert own is not None, f"{module} has no floor; give it one in this test"
    for target in imports(path):
        if target.split(".")[0] not in ("ambient", "descriptors", "pretrained"):
            continue
        if any(module == door and target.startswith(to) for door, to in DOORS):
            continue
        room = room_of(target)
        assert room is not None, f"{module} imports the unknown {target}"
        assert room[0] == own[0] or room[1] < own[1], (
            f"{module} (floor {own[1]}) imports {target} (floor {room[1]})"
        )


def test_no_two_modules_need_each_other() -> None:
    known = dict(sources())
    needs = {
        module: {
            max(
                (name for name in known if target == name or target.startswith(name + ".")), key=len
            )
            for target in imports(path)
            if target.split(".")[0] in ("ambient", "descriptors", "pretrained")
        }
        - {module, "ambient", "descriptors"}
        for module, path in known.items()
    }
    for module, to in DOORS:
        needs[module].discard(to)
    # Take away what needs nothing that is left; what cannot be taken away stands in a circle.
    while free := [module for module, needed in needs.items() if not needed & set(needs)]:
        for module in free:
            del needs[module]
    assert not needs, f"these import one another in a circle: {sorted(needs)}"


@pytest.mark.parametrize(
    ("statement", "forbidden"),
    [
        ("import ambient, descriptors", "torch ray wandb matplotlib pandas numpy sklearn"),
        ("import ambient.cli.main", "torch ray wandb matplotlib pandas numpy sklearn"),
        ("import ambient; ambient.Descriptors", "torch ray wandb matplotlib sklearn"),
        ("import ambient; ambient.named_space('ambient-10')", "torch ray wandb matplotlib sklearn"),
    ],
)
def test_light_things_do_not_import_heavy_ones(statement: str, forbidden: str) -> None:
    heavy = f"set({forbidden.split()!r}) & set(sys.modules)"
    script = f"import sys\n{statement}\nprint(*sorted({heavy}))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "", f"`{statement}` imports {done.stdout}"
