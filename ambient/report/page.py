"""Put a page together: what was done, the main result, then the evidence; of a run, or of a corpus."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ambient.errors import RunError
from ambient.files import write_atomic
from ambient.report import sections
from ambient.report.architecture_section import architecture_section
from ambient.report.headline import main_result, what_was_described, what_was_done
from ambient.report.logos import letter_outlines
from ambient.report.markup import Html, fragment, tag
from ambient.report.motif_section import logo_section
from ambient.report.run_folder import COMPARISON, RunFolder, read_run
from ambient.report.search_section import (
    best_section,
    search_result,
    search_section,
    search_words,
)
from ambient.report.theme import SCRIPT, STYLE

if TYPE_CHECKING:
    from ambient.data.corpus import Corpus
    from descriptors.record import Descriptors

__all__ = ["new_page", "page_shell", "write_corpus_page", "write_report"]

# The browser itself refuses anything that would be loaded from elsewhere.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:"
)


def write_report(run_folder: str | Path, output: str | Path | None = None) -> Path:
    """Write one self-contained HTML page about a run.

    Parameters
    ----------
    run_folder : path
        What `ambient train`, `ambient search` or `ambient demo` wrote; what is absent is named on the page.
    output : path, optional
        The page; `report.html` in the run's folder where it is not given.

    Returns
    -------
    Path
        Where the page lies.

    Raises
    ------
    RunError
        The folder is no run, a file in it is broken, or the output's folder does not exist.
    """
    run = read_run(run_folder)
    path = new_page(run.path / "report.html" if output is None else output)
    write_atomic(path, _page(run))
    return path


def write_corpus_page(
    corpus: Corpus, described: Mapping[str, Descriptors], output: str | Path
) -> Path:
    """Write one self-contained HTML page about the descriptors of a corpus.

    Parameters
    ----------
    corpus : Corpus
    described : mapping of str to Descriptors
        Of each of its tasks.
    output : path
        The page.

    Returns
    -------
    Path
        Where the page lies.

    Raises
    ------
    RunError
        The output's folder does not exist.
    """
    path = new_page(output)
    # A run of which only the descriptors are there.
    content = {name: json.loads(one.to_json()) for name, one in described.items()}
    run = RunFolder(corpus.path, {}, "", None, False, content, None, None)
    made = [
        ("Descriptors", sections.descriptor_section(run)),
        ("Motifs", logo_section(run)),
        ("Provenance", sections.provenance_section(run)),
    ]
    name = corpus.path.stem
    write_atomic(
        path,
        page_shell(name, what_was_described(corpus, content), None, made, f"the corpus {name}"),
    )
    return path


def new_page(output: str | Path) -> Path:
    """Give the path of a page; RunError where its folder does not exist."""
    path = Path(output)
    if not path.parent.is_dir():
        raise RunError(f"{path}: the folder {path.parent} does not exist; make it first")
    return path


def _page(run: RunFolder) -> str:
    name = run.path.resolve().name
    source = f"the files in the run {name}"
    if run.method is not None:
        made = [
            ("Search", search_section(run)),
            ("Best", best_section(run)),
            ("Architectures", architecture_section(run)),
            ("Configuration", sections.configuration_section(run)),
        ]
        first = fragment(search_result(run), _absent(run))
        return page_shell(name, search_words(run), first, made, source)
    made = [
        ("Comparison", sections.comparison_section(run)),
        ("Proposals", sections.proposal_section(run)),
        ("Architectures", architecture_section(run)),
        ("Training", sections.training_section(run)),
        ("Descriptors", sections.descriptor_section(run)),
        ("Motifs", logo_section(run)),
        ("Configuration", sections.configuration_section(run)),
        ("Provenance", sections.provenance_section(run)),
    ]
    first = fragment(main_result(run), _absent(run))
    return page_shell(name, what_was_done(run), first, made, source)


def page_shell(
    name: str, lead: str, first: Html | None, made: Sequence[tuple[str, Html | None]], source: str
) -> str:
    """Put sections into a page that loads nothing from elsewhere."""
    from plotly.offline import get_plotlyjs

    there = [(title, section) for title, section in made if section is not None]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", f"{name}: ambient report"),
        tag("style", Html(STYLE)),
    )
    links = [tag("a", text, href=f"#{text.lower()}") for text, _ in there]
    top = tag(
        "header",
        tag("p", "ambient: architectures for genomic data sets", class_="eyebrow"),
        tag("h1", name),
        tag("p", lead, class_="lead"),
        tag("nav", *links),
        class_="top",
    )
    body = tag(
        "body",
        letter_outlines() if any(text == "Motifs" for text, _ in there) else None,
        top,
        tag("main", first, *(section for _, section in there)),
        tag("footer", f"Written by ambient from {source}."),
        tag("script", Html(get_plotlyjs()), id="plotly"),
        tag("script", Html(SCRIPT)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _absent(run: RunFolder) -> Html | None:
    """Name what the run does not hold, and a command that helps."""
    if not run.absent:
        return None
    lines = []
    for name, (what, command) in run.absent.items():
        use = (
            "To train one beside random architectures, use"
            if name == COMPARISON
            else "Make it with"
        )
        lines.append(
            tag(
                "p",
                tag("code", name),
                f" is absent: {what}. {use} ",
                tag("code", command),
                ".",
            )
        )
    return tag("div", *lines, class_="absent")
