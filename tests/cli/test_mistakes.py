"""Every mistake of a user ends with one sentence, exit code 2, and nothing half-written."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ambient.space import named_space


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
    file = place / "good.bed"
    answer = ambient("propose", _one_description(small_run, place), "--controller", file)
    assert answer.code == 2
    assert f"{file}: found a file where a controller was needed; give a run's folder" in answer.err


def test_no_more_architectures_are_asked_for_than_a_controller_proposes(
    ambient: Callable, small_run: Path, place: Path
) -> None:
    from ambient.cli.propose import MOST_PROPOSALS
    from ambient.controller import proposer

    assert MOST_PROPOSALS == proposer.MOST_PROPOSALS
    described = _one_description(small_run, place)
    answer = ambient("propose", described, "--controller", small_run, "--top", MOST_PROPOSALS + 1)
    assert answer.code == 2
    assert "1001 is not in the range 1<=x<=1000" in answer.err


def test_descriptors_that_cannot_be_are_refused(
    ambient: Callable, small_run: Path, place: Path
) -> None:
    path = _one_description(small_run, place)
    content = json.loads(path.read_text())
    content["values"]["n_peaks"] = -5
    path.write_text(json.dumps(content))
    for verb in (["propose", path, "--controller", small_run], ["describe", path, "--explain"]):
        answer = ambient(*verb)
        assert answer.code == 2
        assert answer.err == (
            f'ambient: {path}: found -5 as "n_peaks" (number of peaks), which is never below 0; correct it\n'
        )


def test_a_limit_that_no_network_keeps_is_told_with_the_smallest(
    ambient: Callable, small_run: Path, place: Path
) -> None:
    described = _one_description(small_run, place)
    answer = ambient("propose", described, "--controller", small_run, "--max-parameters", 1)
    assert answer.code == 2
    assert answer.err.count("\n") == 1
    assert "parameters, above the limit of 1; raise it" in answer.err


def test_domains_need_a_factor(ambient: Callable, corpus: Path, place: Path) -> None:
    given = ["--genome", corpus.parent / "genome.fa", "--interpro", place / "domains.tsv"]
    answer = ambient("describe", place / "good.bed", *given)
    assert answer.code == 2
    assert "--interpro was given without --factor, whose domains it lists; add --factor" in (
        answer.err
    )


def test_a_space_that_is_unknown_and_a_file_that_holds_no_architecture_are_told(
    ambient: Callable, corpus: Path, place: Path
) -> None:
    given = [corpus, "--task", "Short1", "--output", place / "run"]
    answer = ambient("search", *given, "--space", "nosuch")
    assert answer.code == 2
    assert "; for a space of your own, name its YAML file" in answer.err
    answer = ambient("fit", *given, "--architecture", place / "good.bed")
    assert answer.code == 2
    assert "where a file of an architecture was needed" in answer.err
    assert not (place / "run").exists()


def test_options_of_fitting_need_fit(ambient: Callable, small_run: Path, place: Path) -> None:
    described = _one_description(small_run, place)
    answer = ambient(
        *("propose", described, "--controller", small_run, "--epochs", 3, "--test", "chr1")
    )
    assert answer.code == 2
    assert "found --test and --epochs without --fit; add --fit" in answer.err


@pytest.mark.parametrize("empty", ["validation", "test", "chromosomes"])
def test_an_option_that_names_no_chromosome_is_named(
    ambient: Callable, corpus: Path, place: Path, empty: str
) -> None:
    options = {"validation": "chr2", "test": "chr3", "chromosomes": "chr1,chr2,chr3", empty: " , "}
    (place / "architecture.json").write_text(
        json.dumps(named_space("ambient-10").architecture([0] * 10).to_dict())
    )
    given = ["--genome", corpus.parent / "genome.fa", "--output", place / "fitted"]
    for name, value in options.items():
        given += [f"--{name}", value]
    answer = ambient(
        "fit", place / "good.bed", "--architecture", place / "architecture.json", *given
    )
    assert answer.code == 2
    assert answer.err == f"ambient: --{empty}: found no name; give names separated by commas\n"


def _one_description(run: Path, place: Path) -> Path:
    path = place / "four.json"
    path.write_text(json.dumps(json.loads((run / "descriptors.json").read_text())["four"]))
    return path


def _copy_of_controller(run: Path, place: Path) -> Path:
    return Path(shutil.copytree(run / "controller", place / "controller"))
