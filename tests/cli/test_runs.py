"""A run's folder as a user meets it: made where it is asked for, left as it was by a mistake, gone on with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from small_space import SPACE


@pytest.fixture
def search(ambient: Callable, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Search a small space at random; further options follow."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ambient.evaluate.energy.find_spec", lambda name: None)
    (tmp_path / "small.yaml").write_text(SPACE)
    usual = ("--method", "random", "--evaluations", 1, "--batch", 1, "--engine", "inline")
    return lambda output, *more: ambient(
        *("search", corpus, "--task", "Short1", "--output", output, *usual, *more)
    )


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        (
            ("--engine", "table:nosuch.sqlite"),
            "--engine table:nosuch.sqlite: there is no file nosuch",
        ),
        (("--engine", "table:small.yaml"), "small.yaml"),
        (("--store", "small.yaml"), "small.yaml"),
        (("--store", "."), "found a folder where a file's name was needed"),
        (("--max-parameters", 1), "none of 0 evaluations has a validation_auroc"),
    ],
)
def test_a_mistake_leaves_the_place_as_it_was_and_the_corrected_command_runs(
    search: Callable, tmp_path: Path, mistake: tuple[object, ...], said: str
) -> None:
    before = sorted(tmp_path.iterdir())
    answer = search("runs/here", "--space", "small.yaml", *mistake)
    assert answer.code == 2, answer.err
    assert said in answer.err
    assert sorted(tmp_path.iterdir()) == before
    answer = search("runs/here", "--space", "small.yaml")
    assert answer.code == 0, answer.err
    assert (tmp_path / "runs" / "here" / "best.json").is_file()


def test_a_run_that_goes_on_has_its_own_space_and_one_that_is_not_there_is_told_of(
    search: Callable, tmp_path: Path
) -> None:
    answer = search("run", "--space", "small.yaml", "--resume")
    assert answer.code == 0, answer.err
    assert "run: found no run to go on with; begins one" in answer.err
    answer = search("run", "--resume", "--evaluations", 2)
    assert answer.code == 0, answer.err
    assert "found no run" not in answer.err
    assert (
        yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["space"]["name"] == "small"
    )


def test_where_all_failed_the_reason_is_said(search: Callable) -> None:
    answer = search("run", "--space", "small.yaml", "--device", "cuda:99")
    assert answer.code == 2
    assert "none of 1 evaluations has a validation_auroc, 1 failed, the first with" in answer.err
    assert "begin anew with another --output" in answer.err


def test_what_differs_from_the_run_is_named_and_no_more(search: Callable) -> None:
    search("run", "--space", "small.yaml")
    answer = search("run", "--space", "small.yaml", "--resume", "--fidelity", "full")
    assert answer.code == 2
    assert "begun with fidelity.batch_size = 64, found 32 now" in answer.err


def test_training_that_goes_on_keeps_its_space_and_constants(
    ambient: Callable, corpus: Path, tmp_path: Path
) -> None:
    (tmp_path / "small.yaml").write_text(SPACE)
    (tmp_path / "tiny.yaml").write_text(
        "fidelity: {like: search, name: tiny, windows_per_epoch: 64, epochs: 2}\n"
        "controller: {tasks_per_step: 1, architectures_per_task: 1}\n"
    )
    own = ("--space", tmp_path / "small.yaml", "--config", tmp_path / "tiny.yaml")
    begin = ("train", corpus, "--output", tmp_path / "run", "--engine", "inline")
    answer = ambient(*begin, "--steps", 1, *own)
    assert answer.code == 0, answer.err
    answer = ambient(*begin, "--steps", 2, "--resume")
    assert answer.code == 0, answer.err
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert (config["space"]["name"], config["fidelity"]["name"], config["steps"]) == (
        *("small", "tiny"),
        2,
    )
    answer = ambient(*begin, "--steps", 2, "--resume", "--tasks", 2)
    assert answer.code == 2
    assert answer.err.count("\n") <= 2
    assert "the run was begun with " in answer.err


def test_what_is_no_store_is_not_merged_and_leaves_no_store(
    ambient: Callable, tmp_path: Path
) -> None:
    (tmp_path / "no.yaml").write_text("a: 1\n")
    answer = ambient(
        "evaluate", "--store", tmp_path / "new.sqlite", "--merge", tmp_path / "no.yaml"
    )
    assert answer.code == 2
    assert "no.yaml: found neither a store nor a table" in answer.err
    assert not (tmp_path / "new.sqlite").exists()


def test_no_output_takes_the_place_of_what_is_read(
    ambient: Callable, corpus: Path, small_run: Path, tmp_path: Path
) -> None:
    genome, peaks = tmp_path / "genome.fa", tmp_path / "peaks.bed"
    genome.write_bytes((corpus.parent / "genome.fa").read_bytes())
    peaks.write_bytes(sorted((corpus.parent / "peaks").iterdir())[0].read_bytes())
    described = tmp_path / "d.json"
    assert ambient("describe", peaks, "--genome", genome, "--output", described).code == 0
    assert ambient("describe", peaks, "--genome", genome, "--output", described).code == 0
    before = {path: path.read_bytes() for path in (genome, peaks, described)}
    for command, said in (
        (
            ("describe", peaks, "--genome", genome, "--output", peaks),
            "one of the files that are read",
        ),
        (
            ("describe", peaks, "--genome", genome, "--output", genome),
            "one of the files that are r",
        ),
        (
            ("propose", described, "--controller", "yeast", "--output", described),
            "one of the files",
        ),
        (("report", small_run, "--output", genome), "found a file that is no page"),
    ):
        answer = ambient(*command)
        assert answer.code == 2, command
        assert said in answer.err
    assert {path: path.read_bytes() for path in before} == before
