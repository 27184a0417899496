"""One self-contained HTML page about a run, or about a corpus."""

from __future__ import annotations

from ambient.report.page import write_corpus_page, write_report

__all__ = ["write_corpus_page", "write_report"]
