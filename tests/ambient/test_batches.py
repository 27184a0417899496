"""Windows are cut, shifted, flipped and spelled out as a plain loop would do it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ambient.child.batches import Draws, Windows, flip_some, one_hot, reverse_complement
from ambient.data.task import TaskData
from ambient.errors import InputError

CPU = torch.device("cpu")


def some_task(windows: int = 6, stored: int = 30) -> TaskData:
    codes = np.random.default_rng(0).integers(0, 5, (windows, stored)).astype(np.uint8)
    labels = (np.arange(windows) % 2).astype(np.float32)[:, None]
    split = (np.arange(windows) % 3).astype(np.uint8)
    return TaskData("some", "tf", 10, codes, labels, split, np.zeros(windows, dtype=np.uint8))


def test_one_hot_puts_a_one_at_each_base_and_nothing_where_there_is_none():
    spelled = one_hot(torch.tensor([[0, 1, 2, 3, 4]], dtype=torch.uint8))
    expected = np.concatenate([np.eye(4), np.zeros((4, 1))], axis=1)
    np.testing.assert_array_equal(spelled.numpy()[0], expected)


@given(st.integers(1, 30), st.integers(0, 12), st.data())
@settings(max_examples=60, deadline=None)
def test_a_shifted_window_is_a_slice_of_what_is_stored_with_no_base_outside(width, reach, data):
    task = some_task()
    windows = Windows(task, width, reach, CPU)
    shifts = np.array(data.draw(st.lists(st.integers(-reach, reach), min_size=6, max_size=6)))
    got = windows.shifted(np.arange(6), shifts).numpy()
    padded = np.pad(task.codes, ((0, 0), (50, 50)), constant_values=4)
    for row, shift in enumerate(shifts):
        start = 50 + 15 - width // 2 + shift
        np.testing.assert_array_equal(got[row], padded[row, start : start + width])
    np.testing.assert_array_equal(
        windows.central(np.arange(6)).numpy(), windows.shifted(np.arange(6), np.zeros(6, int))
    )


def test_flipping_gives_the_reverse_complement_of_the_chosen_windows_alone():
    codes = some_task().codes
    which = np.array([True, False, True, False, False, True])
    flipped = flip_some(torch.from_numpy(codes), which)
    complement = np.array([3, 2, 1, 0, 4], dtype=np.uint8)[codes[:, ::-1]]
    expected = np.where(which[:, None], complement, codes)
    np.testing.assert_array_equal(flipped.numpy(), expected)
    twice = reverse_complement(reverse_complement(torch.from_numpy(codes)))
    np.testing.assert_array_equal(twice.numpy(), codes)


@pytest.mark.parametrize("count", [1, 3, 7, 20])
def test_every_row_is_drawn_equally_often(count):
    draws = Draws(np.arange(7), count, np.random.default_rng(0))
    drawn = np.concatenate([draws.draw() for _ in range(7)])
    assert len(drawn) == 7 * count
    np.testing.assert_array_equal(np.bincount(drawn, minlength=7), count)


def test_nothing_is_drawn_from_nothing():
    assert len(Draws(np.empty(0, dtype=np.int64), 5, np.random.default_rng(0)).draw()) == 0


def test_the_caller_may_change_its_arrays_afterwards():
    task = some_task()
    windows = Windows(task, 10, 2, CPU)
    before = windows.central(np.arange(6)).clone(), windows.labels.clone()
    task.codes[:], task.labels[:] = 0, 0
    assert torch.equal(windows.central(np.arange(6)), before[0])
    assert torch.equal(windows.labels, before[1])


def test_windows_wider_than_what_is_stored_are_refused_and_not_padded():
    with pytest.raises(InputError, match="some: windows of 31 bp were asked for, but 30 bp are st"):
        Windows(some_task(), 31, 0, CPU)
