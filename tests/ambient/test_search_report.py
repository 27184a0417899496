"""The page of a search of one task: it says what the search found, and has no section without content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from html_page import Page
from tiny_children import SPACE, TINY, tiny_task

from ambient.errors import RunError
from ambient.report import write_report
from ambient.search.journal import Journal, read_journal
from ambient.search.run_folder import hold_run
from ambient.search.search_run import SearchConfig, SearchOutcome, search_task


def search(folder: Path, method: str, evaluations: int = 8) -> SearchOutcome:
    config = SearchConfig(
        method=method, evaluations=evaluations, batch=3, fidelity=TINY, engine="inline"
    )
    with hold_run(folder, False, lambda text: None):
        return search_task(folder, tiny_task("Reb1"), SPACE, config)


def page_of(run: Path) -> Page:
    return Page(write_report(run).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SearchOutcome]:
    folder = tmp_path_factory.mktemp("search") / "evolved"
    return folder, search(folder, "evolution")


@pytest.fixture
def edited(tmp_path: Path, run: tuple[Path, SearchOutcome]) -> Path:
    """Copy what a page needs of the run, to be changed."""
    for name in ("config.yaml", "journal.jsonl"):
        (tmp_path / name).write_bytes((run[0] / name).read_bytes())
    return tmp_path


def edit_journal(folder: Path, change: object) -> None:
    path = folder / "journal.jsonl"
    lines = read_journal(path)
    with Journal(path) as journal:
        for line in lines:
            change(line)  # type: ignore[operator]
            journal.append(line)


def test_the_page_says_what_was_found_and_what_it_cost(run: tuple[Path, SearchOutcome]) -> None:
    folder, outcome = run
    page = page_of(folder)
    scores = [one.metrics["validation_auroc"] or 0.0 for one in outcome.evaluations]
    assert "The method evolution searched the space tiny for the best architecture of Reb1: 8" in (
        page.words
    )
    at = 1 + int(np.argmax(scores))
    assert f"Best, validation AUROC {max(scores):.3f} evaluation {at} of 8" in page.words
    assert f"Its test AUROC {outcome.best.metrics['test_auroc']:.3f}" in page.words
    assert f"Median {np.median(scores):.3f}" in page.words
    assert "Training them" in page.words
    table = page.tables[0][1:]
    order = sorted(range(8), key=lambda index: -scores[index])
    assert [line[1] for line in table] == [str(1 + index) for index in order]
    assert table[0][-1] == outcome.best.architecture.summary()


def test_the_curve_is_the_best_so_far(run: tuple[Path, SearchOutcome]) -> None:
    folder, outcome = run
    scores = [one.metrics["validation_auroc"] or 0.0 for one in outcome.evaluations]
    dots, best = page_of(folder).figures[0]["data"]
    assert dots["y"] == pytest.approx(scores)
    assert best["y"][:-1] == pytest.approx(np.maximum.accumulate(scores))
    assert best["x"][-2:] == [8, 8]


@pytest.mark.parametrize("method", ["evolution", "amber"])
def test_no_section_is_empty_and_nothing_is_asked_for_that_a_search_does_not_make(
    method: str, tmp_path: Path, run: tuple[Path, SearchOutcome]
) -> None:
    folder = run[0]
    if method == "amber":
        folder = tmp_path / "run"
        search(folder, "amber", 6)
    page = page_of(folder)
    assert list(page.sections) == ["result", "search", "best", "architectures", "configuration"]
    for name, tags in page.sections.items():
        assert {"figure", "table", "pre"} & set(tags) or name == "result"
    assert "is absent" not in page.words
    links = [place[1:] for place in page.loaded if place.startswith("#")]
    assert links == list(page.sections)[1:]
    controller = "Embeddings of the choices" in page.words
    assert controller == ("Diagnostics of PPO" in page.words) == (method == "amber")
    kinds = [figure["data"][0]["type"] for figure in page.figures]
    assert {"sankey", "heatmap"} <= set(kinds)
    ends = [
        cells for figure in page.figures for cells in figure["data"] if cells["type"] == "heatmap"
    ]
    assert len(ends) == (2 if controller else 1)  # the controller's probabilities at the end


def test_a_failure_is_marked_and_is_never_the_best(edited: Path) -> None:
    def fail(line: dict[str, object]) -> None:
        if line["step"] == 1:
            line["evaluations"][0].update(state="failed", metrics={}, reason="no room")  # type: ignore[index]

    edit_journal(edited, fail)
    page = page_of(edited)
    assert "1 evaluation failed." in page.words
    failed = page.figures[0]["data"][2]
    assert (failed["name"], failed["x"]) == ("failed", [4])
    assert len(page.tables[0]) == 1 + 7


def test_an_older_journal_has_a_page_without_costs(edited: Path) -> None:
    edit_journal(edited, lambda line: line.pop("costs"))
    words = page_of(edited).words
    assert "Best, validation AUROC" in words
    assert "Training them" not in words


def test_a_search_that_has_not_begun_says_so(edited: Path) -> None:
    (edited / "journal.jsonl").write_text("")
    page = page_of(edited)
    assert "no step of it is finished yet" in page.words
    assert page.figures == []
    (edited / "journal.jsonl").unlink()
    assert "Make it with ambient search CORPUS --task TASK" in page_of(edited).words


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda line: line["evaluations"][0].update(tokens=[0, 9]), "tokens"),
        (lambda line: line["evaluations"][0].update(tokens=[0]), "each of the 2 decisions"),
        (lambda line: line["costs"].update(cpu_seconds=[]), "cpu_seconds"),
    ],
)
def test_a_journal_that_fits_no_architecture_is_named(
    edited: Path, change: object, said: str
) -> None:
    edit_journal(edited, change)
    with pytest.raises(RunError, match=said) as caught:
        write_report(edited)
    assert "journal.jsonl:1" in str(caught.value)


def test_the_page_shows_what_the_search_chose_before_what_measured_best(
    edited: Path, run: tuple[Path, SearchOutcome]
) -> None:
    """A run of `predicted`: best.json need not be the luckiest."""
    ranked = sorted(run[1].evaluations, key=lambda one: -(one.metrics["validation_auroc"] or 0.0))
    chosen = ranked[2]
    (edited / "best.json").write_text(chosen.architecture.to_json())
    assert "Best, validation AUROC" in page_of(edited).words
    config = (edited / "config.yaml").read_text()
    (edited / "config.yaml").write_text(config.replace("evolution", "predicted"))
    page = page_of(edited)
    number = 1 + run[1].evaluations.index(chosen)
    words = page.words
    assert "Of which most is expected, validation AUROC" in words
    assert f"evaluation {number} of {len(ranked)}" in words
    assert chosen.architecture.summary() in words
