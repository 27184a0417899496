"""A fidelity is a value: checked, hashed, read from YAML-like mappings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ambient.child.fidelity import FULL, PASSES, SEARCH, Fidelity, full_for, named_fidelity
from ambient.errors import RunError


def test_the_hash_changes_with_every_constant_but_not_with_the_name():
    changed = {
        "windows_per_epoch": 7,
        "epochs": 7,
        "batch_size": 7,
        "learning_rate": 0.7,
        "warm_up": 0.7,
        "weight_decay": 0.7,
        "shift_bp": 7,
        "keep_from": 0.7,
        "patience": 7,
        "seeded_filters": 0.7,
        "reverse_complement": False,
        "members": 7,
        "precision": "float32",
    }
    hashes = {replace(SEARCH, **{key: value}).hash for key, value in changed.items()}
    assert len(hashes | {SEARCH.hash}) == len(changed) + 1
    assert replace(SEARCH, name="mine").hash == SEARCH.hash


def test_the_two_grades_differ_and_are_found_by_name():
    assert SEARCH.hash != FULL.hash
    assert named_fidelity("search") is SEARCH
    assert named_fidelity("full") is FULL
    with pytest.raises(RunError, match=r"found 'fill', needed search or full"):
        named_fidelity("fill")


def test_full_is_lengthened_where_it_would_pass_over_the_windows_too_rarely():
    enough = FULL.epochs * FULL.windows_per_epoch // PASSES
    assert full_for(0) is full_for(enough) is FULL
    for windows in (enough + 1, 12_648, 200_000):
        longer = full_for(windows)
        drawn = longer.epochs * longer.windows_per_epoch
        assert PASSES <= drawn / windows < PASSES + longer.epochs / windows
        assert longer.name != FULL.name
        same = replace(longer, name=FULL.name, windows_per_epoch=FULL.windows_per_epoch)
        assert same == FULL


@pytest.mark.parametrize("fidelity", [SEARCH, FULL])
def test_a_dictionary_gives_back_the_same_fidelity(fidelity):
    assert Fidelity.from_dict(fidelity.to_dict()) == fidelity


def test_missing_constants_come_from_the_grade_that_like_names():
    mine = Fidelity.from_dict({"like": "full", "name": "mine", "epochs": 3})
    assert mine == replace(FULL, name="mine", epochs=3)
    assert Fidelity.from_dict({"name": "search", "epochs": 3}) == replace(SEARCH, epochs=3)


def test_missing_constants_of_an_unknown_name_are_an_error():
    with pytest.raises(RunError, match=r"batch_size, .* are missing"):
        Fidelity.from_dict({"name": "mine", "epochs": 3})


def test_an_unknown_key_names_the_nearest():
    with pytest.raises(RunError, match=r"unknown key 'epoch', the nearest known one is 'epochs'"):
        Fidelity.from_dict({"name": "full", "epoch": 3})


@pytest.mark.parametrize(
    ("key", "value"), [("epochs", "many"), ("epochs", True), ("epochs", 1.5), ("name", 3)]
)
def test_a_value_of_the_wrong_type_is_an_error(key, value):
    with pytest.raises(RunError, match=rf"found {key} = .*, needed a value of type"):
        Fidelity.from_dict({"like": "full", key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [("epochs", 0), ("learning_rate", 0.0), ("shift_bp", -1), ("warm_up", 1.0), ("precision", "x")],
)
def test_a_value_outside_its_range_is_an_error(key, value):
    with pytest.raises(RunError, match=rf"found {key} = .*, needed"):
        replace(FULL, **{key: value})


def test_a_whole_number_for_a_fraction_gives_the_same_hash():
    whole = Fidelity.from_dict({"like": "full", "weight_decay": 0, "learning_rate": 1})
    assert whole.hash == replace(FULL, weight_decay=0.0, learning_rate=1.0).hash
