"""Several corpora, each on a genome of its own, over whose tasks one controller is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ambient.data.corpus import Corpus, TaskSpec, read_corpus
from ambient.data.prepare import prepare_corpus
from ambient.data.task import TaskData
from ambient.errors import InputError

if TYPE_CHECKING:
    from descriptors.record import Descriptors

__all__ = ["Corpora", "read_corpora"]


@dataclass(frozen=True)
class Corpora:
    """One corpus or more; each keeps its genome, split, window and negatives.

    Raises
    ------
    InputError
        Two of them hold tasks of one name.
    """

    each: tuple[Corpus, ...]

    def __post_init__(self) -> None:
        seen: dict[str, Path] = {}
        for corpus in self.each:
            for spec in corpus.tasks:
                if spec.name in seen:
                    raise InputError(
                        f'{corpus.path}: holds a task "{spec.name}", as {seen[spec.name]} does, and one controller '
                        "knows its tasks by their names; rename it in one of the two"
                    )
            seen |= {spec.name: corpus.path for spec in corpus.tasks}

    @property
    def tasks(self) -> tuple[TaskSpec, ...]:
        """All tasks, corpus after corpus."""
        return tuple(spec for corpus in self.each for spec in corpus.tasks)

    @property
    def training_tasks(self) -> tuple[TaskSpec, ...]:
        """The tasks that a controller may train on."""
        return tuple(spec for spec in self.tasks if not spec.held_out)

    @property
    def held_out_tasks(self) -> tuple[TaskSpec, ...]:
        """The tasks that are kept for measuring."""
        return tuple(spec for spec in self.tasks if spec.held_out)

    def to_record(self) -> dict[str, object]:
        """Say in a run's configuration where the tasks come from: of several corpora, which holds which."""
        if len(self.each) == 1:
            return {"corpus": str(self.each[0].path), "window_bp": self.each[0].window_bp}
        held = {str(one.path): [spec.name for spec in one.tasks] for one in self.each}
        return {"corpus": held, "window_bp": [one.window_bp for one in self.each]}

    def prepare_training(self, cache: Path | None = None) -> dict[str, TaskData]:
        """Make the training tasks, as `prepare_corpus` does."""
        return {
            name: task
            for corpus in self.each
            for name, task in prepare_corpus(
                corpus, cache, [spec.name for spec in corpus.training_tasks]
            ).items()
        }

    def describe(
        self,
        cache: Path | None = None,
        workers: int | None = None,
        on_done: Callable[[str], None] | None = None,
    ) -> dict[str, Descriptors]:
        """Describe all tasks, each on its own genome, as `describe_corpus` does."""
        from ambient.data.describe import describe_corpus

        return {
            name: described
            for corpus in self.each
            for name, described in describe_corpus(
                corpus, cache=cache, workers=workers, on_done=on_done
            ).items()
        }


def read_corpora(paths: Sequence[str | Path]) -> Corpora:
    """Read corpus files, as `read_corpus` reads each.

    Raises
    ------
    InputError
        As `read_corpus`; or two of them hold tasks of one name.
    """
    return Corpora(tuple(read_corpus(path) for path in paths))
