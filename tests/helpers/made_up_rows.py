"""Evaluations of all kinds, for the tests of the store and of its tables."""

from __future__ import annotations

from hypothesis import strategies as st
from tiny_children import evaluation

from ambient.evaluate import Evaluation, Store

numbers = st.floats(allow_nan=False, allow_infinity=False)
text = st.text(max_size=5)
evaluations = st.builds(
    evaluation,
    seed=st.integers(0, 2**63 - 1),
    index=st.integers(0, 11),
    task=text,
    task_hash=st.sampled_from(["one", "two"]),
    metrics=st.dictionaries(st.text(max_size=8), st.none() | numbers, max_size=3),
    state=st.sampled_from(["done", "failed", "stopped"]),
    reason=st.text(min_size=1),
    wall_seconds=st.floats(0, 1e9) | st.just(-0.0),
    cpu_seconds=st.integers(0, 100),
    gpu_seconds=st.floats(0, 1e9),
    energy_kwh=st.none() | st.floats(0, 1e3),
    details=st.dictionaries(text, st.none() | st.integers() | numbers, max_size=2),
    device=text,
    host=text,
    version=text,
    created=text,
)
several = st.lists(evaluations, max_size=4, unique_by=lambda one: one.key)


def failed(seed: int = 0, reason: str = "it broke", **results: object) -> Evaluation:
    """Make a failed evaluation."""
    return evaluation(seed, state="failed", reason=reason, metrics={}, **results)


def write_unknown_fidelity(store: Store) -> None:
    """Write into all rows what a later version might, with no digest."""
    store._connection.execute('UPDATE fidelities SET json = \'{"name": "x", "unheard": 1}\'')
    store._connection.execute("DELETE FROM digests WHERE space = ''")
