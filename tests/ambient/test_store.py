"""The store: what goes in comes out, and the first result of a key stays."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from made_up_rows import failed, several, write_unknown_fidelity
from tiny_children import evaluation

from ambient.errors import RunError
from ambient.evaluate import Evaluation, Store


@settings(max_examples=25, deadline=None)
@given(several)
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


def test_a_row_of_a_recipe_that_moved_on_keeps_its_key(store: Store) -> None:
    old = evaluation(3, fidelity_hash="of an older recipe")
    store.put(old, evaluation(3))
    assert [row.key for row in store.rows()] == [old.key, evaluation(3).key]
    known = store.get(evaluation(3).key)
    assert known is not None
    assert known.fidelity_hash == evaluation(3).fidelity.hash


def test_a_row_that_this_version_does_not_know_is_named(store: Store) -> None:
    store.put(evaluation(0, version="9.9"))
    write_unknown_fidelity(store)
    with pytest.raises(RunError, match=r"written by ambient 9\.9.*unheard"):
        list(store.rows())


def test_counts_are_those_of_the_rows(store: Store) -> None:
    store.put(evaluation(0), evaluation(1, task="other", task_hash="f"), failed(2))
    assert len(store) == store.count() == 3
    assert store.count(tasks=["tiny"], state="failed") == 1
    assert store.count(tasks=[]) == 0


def test_a_stopped_result_takes_the_place_of_a_failure_and_gives_way_to_a_whole_training(
    store: Store,
) -> None:
    stopped = evaluation(state="stopped", reason="below the median", metrics={"a": 0.5})
    store.put(failed())
    assert store.put(stopped) == 1
    assert store.put(failed(), stopped) == 0
    assert list(store.rows()) == [stopped]
    assert store.put(evaluation()) == 1
    assert [row.state for row in store.rows()] == ["done"]
    assert store.put(stopped) == 0


def test_the_names_of_all_metrics_are_known(store: Store) -> None:
    store.put(evaluation(0, metrics={"b": 1.0}), evaluation(1, metrics={"a": None, "b": 2.0}))
    assert store.metric_names() == ["a", "b"]
    assert store.metric_names(tasks=["absent"]) == []


def test_a_store_of_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    Store(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 3")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(RunError, match="schema version 3, this ambient reads versions 1 to 2"):
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
