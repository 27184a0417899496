"""What the table of evaluations says before any claim: what moves AUROC, and what a choice by data set can bring.

    python benchmarks/yeast/analyse.py

reads table.tsv.gz (`table.py` makes it) and writes analysis.json and analysis.md beside this file; trains nothing.
Architectures that were drawn at random and those of good.json, which controllers proposed, are analysed apart.

- **Shares of the variance** of validation AUROC, over the architectures that all 36 training tasks have: task,
  architecture, their interaction, and noise (half the mean squared difference of two seeds).
- **Rank correlation** between tasks, and between two seeds of one task.
- **The ceiling**: each task's own best architecture against the best single one, chosen on the validation AUROC of one
  seed and scored by the test AUROC of the other, so that luck in choosing is not counted as gain. The best single
  architecture for a task is chosen on the *other* training tasks.
- **Each task's own choice**: the best by its validation AUROC against the best single one by that of the other tasks,
  both scored by test AUROC; of the architectures that controllers proposed, the best single one is also held against
  the best single random one, and against each task's own choice among the random ones.
- **What matters where**: for each category, the share of the variance between architectures that each decision of the
  space explains by itself (adjusted R squared of its choices, after the task's mean, over the architectures in which
  it applies).
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from script import tell
from table import HERE, PLAN, architectures_of

from ambient.child.fidelity import SEARCH
from ambient.data.corpus import read_corpus
from ambient.evaluate import Store
from ambient.evaluate.exchange import import_tsv
from ambient.report.summary import mean_interval
from ambient.space import named_space

SPACES = ("ambient-plus", "ambient-10")
LEAST = 5  # architectures that all training tasks must share
RANDOM, GOOD = "random", "good"  # where an architecture is from
FEW = 20  # architectures: with fewer nothing is said about single decisions


def main() -> None:
    """Analyse each space; write."""
    corpus = read_corpus(HERE / "corpus.yaml")
    rows = read_table(HERE / "table.tsv.gz")
    categories = {spec.name: spec.category for spec in corpus.training_tasks}
    drawn = rows[rows["origin"] == RANDOM]
    found = {
        space: analysed(drawn[drawn["space"] == space], categories, space)
        for space in SPACES
        if (drawn["space"] == space).any()
    }
    proposed = rows[rows["origin"] == GOOD]
    if len(proposed):
        (space,) = proposed["space"].unique()
        found[f"{space}, proposed by controllers"] = {
            **analysed(proposed, categories, space),
            "over_random": over_random(proposed, drawn[drawn["space"] == space], list(categories)),
        }
    text = "\n\n".join(as_text(space, one) for space, one in found.items()) + "\n"
    tell(HERE, found, text, "analysis")


def read_table(path: Path) -> pd.DataFrame:
    """Give a row for each whole training at `search`: task, space, architecture, seed, tokens, AUROCs, seconds.

    Of architectures of the plan alone, drawn at random (`origin` RANDOM) or of good.json (GOOD): what else a
    controller or a search asked for was chosen by evaluations, also of tasks that are hidden here.
    """
    origins = {
        one.key: GOOD if part.good else RANDOM for part in PLAN for one in architectures_of(part)
    }
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
        import_tsv(store, path)
        rows = [
            {
                "task": one.task,
                "space": one.architecture.space,
                "version": one.architecture.space_version,
                "architecture": one.architecture.key,
                "origin": origins[one.architecture.key],
                "tokens": one.architecture.tokens,
                "seed": one.seed,
                "validation": one.metrics["validation_auroc"],
                "test": one.metrics["test_auroc"],
                "cpu_seconds": one.cpu_seconds,
            }
            for one in store.rows(fidelity=SEARCH.hash, state="done")
            if one.architecture.key in origins
        ]
    return pd.DataFrame(rows)


def analysed(rows: pd.DataFrame, categories: Mapping[str, str], space: str) -> dict[str, Any]:
    """Analyse the rows of one space."""
    rows = rows[rows["version"] == named_space(space).version]
    training = rows[rows["task"].isin(categories)]
    first, second = (training[training["seed"] == seed] for seed in (0, 1))
    result: dict[str, Any] = {
        "evaluations": len(rows),
        "mean_cpu_seconds": float(rows["cpu_seconds"].mean()),
        "tasks": int(training["task"].nunique()),
    }
    table = whole(first, "validation", list(categories))
    result["architectures"] = table.shape[1]
    if table.shape[1] < LEAST:
        return result
    again = whole(second, "validation", list(categories)).reindex(columns=table.columns)
    noise = float(np.nanmean((table - again).to_numpy() ** 2) / 2) if len(second) else None
    result["variance"] = variance_shares(table.to_numpy(), noise)
    result["rank_correlation_of_tasks"] = float(
        np.mean([spearmanr(a, b).statistic for a, b in itertools.combinations(table.to_numpy(), 2)])
    )
    both = [name for name in table if again[name].notna().all()]
    if len(both) >= LEAST:
        result["rank_correlation_of_seeds"] = float(
            np.mean(
                [spearmanr(table.loc[t, both], again.loc[t, both]).statistic for t in table.index]
            )
        )
        tests = [whole(part, "test", list(categories))[both] for part in (first, second)]
        result["ceiling"] = ceiling((table[both], again[both]), tests)
    result["optimistic_ceiling"] = optimistic_ceiling(table)
    scores = whole(first, "test", list(categories))[table.columns]
    single, own = choices(table)
    result["own_choice"] = gain(scores, own, scores, single)
    if table.shape[1] < FEW:
        return result
    result["decisions"] = {
        category: decision_shares(first[first["task"].map(categories) == category], space)
        for category in sorted(set(categories.values()))
    }
    result["decisions"]["all"] = decision_shares(first, space)
    return result


def whole(rows: pd.DataFrame, value: str, tasks: Sequence[str]) -> pd.DataFrame:
    """Give the table tasks x architectures of the architectures that all tasks have."""
    table = rows.pivot_table(index="task", columns="architecture", values=value)
    table = table.reindex(index=sorted(tasks))
    return table.loc[:, table.notna().all()]


def variance_shares(table: np.ndarray, noise: float | None) -> dict[str, float | None]:
    """Two-way analysis of variance without repeats; noise comes from the second seed.

    The mean squares' expectations give the components: rows (tasks), columns (architectures), and what is left.
    """
    tasks, architectures = table.shape
    centred = table - table.mean()
    by_task, by_architecture = centred.mean(1), centred.mean(0)
    left = centred - by_task[:, None] - by_architecture[None]
    of_left = float((left**2).sum() / ((tasks - 1) * (architectures - 1)))
    of_task = float(by_task.var(ddof=1) - of_left / architectures)
    of_architecture = float(by_architecture.var(ddof=1) - of_left / tasks)
    total = of_task + of_architecture + of_left
    shares = {"task": of_task / total, "architecture": of_architecture / total}
    if noise is None:
        return {
            **shares,
            "interaction_and_noise": of_left / total,
            "standard_deviation": total**0.5,
        }
    return {
        **shares,
        "interaction": (of_left - noise) / total,
        "noise": noise / total,
        "standard_deviation": total**0.5,
    }


def ceiling(
    validation: tuple[pd.DataFrame, pd.DataFrame], test: Sequence[pd.DataFrame]
) -> dict[str, Any]:
    """Gain in test AUROC of each task's own choice over the best single one, chosen and scored on different seeds."""
    gains: dict[str, list[float]] = {}
    for chosen_by, scored_by in ((0, 1), (1, 0)):
        values, scores = validation[chosen_by], test[scored_by]
        for task in values.index:
            own = values.loc[task].idxmax()
            single = values.drop(index=task).mean().idxmax()
            gains.setdefault(task, []).append(
                float(scores.loc[task, own] - scores.loc[task, single])
            )
    means = [float(np.mean(both)) for both in gains.values()]
    interval = mean_interval(means)
    return {
        "architectures": values.shape[1],
        "gain": interval.mean,
        "interval": [interval.low, interval.high],
        "by_task": {task: float(np.mean(both)) for task, both in gains.items()},
    }


def choices(validation: pd.DataFrame) -> tuple[dict[str, str], dict[str, str]]:
    """Choose for each task the best single architecture of the others, and its own best."""
    single = {task: validation.drop(index=task).mean().idxmax() for task in validation.index}
    return single, {task: validation.loc[task].idxmax() for task in validation.index}


def gain(
    scores: pd.DataFrame, chosen: Mapping[str, str], others: pd.DataFrame, other: Mapping[str, str]
) -> dict[str, Any]:
    """Say how much better one choice for each task is than another, by their scores."""
    pairs = [(scores.loc[task, chosen[task]], others.loc[task, other[task]]) for task in chosen]
    interval = mean_interval([float(one - two) for one, two in pairs])
    means = [float(np.mean(column)) for column in zip(*pairs, strict=True)]
    return {
        "gain": interval.mean,
        "interval": [interval.low, interval.high],
        "means": means,
        "better": int(sum(one > two for one, two in pairs)),
    }


def over_random(
    proposed: pd.DataFrame, drawn: pd.DataFrame, tasks: Sequence[str]
) -> dict[str, Any]:
    """Hold the best single architecture that controllers proposed against what the random ones offer; test AUROC."""
    tables = {}
    for name, rows in (("proposed", proposed), ("drawn", drawn)):
        first = rows[rows["seed"] == 0]
        validation = whole(first, "validation", tasks)
        test = whole(first, "test", tasks)[validation.columns]
        tables[name] = (test, *choices(validation))
    test, single, _ = tables["proposed"]
    random, best, own = tables["drawn"]
    return {
        "best single random": gain(test, single, random, best),
        "each task's own random": gain(test, single, random, own),
    }


def optimistic_ceiling(table: pd.DataFrame) -> float:
    """Mean over tasks of the best validation AUROC less that of the best single one; luck in choosing included."""
    single = table.mean().idxmax()
    return float((table.max(axis=1) - table[single]).mean())


def decision_shares(rows: pd.DataFrame, space: str) -> dict[str, float]:
    """Share of the variance within tasks that each decision's choices explain by themselves; adjusted R squared."""
    names = [decision.name for decision in named_space(space).decisions]
    value = rows["validation"] - rows.groupby("task")["validation"].transform("mean")
    tokens = np.array(rows["tokens"].tolist())
    # Rows of one architecture are no independent witnesses: the mean over the tasks counts once.
    mean = value.groupby(rows["architecture"]).mean()
    first = rows["architecture"].drop_duplicates()
    tokens = tokens[rows.index.get_indexer(first.index)]
    values = mean.loc[first].to_numpy()
    shares = {}
    for column, name in enumerate(names):
        applies = tokens[:, column] >= 0  # else it would tell how many blocks there are
        kept = pd.Series(values[applies])
        groups = kept.groupby(tokens[applies, column])
        within = float(((kept - groups.transform("mean")) ** 2).sum())
        total = float(((kept - kept.mean()) ** 2).sum())
        freedom = len(kept) - groups.ngroups
        shares[name] = (
            1 - (within / freedom) / (total / (len(kept) - 1)) if freedom > 0 else float("nan")
        )
    return shares


def as_text(space: str, found: Mapping[str, Any]) -> str:
    """Write what came out as Markdown."""
    lines = [
        f"**{space}**: {found['evaluations']:,} evaluations, {found['mean_cpu_seconds']:.1f} CPU s each; "
        f"{found['architectures']} architectures on all {found['tasks']} training tasks.",
        "",
    ]
    if "variance" not in found:
        return "\n".join(lines)
    shares = {k: v for k, v in found["variance"].items() if k != "standard_deviation"}
    told = ", ".join(f"{name.replace('_', ' ')} {share:.0%}" for name, share in shares.items())
    lines.append(
        f"- Variance of validation AUROC (standard deviation {found['variance']['standard_deviation']:.3f}): {told}."
    )
    lines.append(f"- Rank correlation between tasks: {found['rank_correlation_of_tasks']:.2f}.")
    if "rank_correlation_of_seeds" in found:
        lines[-1] += f" Between two seeds of a task: {found['rank_correlation_of_seeds']:.2f}."
    if "ceiling" in found:
        one = found["ceiling"]
        low, high = one["interval"]
        lines.append(
            f"- Each task's own best of {one['architectures']} over the best single one, chosen by one seed and scored "
            f"by the other's test AUROC: {one['gain']:+.4f} (95% interval over tasks {low:+.4f} to {high:+.4f})."
        )
    lines.append(
        f"- The same on the validation AUROC that chose it, luck included: {found['optimistic_ceiling']:+.4f}."
    )
    lines.append(
        f"- Each task's own choice by validation over the best single one by that of the other tasks, in test AUROC: "
        f"{_gain(found['own_choice'])}."
    )
    for name, one in found.get("over_random", {}).items():
        lines.append(f"- The best single one over {name} architecture: {_gain(one)}.")
    if "decisions" not in found:
        return "\n".join(lines)
    decisions = found["decisions"]
    categories = list(decisions)
    lines += [
        "",
        f"| decision | {' | '.join(categories)} |",
        "|---|" + "---|" * len(categories),
        *(
            f"| {name} | " + " | ".join(_share(decisions[c][name]) for c in categories) + " |"
            for name in decisions["all"]
        ),
    ]
    return "\n".join(lines)


def _gain(one: Mapping[str, Any]) -> str:
    low, high = one["interval"]
    own, other = one["means"]
    return (
        f"{own:.4f} against {other:.4f}, {one['gain']:+.4f} (95% interval over tasks {low:+.4f} to {high:+.4f}), "
        f"better on {one['better']}"
    )


def _share(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.0%}"


if __name__ == "__main__":
    main()
