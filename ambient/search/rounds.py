"""Rounds of real children in a run's folder: what was asked, what was expected of it, what it reached."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ambient.errors import RunError
from ambient.files import read_json

__all__ = ["Round", "read_round", "read_rounds", "round_file"]

FOLDER = "rounds"  # in a run's folder: a file for each round

Entry = Mapping[
    str, Any
]  # of one proposal: task, tokens, summary, expected, and reached once it is trained


@dataclass(frozen=True)
class Round:
    """What a predictor expected of proposals, and what those reached.

    Parameters
    ----------
    step : int
        Steps that the controller had learned from.
    entries : tuple of mappings
        Of each proposal `task`, `tokens`, `summary` and `expected` (`mean`, `low`, `high`); `reached` once it was
        trained, None where it failed.
    """

    step: int
    entries: tuple[Entry, ...]

    @property
    def trained(self) -> list[Entry]:
        """The proposals that were trained to their end."""
        return [one for one in self.entries if one.get("reached") is not None]

    @property
    def failed(self) -> int:
        """How many of the proposals failed."""
        return sum("reached" in one for one in self.entries) - len(self.trained)

    @property
    def expected(self) -> float:
        """Mean of what was expected of those that were trained."""
        return _mean([one["expected"]["mean"] for one in self.trained])

    @property
    def reached(self) -> float:
        """Mean of what they reached."""
        return _mean([one["reached"] for one in self.trained])

    @property
    def covered(self) -> int:
        """How many of them lie in the 80% interval that was expected."""
        return sum(
            one["expected"]["low"] <= one["reached"] <= one["expected"]["high"]
            for one in self.trained
        )

    def to_dict(self) -> dict[str, Any]:
        """Give what a tracker logs."""
        if not self.trained:
            return {"real/failed": self.failed}
        return {
            "real/expected": self.expected,
            "real/reached": self.reached,
            "real/covered": self.covered / len(self.trained),
            "real/failed": self.failed,
        }

    def __str__(self) -> str:
        head = f"step {self.step}: trained {len(self.entries)} proposals"
        if self.failed:
            head += f", of which {self.failed} failed"
        if not self.trained:
            return head
        return (
            f"{head}; expected {self.expected:.3f}, reached {self.reached:.3f} on average, {self.covered} within "
            "their 80% intervals"
        )


def round_file(folder: Path, step: int) -> Path:
    """Name the file of the round after a step of a run."""
    return folder / FOLDER / f"step-{step:06d}.json"


def read_round(path: Path) -> Round:
    """Read a round's file.

    Raises
    ------
    RunError
        It is not what a run wrote.
    """
    entries = read_json(path, "file of a round")
    try:
        for entry in entries:
            _ = entry["task"], entry["tokens"], entry["summary"]
            _ = [float(entry["expected"][name]) for name in ("mean", "low", "high")]
            _ = float(entry.get("reached") or 0)
        return Round(int(path.stem.removeprefix("step-")), tuple(entries))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(
            f"{path}: found no round of real children ({type(error).__name__}: {error}); restore the file, or take "
            "it out, and the round is held again"
        ) from error


def read_rounds(folder: Path) -> list[Round]:
    """Read all rounds of a run's folder, in their order."""
    return [read_round(path) for path in sorted((folder / FOLDER).glob("step-*.json"))]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")
