"""Every mistake of a user ends with one sentence, exit code 2, and nothing half-written."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def place(tmp_path: Path, corpus: Path) -> Path:
    """A folder with a few broken inputs."""
    peaks = next((corpus.parent / "peaks").iterdir()).read_text().splitlines()
    plain = "\t".join(peaks[0].split("\t")[:3])
    files = {
        "good.bed": "\n".join("\t".join(line.split("\t")[:3]) for line in peaks) + "\n",
        "empty.bed": "",
        "columns.bed": "chr1\n",
        "backwards.bed": f"{plain}\nchr1\t500\t400\n",
        "negative.bed": "chr1\t-5\t100\n",
        "past.bed": "chr1\t100\t99000000\n",
        "assembly.bed": "".join(f"chr1\t{start}\t{start + 9}\n" for start in range(0, 90000, 1000)),
        "named.bed": "1\t100\t200\n2\t100\t200\n",
        "everything.bed": "".join(f"chr{number}\t0\t10000\n" for number in range(1, 11)),
        "other.gtf": 'chrX\ts\tgene\t1\t90\t.\t+\t.\tgene_id "a";\n'
        'chrX\ts\texon\t1\t90\t.\t+\t.\tgene_id "a"; transcript_id "t";\n',
        "broken.bw": "this is no bigWig",
        "unknown.yaml": corpus.read_text().replace("window_bp", "windw_bp", 1),
        "holds/something.txt": "mine",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    content = gzip.compress((tmp_path / "good.bed").read_bytes())
    (tmp_path / "truncated.bed.gz").write_bytes(content[: len(content) // 2])
    return tmp_path


@pytest.mark.parametrize(
    ("peaks", "options", "said"),
    [
        ("absent.bed", {}, "absent.bed"),
        ("empty.bed", {}, "empty.bed"),
        ("columns.bed", {}, "columns.bed:1"),
        ("backwards.bed", {}, "backwards.bed:2"),
        ("negative.bed", {}, "negative.bed:1"),
        ("past.bed", {}, "past.bed:1"),
        ("assembly.bed", {}, "assembly"),
        ("named.bed", {}, "--rename-chromosomes add-chr"),
        ("good.bed", {"exclude": "everything.bed"}, "exclu"),
        ("truncated.bed.gz", {}, "truncated.bed.gz"),
        ("good.bed", {"annotation": "other.gtf"}, "chrX"),
        ("good.bed", {"annotation": "good.bed"}, "good.bed"),
        ("good.bed", {"phastcons": "broken.bw"}, "broken.bw"),
        ("good.bed", {"genome": "absent.fa"}, "absent.fa"),
        ("good.bed", {"genome": None}, "--genome"),
        ("good.bed", {"chromosomes": "chr77"}, "chr77"),
        ("good.bed", {"chromosomes": " , "}, "--chromosomes"),
    ],
)
def test_describe_refuses(
    ambient: Callable, corpus: Path, place: Path, peaks: str, options: dict, said: str
) -> None:
    given = {"genome": str(corpus.parent / "genome.fa"), **options}
    arguments = []
    for name, value in given.items():
        if value is not None:
            is_file = name != "chromosomes" and "/" not in value
            arguments += [f"--{name}", place / value if is_file else value]
    output = place / "out.json"
    answer = ambient("describe", place / peaks, *arguments, "--output", output)
    assert answer.code == 2, answer
    assert said in answer.err
    assert answer.err.count("\n") == 1, answer.err
    assert answer.err.startswith("ambient: ")
    assert not output.exists()


def test_a_corpus_with_an_unknown_key_names_the_nearest(
    ambient: Callable, corpus: Path, place: Path
) -> None:
    unknown = corpus.parent / "unknown.yaml"
    unknown.write_text((place / "unknown.yaml").read_text())
    answer = ambient("train", unknown, "--output", place / "run")
    assert answer.code == 2
    assert "windw_bp" in answer.err
    assert "window_bp" in answer.err.replace("windw_bp", "")
    assert not (place / "run").exists()


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("train", ["{corpus}"]),
        ("search", ["{corpus}", "--task", "Short1"]),
        ("simulate", []),
        ("demo", []),
        ("fit", ["{corpus}", "--task", "Short1", "--architecture", "a.json"]),
    ],
)
def test_a_folder_that_holds_something_else_is_left_alone(
    ambient: Callable, corpus: Path, place: Path, verb: str, arguments: list[str]
) -> None:
    given = [text.format(corpus=corpus) for text in arguments]
    answer = ambient(verb, *given, "--output", place / "holds")
    assert answer.code == 2
    assert str(place / "holds") in answer.err
    assert [path.name for path in (place / "holds").iterdir()] == ["something.txt"]


def test_a_controller_whose_weights_are_not_its_cards_is_refused(
    ambient: Callable, small_run: Path, place: Path
) -> None:
    folder = _copy_of_controller(small_run, place)
    content = bytearray((folder / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "weights.safetensors").write_bytes(content)
    described = _one_description(small_run, place)
    answer = ambient("propose", described, "--controller", folder)
    assert answer.code == 2
    assert json.loads((folder / "card.json").read_text())["weights_sha256"] in answer.err


def test_a_controller_of_another_schema_is_refused(
    ambient: Callable, small_run: Path, place: Path
) -> None:
    folder = _copy_of_controller(small_run, place)
    card = json.loads((folder / "card.json").read_text())
    card["descriptors"]["schema_version"] = 99
    (folder / "card.json").write_text(json.dumps(card))
    answer = ambient("propose", _one_description(small_run, place), "--controller", folder)
    assert answer.code == 2
    assert "99" in answer.err


def test_an_unknown_controller_is_named(ambient: Callable, small_run: Path, place: Path) -> None:
    answer = ambient("propose", _one_description(small_run, place), "--controller", "yeats")
    assert answer.code == 2
    assert "yeats" in answer.err


def test_options_of_fitting_need_fit(ambient: Callable, small_run: Path, place: Path) -> None:
    described = _one_description(small_run, place)
    answer = ambient(
        *("propose", described, "--controller", small_run, "--epochs", 3, "--test", "chr1")
    )
    assert answer.code == 2
    assert "found --test and --epochs without --fit; add --fit" in answer.err


def _one_description(run: Path, place: Path) -> Path:
    path = place / "four.json"
    path.write_text(json.dumps(json.loads((run / "descriptors.json").read_text())["four"]))
    return path


def _copy_of_controller(run: Path, place: Path) -> Path:
    return Path(shutil.copytree(run / "controller", place / "controller"))
