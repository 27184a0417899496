"""Operations, architectures, search spaces, and the published spaces by name."""

from ambient.space.architecture import Architecture
from ambient.space.decisions import Condition, Decision
from ambient.space.drawing import sample_with_skips
from ambient.space.named import named_space, open_space, published_spaces
from ambient.space.operations import Operation, Settings
from ambient.space.space import SearchSpace

__all__ = [
    "Architecture",
    "Condition",
    "Decision",
    "Operation",
    "SearchSpace",
    "Settings",
    "named_space",
    "open_space",
    "published_spaces",
    "sample_with_skips",
]
