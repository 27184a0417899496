"""What is remembered of annotation files between runs."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from descriptors import annotation_cache
from descriptors.annotation import FEATURES, Annotation, read_annotation
from descriptors.annotation_cache import cache_folder
from descriptors.annotation_rows import parse_rows
from descriptors.errors import InputError
from descriptors.genome import Genome

GENOME = Genome.from_sequences({"chrI": "A" * 1000, "chrII": "C" * 700}, "genome.fa")
TEXT = "".join(
    f"{chromosome}\t.\t{kind}\t{start}\t{start + 49}\t.\t{strand}\t.\tParent={owner}\n"
    for chromosome in ("chrI", "II", "scaffold")
    for kind, start, strand, owner in (
        ("gene", 101, "+", "g"),
        ("exon", 101, "+", "a,b"),
        ("exon", 301, "+", "a"),
        ("exon", 401, "+", "b"),
        ("exon", 601, "-", ""),
        ("CDS", 121, "+", "a"),
        ("five_prime_UTR", 101, "+", "a"),
        ("start_codon", 121, "+", "a"),
    )
)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Remember files of any size in a folder that does not exist yet."""
    monkeypatch.setenv("AMBIENT_CACHE", str(tmp_path / "a" / "cache"))
    monkeypatch.setattr(annotation_cache, "_WORTH_ROWS", 0)
    return tmp_path / "a" / "cache"


@pytest.fixture
def genes(tmp_path: Path) -> Path:
    path = tmp_path / "genes.gff3.gz"
    path.write_bytes(gzip.compress(TEXT.encode(), mtime=0))
    return path


def never(*_: object) -> None:
    raise AssertionError("the file was parsed although it was remembered")


def check_equal(one: Annotation, other: Annotation) -> None:
    assert one.source == other.source
    assert one.origins == other.origins
    for feature in FEATURES:
        pd.testing.assert_frame_equal(one.features[feature], other.features[feature])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"genome": GENOME, "rename_chromosomes": "add-chr"},
        {"genome": GENOME, "rename_chromosomes": "add-chr", "chromosomes": ["chrII"]},
    ],
    ids=["all", "on a genome", "one chromosome"],
)
def test_one_parse_serves_every_genome_and_split(
    cache: Path, genes: Path, options: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    read_annotation(genes)
    assert len(list(cache.iterdir())) == 1
    with monkeypatch.context() as patch:
        patch.setattr(annotation_cache, "parse_rows", never)
        remembered = read_annotation(genes, **options)  # type: ignore[arg-type]
    monkeypatch.setenv("AMBIENT_CACHE", "")
    check_equal(remembered, read_annotation(genes, **options))  # type: ignore[arg-type]


def test_errors_name_the_same_lines_from_the_cache(cache: Path, genes: Path) -> None:
    short = Genome.from_sequences({"chrI": "A" * 350, "chrII": "C" * 1000, "scaffold": "A" * 1000})
    said = []
    for _ in range(2):
        with pytest.raises(InputError) as caught:
            read_annotation(genes, short, rename_chromosomes="add-chr")
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "genes.gff3.gz:4: a feature begins at 401, past the end of chrI" in said[0]


def test_another_content_is_another_file(cache: Path, genes: Path) -> None:
    before = read_annotation(genes)
    genes.write_bytes(gzip.compress(TEXT.replace("301", "302").encode(), mtime=0))
    after = read_annotation(genes)
    assert before.features["exon"]["start"].tolist() != after.features["exon"]["start"].tolist()
    assert len(list(cache.iterdir())) == 2


def test_another_revision_of_the_parser_reads_anew(
    cache: Path, genes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_annotation(genes)
    (old,) = cache.iterdir()
    monkeypatch.setattr(annotation_cache, "PARSER_REVISION", -1)
    # Nor is an old file taken for a new one where someone gave it the new name.
    old.rename(cache / old.name.replace("annotation-1-", "annotation--1-"))
    parsed = []
    monkeypatch.setattr(
        annotation_cache, "parse_rows", lambda path: parsed.append(path) or parse_rows(path)
    )
    read_annotation(genes)
    assert parsed == [genes]


def test_a_damaged_remembered_file_is_never_believed_and_is_written_anew(
    cache: Path, genes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = read_annotation(genes)
    (remembered,) = cache.iterdir()
    whole = remembered.read_bytes()
    generator = np.random.default_rng(0)
    cases = [whole[: len(whole) // 2], b"", b"PK", b"not an archive", whole + whole[:999]]
    for at in generator.integers(0, len(whole), 150):
        cases.append(whole[:at] + bytes([whole[at] ^ generator.integers(1, 256)]) + whole[at + 1 :])
    for case in cases:
        remembered.write_bytes(case)
        check_equal(read_annotation(genes), expected)
    remembered.write_bytes(b"not an archive")
    read_annotation(genes)
    monkeypatch.setattr(annotation_cache, "parse_rows", never)
    check_equal(read_annotation(genes), expected)


def test_no_code_hides_in_a_remembered_file(cache: Path, genes: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "trap"),)

    expected = read_annotation(genes)
    (remembered,) = cache.iterdir()
    with np.load(remembered) as arrays:
        content = dict(arrays)
    np.savez(remembered, **{**content, "identity": np.array([Trap()], dtype=object)})
    check_equal(read_annotation(genes), expected)
    assert not (tmp_path / "trap").exists()


def test_a_folder_that_cannot_be_made_costs_nothing(
    cache: Path, genes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = read_annotation(genes)
    blocked = genes.parent / "file"
    blocked.write_text("")
    monkeypatch.setenv("AMBIENT_CACHE", str(blocked / "cache"))
    check_equal(read_annotation(genes), expected)
    assert blocked.read_text() == ""


def test_a_write_that_fails_leaves_nothing_behind(
    cache: Path, genes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    read_annotation(genes)
    assert list(cache.iterdir()) == []


def test_small_files_and_wrong_files_are_not_remembered(
    cache: Path, genes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = genes.with_name("wrong.gtf")
    wrong.write_text(TEXT + "chrI\t.\texon\t9\t5\t.\t+\t.\tParent=a\n")
    with pytest.raises(InputError, match=r"wrong\.gtf:25: the start 9 is after its end"):
        read_annotation(wrong)
    monkeypatch.setattr(annotation_cache, "_WORTH_ROWS", 1000)
    read_annotation(genes)
    assert not cache.exists()


def test_the_folder_is_the_users_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("AMBIENT_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("AMBIENT_CACHE")
    assert cache_folder() == tmp_path / "xdg" / "ambient"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == tmp_path / ".cache" / "ambient"
    monkeypatch.setenv("AMBIENT_CACHE", "")
    assert cache_folder() is None
