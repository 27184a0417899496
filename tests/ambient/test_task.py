"""Tests of ambient/data/task.py."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ambient.data.task import ORIGINS, SPLITS, TaskData
from ambient.errors import InputError, RunError


def make_task(
    windows: int = 12, stored_bp: int = 64, window_bp: int = 40, seed: int = 0
) -> TaskData:
    rng = np.random.default_rng(seed)
    return TaskData(
        name="Reb1",
        category="tf",
        window_bp=window_bp,
        codes=rng.integers(0, 5, (windows, stored_bp)).astype(np.uint8),
        labels=rng.integers(0, 2, (windows, 1)).astype(np.float32),
        split=(np.arange(windows) % 3).astype(np.uint8),
        origin=rng.integers(0, len(ORIGINS), windows).astype(np.uint8),
        chromosome=np.array(["chrI", "chrXVI"] * (windows // 2)),
        centre=rng.integers(0, 1000, windows),
        left_out={"peaks: window covers N": 3},
    )


def test_a_saved_task_is_read_back_whole(tmp_path: Path) -> None:
    task = make_task()
    task.save(tmp_path / "task.npz")
    back = TaskData.load(tmp_path / "task.npz")
    for field in dataclasses.fields(TaskData):
        value, other = getattr(task, field.name), getattr(back, field.name)
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, other)
            assert value.dtype == other.dtype
        else:
            assert value == other
    assert back.hash == task.hash


def test_the_hash_is_of_contents_and_not_of_names_or_places() -> None:
    task = make_task()
    renamed = dataclasses.replace(
        task, name="x", category="other", chromosome=task.chromosome[::-1], centre=task.centre + 1
    )
    assert renamed.hash == task.hash
    assert len(task.hash) == 16


@pytest.mark.parametrize("field", ["codes", "labels", "split", "origin"])
def test_a_change_of_one_value_changes_the_hash(field: str) -> None:
    task = make_task()
    changed = getattr(task, field).copy()
    changed.flat[5] = 1 - changed.flat[5] if field == "labels" else (changed.flat[5] + 1) % 3
    assert dataclasses.replace(task, **{field: changed}).hash != task.hash


def test_another_window_changes_the_hash() -> None:
    assert make_task(window_bp=40).hash != make_task(window_bp=42).hash


@given(
    stored=st.integers(20, 70),
    data=st.data(),
)
@settings(max_examples=60, deadline=None)
def test_windows_equal_a_plain_loop(stored: int, data: st.DataObject) -> None:
    width = data.draw(st.integers(1, stored))
    task = make_task(stored_bp=stored, window_bp=width)
    start = stored // 2 - width // 2
    reach = min(start, stored - start - width)
    index = np.array(data.draw(st.lists(st.integers(0, 11), min_size=1, max_size=8)))
    shifts = np.array(
        data.draw(st.lists(st.integers(-reach, reach), min_size=len(index), max_size=len(index)))
    )
    found = task.window(index, shift=shifts)
    for row, at, shift in zip(found, index, shifts, strict=True):
        np.testing.assert_array_equal(row, task.codes[at, start + shift : start + shift + width])
    np.testing.assert_array_equal(
        task.window(index, shift=int(shifts[0])),
        task.window(index, shift=np.full(len(index), shifts[0])),
    )


def test_a_wider_window_keeps_its_centre() -> None:
    task = make_task()
    wide = task.window(slice(None), window_bp=60)
    np.testing.assert_array_equal(wide[:, 30 - 20 : 30 + 20], task.window(slice(None)))


@pytest.mark.parametrize(("window_bp", "shift"), [(65, 0), (64, 1), (40, 13), (40, -13), (0, 0)])
def test_a_window_past_the_stored_sequence_is_refused(window_bp: int, shift: int) -> None:
    with pytest.raises(InputError, match="stored around each centre"):
        make_task().window(np.array([0]), window_bp=window_bp, shift=shift)


def test_splits_part_the_windows() -> None:
    task = make_task()
    parts = [task.subset(split) for split in SPLITS]
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(12))
    np.testing.assert_array_equal(task.subset("test"), task.subset(2))


def test_the_summary_counts_every_window() -> None:
    summary = make_task().summary()
    assert sum(summary["positives"].values()) + sum(summary["negatives"].values()) == 12
    assert sum(summary["origins"].values()) == 12
    assert summary["left_out"] == {"peaks: window covers N": 3}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"gone\.npz: there is no such task file"):
        TaskData.load(tmp_path / "gone.npz")


@pytest.mark.parametrize("keep", [0, 10, 700])
def test_a_cut_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "task.npz"
    make_task().save(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RunError, match="prepare it anew"):
        TaskData.load(path)


def test_contents_that_do_not_fit_their_hash_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "task.npz"
    make_task().save(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["labels"] = 1 - arrays["labels"]
    np.savez(path, **arrays)
    with pytest.raises(RunError, match="damaged"):
        TaskData.load(path)


def test_arrays_that_do_not_fit_each_other_are_refused() -> None:
    task = make_task()
    with pytest.raises(ValueError, match="12 windows but 11 labels"):
        dataclasses.replace(task, labels=task.labels[:-1])


LABELS = {"label_names": ("Reb1", "H4ac"), "label_categories": ("tf", "histone")}


def labelled_task(**changes: object) -> TaskData:
    """Make a task of two named labels, some of them unknown."""
    labels = np.random.default_rng(1).integers(0, 2, (12, 2)).astype(np.float32)
    labels[3:6, 1] = np.nan
    return dataclasses.replace(make_task(), labels=labels, **{**LABELS, **changes})


def test_names_and_categories_of_labels_are_contents(tmp_path: Path) -> None:
    task = labelled_task()
    same = labelled_task(label_names=["Reb1", "H4ac"])
    assert same.hash == task.hash
    assert same.label_names == ("Reb1", "H4ac")
    others = [
        labelled_task(label_names=("Reb1", "H3")),
        labelled_task(label_categories=("tf", "tf")),
        labelled_task(label_names=(), label_categories=()),
    ]
    assert len({one.hash for one in (task, *others)}) == 4
    task.save(tmp_path / "task.npz")
    back = TaskData.load(tmp_path / "task.npz")
    assert (back.label_names, back.label_categories) == tuple(LABELS.values())
    assert sum(task.summary()["positives"].values()) == (task.labels == 1).any(axis=1).sum()
    with pytest.raises(ValueError, match="2 labels but 1 names and 2 categories"):
        labelled_task(label_names=("Reb1",))


def test_the_hash_of_a_task_of_one_data_set_is_the_one_that_stores_hold() -> None:
    task = make_task()
    digest = hashlib.sha256(b"1 40 (12, 64) (12, 1)")
    for array in (task.codes, task.labels, task.split, task.origin):
        digest.update(array.tobytes())
    assert task.hash == digest.hexdigest()[:16]


def test_a_file_of_before_tasks_had_labels_is_read(tmp_path: Path) -> None:
    task, path = make_task(), tmp_path / "task.npz"
    task.save(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    facts = json.loads(str(arrays["facts"]))
    arrays["facts"] = np.array(
        json.dumps({k: v for k, v in facts.items() if not k.startswith("label_")})
    )
    np.savez(path, **arrays)
    assert TaskData.load(path).hash == task.hash
