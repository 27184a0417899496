"""Tables of evaluations: what goes out comes back in, in each format; what is none is refused."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_rows import failed, several, write_unknown_fidelity
from tiny_children import evaluation

from ambient.errors import RunError
from ambient.evaluate import Evaluation, Store
from ambient.evaluate.exchange import export_table, import_table, to_table
from ambient.space import Architecture

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "store.sqlite") as opened:
        yield opened


@pytest.fixture(params=["rows.tsv", "rows.tsv.gz", "rows.parquet"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file to write, in each format."""
    if request.param == "rows.parquet":
        pytest.importorskip("pyarrow", reason="pyarrow, of the extra [parquet], is not installed")
    return tmp_path / request.param


@settings(max_examples=15, deadline=None)
@given(several, st.sampled_from(["rows.tsv", "rows.tsv.gz", "rows.parquet"]))
def test_what_is_exported_is_imported_the_same(rows: list[Evaluation], name: str) -> None:
    if name == "rows.parquet":
        pytest.importorskip("pyarrow", reason="pyarrow, of the extra [parquet], is not installed")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        with Store(path / "a.sqlite") as store, Store(path / "b.sqlite") as other:
            store.put(*rows)
            assert export_table(store, path / name) == len(rows)
            assert import_table(other, path / name) == len(rows)
            assert list(other.rows()) == list(store.rows()) == rows
            assert import_table(other, path / name) == 0


def test_more_rows_than_are_held_at_once_come_back_in_order(
    store: Store, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ambient.evaluate.exchange_rows.CHUNK", 10)
    if table.suffix == ".parquet":
        monkeypatch.setattr("ambient.evaluate.exchange_parquet.ROW_GROUP", 20)
    one, two = evaluation(index=1), evaluation(index=2, metrics={"a": 0.5})
    rows = [replace(two if seed % 3 else one, seed=seed) for seed in range(53)]
    store.put(*rows)
    told: list[int] = []
    assert export_table(store, table, told.append) == sum(told) == 53
    with Store(table.with_name("other.sqlite")) as other:
        assert import_table(other, table, told.append) == 53
        assert list(other.rows()) == rows
    assert sum(told) == 2 * 53


def test_the_table_can_be_read_by_others_and_rebuilds_the_architecture(
    store: Store, table: Path
) -> None:
    store.put(
        evaluation(4, index=7, metrics={"validation_auroc": 0.625}, energy_kwh=1e-6), failed(5)
    )
    assert export_table(store, table) == 2
    frame = pd.read_parquet(table) if table.suffix == ".parquet" else pd.read_csv(table, sep="\t")
    assert frame["seed"].tolist() == [4, 5]
    assert frame["validation_auroc"].isna().tolist() == [False, True]
    assert frame["energy_kwh"][0] == 1e-6
    assert frame["reason"][1] == "it broke"
    architecture = Architecture.from_json(frame["architecture_json"][0])
    assert architecture == evaluation(index=7).architecture
    assert architecture.key == frame["architecture"][0]


def test_equal_rows_give_equal_bytes(store: Store, table: Path) -> None:
    store.put(*(evaluation(seed, created="then") for seed in range(9)))
    export_table(store, table)
    first = table.read_bytes()
    export_table(store, table)
    assert table.read_bytes() == first


def test_what_schema_1_exported_is_imported(store: Store) -> None:
    path = GOLDEN / "evaluations-1.tsv.gz"
    rows = len(pd.read_csv(path, sep="\t"))
    assert rows == 120
    assert import_table(store, path) == rows == len(store)
    assert store.count(state="done") == 120
    row = next(store.rows())
    assert (row.gpu_seconds, row.details) == (0.0, {})
    assert 0 < (row.metrics["test_auroc"] or 0) < 1


def test_a_metric_named_as_a_column_is_kept_beside_the_others(store: Store, table: Path) -> None:
    row = evaluation(3, metrics={"seed": 0.5, "task": 0.25})
    store.put(row)
    export_table(store, table)
    with Store(table.with_name("other.sqlite")) as other:
        import_table(other, table)
        assert list(other.rows()) == [row]


def test_rows_of_other_versions_are_in_the_table(store: Store, table: Path) -> None:
    store.put(evaluation(0, version="9.9"))
    write_unknown_fidelity(store)
    assert to_table(store)["fidelity_name"].tolist() == ["x"]
    assert export_table(store, table) == 1
    with Store(table.with_name("other.sqlite")) as other:
        with pytest.raises(RunError, match=r"rows\.\S+ row 1: .*written by ambient 9\.9.*unheard"):
            import_table(other, table)
        assert len(other) == 0


def test_an_empty_store_gives_an_empty_table_with_its_columns(store: Store, table: Path) -> None:
    frame = to_table(store)
    assert len(frame) == 0
    assert {"task", "architecture", "seed", "state", "gpu_seconds"} <= set(frame.columns)
    assert export_table(store, table) == 0
    assert import_table(store, table) == 0


@pytest.mark.parametrize("name", ["peaks.tsv", "peaks.tsv.gz", "peaks.parquet"])
@pytest.mark.parametrize("content", [b"", b"chr1\t5\t9\nchr1\t7\t9\n", b"\xff\xfe\x00", b"PAR1"])
def test_a_table_of_something_else_is_refused(store: Store, name: str, content: bytes) -> None:
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow", reason="pyarrow, of the extra [parquet], is not installed")
    path = store.path.with_name(name)
    with pytest.raises(RunError, match="no such table"):
        import_table(store, path)
    path.write_bytes(content)
    with pytest.raises(RunError, match=rf"{name}: found something else"):
        import_table(store, path)
    assert len(store) == 0


def test_a_table_that_ends_in_the_middle_says_how_much_is_taken_over(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ambient.evaluate.exchange_rows.CHUNK", 2)
    store.put(*(evaluation(seed) for seed in range(5)))
    path = tmp_path / "rows.tsv"
    export_table(store, path)
    content = path.read_bytes()
    cut = tmp_path / "cut.tsv"
    cut.write_bytes(content[: content[:-1].rindex(b"\n") + 99])
    packed = tmp_path / "cut.tsv.gz"
    packed.write_bytes(gzip.compress(content)[:-4])
    for number, damaged in enumerate((cut, packed)):
        with Store(tmp_path / f"{number}.sqlite") as other:
            with pytest.raises(
                RunError, match=r"cut\.\S+: found .*the 4 rows before are taken over"
            ):
                import_table(other, damaged)
            assert list(other.rows()) == list(store.rows())[:4]


def test_a_table_that_cannot_be_written_leaves_the_older_one_and_no_litter(
    store: Store, table: Path
) -> None:
    store.put(evaluation(0))
    export_table(store, table)
    before = table.read_bytes()
    store._connection.execute("UPDATE evaluations SET metrics = '{\"a\": 1}', digest = 5")
    with pytest.raises(RunError, match="other than it was written"):
        export_table(store, table)
    assert table.read_bytes() == before
    with pytest.raises(RunError, match="absent"):
        export_table(store, table.parent / "absent" / table.name)
    assert {path.name for path in table.parent.iterdir()} <= {
        *(table.name, "store.sqlite", "store.sqlite-wal", "store.sqlite-shm")
    }
