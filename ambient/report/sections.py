"""The sections of the page, each made from one part of a run; None where that part is absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ambient.report import figures
from ambient.report.heat_map import LIMIT, heat_map
from ambient.report.markup import Html, tag
from ambient.report.pca import component_caption, component_figure
from ambient.report.run_folder import RunFolder, name_of
from ambient.report.standard import CATEGORIES, category_of
from ambient.report.summary import by_gain, compared_tasks, summarise
from ambient.report.tables import (
    architecture_list,
    comparison_table,
    descriptor_tables,
    proposal_table,
    provenance_table,
    round_table,
)
from descriptors.schema import DESCRIPTORS

__all__ = [
    "comparison_section",
    "configuration_section",
    "descriptor_section",
    "diagnostic_plots",
    "proposal_section",
    "provenance_section",
    "training_section",
]

METRICS = (("test_auroc", "AUROC"), ("test_aupr", "AUPR"))
DIAGNOSTICS = (
    (
        "entropy",
        "entropy (nats)",
        "The policy's entropy falls as it makes up its mind.",
    ),
    (
        "approx_kl",
        "approximate KL (nats)",
        "How far one update moved the policy; spikes are risky.",
    ),
    (
        "clip_fraction",
        "clipped (share of ratios)",
        "Share of architectures whose ratio left the clip range; near 0 an update is gentle.",
    ),
    (
        "explained_variance",
        "explained variance (share)",
        "How much of the rewards' variance the baselines foresee; 1 is all, below 0 is harmful.",
    ),
)


def comparison_section(run: RunFolder) -> Html | None:
    """Tables and dot plots of the proposals beside random architectures and 5-mers."""
    if run.comparison is None:
        return None
    held_out = run.held_out_tasks
    order = by_gain(compared_tasks(run.comparison, held_out, METRICS[0][0]))
    drawn, written = [], []
    for key, name in METRICS:
        found = compared_tasks(run.comparison, held_out, key)
        rows = sorted(found, key=lambda row: order.index(row.task))
        if not any(row.proposal is not None or row.random for row in rows):
            continue
        caption = (
            "Each line is a task, further right is better: the diamond is the proposal, grey dots "
            f"are random architectures and the dark tick is their mean, in test {name}."
        )
        drawn.append(figures.plot(figures.comparison_figure(rows, name), caption))
        written.append(comparison_table(rows, name, summarise(rows)))
    fidelity = name_of(run.comparison.get("fidelity"))
    trained = f" at fidelity “{fidelity}”" if fidelity else ""
    if any(row["full"] for row in run.comparison["rows"]):
        trained += " (those of the last column at full fidelity)"
    note = (
        f"All networks were trained{trained} and scored on the test chromosomes. Tasks stand "
        "in the order of the proposal's gain in AUROC over the mean random architecture. Intervals "
        "are 95% t intervals over the random architectures of a task. The best random architecture "
        "is chosen by its test score, so it flatters random search. Bold is the highest of "
        "proposal, random mean and 5-mers."
    )
    return tag(
        "section",
        tag("h2", "Comparison"),
        tag("p", note),
        tag("div", *drawn, class_="figures"),
        *written,
        id="comparison",
    )


def _proposal(entry: Mapping[str, Any]) -> Html:
    proposals = entry["proposals"]
    kind = tag("span", f" {entry.get('category') or 'other'}", class_="kind")
    heading = tag("h3", entry["task"], kind)
    if not proposals:
        return tag("div", heading, tag("p", "No proposal.", class_="none"), class_="proposal")
    best = proposals[0]
    near = ", ".join(f"{name} ({float(gap):.2f})" for name, gap in best.get("nearest") or ())
    facts = f"Probability {float(best['probability']):.3g}."
    facts += f" Nearest training tasks: {near}." if near else ""
    others = proposal_table(proposals)
    more = tag("details", tag("summary", f"All {len(proposals)} proposals"), others)
    return tag(
        "div",
        heading,
        architecture_list(best),
        tag("p", facts),
        more if len(proposals) > 1 else None,
        class_="proposal",
    )


def proposal_section(run: RunFolder) -> Html | None:
    """The architectures that the controller proposes, spelled out."""
    if run.proposals is None:
        return None
    held_out = set(run.held_out_tasks)
    unseen = [entry for entry in run.proposals if entry["task"] in held_out]
    seen = [entry for entry in run.proposals if entry["task"] not in held_out]
    firsts = [entry["proposals"][0]["summary"] for entry in unseen if entry["proposals"]]
    distinct = len(set(firsts))
    said = ""
    if len(firsts) > 1:
        said = (
            f" The {len(firsts)} held-out tasks got {distinct} different architecture"
            f"{'' if distinct == 1 else 's'}"
            + (": the descriptors made no difference." if distinct == 1 else ".")
        )
    note = (
        "The controller's first proposal for each held-out task: its most probable architecture, found in one forward "
        "pass, or what is proven on all training tasks. Convolutions read filters × kernel width; the numbers behind "
        "the nearest training tasks are distances between standardised descriptors (no unit)."
        + said
    )
    folded = tag("details", tag("summary", f"Training tasks ({len(seen)})"), *map(_proposal, seen))
    return tag(
        "section",
        tag("h2", "Proposals"),
        tag("p", note),
        *map(_proposal, unseen),
        folded if seen else None,
        id="proposals",
    )


def diagnostic_plots(steps: figures.Steps) -> list[Html]:
    """Draw those diagnostics of PPO that the steps have."""
    return [
        figures.plot(figures.diagnostic_figure(steps, key, title), caption)
        for key, title, caption in DIAGNOSTICS
        if any(step.get(key) is not None for step in steps)
    ]


def training_section(run: RunFolder) -> Html | None:
    """Reward curves and the diagnostics of PPO."""
    if run.journal is None:
        return None
    head = tag("h2", "Training of the controller")
    steps = run.journal
    if not steps:
        return tag("section", head, tag("p", "No step is finished yet."), id="training")
    reward = (name_of(run.config.get("reward")) or "validation AUROC").replace("_", " ")
    reward = reward.replace("auroc", "AUROC").replace("aupr", "AUPR")
    curves = [
        figures.plot(
            figures.reward_figure(steps, reward),
            "Mean reward over the tasks of each step: a rise above the dotted baselines is "
            "progress, but steps differ in their tasks.",
        ),
        figures.plot(
            figures.reward_gain_figure(steps),
            "Reward minus the task's own moving average: above zero, the controller does better "
            "than it recently did on the same tasks.",
        ),
    ]
    small = diagnostic_plots(steps)
    tasks = run.training_tasks
    chosen = tag(
        "label",
        "Task ",
        tag(
            "select",
            *(tag("option", t, value=i) for i, t in enumerate(tasks)),
            data_for="task-rewards",
        ),
    )
    one = figures.plot(
        figures.task_reward_figure(steps, tasks, reward),
        "Each dot is an evaluated architecture of the selected task; the line is its baseline.",
        name="task-rewards",
        before=chosen,
    )
    torn = "The last line of the journal was cut and is left out." if run.journal_torn else None
    return tag(
        "section",
        head,
        tag("p", torn) if torn else None,
        tag("div", *curves, class_="figures"),
        tag("details", tag("summary", f"Rewards of one task ({len(tasks)})"), one),
        *_rounds(run),
        tag("h3", "Diagnostics of PPO") if small else None,
        tag("div", *small, class_="figures small") if small else None,
        id="training",
    )


def _rounds(run: RunFolder) -> list[Html]:
    """What was trained between the steps of a run whose rewards a predictor gives."""
    if not run.rounds:
        return []
    note = (
        "The rewards above are a predictor's. In each round the controller's proposals were trained in earnest, and "
        "the predictor learned from them. Where what was reached stays below what was expected, the policy had found "
        "the predictor's mistakes; of 80% intervals, four fifths should hold."
    )
    return [tag("h3", "Rounds of real children"), tag("p", note), round_table(run.rounds)]


def task_order(run: RunFolder) -> list[str]:
    """Order the described tasks by category, then by name."""
    tasks = run.descriptors or {}
    return sorted(tasks, key=lambda task: (CATEGORIES.index(category_of(tasks[task])), task))


def descriptor_section(run: RunFolder) -> Html | None:
    """The heat map and the components over tasks, and one table for each group of descriptors."""
    if run.descriptors is None:
        return None
    order = task_order(run)
    caption = (
        "Each cell is a task's descriptor in standard deviations (sd) from the mean over these "
        f"tasks (counts, widths and distances as logarithms; colours end at ±{LIMIT}); a cross "
        "marks a missing value. The tree joins tasks of like descriptors (Ward's method, a missing value as the "
        "mean), without the assay's four flags: the strip below it shows the categories."
    )
    plane = component_figure(run.descriptors)
    return tag(
        "section",
        tag("h2", "Descriptors"),
        tag("p", f"The {len(DESCRIPTORS)} numbers that a controller sees of each task."),
        figures.plot(heat_map(run.descriptors), caption, min_width=760) if order else None,
        figures.plot(plane, component_caption(run.descriptors)) if plane is not None else None,
        tag("div", descriptor_tables(run.descriptors, order), class_="groups"),
        id="descriptors",
    )


def configuration_section(run: RunFolder) -> Html:
    """The resolved configuration, as the run wrote it."""
    text = tag("pre", run.config_text.strip() or "(empty)")
    return tag(
        "section",
        tag("h2", "Configuration"),
        tag("details", tag("summary", "config.yaml, every option resolved"), text),
        id="configuration",
    )


def provenance_section(run: RunFolder) -> Html | None:
    """Source files with their hashes, what was read and what was left out."""
    if not any(task["sources"] for task in (run.descriptors or {}).values()):
        return None
    return tag(
        "section",
        tag("h2", "Provenance"),
        tag("p", "The files that the descriptors were made from, and what was left out of them."),
        provenance_table(run.descriptors or {}),
        id="provenance",
    )
