"""Search by what records tell: it takes results as records of one more task, and no lucky one at its word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from few_shot import make_start
from recorded_controller import described, undecided
from small_run import make_tasks
from tiny_children import SPACE, TINY

from ambient.child.count import check_limits, count_parameters
from ambient.controller.predictor import Predictor
from ambient.controller.recorded import Records
from ambient.errors import RunError
from ambient.evaluate import Evaluation, Request, Store
from ambient.search.methods import make_searcher
from ambient.search.predicted import PredictedSearcher
from ambient.search.search_run import SearchConfig, search_task
from ambient.search.start import Start

CONTROLLER = undecided(tastes=True)
NEW = described("new", 110.0)  # small: choice 1 of the first decision is recorded as good for it
PREDICTOR = CONTROLLER.predictor
assert PREDICTOR is not None
VECTOR = CONTROLLER.scaler.transform(NEW)
EVERY = np.array([one.tokens for one in SPACE.enumerate()])


def searcher(seed: int = 0) -> PredictedSearcher:
    first = [one.architecture for one in CONTROLLER.propose(NEW)]
    return PredictedSearcher(SPACE, "new", TINY, CONTROLLER, NEW, first, seed)


def answer(requests: Sequence[Request], value: float | None) -> list[Evaluation]:
    if value is None:
        return [Evaluation.of(one, "", state="failed", reason="no room") for one in requests]
    return [Evaluation.of(one, "", metrics={"validation_auroc": value}) for one in requests]


def test_before_any_result_a_belief_is_the_prediction() -> None:
    belief = PREDICTOR.belief(VECTOR, EVERY)
    found = PREDICTOR.predict(np.tile(VECTOR, (len(EVERY), 1)), EVERY)
    np.testing.assert_allclose(belief.mean, found.mean, atol=1e-9)
    deviation = np.sqrt(belief.covariance.diagonal() + belief.noise)
    np.testing.assert_allclose(deviation, found.deviation, rtol=1e-3)


def test_what_is_told_counts_as_a_record_of_one_more_task() -> None:
    """The same from a predictor whose records hold the results, but for the unit that these are put in."""
    belief = PREDICTOR.belief(VECTOR, EVERY)
    results = {0: 0.86, 5: 0.61, 7: 0.71, 9: 0.66}
    for index, value in results.items():
        belief = belief.told(index, value)
    old = PREDICTOR.records
    scale, shift = old.values.std(), old.values.mean()
    together = Records(
        (*old.tasks, "new"),
        np.vstack([old.vectors, VECTOR]),
        np.append(old.task, [len(old.tasks)] * len(results)),
        np.vstack([old.tokens, EVERY[list(results)]]),
        np.append(old.values, list(results.values())),
    )
    unit = together.values.std() / scale
    parameters = {name: np.array(values) for name, values in PREDICTOR.parameters.items()}
    parameters["variances"] = parameters["variances"] - 2 * np.log(unit)
    constant = parameters["mean"] * scale + shift
    parameters["mean"] = (constant - together.values.mean()) / together.values.std()
    whole = Predictor(together, {name: tuple(of) for name, of in parameters.items()})
    np.testing.assert_allclose(belief.mean, whole.recorded_function("new")(EVERY), atol=2e-5)


def test_it_asks_for_the_proposal_and_then_for_what_is_expected_most() -> None:
    own = searcher()
    (proposal,) = CONTROLLER.propose(NEW)
    asked = [one.architecture.tokens for one in own.ask(4)]
    assert asked[0] == proposal.architecture.tokens
    belief = PREDICTOR.belief(VECTOR, EVERY)
    ranked = [tuple(EVERY[index]) for index in np.argsort(-belief.mean)]
    others = [tokens for tokens in ranked if tokens != asked[0]]
    assert asked[1:] == others[:3]
    own.tell(answer(own.open_steps()[0], 0.3))  # a disappointment, for all that are like these
    assert {one.architecture.tokens[0] for one in own.ask(2)} != {asked[1][0]}


def test_a_lucky_result_is_not_taken_at_its_word() -> None:
    """Of equal results the one counts more that was expected; a lone outlier of a bad kind loses."""
    own = searcher()
    good = own.ask(4)
    own.tell(answer(good, 0.80))
    rest = own.ask(8)
    assert len(rest) == 8
    worst = min(rest, key=lambda one: PREDICTOR.belief(VECTOR, EVERY).mean[at(one)])
    own.tell([*(answer([one], 0.81 if one is worst else 0.55)[0] for one in rest)])
    favourite = own.favourite()
    assert favourite in [one.architecture for one in good]
    assert favourite != worst.architecture
    assert own.logs["expected"] < 0.81


def at(request: Request) -> int:
    return EVERY.tolist().index(list(request.architecture.tokens))


def test_a_child_that_failed_tells_nothing_and_is_never_the_favourite() -> None:
    own = searcher()
    first = own.ask(2)
    own.tell(answer(first, None))
    assert own.favourite() is None
    second = own.ask(1)
    assert second[0].architecture not in [one.architecture for one in first]
    own.tell(answer(second, 0.1))
    assert own.favourite() == second[0].architecture


def test_a_controller_without_records_is_refused() -> None:
    bare = Start(replace(CONTROLLER, predictor=None), NEW)
    with pytest.raises(RunError, match="keeps no records, and the method predicted asks these"):
        make_searcher("predicted", SPACE, "new", TINY, start=bare)
    with pytest.raises(RunError, match="the method predicted without a controller"):
        make_searcher("predicted", SPACE, "new", TINY)


def test_a_controller_with_records_of_another_metric_is_refused() -> None:
    other = replace(CONTROLLER, metric="validation_aupr")
    with pytest.raises(RunError, match="records are of validation_aupr, and the"):
        PredictedSearcher(SPACE, "new", TINY, other, NEW)


def test_within_limits_it_begins_with_the_proposal_within_them() -> None:
    start = make_start()
    sizes = {one.key: count_parameters(one.build(60, 1)) for one in SPACE.enumerate()}
    most = sorted(sizes.values())[5]
    own = make_searcher(
        *("predicted", SPACE, "new", TINY),
        refuse=check_limits(60, max_parameters=most),
        start=start,
    )
    asked = own.ask(12)
    (first,) = start.propose(1, lambda one: sizes[one.key] <= most)
    assert asked[0].architecture == first
    assert len(asked) > 2
    assert all(sizes[one.architecture.key] <= most for one in asked)


def test_a_run_keeps_the_favourite_and_not_the_luckiest(tmp_path: Path) -> None:
    """The results are in the store already: what is best there is of a kind that the records know as bad."""
    task = make_tasks()["four"]
    start = Start(CONTROLLER, NEW)
    store = tmp_path / "store.sqlite"
    lucky = max(SPACE.enumerate(), key=lambda one: one.tokens[0])
    with Store(store) as rows:
        for one in SPACE.enumerate():
            value = 0.805 if one == lucky else 0.80 if one.tokens[0] == 1 else 0.5
            request = Request(task.name, one, 0, TINY)
            rows.put(
                Evaluation.of(
                    request, task.hash, metrics={"validation_auroc": value, "test_auroc": 0.5}
                )
            )
    config = SearchConfig("predicted", evaluations=12, engine="inline", fidelity=TINY, store=store)
    outcome = search_task(tmp_path / "run", task, SPACE, config, start=start)
    assert lucky in [one.architecture for one in outcome.evaluations]
    assert outcome.best.architecture.tokens[0] == 1
    kept = (tmp_path / "run" / "best.json").read_text()
    assert kept == outcome.best.architecture.to_json()
