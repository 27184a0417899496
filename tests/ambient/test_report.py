"""The page of a run: it says what the files hold, and loads nothing from elsewhere."""

from __future__ import annotations

import html
import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from html_page import Page

from ambient.errors import RunError
from ambient.report import write_report
from ambient.search.journal import Journal, read_journal


def load_generator() -> Any:
    """Load what makes a run up; tests are no package."""
    place = Path(__file__).resolve().parents[1] / "helpers" / "made_up_run.py"
    specification = importlib.util.spec_from_file_location("made_up_run", place)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


make_run = load_generator().make_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one run for the tests that only read it."""
    return make_run(tmp_path_factory.mktemp("runs") / "yeast-demo")


@pytest.fixture(scope="module")
def page(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """Write the page of that run and read it back."""
    output = tmp_path_factory.mktemp("pages") / "page.html"
    assert write_report(run, output) == output
    return Page(output.read_text(encoding="utf-8"))


def page_of(run: Path) -> Page:
    return Page(write_report(run).read_text(encoding="utf-8"))


def test_the_comparison_table_holds_the_numbers_of_the_file(page: Page, run: Path) -> None:
    rows = json.loads((run / "comparison.json").read_text())["rows"]
    for metric, table in zip(("test_auroc", "test_aupr"), page.tables[:2], strict=True):
        assert table[0][-1] == f"test {metric.removeprefix('test_').upper()} (no unit)"
        cells = {line[0]: line for line in table[2:]}
        for row in rows:
            random = [scores[metric] for scores in row["random"]]
            own = row["proposal"][metric]
            beaten = sum(own > score for score in random)
            line = cells[row["task"]]
            assert line[1] == row["category"]
            assert line[2] == f"{own:.3f}"
            assert line[3].startswith(f"{np.mean(random):.3f} (")
            assert line[4:6] == [f"{max(random):.3f}", f"{beaten} of {len(random)}"]
            assert line[6:] == [f"{row['kmer'][metric]:.3f}", f"{row['full'][metric]:.3f}"]
        means = cells[f"mean of {len(rows)} held-out"]
        assert means[2] == f"{np.mean([row['proposal'][metric] for row in rows]):.3f}"


def test_the_main_result_comes_first_and_counts_the_wins(page: Page, run: Path) -> None:
    rows = json.loads((run / "comparison.json").read_text())["rows"]
    own = [row["proposal"]["test_auroc"] for row in rows]
    means = [np.mean([scores["test_auroc"] for scores in row["random"]]) for row in rows]
    wins = sum(a > b for a, b in zip(own, means, strict=True))
    kmers = sum(row["proposal"]["test_auroc"] > row["kmer"]["test_auroc"] for row in rows)
    assert f"reach a mean test AUROC of {np.mean(own):.3f}, random" in page.words
    assert f"architectures {np.mean(means):.3f}. The mean gain" in page.words
    assert f"10 a task; proposal above on {wins} of 4" in page.words
    assert f"logistic regression; proposal above on {kmers} of 4" in page.words
    assert page.words.index("Main result") < page.words.index("All networks were trained")


def test_the_header_says_what_was_done(page: Page) -> None:
    said = (
        "A controller was trained jointly on 8 tasks over the search space ambient-10: 60 steps, "
        "602 evaluations, 62 minutes. "
        "2 evaluations failed and count as the task's floor. "
        "4 tasks the controller never saw serve as the test. Seed 11. Version 0.1.0 of ambient."
    )
    assert said in page.words


def test_nothing_is_loaded_from_elsewhere_and_plotly_is_there_once(run: Path, page: Page) -> None:
    from plotly.offline import get_plotlyjs

    text = write_report(run).read_text(encoding="utf-8")
    assert text.count(get_plotlyjs()[:60]) == 1
    assert all(place.startswith("#") for place in page.loaded), page.loaded
    assert not {"link", "img", "iframe", "object", "embed", "base"} & set(page.tags)
    ours = text.replace(get_plotlyjs(), "")
    assert not re.search(r"https?://|@import|url\(", ours)
    assert "default-src 'none'" in html.unescape(ours)


def test_every_figure_has_titled_axes_and_a_caption(page: Page) -> None:
    assert len(page.figures) == 11
    for figure in page.figures:
        assert figure["layout"]["xaxis"]["title"]["text"]
    assert page.captions == len(page.figures) + 12 * 3  # and three logos for each task


def test_names_of_users_are_text_and_never_markup(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)></script><b>Reb1&amp;\"'"
    run = make_run(tmp_path / "<i>run", training=("Abf1", evil), held_out=(f"held {evil}",))
    text = write_report(run).read_text(encoding="utf-8")
    found = Page(text)
    assert "img" not in found.tags
    assert "i" not in found.tags
    assert "onerror=alert(1)>" not in text
    assert found.tables[0][2][0] == f"held {evil}"
    ticks = found.figures[0]["layout"]["yaxis"]["ticktext"]
    assert ticks == [
        "held &lt;img src=x onerror=alert(1)&gt;&lt;/script&gt;&lt;b&gt;Reb1&amp;amp;\"'"
    ]


def test_what_is_absent_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    whole = page_of(run).words
    assert "is absent" not in whole
    names = ["journal.jsonl", "descriptors.json", "proposals.json", "comparison.json"]
    for count, name in enumerate(names, start=1):
        (run / name).unlink()
        words = page_of(run).words
        assert words.count("is absent") == count
        command = (
            "To train one .*ambient evaluate" if "comparison" in name else "Make it with +ambient"
        )
        assert re.search(rf"{name} +is absent: .*{command} \w+", words)
    assert "No training of a controller is recorded in this run." in words
    assert "Main result" not in words
    assert "Configuration" in words


def test_a_task_that_was_trained_on_does_not_count_as_held_out(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    content = json.loads((run / "comparison.json").read_text())
    content["rows"][0]["task"] = "Reb1"
    (run / "comparison.json").write_text(json.dumps(content))
    found = page_of(run)
    assert "On 3 held-out tasks" in found.words
    assert any(line[0] == "Reb1 (trained on)" for line in found.tables[0])


def test_one_held_out_task_claims_nothing_about_others(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", held_out=("Tbf1",), random_architectures=3, full=False)
    words = page_of(run).words
    assert "On Tbf1, held out, the proposed architecture reaches a test AUROC of" in words
    assert "One task says nothing about others" in words
    assert "over tasks" not in words


def test_proposals_are_spelled_out_with_probability_and_neighbours(page: Page, run: Path) -> None:
    entries = json.loads((run / "proposals.json").read_text())
    for entry in entries:
        first = entry["proposals"][0]["architecture"]["layers"][0]
        dilation = ", dilation 2" if first["dilation"] == 2 else ""
        assert f"16 filters × {first['kernel']}{dilation}, ReLU" in page.words
        near = ", ".join(f"{name} ({far:.2f})" for name, far in entry["proposals"][0]["nearest"])
        assert f"Probability 0.013. Nearest training tasks: {near}." in page.words
    assert "The 4 held-out tasks got 4 different architectures." in page.words


def test_a_controller_that_proposes_one_network_for_all_is_exposed(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    entries = json.loads((run / "proposals.json").read_text())
    for entry in entries:
        entry["proposals"] = entries[0]["proposals"]
    (run / "proposals.json").write_text(json.dumps(entries))
    assert "1 different architecture: the descriptors made no difference." in page_of(run).words


def test_the_strongest_three_motifs_of_each_task_are_drawn_in_order(page: Page, run: Path) -> None:
    described = json.loads((run / "descriptors.json").read_text())
    motifs = [motif["consensus"] for motif in described["Fkh1"]["motifs"]]
    places = [page.words.index(f" {motifs[index]} :") for index in (1, 0, 2)]
    assert places == sorted(places)
    assert f" {motifs[3]} :" not in page.words


def test_provenance_names_files_hashes_rows_and_what_was_left_out(page: Page, run: Path) -> None:
    described = json.loads((run / "descriptors.json").read_text())
    lines = {line[0]: line for line in page.tables[-1]}
    source = described["Reb1"]["sources"]["peaks"]
    rows = f"{source['rows']:,}"
    expected = ["peaks", source["sha256"][:12], rows, "duplicate: 3", "Reb1"]
    assert lines["Reb1.bed.gz"][1:] == expected
    assert lines["sacCer3.fa.gz"][1:] == ["genome", "ab" * 6, "17", "nothing", "12 tasks"]


def test_a_folder_without_a_configuration_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"config\.yaml"):
        write_report(tmp_path)
    with pytest.raises(RunError, match="no folder"):
        write_report(tmp_path / "absent")
    assert not list(tmp_path.iterdir())


def test_a_torn_last_line_is_left_out_and_said(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    path = run / "journal.jsonl"
    text = path.read_text()
    path.write_text(text + '{"step": 61, "eval')
    words = page_of(run).words
    assert "The last line of the journal was cut and is left out." in words
    assert "60 steps" in words
    lines = text.splitlines()
    lines[4] = '{"step": 5, "eval'
    path.write_text("\n".join(lines))
    with pytest.raises(RunError, match=r"journal\.jsonl:5: "):
        write_report(run)


def test_the_page_reads_the_steps_that_a_resume_would_read(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    path = run / "journal.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]).rstrip("\n"))  # the second is whole but for its end
    assert len(read_journal(path)) == 1
    words = page_of(run).words
    assert "The last line of the journal was cut and is left out." in words
    assert "1 step," in words
    path.write_text(lines[0] + '{"step": 1, "eval\n')  # no crash ends a line that it cuts
    for read in (read_journal, lambda _: write_report(run)):
        with pytest.raises(RunError, match=r"journal\.jsonl:2: found a damaged line"):
            read(path)


def test_a_line_that_its_hash_does_not_fit_is_in_no_page(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    path = run / "journal.jsonl"
    steps = read_journal(path)
    with Journal(path) as journal:
        for step in steps:
            journal.append(step)
    assert "60 steps" in page_of(run).words
    lines = path.read_text().splitlines(keepends=True)
    lines[6] = lines[6].replace('"wall_seconds": 61.5', '"wall_seconds": 91.5')
    path.write_text("".join(lines))
    with pytest.raises(RunError, match=r"journal\.jsonl:7: found a damaged line \(SHA-256"):
        write_report(run)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("config.yaml", "a: [", "not YAML"),
        (
            "journal.jsonl",
            '{"step": 1, "evaluations": [{"task": "a", "state": "done", "metrics": {"m": "x"}}], '
            '"logs": {}, "wall_seconds": 1.5}\n',
            "number",
        ),
        ("descriptors.json", "[]", "a mapping was needed"),
        ("descriptors.json", '{"a": {"values": {"n_peaks": "many"}}}', "n_peaks"),
        (
            "descriptors.json",
            '{"a": {"values": {}, "motifs": [{"name": "m", "probabilities": [[1, 2]]}]}}',
            "motif m",
        ),
        ("proposals.json", '[{"task": "a"}]', "proposals"),
        ("comparison.json", '{"rows": [{"task": "a"}]}', "proposal"),
        ("comparison.json", "{", "not JSON"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, name: str, content: str, said: str) -> None:
    run = make_run(tmp_path / "run")
    (run / name).write_text(content)
    with pytest.raises(RunError, match=said) as caught:
        write_report(run)
    assert name in str(caught.value)
    assert not (run / "report.html").exists()


def test_missing_scores_are_shown_as_missing(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    content = json.loads((run / "comparison.json").read_text())
    content["rows"][1]["proposal"] = {"test_auroc": None, "test_aupr": None}
    content["rows"][2].pop("kmer")
    (run / "comparison.json").write_text(json.dumps(content))
    found = page_of(run)
    lines = {line[0]: line for line in found.tables[0]}
    assert lines["War1"][2] == "–"
    assert lines["H4ac"][6] == "–"
    assert "On 3 held-out tasks" in found.words
