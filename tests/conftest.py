"""Fixtures that every room of the tests shares."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
REAL_DATA = Path(os.environ.get("AMBIENT_DATA", REPOSITORY.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def yeast() -> Path:
    """Folder of the real yeast data; a test that asks for it skips where it is absent."""
    folder = REAL_DATA / "yeast"
    if not (folder / "tasks.tsv").exists():
        pytest.skip("the real yeast data is not beside this checkout (shared/data/yeast)")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what tests remember out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AMBIENT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
