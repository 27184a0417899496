"""A controller's folder: what is saved is what is used, and what does not fit is refused."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from conditional_space import CONDITIONAL

from ambient.controller import card_files
from ambient.controller.card import Controller, TrainingTask
from ambient.controller.policy import Policy, PolicyConfig
from ambient.controller.scaling import Scaler
from ambient.errors import RunError
from ambient.files import sha256_of_bytes
from ambient.space import SearchSpace
from descriptors.record import Descriptors
from descriptors.schema import DESCRIPTORS, SCHEMA_VERSION

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "controller-1"
NAMES = [entry.name for entry in DESCRIPTORS]
VARIED = ("n_peaks", "phylop_mean", "is_histone")


def described(task: str, seed: int, missing: tuple[str, ...] = ()) -> Descriptors:
    generator = np.random.default_rng(seed)
    values: dict[str, Any] = dict.fromkeys(NAMES, 0.0)
    values |= {name: float(generator.random() * 10) for name in VARIED}
    values |= dict.fromkeys(missing)
    return Descriptors(
        task=task, schema_version=SCHEMA_VERSION, values=values, sources={}, motifs=()
    )


def space() -> SearchSpace:
    def convolution(filters: int) -> dict[str, Any]:
        return {"operation": "convolution", "filters": filters, "kernel": 4}

    return SearchSpace.from_dict(
        {
            "name": "small",
            "version": 2,
            "window_bp": 200,
            "decisions": [
                {"name": "blocks", "sets": "parameter", "choices": [1, 2]},
                {"name": "first", "choices": [convolution(4), convolution(8)]},
                {
                    "name": "second",
                    "choices": [convolution(4), convolution(8), "identity"],
                    "when": {"blocks": 2},
                },
                {"name": "tail", "choices": ["global_max", "global_average"]},
            ],
        }
    )


TASKS = [described(f"task_{seed}", seed) for seed in range(5)]


def controller(**config: Any) -> Controller:
    scaler = Scaler.fit(TASKS)
    policy = Policy(space(), PolicyConfig(hidden=8, embedding=4, **config), len(NAMES), seed=3)
    with torch.no_grad():
        for weight in policy.parameters():
            weight.mul_(3)
    tasks = tuple(
        TrainingTask(task.task, tuple(scaler.transform(task).tolist()), 0.7 + 0.01 * number)
        for number, task in enumerate(TASKS)
    )
    return Controller(policy, scaler, tasks, training={"steps": 12, "seed": 3})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    controller().save(tmp_path / "saved")
    return tmp_path / "saved"


def edit_card(folder: Path, **changes: Any) -> None:
    path = folder / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_is_loaded_proposes_what_was_saved(tmp_path: Path) -> None:
    before = controller(temperature=1.3, tanh_bound=2.0)
    before.save(tmp_path / "saved")
    after = Controller.load(tmp_path / "saved")
    new = described("new", 77, missing=("phylop_mean",))
    assert after.propose(new, top=5) == before.propose(new, top=5)
    assert after.policy.config == before.policy.config
    assert (after.space, after.tasks, after.scaler) == (before.space, before.tasks, before.scaler)
    assert (after.metric, after.training) == (before.metric, before.training)


def test_a_run_folder_is_searched_for_its_controller(saved: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    saved.rename(run / "controller")
    assert Controller.load(run).tasks == Controller.load(run / "controller").tasks


def test_proposals_are_different_and_the_most_probable_first() -> None:
    proposals = controller().propose(TASKS[0], top=6)
    assert len({proposal.architecture.key for proposal in proposals}) == 6
    probabilities = [proposal.probability for proposal in proposals]
    assert probabilities == sorted(probabilities, reverse=True)
    assert 0 < probabilities[-1] < probabilities[0] < 1


def test_asking_for_more_than_the_space_holds_gives_all_of_it_with_probability_one() -> None:
    proposals = controller().propose(TASKS[0], top=1000)
    networks = {architecture.key for architecture in space().enumerate()}
    assert {proposal.architecture.key for proposal in proposals} == networks
    assert math.fsum(p.probability for p in proposals) == pytest.approx(1, abs=1e-5)


def test_the_probability_of_a_network_that_several_token_lists_spell_is_their_sum() -> None:
    several = SearchSpace.from_dict(yaml.safe_load(CONDITIONAL))
    own = controller()
    own = replace(own, policy=Policy(several, PolicyConfig(hidden=8), len(NAMES), seed=3))
    lists = list(several.enumerate())
    vector = torch.from_numpy(own.scaler.transform(TASKS[0])).expand(len(lists), -1)
    with torch.no_grad():
        values = own.policy.log_probability(vector, torch.tensor([one.tokens for one in lists]))
    expected: dict[str, float] = {}
    for one, value in zip(lists, values.tolist(), strict=True):
        expected[one.key] = expected.get(one.key, 0.0) + math.exp(value)
    assert len(expected) < len(lists)
    found = {one.architecture.key: one.probability for one in own.propose(TASKS[0], top=1000)}
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_probability_is_that_of_the_policy() -> None:
    own = controller()
    best = own.propose(TASKS[1])[0]
    vector = torch.from_numpy(own.scaler.transform(TASKS[1]))[None]
    tokens = torch.tensor([best.architecture.tokens])
    with torch.no_grad():
        expected = float(own.policy.log_probability(vector, tokens).exp())
    assert best.probability == pytest.approx(expected, rel=1e-5)


def test_several_data_sets_give_what_each_gives_alone() -> None:
    own = controller()
    together = [one for batch in own.propose(TASKS[:3], top=2) for one in batch]
    alone = [one for task in TASKS[:3] for one in own.propose(task, top=2)]
    for left, right in zip(together, alone, strict=True):
        assert (left.architecture, left.nearest) == (right.architecture, right.nearest)
        assert left.probability == pytest.approx(right.probability, rel=1e-5)
    assert len({one.probability for one in alone}) == 6  # each data set has its own


def test_the_nearest_training_task_of_a_training_task_is_itself() -> None:
    own = controller()
    (first, distance), *others = own.nearest(TASKS[2])
    assert (first, distance) == ("task_2", 0.0)
    assert [d for _, d in others] == sorted(d for _, d in others)
    vectors = [own.scaler.transform(task)[: len(NAMES)] for task in TASKS]
    expected = {
        task.task: float(np.linalg.norm(vectors[2] - vector))
        for task, vector in zip(TASKS, vectors, strict=True)
    }
    assert dict(own.nearest(TASKS[2])) == pytest.approx(expected)


def test_a_place_as_far_as_two_training_tasks_lie_apart_is_not_outside() -> None:
    zeros, ones = (0.0,) * len(NAMES), (1.0,) * len(NAMES)
    plain = Scaler(SCHEMA_VERSION, tuple(NAMES), ("identity",) * len(NAMES), zeros, ones)
    generator = np.random.default_rng(0)
    for _ in range(20):
        there = generator.normal(size=len(NAMES)).astype(np.float32).tolist()
        tasks = tuple(
            TrainingTask(name, (*vector, *zeros), None)
            for name, vector in (("there", there), ("middle", zeros))
        )
        own = replace(controller(), scaler=plain, tasks=tasks)
        for times, outside in ((1, False), (1.001, True)):
            values = {name: -times * one for name, one in zip(NAMES, there, strict=True)}
            assert own.is_outside(replace(TASKS[0], values=values)) is outside


def test_tampered_weights_are_refused_and_both_hashes_named(saved: Path) -> None:
    path = saved / "weights.safetensors"
    content = bytearray(path.read_bytes())
    needed = json.loads((saved / "card.json").read_text())["weights_sha256"]
    content[-1] ^= 1
    path.write_bytes(content)
    found = sha256_of_bytes(bytes(content))
    with pytest.raises(RunError) as caught:
        Controller.load(saved)
    assert found in str(caught.value)
    assert needed in str(caught.value)
    path.unlink()
    with pytest.raises(RunError, match=r"weights\.safetensors"):
        Controller.load(saved)


def test_another_schema_version_is_refused_and_both_named(saved: Path) -> None:
    schema = json.loads((saved / "card.json").read_text())["descriptors"]
    edit_card(saved, descriptors=schema | {"schema_version": SCHEMA_VERSION + 4})
    expected = f"version {SCHEMA_VERSION + 4}, .* version {SCHEMA_VERSION};"
    with pytest.raises(RunError, match=expected):
        Controller.load(saved)


def test_other_descriptor_names_are_refused_and_the_first_of_them_named(saved: Path) -> None:
    schema = json.loads((saved / "card.json").read_text())["descriptors"]
    names = ["is_tf", "is_wrong", *NAMES[2:]]
    edit_card(saved, descriptors=schema | {"names": names})
    with pytest.raises(RunError, match=f"'is_wrong' .* '{NAMES[1]}'"):
        Controller.load(saved)
    edit_card(saved, descriptors=schema | {"names": NAMES[:-1]})
    with pytest.raises(RunError, match=f"'nothing' .* '{NAMES[-1]}'"):
        Controller.load(saved)


def test_a_card_of_another_policy_is_refused(saved: Path) -> None:
    edit_card(saved, policy=PolicyConfig(hidden=16, embedding=4).to_dict())
    with pytest.raises(RunError, match="another policy"):
        Controller.load(saved)


@pytest.mark.parametrize("key", ["space", "policy", "tasks", "weights_sha256", "descriptors"])
def test_a_card_that_lacks_something_is_refused_by_name(saved: Path, key: str) -> None:
    path = saved / "card.json"
    content = json.loads(path.read_text())
    del content[key]
    path.write_text(json.dumps(content))
    with pytest.raises(RunError, match=key):
        Controller.load(saved)


@pytest.mark.parametrize("content", ["", "[]", '{"format_version": 99}', "{"])
def test_a_card_that_is_none_is_refused(saved: Path, content: str) -> None:
    (saved / "card.json").write_text(content)
    with pytest.raises(RunError, match=r"card\.json"):
        Controller.load(saved)


def test_a_name_is_found_among_the_pretrained(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    saved.rename(shelf / "yeast")
    monkeypatch.setattr(card_files.resources, "files", lambda _package: shelf)
    assert len(Controller.load("yeast").tasks) == len(TASKS)
    with pytest.raises(RunError, match=r"yeasts: there is no such .*pretrained ones are yeast"):
        Controller.load("yeasts")
    with pytest.raises(RunError, match="elsewhere/yeast"):
        Controller.load("elsewhere/yeast")


def test_a_folder_without_a_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"holds no card\.json"):
        Controller.load(tmp_path)


def test_asking_for_no_architecture_is_refused() -> None:
    for top in ("0", "1,001", "100,000"):
        with pytest.raises(RunError, match=f"top is {top}; ask for 1 to 1,000 architectures"):
            controller().propose(TASKS[0], top=int(top.replace(",", "")))


def test_descriptors_of_another_schema_are_refused() -> None:
    with pytest.raises(RunError, match="schema version"):
        controller().propose(replace(TASKS[0], schema_version=SCHEMA_VERSION + 1))


def recorded(task: Descriptors, revision: int) -> Descriptors:
    """Say that a revision of the built-in finder found a task's motifs."""
    return replace(task, sources={"motifs": {"finder": "built-in", "revision": revision}})


def test_a_card_remembers_what_found_the_motifs_and_refuses_another_finder(tmp_path: Path) -> None:
    own = controller()
    scaler = Scaler.fit([recorded(task, 4) for task in TASKS])
    replace(own, scaler=scaler).save(tmp_path)
    loaded = Controller.load(tmp_path)
    assert loaded.propose(recorded(TASKS[0], 4)) == own.propose(TASKS[0])
    with pytest.raises(RunError, match=r"revision 5, .* revision 4, .* describe the data set anew"):
        loaded.propose([recorded(TASKS[0], 4), recorded(TASKS[1], 5)])
    with pytest.raises(RunError, match="describe the data set anew"):
        loaded.nearest(recorded(TASKS[1], 5))


def test_what_is_not_recorded_is_said_once_and_refused_never(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = controller()
    own.save(tmp_path)
    card = json.loads((tmp_path / "card.json").read_text())
    del card["descriptors"]["motif_finder"]  # as cards of before
    edit_card(tmp_path, **card)
    old = Controller.load(tmp_path)
    assert old.propose(TASKS) == own.propose(TASKS)
    assert old.propose(None) == own.propose(None)
    assert not caplog.messages
    old.propose([recorded(task, 4) for task in TASKS])
    (said,) = caplog.messages
    assert said.startswith("the card does not say what found the motifs of the training tasks; ")
    assert "only if it was the built-in finder, revision 4, so train the controller" in said
    caplog.clear()
    new = replace(own, scaler=Scaler.fit([recorded(task, 4) for task in TASKS]))
    new.propose(TASKS)
    (said,) = caplog.messages
    assert said.startswith("the descriptors of task_0 do not say what found the motifs")


def test_a_controller_of_format_1_loads_for_ever() -> None:
    old = Controller.load(GOLDEN)
    expected = json.loads((GOLDEN / "expected.json").read_text())
    found = old.propose(Descriptors.from_json(json.dumps(expected["descriptors"])), top=3)
    assert [list(proposal.architecture.tokens) for proposal in found] == expected["tokens"]
    assert [p.probability for p in found] == pytest.approx(expected["probabilities"], rel=1e-4)
    assert [list(pair) for pair in found[0].nearest] == [
        [name, pytest.approx(distance, rel=1e-5)] for name, distance in expected["nearest"]
    ]


def test_proposing_from_descriptors_imports_nothing_heavy_but_torch(tmp_path: Path) -> None:
    described = tmp_path / "descriptors.json"
    described.write_text(
        json.dumps(json.loads((GOLDEN / "expected.json").read_text())["descriptors"])
    )
    script = (
        "import sys; from ambient.cli.main import ambient;"
        f"ambient(['propose', {str(described)!r}, '--controller', {str(GOLDEN)!r}], standalone_mode=False);"
        "print('!', *{'sklearn', 'scipy', 'pandas', 'matplotlib', 'pyranges', 'wandb'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.stdout.splitlines()[-1].split() == ["!"]
