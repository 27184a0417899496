"""Standardising descriptors: log1p first, the corpus's own spread, missing ones flagged."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ambient.controller.scaling import Scaler
from ambient.errors import RunError
from descriptors.record import Descriptors
from descriptors.schema import DESCRIPTORS, SCHEMA_VERSION

NAMES = [entry.name for entry in DESCRIPTORS]
COUNT = len(NAMES)


HOMER = {"finder": "homer2"}
REVISION_3, REVISION_4 = ({"finder": "built-in", "revision": number} for number in (3, 4))


def described(
    task: str = "task", finder: dict[str, Any] | None = None, **values: float | None
) -> Descriptors:
    everything: dict[str, Any] = dict.fromkeys(NAMES, 0.0)
    everything.update(values)
    sources = {} if finder is None else {"motifs": finder}
    return Descriptors(
        task=task, schema_version=SCHEMA_VERSION, values=everything, sources=sources, motifs=()
    )


def test_a_count_is_standardised_on_the_log_scale() -> None:
    peaks = [100.0, 1000.0, 5000.0]
    tasks = [described(n_peaks=count) for count in peaks]
    scaler = Scaler.fit(tasks)
    column = NAMES.index("n_peaks")
    logs = np.log1p(peaks)
    expected = (logs - logs.mean()) / logs.std()
    found = [scaler.transform(task)[column] for task in tasks]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_an_identity_descriptor_is_standardised_as_it_is() -> None:
    tasks = [described(phylop_mean=value) for value in (-1.0, 0.5, 2.0)]
    scaler = Scaler.fit(tasks)
    column = NAMES.index("phylop_mean")
    found = np.array([scaler.transform(task)[column] for task in tasks])
    assert found.mean() == pytest.approx(0, abs=1e-6)
    assert found.std() == pytest.approx(1, rel=1e-6)


def test_a_missing_value_becomes_the_mean_and_sets_its_flag_alone() -> None:
    tasks = [described(phastcons_mean=0.2), described(phastcons_mean=0.6)]
    scaler = Scaler.fit([*tasks, described(phastcons_mean=None)])
    column = NAMES.index("phastcons_mean")
    assert scaler.mean[column] == pytest.approx(0.4)
    vector = scaler.transform(described(phastcons_mean=None))
    assert vector.shape == (2 * COUNT,)
    assert vector.dtype == np.float32
    assert vector[column] == 0
    assert np.flatnonzero(vector[COUNT:]).tolist() == [column]
    assert not scaler.transform(tasks[0])[COUNT:].any()


def test_a_descriptor_that_did_not_vary_in_training_says_nothing() -> None:
    # 0.1 + 0.2 is not exact: its mean over many tasks may differ from it by rounding.
    tasks = [described(phylop_mean=0.1 + 0.2, n_peaks=count) for count in range(1, 8)]
    vector = Scaler.fit(tasks).transform(described(phylop_mean=50.0, is_tf=1.0, n_peaks=4.0))
    assert vector[NAMES.index("phylop_mean")] == 0
    assert vector[NAMES.index("is_tf")] == 0


def test_what_all_training_tasks_lacked_reads_the_same_whether_given_or_not() -> None:
    scaler = Scaler.fit([described(phylop_mean=None, n_peaks=n) for n in (100.0, 900.0)])
    assert scaler.never_known == ("phylop_mean",)
    lacking, given = (
        scaler.transform(described(phylop_mean=v, n_peaks=300.0)) for v in (None, 0.7)
    )
    np.testing.assert_array_equal(lacking, given)
    assert lacking[len(NAMES) + NAMES.index("phylop_mean")] == 1
    assert Scaler.from_dict(scaler.to_dict()) == scaler


def test_one_task_or_none_at_all_gives_zeros() -> None:
    only = described(n_peaks=300.0)
    assert not Scaler.fit([only]).transform(only).any()
    without = Scaler.fit([None])
    assert without.transform(None).shape == (2 * COUNT,)
    assert not without.transform(None).any()


def test_every_vector_is_finite_whatever_is_missing() -> None:
    generator = np.random.default_rng(0)
    tasks = []
    for _ in range(6):
        values = generator.lognormal(3, 3, COUNT)
        present = generator.random(COUNT) < 0.5
        given = {
            name: float(value) if there else None
            for name, value, there in zip(NAMES, values, present, strict=True)
        }
        tasks.append(described(**given))
    scaler = Scaler.fit(tasks)
    assert all(np.isfinite(scaler.transform(task)).all() for task in tasks)
    assert all(math.isfinite(number) for number in (*scaler.mean, *scaler.standard_deviation))


def test_a_scaler_survives_json() -> None:
    scaler = Scaler.fit([described(n_peaks=10.0), described(n_peaks=99.0, phylop_mean=None)])
    assert Scaler.from_dict(json.loads(json.dumps(scaler.to_dict()))) == scaler
    scaler = Scaler.fit([described(finder=HOMER)])
    again = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict())))
    assert again == scaler
    assert again.motif_finder == "HOMER"


def test_descriptors_of_another_schema_are_refused_and_both_versions_named() -> None:
    scaler = Scaler.fit([described(n_peaks=10.0), described(n_peaks=20.0)])
    other = replace(scaler, schema_version=SCHEMA_VERSION + 6)
    with pytest.raises(RunError, match=f"version {SCHEMA_VERSION}, .* {SCHEMA_VERSION + 6}"):
        other.transform(described())


def test_vectors_give_their_values_back() -> None:
    tasks = [
        described(n_peaks=1078.0, phylop_mean=-0.25, utr_distance_median_bp=0.0),
        described(n_peaks=100.0, phylop_mean=None, utr_distance_median_bp=31.5),
        described(n_peaks=5226.0, phylop_mean=0.5, utr_distance_median_bp=0.0),
    ]
    scaler = Scaler.fit(tasks)
    restored = scaler.restore([scaler.transform(task) for task in tasks])
    for name in NAMES:
        expected = [task.values[name] for task in tasks]
        assert [value is None for value in restored[name]] == [value is None for value in expected]
        known = [value for value in restored[name] if value is not None]
        assert known == pytest.approx([value for value in expected if value is not None], rel=1e-5)
    assert restored["utr_distance_median_bp"][0] == 0  # and not 1e-8


@pytest.mark.parametrize(
    ("trained", "given", "said"),
    [
        (
            REVISION_4,
            HOMER,
            "by HOMER, .* by the built-in finder, revision 4, .* anew without --homer",
        ),
        (REVISION_4, {"finder": "homer", "name": "x"}, "anew without --homer and --run-homer"),
        (
            HOMER,
            REVISION_4,
            "by the built-in finder, revision 4, .* anew with --homer or --run-homer",
        ),
        (REVISION_4, REVISION_3, "revision 3, .* revision 4, .* with the version of ambient that"),
        (REVISION_3, REVISION_4, "revision 4, .* revision 3, .* with the version of ambient that"),
    ],
)
def test_descriptors_whose_motifs_another_finder_found_are_refused(
    trained: dict[str, Any], given: dict[str, Any], said: str
) -> None:
    scaler = Scaler.fit([described(finder=trained), described(finder=trained, n_peaks=9.0)])
    assert np.isfinite(scaler.transform(described(finder=trained))).all()
    with pytest.raises(RunError, match=f"descriptors of mine: .*{said}"):
        scaler.transform(described("mine", given))


@pytest.mark.parametrize(
    ("trained", "given"),
    [
        (HOMER, {"finder": "homer", "name": "motifs.motif"}),  # HOMER's, whoever ran it
        (None, REVISION_4),
        (REVISION_4, None),
        (REVISION_4, {"finder": "built-in"}),  # from before revisions were recorded
        (REVISION_4, {"finder": 7, "revision": "x"}),  # of another program
    ],
)
def test_a_finder_that_is_the_same_or_not_recorded_is_no_reason_to_refuse(
    trained: dict[str, Any] | None, given: dict[str, Any] | None
) -> None:
    scaler = Scaler.fit([described(finder=trained)])
    assert scaler.conflict(described(finder=given)) is None
    scaler.transform(described(finder=given))


def test_training_tasks_of_two_finders_are_refused_and_one_of_each_is_named() -> None:
    with pytest.raises(
        RunError, match="motifs of a were found by HOMER, those of b by the built-in"
    ):
        Scaler.fit([described("a", HOMER), described("b", REVISION_4), described("c")])


def test_a_scaler_from_before_finders_were_recorded_reads_anything() -> None:
    old = Scaler.fit([described(n_peaks=10.0, finder=HOMER), described(n_peaks=20.0)]).to_dict()
    del old["motif_finder"]
    scaler = Scaler.from_dict(old)
    assert scaler.motif_finder is None
    scaler.transform(described(finder=REVISION_4))
