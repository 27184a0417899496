"""HTML from Python: elements in which every plain string is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

__all__ = ["Cell", "Html", "fragment", "table", "tag"]

VOID = frozenset({"br", "col", "input", "meta"})


class Html(str):
    """Text that is markup already; any other string is escaped when it enters an element."""


Child = str | int | float | None
Cell = Child | tuple[Child, str]  # content, or content and the class of its cell


def fragment(*children: Child) -> Html:
    """Join children: markup as it is, other strings escaped, None left out."""
    parts = (
        child if isinstance(child, Html) else html.escape(str(child))
        for child in children
        if child is not None
    )
    return Html("".join(parts))


def tag(name: str, /, *children: Child, **attributes: str | float | bool | None) -> Html:
    """Make one element.

    Parameters
    ----------
    name : str
        The element's name.
    *children
        What it holds; a plain string is escaped.
    **attributes
        A trailing underscore is dropped (`class_`), other underscores become hyphens; True gives a
        bare attribute, None and False give none.
    """
    written = []
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.rstrip("_").replace("_", "-")
        written.append(f" {key}" if value is True else f' {key}="{html.escape(str(value))}"')
    start = f"<{name}{''.join(written)}>"
    return Html(start if name in VOID else f"{start}{fragment(*children)}</{name}>")


def table(
    head: Sequence[Sequence[Html]],
    rows: Iterable[Sequence[Cell]],
    foot: Sequence[Cell] | None = None,
    class_: str | None = None,
) -> Html:
    """Make a table whose first column names its rows, in a box that scrolls where it is too wide.

    Parameters
    ----------
    head : sequence of sequences of Html
        Rows of `th` elements, so that one may span columns.
    rows : iterable of sequences of Cell
        The body; a cell is its content, or its content and a class.
    foot : sequence of Cell, optional
        A last row that sums up.
    class_ : str, optional
        Class of the table.
    """

    def row(cells: Sequence[Cell]) -> Html:
        made = []
        for index, cell in enumerate(cells):
            content, kind = cell if isinstance(cell, tuple) else (cell, None)
            if index == 0:
                made.append(tag("th", content, scope="row", class_=kind))
            else:
                made.append(tag("td", content, class_=kind))
        return tag("tr", *made)

    body = tag(
        "table",
        tag("thead", *(tag("tr", *cells) for cells in head)),
        tag("tbody", *(row(cells) for cells in rows)),
        tag("tfoot", row(foot)) if foot is not None else None,
        class_=class_,
    )
    return tag("div", body, class_="scroll")
