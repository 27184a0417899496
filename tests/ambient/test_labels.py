"""Networks of several labels: what they minimise, how they are judged, what is written of them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_children import TINY, architectures, tiny_task

from ambient.child import auroc, predict, train_child
from ambient.child.batches import Windows
from ambient.child.kmer import fit_kmer_baseline
from ambient.child.loss import label_loss
from ambient.child.metrics import by_category, by_output
from ambient.child.seeding import enriched_filters, find_filters
from ambient.data.task import TaskData
from ambient.fit import fit

NAN = float("nan")


NETWORK = architectures()[3]  # four filters of 4 bp
QUICK = replace(
    TINY,
    windows_per_epoch=320,
    epochs=6,
    keep_from=0.0,
    batch_size=16,
    learning_rate=0.03,
    shift_bp=4,
    precision="float32",
)


def several(outputs: int = 3, windows: int = 420) -> TaskData:
    """Make windows of 60 bp within 80; each label's own word is planted in every so many."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4, (windows, 80)).astype(np.uint8)
    labels = np.zeros((windows, outputs), dtype=np.float32)
    for row in range(windows):
        kind = row % (outputs + 1)
        if kind < outputs:
            labels[row, kind] = 1
            start = rng.integers(18, 54)
            codes[row, start : start + 8] = np.roll([0, 2, 2, 1, 3, 3, 0, 1], 3 * kind)
    split = (np.arange(windows) * 3 // windows).astype(np.uint8)
    origin = (labels.max(1) == 0).astype(np.uint8)
    names, categories = tuple("abc"[:outputs]), ("tf", "histone", "tf")[:outputs]
    task = TaskData("planted", "tf", 60, codes, labels, split, origin)
    return replace(task, label_names=names, label_categories=categories)


def test_the_loss_is_the_mean_over_known_labels():
    logits = torch.tensor([[0.5, -1.0], [2.0, 0.0]], requires_grad=True)
    targets = torch.tensor([[1.0, NAN], [0.0, 1.0]])
    loss = label_loss(logits, targets, has_unknown=True)
    terms = [np.log1p(np.exp(-0.5)), np.log1p(np.exp(2.0)), np.log(2.0)]
    assert loss.item() == pytest.approx(np.mean(terms), rel=1e-6)
    loss.backward()
    assert logits.grad[0, 1] == 0
    assert (logits.grad != 0).sum() == 3


def test_known_labels_have_the_loss_of_torch_and_unknown_ones_none():
    rng = torch.Generator().manual_seed(0)
    logits = torch.randn((5, 3), generator=rng)
    targets = torch.randint(0, 2, (5, 3), generator=rng).float()
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets)
    assert torch.equal(label_loss(logits, targets), plain)
    torch.testing.assert_close(label_loss(logits, targets, has_unknown=True), plain)
    assert label_loss(logits, torch.full((5, 3), NAN), has_unknown=True) == 0


def test_a_metric_of_an_output_counts_its_known_labels_alone():
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, (40, 3)).astype(np.float32)
    scores = rng.normal(size=(40, 3))
    unknown = np.zeros((40, 3), bool)
    unknown[::3, 1] = True
    labels[:, 2] = np.where(np.arange(40) < 20, NAN, 1)
    labels[unknown] = NAN
    known = ~unknown[:, 1]
    assert by_output("auroc", labels, scores) == [
        auroc(labels[:, 0], scores[:, 0]),
        auroc(labels[known, 1], scores[known, 1]),
        None,
    ]


def test_categories_average_the_outputs_that_could_be_measured():
    values = [0.5, None, 0.9, None]
    assert by_category(values, ["tf", "tf", "tf", "histone"]) == {"histone": None, "tf": 0.7}
    assert by_category(values, []) == {}


def test_means_by_category_are_recorded_and_unmeasured_labels_counted():
    task = several()
    labels = task.labels.copy()
    labels[task.split == 2, 0] = 0  # no positive of the first label can be tested
    task = replace(task, labels=labels)
    trained = train_child(task, NETWORK, QUICK, seed=0)
    rows = np.flatnonzero(task.split == 2)
    scores = predict(trained, task.codes[rows, 10:70])
    each = [auroc(labels[rows, i], scores[:, i]) for i in range(3)]
    assert each[0] is None
    assert each[1] != each[2]
    assert trained.metrics["test_auroc"] == pytest.approx(np.mean(each[1:]), abs=1e-6)
    assert trained.metrics["test_auroc_histone"] == pytest.approx(each[1], abs=1e-6)
    assert trained.metrics["test_auroc_tf"] == pytest.approx(each[2], abs=1e-6)
    assert trained.by_label["test_auroc"][0] is None
    words = [
        f"{split}_{metric}{category}"
        for split in ("validation", "test")
        for metric in ("auroc", "aupr")
        for category in ("", "_histone", "_tf")
    ]
    assert sorted(trained.metrics) == sorted(words)
    assert trained.details["unmeasured_labels"] == {"validation": 0, "test": 1}


def test_a_task_of_one_label_is_recorded_as_ever():
    trained = train_child(tiny_task(), NETWORK, replace(QUICK, epochs=1), seed=0)
    assert list(trained.metrics) == [
        f"{split}_{metric}" for split in ("validation", "test") for metric in ("auroc", "aupr")
    ]
    assert "unmeasured_labels" not in trained.details


def test_labels_that_are_not_known_do_not_count_as_zeros():
    # Of the second label most zeros are hidden: among what is known, positives are in the majority.
    task = several(2)
    labels = task.labels.copy()
    hidden = np.random.default_rng(0).random(len(labels)) < 0.9
    labels[hidden & (labels[:, 1] == 0), 1] = NAN
    last = replace(QUICK, keep_from=0.9)
    unknown = train_child(replace(task, labels=labels), NETWORK, last, seed=0)
    zeros = train_child(replace(task, labels=np.nan_to_num(labels)), NETWORK, last, seed=0)
    codes = task.codes[:, 10:70]
    chances = [predict(one, codes)[:, 1].mean() for one in (unknown, zeros)]
    assert chances[0] > chances[1] + 0.2
    assert chances[1] < 0.45


def words_of(task: TaskData, label: int, count: int) -> list[np.ndarray]:
    """Find the words of one label, plainly, among the training windows where it is known."""
    rows = np.flatnonzero(task.split == 0)
    codes, column = task.codes[rows, 10:70], task.labels[rows, label]
    return enriched_filters(codes[column == 1], codes[column == 0], 8, 1, count)


def test_words_are_sought_for_each_label_among_the_windows_where_it_is_known():
    task = several(3, windows=900)
    labels = task.labels.copy()
    labels[1::5, 1] = NAN  # positives of the second label among them
    labels[0::5, 2] = NAN
    task = replace(task, labels=labels)
    windows = Windows(task, 60, 4, torch.device("cpu"))
    each = [words_of(task, label, 2) for label in range(3)]
    assert [len(words) for words in each] == [2, 2, 2]
    found = find_filters(windows, 8, 1, 6)
    np.testing.assert_array_equal(found, [words[rank] for rank in range(2) for words in each])
    # Where there are fewer filters than labels, the first and the last label have one each.
    np.testing.assert_array_equal(find_filters(windows, 8, 1, 2), [each[0][0], each[2][0]])
    assert find_filters(windows, 8, 1, 0) == []


def test_regression_on_words_uses_the_windows_whose_label_is_known():
    task = replace(several(1), label_names=(), label_categories=())
    labels = np.repeat(task.labels, 2, axis=1)
    unknown = np.zeros(len(labels), bool)
    unknown[np.flatnonzero(task.split == 0)[::4]] = True
    labels[unknown, 1] = NAN
    both = fit_kmer_baseline(replace(task, labels=labels), k=4)
    kept = ~unknown
    alone = fit_kmer_baseline(
        replace(
            task,
            codes=task.codes[kept],
            labels=task.labels[kept],
            split=task.split[kept],
            origin=task.origin[kept],
        ),
        k=4,
    )
    whole = fit_kmer_baseline(task, k=4)
    mean = (whole["test_auroc"] + alone["test_auroc"]) / 2
    # Counts are standardised by all windows here and by the known ones there.
    assert both["test_auroc"] == pytest.approx(mean, abs=0.02)


def test_a_fitted_model_names_its_labels(tmp_path):
    task = tiny_task()
    labels = np.hstack([task.labels, 1 - task.labels])
    names = {"label_names": ("Reb1", "H3K4me3"), "label_categories": ("tf", "histone")}
    fitted = fit(
        replace(task, labels=labels, **names), architectures()[3], tmp_path / "model", TINY, seed=2
    )
    record = json.loads((fitted.folder / "metrics.json").read_text())
    assert [row["name"] for row in record["labels"]] == ["Reb1", "H3K4me3"]
    first = record["labels"][0]
    assert (first["category"], first["train_positives"]) == ("tf", 12)
    assert first["test_auroc"] == record["metrics"]["test_auroc_tf"]
    card = (fitted.folder / "README.md").read_text()
    assert "has a peak, for each of 2 data sets" in card
    assert f"| histone | 1 | {record['labels'][1]['validation_auroc']:.3f} |" in card
    assert '"H3K4me3"' in (fitted.folder / "model.py").read_text()
