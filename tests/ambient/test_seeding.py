"""Enriched words are found, on either strand, spread or not, and copied into the first filters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from ambient.child.layers import BothStrands
from ambient.child.seeding import enriched_filters, first_filters, seed_first_filters

WORD = np.array([0, 2, 2, 1, 3, 3, 0, 1], dtype=np.uint8)
COMPLEMENT = np.array([3, 2, 1, 0], dtype=np.uint8)


def planted(dilation: int = 1, windows: int = 150) -> tuple[np.ndarray, np.ndarray]:
    """Give windows of 80 bp of which the positives hold the word, half of them on the other strand."""
    rng = np.random.default_rng(0)
    positives = rng.integers(0, 4, (windows, 80)).astype(np.uint8)
    negatives = rng.integers(0, 4, (2 * windows, 80)).astype(np.uint8)
    for row in range(windows):
        start = rng.integers(10, 50)
        positives[row, start : start + 8 * dilation : dilation] = WORD
    positives[::2] = COMPLEMENT[positives[::2, ::-1]]
    return positives, negatives


def holds_the_word(profile: np.ndarray) -> bool:
    best = profile.argmax(0)
    forward = "".join(map(str, best))
    reverse = "".join(map(str, COMPLEMENT[best[::-1]]))
    core = "".join(map(str, WORD[1:7]))
    return core in forward or core in reverse


@pytest.mark.parametrize(("width", "dilation"), [(8, 1), (12, 1), (14, 1), (8, 2), (10, 2)])
def test_the_planted_word_is_the_first_filter(width, dilation):
    filters = enriched_filters(*planted(dilation), width, dilation, 4)
    assert filters[0].shape == (4, width)
    assert filters[0].dtype == np.float32
    assert holds_the_word(filters[0])


def test_the_word_is_found_once_and_not_again_on_the_other_strand():
    filters = enriched_filters(*planted(), 8, 1, 3)
    assert holds_the_word(filters[0])
    assert not any(holds_the_word(profile) for profile in filters[1:])


def test_no_more_filters_are_found_than_asked_for():
    assert len(enriched_filters(*planted(), 8, 1, 2)) == 2
    assert enriched_filters(*planted(), 8, 1, 0) == []


def test_the_result_does_not_depend_on_the_strand_that_windows_are_written_from():
    plain = enriched_filters(*planted(), 8, 1, 3)
    turned = [COMPLEMENT[codes[:, ::-1]] for codes in planted()]
    for one, other in zip(plain, enriched_filters(*turned, 8, 1, 3), strict=True):
        # Of a word and its reverse complement, which share all windows, the first in the alphabet seeds.
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_result_does_not_depend_on_the_order_of_the_windows():
    positives, negatives = planted()
    turned = enriched_filters(positives[::-1], negatives[::-1], 8, 1, 3)
    for one, other in zip(enriched_filters(positives, negatives, 8, 1, 3), turned, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_windows_that_differ_in_nothing_give_no_filter():
    negatives = planted()[1]
    assert enriched_filters(negatives, negatives, 8, 1, 3) == []


@pytest.mark.parametrize(("rows", "width", "dilation"), [(0, 8, 1), (5, 81, 1), (5, 20, 5)])
def test_where_no_word_fits_there_is_no_filter(rows, width, dilation):
    positives, negatives = planted()
    assert enriched_filters(positives[:rows], negatives, width, dilation, 3) == []


def test_unknown_bases_hold_no_word():
    positives, negatives = planted()
    assert enriched_filters(np.full_like(positives, 4), negatives, 8, 1, 3) == []


@pytest.mark.parametrize("strands", [1, 2])
def test_filters_are_copied_at_the_usual_norm_on_as_many_strands_as_needed(strands):
    torch.manual_seed(0)
    layer = nn.Conv1d(4, 8, 8)
    before = layer.weight.detach().clone()
    filters = enriched_filters(*planted(), 8, 1, 3)
    assert seed_first_filters(layer.weight, filters, strands) == 3 * strands
    usual = before.flatten(1).norm(dim=1).mean()
    for number, profile in enumerate(filters):
        start = torch.from_numpy(profile) / np.linalg.norm(profile) * usual
        torch.testing.assert_close(layer.weight[strands * number].detach(), start)
        if strands == 2:
            torch.testing.assert_close(layer.weight[2 * number + 1].detach(), start.flip(0, 1))
    assert torch.equal(layer.weight[3 * strands :], before[3 * strands :])


def test_more_filters_than_the_layer_has_are_not_used():
    layer = nn.Conv1d(4, 3, 8)
    assert seed_first_filters(layer.weight, enriched_filters(*planted(), 8, 1, 3), 2) == 3


def test_only_a_wide_first_convolution_over_dna_is_seeded():
    wide = nn.Sequential(nn.Conv1d(4, 6, 8, dilation=2), nn.ReLU(), nn.Conv1d(6, 6, 8))
    weight, dilation, strands = first_filters(wide)
    assert weight is wide[0].weight
    assert (dilation, strands) == (2, 2)
    assert first_filters(nn.Sequential(nn.Conv1d(4, 4, 1), nn.Conv1d(4, 6, 8))) is None
    assert first_filters(nn.Sequential(nn.Conv1d(5, 4, 8))) is None
    assert first_filters(nn.Sequential(nn.Flatten(), nn.Linear(4, 1))) is None


def test_a_layer_that_reads_both_strands_needs_each_word_once():
    weight, dilation, strands = first_filters(BothStrands(6, 8, 2))
    assert (len(weight), dilation, strands) == (6, 2, 1)
