"""The top of the page: what was done, in plain words, and the main result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ambient.report.markup import Html, tag
from ambient.report.run_folder import RunFolder, name_of
from ambient.report.standard import CATEGORIES, category_of
from ambient.report.summary import Interval, Summary, compared_tasks, summarise
from ambient.report.tables import score
from ambient.report.theme import AMBER, BLUE, RANDOM, TEAL
from descriptors.schema import DESCRIPTORS

if TYPE_CHECKING:
    from ambient.data.corpus import Corpus

__all__ = [
    "duration",
    "main_result",
    "plural",
    "tile",
    "what_was_described",
    "what_was_done",
]


def _seeds(config: Mapping[str, Any]) -> Iterator[str]:
    """Find every seed in a nested configuration."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _seeds(value)
        elif key in ("seed", "seeds") and value is not None:
            yield from map(str, value if isinstance(value, list) else [value])


def plural(count: int, noun: str) -> str:
    """Write a count with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def duration(seconds: float) -> str:
    """Write a time in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def what_was_done(run: RunFolder) -> str:
    """Say in plain words what the run did."""
    config, sentences = run.config, []
    if run.journal:
        last = run.journal[-1]
        name = name_of(config.get("space"))
        space = f" over the search space {name}" if name else ""
        tasks = plural(len(run.training_tasks), "task")
        text = f"A controller was trained jointly on {tasks}{space}: "
        text += f"{plural(len(run.journal), 'step')}, {plural(last['evaluations'], 'evaluation')}"
        if str(config.get("engine", "")).startswith("predictor:"):
            text += " answered by a predictor"
            trained = sum(len(one.entries) for one in run.rounds)
            text += f" and {trained:,} trained in rounds" if trained else ""
        failed = last["failed"]
        sentences.append(f"{text}, {duration(last['wall_seconds'])}.")
        if failed:
            verb = "evaluation failed and counts" if failed == 1 else "evaluations failed and count"
            sentences.append(f"{failed:,} {verb} as the task's floor.")
    else:
        sentences.append("No training of a controller is recorded in this run.")
    if run.held_out_tasks:
        sentences.append(
            f"{plural(len(run.held_out_tasks), 'task')} the controller never saw "
            f"{'serves' if len(run.held_out_tasks) == 1 else 'serve'} as the test."
        )
    seeds = list(dict.fromkeys(_seeds(config)))
    if seeds:
        sentences.append(f"{'Seed' if len(seeds) == 1 else 'Seeds'} {', '.join(seeds)}.")
    if config.get("version"):
        sentences.append(f"Version {config['version']} of ambient.")
    return " ".join(sentences)


def what_was_described(corpus: Corpus, described: Mapping[str, Mapping[str, Any]]) -> str:
    """Say in plain words what of a corpus was described."""
    counts = dict.fromkeys(CATEGORIES, 0)
    for task in described.values():
        counts[category_of(task)] += 1
    kinds = ", ".join(f"{count} {category}" for category, count in counts.items() if count)
    held_out = len(corpus.held_out_tasks)
    kept = f" {plural(held_out, 'task')} of them {'is' if held_out == 1 else 'are'} held out."
    return (
        f"{plural(len(described), 'task')} ({kinds}) on {corpus.genome.name}, each summarised by "
        f"{len(DESCRIPTORS)} numbers from the training chromosomes: nothing on "
        f"{', '.join((*corpus.split.validation, *corpus.split.test))} counts."
        + (kept if held_out else "")
    )


def tile(name: str, value: str | None, note: str, colour: str) -> Html:
    """Make a box with one large number, its name above and a note below."""
    return tag(
        "div",
        tag("div", name, class_="name"),
        tag("div", value, class_="value"),
        tag("div", note, class_="note"),
        class_="tile",
        style=f"--mark:{colour}",
    )


def _bounds(interval: Interval) -> str:
    if interval.low is None or interval.high is None:
        return ""
    return f"95% interval {interval.low:+.3f} to {interval.high:+.3f}"


def _verdict(summary: Summary) -> str:
    """Say what the gain over tasks shows, and what it does not."""
    gain = summary.gain
    text = f"The mean gain over a random architecture is {gain.mean:+.3f}"
    if gain.low is None or gain.high is None:
        return f"{text}."
    text += f" ({_bounds(gain)}, over tasks). "
    if gain.low > 0:
        return text + "The interval lies above zero: the proposals are better than random ones."
    if gain.high < 0:
        return text + "The interval lies below zero: the proposals are worse than random ones."
    return text + "The interval includes zero: this run does not show a difference."


def _one_task(task: str, proposal: float, random: Interval) -> str:
    """Say the result of a run with one held-out task, where nothing is known about other tasks."""
    text = (
        f"On {task}, held out, the proposed architecture reaches a test AUROC of {proposal:.3f}, "
        f"{plural(random.count, 'random architecture')} on average {random.mean:.3f}"
    )
    if random.low is not None and random.high is not None:
        text += f" (95% interval of that mean {random.low:.3f} to {random.high:.3f})"
    return f"{text}. One task says nothing about others: hold out several to learn more."


def main_result(run: RunFolder) -> Html | None:
    """Say how the proposals for held-out tasks compare, in a sentence and a few large numbers."""
    if run.comparison is None:
        return None
    rows = compared_tasks(run.comparison, run.held_out_tasks, "test_auroc")
    summary = summarise(rows)
    heading = tag("h2", "Main result")
    if summary is None:
        text = "No held-out task has both a scored proposal and scored random architectures."
        return tag("section", heading, tag("p", text), id="result")
    text = (
        f"On {summary.tasks} held-out tasks, the proposed architectures reach a mean test AUROC of "
        f"{score(summary.proposal.mean)}, random architectures {score(summary.random.mean)}. "
        + _verdict(summary)
    )
    kept = [row for row in rows if row.held_out and row.gain is not None]
    alone = kept[0].random_interval
    if summary.tasks == 1 and alone is not None:
        text = _one_task(kept[0].task, summary.proposal.mean, alone)
    wins, tasks = summary.wins_random
    best_wins, best_tasks = summary.wins_best
    sizes = sorted({len(row.random) for row in kept})
    size = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    tiles = [
        tile("Proposal", score(summary.proposal.mean), "found in one forward pass", TEAL),
        tile(
            "Random, mean",
            score(summary.random.mean),
            f"{size} a task; proposal above on {wins} of {tasks}",
            RANDOM,
        ),
        tile(
            "Random, best",
            score(summary.random_best.mean),
            f"picked by test score; proposal above on {best_wins} of {best_tasks}",
            RANDOM,
        ),
    ]
    if summary.kmer is not None:
        kmer_wins, kmer_tasks = summary.wins_kmer
        note = f"logistic regression; proposal above on {kmer_wins} of {kmer_tasks}"
        tiles.append(tile("5-mers", score(summary.kmer.mean), note, AMBER))
    if summary.full is not None:
        full_wins, full_tasks = summary.wins_full_kmer
        note = f"above 5-mers on {full_wins} of {full_tasks}" if full_tasks else ""
        tiles.append(tile("Proposal, full fidelity", score(summary.full.mean), note, BLUE))
    over = "the held-out task" if summary.tasks == 1 else f"{summary.tasks} held-out tasks"
    return tag(
        "section",
        heading,
        tag("p", text, class_="lead"),
        tag("div", *tiles, class_="tiles"),
        tag(
            "p",
            f"Test AUROC (no unit; 0.5 is chance, 1 is perfect), mean over {over}.",
            class_="eyebrow",
        ),
        id="result",
    )
