"""One self-contained HTML page about a run, or about a corpus; figures of a controller."""

from __future__ import annotations

from ambient.report.architecture_section import controller_figures
from ambient.report.page import write_corpus_page, write_report

__all__ = ["controller_figures", "write_corpus_page", "write_report"]
