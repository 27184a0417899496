"""Read a page of a report back as a browser would find it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any


class Page(HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.loaded: list[str] = []
        self.tables: list[list[list[str]]] = []
        self.figures: list[dict[str, Any]] = []
        self.captions = 0
        self.sections: dict[str, list[str]] = {}  # by identifier: the elements in each
        self.tags: list[str] = []
        self._plot = False
        self._ignored = False
        self._words: list[str] = []
        self._cell: list[str] | None = None
        self.feed(text)
        self.words = " ".join("".join(self._words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note tables, figures and whatever an element refers to."""
        found = dict(attrs)
        self.tags.append(tag)
        if tag == "section":
            self.sections[str(found.get("id"))] = []
        elif self.sections:
            list(self.sections.values())[-1].append(tag)
        for key in ("src", "href", "srcset", "data", "poster", "action", "xlink:href"):
            if found.get(key):
                self.loaded.append(str(found[key]))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self._cell = []
        elif tag == "figcaption":
            self.captions += 1
        elif tag == "script":
            self._plot = found.get("type") == "application/json"
        self._ignored = tag in ("script", "style")

    def handle_endtag(self, tag: str) -> None:
        """End a cell or a script."""
        if tag in ("th", "td") and self._cell is not None:
            self.tables[-1][-1].append("".join(self._cell))
            self._cell = None
        if tag in ("script", "style"):
            self._ignored = self._plot = False

    def handle_data(self, data: str) -> None:
        """Keep text; a script that holds a figure is parsed."""
        if self._plot:
            self.figures.append(json.loads(data))
        elif not self._ignored:
            self._words.append(data + " ")
            if self._cell is not None:
                self._cell.append(data)
