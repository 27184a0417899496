"""Search spaces: reading, conditions, sizes, drawing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conditional_space import CONDITIONAL
from hypothesis import given, settings
from hypothesis import strategies as st

from ambient.errors import SpaceError
from ambient.space import SearchSpace, named_space, open_space


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return SearchSpace.from_dict(yaml.safe_load(CONDITIONAL))


def test_the_size_equals_the_number_of_architectures_that_are_enumerated(
    space: SearchSpace,
) -> None:
    listed = list(space.enumerate())
    assert space.size == len(listed) == len(set(listed))
    assert len({architecture.tokens for architecture in listed}) == len(listed)


def test_the_size_of_the_small_space_is_the_one_counted_by_hand(space: SearchSpace) -> None:
    # After `blocks`: 1 -> 1; 2 -> kernels 3 and 5 with two activations each, kernel 4 with none: 5;
    # 3 -> the same 5, at one window with one pooling more to choose.
    blocks = 2 * (1 + 5) + (5 + 5 * 2)
    assert space.size == blocks * 2 * (1 + 2 * 2) * 2


@st.composite
def small_spaces(draw: st.DrawFn) -> dict[str, Any]:
    """Spaces of parameters whose conditions ask about any earlier decisions."""
    decisions: list[dict[str, Any]] = []
    for index in range(draw(st.integers(1, 6))):
        decision: dict[str, Any] = {
            "name": f"d{index}",
            "sets": "recipe",
            "choices": [
                {"learning_rate": 0.1 / (index * 5 + choice + 1)}
                for choice in range(draw(st.integers(1, 3)))
            ],
        }
        when = {}
        for earlier in draw(st.sets(st.integers(0, index - 1), max_size=2)) if index else ():
            offered = decisions[earlier]["choices"]
            when[f"d{earlier}"] = draw(
                st.lists(st.sampled_from(offered), min_size=1, unique_by=str)
            )
        if when:
            decision["when"] = when
        decisions.append(decision)
    for decision in decisions:  # a plain value may be chosen over and over, a setting may not
        decision["sets"] = "parameter"
        decision["choices"] = [choice["learning_rate"] for choice in decision["choices"]]
        for name, wanted in decision.get("when", {}).items():
            decision["when"][name] = [choice["learning_rate"] for choice in wanted]
    network = [
        {
            "operation": "dropout",
            "rate": {"from": decision["name"]},
            **({"when": decision["when"]} if "when" in decision else {}),
        }
        for decision in decisions
    ]
    network.append({"operation": "flatten"})
    return {
        "name": "any",
        "version": 1,
        "window_bp": 10,
        "decisions": decisions,
        "network": network,
    }


@settings(max_examples=60, deadline=None)
@given(small_spaces())
def test_the_size_of_any_conditional_space_equals_its_enumeration(content: dict[str, Any]) -> None:
    space = SearchSpace.from_dict(content)
    assert space.size == sum(1 for _ in space.enumerate())


def test_a_drawn_architecture_has_minus_one_exactly_where_a_decision_does_not_apply(
    space: SearchSpace,
) -> None:
    generator = np.random.default_rng(5)
    seen = set()
    for _ in range(300):
        tokens = space.sample(generator).tokens
        for index, token in enumerate(tokens):
            applies = space.is_active(index, tokens[:index])
            offered = space.options(tokens[:index])
            assert (token == -1) == (not applies) == (not offered)
            assert token < len(space.decisions[index].choices)
            seen.add((index, token))
    assert (3, -1) in seen
    assert (3, 2) in seen


def test_drawing_is_uniform_over_the_choices_and_follows_the_seed(space: SearchSpace) -> None:
    draws = [space.sample(np.random.default_rng(seed)).tokens for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    generator = np.random.default_rng(0)
    counts = np.bincount([space.sample(generator).tokens[1] for _ in range(3000)], minlength=3)
    assert np.all(np.abs(counts - 1000) < 130)  # five standard deviations


def test_tokens_make_the_architecture_that_they_name(space: SearchSpace) -> None:
    architecture = space.architecture([1, 2, 1, 0, 1, 1, 2, 1, 0])
    assert architecture.summary() == (
        "200 bp > conv 4x3 > conv 6x3 > conv 2x1 exponential > average 2 > lstm 3 > dense 5 "
        "(learning rate 0.001)"
    )
    assert architecture.window_bp == 200
    assert architecture.recipe == {"learning_rate": 0.001}
    assert architecture.batch_normalisation is False
    assert space.architecture(architecture.tokens) == architecture
    assert space.architecture(np.array(architecture.tokens)) == architecture


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        ([0, 0], "found 2 tokens where 9 were needed"),
        ([0, 3, 0, -1, -1, -1, 0, -1, 0], 'decision "blocks": found the token 3'),
        ([0, -1, 0, -1, -1, -1, 0, -1, 0], 'decision "blocks": found the token -1'),
        ([0, 0, 0, 1, -1, -1, 0, -1, 0], 'decision "kernel 2": found the token 1 where -1'),
        ([0, 1, 0, -1, -1, -1, 0, -1, 0], 'decision "kernel 2": found the token -1 where one'),
    ],
)
def test_tokens_that_make_no_architecture_are_refused(
    space: SearchSpace, tokens: list[int], said: str
) -> None:
    with pytest.raises(SpaceError, match=said):
        space.architecture(tokens)


def test_a_space_survives_being_written_and_read(space: SearchSpace, tmp_path: Path) -> None:
    for one in (space, named_space("ambient-10"), named_space("ambient-plus")):
        assert SearchSpace.from_dict(one.to_dict()) == one
        assert SearchSpace.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    path = tmp_path / "again.yaml"
    path.write_text(yaml.safe_dump(space.to_dict()), encoding="utf-8")
    assert SearchSpace.read(path) == space
    assert hash(SearchSpace.read(path)) == hash(space)


def test_reading_spaces_and_architectures_imports_no_torch() -> None:
    script = (
        "import sys, numpy; from ambient.space import named_space;"
        "a = named_space('ambient-plus').sample(numpy.random.default_rng(0));"
        "type(a).from_json(a.to_json()).summary(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_unknown_name_is_told_with_what_to_do_where_it_was_given() -> None:
    with pytest.raises(SpaceError, match="for a space of your own, read its file with Search"):
        named_space("ambient-11")
    with pytest.raises(SpaceError, match=r"ambient-10.*; for a space of your own, name its YAML"):
        open_space("ambient-11")
