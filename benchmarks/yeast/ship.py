"""Put the controller that zero_shot.py measured on the shelf: pretrained/yeast, with its model card.

    python benchmarks/yeast/ship.py

Copies zero-shot/ambient-plus/controller, with the predictor that it was trained on and what thorough.py proved at
`full`, and writes the card from zero-shot/ambient-plus/results.json, deployed/results.json and table.tsv.gz. Trains
nothing.
"""

from __future__ import annotations

import tempfile
import textwrap
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from measure import good_architectures
from table import HERE, TABLE
from thorough import proven_at_full

from ambient.child.fidelity import SEARCH
from ambient.controller.card import Controller
from ambient.data.corpus import read_corpus
from ambient.evaluate import Evaluation, Store
from ambient.evaluate.exchange import import_tsv
from ambient.files import read_json, write_atomic
from ambient.report.summary import mean_interval

SPACE = "ambient-plus"
MEASURED = HERE / "zero-shot" / SPACE
WIDER = HERE / "wider" / "results.json"
SHELF = HERE.parents[1] / "pretrained" / "yeast"
TITLES = {
    "most probable": "the most probable architecture under the policy, untried",
    "no descriptors": "the same for a data set of which nothing is known",
    "shuffled descriptors": "the first proposal of controllers trained with another task's descriptors",
    "best single": "of the random architectures the best one for all training tasks",
    "nearest task's best": "of these the best one for the nearest training task",
    "best of the category": "of these the best one for the training tasks of the category",
    "random": "a random architecture",
}

CARD = """# yeast: a controller of 36 yeast data sets

Proposes, from the descriptors of a data set, an input window, a convolutional network and how to train it, over
the search space `ambient-plus`.

```
ambient propose peaks.bed.gz --genome sacCer3.fa.gz --annotation sacCer3.gtf.gz --category tf --controller yeast
```

## What it learned from
{tasks} data sets of yeast (sacCer3: ChIP-exo by Rossi et al. 2021, histone marks, nucleosome-depleted regions):
{categories}. 500 bp windows unless the architecture sets another; negatives half GC-matched, half peaks of other
tasks; chromosomes II and XIII for validation, IV, XI and XVI for test. Descriptors are of the training
chromosomes, with the built-in motif finder (schema {schema}).

The records are {rows:,} trainings at the `search` fidelity: the same 40 random architectures on every task (200 on
six of them), what a controller asked for in two rounds and in three folds of the tasks, and {good} architectures that
controllers had proposed, on every task. A Gaussian process over descriptors and architectures learned from their
validation AUROC, and PPO trained the policy on what it expects ({steps} steps). It lies beside the weights and says
which AUROC to expect of a proposal.

One of those {good} architectures was best on average at `search`, in nearly every category; a choice by descriptors
brought nothing beyond it, but perhaps on histone marks (`benchmarks/yeast` in the source has the analysis). Trained as
long as `ambient fit` trains, another one is better: of those that were trained so on all {tasks} (`full`, one member)
the one with the best validation AUROC, {proven_reached:.3f} on average,

    {proven}

comes first, unless the most probable architecture promises clearly more than what is best at `search`.

## What it is worth
Test AUROC, mean over 12 data sets that it never saw. As `ambient propose --fit` trains it (`full`, five networks;
`python benchmarks/yeast/deployed.py --recorded`):

| what is trained | test AUROC | this controller is better by (95% interval over data sets) | on |
|---|---|---|---|
{deployed}

Below, each proposal is trained once at `search`, in seconds, and what is proven at `search` comes first; means over
five trainings of the controller, of which this is the first (`python benchmarks/yeast/zero_shot.py --recorded`). It is
the second measurement on these 12, and the table above a third: what changed was decided on the training tasks.

| what is trained | test AUROC | this controller is better by (95% interval over data sets) |
|---|---|---|
{table}

The 80% intervals of what to expect (of one training at `search`) held {coverage:.0%} of the trainings{left_out}.

{wider}

## What it is not
- **Yeast.** Genes are dense, introns rare, motifs short of company: for another genome the descriptors lie far
  from all that it knows, and `ambient propose` says so. Train a controller on data like yours: `ambient train`
  (docs/encode.md in the source). On 13 human sets of CLIP and ChIP-seq windows of 101 bp what it proposes still
  stands at the 93rd percentile of random architectures, and level with 40 trainings of each; trained long, one network
  beats 5-mers by 0.029 (0.015 to 0.043), on 12 of the 13 (`benchmarks/human`). Peaks on the whole human genome were not
  tried.
- **Of CLIP** it knows nothing: read it with `--stranded`, which is worth more than the network.
- 500 bp windows around points of binding, with these negatives. With other negatives other architectures may
  win.
- Small data sets: 150 to 2,000 positives. What is best for 50,000 peaks it has never seen. Of those with few hundred
  it expects too much, as the 66 above show.
- The policy and the predictor know short trainings, in which what learns fast wins; at `full` few architectures were
  compared (`benchmarks/yeast/thorough`).

## What it cost
{cost}. The policy itself: about three minutes on one core.
"""


def main() -> None:
    """Copy, and write the card."""
    controller = Controller.load(MEASURED / "controller")
    if controller.predictor is None:
        raise SystemExit(
            f"{MEASURED / 'controller'}: the controller has no predictor; train it anew"
        )
    result = read_json(MEASURED / "results.json", "file of results")
    controller = proven_at_full(controller)
    controller.save(SHELF)
    deployed = read_json(HERE / "deployed" / "results.json", "file of results")
    write_atomic(SHELF / "README.md", card(controller, result, deployed, recorded(controller)))
    print((SHELF / "README.md").read_text())


def recorded(controller: Controller) -> list[Evaluation]:
    """Give the trainings that the controller learned from; the table has grown since."""
    assert controller.predictor is not None
    records = controller.predictor.records
    learned_from = {
        (records.tasks[task], tuple(tokens))
        for task, tokens in zip(records.task.tolist(), records.tokens.tolist(), strict=True)
    }
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
        import_tsv(store, TABLE)
        rows = [
            row
            for row in store.rows(records.tasks, SPACE, SEARCH.hash, "done")
            if row.seed == 0 and (row.task, row.architecture.tokens) in learned_from
        ]
    if len(rows) != len(records.values):
        raise SystemExit(
            f"{TABLE}: found {len(rows):,} of the {len(records.values):,} trainings that the controller learned from"
        )
    return rows


def card(
    controller: Controller,
    result: Mapping[str, Any],
    deployed: Mapping[str, Any],
    rows: list[Evaluation],
) -> str:
    """Write the model card."""
    assert controller.proven is not None
    categories = Counter(spec.category for spec in read_corpus(HERE / "corpus.yaml").training_tasks)
    ways = result["ways"]
    own = np.array([one["test_auroc"] for one in ways["controller"].values()])
    lines = [f"| **this controller's proposal** | **{own.mean():.3f}** | |"]
    for way, title in TITLES.items():
        if way not in ways:  # not trained yet
            continue
        other = np.array([one["test_auroc"] for one in ways[way].values()])
        gain = mean_interval((own - other).tolist())
        lines.append(
            f"| {title} | {other.mean():.3f} | {gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) |"
        )
    kmer = np.array(list(result["kmer"].values()))
    gain = mean_interval((own - kmer).tolist())
    lines.append(
        f"| 5-mer logistic regression on the same windows | {kmer.mean():.3f} | {gain.mean:+.3f} ({gain.low:+.3f} to "
        f"{gain.high:+.3f}) |"
    )
    left_out = ""
    if "left_out" in result:
        seen = result["never_seen"]
        left_out = (
            f", and {seen['random']:.0%} of those of random architectures on the same data sets; of the "
            f"{len(controller.tasks)} training data sets, each predicted from the records of the others, they held "
            f"{result['left_out']['all']:.0%}"
        )
    return CARD.format(
        tasks=len(controller.tasks),
        categories=", ".join(f"{count} {name}" for name, count in categories.most_common()),
        schema=controller.scaler.schema_version,
        rows=len(rows),
        good=len(good_architectures(controller.space)),
        steps=controller.training["steps"],
        table="\n".join(lines),
        coverage=result["coverage"],
        left_out=left_out,
        proven=controller.space.architecture(controller.proven.tokens).summary(),
        proven_reached=controller.proven.reached,
        deployed="\n".join(deployed_rows(deployed)),
        wider=on_further_sets(read_json(WIDER, "file of results")),
        cost=cost(rows),
    )


def deployed_rows(result: Mapping[str, Any]) -> list[str]:
    """Write what deployed.py measured."""
    tasks = sorted(next(iter(result["ways"].values())))
    (own, reached), *others = (
        (way, np.array([of[name] for name in tasks])) for way, of in result["ways"].items()
    )
    lines = [f"| **this controller's proposal** ({own}) | **{reached.mean():.3f}** | | |"]
    for way, other in others:
        gain = mean_interval((reached - other).tolist())
        lines.append(
            f"| {way} | {other.mean():.3f} | {gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) "
            f"| {(reached > other).sum()} of {len(other)} |"
        )
    return lines


def on_further_sets(result: Mapping[str, Any]) -> str:
    """Write what wider.py measured."""
    ways, names = result["ways"], list(result["validation"])
    own = np.array([ways["controller"][name] for name in names])

    def over(way: str) -> str:
        gain = mean_interval((own - [ways[way][name] for name in names]).tolist())
        return f"{gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"

    expected = [result["proposals"][name]["expected"] for name in names]
    reached = [result["validation"][name] for name in names]
    pairs = list(zip(expected, reached, strict=True))
    inside = sum(one["low"] <= value <= one["high"] for one, value in pairs)
    much = np.mean([one["mean"] - value for one, value in pairs])
    told = (
        f"On {len(names)} further yeast data sets, looked at once (`python benchmarks/yeast/wider.py --recorded`), its "
        f"proposals reach {own.mean():.3f} at `search`: over 5-mer regression {over('5-mer logistic regression')}, "
        f"over the best random architecture for all {over('best single')}, over controllers with shuffled descriptors "
        f"{over('shuffled descriptors')}. The intervals hold {inside} of {len(names)}; on average {much:.3f} too much "
        "was expected."
    )
    return textwrap.fill(told, 116)


def cost(rows: list[Evaluation]) -> str:
    """Say what the records took; energy was measured for some of them only."""
    hours = sum(row.cpu_seconds for row in rows) / 3600
    measured = [row for row in rows if row.energy_kwh is not None]
    if not measured:
        return f"{hours:.1f} CPU hours for the records; their energy was not measured"
    rate = sum(row.energy_kwh or 0.0 for row in measured) / sum(row.cpu_seconds for row in measured)
    return (
        f"{hours:.1f} CPU hours for the records, about {3600 * hours * rate:.2f} kWh by the {1000 * 3600 * rate:.0f} W "
        f"a core that codecarbon estimated for {len(measured):,} of them"
    )


if __name__ == "__main__":
    main()
