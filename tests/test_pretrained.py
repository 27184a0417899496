"""What ships in pretrained/: it loads by name, belongs together, and proposes for data sets like those it knows."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch

from ambient.controller.card import Controller
from ambient.errors import RunError
from descriptors import Descriptors
from descriptors.schema import NAMES, SCHEMA_VERSION

SHELF = Path(str(resources.files("pretrained")))
SHIPPED = sorted(path.parent.name for path in SHELF.glob("*/card.json"))


def test_yeast_ships() -> None:
    assert "yeast" in SHIPPED


@pytest.fixture(params=SHIPPED)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


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
def test_it_proposes_networks_that_can_be_built(name: str) -> None:
    controller = Controller.load(name)
    proposals = controller.propose([like(controller, 0), like(controller, -1)], top=2)
    for best, other in proposals:
        assert best.probability > other.probability
        assert best.expected is not None
        assert 0.5 < best.expected.low < best.expected.mean < best.expected.high <= 1
        width = best.architecture.window_bp or 500
        logits = best.architecture.build(width, 1).eval()(torch.zeros(2, 4, width))
        assert logits.shape == (2, 1)


def test_its_descriptors_matter_and_the_unlike_is_told(name: str) -> None:
    controller = Controller.load(name)
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


def test_its_predictor_knows_its_training_tasks(name: str) -> None:
    controller = Controller.load(name)
    assert controller.predictor is not None
    records = controller.predictor.records
    assert set(records.tasks) == {task.name for task in controller.tasks}
    assert np.isfinite(records.values).all()
    assert 0.4 < records.values.min() < records.values.max() <= 1


def test_the_model_card_says_what_the_folder_holds(name: str) -> None:
    text = (SHELF / name / "README.md").read_text()
    card = json.loads((SHELF / name / "card.json").read_text())
    assert f"--controller {name}" in text
    assert card["space"]["name"] in text
    assert f"{len(card['tasks'])} data sets" in text


def test_changed_weights_are_refused(name: str, tmp_path: Path) -> None:
    copy = tmp_path / name
    copy.mkdir()
    for path in (SHELF / name).iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    weights = bytearray((copy / "predictor.safetensors").read_bytes())
    weights[-1] ^= 1
    (copy / "predictor.safetensors").write_bytes(bytes(weights))
    with pytest.raises(RunError, match=r"predictor\.safetensors: the file has SHA-256"):
        Controller.load(copy)


def test_the_command_line_finds_it_by_name_from_anywhere(name: str, tmp_path: Path) -> None:
    like(Controller.load(name), 0).save(tmp_path / "new.json")
    command = [sys.executable, "-m", "ambient", "propose", "new.json", "--controller", name]
    said = subprocess.run(
        [*command, "--json"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(said.stdout)["proposals"][0]["expected"]["mean"] > 0.5
