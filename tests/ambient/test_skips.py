"""Skip connections as decisions of a space and as pairs of layers of an architecture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skip_spaces import small_space

from ambient.errors import SpaceError
from ambient.files import short_hash
from ambient.space import Architecture, SearchSpace, named_space, sample_with_skips

GOLDEN = Path(__file__).parents[1] / "golden" / "amber-12.json"


def written(*decisions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A space's file of convolutions of two sizes, all but their names alike."""
    choices = [{"operation": "convolution", "filters": 2, "kernel": kernel} for kernel in (3, 5)]
    complete = [one if "sets" in one else {"choices": choices, **one} for one in decisions]
    return {
        "name": "any",
        "version": 1,
        "window_bp": 20,
        "decisions": [*complete, {"name": "tail", "choices": ["global_max", "flatten"]}],
        **changes,
    }


def test_amber_12_holds_seven_operations_for_each_layer_and_66_skips() -> None:
    space = named_space("amber-12")  # DESIGN 7
    layers = [decision for decision in space.decisions if decision.sets == "layer"]
    assert [len(decision.choices) for decision in layers] == [7] * 12
    assert len(space.skips) == 12 * 11 // 2
    assert space.size == 7**12 * 2**66
    assert space.window_bp == 1000
    for number, decision in enumerate(layers):
        filters = 32 * 2 ** (number // 3)
        convolutions = [one.parameters for one in decision.choices if one.kind == "convolution"]
        assert {(v["filters"], v["kernel"], v["dilation"]) for v in convolutions} == {
            (filters, kernel, dilation) for kernel in (8, 4) for dilation in (1, 10)
        }
        others = {one.kind for one in decision.choices} - {"convolution"}
        assert others == {"sliding_max", "sliding_average", "identity"}


def test_each_layer_is_decided_before_the_skips_to_it_and_these_in_the_order_of_their_sources() -> (
    None
):
    names = [decision.name for decision in named_space("amber-12").decisions]
    expected = [
        name
        for number in range(1, 13)
        for name in (
            f"layer {number}",
            *(f"layer {earlier} > layer {number}" for earlier in range(1, number)),
        )
    ]
    assert names == expected


def test_token_lists_of_amber_12_mean_for_ever_what_they_meant() -> None:
    golden = json.loads(GOLDEN.read_text())
    space = named_space("amber-12")
    assert short_hash({**space.to_dict(), "description": ""}) == golden["space"]
    for one in golden["architectures"]:
        architecture = Architecture.from_dict(one["architecture"])
        assert architecture.key == one["key"]
        assert space.architecture(architecture.tokens) == architecture
        assert architecture.to_dict() == one["architecture"]


def test_what_is_taken_stands_in_the_architecture_as_pairs_of_its_layers() -> None:
    space = small_space()
    names = [decision.name for decision in space.decisions]
    tokens = [0] * len(names)
    for name in ("layer 1 > layer 3", "layer 3 > layer 4", "layer 1 > layer 2"):
        tokens[names.index(name)] = 1
    architecture = space.architecture(tokens)
    # Stem and projection are layers 0 and 1, pooling and projection 4 and 5.
    assert architecture.skips == ((2, 3), (2, 6), (6, 7))
    assert architecture.to_dict()["skips"] == [[2, 3], [2, 6], [6, 7]]
    assert architecture.summary().endswith("dense 6, 3 skips")
    assert Architecture.from_json(architecture.to_json()) == architecture


def test_skips_are_part_of_what_a_network_is_and_none_leave_it_as_it_was() -> None:
    space = small_space()
    plain = space.architecture([0] * len(space.decisions))
    assert "skips" not in plain.to_dict()
    assert "skip" not in plain.summary()
    with_one = [0] * len(space.decisions)
    with_one[space.skips[0]] = 1
    assert space.architecture(with_one).key != plain.key
    assert space.architecture(with_one) != plain


def test_a_space_with_skips_is_read_as_it_is_written() -> None:
    space = small_space()
    assert SearchSpace.from_dict(json.loads(json.dumps(space.to_dict()))) == space
    entry = next(one for one in space.to_dict()["decisions"] if one["sets"] == "skip")
    assert entry == {
        "name": "layer 1 > layer 2",
        "sets": "skip",
        "from": "layer 1",
        "to": "layer 2",
        "shares": "skip",
    }


def test_skips_may_be_chosen_one_by_one() -> None:
    space = SearchSpace.from_dict(
        written(
            {"name": "a"},
            {"name": "b"},
            {"name": "c", "skips": ["a"]},
            {"name": "again", "sets": "skip", "from": "b", "to": "c"},
        )
    )
    assert [space.decisions[index].name for index in space.skips] == ["a > c", "again"]
    assert [space.decisions[index].skip for index in space.skips] == [(0, 2), (1, 2)]
    assert space.size == 2**3 * 2**2 * 2


def test_a_skip_applies_where_both_of_its_layers_do() -> None:
    blocks = {"name": "blocks", "sets": "parameter", "choices": [1, 2]}
    space = SearchSpace.from_dict(
        written(
            blocks,
            {"name": "a"},
            {"name": "b", "when": {"blocks": 2}, "skips": "all"},
            {"name": "c"},
        )
    )
    (index,) = space.skips
    assert space.size == 2 * (2 * 2 + 2 * 2 * 2 * 2)
    for architecture in space.enumerate():
        assert (architecture.tokens[index] == -1) == (architecture.tokens[0] == 0)
        assert architecture.skips == (((0, 1),) if architecture.tokens[index] == 1 else ())
    edge = {"name": "free", "sets": "skip", "from": "a", "to": "b"}
    with pytest.raises(SpaceError, match='found the decision "b", which does not always apply'):
        SearchSpace.from_dict(
            written(blocks, {"name": "a"}, {"name": "b", "when": {"blocks": 2}}, edge)
        )


@pytest.mark.parametrize(
    ("decisions", "said"),
    [
        ([{"name": "a"}, {"name": "b", "skips": "each"}], "the word all or a list of earlier"),
        ([{"name": "a"}, {"name": "b", "skips": ["c"]}], 'unknown earlier layer decision "c"'),
        (
            [{"name": "n", "sets": "parameter", "choices": [1], "skips": "all"}],
            "only a layer can be skipped to",
        ),
        (
            [{"name": "a"}, {"name": "s", "sets": "skip", "from": "a", "to": "a"}],
            'a skip from "a" to "a"',
        ),
        (
            [
                {"name": "a"},
                {"name": "b", "skips": "all"},
                {"name": "s", "sets": "skip", "from": "a", "to": "b"},
            ],
            'a skip from "a" to "b" where each may lead once',
        ),
        ([{"name": "a"}, {"name": "s", "sets": "skip", "from": "a"}], 'found no "to"'),
        (
            [{"name": "a"}, {"name": "s", "sets": "skip", "from": "a", "to": "z"}],
            'unknown earlier layer decision "z"',
        ),
        (
            [{"name": "a"}, {"name": "s", "sets": "skip", "from": "a", "to": "a", "choices": [1]}],
            'unknown key "choices"',
        ),
    ],
)
def test_a_skip_that_leads_nowhere_is_refused(decisions: list[Any], said: str) -> None:
    with pytest.raises(SpaceError, match=said):
        SearchSpace.from_dict(written(*decisions))


def test_a_skip_that_leads_backwards_in_the_network_is_refused() -> None:
    order = [{"decision": name} for name in ("b", "a", "tail")]
    with pytest.raises(SpaceError, match="which stands before it in the network"):
        SearchSpace.from_dict(written({"name": "a"}, {"name": "b", "skips": "all"}, network=order))


@pytest.mark.parametrize(
    ("skips", "said"),
    [
        ([[3, 2]], "leads forwards"),
        ([[2, 2]], "leads forwards"),
        ([[-1, 2]], "leads forwards"),
        ([[2, 8]], "needed one that leads forwards among the layers 0 to 7"),
        ([[2, 9]], "leads forwards"),
        ([[3, 6], [2, 3]], "ascending order"),
        ([[2, 3], [2, 3]], "each once"),
        ([[2, 3, 4]], "pairs of numbers"),
        ([[2, "3"]], "a whole number"),
        (7, "pairs of numbers"),
    ],
)
def test_a_file_with_impossible_skips_is_refused(skips: Any, said: str) -> None:
    content = small_space().architecture([0] * 10).to_dict()
    with pytest.raises(SpaceError, match=said):
        Architecture.from_dict({**content, "skips": skips})


def test_architectures_of_a_number_of_skips_are_drawn_evenly() -> None:
    space, rng = small_space(), np.random.default_rng(0)
    drawn = [sample_with_skips(space, 2, rng) for _ in range(300)]
    assert {len(one.skips) for one in drawn} == {2}
    tokens = np.array([one.tokens for one in drawn])
    skips = list(space.skips)
    # Each of 6 skips in a third of the samples, each of 5 operations in a fifth: 4.5 deviations.
    assert np.abs(tokens[:, skips].mean(0) - 1 / 3).max() < 4.5 * np.sqrt(2 / 9 / 300)
    for index in set(range(len(space.decisions))) - set(skips):
        shares = np.bincount(tokens[:, index], minlength=5) / 300
        assert np.abs(shares - 0.2).max() < 4.5 * np.sqrt(0.16 / 300)
    for count in (-1, 7):
        with pytest.raises(SpaceError, match="0 to 6 can be taken"):
            sample_with_skips(space, count, rng)
