"""TPE: that it is Optuna's, that it can be restored, and what it does without Optuna."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

import numpy as np
import pytest
from tiny_children import SPACE, TINY

from ambient.errors import RunError
from ambient.evaluate import Evaluation, Request
from ambient.search.methods import make_searcher
from ambient.search.tpe import RANDOM_FIRST, TPESearcher
from ambient.space import named_space

optuna = pytest.importorskip("optuna", reason="optuna, of the extra [tpe], is not installed")


def quality(tokens: Sequence[int]) -> float:
    """Count the first choices taken: each decision has its say."""
    return sum(token == 0 for token in tokens) / len(tokens)


def answer(requests: Sequence[Request]) -> list[Evaluation]:
    return [
        Evaluation.of(one, "hash", metrics={"validation_auroc": quality(one.architecture.tokens)})
        for one in requests
    ]


def failed(request: Request) -> Evaluation:
    return Evaluation.of(request, "hash", state="failed", reason="no room")


def test_it_suggests_what_optuna_suggests_when_it_is_asked_directly() -> None:
    space = named_space("bionas-4")
    own = TPESearcher(space, "tiny", TINY, seed=4)
    study = optuna.create_study(direction="maximize")
    for number in range(3 * RANDOM_FIRST):
        (request,) = own.ask(1)
        seed = int(np.random.SeedSequence([4, number]).generate_state(1)[0])
        study.sampler = optuna.samplers.TPESampler(seed=seed)
        trial = study.ask()
        tokens = tuple(
            trial.suggest_categorical(decision.name, list(range(len(decision.choices))))
            for decision in space.decisions
        )
        assert request.architecture.tokens == tokens
        study.tell(trial, quality(tokens))
        own.tell(answer([request]))


ONE_SEARCH = """
import json
from ambient.child.fidelity import SEARCH
from ambient.evaluate.records import Evaluation
from ambient.search.tpe import TPESearcher
from ambient.space import named_space

own = TPESearcher(named_space("ambient-plus"), "task", SEARCH, seed=1)
asked = []
for _ in range(9):
    step = own.ask(2)
    asked += [one.architecture.tokens for one in step]
    own.tell([
        Evaluation.of(one, "", metrics={"validation_auroc": 1 / (1 + sum(one.architecture.tokens) % 7)})
        for one in step
    ])
print(json.dumps(asked))
"""


def test_the_order_of_sets_which_differs_from_process_to_process_has_no_say() -> None:
    """Beyond the first, random, suggestions, over decisions that depend on each other."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ONE_SEARCH],
            env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
        )
        for seed in ("1", "2")
    ]
    first, second = (json.loads(one.communicate()[0]) for one in processes)
    assert len(first) == 18 > RANDOM_FIRST
    assert second == first


def test_it_says_nothing_and_leaves_optunas_settings_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = optuna.logging.get_verbosity()
    own = TPESearcher(SPACE, "tiny", TINY)
    for _ in range(4):
        own.tell(answer(own.ask(5)))
    assert optuna.logging.get_verbosity() == before
    assert capsys.readouterr() == ("", "")


def test_a_child_that_failed_counts_as_the_worst_so_far_or_as_nothing() -> None:
    own = TPESearcher(SPACE, "tiny", TINY)
    own.tell([failed(one) for one in own.ask(2)])
    requests = own.ask(3)
    results = [
        Evaluation.of(one, "hash", metrics={"validation_auroc": value})
        for one, value in zip(requests, (0.7, -0.4, 0.9), strict=True)
    ]
    own.tell(results)
    own.tell([failed(one) for one in own.ask(1)])
    rewards = [reward for _, _, reward in own.state_dict()["trials"]]
    assert rewards == [None, None, 0.7, -0.4, 0.9, -0.4]
    states = [trial.state.name for trial in own._study.trials]
    assert states == ["FAIL"] * 2 + ["COMPLETE"] * 4


def test_suggestions_under_way_are_restored_as_such() -> None:
    own = TPESearcher(SPACE, "tiny", TINY, seed=1)
    for _ in range(4):
        own.tell(answer(own.ask(4)))
    own.ask(3)
    again = TPESearcher(SPACE, "tiny", TINY, seed=1)
    again.load_state_dict(own.state_dict())
    for one, other in zip(own._study.trials, again._study.trials, strict=True):
        assert (one.number, one.state, one.params, one.value) == (
            other.number,
            other.state,
            other.params,
            other.value,
        )


def test_without_optuna_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(RunError, match=r"pip install 'ambient-nas\[tpe\]'"):
        make_searcher("tpe", SPACE, "tiny", TINY)
    assert make_searcher("random", SPACE, "tiny", TINY).ask(1)


def test_it_finds_what_random_search_does_not() -> None:
    space = named_space("ambient-plus")

    def best(method: str, seed: int) -> float:
        own = make_searcher(method, space, "tiny", TINY, seed)
        values: list[float] = []
        while len(values) < 100:
            requests = own.ask(5)
            values += [quality(one.architecture.tokens) for one in requests]
            own.tell(answer(requests))
        return max(values)

    gains = [best("tpe", seed) - best("random", seed) for seed in range(4)]
    assert np.mean(gains) > 0.05
    assert min(gains) >= 0
