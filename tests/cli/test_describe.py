"""`ambient describe` as a user calls it: JSON, TSV, page, and the table that explains."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from ambient.cli.describe import say_what_was_left_out
from ambient.controller.card import Controller
from ambient.data.table import read_table
from descriptors import Descriptors, pipeline
from descriptors.motifs import find_motifs
from descriptors.schema import NAMES


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for one motif of one length only."""
    few = partial(find_motifs, lengths=(6,), motifs_per_length=1)
    monkeypatch.setattr(pipeline, "find_motifs", few)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("described")


@pytest.fixture
def table(ambient: Callable, corpus: Path, folder: Path) -> Path:
    """The corpus's table, made once."""
    path = folder / "corpus.tsv"
    if not path.exists():
        arguments = ["describe", corpus, "--output", path, "--workers", 1, "--cache", folder]
        answer = ambient(*arguments, "--page", folder / "corpus.html")
        assert answer.code == 0, answer.err
        assert "describing: 4 of 4" in answer.err
        assert re.search(r"left out of the peaks: [\d,]+ on a chromosome", answer.err)
        assert f"wrote {path}" in answer.out
        assert "corpus.html" in answer.out
    return path


def test_a_corpus_becomes_a_tidy_table(table: Path) -> None:
    lines = [line.split("\t") for line in table.read_text().splitlines()]
    assert lines[0] == ["task", "category", "held_out", *NAMES]
    assert len(lines) == 1 + 4
    assert {len(line) for line in lines} == {43}
    assert [line[2] for line in lines[1:]] == ["false", "false", "false", "true"]
    place = lines[0].index("motif8_strand_bias_max")
    assert {line[place] for line in lines[1:]} == {""}  # not looked for here
    assert "None" not in table.read_text()


def test_the_page_of_a_corpus_holds_figures_tables_and_sources(table: Path, folder: Path) -> None:
    page = (folder / "corpus.html").read_text()
    figures = re.findall(r'<script type="application/json">(.*?)</script>', page)
    assert len(figures) == 2
    heat_map, plane = map(json.loads, figures)
    assert len(heat_map["data"][0]["z"]) == 40
    tasks = {line.split("\t")[0] for line in table.read_text().splitlines()[1:]}
    assert {name for trace in plane["data"] for name in trace["text"]} == tasks
    assert "1 task of them is held out" in page
    assert "on a chromosome that was not asked for" in page
    assert "genome.fa" in page


def test_the_second_time_it_is_remembered(
    ambient: Callable, corpus: Path, table: Path, folder: Path
) -> None:
    made = {path: path.stat().st_mtime_ns for path in (folder / "descriptors").iterdir()}
    assert len(made) == 4
    answer = ambient("describe", corpus, "--cache", folder, "--workers", 1)
    assert answer.code == 0
    assert answer.out == table.read_text()
    assert {path: path.stat().st_mtime_ns for path in (folder / "descriptors").iterdir()} == made


def test_a_corpus_is_explained_by_its_quantiles(
    ambient: Callable, corpus: Path, table: Path, folder: Path
) -> None:
    answer = ambient("describe", corpus, "--cache", folder, "--workers", 1, "--explain")
    assert answer.code == 0, answer.err
    row = next(line for line in answer.out.splitlines() if line.split()[:1] == ["n_peaks"])
    peaks = sorted(value for value in read_table(table)["n_peaks"] if value is not None)
    cells = row.split()
    assert (cells[1], cells[5]) == (f"{peaks[0]:.0f}", f"{peaks[-1]:.0f}")
    assert row.rstrip().endswith("number of peaks")
    for name in NAMES:
        assert re.search(rf"^ {name} ", answer.out, re.MULTILINE)


@pytest.fixture
def one(ambient: Callable, corpus: Path, folder: Path) -> Path:
    """The descriptors of one data set, made once, with the table that explains them beside."""
    path = folder / "one.json"
    if not path.exists():
        peaks = sorted((corpus.parent / "peaks").iterdir())[0]
        arguments = ["describe", peaks, "--genome", corpus.parent / "genome.fa", "--category", "tf"]
        answer = ambient(*arguments, "--output", path, "--explain")
        assert answer.code == 0, answer.err
        assert f"wrote {path}" in answer.err
        assert "missing: pass --annotation" in answer.out
    return path


def test_the_numbers_do_not_depend_on_the_explanation(
    ambient: Callable, corpus: Path, one: Path
) -> None:
    peaks = sorted((corpus.parent / "peaks").iterdir())[0]
    answer = ambient("describe", peaks, "--genome", corpus.parent / "genome.fa", "--category", "tf")
    assert answer.out == one.read_text()
    assert Descriptors.load(one).sources["peaks"]["chromosomes"] is None


def test_a_data_set_is_placed_among_the_tasks_of_a_table(
    ambient: Callable, one: Path, table: Path, tmp_path: Path
) -> None:
    content = json.loads(one.read_text())
    content["values"]["n_peaks"] = 1e9
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(content))
    answer = ambient("describe", changed, "--explain", "--against", table)
    assert answer.code == 0, answer.err
    row = next(line for line in answer.out.splitlines() if line.split()[:1] == ["n_peaks"])
    assert "above all 4" in row
    assert "Outside the range of the tasks" in answer.out
    assert re.search(r"is_tf +yes +as 2 of 4", answer.out)
    assert "All chromosomes count here" in answer.out


def test_a_data_set_is_placed_among_the_tasks_of_a_controller(
    ambient: Callable, one: Path, small_run: Path
) -> None:
    tasks = len(Controller.load(small_run).tasks)
    answer = ambient("describe", one, "--explain", "--against", small_run)
    assert answer.code == 0, answer.err
    assert f"among {tasks}" in answer.out


def test_what_was_left_out_is_said_with_the_table_or_without(
    ambient: Callable, corpus: Path
) -> None:
    peaks = sorted((corpus.parent / "peaks").iterdir())[0]
    rows = peaks.read_text().splitlines()
    kept = sum(line.startswith("chr1\t") for line in rows)
    arguments = [
        "describe",
        peaks,
        "--genome",
        corpus.parent / "genome.fa",
        "--chromosomes",
        "chr1",
    ]
    answer = ambient(*arguments)
    assert answer.code == 0, answer.err
    said = f"peaks ({peaks.name}): {len(rows) - kept:,} on a chromosome that was not asked for"
    assert f"left out of the {said}" in answer.err
    explained = ambient(*arguments, "--explain")
    assert said in explained.out
    assert said not in explained.err


def test_factors_that_no_table_lists_are_said_once_for_a_corpus(
    one: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = Descriptors.load(one)
    unknown = {
        f"Xyz{at}": replace(
            plain,
            values=plain.values | {"has_c2h2_zinc_finger": None, "has_bzip_maf": None},
            sources=plain.sources | {"interpro": {"factor": f"Xyz{at}", "listed": False}},
        )
        for at in range(7)
    }
    say_what_was_left_out({"plain": plain, **unknown})
    assert (
        "no table of domains lists the factor of 7 of 8 tasks (Xyz0, Xyz1, Xyz2, Xyz3, Xyz4, ...)"
        in (capsys.readouterr().err)
    )
    say_what_was_left_out({"plain": plain})
    assert "no table" not in capsys.readouterr().err


def test_motifs_of_another_finder_than_the_controllers_are_refused(
    ambient: Callable, one: Path, small_run: Path, tmp_path: Path
) -> None:
    shutil.copytree(small_run / "controller", tmp_path / "controller")
    card = json.loads((tmp_path / "controller" / "card.json").read_text())
    card["descriptors"]["motif_finder"] = Descriptors.load(one).motif_finder
    (tmp_path / "controller" / "card.json").write_text(json.dumps(card))
    answer = ambient("propose", one, "--controller", tmp_path / "controller")
    assert answer.code == 0
    assert "motifs" not in answer.err
    described = json.loads(one.read_text())
    described["sources"]["motifs"] = {"finder": "homer2"}
    (tmp_path / "homer.json").write_text(json.dumps(described))
    refused = ambient("propose", tmp_path / "homer.json", "--controller", tmp_path / "controller")
    assert (refused.code, refused.out) == (2, "")
    assert "the motifs were found by HOMER, but those of the controller's" in refused.err
    assert "describe the data set anew without --homer and --run-homer" in refused.err
    against = ["--explain", "--against", tmp_path / "controller"]
    explained = ambient("describe", tmp_path / "homer.json", *against)
    assert explained.code == 0
    assert "the motifs were found by HOMER, but those of the controller's" in explained.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ONE", "--against", "TABLE"], "without --explain"),
        (["ONE", "--explain", "--against", "ONE"], 'no column "is_tf"'),
        (["ONE", "--explain", "--against", "nothing"], "no such folder or name"),
        (["ONE", "--explain", "--against", "absent.tsv"], "absent.tsv: the table cannot be read"),
        (["ONE", "--genome", "TABLE"], "which are finished"),
        (["ONE", "--page", "x.html"], "--page was given"),
        (["ONE", "--workers", "2"], "--workers was given"),
        (["CORPUS", "--explain", "--against", "TABLE"], "--against was given with the corpus"),
        (["CORPUS", "--category", "tf"], "--category was given with the corpus"),
        (["CORPUS", "--page", "nowhere/x.html"], "nowhere does not exist"),
    ],
)
def test_what_does_not_go_together_is_a_users_mistake(
    ambient: Callable, corpus: Path, one: Path, table: Path, arguments: list[str], said: str
) -> None:
    places = {"ONE": one, "TABLE": table, "CORPUS": corpus}
    answer = ambient("describe", *(places.get(word, word) for word in arguments))
    assert answer.code == 2
    assert said in answer.err
