"""Evaluations: records, the store that remembers them, the engines that carry them out."""

from ambient.evaluate.engines import Engine, InlineEngine
from ambient.evaluate.pool import PoolEngine
from ambient.evaluate.records import Evaluation, EvaluationKey, Request
from ambient.evaluate.remember import Remembering
from ambient.evaluate.store import Store
from ambient.evaluate.table import TableEngine

__all__ = [
    "Engine",
    "Evaluation",
    "EvaluationKey",
    "InlineEngine",
    "PoolEngine",
    "Remembering",
    "Request",
    "Store",
    "TableEngine",
]
