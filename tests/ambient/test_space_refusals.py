"""Search spaces that make no sense: each is refused with the file and the place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conditional_space import CONDITIONAL

from ambient.errors import SpaceError
from ambient.space import SearchSpace

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def content() -> dict[str, Any]:
    return yaml.safe_load(CONDITIONAL)


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
