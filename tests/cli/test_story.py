"""The verbs one after the other, as a user would call them, on a simulated corpus."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TINY = """
fidelity: {like: search, name: tiny, windows_per_epoch: 64, epochs: 2}
controller: {tasks_per_step: 2, architectures_per_task: 2}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("config") / "tiny.yaml"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, corpus: Path, config: Path) -> Path:
    """A run that the installed program made."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    program = Path(sys.executable).parent / "ambient"
    arguments = [program, "train", corpus, "--output", folder, "--steps", "2", "--config", config]
    done = subprocess.run([*arguments, "--workers", "2"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_train_leaves_everything_in_the_runs_folder(run: Path) -> None:
    held = {path.name for path in run.iterdir()}
    needed = {"config.yaml", "descriptors.json", "journal.jsonl", "checkpoints", "controller"}
    assert needed | {"store.sqlite", "proposals.json", "report.html"} <= held
    assert len((run / "journal.jsonl").read_text().splitlines()) == 2
    proposals = json.loads((run / "proposals.json").read_text())
    assert [entry["held_out"] for entry in proposals] == [True]
    trained = {row["task"] for line in _journal(run) for row in line["evaluations"]}
    assert proposals[0]["task"] not in trained


def _journal(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "journal.jsonl").read_text().splitlines()]


def test_train_goes_on_only_when_asked(
    ambient: Callable, corpus: Path, config: Path, run: Path
) -> None:
    arguments = ["train", corpus, "--output", run, "--config", config, "--engine", "inline"]
    refused = ambient(*arguments, "--steps", 3)
    assert refused.code == 2
    assert "--resume" in refused.err
    answer = ambient(*arguments, "--steps", 3, "--resume", "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["steps"] == 3
    assert [line["step"] for line in _journal(run)] == [0, 1, 2]


def test_propose_gives_the_same_from_descriptors_as_the_run(
    ambient: Callable, run: Path, tmp_path: Path
) -> None:
    entry = json.loads((run / "proposals.json").read_text())[0]
    described = json.loads((run / "descriptors.json").read_text())[entry["task"]]
    path = tmp_path / "task.json"
    path.write_text(json.dumps(described))
    answer = ambient("propose", path, "--controller", run, "--top", 3, "--json")
    assert answer.code == 0, answer.err
    proposals = json.loads(answer.out)["proposals"]
    assert [one["architecture"] for one in proposals] == [
        one["architecture"] for one in entry["proposals"]
    ]
    probabilities = [one["probability"] for one in proposals]
    assert probabilities == sorted(probabilities, reverse=True)
    words = ambient("propose", path, "--controller", run).out
    assert proposals[0]["summary"] in words


def test_evaluate_remembers_what_it_trained(
    ambient: Callable, corpus: Path, run: Path, tmp_path: Path
) -> None:
    store = tmp_path / "rows.sqlite"
    small = tmp_path / "space.yaml"
    small.write_text(
        "name: small\nversion: 1\nwindow_bp: 200\ndecisions:\n"
        "  - name: first\n    choices: [{operation: convolution, filters: 4, kernel: 8}]\n"
        "  - {name: tail, choices: [global_max, global_average]}\n"
    )
    task = json.loads((run / "proposals.json").read_text())[0]["task"]
    arguments = ["evaluate", corpus, "random:2", "--space", small, "--tasks", task]
    arguments += ["--store", store, "--engine", "inline", "--json"]
    first = ambient(*arguments)
    assert first.code == 0, first.err
    rows = json.loads(first.out)
    assert len(rows) == 2
    assert all(0 <= row["validation_auroc"] <= 1 for row in rows)
    assert json.loads(ambient(*arguments).out) == rows  # to the last digit of its seconds


def test_propose_with_fit_goes_from_peaks_to_a_model(
    ambient: Callable, corpus: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from ambient.child import fidelity

    quick = replace(fidelity.FULL, name="quick", windows_per_epoch=64, epochs=2, members=2)
    monkeypatch.setattr(fidelity, "FULL", quick)
    peaks = sorted((corpus.parent / "peaks").iterdir())[0]
    folder = tmp_path / "model"
    answer = ambient(
        *("propose", peaks, "--genome", corpus.parent / "genome.fa", "--controller", run, "--fit"),
        *("--window", 200, "--category", "tf", "--output", folder),
    )
    assert answer.code == 0, answer.err
    assert "5-mer regression" in answer.out
    metrics = json.loads((folder / "metrics.json").read_text())
    described = json.loads((folder / "descriptors.json").read_text())
    held_back = set(metrics["split"]["validation"]) | set(metrics["split"]["test"])
    assert held_back
    assert not held_back & set(metrics["split"]["train"])
    counted = described["values"]["n_peaks"]
    assert counted <= len(peaks.read_text().splitlines()) - sum(
        line.split("\t")[0] in held_back for line in peaks.read_text().splitlines()
    )
    script = "from model import load, predict\nprint(float(predict(load(), ['ACGT' * 50])[0, 0]))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True
    )
    assert 0 <= float(done.stdout) <= 1


def test_report_writes_a_page(ambient: Callable, run: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    answer = ambient("report", run, "--output", page)
    assert answer.code == 0, answer.err
    assert page.read_text().lower().startswith("<!doctype html>")
