"""A trained controller as a folder: weights, and a card that says what they are and for what."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from safetensors.torch import save as tensors_to_bytes

from ambient.child.count import Limits
from ambient.controller.card_files import (
    CARD,
    RECORDS,
    WEIGHTS,
    check_schema,
    find_controller,
    read_predictor,
    read_proven,
    read_tensors,
)
from ambient.controller.policy import Policy, PolicyConfig
from ambient.controller.predictor import Predictor
from ambient.controller.proposal import NEAREST, Expected, Proposal, Worked
from ambient.controller.proposer import MOST_PROPOSALS, Proposer
from ambient.controller.recorded import Proven
from ambient.controller.scaling import Scaler
from ambient.errors import RunError
from ambient.files import (
    disk_errors,
    read_json,
    sha256_of_bytes,
    write_atomic,
    write_json_atomic,
)
from ambient.space import Architecture, SearchSpace
from ambient.version import __version__

if TYPE_CHECKING:
    from descriptors.record import Descriptors

__all__ = ["Controller", "Expected", "Proposal", "TrainingTask"]

FORMAT_VERSION = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingTask:
    """A task that a controller was trained on.

    Parameters
    ----------
    name : str
    vector : tuple of float, length 2 * D
        Its standardised descriptors and missing flags, as the policy read them.
    baseline : float or None
        Moving average of the rewards at the end of training, in the unit of the controller's
        metric; None where the task was never visited.
    """

    name: str
    vector: tuple[float, ...]
    baseline: float | None


@dataclass(frozen=True, eq=False)
class Controller:
    """A policy with all that it takes to use it.

    Parameters
    ----------
    policy : Policy
        Holds its search space.
    scaler : Scaler
        Fitted on the training tasks.
    tasks : tuple of TrainingTask
    metric : str
        What was rewarded.
    training : mapping
        How it was trained (seed, steps, fidelity, ...): JSON values, for the reader.
    predictor : Predictor, optional
        What expects a result of each proposal; its tasks are the training tasks.
    proven : Proven, optional
        What was best on all training tasks, trained as thoroughly as for a user.
    """

    policy: Policy
    scaler: Scaler
    tasks: tuple[TrainingTask, ...]
    metric: str = "validation_auroc"
    training: Mapping[str, Any] = field(default_factory=dict)
    predictor: Predictor | None = None
    proven: Proven | None = None

    @property
    def space(self) -> SearchSpace:
        """The search space whose architectures it proposes."""
        return self.policy.space

    @property
    def weights_sha256(self) -> str:
        """Hash of the policy's weights, as the card names it."""
        return sha256_of_bytes(self._weights())

    def _weights(self) -> bytes:
        return tensors_to_bytes(
            {name: tensor.contiguous() for name, tensor in self.policy.state_dict().items()}
        )

    def save(self, folder: str | Path) -> None:
        """Write the weights, then the card, each atomically; make the folder where it is absent."""
        folder = Path(folder)
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        weights = self._weights()
        card = {
            "format_version": FORMAT_VERSION,
            "ambient_version": __version__,
            "weights_sha256": sha256_of_bytes(weights),
            "metric": self.metric,
            "space": self.space.to_dict(),
            "policy": self.policy.config.to_dict(),
            "descriptors": self.scaler.to_dict(),
            "tasks": [
                {"name": task.name, "vector": list(task.vector), "baseline": task.baseline}
                for task in self.tasks
            ],
            "training": dict(self.training),
        }
        write_atomic(folder / WEIGHTS, weights)
        if self.predictor is not None:
            records = tensors_to_bytes(self.predictor.to_tensors())
            write_atomic(folder / RECORDS, records)
            names = list(self.predictor.records.tasks)
            card["predictor"] = {"sha256": sha256_of_bytes(records), "tasks": names}
        if self.proven is not None:
            card["proven"] = {
                "tokens": list(self.proven.tokens),
                "reached": self.proven.reached,
                "fidelity": self.proven.fidelity.to_dict(),
            }
        write_json_atomic(folder / CARD, card)

    @classmethod
    def load(cls, name_or_folder: str | Path) -> Controller:
        """Load a controller.

        Parameters
        ----------
        name_or_folder : str or path
            A controller's folder, a run's folder (which has one in `controller/`), or a name in
            `pretrained`.

        Raises
        ------
        RunError
            There is no such controller; its weights are not those of its card; or its format or
            descriptor schema is not this version's.
        """
        folder = find_controller(name_or_folder)
        path = folder / CARD
        card = read_json(path, "controller card")
        if not isinstance(card, dict):
            raise RunError(
                f"{path}: found a {type(card).__name__} where a controller card was needed"
            )
        if card.get("format_version") != FORMAT_VERSION:
            raise RunError(
                f"{path}: card format {card.get('format_version')}, but this version of ambient "
                f"({__version__}) reads format {FORMAT_VERSION}; use the version that wrote it "
                f"({card.get('ambient_version')})"
            )
        try:
            scaler = Scaler.from_dict(card["descriptors"])
            check_schema(path, scaler)
            weights = read_tensors(folder / WEIGHTS, card["weights_sha256"])
            predictor = read_predictor(folder, card.get("predictor"))
            space = SearchSpace.from_dict(card["space"])
            policy = Policy(space, PolicyConfig(**card["policy"]), len(scaler.names))
            policy.load_state_dict(weights)
            tasks = tuple(
                TrainingTask(task["name"], tuple(task["vector"]), task["baseline"])
                for task in card["tasks"]
            )
            metric, training = card["metric"], card["training"]
            proven = read_proven(card.get("proven"))
        except (KeyError, TypeError, AttributeError) as error:
            raise RunError(
                f"{path}: the card is not complete ({type(error).__name__}: {error}); restore "
                "it, or train the controller again"
            ) from error
        except RuntimeError as error:  # load_state_dict: names or shapes
            raise RunError(
                f"{path}: the card describes another policy than {folder / WEIGHTS} holds "
                f"({error}); restore both from one source"
            ) from error
        policy.requires_grad_(False)
        return cls(policy, scaler, tasks, metric, training, predictor, proven)

    @overload
    def propose(
        self,
        descriptors: Descriptors | None,
        top: int = 1,
        accepts: Callable[[Architecture], bool] | None = None,
    ) -> list[Proposal]: ...
    @overload
    def propose(
        self,
        descriptors: Sequence[Descriptors],
        top: int = 1,
        accepts: Callable[[Architecture], bool] | None = None,
    ) -> list[list[Proposal]]: ...
    def propose(
        self,
        descriptors: Descriptors | Sequence[Descriptors] | None,
        top: int = 1,
        accepts: Callable[[Architecture], bool] | None = None,
    ) -> list[Proposal] | list[list[Proposal]]:
        """Propose architectures for data sets from their descriptors alone.

        They come in the order of their probability, but for one: where the controller keeps records and an
        architecture was trained on all training tasks, the best of these comes first (the best at `full`, where some
        were trained so), unless the most probable one promises clearly more (`ambient.controller.proposer`). For a
        stranded data set networks that read both strands are passed over.

        Where only the card or only the descriptors say what found their motifs, a notice is logged.

        Parameters
        ----------
        descriptors : Descriptors, sequence of Descriptors, or None
            Of one data set, or of several. None stands for a data set of which nothing is known: the mean of the
            training tasks.
        top : int
            How many different networks, 1 to 1,000; fewer come back only where the space has fewer, or fewer are
            accepted.
        accepts : callable, optional
            What a proposal must satisfy; others are passed over.

        Returns
        -------
        list of Proposal, or for a sequence a list of such lists
            The best first.

        Raises
        ------
        RunError
            The descriptors have another schema version, another finder found their motifs than those
            of the training tasks, `top` is out of its range, or none of the most probable architectures is
            accepted: of `Limits` it is said what the smallest of them has.
        """
        if not 1 <= top <= MOST_PROPOSALS:
            raise RunError(
                f"propose: top is {top:,}; ask for 1 to {MOST_PROPOSALS:,} architectures"
            )
        self._say_what_is_not_recorded(descriptors)
        if isinstance(descriptors, Sequence):
            return self._propose(descriptors, top, accepts) if descriptors else []
        return self._propose([descriptors], top, accepts)[0]

    def nearest(self, descriptors: Descriptors | None) -> tuple[tuple[str, float], ...]:
        """Give the training tasks with their distances (Euclidean, standardised), nearest first."""
        return self._nearest(self.scaler.transform(descriptors)[None], len(self.tasks))[0]

    def _nearest(self, vectors: np.ndarray, most: int) -> list[tuple[tuple[str, float], ...]]:
        """Give for each vector, (batch, 2 * D), the nearest training tasks; of two as near the first by name."""
        names = [task.name for task in self._by_name]
        apart = self._distances(vectors)
        order = np.argsort(apart, axis=1, kind="stable")[:, :most]
        nearest = np.array(names, dtype=object)[order].tolist()
        distances = np.take_along_axis(apart, order, axis=1).tolist()
        return [tuple(zip(*pair, strict=True)) for pair in zip(nearest, distances, strict=True)]

    @cached_property
    def _by_name(self) -> list[TrainingTask]:
        return sorted(self.tasks, key=lambda task: task.name)

    @cached_property
    def _places(self) -> torch.Tensor:
        """Standardised descriptors of the training tasks by name, float32, shape (tasks, D)."""
        count = len(self.scaler.names)
        vectors = [task.vector[:count] for task in self._by_name]
        return torch.tensor(vectors, dtype=torch.float32).reshape(-1, count)

    def _distances(self, vectors: np.ndarray) -> np.ndarray:
        """Give how far vectors, (batch, D or more), lie from the training tasks by name: float32, (batch, tasks)."""
        given = torch.from_numpy(vectors[:, : len(self.scaler.names)])
        # Through products of matrices the distance of a task from itself would not be 0.
        exact = "donot_use_mm_for_euclid_dist"
        apart: np.ndarray = torch.cdist(given, self._places, compute_mode=exact).numpy()
        return apart

    def worked(
        self,
        descriptors: Descriptors | None,
        nearest: int = NEAREST,
        accepts: Callable[[Architecture], bool] | None = None,
    ) -> list[Worked]:
        """Say which recorded architectures were best on the training tasks, and what is expected of them here.

        Parameters
        ----------
        descriptors : Descriptors or None
            Of a data set.
        nearest : int
            Of how many of the nearest training tasks the best is given.
        accepts : callable, optional
            What an architecture must satisfy; others are passed over.

        Returns
        -------
        list of Worked
            The one with the highest mean over all training tasks, where any was trained on all: at `full`, where it is
            known, then in the records; then the best of each of the nearest tasks that has records, the nearest first.
            Empty where the controller keeps no records.
        """
        near = [(name,) for name, _ in self.nearest(descriptors)[:nearest]]
        vector = self.scaler.transform(descriptors)[None]
        within = _on_its_strands(descriptors, accepts)
        return self._proposer.best_on([self._proposer.tasks, *near], vector, within)

    def is_outside(self, descriptors: Descriptors | None) -> bool:
        """Whether a data set lies farther from every training task than any of these from its own nearest."""
        return self.nearest(descriptors)[0][1] > self._widest_gap

    @cached_property
    def _widest_gap(self) -> float:
        """Largest distance of a training task from the one that is nearest to it."""
        if len(self.tasks) < 2:
            return math.inf
        apart = self._distances(self._places.numpy())
        np.fill_diagonal(apart, math.inf)
        return float(apart.min(axis=1).max())

    def _say_what_is_not_recorded(
        self, descriptors: Descriptors | Sequence[Descriptors] | None
    ) -> None:
        """Log one notice where only one side says what found its motifs."""
        given = descriptors if isinstance(descriptors, Sequence) else [descriptors]
        known = self.scaler.motif_finder
        for item in given:
            if item is None or (item.motif_finder is None) == (known is None):
                continue
            if known is None:
                unknown = "the card does not say what found the motifs of the training tasks"
                again = "train the controller"
            else:
                unknown = f"the descriptors of {item.task} do not say what found the motifs"
                again = "describe the data set"
            _log.warning(
                f"{unknown}; the proposal is sound only if it was {known or item.motif_finder}, so "
                f"{again} anew to be sure"
            )
            return

    def _propose(
        self,
        descriptors: Sequence[Descriptors | None],
        top: int,
        accepts: Callable[[Architecture], bool] | None,
    ) -> list[list[Proposal]]:
        vectors = self.scaler.transform_all(descriptors)
        nearest = self._nearest(vectors, NEAREST)
        found: dict[int, list[Proposal]] = {}
        for stranded in (False, True):
            alike = [
                row
                for row, one in enumerate(descriptors)
                if (one is not None and one.stranded) is stranded
            ]
            if alike:
                within = _on_its_strands(descriptors[alike[0]], accepts)
                near = [nearest[row] for row in alike]
                proposed = self._proposer.propose(vectors[alike], top, within, near)
                found.update(zip(alike, proposed, strict=True))
        return [found[row] for row in range(len(descriptors))]

    @cached_property
    def _proposer(self) -> Proposer:
        names = tuple(task.name for task in self.tasks)
        return Proposer(self.policy, self.predictor, names, self.proven)


def _on_its_strands(
    descriptors: Descriptors | None, accepts: Callable[[Architecture], bool] | None
) -> Callable[[Architecture], bool] | None:
    """Give what a proposal for a data set must satisfy: a stranded one needs a network that tells its strands apart."""
    if descriptors is None or not descriptors.stranded:
        return accepts
    if isinstance(accepts, Limits):
        return replace(accepts, stranded=True)
    return lambda one: not one.reads_both_strands and (accepts is None or accepts(one))
