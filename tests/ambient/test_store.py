"""The store: what goes in comes out, and the first result of a key stays."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_children import evaluation

from ambient.errors import RunError
from ambient.evaluate import Evaluation, Store
from ambient.evaluate.exchange import export_tsv, import_tsv, to_table
from ambient.space import Architecture

numbers = st.floats(allow_nan=False, allow_infinity=False)
metrics = st.dictionaries(st.text(max_size=8), st.none() | numbers, max_size=3)
evaluations = st.builds(
    evaluation,
    seed=st.integers(0, 2**63 - 1),
    index=st.integers(0, 11),
    task=st.text(max_size=5),
    task_hash=st.sampled_from(["one", "two"]),
    metrics=metrics,
    state=st.sampled_from(["done", "failed"]),
    reason=st.text(min_size=1),
    wall_seconds=st.floats(0, 1e9),
    cpu_seconds=st.floats(0, 1e9),
    device=st.text(max_size=5),
    host=st.text(max_size=5),
    version=st.text(max_size=5),
    created=st.text(max_size=5),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(evaluations, max_size=4, unique_by=lambda e: e.key))
def test_what_is_put_comes_out_the_same(written: list[Evaluation]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite"
        with Store(path) as store:
            assert store.put(*written) == len(written)
        with Store(path) as store:
            assert list(store.rows()) == written
            assert len(store) == len(written)
            assert [store.get(one.key) for one in written] == written


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.sqlite") as opened:
        yield opened


def failed(seed: int = 0, reason: str = "it broke", **results: object) -> Evaluation:
    return evaluation(seed, state="failed", reason=reason, metrics={}, **results)


def test_an_unknown_key_gives_none(store: Store) -> None:
    store.put(evaluation(0))
    assert store.get(evaluation(1).key) is None


def test_the_first_done_result_of_a_key_stays(store: Store) -> None:
    first = evaluation(metrics={"validation_auroc": 0.1})
    assert store.put(first) == 1
    assert store.put(evaluation(metrics={"validation_auroc": 0.9})) == 0
    assert store.put(failed()) == 0
    assert list(store.rows()) == [first]


def test_a_failed_result_gives_way_to_a_done_one_only(store: Store) -> None:
    store.put(failed(reason="first"))
    assert store.put(failed(reason="second")) == 0
    assert [row.reason for row in store.rows()] == ["first"]
    assert store.put(evaluation()) == 1
    assert list(store.rows()) == [evaluation(created=next(store.rows()).created)]


def test_rows_can_be_filtered(store: Store) -> None:
    store.put(evaluation(0), evaluation(1, task="other", task_hash="f"), failed(2))
    fidelity = evaluation().fidelity.hash
    filters: list[dict[str, Any]] = [
        {"tasks": ["tiny"]},
        {"tasks": []},
        {"state": "failed"},
        {"space": "tiny", "fidelity": fidelity, "state": "done"},
        {"space": "ambient-10"},
        {"fidelity": "0"},
    ]
    seeds = [[row.seed for row in store.rows(**chosen)] for chosen in filters]
    assert seeds == [[0, 2], [], [2], [0, 1], [], []]


def test_reading_rows_while_writing_loses_none(store: Store) -> None:
    store.put(*(evaluation(seed) for seed in range(3)))
    seen = []
    for row in store.rows(state="done"):
        seen.append(row.seed)
        store.put(failed(100 + row.seed))
    assert seen == [0, 1, 2]
    assert len(store) == 6


def test_merging_takes_what_is_new_and_what_replaces_a_failure(
    store: Store, tmp_path: Path
) -> None:
    store.put(evaluation(0, host="here"), failed(1))
    with Store(tmp_path / "other.sqlite") as other:
        other.put(evaluation(0, host="there"), evaluation(1), evaluation(2, index=5), failed(3))
        content = list(other.rows())
    assert store.merge(tmp_path / "other.sqlite") == 3
    rows = {row.seed: row for row in store.rows()}
    assert [rows[seed].state for seed in range(4)] == ["done", "done", "done", "failed"]
    assert rows[0].host == "here"
    assert rows[2] == content[2]
    assert store.merge(tmp_path / "other.sqlite") == 0
    with Store(tmp_path / "other.sqlite") as other:
        assert list(other.rows()) == content


def test_merging_an_absent_store_is_refused_and_makes_none(store: Store, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is no such store"):
        store.merge(tmp_path / "absent.sqlite")
    assert not (tmp_path / "absent.sqlite").exists()


def test_the_exported_table_rebuilds_the_architecture(store: Store, tmp_path: Path) -> None:
    store.put(evaluation(4, index=7, metrics={"validation_auroc": 0.625}), failed(5))
    assert export_tsv(store, tmp_path / "rows.tsv") == 2
    table = pd.read_csv(tmp_path / "rows.tsv", sep="\t")
    assert table["seed"].tolist() == [4, 5]
    assert table["validation_auroc"][0] == 0.625
    assert table["reason"][1] == "it broke"
    architecture = Architecture.from_json(table["architecture_json"][0])
    assert architecture == evaluation(index=7).architecture
    assert architecture.key == table["architecture"][0]


def test_a_row_of_a_recipe_that_moved_on_keeps_its_key(store: Store) -> None:
    old = evaluation(3, fidelity_hash="of an older recipe")
    store.put(old, evaluation(3))
    assert [row.key for row in store.rows()] == [old.key, evaluation(3).key]
    known = store.get(evaluation(3).key)
    assert known is not None
    assert known.fidelity_hash == evaluation(3).fidelity.hash


def test_a_row_that_this_version_does_not_know_is_named_and_still_in_the_table(
    store: Store,
) -> None:
    store.put(evaluation(0, version="9.9"))
    store._connection.execute('UPDATE fidelities SET json = \'{"name": "x", "unheard": 1}\'')
    with pytest.raises(RunError, match=r"written by ambient 9\.9.*unheard"):
        list(store.rows())
    assert to_table(store)["fidelity_name"].tolist() == ["x"]


def test_an_empty_store_gives_an_empty_table_with_its_columns(store: Store) -> None:
    table = to_table(store)
    assert len(table) == 0
    assert {"task", "architecture", "seed", "state"} <= set(table.columns)


def test_a_store_of_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    Store(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(RunError, match="schema version 2, this ambient reads version 1"):
        Store(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not a database at all " * 100])
def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "store.sqlite"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"store\.sqlite: found"):
        Store(path)
    assert path.read_bytes() == content
    assert [child.name for child in tmp_path.iterdir()] == ["store.sqlite"]


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE evaluations (a)")
    connection.close()
    with pytest.raises(RunError, match="not a store of evaluations"):
        Store(path)


def test_a_folder_or_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="found a folder"):
        Store(tmp_path)
    with pytest.raises(RunError, match="does not exist"):
        Store(tmp_path / "absent" / "store.sqlite")


def test_a_new_store_leaves_no_litter(tmp_path: Path) -> None:
    Store(tmp_path / "store.sqlite").close()
    assert [child.name for child in tmp_path.iterdir()] == ["store.sqlite"]


@pytest.mark.parametrize("name", ["rows.tsv", "rows.tsv.gz"])
def test_a_table_that_was_exported_is_imported_whole(tmp_path: Path, name: str) -> None:
    rows = [
        evaluation(0),
        evaluation(1, metrics={"validation_auroc": None, "test_auroc": 1 / 3}),
        evaluation(2, metrics={}, state="failed", reason="no\troom\n"),
    ]
    with Store(tmp_path / "a.sqlite") as store, Store(tmp_path / "b.sqlite") as other:
        store.put(*rows)
        assert export_tsv(store, tmp_path / name) == 3
        assert import_tsv(other, tmp_path / name) == 3
        assert list(other.rows()) == list(store.rows()) == rows
        assert import_tsv(other, tmp_path / name) == 0


def test_a_table_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "peaks.tsv"
    path.write_text("chr1\t5\t9\nchr1\t7\t9\n")
    with Store(tmp_path / "a.sqlite") as store:
        with pytest.raises(RunError, match=r"peaks\.tsv: found something else"):
            import_tsv(store, path)
        with pytest.raises(RunError, match="no such table"):
            import_tsv(store, tmp_path / "absent.tsv")
        assert len(store) == 0
