"""The search by shared weights: turns, learning, resuming, and what it leaves in a run's folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from skip_spaces import many_labels, small_space
from tiny_children import STRANDS, TINY, tiny_task

from ambient.controller.policy import PolicyConfig
from ambient.errors import RunError
from ambient.evaluate import Evaluation, Request, Store
from ambient.evaluate.supernet import SupernetEngine
from ambient.propose import read_architecture
from ambient.search import read_journal, run_search
from ambient.search.enas import EnasConfig, EnasSearcher
from ambient.search.enas_run import EnasRunConfig, search_enas
from ambient.search.loop import Step
from ambient.search.run_folder import hold_run
from ambient.search.search_run import SearchOutcome
from ambient.space import SearchSpace

torch.set_num_threads(1)
SPACE, TASK = small_space(), many_labels()
FIDELITY = replace(TINY, precision="float32")
SMALL = EnasConfig(architectures=6, child_steps=2, policy=PolicyConfig(hidden=8, embedding=4))


@pytest.fixture(autouse=True)
def _no_meter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measure no energy: codecarbon takes a second to start."""
    monkeypatch.setattr("ambient.evaluate.energy.find_spec", lambda name: None)


class EndedError(Exception):
    """The process was killed."""


def searcher(
    seed: int = 0, config: EnasConfig = SMALL, refuse: Any = None, task: Any = TASK
) -> EnasSearcher:
    engine = SupernetEngine(SPACE, task, FIDELITY, judged_windows=16, seed=seed)
    return EnasSearcher(SPACE, task.name, FIDELITY, engine, config, seed, refuse)


def turns(one: EnasSearcher, steps: int) -> list[tuple[list[Request], dict[str, float]]]:
    found = []
    for _ in range(steps):
        requests = one.ask(100)
        one.tell(list(one.supernet.run(requests)))
        found.append((requests, dict(one.logs)))
    return found


def paid(one: EnasSearcher, requests: list[Request], worth: Callable[..., float]) -> None:
    """Tell rewards of our own making."""
    one.tell(
        [
            Evaluation.of(r, "made up", metrics={"validation_auroc": worth(r.architecture)})
            for r in requests
        ]
    )


def test_a_warm_up_of_one_pass_then_child_steps_and_controller_steps_in_turn() -> None:
    for warm_up, controller_steps, expected in (
        (1, 1, [6 + 2, 6 + 4, 6 + 6, 6 + 8]),
        (0, 2, [2, 2, 4, 4]),
    ):
        config = replace(SMALL, warm_up_passes=warm_up, controller_steps=controller_steps)
        one = searcher(config=config)
        assert one.supernet.steps_per_pass == 6
        assert [logs["supernet_steps"] for _, logs in turns(one, 4)] == expected


def test_so_many_architectures_are_sampled_and_each_is_judged_once() -> None:
    one = searcher(config=replace(SMALL, architectures=40, policy=PolicyConfig(hidden=8)))
    with torch.no_grad():
        for head in one.policy.heads:
            if hasattr(head, "bias"):
                head.bias[0] = 4.0  # samples repeat
    requests = one.ask(100)
    assert len({r.architecture.key for r in requests}) == len(requests) < 40
    assert len(one._open[0]) == 40
    assert all(SPACE.architecture(r.architecture.tokens) == r.architecture for r in requests)
    assert len(searcher().ask(3)) <= 3


def test_the_controller_learns_which_operation_and_which_skip_earn() -> None:
    config = replace(
        SMALL,
        architectures=30,
        child_steps=1,
        warm_up_passes=0,
        controller_learning_rate=0.03,
        skip_weight=0.0,
        policy=PolicyConfig(hidden=16),
    )
    one = searcher(config=config)
    skip = SPACE.skips[-1]
    for _ in range(25):
        paid(
            one, one.ask(30), lambda a: 0.5 + 0.2 * (a.tokens[0] == 3) + 0.2 * (a.tokens[skip] == 1)
        )
    tokens = one.sample(200)
    assert float((tokens[:, 0] == 3).float().mean()) > 0.6
    assert float((tokens[:, skip] == 1).float().mean()) > 0.8


def test_the_share_of_skips_is_held_near_its_target_where_nothing_is_earned_by_them() -> None:
    shares = {}
    for weight in (0.0, 0.8):
        config = replace(
            SMALL,
            architectures=20,
            child_steps=1,
            warm_up_passes=0,
            controller_learning_rate=0.02,
            skip_target=0.1,
            skip_weight=weight,
        )
        one = searcher(config=config)
        for _ in range(30):
            paid(one, one.ask(20), lambda a: 0.5)
        taken = one.sample(300)[:, list(SPACE.skips)]
        shares[weight] = float(taken.float().mean())
    assert shares[0.8] == pytest.approx(0.1, abs=0.05)
    assert shares[0.0] > 0.3


def test_what_is_refused_is_neither_trained_nor_judged_and_earns_the_least() -> None:
    def refuse(architecture: Any) -> str | None:
        return "too large" if architecture.tokens[0] == 0 else None

    config = replace(
        SMALL, architectures=30, child_steps=1, controller_learning_rate=0.03, skip_weight=0.0
    )
    one = searcher(config=config, refuse=refuse)
    trained = []
    train = one.supernet.train
    one.supernet.train = lambda those: trained.extend(those) or train(those)  # type: ignore
    for _ in range(15):
        requests = one.ask(30)
        assert all(r.architecture.tokens[0] != 0 for r in requests)
        paid(one, requests, lambda a: 0.5 + 0.01 * (a.tokens[0] == 2))
    assert trained
    assert all(architecture.tokens[0] != 0 for architecture in trained)
    assert float((one.sample(200)[:, 0] == 0).float().mean()) < 0.1
    nobody = searcher(refuse=lambda architecture: "no")
    assert nobody.ask(5) == []
    assert nobody.open_steps() == []


def test_children_that_fail_and_scores_that_are_missing_earn_the_least() -> None:
    one = searcher()
    requests = one.ask(6)
    answers = [Evaluation.of(r, "x", metrics={"validation_auroc": 0.6}) for r in requests]
    answers[0] = Evaluation.of(requests[0], "x", state="failed", reason="memory")
    answers[1] = Evaluation.of(requests[1], "x", metrics={"validation_auroc": None})
    one.tell(answers[::-1])
    assert one.logs["reward"] == pytest.approx(0.6)
    requests = one.ask(6)
    one.tell([Evaluation.of(r, "x", state="failed", reason="memory") for r in requests])
    assert all(torch.isfinite(weight).all() for weight in one.policy.parameters())


def test_minus_the_loss_may_be_rewarded() -> None:
    one = searcher(config=replace(SMALL, metric="validation_minus_loss"))
    ((_, logs),) = turns(one, 1)
    assert logs["reward"] < 0


def test_results_of_another_step_are_refused() -> None:
    one = searcher()
    first, second = one.ask(4), one.ask(4)
    assert one.open_steps() == [first, second]
    for wrong in (second, first[1:], [*first, first[0]], []):
        with pytest.raises(RunError, match="oldest open step"):
            paid(one, wrong, lambda a: 0.5)
    paid(one, first, lambda a: 0.5)
    assert one.open_steps() == [second]


def test_it_depends_on_its_seed_and_on_nothing_else_that_is_random() -> None:
    first = turns(searcher(1), 2)
    torch.manual_seed(9)
    state = torch.get_rng_state()
    assert turns(searcher(1), 2) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert turns(searcher(2), 2) != first


def test_after_any_step_it_goes_on_from_its_state_as_if_nothing_had_happened() -> None:
    whole, broken = searcher(3), searcher(3)
    for _ in range(3):
        resumed = searcher(3)
        resumed.load_state_dict(json_and_tensors(broken.state_dict()))
        assert turns(resumed, 1) == turns(whole, 1)
        broken = resumed
    for name, weight in whole.supernet.supernet.state_dict().items():
        assert torch.equal(weight, broken.supernet.supernet.state_dict()[name]), name
    for name, weight in whole.policy.state_dict().items():
        assert torch.equal(weight, broken.policy.state_dict()[name]), name


def json_and_tensors(state: Any) -> Any:
    """Copy a state as a file would: tensors, and values that JSON holds."""
    if isinstance(state, torch.Tensor):
        return state.clone()
    if isinstance(state, dict):
        return {key: json_and_tensors(value) for key, value in state.items()}
    return json.loads(json.dumps(state))


def test_the_state_of_another_search_is_refused() -> None:
    state = searcher(0).state_dict()
    for other in (searcher(1), searcher(0, replace(SMALL, skip_target=0.5))):
        with pytest.raises(RunError, match="resume with"):
            other.load_state_dict(state)


@pytest.mark.parametrize(
    "wrong",
    [
        {"architectures": 0}, {"child_steps": 0}, {"controller_learning_rate": 0.0},
        {"skip_target": 1.0}, {"skip_weight": -1.0}, {"metric": "test_auroc"},
    ],
)  # fmt: skip
def test_an_impossible_constant_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(RunError, match=next(iter(wrong))):
        EnasConfig(**wrong)


def search(
    folder: Path,
    resume: bool = False,
    on_step: Any = None,
    task: Any = TASK,
    space: SearchSpace = SPACE,
    **changes: Any,
) -> SearchOutcome:
    values: dict[str, Any] = {
        "turns": 3,
        "evaluations": 2,
        "derived_from": 6,
        "fidelity": FIDELITY,
        "engine": "inline",
        "checkpoint_seconds": 0.0,
        "enas": SMALL,
        **changes,
    }
    with hold_run(folder, resume):
        return search_enas(
            folder, task, space, EnasRunConfig(**values), "corpus.yaml", resume, on_step
        )


def lines(path: Path) -> list[dict[str, Any]]:
    steps = read_journal(path)
    for step in steps:
        del step["wall_seconds"], step["costs"]
    return steps


@pytest.mark.parametrize("task", [TASK, tiny_task("one")])
def test_what_is_derived_is_trained_from_scratch_and_only_that_is_remembered(
    tmp_path: Path, task: Any
) -> None:
    steps: list[Step] = []
    task = replace(task, window_bp=40)
    outcome = search(tmp_path / "run", on_step=steps.append, task=task)
    run = tmp_path / "run"
    assert [step.number for step in steps] == [0, 1, 2]
    assert outcome.sampled == sum(len(step.evaluations) for step in steps)
    with Store(run / "store.sqlite") as store:
        rows = list(store.rows())
    assert {row.key for row in rows} == {one.key for one in outcome.evaluations}
    assert {row.task_hash for row in rows} == {task.hash}
    assert all("shared_weights" not in row.details for row in rows)
    assert len(outcome.evaluations) == 2
    derived = json.loads((run / "derived.json").read_text())
    assert [one["tokens"] for one in derived] == [
        list(one.architecture.tokens) for one in outcome.evaluations
    ]
    said = [one["shared_weights"]["validation_auroc"] for one in derived]
    assert said == sorted(said, reverse=True)
    scores = [one.metrics["validation_auroc"] for one in outcome.evaluations]
    assert outcome.best.metrics["validation_auroc"] == max(scores)
    assert read_architecture(run / "best.json") == outcome.best.architecture
    (step,) = read_journal(run / "journal.jsonl")
    assert [one["tokens"] for one in step["evaluations"]] == [one["tokens"] for one in derived]
    # What is stored is what any search would have stored of these architectures.
    again = search_again(task, outcome.evaluations[0])
    assert again.metrics == outcome.evaluations[0].metrics


def search_again(task: Any, one: Evaluation) -> Evaluation:
    from ambient.evaluate import InlineEngine

    (found,) = InlineEngine({task.name: task}).run([one.request])
    return found


@pytest.mark.parametrize("checkpoint_seconds", [0.0, 3600.0])
def test_killed_and_resumed_it_ends_as_if_it_had_not_been(
    tmp_path: Path, checkpoint_seconds: float
) -> None:
    def end(step: Step) -> None:
        if step.number == 1:
            raise EndedError

    settings = {"checkpoint_seconds": checkpoint_seconds}
    whole = search(tmp_path / "whole", **settings)
    with pytest.raises(EndedError):
        search(tmp_path / "ended", on_step=end, **settings)
    resumed = search(tmp_path / "ended", True, **settings)
    for name in ("supernet/journal.jsonl", "journal.jsonl"):
        assert lines(tmp_path / "ended" / name) == lines(tmp_path / "whole" / name)
    for name in ("derived.json", "best.json"):
        assert (tmp_path / "ended" / name).read_text() == (tmp_path / "whole" / name).read_text()
    assert resumed.sampled == whole.sampled
    again = search(tmp_path / "ended", True, evaluations=3, **settings)  # one child more
    assert [one.request for one in again.evaluations[:2]] == [
        one.request for one in whole.evaluations
    ]


def test_limits_hold_for_all_that_is_chosen(tmp_path: Path) -> None:
    from ambient.child.count import count_parameters

    sizes = sorted(count_parameters(one.build(40, 3)) for one in drawn_sizes())
    most = sizes[len(sizes) // 2]
    outcome = search(tmp_path / "run", max_parameters=most)
    for one in outcome.evaluations:
        assert count_parameters(one.architecture.build(40, 3)) <= most
    with pytest.raises(RunError, match="none of 6 samples may be chosen"):
        search(tmp_path / "none", max_parameters=1)
    assert not (tmp_path / "none").exists(), "nothing was done that is worth keeping"


def test_a_supernet_that_was_trained_is_kept_where_nothing_can_be_derived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ambient.search.enas_run._derive", lambda *_: [])
    with pytest.raises(RunError, match="none of 6 samples may be chosen"):
        search(tmp_path / "run")
    assert len(read_journal(tmp_path / "run" / "supernet" / "journal.jsonl")) == 3


@pytest.mark.parametrize("stranded", [True, False])
def test_nothing_that_reads_both_strands_is_derived_for_a_stranded_task(
    tmp_path: Path, stranded: bool
) -> None:
    task = replace(tiny_task("one"), stranded=stranded)
    outcome = search(tmp_path / "run", task=task, space=STRANDS, evaluations=4, derived_from=24)
    both = [one.architecture.reads_both_strands for one in outcome.evaluations]
    assert sorted(both) == ([False] * 2 if stranded else [False, False, True, True])


def drawn_sizes() -> list[Any]:
    import numpy as np

    rng = np.random.default_rng(0)
    return [SPACE.sample(rng) for _ in range(30)]


def test_the_loop_that_every_search_shares_runs_it() -> None:
    one = searcher()
    found = run_search(one, one.supernet, batch=6, steps=2)
    assert len(found) > 6
    assert all(r.details == {"shared_weights": True} for r in found)


def test_an_engine_that_trains_nothing_is_refused() -> None:
    with pytest.raises(RunError, match="needed one that trains"):
        EnasRunConfig(engine="table:rows.tsv")
    with pytest.raises(RunError, match="turns = 0"):
        EnasRunConfig(turns=0)
