"""The best architecture that is known of each task in table.tsv.gz, of all that were ever trained on it at `search`.

    python benchmarks/yeast/best_known.py

writes best-known.tsv: what a tabular benchmark's regret refers to. The best one is that with the highest mean
validation AUROC over its trainings; with one training that is in part luck, so its test AUROC is what to hold others
against.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
from table import HERE, TABLE

from ambient.child.fidelity import SEARCH
from ambient.data.corpus import Corpus, read_corpus
from ambient.evaluate import Store
from ambient.evaluate.exchange import import_tsv
from ambient.files import write_atomic
from ambient.space import named_space

SPACES = ("ambient-plus", "ambient-10")


def main() -> None:
    """Look for the best of each task in each space; write."""
    best = best_known(read_corpus(HERE / "corpus.yaml"))
    text = best.to_csv(sep="\t", index=False, float_format="%.4f", lineterminator="\n")
    write_atomic(HERE / "best-known.tsv", text)
    print(best.drop(columns="architecture").to_string(index=False, float_format="%.3f"))


def best_known(corpus: Corpus) -> pd.DataFrame:
    """Give a row for each space and task that has evaluations."""
    splits = {spec.name: "test" if spec.held_out else "train" for spec in corpus.tasks}
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "store.sqlite") as store:
        import_tsv(store, TABLE)
        rows = pd.DataFrame(
            {
                "space": one.architecture.space,
                "task": one.task,
                "architecture": one.architecture.summary(),
                "validation_auroc": one.metrics["validation_auroc"],
                "test_auroc": one.metrics["test_auroc"],
            }
            for one in store.rows(fidelity=SEARCH.hash, state="done")
            if one.architecture.space in SPACES
            and one.architecture.space_version == named_space(one.architecture.space).version
        )
    means = rows.groupby(["space", "task", "architecture"], as_index=False).agg(
        validation_auroc=("validation_auroc", "mean"),
        test_auroc=("test_auroc", "mean"),
        trainings=("test_auroc", "size"),
    )
    of_task = means.groupby(["space", "task"])
    best = means.loc[of_task["validation_auroc"].idxmax()].copy()
    best.insert(2, "split", best["task"].map(splits))
    best.insert(3, "architectures", of_task.size().to_numpy())
    return best.sort_values(["space", "split", "task"])


if __name__ == "__main__":
    main()
