"""The joint searcher: what it asks, how it learns, and that a killed run ends as any other."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_children import STRANDS

from ambient.child.fidelity import SEARCH
from ambient.controller.card import Controller
from ambient.controller.policy import PolicyConfig
from ambient.controller.ppo import PPOConfig
from ambient.errors import RunError
from ambient.evaluate.records import Evaluation, Request
from ambient.search.ambient import AmbientSearcher
from ambient.search.config import AmbientConfig
from ambient.space import SearchSpace
from descriptors.record import Descriptors
from descriptors.schema import DESCRIPTORS, SCHEMA_VERSION

NAMES = [entry.name for entry in DESCRIPTORS]
SMALL = AmbientConfig(
    tasks_per_step=3,
    architectures_per_task=4,
    policy=PolicyConfig(hidden=16, embedding=4),
    ppo=PPOConfig(learning_rate=0.01, buffer_steps=2, minibatch_size=8),
)


def space() -> SearchSpace:
    def convolutions(kernel: int) -> list[dict[str, Any]]:
        return [{"operation": "convolution", "filters": n, "kernel": kernel} for n in (2, 4, 8)]

    return SearchSpace.from_dict(
        {
            "name": "small",
            "version": 1,
            "window_bp": 200,
            "decisions": [
                {"name": "blocks", "sets": "parameter", "choices": [1, 2]},
                {"name": "first", "choices": convolutions(8)},
                {"name": "second", "choices": convolutions(4), "when": {"blocks": 2}},
                {"name": "tail", "choices": ["global_max", "global_average"]},
            ],
        }
    )


def described(task: str, seed: int) -> Descriptors:
    generator = np.random.default_rng(seed)
    values: dict[str, Any] = {name: float(generator.random()) for name in NAMES}
    return Descriptors(
        task=task, schema_version=SCHEMA_VERSION, values=values, sources={}, motifs=()
    )


TASKS = {f"task_{n}": described(f"task_{n}", n) for n in range(5)}


def searcher(config: AmbientConfig = SMALL, seed: int = 0, **changes: Any) -> AmbientSearcher:
    tasks = changes.pop("tasks", TASKS)
    return AmbientSearcher(changes.pop("space", space()), tasks, SEARCH, config, seed)


def auroc(request: Request) -> float:
    """Odd tasks want one block and a maximum, even ones two blocks and an average."""
    blocks, _, _, tail = request.architecture.tokens
    wanted = int(request.task[-1]) % 2
    return 0.5 + 0.2 * (blocks == wanted) + 0.2 * (tail == wanted)


def answer(requests: Sequence[Request]) -> list[Evaluation]:
    return [
        Evaluation.of(request, "hash", metrics={"validation_auroc": auroc(request)})
        for request in requests
    ]


def run(own: AmbientSearcher, steps: int) -> list[list[Request]]:
    asked = []
    for _ in range(steps):
        asked.append(own.ask(100))
        own.tell(answer(asked[-1]))
    return asked


def fingerprint(own: AmbientSearcher) -> str:
    """Everything that the future depends on, exactly."""
    return json.dumps(own.state_dict(), default=torch.Tensor.tolist)


def test_a_step_asks_for_some_tasks_each_architecture_once_with_the_seed_of_the_run() -> None:
    requests = searcher(seed=7).ask(100)
    assert len({request.task for request in requests}) == 3
    assert len(set(requests)) == len(requests) <= 12
    assert max(Counter(request.task for request in requests).values()) <= 4
    assert {request.seed for request in requests} == {7}
    assert {request.fidelity for request in requests} == {SEARCH}


@pytest.mark.parametrize("count", [1, 3, 4, 7, 11])
def test_no_more_is_asked_than_is_wanted(count: int) -> None:
    own = searcher()
    requests = own.ask(count)
    assert 1 <= len(requests) <= count
    own.tell(answer(requests))
    assert own.steps == 1


def test_all_tasks_are_visited_equally_often() -> None:
    visits: Counter[str] = Counter()
    for step, requests in enumerate(run(searcher(), 25), start=1):
        tasks = {request.task for request in requests}
        assert len(tasks) == 3
        visits.update(tasks)
        assert max(visits.values()) - min((visits[name] for name in TASKS), default=0) <= 1
        assert visits.total() == 3 * step
    assert set(visits.values()) == {15}


def test_what_is_learned_does_not_depend_on_the_order_of_results() -> None:
    first, second = searcher(), searcher()
    for _ in range(3):
        requests = first.ask(100)
        assert second.ask(100) == requests
        results = answer(requests)
        first.tell(results)
        second.tell(results[::-1])
    assert fingerprint(first) == fingerprint(second)


def test_several_steps_may_be_open_and_are_told_in_turn() -> None:
    own = searcher()
    before = fingerprint(own)
    steps = [own.ask(100) for _ in range(3)]
    assert own.open_steps() == steps
    assert fingerprint(own) != before  # the random state and the open steps
    weights = [weight.clone() for weight in own.policy.parameters()]
    for number, requests in enumerate(steps, start=1):
        own.tell(answer(requests))
        assert own.steps == number
        assert own.open_steps() == steps[number:]
    assert any(
        not torch.equal(one, other)
        for one, other in zip(weights, own.policy.parameters(), strict=True)
    )


def test_a_later_step_or_a_part_of_one_is_refused() -> None:
    own = searcher()
    first, second = own.ask(100), own.ask(100)
    only_second = [one for one in second if one not in first]
    with pytest.raises(RunError, match="did not ask for"):
        own.tell(answer(only_second))
    with pytest.raises(RunError, match=f"told {len(first) - 1} of the {len(first)} results"):
        own.tell(answer(first[1:]))
    assert own.steps == 0
    own.tell(answer(first))
    own.tell(answer(second))
    with pytest.raises(RunError, match="told 0 of the 0"):
        own.tell([])


def test_equal_searchers_ask_alike_and_other_seeds_do_not() -> None:
    torch.manual_seed(1)
    first = run(searcher(seed=1), 4)
    torch.manual_seed(2)
    assert run(searcher(seed=1), 4) == first
    tokens = [[r.architecture.tokens for r in step] for step in first]
    assert [[r.architecture.tokens for r in step] for step in run(searcher(seed=2), 4)] != tokens


def test_the_order_of_the_tasks_makes_no_difference() -> None:
    turned = dict(reversed(TASKS.items()))
    assert run(searcher(tasks=turned), 3) == run(searcher(), 3)


@pytest.mark.parametrize("killed_after", [1, 4])
def test_a_killed_and_resumed_run_ends_with_the_same_bits(
    tmp_path: Path, killed_after: int
) -> None:
    whole = searcher()
    expected = run(whole, 7)

    killed = searcher()
    asked = run(killed, killed_after)
    killed.save_checkpoint(tmp_path)
    killed.ask(100)  # in flight when it dies

    resumed = searcher()
    assert resumed.load_checkpoint(tmp_path) is None
    asked += run(resumed, 7 - killed_after)
    assert asked == expected
    assert fingerprint(resumed) == fingerprint(whole)


def test_open_steps_are_saved_and_gone_on_with(tmp_path: Path) -> None:
    def go_on(own: AmbientSearcher, steps: int) -> None:
        """Keep two steps under way, as a search with one step ahead does."""
        while len(own.open_steps()) < 2:
            own.ask(100)
        for _ in range(steps):
            own.tell(answer(own.open_steps()[0]))
            own.ask(100)

    whole, killed = searcher(), searcher()
    go_on(whole, 5)
    go_on(killed, 2)
    killed.save_checkpoint(tmp_path)
    go_on(killed, 1)  # lost when it dies
    resumed = searcher()
    resumed.load_checkpoint(tmp_path)
    go_on(resumed, 3)
    assert fingerprint(resumed) == fingerprint(whole)


def test_a_state_from_before_several_steps_could_be_open_still_loads() -> None:
    own = searcher()
    run(own, 2)
    requests = own.ask(100)
    old = own.state_dict()
    old["pending"] = old.pop("open")["0"]
    old["earned"] = []
    for pending, expected in ((old["pending"], [requests]), (None, [])):
        again = searcher()
        again.load_state_dict({**old, "pending": pending})
        assert again.open_steps() == expected


def test_a_damaged_checkpoint_gives_way_to_the_one_before_and_ends_the_same(
    tmp_path: Path,
) -> None:
    own = searcher()
    for _ in range(3):
        run(own, 1)
        own.save_checkpoint(tmp_path)
    newest = max(tmp_path.glob("*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-7])
    resumed = searcher()
    notice = resumed.load_checkpoint(tmp_path)
    assert notice is not None
    assert "went back to step-00000002" in notice
    run(resumed, 1)
    assert fingerprint(resumed) == fingerprint(own)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("seed", {"seed": 3}),
        ("config", {"config": replace(SMALL, tasks_per_step=2)}),
        ("tasks", {"tasks": dict(list(TASKS.items())[:-1])}),
        ("space", {"space": replace(space(), version=2)}),
    ],
)
def test_a_checkpoint_of_another_run_is_refused_and_says_what_differs(
    tmp_path: Path, name: str, other: dict[str, Any]
) -> None:
    own = searcher()
    run(own, 1)
    own.save_checkpoint(tmp_path)
    with pytest.raises(RunError, match=f"the checkpoint's {name} is"):
        searcher(**other).load_checkpoint(tmp_path)


def test_it_learns_what_each_task_wants() -> None:
    own = searcher()
    rewards = []
    for _ in range(60):
        own.tell(answer(own.ask(100)))
        rewards.append(own.logs["reward"])
    assert np.mean(rewards[:5]) < 0.8
    assert np.mean(rewards[-5:]) > 0.85
    controller = own.controller()
    for name, task in TASKS.items():
        (best,) = controller.propose(task)
        assert auroc(Request(name, best.architecture, 0, SEARCH)) == pytest.approx(0.9)


def test_failed_children_get_the_floor_and_nothing_becomes_nan() -> None:
    own = searcher()
    for step in range(4):
        requests = own.ask(100)
        results = [
            Evaluation.of(request, "hash", state="failed", reason="out of memory")
            if step == 0 or number % 3 == 0
            else result
            for number, (request, result) in enumerate(zip(requests, answer(requests), strict=True))
        ]
        own.tell(results)
    assert all(np.isfinite(value) for value in own.logs.values())
    assert all(bool(weight.isfinite().all()) for weight in own.policy.parameters())
    assert own.baselines.floor(requests[0].task) >= 0.5


def test_children_that_failed_before_anything_was_known_get_the_floor_once_it_is() -> None:
    """Also where every reward is below 0, as minus a loss is: a failure must not look like a success."""
    config = replace(SMALL, metric="validation_reward")
    own = AmbientSearcher(space(), {"task_1": None}, SEARCH, config, seed=0)
    failed = own.ask(4)
    own.tell([Evaluation.of(one, "", state="failed", reason="no room") for one in failed])
    assert own.logs["policy_loss"] == 0  # nothing was learned
    values = [-30.0, -33.0, -31.0, -32.0]
    requests = own.ask(4)
    told = zip(requests, values, strict=False)
    own.tell([Evaluation.of(one, "", metrics={config.metric: value}) for one, value in told])
    first, second = (own.state_dict()["buffer"][index]["rewards"] for index in "01")
    assert own.baselines.floor("task_1") == min(values[: len(requests)])
    assert set(first.tolist()) == {min(values[: len(requests)])}
    assert set(second.tolist()) == set(values[: len(requests)])


def test_a_result_that_was_not_asked_for_is_refused() -> None:
    own = searcher()
    with pytest.raises(RunError, match="did not ask for"):
        own.tell(answer(searcher(seed=5).ask(100)))


def test_a_metric_of_the_test_split_is_refused() -> None:
    with pytest.raises(RunError, match="test_auroc"):
        replace(SMALL, metric="test_auroc")


def test_shuffled_descriptors_are_those_of_other_tasks_fixed_by_the_seed() -> None:
    def vectors(config: AmbientConfig, seed: int) -> dict[str, tuple[float, ...]]:
        return {t.name: t.vector for t in searcher(config, seed).controller().tasks}

    shuffled = replace(SMALL, shuffle_descriptors=True)
    true, first = vectors(SMALL, 0), vectors(shuffled, 0)
    assert all(true[name] != first[name] for name in TASKS)
    assert sorted(true.values()) == sorted(first.values())
    assert vectors(shuffled, 0) == first
    assert any(vectors(shuffled, seed) != first for seed in range(1, 5))


def test_one_task_without_descriptors_can_be_searched() -> None:
    own = AmbientSearcher(space(), {"task_1": None}, SEARCH, SMALL, seed=0)
    run(own, 30)
    assert own.logs["reward"] > 0.8
    assert not any(own.controller().tasks[0].vector)


def test_the_controller_knows_its_training_and_does_not_change_afterwards(tmp_path: Path) -> None:
    own = searcher()
    run(own, 2)
    own.controller().save(tmp_path)
    before = own.controller()
    first = before.propose(TASKS["task_0"], top=3)
    run(own, 2)
    assert before.propose(TASKS["task_0"], top=3) == first
    loaded = Controller.load(tmp_path)
    assert loaded.propose(TASKS["task_0"], top=3) == first
    assert loaded.training["steps"] == 2
    assert {task.name for task in loaded.tasks} == set(TASKS)
    assert {task.baseline for task in loaded.tasks} != {None}


def test_a_configuration_survives_json_and_names_the_key_nearest_to_an_unknown_one() -> None:
    assert AmbientConfig.from_dict(json.loads(json.dumps(SMALL.to_dict()))) == SMALL
    with pytest.raises(RunError, match=r"'task_per_step', .* 'tasks_per_step'"):
        AmbientConfig.from_dict({"task_per_step": 3})
    with pytest.raises(RunError, match=r"ppo: .*'epoch', .* 'epochs'"):
        AmbientConfig.from_dict({"ppo": {"epoch": 3}})


def test_a_search_without_tasks_is_refused() -> None:
    with pytest.raises(RunError, match="no training task"):
        AmbientSearcher(space(), {}, SEARCH)


def stranded(**changes: Any) -> AmbientSearcher:
    """A searcher of one stranded task and one that is none, in a space of which half reads both strands alike."""
    of_rna = replace(TASKS["task_0"], sources={"peaks": {"stranded": True}})
    tasks = {"task_0": of_rna, "task_1": TASKS["task_1"]}
    return searcher(tasks=tasks, space=changes.pop("space", STRANDS), **changes)


def test_a_stranded_task_is_asked_for_what_tells_its_strands_apart_alone() -> None:
    own = stranded()
    asked: dict[str, list[bool]] = {"task_0": [], "task_1": []}
    for _ in range(20):
        requests = own.ask(100)
        for one in requests:
            asked[one.task].append(one.architecture.reads_both_strands)
        own.tell(
            [
                Evaluation.of(one, "hash", metrics={"validation_auroc": 0.5 + 0.1 * (n % 2)})
                for n, one in enumerate(requests)
            ]
        )
    assert not any(asked["task_0"])
    assert any(asked["task_1"])


def test_a_policy_that_is_sure_of_both_strands_is_asked_past_and_its_probabilities_stay_true() -> (
    None
):
    own = stranded(config=replace(SMALL, policy=PolicyConfig(tanh_bound=None)))
    with torch.no_grad():
        head = own.policy.heads[0]
        both = [bool(one.parameters.get("reverse_complement")) for one in own.space.options(())]
        head.bias += torch.where(torch.tensor(both), 200.0, 0.0)  # type: ignore[operator, union-attr]
    own.ask(100)
    step = own.state_dict()["open"]["0"]
    rows = [row for row, task in enumerate(step["tasks"]) if task == "task_0"]
    drawn = [own.space.architecture(step["tokens"][row].tolist()) for row in rows]
    assert rows
    assert not any(one.reads_both_strands for one in drawn)
    expected = own.policy.log_probability(step["descriptors"], step["tokens"])
    torch.testing.assert_close(step["log_probabilities"], expected)


def test_a_space_that_cannot_tell_strands_apart_is_no_space_for_a_stranded_task() -> None:
    content = STRANDS.to_dict()
    first = content["decisions"][0]
    first["choices"] = [one for one in first["choices"] if one.get("reverse_complement")]
    own = stranded(space=SearchSpace.from_dict(content))
    with pytest.raises(RunError, match="task_0 is stranded, and of 1,000 networks"):
        own.ask(100)
