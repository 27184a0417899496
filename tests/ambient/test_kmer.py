"""Words are counted on both strands; the baseline learns from training windows only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ambient.child import kmer
from ambient.child.kmer import fit_kmer_baseline, kmer_counts
from ambient.data.task import TaskData
from ambient.errors import InputError

LETTERS = "ACGTN"
COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A", "N": "N"}


def slow_counts(text: str, k: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(len(text) - k + 1):
        word = text[start : start + k]
        if "N" not in word:
            other = "".join(COMPLEMENT[letter] for letter in reversed(word))
            found[min(word, other)] = found.get(min(word, other), 0) + 1
    return found


def every_canonical_word(k: int) -> list[str]:
    words = [""]
    for _ in range(k):
        words = [word + letter for word in words for letter in "ACGT"]
    return [w for w in words if w <= "".join(COMPLEMENT[letter] for letter in reversed(w))]


@given(st.integers(1, 5), st.lists(st.integers(0, 4), min_size=5, max_size=80))
@settings(max_examples=150, deadline=None)
def test_counts_equal_a_plain_loop_over_the_text(k, codes):
    counts = kmer_counts(np.array([codes], dtype=np.uint8), k)[0]
    expected = slow_counts("".join(LETTERS[code] for code in codes), k)
    assert counts.tolist() == [expected.get(word, 0) for word in every_canonical_word(k)]


def test_counts_do_not_change_under_the_reverse_complement():
    codes = np.random.default_rng(0).integers(0, 5, (20, 60)).astype(np.uint8)
    flipped = np.array([3, 2, 1, 0, 4], dtype=np.uint8)[codes[:, ::-1]]
    np.testing.assert_array_equal(kmer_counts(codes, 5), kmer_counts(flipped, 5))


def test_five_mers_have_512_columns():
    assert kmer_counts(np.zeros((3, 10), dtype=np.uint8)).shape == (3, 512)


@pytest.mark.parametrize(("k", "width"), [(0, 10), (9, 10), (5, 4)])
def test_a_word_that_cannot_be_counted_is_an_input_error(k, width):
    with pytest.raises(InputError, match=r"k-mer counts: .*; "):
        kmer_counts(np.zeros((1, width), dtype=np.uint8), k)


def planted_task(windows: int = 240, width: int = 60, seed: int = 0) -> TaskData:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (windows, width)).astype(np.uint8)
    labels = (np.arange(windows) % 2).astype(np.float32)
    for row in np.flatnonzero(labels):
        start = rng.integers(12, width - 22)
        codes[row, start : start + 8] = [0, 2, 2, 1, 3, 3, 0, 1]
    split = np.repeat(np.array([0, 1, 2], dtype=np.uint8), windows // 3)
    origin = (1 - labels).astype(np.uint8)
    return TaskData(
        name="planted",
        category="tf",
        window_bp=width - 20,
        codes=codes,
        labels=labels[:, None],
        split=split,
        origin=origin,
    )


def test_a_planted_word_is_found():
    metrics = fit_kmer_baseline(planted_task())
    assert metrics["test_auroc"] > 0.9
    assert metrics["test_aupr"] > 0.9


def test_the_penalty_is_the_best_on_validation(monkeypatch):
    task = planted_task()
    noise = np.random.default_rng(1).random(len(task.labels)) < 0.25
    task = replace(task, labels=np.where(noise[:, None], 1 - task.labels, task.labels))
    chosen = fit_kmer_baseline(task, k=4)
    alone = {}
    for inverse_penalty in kmer._INVERSE_PENALTIES:
        monkeypatch.setattr(kmer, "_INVERSE_PENALTIES", (inverse_penalty,))
        alone[inverse_penalty] = fit_kmer_baseline(task, k=4)["validation_auroc"]
    assert len(set(alone.values())) > 1
    assert chosen["validation_auroc"] == max(alone.values()) == alone[chosen["inverse_penalty"]]
    assert alone[1e-3] < max(alone.values())


def test_test_labels_change_nothing_but_the_test_metrics():
    task = planted_task()
    labels = task.labels.copy()
    labels[task.split == 2] = 1 - labels[task.split == 2]
    before, after = fit_kmer_baseline(task), fit_kmer_baseline(replace(task, labels=labels))
    assert after["validation_auroc"] == before["validation_auroc"]
    assert after["inverse_penalty"] == before["inverse_penalty"]
    assert after["test_auroc"] == pytest.approx(1 - before["test_auroc"])


def test_an_empty_validation_split_leaves_its_metrics_out():
    task = planted_task()
    metrics = fit_kmer_baseline(replace(task, split=np.where(task.split == 1, 0, task.split)))
    assert metrics["validation_auroc"] is None
    assert metrics["inverse_penalty"] == 1e-3
    assert metrics["test_auroc"] > 0.9


def test_training_windows_of_one_class_are_an_input_error():
    task = planted_task()
    labels = np.where(task.split[:, None] == 0, 1.0, task.labels).astype(np.float32)
    with pytest.raises(InputError, match=r"planted: the 80 training windows .* one class"):
        fit_kmer_baseline(replace(task, labels=labels))


def test_a_wider_window_is_read_around_the_same_centre_or_refused():
    task = planted_task()
    kept = replace(task, window_bp=60)
    assert fit_kmer_baseline(task, window_bp=60) == fit_kmer_baseline(kept)
    with pytest.raises(InputError, match="windows of 61 bp were asked for, but 60 bp are stored"):
        fit_kmer_baseline(task, window_bp=61)
