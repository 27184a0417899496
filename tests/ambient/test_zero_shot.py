"""The zero-shot comparison: everyone is trained alike, and each score stands where it belongs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tiny_children import SPACE, TINY, Pretended, architectures, pretend, tiny_task

from ambient.child.fidelity import Fidelity
from ambient.child.kmer import fit_kmer_baseline
from ambient.data.task import TaskData
from ambient.errors import RunError
from ambient.evaluate import InlineEngine
from ambient.space import Architecture
from ambient.zero_shot import compare, draw_random

TASKS = {name: tiny_task(name, seed) for seed, name in enumerate(("one", "two"))}
FULL = replace(TINY, name="full", epochs=3)


def test_random_architectures_are_different_and_the_same_for_a_seed() -> None:
    drawn = draw_random(SPACE, 12, seed=4)
    assert len({one.key for one in drawn}) == 12
    assert drawn == draw_random(SPACE, 12, seed=4)
    assert drawn != draw_random(SPACE, 12, seed=5)
    with pytest.raises(RunError, match="the space tiny holds 12"):
        draw_random(SPACE, 13, seed=4)


def test_each_score_is_that_of_its_own_task_architecture_and_fidelity() -> None:
    proposals = {"one": architectures()[0], "two": architectures()[1]}
    random = architectures()[2:5]
    single = architectures()[0]  # for one task the proposal itself
    engine = InlineEngine(TASKS, pretend)
    seen = []
    comparison = compare(
        TASKS, proposals, random, engine, TINY, FULL, single, seed=3, on_evaluation=seen.append
    )

    def score(task: str, architecture: Architecture, fidelity: Fidelity) -> float | None:
        return pretend(TASKS[task], architecture, fidelity, 3, "cpu").metrics["validation_auroc"]

    assert [row["task"] for row in comparison["rows"]] == ["one", "two"]
    for row in comparison["rows"]:
        name = row["task"]
        assert row["proposal"]["validation_auroc"] == score(name, proposals[name], TINY)
        assert row["full"]["validation_auroc"] == score(name, proposals[name], FULL)
        assert row["single"]["validation_auroc"] == score(name, single, TINY)
        scores = [one["validation_auroc"] for one in row["random"]]
        assert scores == [score(name, one, TINY) for one in random]
        assert row["kmer"] == fit_kmer_baseline(TASKS[name])
        assert row["train_positives"] == int(TASKS[name].labels[TASKS[name].split == 0].sum())
    assert comparison["fidelity"] == "tiny"
    assert len(seen) == 2 * (1 + 3 + 1 + 1)


def test_a_child_that_failed_has_no_score() -> None:
    def fail_one(
        task: TaskData, architecture: Architecture, fidelity: Fidelity, seed: int, device: str
    ) -> Pretended:
        if architecture == architectures()[2]:
            raise MemoryError("no room")
        return pretend(task, architecture, fidelity, seed, device)

    proposals = dict.fromkeys(TASKS, architectures()[0])
    engine = InlineEngine(TASKS, fail_one)
    rows = compare(TASKS, proposals, architectures()[1:3], engine, TINY)["rows"]
    assert rows[0]["random"][0]["validation_auroc"] is not None
    assert rows[0]["random"][1]["validation_auroc"] is None
    assert "full" not in rows[0]
    assert "single" not in rows[0]
