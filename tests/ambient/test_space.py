"""Search spaces: reading, conditions, sizes, drawing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ambient.errors import SpaceError
from ambient.space import SearchSpace, named_space

CONDITIONAL = """
name: small
version: 3
description: every kind of decision and condition
window_bp: 300
batch_normalisation: false
decisions:
  - {name: window, sets: window, choices: [100, 200], when: }
  - {name: blocks, sets: parameter, choices: [1, 2, 3]}
  - {name: filters, sets: parameter, choices: [2, 4]}
  - {name: kernel 2, sets: parameter, choices: [3, 4, 5], when: {blocks: [2, 3]}}
  - {name: odd, sets: parameter, choices: [relu, exponential], when: {kernel 2: [3, 5]}}
  - name: pooling
    choices: [{operation: max_pooling, size: 2}, {operation: average_pooling, size: 2}]
    when: {blocks: 3, window: 200}
  - name: tail
    choices: [global_max, flatten, {operation: lstm, units: 3}]
  - name: dense
    choices: [identity, {operation: dense, units: 5}]
    when: {tail: [flatten, {units: 3}]}
  - {name: rate, sets: recipe, choices: [{learning_rate: 1e-3}, {learning_rate: 0.01}]}
network:
  - {operation: convolution, filters: {from: filters}, kernel: 3}
  - when: {blocks: [2, 3]}
    operation: convolution
    filters: {from: filters, map: {2: 3, 4: 6}}
    kernel: {from: kernel 2}
  - when: {odd: [relu, exponential]}
    operation: convolution
    filters: 2
    kernel: 1
    activation: {from: odd}
  - {decision: pooling}
  - {decision: tail}
  - {decision: dense}
"""


@pytest.fixture
def content() -> dict[str, Any]:
    return yaml.safe_load(CONDITIONAL)


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


Change = Callable[[dict[str, Any]], Any]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(lambda c: c.update(decision=[]), 'key "decision"; did you mean', id="key"),
        pytest.param(lambda c: c.pop("version"), 'found no "version"', id="missing key"),
        pytest.param(lambda c: c.update(version="x"), "'x' where a whole number", id="version"),
        pytest.param(lambda c: c.update(window_bp=0), "at least 1", id="window of 0"),
        pytest.param(lambda c: c.update(batch_normalisation=1), "true or false", id="switch"),
        pytest.param(lambda c: c.update(decisions=[]), "list of decisions", id="no decisions"),
        pytest.param(lambda c: c.update(name=3), "found 3 where text", id="name"),
        pytest.param(
            lambda c: c["decisions"][6]["choices"].append("flaten"),
            'decision "tail", choice 3: found the unknown operation "flaten"; did you mean '
            '"flatten"',
            id="operation",
        ),
        pytest.param(
            lambda c: c["decisions"][6]["choices"].append({"operation": "lstm", "unit": 3}),
            'decision "tail", choice 3: found the unknown parameter of "lstm" "unit"; did you mean '
            '"units"',
            id="parameter",
        ),
        pytest.param(
            lambda c: c["decisions"][6]["choices"].append({"operation": "lstm"}),
            'found "lstm" without "units"',
            id="missing parameter",
        ),
        pytest.param(
            lambda c: c["decisions"][6]["choices"].append({"operation": "flatten", "by": 3}),
            'found the parameter "by" where none was needed',
            id="parameter of none",
        ),
        pytest.param(
            lambda c: c["decisions"][6]["choices"].append({"operation": "lstm", "units": 2.5}),
            "found 2.5 where a whole number",
            id="half a unit",
        ),
        pytest.param(
            lambda c: c["decisions"][6]["choices"].append("flatten"),
            'decision "tail": found the same choice twice',
            id="choice twice",
        ),
        pytest.param(lambda c: c["decisions"][6].update(choices=[7]), "found 7", id="no operation"),
        pytest.param(
            lambda c: c["decisions"][0].update(sets="windows"), 'mean "window"', id="sets"
        ),
        pytest.param(
            lambda c: c["decisions"][8].update(choices=[{"learning_rat": 1}]),
            'decision "rate", choice 0: found the unknown key "learning_rat"; did you mean',
            id="recipe",
        ),
        pytest.param(
            lambda c: c["decisions"][8].update(choices=[{"learning_rate": -1}]),
            "at least 1e-08",
            id="negative rate",
        ),
        pytest.param(
            lambda c: c["decisions"][3].update(when={"block": 2}),
            'decision "kernel 2", "when": found the unknown earlier decision "block"; did you mean '
            '"blocks"',
            id="condition",
        ),
        pytest.param(
            lambda c: c["decisions"][3].update(when={"odd": "relu"}),
            "unknown earlier decision",
            id="later decision",
        ),
        pytest.param(
            lambda c: c["decisions"][3].update(when={"blocks": 4}),
            'found 4, which "blocks" does not offer; it offers 1, 2, 3',
            id="condition on no choice",
        ),
        pytest.param(
            lambda c: c["decisions"][3].update(when={"blocks": True}),
            'found True, which "blocks" does not offer',
            id="true is not 1",
        ),
        pytest.param(
            lambda c: c["decisions"][3].update(when=["blocks"]), "mapping from", id="when as list"
        ),
        pytest.param(
            lambda c: c["decisions"][1].update(name="window"), "of an earlier", id="name twice"
        ),
        pytest.param(
            lambda c: [c["decisions"][i].update(shares="x") for i in (5, 6)],
            'found 3 choices where 2 were needed, as many as "pooling"',
            id="shared embedding",
        ),
        pytest.param(
            lambda c: c["network"].pop(), 'decision "dense" sets a layer and stands 0', id="unused"
        ),
        pytest.param(
            lambda c: c["network"].append({"decision": "tails"}), 'mean "tail"', id="place"
        ),
        pytest.param(lambda c: c["network"].append(3), "found 3 where a layer", id="odd place"),
        pytest.param(
            lambda c: c["network"][0].update(filters={"from": "filter"}),
            'decision "filter"; did you mean "filters"',
            id="reference",
        ),
        pytest.param(
            lambda c: c["network"][1]["filters"].update(map={2: 3}),
            "an entry for each of 2, 4",
            id="table",
        ),
        pytest.param(
            lambda c: c["network"][1].update(when={"blocks": [1, 2]}),
            'found the decision "kernel 2", which does not always apply',
            id="reference to nothing",
        ),
        pytest.param(
            lambda c: c["network"][0].update(kernel={"from": "odd"}),
            "which does not always apply",
            id="reference without condition",
        ),
        pytest.param(
            lambda c: c["network"][1]["filters"].update(map={2: 3, 4: "many"}),
            "\"filters\": found 'many' where a whole number",
            id="value behind a reference",
        ),
        pytest.param(
            lambda c: c["network"][0].update(operation=["convolution"]),
            "unknown operation",
            id="list as operation",
        ),
        pytest.param(
            lambda c: c["decisions"].append({"name": "x", "sets": "parameter", "choices": [1]}),
            'decision "x" sets a parameter that nothing refers to',
            id="idle",
        ),
        pytest.param(
            lambda c: c["decisions"].append({"name": "x", "sets": "window", "choices": [9]}),
            'decision "x": found "window_bp" set again',
            id="window twice",
        ),
        pytest.param(
            lambda c: c["network"].insert(0, {"operation": "dense", "units": 3}),
            'layer 0 ("dense") gets a sequence where a vector was needed',
            id="dense on DNA",
        ),
        pytest.param(
            lambda c: c["network"].append({"operation": "flatten"}),
            "gets a vector where a sequence",
            id="two tails",
        ),
        pytest.param(
            lambda c: c["network"][1].update(reverse_complement=True),
            "reads both strands",
            id="both strands of filters",
        ),
    ],
)
def test_what_makes_no_space_is_refused_with_the_file_and_the_place(
    content: dict[str, Any], tmp_path: Path, change: Change, said: str
) -> None:
    change(content)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(SpaceError) as caught:
        SearchSpace.read(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


def test_a_network_without_a_tail_is_refused() -> None:
    content = {
        "name": "x",
        "version": 1,
        "window_bp": 9,
        "decisions": [{"name": "a", "choices": ["identity"]}],
    }
    with pytest.raises(SpaceError, match="ends in a sequence where a vector was needed"):
        SearchSpace.from_dict(content)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "there is no such search space"),
        ("", "found nothing where the keys and values"),
        ("- a\n- b\n", "where the keys and values"),
        ("name: [", "not valid YAML"),
        ("name: a\nname: b\n", 'the key "name" stands twice'),
        ("name: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
    ],
)
def test_a_file_that_holds_no_space_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "mine.yaml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(SpaceError, match=said):
        SearchSpace.read(path)
    with pytest.raises(SpaceError, match="found a folder"):
        SearchSpace.read(tmp_path)


def test_reading_spaces_and_architectures_imports_no_torch() -> None:
    script = (
        "import sys, numpy; from ambient.space import named_space;"
        "a = named_space('ambient-plus').sample(numpy.random.default_rng(0));"
        "type(a).from_json(a.to_json()).summary(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
