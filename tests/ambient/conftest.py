"""A simulated corpus that several files test upon, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ambient.data import simulate_corpus


@pytest.fixture(scope="session")
def pristine_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a simulated corpus of four tasks; nobody changes it."""
    folder = tmp_path_factory.mktemp("simulated") / "corpus"
    return simulate_corpus(folder, tasks=4, genome_bp=100_000, seed=3).parent


@pytest.fixture
def corpus_folder(pristine_corpus: Path, tmp_path: Path) -> Path:
    """Give a copy of it that a test may change."""
    return Path(shutil.copytree(pristine_corpus, tmp_path / "corpus"))
