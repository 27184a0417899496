"""Engines by name: what each is opened with, and what it has no use for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_children import evaluation, pretend, request, tiny_task

from ambient.errors import RunError
from ambient.evaluate import InlineEngine, PoolEngine, Store, TableEngine
from ambient.evaluate.choose import EngineChoice, as_choice, open_engine
from ambient.evaluate.exchange import export_tsv

TASKS = {"tiny": tiny_task()}


def test_a_name_opens_its_engine_with_its_settings() -> None:
    with open_engine(EngineChoice("pool", 3, child_minutes=2), TASKS) as pool:
        assert isinstance(pool, PoolEngine)
        assert pool.capacity == 3
    with open_engine("inline", TASKS, 1, train=pretend) as inline:
        assert isinstance(inline, InlineEngine)
        assert [answer.is_done for answer in inline.run([request()])] == [True]


@pytest.mark.parametrize("name", ["rows.sqlite", "rows.tsv", "rows.tsv.gz"])
def test_a_table_replays_a_store_or_a_file_of_rows(name: str, tmp_path: Path) -> None:
    rows = [evaluation(seed) for seed in range(3)]
    with Store(tmp_path / "rows.sqlite") as store:
        store.put(*rows)
        if name != "rows.sqlite":
            export_tsv(store, tmp_path / name)
    with open_engine(f"table:{tmp_path / name}", {}) as table:
        assert isinstance(table, TableEngine)
        assert list(table.run([row.request for row in rows])) == rows


def test_a_table_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"found no file .*absent\.sqlite to replay"):
        open_engine(f"table:{tmp_path / 'absent.sqlite'}", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"name": "poll"}, r"found 'poll', needed one of pool, inline, ray, table:PATH"),
        ({"name": "table"}, r"found 'table', needed one of"),
        ({"name": "pool:5"}, r"found 'pool:5', needed one of"),
        (
            {"name": "inline", "workers": 2},
            r"workers = 2 for the inline engine.*choose pool or ray",
        ),
        ({"address": "auto"}, r"address = 'auto' for the pool engine.*choose ray"),
        ({"name": "table:x", "device": "cuda"}, r"device = 'cuda' for the table engine"),
        ({"workers": 0}, r"found workers = 0, needed more than 0"),
        ({"child_minutes": -1.0}, r"found child_minutes = -1\.0, needed more than 0"),
        ({"child_minutes": float("nan")}, r"found child_minutes = nan, needed more than 0"),
        (
            {"name": "ray", "address": "auto", "workers": 2},
            r"2 workers for the Ray cluster at auto",
        ),
        ({"name": "ray", "gpus_per_child": 0.5}, r"0\.5 GPUs for each child.*add --device cuda"),
    ],
)
def test_what_an_engine_has_no_use_for_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(RunError, match=message):
        EngineChoice(**settings)


def test_a_configuration_names_only_what_was_chosen() -> None:
    assert as_choice("pool", 2).to_dict() == {"engine": "pool", "workers": 2}
    chosen = EngineChoice("ray", device="cuda", gpus_per_child=0.25)
    assert chosen.to_dict() == {
        "engine": "ray",
        "workers": None,
        "device": "cuda",
        "gpus_per_child": 0.25,
    }
    assert as_choice(chosen) is chosen


def test_a_predictor_is_learned_by_train_alone(tmp_path: Path) -> None:
    choice = EngineChoice(f"predictor:{tmp_path / 'rows.sqlite'}")
    assert (choice.kind, choice.path, choice.trains) == (
        "predictor",
        tmp_path / "rows.sqlite",
        False,
    )
    with pytest.raises(
        RunError, match="needs the descriptors of the tasks, which only `ambient train`"
    ):
        open_engine(choice, TASKS)
