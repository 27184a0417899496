"""What is proven at `full`: found in the records, kept by the controller, proposed first."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from recorded_controller import TASKS, described, undecided
from small_run import HELD_OUT, LEARNING, make_tasks, train_small
from tiny_children import SPACE, TINY, architectures

from ambient.child.fidelity import FULL, Fidelity
from ambient.controller.card import Controller
from ambient.controller.recorded import Proven
from ambient.errors import RunError
from ambient.evaluate import Evaluation, Request, Store
from ambient.evaluate.predicted import rows_like
from ambient.search.from_records import proven_in
from ambient.search.start import Start
from ambient.space import Architecture, SearchSpace

ONE = replace(FULL, name="full, one member", members=1)
ALL = architectures()
DATA = {name: task for name, task in make_tasks().items() if name in LEARNING}


def rows(
    worth: Mapping[Architecture, float],
    fidelity: Fidelity = ONE,
    tasks: tuple[str, ...] = LEARNING,
    **changes: str,
) -> list[Evaluation]:
    """Trainings of some architectures on some tasks, each worth what is said."""
    found = [
        Evaluation.of(
            Request(name, one, 0, fidelity),
            make_tasks()[name].hash,
            metrics={"validation_auroc": value},
        )
        for name in tasks
        for one, value in worth.items()
    ]
    return [replace(row, **changes) for row in found]


def test_the_best_on_all_training_tasks_is_proven() -> None:
    found = proven_in(rows({ALL[0]: 0.7, ALL[1]: 0.8, ALL[2]: 0.75}), SPACE, DATA)
    assert found == Proven(ALL[1].tokens, pytest.approx(0.8), ONE)
    assert proven_in([], SPACE, DATA) is None


@pytest.mark.parametrize(
    "of_no_use",
    [
        rows({ALL[2]: 0.9}, tasks=LEARNING[1:]),  # not on all
        rows({ALL[2]: 0.9}, tasks=HELD_OUT),
        rows({ALL[2]: 0.9}, TINY),
        rows({ALL[2]: 0.9}, replace(ONE, epochs=3)),
        rows({ALL[2]: 0.9}, task_hash="another"),
        rows({ALL[2]: 0.9}, state="failed", reason="broken"),
    ],
)
def test_what_is_recorded_otherwise_proves_nothing(of_no_use: list[Evaluation]) -> None:
    found = proven_in([*rows({ALL[0]: 0.7, ALL[1]: 0.8}), *of_no_use], SPACE, DATA)
    assert found is not None
    assert found.tokens == ALL[1].tokens


def test_what_was_trained_with_all_members_counts_before_single_ones() -> None:
    both = [*rows({ALL[0]: 0.7}, FULL), *rows({ALL[1]: 0.8}, ONE)]
    found = proven_in(both, SPACE, DATA)
    assert found == Proven(ALL[0].tokens, pytest.approx(0.7), FULL)


def test_a_training_from_records_finds_it_and_its_controller_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.sqlite"
    best_at_full, best_when_short = ALL[0], ALL[1]
    short = {one: 0.6 + 0.1 * (one is best_when_short) for one in ALL}
    with Store(path) as store:
        store.put(*rows(short, TINY), *rows({best_at_full: 0.9, best_when_short: 0.8}))
    controller = train_small(tmp_path / "run", steps=2, engine=f"predictor:{path}")
    assert controller.proven == Proven(best_at_full.tokens, pytest.approx(0.9), ONE)
    again = Controller.load(tmp_path / "run")
    assert again.proven == controller.proven
    first, *_ = again.worked(None)
    assert (first.architecture, first.fidelity) == (best_at_full, ONE.name)
    assert first.tasks == tuple(sorted(LEARNING))


def test_records_that_vanish_while_it_trains_cost_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.sqlite"
    with Store(path) as store:
        store.put(*rows(dict.fromkeys(ALL, 0.6), TINY), *rows({ALL[0]: 0.9}))
    engine = f"predictor:{path}"
    controller = train_small(
        tmp_path / "run", steps=2, engine=engine, on_step=lambda _: path.unlink(missing_ok=True)
    )
    assert not path.exists()
    assert controller.proven == Proven(ALL[0].tokens, pytest.approx(0.9), ONE)


@pytest.fixture(scope="module")
def controller() -> Controller:
    """Likes choice 0 of the first decision for large data sets, 1 for small; at `full`, choice 4 was best."""
    (tokens,) = {one.tokens for one in ALL if one.tokens == (4, 0)}
    return replace(undecided(tastes=True), proven=Proven(tokens, 0.9, ONE))


def test_it_comes_first_where_no_other_promises_more(controller: Controller) -> None:
    short = undecided(tastes=True)
    several = [described("small", 110.0), described("large", 3000.0)]
    small, large = controller.propose(several, top=3)
    before, unchanged = short.propose(several, top=3)
    assert small[0].architecture.tokens == controller.proven.tokens  # type: ignore[union-attr]
    assert [one.proven for one in small] == [True, False, False]
    assert before[0].architecture.tokens[0] == 1
    assert 0 < small[0].probability < small[1].probability
    assert [one.architecture for one in large] == [one.architecture for one in unchanged]
    assert not any(one.proven for one in large)


def test_what_the_policy_finds_most_probable_may_be_proven_too() -> None:
    short = undecided(tastes=False)
    probable, *_ = sorted(short.propose(TASKS[0], top=3), key=lambda one: -one.probability)
    proven = Proven(probable.architecture.tokens, 0.9, ONE)
    first, second = replace(short, proven=proven).propose(TASKS[0], top=2)
    assert first.proven
    assert first.architecture == probable.architecture
    assert first.probability == pytest.approx(probable.probability)
    assert first.probability > second.probability


def test_where_limits_refuse_it_the_records_speak(controller: Controller) -> None:
    assert controller.proven is not None
    tokens = controller.proven.tokens
    accepts: Callable[[Architecture], bool] = lambda one: one.tokens != tokens  # noqa: E731
    limited = controller.propose(TASKS[0], top=2, accepts=accepts)
    expected = undecided(tastes=True).propose(TASKS[0], top=2, accepts=accepts)
    assert [one.architecture for one in limited] == [one.architecture for one in expected]
    assert limited[0].proven
    assert [one.fidelity for one in controller.worked(TASKS[0], accepts=accepts)] == [""] * 4


def test_a_search_begins_with_what_the_records_prove(controller: Controller) -> None:
    begun = Start(controller, TASKS[0]).propose(3)
    assert begun == [one.architecture for one in undecided(tastes=True).propose(TASKS[0], top=3)]
    assert begun[0] != controller.propose(TASKS[0])[0].architecture


def test_a_card_with_half_of_it_is_refused(controller: Controller, tmp_path: Path) -> None:
    controller.save(tmp_path / "saved")
    path = tmp_path / "saved" / "card.json"
    assert Controller.load(tmp_path / "saved").proven == controller.proven
    card = json.loads(path.read_text())
    del card["proven"]["reached"]
    path.write_text(json.dumps(card))
    with pytest.raises(RunError, match=r"card\.json: the card is not complete .*reached"):
        Controller.load(tmp_path / "saved")


def test_a_space_that_was_edited_does_not_read_the_rows_of_before() -> None:
    text = json.dumps(SPACE.to_dict())
    edited = SearchSpace.from_dict(json.loads(text.replace('"filters": 4', '"filters": 64')))
    shorter = SPACE.to_dict()
    del shorter["decisions"][0]["choices"][-1]
    recorded = rows(dict.fromkeys(ALL, 0.7), TINY)
    hashes = {name: task.hash for name, task in DATA.items()}

    def kept(space: SearchSpace) -> set[str]:
        found = rows_like(recorded, hashes, space, TINY, "validation_auroc")
        return {row.architecture.key for row in found}

    assert kept(SPACE) == {one.key for one in ALL}
    assert kept(edited) == {
        one.key for one in ALL if '"filters":2' in one.to_json().replace(" ", "")
    }
    assert len(kept(SearchSpace.from_dict(shorter))) == 10


def test_rows_of_another_version_of_the_space_teach_nothing() -> None:
    (kept, other) = rows({ALL[0]: 0.7, ALL[1]: 0.8}, TINY, LEARNING[:1])
    raised = replace(other.architecture, space_version=other.architecture.space_version + 1)
    hashes = {name: task.hash for name, task in DATA.items()}
    found = rows_like(
        [kept, replace(other, architecture=raised)], hashes, SPACE, TINY, "validation_auroc"
    )
    assert found == [kept]
    assert len(rows_like([kept, other], hashes, SPACE, TINY, "validation_auroc")) == 2
