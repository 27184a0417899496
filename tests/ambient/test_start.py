"""Few-shot search: it begins with the zero-shot proposal and goes on from the controller's policy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from few_shot import SHAPE, make_start
from small_run import LEARNING, make_descriptors
from tiny_children import SPACE, TINY

from ambient.child.count import check_limits, count_parameters
from ambient.controller.policy import Policy
from ambient.data.split import Split
from ambient.errors import RunError
from ambient.evaluate import Evaluation, Request
from ambient.search import AmbientSearcher
from ambient.search.amber import CURIOSITY, amber_searcher
from ambient.search.config import AmbientConfig
from ambient.search.evolution import EvolutionConfig, EvolutionSearcher
from ambient.search.methods import FEW_SHOT, make_searcher
from ambient.search.start import Start, check_unseen
from ambient.space import Architecture, named_space

START = make_start()


def proposals(count: int, start: Start = START) -> list[Architecture]:
    """What `ambient propose` gives."""
    return [one.architecture for one in start.controller.propose(start.descriptors, count)]


def architectures(requests: Sequence[Request]) -> list[Architecture]:
    return [one.architecture for one in requests]


def answer(requests: Sequence[Request], values: Sequence[float | None]) -> list[Evaluation]:
    return [
        Evaluation.of(one, "", state="failed", reason="no room")
        if value is None
        else Evaluation.of(one, "", metrics={"validation_auroc": value})
        for one, value in zip(requests, values, strict=True)
    ]


def weights(policy: torch.nn.Module) -> torch.Tensor:
    return torch.nn.utils.parameters_to_vector(policy.parameters()).detach().clone()


BY_POLICY = [name for name in FEW_SHOT if name != "predicted"]


@pytest.mark.parametrize("method", BY_POLICY)
def test_what_the_controller_proposes_is_asked_for_first_and_in_order(method: str) -> None:
    own = make_searcher(method, SPACE, "task", TINY, batch=5, start=START)
    assert architectures(own.ask(5)) == proposals(5)
    one_by_one = make_searcher(method, SPACE, "task", TINY, batch=5, start=START)
    asked = [architectures(one_by_one.ask(1)) for _ in range(3)]
    assert asked == [[one] for one in proposals(3)]


def test_evolutions_first_population_is_what_is_proposed_and_no_more_than_it_holds() -> None:
    small = EvolutionConfig(population=4)
    for given in (3, 4, 6):
        own = EvolutionSearcher(SPACE, "task", TINY, small, proposals=proposals(given))
        most = min(given, 4)
        assert architectures(own.ask(most)) == proposals(most)
        assert architectures(own.ask(8)) != proposals(12)[most : most + 8]


@pytest.mark.parametrize("method", BY_POLICY)
def test_within_limits_the_first_is_what_is_proposed_within_them(method: str) -> None:
    sizes = [count_parameters(one.build(60, 1)) for one in proposals(12)]
    most = sorted(sizes)[5]
    assert sizes[0] > most or sizes[1] > most  # or the limit would change nothing
    small = [one for one, size in zip(proposals(12), sizes, strict=True) if size <= most]
    refuse = check_limits(60, max_parameters=most)
    own = make_searcher(method, SPACE, "task", TINY, batch=4, refuse=refuse, start=START)
    assert architectures(own.ask(4)) == small[:4]
    refuse = check_limits(60, max_parameters=1)
    with pytest.raises(RunError, match="is within the limits; raise them"):
        make_searcher(method, SPACE, "task", TINY, refuse=refuse, start=START)


def test_the_policy_is_a_copy_that_learns() -> None:
    controller, before = START.controller, weights(START.controller.policy)
    own = amber_searcher(SPACE, "task", TINY, "ppo", 4, 0, "validation_auroc", controller)
    assert own.policy.config == replace(SHAPE, temperature=CURIOSITY * SHAPE.temperature)
    assert torch.equal(weights(own.policy), before)
    assert own.scaler == controller.scaler
    requests = own.ask(4)
    own.tell(answer(requests, [number / 10 for number in range(len(requests))]))
    assert not torch.equal(weights(own.policy), before)
    assert torch.equal(weights(controller.policy), before)


def test_a_decided_controller_is_sampled_more_widely_than_it_was_trained() -> None:
    decided = replace(SHAPE, temperature=0.05)
    policy = Policy(SPACE, decided, len(START.controller.scaler.names))
    policy.load_state_dict(START.controller.policy.state_dict())
    controller = replace(START.controller, policy=policy)

    def different(**how: float) -> int:
        own = amber_searcher(
            *(SPACE, "task", TINY, "ppo", 12, 0, "validation_auroc", controller), **how
        )
        return len(own.ask(12))

    assert different(curiosity=1.0) < different() <= different(curiosity=100.0)
    with pytest.raises(RunError, match=r"curiosity is 0\.0; it must be above 0"):
        different(curiosity=0.0)


@pytest.mark.parametrize("curiosity", [1.0, 3.0])
def test_runs_of_before_say_nothing_of_curiosity_and_others_keep_it(curiosity: float) -> None:
    config = AmbientConfig(curiosity=curiosity)
    written = config.to_dict()
    assert ("curiosity" in written) == (curiosity != 1.0)
    assert AmbientConfig.from_dict(written) == config


def test_it_reads_the_descriptors_as_the_controller_does() -> None:
    own = amber_searcher(
        SPACE, "task", TINY, controller=START.controller, descriptors=START.descriptors
    )
    vector = START.controller.scaler.transform(START.descriptors)
    assert own.vectors["task"].tolist() == vector.tolist()
    assert any(vector)


def test_it_learns_from_the_proposals_as_from_samples() -> None:
    """With the best of the proposals rewarded, PPO makes it more probable, and the worst less."""
    first = proposals(4)
    own = amber_searcher(
        *(SPACE, "task", TINY, "ppo", 4, 0, "validation_auroc"),
        *(START.controller, START.descriptors, first),
    )

    def log_probabilities() -> torch.Tensor:
        vectors = torch.from_numpy(own.vectors["task"]).expand(4, -1)
        return own.policy.log_probability(vectors, torch.tensor([one.tokens for one in first]))

    before = log_probabilities().detach()
    requests = own.ask(4)
    # PPO's ratios are taken against the policy that proposed.
    assert own.state_dict()["open"]["0"]["log_probabilities"].tolist() == pytest.approx(
        before.tolist(), abs=1e-5
    )
    own.tell(answer(requests, [0.6, 0.6, 0.9, 0.6]))
    assert own.baselines["task"] == pytest.approx(0.675)  # the mean of the first batch
    moved = log_probabilities().detach() - before
    assert moved[2] > 0
    assert moved[2] == moved.max()


def test_each_of_several_tasks_is_asked_for_what_is_proposed_for_it() -> None:
    tasks = {name: make_descriptors(name) for name in LEARNING}
    proposed = {name: proposals(6)[number::3] for number, name in enumerate(LEARNING[:2])}
    own = AmbientSearcher(
        *(SPACE, tasks, TINY, AmbientConfig(tasks_per_step=3, architectures_per_task=2), 1),
        *(START.controller, proposed),
    )
    step = own.ask(6)
    for name, wanted in proposed.items():
        assert [one.architecture for one in step if one.task == name] == wanted


@pytest.mark.parametrize("method", ["random", "tpe"])
def test_a_method_that_learns_nothing_from_a_controller_is_refused(method: str) -> None:
    with pytest.raises(RunError, match=f"--from-controller with the method {method}, .*amber, "):
        make_searcher(method, SPACE, "task", TINY, start=START)


@pytest.mark.parametrize("method", FEW_SHOT)
def test_a_controller_of_another_space_is_refused(method: str) -> None:
    for space in (named_space("bionas-4"), replace(SPACE, version=2)):
        with pytest.raises(RunError, match=r"from the space tiny \(version 1\), this search is of"):
            make_searcher(method, space, "task", TINY, start=START)


def test_descriptors_of_another_finder_or_schema_are_refused() -> None:
    def begun(scaler: Any, descriptors: Any) -> None:
        start = Start(replace(START.controller, scaler=scaler), descriptors)
        make_searcher("amber", SPACE, "task", TINY, start=start)

    taught = replace(START.controller.scaler, motif_finder="HOMER")
    found = replace(START.descriptors, sources={"motifs": {"finder": "built-in", "revision": 3}})
    with pytest.raises(RunError, match="found by the built-in finder, revision 3, but those"):
        begun(taught, found)
    with pytest.raises(RunError, match="schema version 99, but version"):
        begun(START.controller.scaler, replace(START.descriptors, schema_version=99))


def test_a_task_that_the_controller_was_trained_on_is_said() -> None:
    assert START.notice("new") is None
    by_name = START.notice("two")
    assert by_name is not None
    assert "(as two)" in by_name
    by_numbers = replace(START, descriptors=make_descriptors("three")).notice("renamed")
    assert by_numbers is not None
    assert "(as three)" in by_numbers


@pytest.mark.parametrize(
    ("chromosomes", "said"),
    [
        (None, "descriptors of all chromosomes, but chrV, chrT only validate and test"),
        (["chr1", "chrV"], "descriptors of chrV"),
        (["chr1", "chrT"], "descriptors of chrT"),
        (["chr1", "chr2"], None),
    ],
)
def test_descriptors_that_saw_held_back_peaks_are_refused(
    chromosomes: list[str] | None, said: str | None
) -> None:
    split = Split(("chrV",), ("chrT",))
    described = replace(START.descriptors, sources={"peaks": {"chromosomes": chromosomes}})
    if said is None:
        check_unseen(described, split, Path("new.json"))
        return
    with pytest.raises(RunError, match=f"new.json: found {said}"):
        check_unseen(described, split, Path("new.json"))


def test_descriptors_that_do_not_say_where_they_are_from_are_taken() -> None:
    check_unseen(START.descriptors, Split(("chrV",), ("chrT",)), "new.json")
