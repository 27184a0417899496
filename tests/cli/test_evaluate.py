"""`ambient evaluate`: what it costs is said, and stores are merged, exported, saved without a corpus."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_children import evaluation

from ambient.child import fidelity
from ambient.evaluate import Evaluation, Store

ROWS = [
    evaluation(0, wall_seconds=2.0, cpu_seconds=1.5, energy_kwh=0.25, created="then"),
    evaluation(1, task="other", task_hash="feed", gpu_seconds=4.0, created="then"),
    evaluation(2, state="failed", reason="no room", metrics={}, created="then"),
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, also the current one, with two stores that share a row."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "a.sqlite", ROWS[:2])
    write(tmp_path / "b.sqlite", ROWS[1:])
    return tmp_path


def write(path: Path, rows: list[Evaluation]) -> None:
    with Store(path) as store:
        store.put(*rows)


def read(path: Path) -> list[Evaluation]:
    with Store(path) as store:
        return list(store.rows())


def test_a_store_is_summed_up(ambient: Callable, place: Path) -> None:
    answer = ambient("evaluate", "--store", "a.sqlite")
    assert answer.code == 0
    assert answer.out.splitlines() == [
        "a.sqlite: 2 evaluations on 2 tasks",
        "2 done: 2.0 s wall, 1.5 s CPU, 4.0 s GPU, 0.25 kWh (measured for 1 of 2)",
    ]
    answer = ambient("evaluate", "--store", "a.sqlite", "--json")
    assert json.loads(answer.out) == {
        "store": "a.sqlite",
        "tasks": ["other", "tiny"],
        "evaluations": 2,
        "states": {"done": 2},
        "wall_seconds": 2.0,
        "cpu_seconds": 1.5,
        "gpu_seconds": 4.0,
        "energy_kwh": 0.25,
        "measured": 1,
    }


@pytest.mark.parametrize("name", ["all.tsv", "all.tsv.gz", "all.parquet"])
def test_stores_and_tables_are_merged_and_exported(
    ambient: Callable, place: Path, name: str
) -> None:
    if name == "all.parquet":
        pytest.importorskip("pyarrow", reason="pyarrow, of the extra [parquet], is not installed")
    merges = ("--merge", "a.sqlite", "--merge", "b.sqlite")
    answer = ambient("evaluate", "--store", "all.sqlite", *merges, "--export", name)
    assert answer.code == 0, answer.err
    assert "b.sqlite: 1 of its rows are new in all.sqlite" in answer.err
    assert "2 done, 1 failed" in answer.out
    assert read(place / "all.sqlite") == ROWS
    again = ambient("evaluate", "--store", "again.sqlite", "--merge", name)
    assert again.code == 0, again.err
    assert read(place / "again.sqlite") == ROWS
    assert read(place / "b.sqlite") == ROWS[1:]


def test_what_can_be_read_of_a_damaged_store_is_saved(ambient: Callable, place: Path) -> None:
    with sqlite3.connect(place / "b.sqlite") as connection:
        connection.execute("UPDATE evaluations SET reason = 'tampered', digest = 1 WHERE seed = 2")
    connection.close()
    refused = ambient("evaluate", "--store", "b.sqlite", "--export", "b.tsv")
    assert refused.code == 2
    assert "--salvage" in refused.err
    assert not (place / "b.tsv").exists()
    answer = ambient("evaluate", "--store", "saved.sqlite", "--salvage", "b.sqlite")
    assert answer.code == 0, answer.err
    assert "b.sqlite: 1 rows could be read, 1 are lost" in answer.err
    assert read(place / "saved.sqlite") == ROWS[1:2]


def test_training_says_what_it_cost(
    ambient: Callable, corpus: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = replace(fidelity.SEARCH, windows_per_epoch=64, epochs=2)
    monkeypatch.setitem(fidelity._NAMED, "search", quick)
    arguments = ["evaluate", corpus, "random:2", "--space", small_space(place), "--tasks", "Short1"]
    arguments += ["--store", "rows.sqlite", "--engine", "inline", "--export", "rows.tsv"]
    answer = ambient(*arguments)
    assert answer.code == 0, answer.err
    assert "2 done: " in answer.err
    assert " s CPU, 0.0 s GPU, " in answer.err
    assert "2 evaluations are in rows.sqlite" in answer.err
    assert ("kWh" in answer.err) != ("energy was not measured: " in answer.err)
    assert (place / "rows.tsv").read_text().count("Short1") >= 2
    assert ambient(*arguments).out == answer.out


def test_fewer_members_are_another_fidelity(
    ambient: Callable, corpus: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = replace(fidelity.FULL, windows_per_epoch=64, epochs=2, members=2)
    monkeypatch.setitem(fidelity._NAMED, "full", quick)
    arguments = ["evaluate", corpus, "random:1", "--space", small_space(place), "--tasks", "Short1"]
    arguments += ["--store", "rows.sqlite", "--engine", "inline", "--fidelity", "full"]
    for members in ([], ["--members", "2"], ["--members", "1"]):
        answer = ambient(*arguments, *members)
        assert answer.code == 0, answer.err
    with Store(place / "rows.sqlite") as store:
        assert {row.fidelity_hash for row in store.rows()} == {
            quick.hash,
            replace(quick, members=1).hash,
        }
        assert len(store) == 2, "as many members as the fidelity says are no other fidelity"


def small_space(place: Path) -> Path:
    path = place / "space.yaml"
    path.write_text(
        "name: small\nversion: 1\nwindow_bp: 100\ndecisions:\n"
        "  - name: first\n    choices: [{operation: convolution, filters: 4, kernel: 8}]\n"
        "  - {name: tail, choices: [global_max, global_average]}\n"
    )
    return path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--store", "absent.sqlite"], "absent.sqlite: there is no such store"),
        (["--store", "new.sqlite", "--merge", "absent.sqlite"], "absent.sqlite: there is no such"),
        (
            ["--store", "new.sqlite", "--salvage", "absent.sqlite"],
            "absent.sqlite: there is no such",
        ),
        (
            ["--store", "a.sqlite", "--export", "rows.csv"],
            "rows.csv: found a name that ends in none",
        ),
        (["--store", "a.sqlite", "--export", "absent/rows.tsv"], "absent does not exist"),
        (["--store", "a.sqlite", "--merge", "a.sqlite"], "a.sqlite: found the store itself"),
        (["--store", "a.sqlite", "--merge", "text.tsv"], "text.tsv: found something else"),
        (["--store", "a.sqlite", "--merge", "text"], "text: found"),
        (["--store", "text"], "text: found"),
        (["--store", "a.sqlite", "--tasks", "Reb1"], "--tasks: found no CORPUS"),
        (["--store", "a.sqlite", "--retry-failed"], "--retry-failed: found no CORPUS"),
        (["--store", "a.sqlite", "--workers", "2"], "--workers: found no CORPUS"),
        (["--store", "a.sqlite", "--members", "1"], "--members: found no CORPUS"),
        (["corpus.yaml"], "found no architecture"),
        (["{corpus}", "random:0"], "random:0"),
        (["{corpus}", "random:1", "--seeds", "1,b"], "--seeds: found '1,b'"),
        (["{corpus}", "random:1", "--tasks", "Absent"], "Absent"),
    ],
)
def test_a_users_mistake_is_said_in_a_sentence_and_changes_nothing(
    ambient: Callable, corpus: Path, place: Path, arguments: list[str], said: str
) -> None:
    (place / "text").write_text("chr1\t5\t9\n")
    (place / "text.tsv").write_text("chr1\t5\t9\n")
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    answer = ambient("evaluate", *(text.format(corpus=corpus) for text in arguments))
    assert answer.code == 2, answer
    assert said in answer.err
    last = answer.err.strip().splitlines()[-1]
    assert last.startswith("ambient: ")
    assert answer.out == ""
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
