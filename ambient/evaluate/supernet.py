"""An engine that trains nothing for a request: it judges children by the weights that they share."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ambient.child.batches import Windows, flip_some, one_hot
from ambient.child.layout import forward
from ambient.child.loss import label_loss
from ambient.child.metrics import mean_over_outputs
from ambient.child.seeding import find_filters, first_filters, seed_first_filters
from ambient.child.supernet import Supernet, calibrate
from ambient.child.threads import one_thread
from ambient.child.trained import autocast
from ambient.errors import RunError
from ambient.evaluate.engines import Engine, evaluate_request, short_host
from ambient.evaluate.records import Evaluation, Request

if TYPE_CHECKING:
    from ambient.child.fidelity import Fidelity
    from ambient.data.task import TaskData
    from ambient.space import Architecture, SearchSpace

__all__ = ["SupernetEngine"]

_TRAIN, _VALIDATION = 0, 1
_GRADIENT_NORM = 5.0  # longer gradients are cut to this length
# What a stream of random numbers is for.
_PASS, _STEP, _JUDGED, _WHOLE = range(4)


@dataclass(frozen=True)
class _Judged:
    """What looks like a trained child to whoever records it."""

    metrics: Mapping[str, float | None]
    details: Mapping[str, Any] = field(default_factory=lambda: {"shared_weights": True})


class SupernetEngine(Engine):
    """Judges architectures of one space on one task by a supernet, which is trained between requests.

    What it gives depends on how far the supernet is trained, so its evaluations are no records of
    the architectures: `task_hash` refuses, and with it every store; they carry the hash of no task.
    All requests that are submitted together are judged on the same validation windows, so that
    they can be compared. Test windows are never looked at.

    Parameters
    ----------
    space : SearchSpace
        As `Supernet` takes it.
    task : TaskData
        Of one label or many.
    fidelity : Fidelity
        How windows are drawn: batch size, shifts, strands, precision; and what share of the first
        filters starts from enriched words. Requests carry it.
    learning_rate : float
        Of Adam.
    judged_windows : int
        How many validation windows a step is judged on; all, where there are fewer.
    seed : int
        Of the weights, the order of windows, shifts and strands.
    device : str
        As torch spells it.

    Attributes
    ----------
    supernet : Supernet
    steps : int
        Training steps so far.
    skipped : int
        Of these, how many changed nothing, since their loss or gradient was not finite.

    Raises
    ------
    SpaceError
        The space cannot share weights.
    RunError
        No label has both classes among the training windows, or among the validation windows.
    """

    def __init__(
        self,
        space: SearchSpace,
        task: TaskData,
        fidelity: Fidelity,
        learning_rate: float = 0.001,
        judged_windows: int = 256,
        seed: int = 0,
        device: str = "cpu",
    ) -> None:
        self._fidelity = fidelity.on_strands(task.stranded)
        self._task, self._seed, self._device = task, seed, device
        self._judged_windows = judged_windows
        where = torch.device(device)
        self._windows = Windows(task, task.window_bp, fidelity.shift_bp, where)
        for split, name in ((_TRAIN, "training"), (_VALIDATION, "validation")):
            self._check_classes(split, name)
        self.supernet = Supernet(space, task.window_bp, self._windows.outputs, seed).to(where)
        self._seed_first_filters()
        self._optimiser = torch.optim.Adam(self.supernet.parameters(), lr=learning_rate, fused=True)
        self.steps = self.skipped = 0
        self._submitted = 0
        self._waiting: deque[tuple[Request, np.ndarray]] = deque()

    def _check_classes(self, split: int, name: str) -> None:
        truth = self._windows.truth[self._windows.rows(split)]
        if not ((truth > 0.5).any(0) & (truth <= 0.5).any(0)).any():
            raise RunError(
                f"{self._task.name}: found no label with positives and negatives among {len(truth)} {name} "
                "windows, where one at least was needed; check the peaks and the split"
            )

    def _seed_first_filters(self) -> None:
        """Start part of the filters that read DNA from enriched words, as in a child of this fidelity."""
        for name, part in self.supernet.parts.items():
            reads_dna = name.startswith("layer_0_")
            found = first_filters(part, self._windows.stranded) if reads_dna else None
            if found is not None:
                weight, dilation, strands = found
                count = round(len(weight) * self._fidelity.seeded_filters / strands)
                words = find_filters(self._windows, weight.shape[2], dilation, count)
                seed_first_filters(weight, words, strands)

    @property
    def steps_per_pass(self) -> int:
        """How many training steps see each training window once (a rest of less than a batch waits)."""
        return max(len(self._windows.rows(_TRAIN)) // self._fidelity.batch_size, 1)

    def train(self, architectures: Sequence[Architecture]) -> float | None:
        """Take one training step for each architecture, each on the next minibatch.

        Returns
        -------
        float or None
            Mean binary cross-entropy over the steps that counted, in nats; None where none did.
        """
        losses = []
        self.supernet.judging(False)
        with self._own_randomness():
            for architecture in architectures:
                loss = self._train_step(self.supernet.child(architecture))
                self.steps += 1
                losses += [] if loss is None else [loss]
        return sum(losses) / len(losses) if losses else None

    def _train_step(self, child: nn.Module) -> float | None:
        windows, fidelity = self._windows, self._fidelity
        rows, rng = self._minibatch(), self._random(_STEP, self.steps)
        torch.manual_seed(int(rng.integers(2**63)))  # of dropout
        shifts = rng.integers(-fidelity.shift_bp, fidelity.shift_bp + 1, len(rows))
        codes = windows.shifted(rows, shifts)
        if fidelity.reverse_complement:
            codes = flip_some(codes, rng.random(len(rows)) < 0.5)
        with autocast(windows.device, fidelity):
            logits = forward(child, one_hot(codes))
        loss = label_loss(logits.float(), windows.targets(rows), windows.has_unknown)
        # What has no gradient now is not on this path: Adam leaves it and its moments alone.
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(child.parameters(), _GRADIENT_NORM)
        if not torch.isfinite(norm) or not torch.isfinite(loss):
            self.skipped += 1
            return None
        self._optimiser.step()
        return float(loss.detach())

    def _minibatch(self) -> np.ndarray:
        """Give the rows of the next training step; they follow from the seed and its number."""
        number, place = divmod(self.steps, self.steps_per_pass)
        order = self._random(_PASS, number).permutation(self._windows.rows(_TRAIN))
        size = self._fidelity.batch_size
        return order[place * size : (place + 1) * size]

    def judge(
        self, architecture: Architecture, batches: Sequence[np.ndarray]
    ) -> dict[str, float | None]:
        """Score an architecture by the shared weights.

        Parameters
        ----------
        architecture : Architecture
        batches : sequence of array, int64
            Rows of the task; each batch is normalised by itself.

        Returns
        -------
        dict
            ``validation_auroc``, the mean over labels with both classes, None where there is none; and
            ``validation_minus_loss``, minus the mean binary cross-entropy, in nats.
        """
        self.supernet.judging()
        child, windows = self.supernet.child(architecture), self._windows
        with torch.no_grad(), autocast(windows.device, self._fidelity):
            logits = [forward(child, one_hot(windows.central(rows))) for rows in batches]
        scores = torch.cat(logits).float()
        rows = np.concatenate(batches)
        loss = label_loss(scores, windows.targets(rows), windows.has_unknown)
        auroc = mean_over_outputs("auroc", windows.truth[rows], scores.cpu().numpy())
        return {"validation_auroc": auroc, "validation_minus_loss": -float(loss)}

    def judge_all(self, architectures: Sequence[Architecture]) -> list[dict[str, float | None]]:
        """Score architectures on all validation windows, in batches of `judged_windows` at least."""
        rows = self._random(_WHOLE, 0).permutation(self._windows.rows(_VALIDATION))
        batches = np.array_split(rows, max(len(rows) // self._judged_windows, 1))
        with self._own_randomness():
            return [self.judge(architecture, batches) for architecture in architectures]

    def extract(self, architecture: Architecture) -> nn.Module:
        """Give the stand-alone network of an architecture, with the shared weights as they are now.

        Its running statistics are those of the training windows; it is in evaluation mode.
        """
        rows, size = self._windows.rows(_TRAIN), self._fidelity.batch_size
        batches = np.array_split(rows, max(len(rows) // size, 1))
        with self._own_randomness():
            network = self.supernet.extract(architecture)
            return calibrate(network, (one_hot(self._windows.central(some)) for some in batches))

    def task_hash(self, task: str) -> str:
        """Refuse: what is judged by shared weights is no evaluation that a store could remember."""
        raise RunError(
            f"supernet: asked for the hash of the task {task!r} to remember evaluations by, but weights that are "
            "shared and trained on give other results each time; train architectures by another engine to store them"
        )

    def submit(self, requests: Sequence[Request]) -> None:
        """Take requests; each is judged when its result is asked for."""
        for request in requests:
            if request.task != self._task.name:
                raise RunError(
                    f"supernet: found a request for the task {request.task!r}, but the weights are shared on "
                    f"{self._task.name!r} alone; make an engine for each task"
                )
        rows = self._judged_rows(self._submitted)
        self._submitted += 1
        self._waiting.extend((request, rows) for request in requests)

    def _judged_rows(self, number: int) -> np.ndarray:
        """Draw validation windows, of positives (of any label) and others their shares, one at least."""
        rows, rng = self._windows.rows(_VALIDATION), self._random(_JUDGED, number)
        if len(rows) <= self._judged_windows:
            return rng.permutation(rows)
        positive = (self._windows.truth[rows] > 0.5).any(1)
        share = min(max(round(self._judged_windows * positive.mean()), 1), positive.sum())
        drawn = [
            rng.permutation(pile)[:count]
            for pile, count in (
                (rows[positive], share),
                (rows[~positive], self._judged_windows - share),
            )
        ]
        return rng.permutation(np.concatenate(drawn))

    def _next(self) -> Evaluation | None:
        if not self._waiting:
            return None
        request, rows = self._waiting.popleft()
        with self._own_randomness():
            return evaluate_request(
                self._task,
                request,
                f"weights shared on {self._task.hash}",
                lambda task, architecture, *_: _Judged(self.judge(architecture, [rows])),
                self._device,
                short_host(),
            )

    def _give_up(self) -> None:
        self._waiting.clear()

    def state_dict(self) -> dict[str, Any]:
        """Give weights, moments and counts: all that what follows depends on."""
        moments = self._optimiser.state_dict()["state"]
        return {
            "weights": dict(self.supernet.state_dict()),
            "optimiser": {str(index): dict(values) for index, values in moments.items()},
            "steps": self.steps,
            "skipped": self.skipped,
            "submitted": self._submitted,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where `state_dict` was taken from an engine made alike."""
        self.supernet.load_state_dict(state["weights"])
        optimiser = self._optimiser.state_dict()
        optimiser["state"] = {int(i): dict(values) for i, values in state["optimiser"].items()}
        self._optimiser.load_state_dict(optimiser)
        self.steps, self.skipped = state["steps"], state["skipped"]
        self._submitted = state["submitted"]

    def _random(self, what: int, number: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, what, number])

    @contextmanager
    def _own_randomness(self) -> Iterator[None]:
        """Leave the caller's random state and thread count as they were."""
        devices = [self._windows.device] if self._windows.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices), one_thread():
            yield
