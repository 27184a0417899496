"""Tests of ambient/data/corpus.py and strict.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ambient.data.corpus import read_corpus
from ambient.errors import InputError

REPOSITORY = Path(__file__).resolve().parents[2]


def write_corpus(folder: Path, **changes: Any) -> Path:
    """Write a small corpus file and the (empty) files that it names; a change to None removes a key."""
    for name in ("genome.fa", "genes.gtf", "a.bed", "b.bed", "zeros.bed"):
        (folder / name).write_text("")
    value: dict[str, Any] = {
        "genome": "genome.fa",
        "window_bp": 200,
        "split": {"validation": ["chr2"], "test": ["chr3"]},
        "tasks": [
            {"name": "A", "peaks": "a.bed", "category": "TF"},
            {"name": "B", "peaks": "b.bed", "category": "DNase", "held_out": True},
        ],
    }
    value.update(changes)
    path = folder / "corpus.yaml"
    path.write_text(yaml.safe_dump({key: one for key, one in value.items() if one is not None}))
    return path


def test_a_corpus_says_what_its_file_says(tmp_path: Path) -> None:
    corpus = read_corpus(
        write_corpus(
            tmp_path,
            annotation="genes.gtf",
            widest_window_bp=1000,
            margin_bp=16,
            skip_chromosomes="chrM",
            negatives={"per_positive": 3, "mix": {"random": 2, "gc_matched": 1}},
            seed=4,
        )
    )
    assert corpus.genome == (tmp_path / "genome.fa").resolve()
    assert corpus.annotation == (tmp_path / "genes.gtf").resolve()
    assert corpus.exclude is None
    assert [spec.category for spec in corpus.tasks] == ["tf", "accessibility"]
    assert [spec.name for spec in corpus.training_tasks] == ["A"]
    assert [spec.name for spec in corpus.held_out_tasks] == ["B"]
    assert corpus.stored_bp == 1032
    assert corpus.skip_chromosomes == ("chrM",)
    assert corpus.negatives.per_positive == 3.0
    assert corpus.negatives.mix == {"random": 2.0, "gc_matched": 1.0}
    assert json.loads(json.dumps(corpus.to_dict()))["tasks"][1]["held_out"] is True


def test_what_a_file_leaves_out_has_its_default(tmp_path: Path) -> None:
    corpus = read_corpus(write_corpus(tmp_path, window_bp=None))
    assert (corpus.window_bp, corpus.widest_window_bp, corpus.margin_bp) == (500, 1000, 32)
    assert corpus.negatives.mix is None
    assert corpus.negatives.per_positive == 2.0


def test_chromosomes_may_be_written_as_numbers(tmp_path: Path) -> None:
    corpus = read_corpus(write_corpus(tmp_path, split={"validation": [2], "test": 3}))
    assert corpus.split.validation == ("2",)
    assert corpus.split.test == ("3",)


TASK = {"name": "A", "peaks": "a.bed"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"genom": "x"}, 'unknown key "genom"; did you mean "genome"'),
        ({"conservation": {"phastcon": "x"}}, 'conservation: unknown key "phastcon"; did you mean'),
        ({"negatives": {"per_peak": 2}}, 'negatives: unknown key "per_peak"'),
        ({"split": {"validation": ["a"], "test": ["b"], "train": ["c"]}}, 'unknown key "train"'),
        ({"tasks": [{**TASK, "categry": "tf"}]}, 'unknown key "categry"; did you mean "category"'),
        ({"genome": None}, "genome is missing"),
        ({"split": None}, "split is missing"),
        ({"tasks": None}, "tasks is missing"),
        ({"tasks": []}, "tasks names no task"),
        ({"tasks": ["a.bed"]}, "task 1: found 'a.bed'"),
        ({"tasks": [{"name": "A"}]}, "task 1: peaks is missing"),
        ({"tasks": [{"peaks": "a.bed"}]}, "task 1: name is missing"),
        ({"tasks": [TASK, TASK]}, 'two tasks are named "A"'),
        ({"tasks": [{**TASK, "name": "../A"}]}, "cannot serve as a name of a file"),
        ({"tasks": [{**TASK, "name": True}]}, "put it between quotes"),
        ({"tasks": [{**TASK, "category": "histon"}]}, 'did you mean "histone"'),
        ({"tasks": [{**TASK, "peaks": "gone.bed"}]}, r"\(A\): peaks: there is no file .*gone\.bed"),
        ({"tasks": [{**TASK, "held_out": "maybe"}]}, "true or false"),
        ({"tasks": "gone.tsv"}, r"table: there is no file .*gone\.tsv"),
        ({"genome": "gone.fa"}, r"genome: there is no file .*gone\.fa"),
        ({"genome": "."}, "found the folder"),
        ({"genome": ["genome.fa"]}, "a text was needed"),
        ({"split": {"validation": ["chr2"], "test": ["chr2"]}}, "both validation and test"),
        ({"split": {"validation": [], "test": ["chr2"]}}, "validation names no chromosome"),
        ({"split": {"validation": ["x", "x"], "test": ["chr2"]}}, 'names "x" twice'),
        ({"split": ["chr2"]}, "a mapping of keys and values"),
        ({"skip_chromosomes": ["chr3"]}, "in split and in skip_chromosomes"),
        ({"window_bp": "wide"}, "window_bp is 'wide'"),
        ({"window_bp": 5}, "at least 10"),
        ({"window_bp": 200.5}, "a whole number"),
        ({"widest_window_bp": 100}, "at least 200"),
        ({"margin_bp": -1}, "at least 0"),
        ({"negatives": {"per_positive": "two"}}, "a number was needed"),
        ({"negatives": {"per_positive": 0}}, r"corpus\.yaml: negatives: found 0\.0 per_positive"),
        ({"negatives": {"mix": {"shuffled": 1}}}, "the kinds are random, gc_matched, other_tasks"),
        ({"rename_chromosomes": "chr"}, "give one of strip-chr, add-chr"),
    ],
)
def test_a_wrong_corpus_file_is_refused_in_one_sentence(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = write_corpus(tmp_path, **changes)
    with pytest.raises(InputError, match=message) as caught:
        read_corpus(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found nothing"),
        ("- a\n- b\n", "found a list"),
        ("genome: [a\nsplit: b\n", r"corpus\.yaml:2: this is not valid YAML"),
        ("genome: a\ngenome: b\n", r'corpus\.yaml:2: .*"genome" stands twice'),
        ("genome: !!python/object:os.system {}\n", "not valid YAML"),
        ("a: \x00", "not valid YAML"),
    ],
)
def test_what_is_no_corpus_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "corpus.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_corpus(path)


def test_a_missing_file_a_folder_and_a_binary_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such corpus file"):
        read_corpus(tmp_path / "gone.yaml")
    with pytest.raises(InputError, match="found a folder"):
        read_corpus(tmp_path)
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(InputError, match="cannot be read"):
        read_corpus(tmp_path / "x.yaml")


def test_an_unknown_task_names_the_nearest(tmp_path: Path) -> None:
    corpus = read_corpus(write_corpus(tmp_path, tasks=[{"name": "Reb1", "peaks": "a.bed"}]))
    assert corpus.task("Reb1").name == "Reb1"
    with pytest.raises(InputError, match='holds no task "reb1"; did you mean "Reb1"'):
        corpus.task("reb1")


TABLE = "name\tpath\tpeaks\tuse\tnegatives\n" + "".join(
    f"{name}\t{file}\t17\t{use}\t{negatives}\n"
    for name, file, use, negatives in (
        ("A", "a.bed", "train", ""),
        ("B", "b.bed", "test", "zeros.bed"),
        ("C", "gone.bed", "no", ""),
    )
)


def write_table(folder: Path, text: str, **settings: Any) -> Path:
    (folder / "lists").mkdir()
    for name in ("a.bed", "b.bed", "zeros.bed"):
        (folder / "lists" / name).write_text("")
    (folder / "lists" / "tasks.tsv").write_text(text)
    return write_corpus(folder, tasks={"table": "lists/tasks.tsv", **settings})


def test_a_table_is_mapped_filtered_and_held_out(tmp_path: Path) -> None:
    corpus = read_corpus(
        write_table(
            tmp_path,
            TABLE,
            columns={"peaks": "path"},
            where={"use": ["train", "test"]},
            held_out={"column": "use", "value": "test"},
        )
    )
    assert [(spec.name, spec.held_out) for spec in corpus.tasks] == [("A", False), ("B", True)]
    assert corpus.tasks[0].peaks == (tmp_path / "lists" / "a.bed").resolve()
    assert corpus.tasks[0].negatives is None
    assert corpus.tasks[1].negatives == (tmp_path / "lists" / "zeros.bed").resolve()


def test_a_plain_table_needs_no_settings(tmp_path: Path) -> None:
    path = write_corpus(tmp_path, tasks="tasks.tsv")
    (tmp_path / "tasks.tsv").write_text("name\tpeaks\theld_out\nA\ta.bed\tno\nB\tb.bed\tyes\n")
    assert [spec.held_out for spec in read_corpus(path).tasks] == [False, True]


@pytest.mark.parametrize(
    ("text", "settings", "message"),
    [
        (TABLE, {"columns": {"peaks": "paht"}}, 'has no column "paht"; did you mean "path"'),
        (TABLE, {"where": {"usee": "train"}}, 'has no column "usee"'),
        (TABLE, {"held_out": {"column": "use"}}, "needs both column and value"),
        (TABLE, {"column": {}}, 'unknown key "column"; did you mean "columns"'),
        (TABLE, {"columns": {"peak": "path"}}, 'unknown key "peak"; did you mean "peaks"'),
        (TABLE, {"where": {"use": "never"}}, "no row is left of 3"),
        (TABLE, {}, r"tasks\.tsv:2 \(A\): peaks: there is no file .*17"),
        ("", {}, "is empty"),
        ("name\tpeaks\nA\ta.bed\textra\n", {}, r"tasks\.tsv:2: 3 columns were found"),
        ("name\tpeaks\nA\n", {}, r"tasks\.tsv:2: peaks is missing"),
        ("name\tpeaks\theld_out\nA\ta.bed\tmaybe\n", {}, 'held_out is "maybe"'),
    ],
)
def test_a_wrong_table_is_refused(
    tmp_path: Path, text: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        read_corpus(write_table(tmp_path, text, **settings))


def test_the_yeast_corpus_holds_36_training_and_12_held_out_tasks(yeast: Path) -> None:
    path = REPOSITORY / "benchmarks" / "yeast" / "corpus.yaml"
    if not (path.parent / "../../../shared/data/yeast").exists():
        pytest.skip("benchmarks/yeast/corpus.yaml names data beside the checkout, which is absent")
    corpus = read_corpus(path)
    assert (len(corpus.training_tasks), len(corpus.held_out_tasks)) == (36, 12)
    assert {spec.name for spec in corpus.held_out_tasks} >= {"Tbf1", "War1", "H4", "H4ac"}
    assert sum(spec.negatives is not None for spec in corpus.tasks) == 8
    assert corpus.window_bp == 500
