"""What a reader must know of a comparison: what is charged, what is missing, what is not alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ambient.report.comparison import Comparison
from ambient.report.curves import HOURS, WINDOW
from ambient.report.searched import JOINT, Searched
from ambient.report.tables import number

__all__ = ["notes_on", "what_is_compared"]


def _plural(count: int, noun: str) -> str:
    many = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else many}"


def _names(searched: Sequence[Searched]) -> str:
    names = list(dict.fromkeys(str(one.run) for one in searched))
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def what_is_compared(comparison: Comparison) -> str:
    """Say in a sentence what stands beside what."""
    searched = comparison.searched
    named = f" ({'; '.join(comparison.labels.values())})" if len(comparison.labels) < 5 else ""
    beside = "" if comparison.source is None else ", beside the zero-shot proposal"
    return (
        f"{_plural(len({one.run for one in searched}), 'run')} of {_plural(len(comparison.labels), 'search')}{named} "
        f"on {_plural(len(comparison.tasks), 'task')}{beside}: which finds "
        "the better network for the same number of evaluations, and for the same hours? All children were trained at "
        f"the fidelity {searched[0].fidelity.name}."
    )


def notes_on(comparison: Comparison) -> list[str]:
    """Give the notes, what holds of every comparison first."""
    return [
        "A search is charged what each evaluation that it asked for took when it was trained, also where its store "
        "knew the result already; hours are those of its children, one after another. What a run took itself, with "
        "its workers and its store, stands in the table of runs.",
        "The best so far is chosen by validation AUROC; its test AUROC is reported and chooses nothing. The mean "
        f"reward is the mean validation AUROC of the last {WINDOW} evaluations that have one.",
        *_on_intervals(comparison),
        *_on_proposals(comparison),
        *_on_runs(comparison.searched),
        *_on_energy(comparison.searched),
    ]


def _on_intervals(comparison: Comparison) -> Iterator[str]:
    counts = {len(one.seeds) for part in comparison.tasks for one in part.contenders}
    if max(counts) > 1:
        yield (
            "Intervals are 95% t intervals over the repeats (seeds) of a search, given where all of its repeats "
            "have come so far. They say nothing of other tasks."
        )
    if min(counts) == 1:
        yield "A search with one repeat has no interval: its next seed may come out otherwise."
    if comparison.overall is not None:
        yield (
            "Means over tasks are taken evaluation by evaluation; their hours are those of one task, and their "
            "intervals are over seeds, not over tasks."
        )


def _on_proposals(comparison: Comparison) -> Iterator[str]:
    if comparison.source is None:
        return
    yield (
        f"The proposals are those of {comparison.source}; a proposal's score is the mean over its trainings. A search "
        "breaks even at the evaluation from which on it stays above that to its end; of several repeats the "
        "median and the range are given. The best so far on validation is the highest of many noisy scores, which "
        "flatters the search; the test AUROC of the same network does not."
    )
    if comparison.controller:
        spent = {
            axis: sum(float(one.curve.spent[axis][-1]) for one in comparison.controller)
            for axis in ("cpu_hours", "gpu_hours", "energy_kwh")
        }
        words = {"cpu_hours": "CPU h", "gpu_hours": "GPU h", "energy_kwh": "kWh"}
        shown = [f"{number(value)} {words[axis]}" for axis, value in spent.items() if value > 0]
        count = sum(len(one.curve) for one in comparison.controller)
        yield (
            f"Training the controller, once for all tasks, took {_plural(count, 'evaluation')}"
            f"{''.join(f', {text}' for text in shown)}; no search is charged for it, and no proposal."
        )
    for part in comparison.tasks:
        if part.proposed is None:
            continue
        missing = {seed for one in part.contenders for seed in one.seeds} - set(part.proposed.seeds)
        if missing:
            yield (
                f"The proposal for {part.task} was trained with the seed"
                f"{'' if len(part.proposed.seeds) == 1 else 's'} {_seeds(part.proposed.seeds)}, not with "
                f"{_seeds(sorted(missing))} of the searches: `ambient evaluate --seeds` adds them."
            )


def _seeds(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def _on_runs(searched: Sequence[Searched]) -> Iterator[str]:
    short = [one for one in searched if one.budget is not None and len(one.curve) < one.budget]
    for one in short:
        yield (
            f"{one.run} holds {len(one.curve):,} of the {one.budget:,} evaluations that were asked for; the curve of "
            "its search ends there."
        )
    lost = [one for one in searched if one.states.get("failed", 0) + one.states.get("stopped", 0)]
    if lost:
        yield (
            f"Children that failed or were stopped early ({_names(lost)}) count as evaluations, are charged, and "
            "have no reward."
        )
    joint = [one for one in searched if one.method == JOINT]
    if joint:
        yield (
            f"Of a joint training ({_names(joint)}) only the evaluations on the task itself count here, though it "
            "learned from all its tasks; a network that it asked for again counts once."
        )
    predicted = [one for one in joint if one.predicted]
    if predicted:
        yield f"What a predictor answered is no evaluation and is left out ({_names(predicted)})."
    sharing = [one for one in searched if one.shares]
    if sharing:
        yield (
            f"A search by shared weights ({_names(sharing)}) is charged for them with its first child: the wall time "
            "of its supernet, which works in one thread, counts as CPU time too, and as GPU time where it was on one; "
            "its energy is not measured. Only the children that were trained from scratch are evaluations."
        )
    spaces = {one.space: one.space_version for one in searched}
    if len(spaces) > 1:
        named = ", ".join(f"{name} (version {version})" for name, version in spaces.items())
        yield f"The searches are of different spaces, {named}: a difference may be the space's or the method's."
    versions: Mapping[str, None] = dict.fromkeys(one.version for one in searched)
    if len(versions) > 1:
        yield (
            f"The runs were begun with different versions of ambient ({', '.join(versions)}); CHANGELOG.md says "
            "whether the same constants came to mean another training."
        )


def _on_energy(searched: Sequence[Searched]) -> Iterator[str]:
    without = [one for one in searched if not np.isfinite(one.curve.spent["energy_kwh"][-1])]
    if without:
        whom = "any of the runs" if len(without) == len(searched) else _names(without)
        yield (
            f"kWh are not known for every evaluation of {whom}: codecarbon was not installed, or another machine "
            "trained them. They are left out, not guessed."
        )
    unknown = [
        one for one in searched if not np.isfinite([one.curve.spent[a][-1] for a in HOURS]).all()
    ]
    if unknown:
        yield (
            f"Hours are not known for every evaluation of {_names(unknown)}: an older journal says nothing of costs, "
            "and its store is gone."
        )
    replayed = [one for one in searched if one.curve.spent["cpu_hours"][-1] == 0]
    if replayed:
        yield f"{_names(replayed)}: the records that were replayed hold no costs, so hours are {number(0)}."
