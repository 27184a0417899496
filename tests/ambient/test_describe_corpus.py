"""A corpus described: the same bytes however many workers, and nothing stale from the cache."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from ambient.data import describe as module
from ambient.data.corpus import Corpus, read_corpus
from ambient.data.describe import describe_corpus
from ambient.data.table import format_table
from ambient.errors import InputError
from descriptors import pipeline
from descriptors.motifs import find_motifs

CHROMOSOMES = ("chr1", "chr2", "chr3", "chr4")
YAML = """
genome: genome.fa
annotation: genes.gtf
exclude: exclude.bed
split: {validation: [chr2], test: [chr4]}
tasks:
"""


def write_corpus(folder: Path, tasks: int) -> Path:
    """Write a corpus so small that each task takes half a second: two peaks train."""
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(4)
    sequences = {name: "".join(rng.choice(list("ACGT"), 20_000)) for name in CHROMOSOMES}
    fasta = "".join(f">{name}\n{bases}\n" for name, bases in sequences.items())
    (folder / "genome.fa").write_text(fasta)
    rows = [
        f'{name}\ts\texon\t{at}\t{at + 50}\t.\t+\t.\ttranscript_id "{name}";\n'
        for name in CHROMOSOMES
        for at in (900, 1500)
    ]
    (folder / "genes.gtf").write_text("".join(rows))
    (folder / "exclude.bed").write_text("chr1\t2900\t3000\n")
    text = YAML
    for number in range(tasks):
        peaks = [
            f"{name}\t{at}\t{at + 90}\n"
            for name, at in zip(CHROMOSOMES, rng.integers(300, 2500, 4), strict=True)
        ]
        (folder / f"t{number}.bed").write_text("".join(peaks))
        text += f"  - {{name: T{number}, peaks: t{number}.bed, category: tf, factor: Reb1}}\n"
    path = folder / "corpus.yaml"
    path.write_text(text)
    return path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A corpus of one task, of which one motif of one length is looked for."""
    few = partial(find_motifs, lengths=(6,), motifs_per_length=1)
    monkeypatch.setattr(pipeline, "find_motifs", few)
    return write_corpus(tmp_path / "corpus", 1)


def test_one_worker_and_eight_give_the_same_bytes(tmp_path: Path) -> None:
    corpus = read_corpus(write_corpus(tmp_path, 8))
    told: list[str] = []
    alone = describe_corpus(corpus, workers=1)
    together = describe_corpus(corpus, workers=8, on_done=told.append)
    assert sorted(told) == [f"T{number}" for number in range(8)]
    assert list(alone) == list(together) == [spec.name for spec in corpus.tasks]
    for name, one in alone.items():
        assert one.to_json() == together[name].to_json()
    assert format_table(corpus.tasks, alone) == format_table(corpus.tasks, together)
    assert len({one.vector().tobytes() for one in alone.values()}) == 8


def test_training_chromosomes_alone_count(path: Path) -> None:
    described = describe_corpus(read_corpus(path), workers=1)["T0"]
    assert described.values["n_peaks"] == 2
    assert described.sources["peaks"]["chromosomes"] == ["chr1", "chr3"]


@pytest.mark.parametrize("part", ["validation: [chr2]", "test: [chr4]"])
def test_a_split_that_names_no_chromosome_is_refused_before_it_leaks(path: Path, part: str) -> None:
    path.write_text(path.read_text().replace(part, part.replace("chr", "chromosome")))
    with pytest.raises(InputError, match=r'"chromosome[24]", which genome.fa does not have'):
        describe_corpus(read_corpus(path))


def remembered(folder: Path) -> Path:
    """Change the one remembered result, so that it shows where it is read."""
    (file,) = folder.glob("T0-*.json")
    content = json.loads(file.read_text())
    content["values"]["n_peaks"] = 77.0
    file.write_text(json.dumps(content))
    return file


def n_peaks(corpus: Corpus, cache: Path, seed: int = 0) -> float | None:
    return describe_corpus(corpus, cache=cache, seed=seed, workers=1)["T0"].values["n_peaks"]


def test_what_was_described_is_read_again(path: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache" / "deep"
    assert n_peaks(read_corpus(path), cache) == 2
    remembered(cache)
    assert n_peaks(read_corpus(path), cache) == 77
    assert n_peaks(read_corpus(path), cache, seed=1) == 2
    assert n_peaks(read_corpus(path), cache) == 77


def in_yaml(old: str, new: str) -> Callable[[Path], None]:
    return lambda path: path.write_text(path.read_text().replace(old, new)) and None


def in_file(name: str, more: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with (path.parent / name).open("a") as stream:
            stream.write(more)

    return change


def rename_peaks(path: Path) -> None:
    (path.parent / "t0.bed").rename(path.parent / "other.bed")
    in_yaml("t0.bed", "other.bed")(path)


@pytest.mark.parametrize(
    "change",
    [
        in_file("t0.bed", "chr4\t5\t9\n"),
        in_file("genes.gtf", "# a comment\n"),
        in_file("genome.fa", ">chr5\nACGT\n"),
        in_file("exclude.bed", "chr4\t5\t9\n"),
        in_yaml("category: tf", "category: other"),
        in_yaml("factor: Reb1", "factor: Abf1"),
        in_yaml("validation: [chr2]", "validation: [chr2, chr3]"),
        in_yaml("exclude: exclude.bed", "rename_chromosomes: add-chr"),
        rename_peaks,
    ],
)
def test_any_change_of_what_it_was_made_from_describes_anew(
    path: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    n_peaks(read_corpus(path), tmp_path / "cache")
    remembered(tmp_path / "cache")
    change(path)
    assert n_peaks(read_corpus(path), tmp_path / "cache") in (1, 2)


def test_files_that_change_places_are_not_mistaken_for_each_other(path: Path) -> None:
    cache = path.parent / "cache"
    for name in ("a.tsv", "b.bed"):
        (path.parent / name).write_text("factor\tinterpro\nReb1\tIPR013087\n")
    places = []
    for roles in (("phastcons", "phylop"), ("phylop", "phastcons")):
        files = dict(zip(roles, (path.parent / "a.tsv", path.parent / "b.bed"), strict=True))
        places.append(module._places(cache, {"T0": {"name": "T0", **files}})["T0"])
    assert places[0] != places[1]


@pytest.mark.parametrize("name", ["__version__", "SCHEMA_VERSION"])
def test_another_version_describes_anew(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    n_peaks(read_corpus(path), tmp_path)
    remembered(tmp_path)
    monkeypatch.setattr(module, name, "another")
    assert n_peaks(read_corpus(path), tmp_path) == 2


def test_other_code_of_the_package_describes_anew(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_peaks(read_corpus(path), tmp_path)
    remembered(tmp_path)
    monkeypatch.setattr(module, "_code_of_descriptors", lambda: "another")
    assert n_peaks(read_corpus(path), tmp_path) == 2


@pytest.mark.parametrize("damage", ["", "{", '{"values": {}}', "\x00\x01", None])
def test_a_damaged_result_is_made_again(path: Path, tmp_path: Path, damage: str | None) -> None:
    n_peaks(read_corpus(path), tmp_path / "cache")
    file = remembered(tmp_path / "cache")
    whole = file.read_text()
    file.write_text(whole[: len(whole) // 2] if damage is None else damage)
    assert n_peaks(read_corpus(path), tmp_path / "cache") == 2
    assert json.loads(file.read_text())["values"]["n_peaks"] == 2


def test_a_cache_that_cannot_be_made_is_a_users_mistake(path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made there"):
        describe_corpus(read_corpus(path), cache=tmp_path / "file" / "cache")


def test_a_wrong_peak_file_is_named_whoever_reads_it(path: Path) -> None:
    (path.parent / "t0.bed").write_text("chr1\t9\t5\n")
    path.write_text(path.read_text() + "  - {name: T1, peaks: t0.bed}\n")
    with pytest.raises(InputError, match=r"t0.bed:1: the end 5 is not after the start 9"):
        describe_corpus(read_corpus(path), workers=2)


def test_a_file_that_changed_between_two_calls_is_read_again(path: Path) -> None:
    before = describe_corpus(read_corpus(path), workers=1)["T0"]
    genes = path.parent / "genes.gtf"
    genes.write_text(genes.read_text().replace("\t900\t950\t", "\t100\t150\t"))
    after = describe_corpus(read_corpus(path), workers=1)["T0"]
    name = "exon_distance_variance_bp2"
    assert before.values[name] != after.values[name]


KILLED = """
import sys
from pathlib import Path
from ambient.data.corpus import read_corpus
from ambient.data.describe import describe_corpus
if __name__ == "__main__":
    corpus, cache = read_corpus(sys.argv[1]), Path(sys.argv[2])
    describe_corpus(corpus, cache=cache, workers=2, on_done=lambda name: print(name, flush=True))
"""


def test_a_killed_run_leaves_no_worker_and_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = write_corpus(tmp_path / "corpus", 6)
    script, cache = tmp_path / "script.py", tmp_path / "cache"
    script.write_text(KILLED)
    # The workers hold the same pipe: it ends when the last of them has.
    with subprocess.Popen(
        [sys.executable, script, path, cache], stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        first = run.stdout.readline().strip()
        run.kill()
        run.communicate(timeout=60)
    made = {file.name: file.stat().st_mtime_ns for file in cache.glob("*.json")}
    assert any(name.startswith(f"{first}-") for name in made)
    described = describe_corpus(read_corpus(path), cache=cache, workers=1)
    assert len(described) == len(list(cache.glob("*.json"))) == 6
    assert {name: (cache / name).stat().st_mtime_ns for name in made} == made


INTERRUPTED = """
import sys
from ambient.data.corpus import read_corpus
from ambient.data.describe import describe_corpus

def interrupt(name):
    print(name, flush=True)
    raise KeyboardInterrupt

if __name__ == "__main__":
    try:
        describe_corpus(read_corpus(sys.argv[1]), workers=2, on_done=interrupt)
    except KeyboardInterrupt:
        print("ended", flush=True)
"""


def test_an_interrupt_does_not_wait_for_what_is_being_described(tmp_path: Path) -> None:
    """The second task's peaks are a pipe into which nobody writes: whoever waits for them waits for ever."""
    path = write_corpus(tmp_path / "corpus", 2)
    (path.parent / "t1.bed").unlink()
    os.mkfifo(path.parent / "t1.bed")
    script = tmp_path / "script.py"
    script.write_text(INTERRUPTED)
    with subprocess.Popen(
        [sys.executable, script, path], stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        try:
            said, _ = run.communicate(timeout=60)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
    assert said == "T0\nended\n"
