"""The loop that every search method shares, and the searchers."""

from ambient.search.ambient import AmbientSearcher
from ambient.search.config import AmbientConfig
from ambient.search.journal import Journal, read_journal
from ambient.search.loop import Searcher, Step, run_search
from ambient.search.random import RandomSearcher

__all__ = [
    "AmbientConfig",
    "AmbientSearcher",
    "Journal",
    "RandomSearcher",
    "Searcher",
    "Step",
    "read_journal",
    "run_search",
]
