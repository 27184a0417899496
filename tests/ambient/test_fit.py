"""A fitted model: what lies in its folder, and that it says what the trained network said."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_children import TINY, architectures, tiny_task

from ambient.child import fidelity
from ambient.child.train import predict, train_child
from ambient.errors import RunError
from ambient.evaluate.members import train_members
from ambient.fit import Fitted, fit
from ambient.space import Architecture

TASK = tiny_task("Reb1")


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return fit(TASK, architectures()[3], tmp_path_factory.mktemp("fit") / "model", TINY, seed=2)


def test_the_folder_says_what_was_trained_and_how_well(fitted: Fitted) -> None:
    record = json.loads((fitted.folder / "metrics.json").read_text())
    assert record["metrics"] == dict(fitted.metrics)
    assert record["kmer_baseline"] == dict(fitted.kmer)
    assert record["fidelity"] == TINY.to_dict()
    assert record["windows"]["train"] == {"positives": 12, "negatives": 12}
    text = (fitted.folder / "architecture.json").read_text()
    assert Architecture.from_json(text) == architectures()[3]
    card = (fitted.folder / "README.md").read_text()
    assert card.startswith("# Reb1\n")
    assert f"{fitted.metrics['test_auroc']:.3f}" in card
    assert architectures()[3].summary() in card


def test_the_exported_model_predicts_as_the_trained_one_without_ambient(fitted: Fitted) -> None:
    codes = TASK.window(slice(0, 5))
    sequences = ["".join("ACGT"[base] for base in row) for row in codes]
    script = (
        "import sys, json\n"
        "sys.modules['ambient'] = None\n"
        "from model import load, predict\n"
        f"print(json.dumps(predict(load(), {sequences!r})[:, 0].tolist()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=fitted.folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    ours = predict(fitted.trained, codes)[:, 0]
    # The exported model computes in float32, training in bfloat16: eight bits of mantissa.
    np.testing.assert_allclose(json.loads(done.stdout), ours, atol=0.02)


@pytest.mark.parametrize("workers", [1, 2])
def test_members_have_the_bits_of_one_training_however_many_train_at_once(workers: int) -> None:
    three, done = replace(TINY, members=3), []
    alone = train_child(TASK, architectures()[3], three, 2)
    found = train_members(
        TASK, architectures()[3], three, 2, workers=workers, advance=lambda: done.append(1)
    )
    assert (found.metrics, found.by_label) == (alone.metrics, alone.by_label)
    assert (found.history, found.epochs) == (alone.history, alone.epochs)
    assert found.details == alone.details
    assert len(done) == len(found.members) == 3
    for one, other in zip(found.members, alone.members, strict=True):
        weights = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
        assert all(torch.equal(*pair) for pair in weights)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_member_that_cannot_be_trained_says_why(workers: int) -> None:
    lacking = replace(TASK, labels=np.zeros_like(TASK.labels))
    with pytest.raises(RunError, match=r"^Reb1: found 0 positives among 24 training windows"):
        train_members(lacking, architectures()[3], replace(TINY, members=2), 0, workers=workers)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_said_at_once(device: str, workers: int) -> None:
    with pytest.raises(RunError, match=f"^engine: found the device '{device}'"):
        train_members(TASK, architectures()[3], replace(TINY, members=2), 0, device, workers)


def test_what_nobody_foresaw_in_a_member_keeps_its_traceback() -> None:
    with pytest.raises(RuntimeError, match=r"(?s)in _train_member.*ValueError: .*neg"):
        train_members(TASK, architectures()[3], replace(TINY, members=2), seed=-1, workers=2)


def test_a_large_data_set_is_trained_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fidelity, "FULL", replace(TINY, name="full", members=1))
    found = fit(TASK, architectures()[3], tmp_path / "model")  # 24 training windows, 2 epochs of 32
    assert found.trained.fidelity.windows_per_epoch == 24 * fidelity.PASSES / 2


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match=r"found 'mine\.txt' in it"):
        fit(TASK, architectures()[0], tmp_path, TINY)
    with pytest.raises(RunError, match="does not exist"):
        fit(TASK, architectures()[0], tmp_path / "a" / "b", TINY)
    with pytest.raises(RunError, match="found a file"):
        fit(TASK, architectures()[0], tmp_path / "mine.txt", TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
