"""One self-contained HTML page about a run."""

from __future__ import annotations

from ambient.report.page import write_report

__all__ = ["write_report"]
