"""Metrics against slow plain definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from ambient.child.metrics import aupr, auroc, mean_over_outputs

examples = st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=60).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


def columns(rows):
    return np.array([float(label) for label, _ in rows]), np.array([score for _, score in rows])


@given(examples)
@settings(max_examples=200, deadline=None)
def test_auroc_is_the_share_of_pairs_in_the_right_order_with_ties_as_half(rows):
    labels, scores = columns(rows)
    pairs = [
        1.0 if high > low else 0.5 if high == low else 0.0
        for high in scores[labels > 0.5]
        for low in scores[labels < 0.5]
    ]
    assert auroc(labels, scores) == pytest.approx(np.mean(pairs), abs=1e-12)


@given(examples)
@settings(max_examples=200, deadline=None)
def test_both_metrics_agree_with_scikit_learn_on_tied_scores(rows):
    labels, scores = columns(rows)
    assert auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert aupr(labels, scores) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


@given(examples, st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_the_order_of_the_examples_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert auroc(*columns(shuffled)) == pytest.approx(auroc(*columns(rows)), abs=1e-12)
    assert aupr(*columns(shuffled)) == pytest.approx(aupr(*columns(rows)), abs=1e-12)


def test_constant_scores_give_one_half_and_the_share_of_positives():
    labels = np.array([1.0, 0.0, 0.0, 0.0])
    assert auroc(labels, np.zeros(4)) == 0.5
    assert aupr(labels, np.zeros(4)) == 0.25


def test_a_perfect_order_gives_one():
    labels, scores = np.array([0.0, 0.0, 1.0]), np.array([0.1, 0.2, 0.9])
    assert auroc(labels, scores) == 1.0
    assert aupr(labels, scores) == 1.0


@pytest.mark.parametrize("labels", [[], [1.0, 1.0], [0.0, 0.0]])
def test_a_missing_class_gives_none(labels):
    scores = np.zeros(len(labels))
    assert auroc(np.array(labels), scores) is None
    assert aupr(np.array(labels), scores) is None


def test_scores_that_are_not_a_number_give_not_a_number():
    labels, scores = np.array([0.0, 1.0]), np.array([0.0, np.nan])
    assert math.isnan(auroc(labels, scores))
    assert math.isnan(aupr(labels, scores))


def test_outputs_are_averaged_over_those_that_have_both_classes():
    labels = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0], [0.0, 1.0, 1.0]])
    scores = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.5, 0.0, 0.0]])
    assert mean_over_outputs("auroc", labels, scores) == pytest.approx((1.0 + 0.0) / 2)
    assert mean_over_outputs("auroc", labels[:, [1]], scores[:, [1]]) is None
