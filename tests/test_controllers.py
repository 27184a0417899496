"""Controllers that lie in the repository: each loads, and proposes for data sets like those it knows."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from ambient.cli.propose import command
from ambient.controller.card import Controller
from ambient.errors import RunError
from descriptors import Descriptors
from descriptors.schema import NAMES, SCHEMA_VERSION

REPOSITORY = Path(__file__).resolve().parents[1]
FOLDERS = [
    path.parent
    for place in ("pretrained/*", "benchmarks/yeast/zero-shot/*/controller")
    for path in sorted(REPOSITORY.glob(f"{place}/card.json"))
]


def test_there_is_one() -> None:
    assert FOLDERS


@pytest.fixture(params=FOLDERS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def folder(request: pytest.FixtureRequest) -> Path:
    return Path(request.param)


def like(controller: Controller, task: int) -> Descriptors:
    """Descriptors as those of a training task."""
    values = controller.scaler.restore([controller.tasks[task].vector])
    return Descriptors(
        task="new",
        schema_version=SCHEMA_VERSION,
        values={key: values[key][0] for key in NAMES},
        sources={},
    )


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_it_proposes_networks_that_can_be_built(folder: Path) -> None:
    controller = Controller.load(folder)
    proposals = controller.propose([like(controller, 0), like(controller, -1)], top=2)
    for best, other in proposals:
        assert best.proven or best.probability > other.probability
        assert best.expected is not None
        assert 0.5 < best.expected.low < best.expected.mean < best.expected.high <= 1
        width = best.architecture.window_bp or 500
        logits = best.architecture.build(width, 1).eval()(torch.zeros(2, 4, width))
        assert logits.shape == (2, 1)


def test_its_descriptors_matter_and_the_unlike_is_told(folder: Path) -> None:
    controller = Controller.load(folder)
    first = [
        one[0].architecture.key
        for one in controller.propose([like(controller, n) for n in range(len(controller.tasks))])
    ]
    assert len(set(first)) > 1
    known = like(controller, 0)
    assert not controller.is_outside(known)
    values = {key: None if value is None else 50 * value for key, value in known.values.items()}
    assert controller.is_outside(
        Descriptors(task="far", schema_version=SCHEMA_VERSION, values=values, sources={})
    )


def test_its_predictor_knows_its_training_tasks(folder: Path) -> None:
    controller = Controller.load(folder)
    assert controller.predictor is not None
    records = controller.predictor.records
    assert set(records.tasks) == {task.name for task in controller.tasks}
    assert np.isfinite(records.values).all()
    assert 0.4 < records.values.min() < records.values.max() <= 1


def test_changed_weights_are_refused(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    weights = bytearray((copy / "predictor.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "predictor.safetensors").write_bytes(bytes(weights))
    with pytest.raises(RunError, match=r"predictor\.safetensors: the file has SHA-256"):
        Controller.load(copy)


def test_the_command_line_proposes_with_it(folder: Path, tmp_path: Path) -> None:
    like(Controller.load(folder), 0).save(tmp_path / "new.json")
    command = [
        sys.executable,
        "-m",
        "ambient.cli.main",
        "propose",
        "new.json",
        "--controller",
        str(folder),
    ]
    said = subprocess.run(
        [*command, "--json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(said.stdout)["proposals"][0]["expected"]["mean"] > 0.5


def test_what_was_best_before_is_told(folder: Path, tmp_path: Path) -> None:
    controller = Controller.load(folder)
    path, output = tmp_path / "new.json", tmp_path / "proposal.json"
    like(controller, 2).save(path)
    asked = [str(path), "--controller", str(folder), "--output", str(output), "--top", "3"]
    said = CliRunner().invoke(command, asked, catch_exceptions=False).stdout
    found = json.loads(output.read_text())
    at_full = [one for one in found["worked"] if one["fidelity"]]
    everywhere, *near = found["worked"][len(at_full) :]
    assert len(at_full) == (controller.proven is not None)
    assert everywhere["tasks"] == [one.name for one in controller.tasks]
    nearest = found["proposals"][0]["nearest"]
    assert [one["tasks"] for one in near] == [[name] for name, _ in nearest]
    assert f"all {len(controller.tasks)}, on average {everywhere['reached']:.3f}" in said
    proven = [one for one in found["proposals"] if one["proven"]]
    first = (*at_full, everywhere)[0]
    assert all(one["architecture"] == first["architecture"] for one in proven)
    assert said.count("proven on all training tasks") == len(proven)
    assert ("expected AUROCs are of one short training" in said) == bool(at_full)
