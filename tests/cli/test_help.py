"""What a newcomer sees first."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ambient.cli.main import VERBS
from ambient.version import __version__


def test_help_names_every_verb(ambient: Callable) -> None:
    answer = ambient("--help")
    assert answer.code == 0
    for verb in VERBS:
        assert re.search(rf"^  {verb} ", answer.out, re.MULTILINE), verb


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help_with_an_example_that_names_it(ambient: Callable, verb: str) -> None:
    answer = ambient(verb, "--help")
    assert answer.code == 0
    assert f"ambient {verb}" in answer.out.split("Example")[1]


def test_a_verb_has_a_file_and_a_file_is_a_verb() -> None:
    import ambient.cli

    files = {path.stem for path in Path(ambient.cli.__path__[0]).glob("*.py")}
    assert files - {"__init__", "fitting", "main", "options", "progress"} == set(VERBS)


def test_an_unknown_verb_is_a_users_mistake(ambient: Callable) -> None:
    answer = ambient("propse")
    assert answer.code == 2
    assert "propse" in answer.err


@pytest.mark.parametrize(
    "program", [[Path(sys.executable).parent / "ambient"], [sys.executable, "-m", "ambient"]]
)
def test_the_installed_program_answers(program: list[str | Path]) -> None:
    done = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True)
    assert __version__ in done.stdout
    wrong = subprocess.run([*program, "describe", "absent.json"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("ambient: absent.json: ")


def test_what_names_of_chromosomes_are_changed_is_said(ambient: Callable) -> None:
    for verb in ("describe", "propose", "fit"):
        said = " ".join(ambient(verb, "--help").out.split())
        assert "every file (peaks, regions, annotation, bigWigs) fit the genome's" in said
