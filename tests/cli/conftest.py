"""The command line as a user calls it, and a small corpus to call it on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_run import train_small

from ambient.cli.main import main
from ambient.data.simulate import simulate_corpus


@dataclass(frozen=True)
class Answer:
    """What a call left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def ambient(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Answer]:
    """Call `ambient` with arguments; an exception that is not a user's mistake comes through."""

    def call(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["ambient", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        text = capsys.readouterr()
        return Answer(code, text.out, text.err)

    return call


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated corpus file of four tasks."""
    folder = tmp_path_factory.mktemp("simulated") / "corpus"
    return simulate_corpus(folder, tasks=4, genome_bp=100_000, seed=3)


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run over tiny tasks."""
    folder = tmp_path_factory.mktemp("small") / "run"
    train_small(folder, steps=2)
    return folder
