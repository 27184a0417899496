"""Architectures as values: equality, JSON, keys, one readable line."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from ambient.errors import SpaceError
from ambient.space import Architecture, Operation, SearchSpace, Settings, named_space

TOKENS = (3, 0, 0, 6, 1, 2, 0, 1, 1, 1)


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    return named_space("ambient-10")


@pytest.fixture
def architecture(space: SearchSpace) -> Architecture:
    return space.architecture(TOKENS)


def test_the_summary_is_one_readable_line(architecture: Architecture) -> None:
    assert architecture.summary() == (
        "conv 16x14 > max 4 > drop 0.1 > conv 64x20 d2 > average 4 > drop 0.5 > conv 64x1 linear > "
        "global max > drop 0.3 > dense 100"
    )


@pytest.mark.parametrize("name", ["ambient-10", "ambient-plus"])
def test_json_gives_the_same_architecture_back(name: str) -> None:
    generator = np.random.default_rng(2)
    for _ in range(50):
        architecture = named_space(name).sample(generator)
        again = Architecture.from_json(architecture.to_json())
        assert again == architecture
        assert hash(again) == hash(architecture)
        assert again.key == architecture.key
        assert again.to_json() == architecture.to_json()
        assert Architecture.from_dict(architecture.to_dict()) == architecture


def test_the_json_of_an_architecture_spells_its_layers_out(architecture: Architecture) -> None:
    content = json.loads(architecture.to_json())
    assert content["space"] == "ambient-10"
    assert content["tokens"] == list(TOKENS)
    assert content["layers"][0] == {
        "operation": "convolution",
        "filters": 16,
        "kernel": 14,
        "dilation": 1,
        "activation": "relu",
        "reverse_complement": False,
    }
    assert len(architecture.to_json().splitlines()) == 8 + len(content["layers"]) + 2


def test_the_key_is_stable_and_tells_networks_apart(
    space: SearchSpace, architecture: Architecture
) -> None:
    # Pinned: a store that outlives a version finds its evaluations by this key.
    assert architecture.key == "765a740d6ad81274"
    generator = np.random.default_rng(0)
    drawn = {space.sample(generator) for _ in range(500)}
    assert len({one.key for one in drawn}) == len(drawn)


def test_the_key_follows_the_network_and_not_its_name(architecture: Architecture) -> None:
    renamed = dataclasses.replace(architecture, space="other", space_version=9, tokens=(1,))
    assert renamed.key == architecture.key
    for change in (
        {"window_bp": 200},
        {"recipe": Settings({"learning_rate": 0.1})},
        {"batch_normalisation": False},
        {"layers": architecture.layers[:-1]},
    ):
        assert dataclasses.replace(architecture, **change).key != architecture.key


def test_settings_are_a_mapping_whose_order_does_not_count() -> None:
    one, two = Settings({"a": 1, "b": 2.5}), Settings([("b", 2.5), ("a", 1)])
    assert one == two == {"a": 1, "b": 2.5}
    assert hash(one) == hash(two)
    assert list(two) == ["b", "a"]
    assert one != Settings({"a": 1})
    assert Operation("x", one) == Operation("x", two)
    with pytest.raises(KeyError):
        one["c"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layer": []}, 'unknown key "layer"; did you mean "layers"'),
        ({"layers": "all"}, "\"layers\": found 'all' where a list was needed"),
        ({"layers": [{"operation": "convolutions"}]}, "layer 0: found the unknown operation"),
        ({"layers": ["global_max", "global_max"]}, "layer 1"),
        ({"layers": []}, "ends in a sequence"),
        ({"tokens": [0.5]}, '"tokens": found 0.5'),
        ({"space": 1}, '"space": found 1'),
        ({"window_bp": "wide"}, "\"window_bp\": found 'wide'"),
        ({"recipe": {"learning": 1}}, 'unknown key "learning"'),
        ({"batch_normalisation": "on"}, "where a bool was needed"),
    ],
)
def test_what_makes_no_architecture_is_refused(
    architecture: Architecture, change: dict[str, object], said: str
) -> None:
    with pytest.raises(SpaceError) as caught:
        Architecture.from_dict({**architecture.to_dict(), **change}, "mine.json")
    assert said in str(caught.value)


def test_text_that_is_no_json_and_missing_keys_are_refused(architecture: Architecture) -> None:
    with pytest.raises(SpaceError, match=r"mine.json: .* not JSON"):
        Architecture.from_json("{", "mine.json")
    with pytest.raises(SpaceError, match='found no "space"'):
        Architecture.from_json("{}", "mine.json")
    with pytest.raises(SpaceError, match="where a mapping was needed"):
        Architecture.from_json("[]", "mine.json")


def test_a_window_must_come_from_somewhere(architecture: Architecture) -> None:
    with pytest.raises(SpaceError, match="decides no input window"):
        architecture.build()
