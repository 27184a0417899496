"""What does averaging networks bring: of short and of long trainings, of both together, of different architectures?

    python benchmarks/yeast/averaging.py [--hours 1 | --recorded]

On nine training tasks (of thorough.py's drawn order the sixteenth and those after it) until the time is up: what is
proven at `search` (good 3 of good.json) with five members of `search`, and what is better in long trainings (good 6)
with three members of `full`; then, once at `search`, the other six of good.json, of which averages are chosen by
validation as one would after a search. The logits of each member are kept in cache/averaging, so that every choice of
members can be averaged. AUROCs go into averaging/rows.tsv, a table into averaging/results.md; `--recorded` only
writes the table.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pandas as pd
import torch
from measure import good_architectures
from measured_text import as_gain
from script import begin
from sklearn.metrics import roc_auc_score
from table import CACHE, HERE
from thorough import FIVE, SPACE, drawn_tasks

from ambient.child.batches import Windows
from ambient.child.fidelity import FULL, SEARCH
from ambient.child.train import train_child
from ambient.child.trained import logits_of_rows
from ambient.data.corpus import read_corpus
from ambient.data.prepare import prepare_corpus
from ambient.evaluate.pool import usable_cores
from ambient.files import write_atomic

RECORDS = HERE / "averaging"
ROWS = RECORDS / "rows.tsv"
LOGITS = CACHE / "averaging"
THREE = replace(FULL, name="full, three members", members=3)
WAYS = {  # the number in good.json, and how it is trained
    "short": (3, FIVE),
    "long": (6, THREE),
    **{f"other-{number}": (number, SEARCH) for number in (0, 1, 2, 4, 5, 6)},
}
CHOICES = {  # short and long members; both kinds count the same
    "good 3, one of `search`": (1, 0),
    "good 3, five of `search`": (5, 0),
    "good 6, one of `full`": (0, 1),
    "good 6, three of `full`": (0, 3),
    "one and one": (1, 1),
    "three and three": (3, 3),
    "five and three": (5, 3),
}
TASKS = slice(15, 24)  # of the drawn ones
PICKS = 10  # of an average that is chosen by validation
ONE_EACH = "seven architectures, one of `search` each"
CHOSEN = f"of these {PICKS}, chosen one by one by validation"
BEST = "of these the one that is best in validation"


def main() -> None:
    """Train, average, tell."""
    arguments = begin(__doc__, hours=1.0).parse_args()
    RECORDS.mkdir(exist_ok=True)
    if not arguments.recorded:
        LOGITS.mkdir(parents=True, exist_ok=True)
        names = drawn_tasks()[TASKS]
        train_all(names, time.monotonic() + 3600 * arguments.hours)
        averaged = pd.DataFrame(row for name in names if is_there(name) for row in rows_of(name))
        write_atomic(ROWS, averaged.to_csv(sep="\t", index=False, float_format="%.6f"))
    text = as_text(pd.read_csv(ROWS, sep="\t"))
    write_atomic(RECORDS / "results.md", text)
    print(text)


def is_there(name: str) -> bool:
    """Say whether a task was trained in all ways."""
    return all((LOGITS / f"{name}-{way}.npz").exists() for way in WAYS)


def train_all(names: list[str], until: float) -> None:
    """Train task after task, several ways beside each other."""
    with ProcessPoolExecutor(usable_cores(), get_context("spawn")) as pool:
        for name in names:
            if time.monotonic() > until:
                break
            if not is_there(name):
                print(name, list(pool.map(train, [name] * len(WAYS), WAYS)), flush=True)


def train(name: str, way: str) -> float:
    """Train a task in one way; keep the logits of each member; give the CPU seconds."""
    path = LOGITS / f"{name}-{way}.npz"
    if path.exists():
        return 0.0
    task = prepare_corpus(read_corpus(HERE / "corpus.yaml"), CACHE / "tasks", [name])[name]
    number, fidelity = WAYS[way]
    began = time.process_time()
    trained = train_child(task, good_architectures(SPACE)[number], fidelity, seed=0)
    seconds = time.process_time() - began
    windows = Windows(task, trained.window_bp, fidelity.shift_bp, torch.device("cpu"))
    kept = {}
    for split in ("validation", "test"):
        rows = task.subset(split)
        kept[split] = np.stack(
            [logits_of_rows([one], windows, rows, fidelity) for one in trained.members]
        )
        kept[f"{split}_truth"] = windows.truth[rows]
    whole = path.with_suffix(".part.npz")
    np.savez_compressed(whole, seconds=seconds, **kept)
    whole.rename(path)
    return seconds


def rows_of(name: str) -> Iterator[dict[str, object]]:
    """Give a task's AUROCs for each choice of members."""
    short, long, *others = (np.load(LOGITS / f"{name}-{way}.npz") for way in WAYS)

    def auroc(split: str, logits: np.ndarray) -> float:
        return float(roc_auc_score(short[f"{split}_truth"] > 0.5, logits))

    def row(choice: str, validation: np.ndarray, test: np.ndarray) -> dict[str, object]:
        reached = {"validation": validation, "test": test}
        scores = {f"{split}_auroc": auroc(split, logits) for split, logits in reached.items()}
        return {"task": name, "choice": choice, **scores}

    for choice, counts in CHOICES.items():
        yield row(
            choice,
            *(
                sum(
                    of[split][:count].mean(axis=0)
                    for of, count in zip((short, long), counts, strict=True)
                    if count
                )
                for split in ("validation", "test")
            ),
        )
    validation, test = (
        np.stack([of[split][0] for of in (short, *others)]) for split in ("validation", "test")
    )
    yield row(ONE_EACH, validation.sum(axis=0), test.sum(axis=0))
    picked: list[int] = []
    for _ in range(PICKS):
        with_each = validation + validation[picked].sum(axis=0)
        picked.append(int(np.argmax([auroc("validation", logits) for logits in with_each])))
    yield row(CHOSEN, validation[picked].sum(axis=0), test[picked].sum(axis=0))
    yield row(BEST, validation[picked[0]], test[picked[0]])


def as_text(rows: pd.DataFrame) -> str:
    """Write the means as Markdown."""
    test, validation = (
        rows.pivot_table(index="task", columns="choice", values=f"{split}_auroc")
        for split in ("test", "validation")
    )
    first = test[next(iter(CHOICES))]
    lines = [
        f"{len(test)} training tasks; logits averaged, short and long ones counting the same.",
        "",
        "| networks | validation AUROC | test AUROC | over the first, in test AUROC (95% interval over tasks) "
        "| on tasks |",
        "|---" * 5 + "|",
    ]
    for choice in (*CHOICES, ONE_EACH, CHOSEN, BEST):
        gain = (test[choice] - first).to_numpy()
        told = f"{as_gain(gain)} | {(gain > 0).sum()}" if gain.any() else " | "
        lines.append(
            f"| {choice} | {validation[choice].mean():.4f} | {test[choice].mean():.4f} | {told} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
