"""What a proposal says beside its architecture: what to expect, whether to believe it, and within which limits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from recorded_controller import TASKS, described, undecided
from tiny_children import SPACE, STRANDS

from ambient.child.count import count_flops, count_parameters, within_limits
from ambient.controller.card import Controller, TrainingTask
from ambient.controller.policy import Policy, PolicyConfig
from ambient.controller.predictor import Predictor
from ambient.controller.recorded import Records, reached
from ambient.controller.scaling import Scaler
from ambient.errors import RunError
from ambient.space import Architecture, named_space
from descriptors.schema import NAMES

WORTH = np.array([0.60, 0.65, 0.70, 0.75, 0.80, 0.85])  # of the choices of the first decision


@pytest.fixture(scope="module")
def controller() -> Controller:
    scaler = Scaler.fit(TASKS)
    vectors = np.stack([scaler.transform(task) for task in TASKS])
    rng = np.random.default_rng(0)
    task = np.repeat(np.arange(6), 12)
    tokens = np.array([one.tokens for one in SPACE.enumerate()] * 6)
    values = WORTH[tokens[:, 0]] + rng.normal(0, 0.01, len(task))
    records = Records(tuple(one.task for one in TASKS), vectors, task, tokens, values)
    policy = Policy(SPACE, PolicyConfig(hidden=8, embedding=4), len(NAMES), seed=3)
    known = tuple(
        TrainingTask(one.task, tuple(row), 0.7)
        for one, row in zip(TASKS, vectors.tolist(), strict=True)
    )
    return Controller(policy, scaler, known, predictor=Predictor.fit(records, steps=40))


def test_each_proposal_says_what_to_expect_of_it(controller: Controller) -> None:
    for proposal in controller.propose(described("new", 450.0), top=6):
        expected = proposal.expected
        assert expected is not None
        worth = WORTH[proposal.architecture.tokens[0]]
        assert expected.mean == pytest.approx(worth, abs=0.02)
        assert 0 <= expected.low < worth < expected.high <= 1


def test_what_worked_on_all_tasks_and_on_the_nearest_is_said_and_what_to_expect_of_it(
    controller: Controller,
) -> None:
    assert controller.predictor is not None
    records, new = controller.predictor.records, described("new", 450.0)
    everywhere, *near = controller.worked(new, nearest=2)
    table = {
        tuple(tokens): records.values[(records.tokens == tokens).all(axis=1)].mean()
        for tokens in records.tokens
    }
    assert everywhere.tasks == records.tasks
    assert everywhere.architecture.tokens == max(table, key=lambda one: table[one])
    assert everywhere.reached == pytest.approx(max(table.values()))
    assert [one.tasks for one in near] == [(name,) for name, _ in controller.nearest(new)[:2]]
    for one in near:
        own = records.task == records.tasks.index(one.tasks[0])
        assert one.reached == records.values[own].max()
        assert one.architecture.tokens == tuple(records.tokens[own][records.values[own].argmax()])
        assert one.expected.mean == pytest.approx(0.85, abs=0.02)


def test_only_what_was_trained_on_all_tasks_can_be_best_on_all(controller: Controller) -> None:
    assert controller.predictor is not None
    records, new = controller.predictor.records, described("new", 450.0)
    best = controller.worked(new)[0].architecture.tokens
    is_best = (records.tokens == best).all(axis=1)
    kept = ~(is_best & (records.task == 5))
    fewer = Records(
        records.tasks,
        records.vectors,
        np.append(records.task[kept], 0),
        np.vstack([records.tokens[kept], records.tokens[kept][0]]),
        np.append(records.values[kept], 0.0),  # the first architecture on the first task, once more
    )
    changed = replace(controller, predictor=replace(controller.predictor, records=fewer))
    again = changed.worked(new)[0]
    assert again.architecture.tokens != best
    found = reached(fewer.each())
    assert set(found[best]) == set(records.tasks[:5])
    first = tuple(fewer.tokens[0].tolist())
    assert found[first]["task0"] == pytest.approx(fewer.values[0] / 2)
    only_two = replace(controller, predictor=replace(controller.predictor, records=_few(records)))
    names = [one.tasks for one in only_two.worked(new, nearest=6)]
    assert sorted(names) == [("task0",), ("task1",)], "nothing was trained on all of them"


def _few(records: Records) -> Records:
    kept = records.task < 2
    return replace(
        records, task=records.task[kept], tokens=records.tokens[kept], values=records.values[kept]
    )


def test_what_worked_keeps_within_the_limits(controller: Controller) -> None:
    new = described("new", 450.0)
    least = min(count_parameters(one.build(60, 1)) for one in SPACE.enumerate())
    accepts = within_limits(60, max_parameters=least)
    unlimited, limited = controller.worked(new), controller.worked(new, accepts=accepts)
    assert {count_parameters(one.architecture.build(60, 1)) for one in limited} == {least}
    assert len(limited) == len(unlimited) == 4
    assert controller.worked(new, accepts=lambda _: False) == []


def test_what_is_proven_comes_first_unless_more_is_promised() -> None:
    several = [described("small", 110.0), described("large", 3000.0)]
    small, large = undecided(tastes=True).propose(several, top=3)
    assert small[0].proven
    assert small[0].architecture.tokens[0] == 1
    assert [one.proven for one in large].count(True) <= 1
    assert not large[0].proven
    assert large[0].architecture.tokens[0] == 0
    for found in undecided(tastes=False).propose(several, top=3):
        best, *others = found
        assert best.proven
        assert best.architecture.tokens[0] == 1
        assert len({one.architecture.key for one in found}) == 3
        assert others[0].probability >= others[1].probability > best.probability > 0
    everything = undecided(tastes=False).propose(several[0], top=12)
    assert len({one.architecture.key for one in everything}) == 12


def test_a_promise_must_pass_half_of_its_own_uncertainty() -> None:
    controller = undecided(tastes=True)
    assert controller.predictor is not None
    several = [described("new", peaks) for peaks in np.geomspace(100, 4000, 60)]
    proven = controller.worked(None)[0].architecture
    uncertain = 0
    for item, (first, second) in zip(several, controller.propose(several, top=2), strict=True):
        probable = max(first, second, key=lambda one: one.probability).architecture
        promised = controller.predictor.difference(
            controller.scaler.transform(item)[None],
            np.array([probable.tokens]),
            np.array([proven.tokens]),
        )
        assert first.proven == (promised.mean[0] <= 0.5 * promised.deviation[0])
        uncertain += first.proven and promised.mean[0] > 0
    assert uncertain > 0


def test_nothing_is_proven_on_one_task_alone_or_without_records() -> None:
    controller = undecided(tastes=False)
    for changed in (
        replace(controller, tasks=controller.tasks[:1]),
        replace(controller, predictor=None),
    ):
        (first,) = changed.propose(TASKS[0])
        assert not first.proven
        assert first.architecture.tokens[0] == 0


def test_what_is_proven_is_the_best_within_the_limits() -> None:
    controller = undecided(tastes=False)
    best = controller.propose(TASKS[0])[0].architecture
    (other,) = controller.propose(TASKS[0], accepts=lambda one: one.key != best.key)
    assert other.proven
    assert other.architecture.tokens[0] == 1
    assert other.architecture.key != best.key


def test_it_is_saved_with_the_controller_and_guarded_by_its_hash(
    controller: Controller, tmp_path: Path
) -> None:
    controller.save(tmp_path / "saved")
    again = Controller.load(tmp_path / "saved")
    new = described("new", 450.0)
    assert again.propose(new, top=3) == controller.propose(new, top=3)
    path = tmp_path / "saved" / "predictor.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(RunError, match=r"predictor\.safetensors: the file has SHA-256"):
        Controller.load(tmp_path / "saved")


def test_a_controller_without_records_expects_nothing(
    controller: Controller, tmp_path: Path
) -> None:
    replace(controller, predictor=None).save(tmp_path / "saved")
    assert "predictor" not in json.loads((tmp_path / "saved" / "card.json").read_text())
    (proposal,) = Controller.load(tmp_path / "saved").propose(described("new", 450.0))
    assert proposal.expected is None
    assert Controller.load(tmp_path / "saved").worked(described("new", 450.0)) == []


@pytest.mark.parametrize(("peaks", "is_outside"), [(450.0, False), (1e9, True)])
def test_a_data_set_unlike_all_others_is_called_so(
    controller: Controller, peaks: float, is_outside: bool
) -> None:
    assert controller.is_outside(described("new", peaks)) is is_outside


@pytest.mark.parametrize(("apart", "is_outside"), [(2.5, False), (3.5, True)])
def test_a_data_set_is_outside_where_it_lies_farther_than_the_loneliest_training_task(
    controller: Controller, apart: float, is_outside: bool
) -> None:
    is_peaks = np.array(NAMES) == "n_peaks"
    scaler = replace(
        controller.scaler,
        transforms=("identity",) * len(NAMES),
        mean=(0.0,) * len(NAMES),
        standard_deviation=tuple(is_peaks.astype(float).tolist()),
    )
    tasks = tuple(
        TrainingTask(name, (*(is_peaks * place).tolist(), *[0.0] * len(NAMES)), None)
        for name, place in (("first", 0.0), ("second", 1.0), ("lonely", 4.0))
    )
    placed = replace(controller, scaler=scaler, tasks=tasks, predictor=None)
    new = described("new", 4.0 + apart)
    assert placed.nearest(new)[0] == ("lonely", pytest.approx(apart))
    assert placed.is_outside(new) is is_outside


def test_proposals_keep_within_the_limits(controller: Controller) -> None:
    sizes = sorted({count_parameters(one.build(60, 1)) for one in SPACE.enumerate()})
    for limit in (sizes[0], sizes[2]):
        accepts = within_limits(60, max_parameters=limit)
        for proposal in controller.propose(described("new", 450.0), top=12, accepts=accepts):
            assert count_parameters(proposal.architecture.build(60, 1)) <= limit
    costs = sorted({count_flops(one.build(60, 1), 60) for one in SPACE.enumerate()})
    found = controller.propose(
        described("new", 450.0), top=12, accepts=within_limits(60, max_flops=costs[0])
    )
    assert {count_flops(one.architecture.build(60, 1), 60) for one in found} == {costs[0]}


def test_limits_that_nothing_keeps_are_said_and_no_limit_is_none(controller: Controller) -> None:
    assert within_limits(60) is None
    new = described("new", 450.0)
    least = min(count_parameters(one.build(60, 1)) for one in SPACE.enumerate())
    said = "none of the 12 most probable architectures of the space tiny is within the limits: "
    said += f"the smallest has {least} parameters, above the limit of 1; raise it"
    with pytest.raises(RunError, match=said):
        controller.propose(new, accepts=within_limits(60, max_parameters=1))
    with pytest.raises(RunError, match=r"none of the 12 most probable architectures .* raise them"):
        controller.propose(new, accepts=lambda _: False)


def test_of_a_stranded_data_set_the_smallest_that_tells_strands_apart_is_named() -> None:
    scaler = Scaler.fit(TASKS)
    tasks = tuple(
        TrainingTask(one.task, tuple(scaler.transform(one).tolist()), None) for one in TASKS
    )
    own = Controller(Policy(STRANDS, PolicyConfig(hidden=8), len(NAMES), seed=3), scaler, tasks)
    stranded = replace(described("new", 450.0), sources={"peaks": {"stranded": True}})
    least = min(
        count_parameters(one.build(60, 1))
        for one in STRANDS.enumerate()
        if not one.reads_both_strands
    )
    with pytest.raises(
        RunError, match=f"the smallest has {least} parameters, above the limit of 1"
    ):
        own.propose(stranded, accepts=within_limits(60, max_parameters=1))


def test_no_network_is_judged_twice_and_none_is_built(
    controller: Controller, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = named_space("ambient-plus")
    policy = Policy(space, PolicyConfig(hidden=8), len(NAMES), seed=3)
    own = replace(controller, policy=policy, predictor=None)
    judged: list[str] = []
    with pytest.raises(RunError):
        own.propose(described("new", 450.0), accepts=lambda one: bool(judged.append(one.key)))
    drawn = judged[-len(own._proposer._drawn) :]
    assert drawn == [one.key for one in own._proposer._drawn]
    assert len(set(judged[: -len(drawn)])) == len(judged) - len(drawn)

    def build(*_: object) -> None:
        raise AssertionError("a network was built to count it")

    monkeypatch.setattr("ambient.child.build.build", build)
    for limit in ("max_parameters", "max_flops"):
        with pytest.raises(RunError, match=r", nor of 2,000 .*: the smallest has [1-9]"):
            own.propose(described("new", 450.0), accepts=within_limits(500, **{limit: 10}))


def test_what_the_policy_finds_improbable_is_found_where_nothing_else_is_accepted() -> None:
    space = named_space("ambient-plus")
    scaler = Scaler.fit(list(TASKS))
    policy = Policy(space, PolicyConfig(temperature=0.05), len(scaler.names), seed=3)
    decided = Controller(policy, scaler, ())
    (best,) = decided.propose(TASKS[0])

    def apart(one: Architecture) -> int:
        pairs = zip(one.tokens, best.architecture.tokens, strict=True)
        return sum(own != other for own, other in pairs)

    found = decided.propose(TASKS[0], top=3, accepts=lambda one: apart(one) >= 18)
    assert len(found) == 3
    assert all(apart(one.architecture) >= 18 for one in found)
    assert found[0].probability >= found[1].probability >= found[2].probability > 0
    assert found[0].probability < 1e-4 * best.probability
    both = decided.propose(TASKS[0], top=3, accepts=lambda one: apart(one) == 0 or apart(one) >= 18)
    assert [one.architecture for one in both] == [
        best.architecture,
        *[one.architecture for one in found[:2]],
    ]
    with pytest.raises(RunError, match=r"of the space ambient-plus, nor of 2,000 .* raise them"):
        decided.propose(TASKS[0], accepts=lambda one: apart(one) > 22)


def test_a_window_of_the_architecture_counts_before_the_one_given() -> None:
    one = next(iter(SPACE.enumerate()))
    wide = replace(one, window_bp=600)
    limit = count_flops(one.build(100, 1), 100)
    accepts = within_limits(100, max_flops=limit)
    assert accepts is not None
    assert isinstance(wide, Architecture)
    assert accepts(one)
    assert not accepts(wide)


def test_stranded_data_is_proposed_no_network_that_reads_both_strands() -> None:
    space = named_space("ambient-plus")
    scaler = Scaler.fit(list(TASKS))
    policy = Policy(space, PolicyConfig(), len(scaler.names), seed=3)
    controller = Controller(policy, scaler, ())
    stranded = replace(TASKS[1], task="clip", sources={"peaks": {"stranded": True}})
    given = [TASKS[0], stranded, TASKS[1]]
    first, clip, same = controller.propose(given, top=8)
    assert any(one.architecture.reads_both_strands for one in same)
    assert not any(one.architecture.reads_both_strands for one in clip)
    assert len(clip) == 8
    assert first == controller.propose(TASKS[0], top=8)
    assert clip == controller.propose(stranded, top=8)
    kept = [one for one in same if not one.architecture.reads_both_strands]
    assert [one.architecture for one in kept] == [one.architecture for one in clip[: len(kept)]]
    narrow = controller.propose(stranded, top=8, accepts=lambda one: one.window_bp == 200)
    assert {one.architecture.window_bp for one in narrow} == {200}
    assert not any(one.architecture.reads_both_strands for one in narrow)


def test_what_worked_leaves_out_what_stranded_data_cannot_use() -> None:
    controller = Controller.load("yeast")
    unknown = replace(TASKS[0], values=dict.fromkeys(NAMES))
    stranded = replace(unknown, sources={"peaks": {"stranded": True}})
    before, after = (controller.worked(one, nearest=12) for one in (unknown, stranded))
    assert [one.tasks for one in after] == [one.tasks for one in before]
    changed = [
        one.architecture.reads_both_strands
        for one, other in zip(before, after, strict=True)
        if one.architecture != other.architecture
    ]
    assert changed
    assert all(changed)
    assert not any(one.architecture.reads_both_strands for one in after)
