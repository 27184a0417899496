"""The options of engines, refused in one sentence before any work is done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--engine", "poll"], "found 'poll', needed one of pool, inline, ray, table:PATH"),
        (["--engine", "table:absent.sqlite"], "there is no file absent.sqlite"),
        (["--engine", "inline", "--workers", "2"], "workers = 2 for the inline engine"),
        (["--address", "auto"], "address = 'auto' for the pool engine"),
        (["--child-minutes", "0"], "found child_minutes = 0.0"),
        (["--device", "cuda:99"], "found the device 'cuda:99'"),
    ],
)
def test_an_engine_that_cannot_be_is_a_mistake(
    ambient: Callable[..., Any], corpus: Path, tmp_path: Path, options: list[str], said: str
) -> None:
    store = tmp_path / "store.sqlite"
    answer = ambient("evaluate", corpus, "random:1", "--store", store, *options)
    assert answer.code == 2
    assert said in answer.err.replace("\n", " ")
    assert "Traceback" not in answer.err
