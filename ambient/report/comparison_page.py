"""The page of a comparison: break-even points first, then curves and equal budgets, task by task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ambient.files import write_atomic
from ambient.report.comparison import JUDGED, Comparison, TaskComparison
from ambient.report.comparison_figures import AXES, Styles, comparison_figures, styles_of
from ambient.report.comparison_notes import notes_on, what_is_compared
from ambient.report.comparison_tables import (
    Sheet,
    break_even_matrix,
    break_even_sheet,
    budget_sheet,
    hours_sheet,
    run_sheet,
)
from ambient.report.figures import plot
from ambient.report.markup import Cell, Html, fragment, table, tag
from ambient.report.page import new_page, page_shell
from ambient.report.theme import INK

__all__ = ["write_comparison"]

CAPTIONS = {
    "validation": "The best validation AUROC so far: what the search itself goes by.",
    "test": "The test AUROC of that same network, which chose nothing: what the search is worth.",
    "mean_reward": "The mean of the last evaluations: whether the search learns what is good.",
}
DIAMOND = " A diamond marks where the median repeat passes the proposal."

STYLE = """
.choices { position: sticky; top: 0; z-index: 5; background: #fff; padding: 10px 0;
  border-bottom: 1px solid var(--line); display: flex; flex-wrap: wrap; gap: 6px 22px; margin: 18px 0 4px;
  font-size: 14.5px; line-height: 1.35; }
.choices label { display: inline-flex; align-items: center; gap: 7px; max-width: 100%; overflow-wrap: anywhere; }
.choices svg { flex: none; }
@media (max-width: 640px) { .choices { position: static; } }
@media print { .choices { position: static; } .choices input, .choices .axis { display: none; }
  .choices label { display: inline-flex; } }
"""

# Before the script that draws the figures; it runs when something is chosen, or unfolded, after that.
SCRIPT = """
(function () {
  "use strict";
  var panel = document.querySelector(".choices");
  var axis = panel.querySelector("select");
  function choose() {
    var hidden = Array.prototype.slice.call(panel.querySelectorAll("input"))
      .filter(function (box) { return !box.checked; }).map(function (box) { return box.value; });
    var title = axis.options[axis.selectedIndex].dataset.title;
    document.querySelectorAll(".searches .canvas").forEach(function (canvas) {
      if (!canvas.data) { return; }
      var shown = canvas.data.map(function (trace) {
        return trace.meta[0] === axis.value && hidden.indexOf(trace.meta[1]) < 0;
      });
      Plotly.update(canvas, { visible: shown }, { "xaxis.title.text": title, "xaxis.autorange": true });
    });
  }
  panel.addEventListener("change", choose);
})();
"""


def write_comparison(comparison: Comparison, output: str | Path) -> Path:
    """Write one self-contained HTML page about a comparison.

    Parameters
    ----------
    comparison : Comparison
    output : path
        The page.

    Returns
    -------
    Path
        Where the page lies.

    Raises
    ------
    RunError
        The output's folder does not exist, or the page cannot be written.
    """
    path = new_page(output)
    made = [("Break-even", _break_even_section(comparison))] if comparison.source else []
    styles = styles_of(comparison)
    for number, part in enumerate(comparison.parts):
        title = "Overall" if part is comparison.overall else part.task
        first = _choices(comparison, styles) if number == 0 else None
        in_full = part.proposed is not None and len(comparison.parts) > 1
        made.append((title, _part_section(part, title, styles, first, in_full)))
    made.append(("Runs", _section("Runs", None, _table(run_sheet(comparison)))))
    notes = [tag("li", text) for text in notes_on(comparison)]
    made.append(("Notes", _section("Notes", None, tag("ul", *notes, class_="notes"))))
    page = page_shell(
        "Searches compared",
        what_is_compared(comparison),
        tag("style", Html(STYLE)),
        made,
        "the files in the runs",
    )
    write_atomic(path, page)
    return path


def _section(title: str, note: str | None, *content: Html | None) -> Html:
    said = tag("p", note) if note else None
    return tag("section", tag("h2", title), said, *content, id=title.lower())


def _choices(comparison: Comparison, styles: Styles) -> Html:
    """Say what is drawn against what, for all figures at once; the boxes are their legend as well."""
    known = {axis for part in comparison.parts for axis in part.axes()}
    options = [
        tag("option", name, value=axis, data_title=title)
        for axis, (name, title) in AXES.items()
        if axis in known
    ]
    searches = [
        tag(
            "label",
            tag("input", type="checkbox", value=name, checked=True),
            _swatch(*styles[name]),
            name,
        )
        for name in comparison.labels.values()
    ]
    proposal = tag("label", _swatch(INK, "longdash"), "zero-shot proposal")
    chosen = tag("label", "Against ", tag("select", *options), class_="axis")
    content = [chosen, *searches, proposal if comparison.source else None]
    return fragment(tag("div", *content, class_="choices"), tag("script", Html(SCRIPT)))


def _swatch(colour: str, dash: str) -> Html:
    pattern = {"solid": None, "dash": "6 4", "dot": "2 3", "longdash": "8 4"}[dash]
    line = tag(
        "line", x1=0, y1=6, x2=26, y2=6, stroke=colour, stroke_width=3, stroke_dasharray=pattern
    )
    return tag("svg", line, width=26, height=12, aria_hidden="true")


def _table(sheet: Sheet, hide: Sequence[str] = ()) -> Html:
    """Make a table of the page; columns that say the same in all its rows may be hidden."""
    kept = [index for index, name in enumerate(sheet.columns) if name not in hide]
    head = [
        tag("th", sheet.columns[index], class_="text" if index < sheet.texts else None)
        for index in kept
    ]
    rows: list[list[Cell]] = [
        [(row[index], "text") if index < sheet.texts else row[index] for index in kept]
        for row in sheet.rows
    ]
    return table([head], rows)


def _break_even_section(comparison: Comparison) -> Html:
    """Give the break-even points in full of one task, in a row each of several."""
    note = (
        "From which evaluation on each search stays above the zero-shot proposal to its end: the median of its "
        "repeats, with their range. The proposal itself costs one training."
    )
    if len(comparison.parts) == 1:
        made = [_table(break_even_sheet(comparison.parts), ("task",))]
    else:
        made = []
        for sheet in (break_even_matrix(comparison, measure) for measure in JUDGED):
            made += [tag("h3", sheet.title), _table(sheet)]
    return _section("Break-even", note, *made)


def _part_section(
    part: TaskComparison, title: str, styles: Styles, first: Html | None, with_break_even: bool
) -> Html:
    note = None
    if part.proposed is not None:
        note = f"The zero-shot proposal: {part.proposed.summary} (space {part.proposed.space})."
    drawn = []
    for measure, figure in comparison_figures(part, styles).items():
        is_judged = part.proposed is not None and measure in JUDGED
        drawn.append(plot(figure, CAPTIONS[measure] + (DIAMOND if is_judged else "")))
    hours = hours_sheet([part])
    return _section(
        title,
        note,
        first,
        tag("div", *drawn, class_="figures searches"),
        tag("h3", "Break-even") if with_break_even else None,
        _table(break_even_sheet([part]), ("task",)) if with_break_even else None,
        tag("h3", "At equal numbers of evaluations"),
        _table(budget_sheet([part]), ("task",)),
        tag("h3", "At equal hours") if hours.rows else None,
        _table(hours, ("task",)) if hours.rows else None,
    )
