"""BioNAS's recorded table: its rows are the architectures of bionas-4, and regret is what it is said to be."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
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


def test_a_search_sees_recorded_trainings_once_for_each_architecture_or_anew(
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
    once = benchmark.search(engine, "once", "evolution", 3)
    assert once == benchmark.search(engine, "once", "evolution", 3)
    assert len({row[4] for row in once}) == len(once) <= 100
    anew = benchmark.search(engine, "anew", "evolution", 3)
    assert len(anew) == 200 > len({row[4] for row in anew})
    for rows in (once, anew):
        assert [row[3] for row in rows] == list(range(1, len(rows) + 1))
        assert all(row[5] in losses[row[4]] for row in rows)
    # A repetition is a training of its own, so that not all repetitions earn the same.
    assert len({row[4:] for row in anew}) > len({row[4] for row in anew})


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(-64, 0)), min_size=1, max_size=30),
    st.sampled_from([0.0, 1.0]),
)
def test_regret_equals_a_plain_loop(steps: list[tuple[int, int]], prior: float) -> None:
    medians = np.linspace(0.5, 0.05, 10)
    rows = [("p", "m", 0, n, number, value / 64) for n, (number, value) in enumerate(steps, 1)]
    found = benchmark.regrets(rows, medians, 40, prior)
    assert len(found) == 40
    for budget in range(1, 41):
        seen: dict[int, list[float]] = {}
        for row in rows[:budget]:
            seen.setdefault(row[4], []).append(row[5])
        every = [value for values in seen.values() for value in values]
        mean = sum(every) / len(every)
        scores = {k: (sum(v) + prior * mean) / (len(v) + prior) for k, v in seen.items()}
        best = max(scores.values())
        allowed = {float(medians[k]) - 0.05 for k, v in scores.items() if v >= best - 1e-12}
        assert any(found[budget - 1] == pytest.approx(one) for one in allowed)


def test_where_each_is_trained_once_the_highest_reward_is_chosen() -> None:
    rows = [("p", "m", 0, n, n, -abs(n - 4.25)) for n in range(1, 9)]
    medians = np.arange(10.0)
    for prior in (0.0, 1.0):
        found = benchmark.regrets(rows, medians, 8, prior)
        assert found.tolist() == [1, 2, 3, 4, 4, 4, 4, 4]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    rows = [("anew", "random", 0, 1, 17, -0.25), ("anew", "random", 0, 2, 3, -0.125)]
    benchmark.write_rows(rows[::-1], tmp_path / "rows.tsv.gz")
    assert benchmark.read_rows(tmp_path / "rows.tsv.gz") == rows
