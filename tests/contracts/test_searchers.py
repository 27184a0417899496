"""What every searcher keeps: honest requests, its own random state, a state that can be restored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from few_shot import make_start
from tiny_children import SPACE as TWELVE
from tiny_children import TINY, pretend, tiny_task

from ambient.controller.checkpoint import read_checkpoint, write_checkpoint
from ambient.errors import RunError
from ambient.evaluate import Evaluation, InlineEngine, Request
from ambient.search import AmbientSearcher, RandomSearcher, Searcher, once, run_search
from ambient.search.methods import FEW_SHOT, METHODS, ONLY_FEW_SHOT, make_searcher
from ambient.search.start import Start
from ambient.space import SearchSpace

TASKS = {name: tiny_task(name, seed) for seed, name in enumerate(("one", "two", "three"))}


def convolutions(kernel: int) -> list[dict[str, object]]:
    return [{"operation": "convolution", "filters": n, "kernel": kernel} for n in (1, 2, 3, 4)]


# 2 * (3 + 4 * 3) * 4 = 120 architectures: a second block has a kernel only where there is one.
SPACE = SearchSpace.from_dict(
    {
        "name": "conditional",
        "version": 1,
        "window_bp": 60,
        "decisions": [
            {"name": "tail", "choices": ["global_max", "global_average"]},
            {"name": "blocks", "sets": "parameter", "choices": [1, 2]},
            {"name": "second", "choices": convolutions(3), "when": {"blocks": 2}},
            {"name": "dropout", "sets": "parameter", "choices": [0.0, 0.1, 0.2]},
            {"name": "first", "choices": convolutions(5)},
        ],
        "network": [
            {"decision": "first"},
            {"decision": "second"},
            {"decision": "tail"},
            {"operation": "dropout", "rate": {"from": "dropout"}},
        ],
    }
)

Maker = Callable[..., Searcher]  # of a seed, and the space where it is not `SPACE`


def joint(seed: int, space: SearchSpace = SPACE) -> Searcher:
    return AmbientSearcher(space, dict.fromkeys(TASKS), TINY, seed=seed)


def random_over_tasks(seed: int, space: SearchSpace = SPACE) -> Searcher:
    return RandomSearcher(space, list(TASKS), TINY, seed)


def from_nothing(space: SearchSpace) -> Start | None:
    return None


def of_one_task(
    method: str,
    begin: Callable[[SearchSpace], Start | None],
    seed: int,
    space: SearchSpace = SPACE,
) -> Searcher:
    return make_searcher(method, space, "one", TINY, seed, start=begin(space))


NEEDS_OPTUNA = pytest.mark.skipif(
    find_spec("optuna") is None, reason="optuna, of the extra [tpe], is not installed"
)
ONE_TASK = [
    pytest.param(
        partial(of_one_task, name, from_nothing), id=name, marks=[NEEDS_OPTUNA] * (name == "tpe")
    )
    for name in METHODS
    if name not in ONLY_FEW_SHOT
] + [
    pytest.param(partial(of_one_task, name, make_start), id=f"{name} from a controller")
    for name in FEW_SHOT
]
EVERY = [
    pytest.param(joint, id="ambient"),
    pytest.param(random_over_tasks, id="random over tasks"),
    *ONE_TASK,
]
every_searcher = pytest.mark.parametrize("make", EVERY)
every_method = pytest.mark.parametrize("make", ONE_TASK)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def evaluate(requests: Sequence[Request]) -> list[Evaluation]:
    return list(InlineEngine(TASKS, pretend).run(requests))


def failed(request: Request) -> Evaluation:
    return Evaluation.of(request, TASKS[request.task].hash, state="failed", reason="memory")


def asked(searcher: Searcher, steps: int, ahead: int = 0) -> list[list[Request]]:
    """Let a searcher search, and give what it was told of in each step."""
    batches = []
    for _ in range(steps):
        while len(searcher.open_steps()) <= ahead:
            assert searcher.ask(6)
        batches.append(searcher.open_steps()[0])
        searcher.tell(evaluate(batches[-1]))
    return batches


def as_a_file_holds_it(searcher: Searcher, folder: Path, step: int) -> dict[str, object]:
    write_checkpoint(folder, step, searcher.state_dict())
    state, notice = read_checkpoint(folder)
    assert notice is None
    return state


def fingerprint(searcher: Searcher) -> str:
    """Everything that the future depends on, exactly."""
    return json.dumps(searcher.state_dict(), default=torch.Tensor.tolist, sort_keys=True)


@every_searcher
def test_it_asks_for_no_more_than_it_may_of_what_there_is(make: Maker) -> None:
    for batch in asked(make(0), 5):
        assert 1 <= len(batch) <= 6
        for request in batch:
            assert request.task in TASKS
            assert request.fidelity == TINY
            assert SPACE.architecture(request.architecture.tokens) == request.architecture


@every_searcher
def test_it_depends_on_its_seed_and_on_nothing_else_that_is_random(make: Maker) -> None:
    first = asked(make(1), 4)
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert asked(make(1), 4) == first
    assert torch.equal(torch.get_rng_state(), state)
    assert asked(make(2), 4) != first


@every_searcher
@pytest.mark.parametrize("ahead", [0, 2])
def test_killed_after_any_step_it_goes_on_as_if_nothing_had_happened(
    make: Maker, ahead: int, tmp_path: Path
) -> None:
    whole, killed = make(3), make(3)
    for step in range(7):
        resumed = make(3)
        resumed.load_state_dict(as_a_file_holds_it(killed, tmp_path, step))
        assert resumed.open_steps() == whole.open_steps()
        assert asked(resumed, 1, ahead) == asked(whole, 1, ahead)
        assert dict(resumed.logs) == dict(whole.logs)
        killed = resumed
    assert fingerprint(killed) == fingerprint(whole)


@every_searcher
def test_steps_may_be_asked_ahead_and_are_told_in_turn(make: Maker) -> None:
    searcher = make(6)
    steps = [searcher.ask(5) for _ in range(3)]
    assert searcher.open_steps() == steps
    for number, step in enumerate(steps, start=1):
        searcher.tell(evaluate(step))
        assert searcher.open_steps() == steps[number:]


@every_searcher
def test_the_order_in_which_children_finish_makes_no_difference(make: Maker) -> None:
    class Backwards(InlineEngine):
        """Carries out the newest request first."""

        def _next(self) -> Evaluation | None:
            self._waiting.rotate(1)
            return super()._next()

    runs = [
        run_search(make(5), engine(TASKS, pretend), batch=5, evaluations=33, ahead=1)
        for engine in (InlineEngine, Backwards)
    ]
    assert [one.request for one in runs[0]] == [one.request for one in runs[1]]


@every_searcher
def test_it_lives_with_children_that_fail(make: Maker) -> None:
    for share in (1, 3):
        searcher = make(4)
        for _ in range(6):
            requests = searcher.ask(4)
            results = evaluate(requests)
            results[::share] = map(failed, requests[::share])
            searcher.tell(results)
        assert all(np.isfinite(value) for value in searcher.logs.values())
        assert "NaN" not in fingerprint(searcher)
        assert searcher.ask(1)


@every_searcher
def test_the_loop_runs_it_for_as_many_evaluations_as_it_may(make: Maker) -> None:
    for ahead in (0, 2):
        engine = InlineEngine(TASKS, pretend)
        assert len(run_search(make(5), engine, batch=5, evaluations=23, ahead=ahead)) == 23


@every_method
def test_no_architecture_is_evaluated_twice(make: Maker) -> None:
    steps = asked(make(2), 8, ahead=1)
    keys = [request.architecture.key for step in steps for request in step]
    assert len(set(keys)) == len(keys)


@every_method
@pytest.mark.parametrize("ahead", [0, 1])
def test_on_a_space_smaller_than_its_budget_it_ends_by_itself(
    make: Maker, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(once, "PATIENCE", 30)
    searcher = make(0, TWELVE)
    results = run_search(
        searcher, InlineEngine(TASKS, pretend), batch=5, evaluations=1000, ahead=ahead
    )
    keys = {one.architecture.key for one in results}
    assert len(keys) == len(results)
    assert 9 <= len(keys) <= 12
    assert searcher.open_steps() == []
    assert searcher.ask(5) == []


@every_method
def test_results_of_another_step_are_refused(make: Maker) -> None:
    searcher = make(0)
    first, second = searcher.ask(4), searcher.ask(4)
    for wrong in (second, first[1:], [*first, first[0]], []):
        with pytest.raises(RunError, match="oldest open step"):
            searcher.tell(evaluate(wrong))
    assert searcher.open_steps() == [first, second]


@every_method
def test_the_state_of_another_search_is_refused(make: Maker, tmp_path: Path) -> None:
    searcher = make(0)
    asked(searcher, 1)
    state = as_a_file_holds_it(searcher, tmp_path, 1)
    method, begin = make.args  # type: ignore[attr-defined]
    other = make_searcher(method, SPACE, "two", TINY, start=begin(SPACE))
    with pytest.raises(RunError, match="resume with"):
        other.load_state_dict(state)


@pytest.mark.parametrize("method", ["amber", "evolution", "tpe"])
def test_a_metric_of_the_test_split_is_refused(method: str) -> None:
    if method == "tpe":
        pytest.importorskip("optuna", reason="optuna, of the extra [tpe], is not installed")
    with pytest.raises(RunError, match="test_auroc"):
        make_searcher(method, SPACE, "one", TINY, metric="test_auroc")


@every_method
def test_what_is_refused_is_never_asked_and_costs_nothing(make: Maker) -> None:
    method, begin = make.args  # type: ignore[attr-defined]

    def refuse(architecture: object) -> str | None:
        return "too large" if architecture.tokens[0] == 1 else None  # type: ignore[attr-defined]

    searcher = make_searcher(method, SPACE, "one", TINY, seed=1, refuse=refuse, start=begin(SPACE))
    results = run_search(searcher, InlineEngine(TASKS, pretend), batch=5, evaluations=20)
    assert len(results) == 20
    assert {one.architecture.tokens[0] for one in results} == {0}


@pytest.mark.parametrize("method", FEW_SHOT)
def test_the_state_of_a_search_from_another_controller_is_refused(
    method: str, tmp_path: Path
) -> None:
    searcher = of_one_task(method, make_start, 0)
    asked(searcher, 1)
    state = as_a_file_holds_it(searcher, tmp_path, 1)
    other = make_searcher(method, SPACE, "one", TINY, start=make_start(SPACE, seed=4))
    with pytest.raises(RunError, match="resume with"):
        other.load_state_dict(state)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(RunError, match="needed one of amber, amber-reinforce, enas, evolution"):
        make_searcher("annealing", SPACE, "one", TINY)
