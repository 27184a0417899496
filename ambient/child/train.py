"""Train one child network on one task."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from ambient.child.batches import Draws, Windows, flip_some, one_hot
from ambient.child.fidelity import Fidelity
from ambient.child.layout import forward
from ambient.child.loss import label_loss
from ambient.child.metrics import by_category, by_output, mean_of_known, mean_over_outputs
from ambient.child.seeding import find_filters, first_filters, seed_first_filters
from ambient.child.stopping import (
    CURVE_DIGITS,
    DEAD_AUROC,
    Rung,
    StoppedEarlyError,
    check_rungs,
    missed,
)
from ambient.child.threads import one_thread
from ambient.child.trained import TrainedChild, autocast, logits_of_rows, predict
from ambient.errors import RunError

if TYPE_CHECKING:
    from ambient.data.task import TaskData
    from ambient.space import Architecture

__all__ = ["TrainedChild", "joined", "predict", "train_child", "train_member"]

_TRAIN, _VALIDATION, _TEST = 0, 1, 2
_WARM_UP_START = 0.04  # the schedule starts at this share of its peak
_GRADIENT_NORM = 5.0  # longer gradients are cut to this length
_RESTARTS = 3  # a dead network is begun again so often, at _GENTLER times the rate
_GENTLER = 0.3
_DEAD_SPREAD = 1e-4  # logits that differ by no more than this are constant


class _DeadNetworkError(Exception):
    """Training went nowhere; the message says how."""


@dataclass(frozen=True)
class _Plan:
    """What the members of one training share."""

    windows: Windows
    architecture: Architecture
    fidelity: Fidelity
    learning_rate: float
    weight_decay: float
    rungs: Mapping[int, Rung]  # by their epochs


def train_child(
    task: TaskData,
    architecture: Architecture,
    fidelity: Fidelity,
    seed: int,
    device: str = "cpu",
    rungs: Sequence[Rung] = (),
) -> TrainedChild:
    """Train an architecture on a task.

    Parameters
    ----------
    task : TaskData
        Test labels are read once, after the last step, and influence nothing.
    architecture : Architecture
        Its ``window_bp``, where set, overrides the task's; its ``recipe`` may hold
        ``learning_rate`` and ``weight_decay``, which override the fidelity's, and
        ``learning_rate_factor``, which multiplies the rate.
    fidelity : Fidelity
        How thoroughly to train.
    seed : int
        Fixes initial weights, order, augmentation and dropout; on CPU every bit of the result.
    device : str
        As torch spells it.
    rungs : sequence of Rung
        Where to give the child up early. One that passes them all ends with the same bits as
        without them; one that is given up has only the validation AUROC of then. They count in the
        first attempt, and a network that looks dead passes: it is begun again later.

    Returns
    -------
    TrainedChild

    Raises
    ------
    RunError
        A rung cannot be judged (`check_rungs`), the training split lacks a class, the recipe has an
        unknown key, or a member diverged to NaN after every restart.

    Notes
    -----
    AdamW on binary cross-entropy under a one-cycle schedule. Part of the first filters starts from
    words that are enriched in the training positives (`seeding`). Validation is
    judged from ``keep_from`` on, and the weights of the epoch with the best validation AUROC are
    kept. On CPU one thread is used, whatever the caller's setting.
    """
    check_rungs(rungs, fidelity)
    fidelity = fidelity.on_strands(task.stranded)
    windows = _windows(task, architecture, fidelity, device)
    numbers = range(fidelity.members)
    trained = _train(windows, architecture, fidelity, seed, numbers, rungs)
    if trained.stopped:
        there = trained.history[-1]["validation_auroc"]
        trained.metrics["validation_auroc"] = round(there, CURVE_DIGITS)
    else:
        _score(trained, windows, task)
    return trained


def train_member(
    task: TaskData,
    architecture: Architecture,
    fidelity: Fidelity,
    seed: int,
    device: str,
    number: int,
) -> TrainedChild:
    """Train one member of a child as `train_child` does, without metrics; `joined` makes a child of them.

    Arguments and errors are those of `train_child`, but for `number`, from 0 to ``fidelity.members - 1``.
    """
    fidelity = fidelity.on_strands(task.stranded)
    windows = _windows(task, architecture, fidelity, device)
    return _train(windows, architecture, fidelity, seed, [number])


def joined(members: Sequence[TrainedChild], task: TaskData, device: str) -> TrainedChild:
    """Make a child of its members, which `train_member` gave, in their order, and score it."""
    first = members[0]
    whole = TrainedChild(
        first.architecture, first.fidelity, first.seed, first.window_bp, first.outputs
    )
    for one in members:
        whole.members += [member.to(device) for member in one.members]
        whole.history += one.history
        whole.restarts += one.restarts
        whole.epochs += one.epochs
    _score(whole, _windows(task, whole.architecture, whole.fidelity, device), task)
    return whole


def _windows(
    task: TaskData, architecture: Architecture, fidelity: Fidelity, device: str
) -> Windows:
    window_bp = int(architecture.window_bp or task.window_bp)
    windows = Windows(task, window_bp, fidelity.shift_bp, torch.device(device))
    _check_classes(task, windows)
    return windows


def _train(
    windows: Windows,
    architecture: Architecture,
    fidelity: Fidelity,
    seed: int,
    numbers: Iterable[int],
    rungs: Sequence[Rung] = (),
) -> TrainedChild:
    """Train some members."""
    plan = _Plan(
        windows,
        architecture,
        fidelity,
        **_recipe(architecture, fidelity),
        rungs={rung.epoch: rung for rung in rungs},
    )
    trained = TrainedChild(architecture, fidelity, seed, windows.window_bp, windows.outputs)
    with _own_randomness(windows.device):
        finder = cache(partial(find_filters, windows))
        for number in numbers:
            trained.members.append(_train_member(plan, trained, number, finder))
    return trained


def _score(trained: TrainedChild, windows: Windows, task: TaskData) -> None:
    """Judge the averaged members on the validation windows and, once, on the test windows."""
    with _own_randomness(windows.device):
        for word, split in (("validation", _VALIDATION), ("test", _TEST)):
            rows = windows.rows(split)
            scores = logits_of_rows(trained.members, windows, rows, trained.fidelity)
            for name in (f"{word}_auroc", f"{word}_aupr"):
                each = by_output(name.removeprefix(f"{word}_"), windows.truth[rows], scores)
                trained.by_label[name] = each
                trained.metrics[name] = mean_of_known(each)
                for category, mean in by_category(each, task.label_categories).items():
                    trained.metrics[f"{name}_{category}"] = mean


def _recipe(architecture: Architecture, fidelity: Fidelity) -> dict[str, float]:
    recipe = {
        "learning_rate": fidelity.learning_rate,
        "learning_rate_factor": 1.0,
        "weight_decay": fidelity.weight_decay,
    }
    for key, value in dict(architecture.recipe).items():
        if key not in recipe:
            raise RunError(
                f"recipe of the architecture: found the unknown key {key!r}, known are "
                f"{', '.join(recipe)}; correct the search space"
            )
        recipe[key] = float(value)
    recipe["learning_rate"] *= recipe.pop("learning_rate_factor")
    return recipe


def _check_classes(task: TaskData, windows: Windows) -> None:
    positive = windows.truth[windows.rows(_TRAIN)] > 0.5
    if not positive.any() or positive.all():
        raise RunError(
            f"{task.name}: found {int(positive.any(1).sum())} positives among {len(positive)} "
            "training windows, both classes are needed; check the peaks and the split"
        )


@contextmanager
def _own_randomness(device: torch.device) -> Iterator[None]:
    """Leave the caller's random state and thread count as they were."""
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        one_thread() if device.type == "cpu" else nullcontext(),
    ):
        yield


def _train_member(
    plan: _Plan,
    trained: TrainedChild,
    member: int,
    find_filters: Callable[[int, int, int], list[np.ndarray]],
) -> nn.Module:
    """Train one member, beginning again at a lower rate while the network is dead."""
    rate = plan.learning_rate
    for attempt in range(_RESTARTS + 1):
        numbers = np.random.SeedSequence([trained.seed, member, attempt])
        torch.manual_seed(int(numbers.generate_state(1, np.uint64)[0] >> np.uint64(1)))
        rng = np.random.default_rng(numbers)
        module = plan.architecture.build(trained.window_bp, trained.outputs)
        first = first_filters(module, plan.windows.stranded)
        if first is not None:
            weight, dilation, strands = first
            count = round(len(weight) * plan.fidelity.seeded_filters / strands)
            seed_first_filters(weight, find_filters(weight.shape[2], dilation, count), strands)
        module.to(plan.windows.device)
        rows_before = len(trained.history)
        try:
            _fit(module, plan, trained.history, rng, rate, attempt)
        except _DeadNetworkError as reason:
            if attempt == _RESTARTS:
                raise RunError(
                    f"training: the network is dead after {_RESTARTS} restarts ({reason}); "
                    "lower the learning rate or choose another architecture"
                ) from reason
            trained.restarts += 1
            rate *= _GENTLER
        except StoppedEarlyError as reason:
            trained.stopped = str(reason)
            break
        else:
            break
        finally:
            for row in trained.history[rows_before:]:
                row.update(member=member, attempt=attempt)
            trained.epochs = len(trained.history)
    return module.eval()


def _fit(
    module: nn.Module,
    plan: _Plan,
    history: list[dict[str, float]],
    rng: np.random.Generator,
    rate: float,
    attempt: int,
) -> None:
    """Train a network in place and leave its best weights in it.

    Raises
    ------
    _DeadNetworkError
        The loss or a logit is not finite; or, unless it is the last attempt, the predictions are
        constant or no better than chance.
    StoppedEarlyError
        It missed a rung.
    """
    is_first, is_last = attempt == 0, attempt == _RESTARTS
    windows, fidelity = plan.windows, plan.fidelity
    groups = _parameter_groups(module, plan.weight_decay)
    optimiser = torch.optim.AdamW(groups, lr=rate, fused=True)
    rows = windows.rows(_TRAIN)
    positive = (windows.truth[rows] > 0.5).any(1)
    share = positive.mean()
    of_positives = min(
        max(round(fidelity.windows_per_epoch * share), 1), fidelity.windows_per_epoch
    )
    piles = (
        Draws(rows[positive], of_positives, rng),
        Draws(rows[~positive], fidelity.windows_per_epoch - of_positives, rng),
    )
    judged = windows.rows(_VALIDATION)
    best, best_epoch, best_state = -1.0, 0, None
    for epoch in range(fidelity.epochs):
        drawn = rng.permutation(np.concatenate([pile.draw() for pile in piles]))
        loss = _one_epoch(module, optimiser, plan, drawn, rng, rate, epoch)
        history.append({"epoch": epoch + 1, "loss": loss, "learning_rate": rate})
        if not math.isfinite(loss):
            raise _DeadNetworkError("its loss is not finite")
        rung = plan.rungs.get(epoch + 1)
        is_kept = epoch + 1 > fidelity.keep_from * fidelity.epochs
        if not is_kept and rung is None:
            continue
        scores = logits_of_rows([module], windows, judged, fidelity)
        reached = mean_over_outputs("auroc", windows.truth[judged], scores)
        if reached is None:
            continue
        history[-1]["validation_auroc"] = reached
        if is_first and rung is not None:
            reason = missed(rung, reached, fidelity.epochs)
            if reason:
                raise StoppedEarlyError(reason)
        if not is_kept:
            continue
        if not np.isfinite(scores).all():
            raise _DeadNetworkError("its predictions are not finite")
        if np.ptp(scores, axis=0).max() <= _DEAD_SPREAD and not is_last:
            raise _DeadNetworkError("its predictions are constant")
        if reached >= best:
            best, best_epoch = reached, epoch
            best_state = {key: value.clone() for key, value in module.state_dict().items()}
        elif epoch - best_epoch >= fidelity.patience:
            break
    if best_state is not None:
        if best <= DEAD_AUROC and not is_last:
            raise _DeadNetworkError(f"its validation AUROC never passed {DEAD_AUROC}")
        module.load_state_dict(best_state)


def _parameter_groups(module: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Decay matrices and filters; leave biases and normalisation alone."""
    decayed = [part for part in module.parameters() if part.ndim > 1]
    free = [part for part in module.parameters() if part.ndim <= 1]
    groups = ((decayed, weight_decay), (free, 0.0))
    return [{"params": parts, "weight_decay": decay} for parts, decay in groups if parts]


def _one_epoch(
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    plan: _Plan,
    drawn: np.ndarray,
    rng: np.random.Generator,
    rate: float,
    epoch: int,
) -> float:
    """Take the steps of one epoch, all of one size, and give the mean loss."""
    module.train()
    windows, fidelity = plan.windows, plan.fidelity
    size = min(fidelity.batch_size, len(drawn))
    steps = len(drawn) // size
    total = 0.0
    for step, rows in enumerate(drawn[: steps * size].reshape(steps, size)):
        progress = (epoch + step / steps) / fidelity.epochs
        for group in optimiser.param_groups:
            group["lr"] = rate * _schedule(progress, fidelity.warm_up)
        shifts = rng.integers(-fidelity.shift_bp, fidelity.shift_bp + 1, size)
        codes = windows.shifted(rows, shifts)
        if fidelity.reverse_complement:
            codes = flip_some(codes, rng.random(size) < 0.5)
        with autocast(windows.device, fidelity):
            logits = forward(module, one_hot(codes))
        loss = label_loss(logits.float(), windows.targets(rows), windows.has_unknown)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(module.parameters(), _GRADIENT_NORM)
        optimiser.step()
        total += loss.item()
    return total / steps


def _schedule(progress: float, warm_up: float) -> float:
    """Give the share of the peak rate: a straight climb, then half a cosine down to zero."""
    if progress < warm_up:
        return _WARM_UP_START + (1 - _WARM_UP_START) * progress / warm_up
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))
