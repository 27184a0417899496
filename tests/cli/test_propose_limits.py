"""`ambient propose --max-parameters` and `--max-flops`: what is proposed keeps within them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from small_run import make_descriptors
from tiny_children import SPACE

from ambient.child.count import count_flops, count_parameters
from ambient.space import Architecture

WINDOW_BP = 60


def parameters(architecture: Architecture) -> int:
    return count_parameters(architecture.build(WINDOW_BP, 1))


def flops(architecture: Architecture) -> int:
    return count_flops(architecture.build(WINDOW_BP, 1), WINDOW_BP)


@pytest.mark.parametrize(
    ("option", "size"), [("--max-parameters", parameters), ("--max-flops", flops)]
)
def test_a_limit_keeps_larger_networks_out_of_the_proposals(
    ambient: Callable,
    small_run: Path,
    tmp_path: Path,
    option: str,
    size: Callable[[Architecture], int],
) -> None:
    described = tmp_path / "new.json"
    make_descriptors("four").save(described)

    def proposed(*limits: object) -> list[Architecture]:
        asked = ("propose", described, "--controller", small_run, "--window", WINDOW_BP)
        answer = ambient(*asked, "--top", 12, *limits, "--json")
        assert answer.code == 0, answer.err
        entries = json.loads(answer.out)["proposals"]
        return [Architecture.from_dict(entry["architecture"]) for entry in entries]

    first, *_ = proposed()
    limit = size(first) - 1
    small = {one.key for one in SPACE.enumerate() if size(one) <= limit}
    assert small
    assert {one.key for one in proposed(option, limit)} == small
