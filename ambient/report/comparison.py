"""Searches of the same tasks beside one another and beside the zero-shot proposal, on equal budgets."""

from __future__ import annotations

import contextlib
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ambient.errors import RunError
from ambient.report.curves import (
    EVALUATIONS,
    SPENT,
    Curve,
    Spread,
    average,
    break_even,
    spread_of,
)
from ambient.report.proposed import Proposed, read_proposed
from ambient.report.searched import JOINT, Searched, read_searched
from ambient.report.summary import Interval

__all__ = ["BreakEven", "Comparison", "Contender", "TaskComparison", "compare_runs"]

FIRST_BUDGET = 25  # evaluations; the next is twice as many, and so on
JUDGED = ("validation", "test")  # what a search may pass the proposal on


@dataclass(frozen=True)
class BreakEven:
    """From where on repeats of a search stay above the proposal."""

    points: tuple[int | None, ...]  # evaluations, one for each repeat; None: not to its end
    evaluations: Spread
    spent: dict[str, Spread | None]  # by the names of `SPENT`; None: a cost is not known

    @property
    def reached(self) -> int:
        """How many of the repeats pass the proposal."""
        return sum(point is not None for point in self.points)


@dataclass(frozen=True, eq=False)
class Contender:
    """Repeats of one search of one task."""

    label: str
    space: str
    seeds: tuple[int, ...]  # one for each repeat
    curves: tuple[Curve, ...]

    def __len__(self) -> int:
        """Give the evaluations that every repeat has."""
        return min(map(len, self.curves))

    def break_even(self, measure: str, level: float) -> BreakEven | None:
        """Give where the repeats pass a level; None where nothing is known of it."""
        if math.isnan(level):
            return None
        points = tuple(break_even(curve.measure(measure), level) for curve in self.curves)

        def spent(axis: str) -> Spread | None:
            return spread_of(
                [
                    math.inf if point is None else float(curve.axis(axis)[point - 1])
                    for point, curve in zip(points, self.curves, strict=True)
                ]
            )

        evaluations = spent(EVALUATIONS)
        assert evaluations is not None
        return BreakEven(points, evaluations, {axis: spent(axis) for axis in SPENT})


@dataclass(frozen=True, eq=False)
class TaskComparison:
    """All searches of one task, or their means over several tasks."""

    task: str
    proposed: Proposed | None
    contenders: tuple[Contender, ...]

    @property
    def curves(self) -> list[Curve]:
        """Give the curves of all repeats of all searches."""
        return [curve for one in self.contenders for curve in one.curves]

    @property
    def device_axis(self) -> str:
        """What equal hours are hours of: GPUs where every search used one, else processors."""
        on_gpu = all(curve.spent["gpu_hours"][-1] > 0 for curve in self.curves)
        return "gpu_hours" if on_gpu else "cpu_hours"

    @property
    def budgets(self) -> list[int]:
        """Give the numbers of evaluations at which the searches are held beside one another."""
        lengths = [len(one) for one in self.contenders]
        found = {min(lengths)}
        budget = FIRST_BUDGET
        while budget <= max(lengths):
            found.add(budget)
            budget *= 2
        return sorted(found)

    @property
    def hours(self) -> list[float]:
        """Give the hours of `device_axis` likewise: what all have spent, and two round numbers below it."""
        ends = [float(curve.spent[self.device_axis][-1]) for curve in self.curves]
        common = min((end for end in ends if math.isfinite(end)), default=0.0)
        if not common > 0:  # not known, or replayed from a table that knows none
            return []
        power = 10.0 ** math.floor(math.log10(common))
        round_ones = [power * factor for factor in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)]
        return [*[value for value in round_ones if value < 0.999 * common][-2:], common]

    def axes(self) -> list[str]:
        """Name what the curves can be drawn against: something is known of it, and somebody used it."""
        known = [
            axis for axis in SPENT if any(np.nanmax([*c.spent[axis], 0.0]) > 0 for c in self.curves)
        ]
        return [EVALUATIONS, *known]


@dataclass(frozen=True, eq=False)
class Comparison:
    """What is compared."""

    tasks: tuple[TaskComparison, ...]
    overall: TaskComparison | None  # means over tasks, where every search has the same seeds on all
    searched: tuple[Searched, ...]
    labels: dict[tuple[Any, ...], str]  # of `Searched.series`
    source: Path | None  # of the proposals
    controller: tuple[Searched, ...] = ()  # its own training, where the source is its run

    @property
    def parts(self) -> tuple[TaskComparison, ...]:
        """Give the means over tasks, where there are any, and then each task."""
        return self.tasks if self.overall is None else (self.overall, *self.tasks)


def compare_runs(
    folders: Sequence[str | Path],
    zero_shot: str | Path | None = None,
    stores: Iterable[Path] = (),
) -> Comparison:
    """Compare runs of `ambient search`, and of `ambient train` where they trained on the same tasks.

    Parameters
    ----------
    folders : sequence of path
        The runs, finished or not.
    zero_shot : path, optional
        A file of proposals, or a run's folder with `proposals.json`.
    stores : iterable of path
        Where trainings of the proposals are looked for beside the runs' own stores.

    Returns
    -------
    Comparison

    Raises
    ------
    RunError
        Two of the runs cannot be compared, or one is no run; or a proposal is absent or was never
        trained at the runs' fidelity.
    """
    known: dict[Path, str | Path] = {}
    for folder in folders:
        place = Path(folder).resolve()
        if place in known:
            raise RunError(f"{folder}: the same run was named before; name each run once")
        known[place] = folder
    searched = _on_shared_tasks([one for folder in folders for one in read_searched(folder)])
    _check(searched)
    labels = _labels(searched)
    proposed = {} if zero_shot is None else read_proposed(zero_shot, searched, stores)
    tasks = tuple(
        _task(task, [one for one in searched if one.task == task], labels, proposed.get(task))
        for task in dict.fromkeys(one.task for one in searched)
    )
    source = None if zero_shot is None else Path(zero_shot)
    controller = () if source is None else _training_of(source)
    return Comparison(tasks, _overall(tasks), tuple(searched), labels, source, controller)


def _training_of(source: Path) -> tuple[Searched, ...]:
    """Read what a controller's run trained; nothing where the source is none, or is no longer whole."""
    with contextlib.suppress(RunError):  # only a note depends on it
        if source.is_dir():
            return tuple(read_searched(source))
    return ()


def _on_shared_tasks(searched: list[Searched]) -> list[Searched]:
    """Leave out the tasks of joint trainings that nobody searched."""
    single = {one.task for one in searched if one.method != JOINT}
    kept = [one for one in searched if one.task in single] if single else searched
    for one in searched:
        if not any(other.run == one.run for other in kept):
            tasks = ", ".join(dict.fromkeys(o.task for o in searched if o.run == one.run))
            raise RunError(
                f"{one.run}: found a joint training on {tasks}, but the searches are of {', '.join(sorted(single))}: "
                "nothing to compare; leave it out"
            )
    return kept


def _check(searched: Sequence[Searched]) -> None:
    """Refuse what would be compared without meaning; each error names both runs."""
    first = searched[0]
    names: dict[str, Searched] = {}
    spaces: dict[str, Searched] = {}
    same: dict[tuple[Any, ...], Searched] = {}
    for one in searched:
        if one.fidelity.hash != first.fidelity.hash:
            raise RunError(
                f"{one.run}: its children were trained at the fidelity {_differing(one, first)}, those of {first.run} "
                f"at {_differing(first, one)}; compare runs of one fidelity"
            )
        other = names.setdefault(one.task, one)
        if other.task_hash != one.task_hash:
            raise RunError(
                f"{one.run}: its task {one.task} holds other windows ({one.task_hash}) than that of {other.run} "
                f"({other.task_hash}); compare runs over one corpus"
            )
        other = spaces.setdefault(one.space, one)
        if other.space_hash != one.space_hash:
            raise RunError(
                f"{one.run}: its space {one.space} (version {one.space_version}) is another than that of {other.run} "
                f"(version {other.space_version}); compare runs of one version, or give one of the two another name"
            )
        other = same.setdefault(one.identity, one)
        if other is not one:
            raise RunError(
                f"{one.run}: is the same search of {one.task} as {other.run} ({one.method}, seed {one.seed}), so it is "
                "no repeat; leave one of them out, or search again with another --seed"
            )


def _differing(one: Searched, other: Searched) -> str:
    """Name a fidelity and the first constants that are different there."""
    mine, theirs = one.fidelity.to_dict(), other.fidelity.to_dict()
    differing = [key for key in mine if key != "name" and mine[key] != theirs[key]]
    return f"{one.fidelity.name} ({', '.join(f'{key} {mine[key]}' for key in differing[:2])})"


def _labels(searched: Sequence[Searched]) -> dict[tuple[Any, ...], str]:
    """Name each search by its method, and by what tells it from others of the same method."""
    firsts: dict[tuple[Any, ...], Searched] = {}
    for one in searched:
        firsts.setdefault(one.series, one)
    groups: dict[str, list[Searched]] = defaultdict(list)
    for one in firsts.values():
        groups[one.method + (f" from {Path(one.start).name}" if one.start else "")].append(one)
    labels = {}
    for name, members in groups.items():
        words = {one.series: [name] for one in members}
        if len({one.space for one in members}) > 1:
            for one in members:
                words[one.series].append(one.space)
        for key in ("batch", "ahead", "max_parameters", "max_flops", "turns"):
            if len({one.settings.get(key) for one in members}) > 1:
                for one in members:
                    value = one.settings.get(key)
                    if value is not None:
                        words[one.series].append(f"{key.replace('_', ' ')} {value:,}")
        texts = [", ".join(words[one.series]) for one in members]
        for one, text in zip(members, texts, strict=True):
            labels[one.series] = text if texts.count(text) == 1 else f"{text} ({one.run.name})"
    return labels


def _task(
    task: str,
    searched: Sequence[Searched],
    labels: dict[tuple[Any, ...], str],
    proposed: Proposed | None,
) -> TaskComparison:
    contenders = []
    for series, label in labels.items():
        repeats = sorted((o for o in searched if o.series == series), key=lambda o: o.seed)
        if repeats:
            contenders.append(
                Contender(
                    label,
                    repeats[0].space,
                    tuple(one.seed for one in repeats),
                    tuple(one.curve for one in repeats),
                )
            )
    return TaskComparison(task, proposed, tuple(contenders))


def _overall(tasks: Sequence[TaskComparison]) -> TaskComparison | None:
    """Average over tasks, repeat by repeat; None of one task, or where a search lacks a seed somewhere."""
    first = tasks[0].contenders
    if len(tasks) == 1 or any(
        [(c.label, c.seeds) for c in task.contenders] != [(c.label, c.seeds) for c in first]
        for task in tasks
    ):
        return None
    contenders = [
        Contender(
            one.label,
            one.space,
            one.seeds,
            tuple(
                average([task.contenders[at].curves[repeat] for task in tasks])
                for repeat in range(len(one.seeds))
            ),
        )
        for at, one in enumerate(first)
    ]
    name = f"mean over {len(tasks)} tasks"
    proposed = [task.proposed for task in tasks if task.proposed is not None]
    mean = None
    if proposed:  # for each task, as `read_proposed` gives them
        levels = {
            measure: float(np.mean([one.level(measure) for one in proposed])) for measure in JUDGED
        }
        mean = Proposed(
            task=name,
            summary="each task's own",
            space=", ".join(dict.fromkeys(one.space for one in proposed)),
            seeds=tuple(sorted({seed for one in proposed for seed in one.seeds})),
            validation=Interval(levels["validation"], None, None, len(tasks)),
            test=None
            if math.isnan(levels["test"])
            else Interval(levels["test"], None, None, len(tasks)),
            spent={axis: float(np.mean([one.spent[axis] for one in proposed])) for axis in SPENT},
        )
    return TaskComparison(name, mean, tuple(contenders))
