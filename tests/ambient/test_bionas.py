"""BioNAS's recorded table: its rows are the architectures of bionas-4, and regret is what it is said to be."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambient.evaluate import TableEngine
from ambient.space import named_space

ROOT = Path(__file__).resolve().parents[2]
SPACE = named_space("bionas-4")


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bionas", ROOT / "benchmarks/bionas/run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bionas"] = module
    spec.loader.exec_module(module)
    return module


benchmark: Any = load()


@pytest.fixture(scope="module")
def lines(real_data: Path) -> list[dict[str, str]]:
    path = real_data / "bionas" / "mock_black_box.tsv.gz"
    if not path.exists():
        pytest.skip("BioNAS's table is not beside this checkout (shared/data/bionas)")
    with gzip.open(path, "rt", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@pytest.fixture(scope="module")
def real_data() -> Path:
    return Path(benchmark.TABLE).parents[1]


def test_bionas_4_holds_the_216_architectures_of_the_paper() -> None:
    # BioNAS, supplementary table 1; DESIGN 7.
    assert SPACE.size == 216
    assert [len(decision.choices) for decision in SPACE.decisions] == [6, 3, 4, 3]
    assert len({one.key for one in SPACE.enumerate()}) == 216
    assert SPACE.window_bp == 200
    filters = {choice.parameters["filters"] for choice in SPACE.decisions[0].choices}
    kernels = [choice.parameters["kernel"] for choice in SPACE.decisions[0].choices]
    assert (filters, kernels) == ({3}, [8, 14, 20, 8, 14, 20])


def test_each_choice_is_the_one_that_the_tables_word_names() -> None:
    kinds = {
        "conv1d": "convolution", "regconv2d": "convolution", "identity": "identity",
        "maxpool1d": "max_pooling", "avgpool1d": "average_pooling", "flatten": "flatten",
        "globalmaxpool1d": "global_max", "globalavgpool1d": "global_average", "sfc": "attention",
        "dense": "dense",
    }  # fmt: skip
    for decision, words in zip(SPACE.decisions, benchmark.WORDS, strict=True):
        for choice, word in zip(decision.choices, words, strict=True):
            name, *numbers = word.split("_")
            assert choice.kind == kinds[name]
            for number in numbers:
                key = {"f": "filters", "k": "kernel", "u": "units"}[number[0]]
                assert choice.parameters[key] == int(number[1:])


def test_every_row_of_the_table_is_an_evaluation(lines: list[dict[str, str]]) -> None:
    rows = benchmark.read_table(benchmark.TABLE)
    assert len(rows) == len(lines) == 4320
    assert {row.architecture for row in rows} == set(SPACE.enumerate())
    assert {row.seed for row in rows} == set(range(1, 21))
    losses = np.array([float(line["loss"]) for line in lines])
    assert [-row.metrics["validation_reward"] for row in rows] == losses.tolist()
    medians = benchmark.median_losses(rows)
    best = ("conv1d_f3_k14", "identity", "sfc", "dense_u10")
    own = [float(x["loss"]) for x in lines if tuple(x[c] for c in benchmark.COLUMNS) == best]
    assert medians.min() == np.median(own)
    assert medians[benchmark.NUMBERS[(1, 0, 3, 1)]] == medians.min()


def test_a_search_sees_one_training_of_each_architecture_and_never_the_same_twice(
    lines: list[dict[str, str]],
) -> None:
    engine = TableEngine(benchmark.read_table(benchmark.TABLE))
    losses: dict[int, set[float]] = {}
    for line in lines:
        tokens = tuple(
            words.index(line[c])
            for words, c in zip(benchmark.WORDS, benchmark.COLUMNS, strict=True)
        )
        losses.setdefault(benchmark.NUMBERS[tokens], set()).add(-float(line["loss"]))
    rows = benchmark.search(engine, "evolution", 3)
    assert rows == benchmark.search(engine, "evolution", 3)
    assert [row[3] for row in rows] == list(range(1, len(rows) + 1))
    assert len({row[4] for row in rows}) == len(rows)
    assert all(row[5] in losses[row[4]] for row in rows)
    assert all(row[2] >= row[3] for row in rows)


def searches() -> st.SearchStrategy[list[tuple[int, int, float]]]:
    """Steps of (architectures asked for beside the new one, architecture, reward)."""
    step = st.tuples(st.integers(0, 3), st.integers(0, 9), st.floats(-1, 0))
    return st.lists(step, min_size=1, max_size=30)


@given(searches(), st.booleans())
def test_regret_equals_a_plain_loop(steps: list[tuple[int, int, float]], every: bool) -> None:
    medians = np.linspace(0.5, 0.05, 10)
    rows, sampled = [], 0
    for number, (repeated, architecture, reward) in enumerate(steps, start=1):
        sampled += 1 + repeated
        rows.append(("m", 0, sampled, number, architecture, reward))

    def plain() -> Iterator[float]:
        for budget in range(1, 41):
            best, loss = -np.inf, float(medians.max())
            for row in rows:
                if (row[2] if every else row[3]) <= budget and row[5] > best:
                    best, loss = row[5], float(medians[row[4]])
            yield loss - float(medians.min())

    assert benchmark.regrets(rows, medians, range(1, 41), every).tolist() == list(plain())


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    rows = [("random", 0, 5, 1, 17, -0.25), ("random", 0, 5, 2, 3, -0.125)]
    benchmark.write_rows(rows[::-1], tmp_path / "rows.tsv.gz")
    assert benchmark.read_rows(tmp_path / "rows.tsv.gz") == rows
