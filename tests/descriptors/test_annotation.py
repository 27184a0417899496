"""Annotation files and distances to their features."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from descriptors.annotation import FEATURES, Annotation, read_annotation
from descriptors.errors import InputError
from descriptors.genome import Genome

GENOME = Genome.from_sequences({"chrI": "A" * 1000, "chrII": "C" * 700}, "genome.fa")

# One gene, two transcripts: exons 101-200, 301-400, 501-600 and 101-200, 501-600; coding 151-550.
ROWS = [
    ("gene", 101, 600, "", ""),
    ("transcript", 101, 600, "t1", ""),
    ("exon", 101, 200, "t1", ""),
    ("exon", 301, 400, "t1", ""),
    ("exon", 501, 600, "t1", ""),
    ("CDS", 151, 200, "t1", ""),
    ("CDS", 301, 400, "t1", ""),
    ("CDS", 501, 547, "t1", ""),
    ("stop_codon", 548, 550, "t1", ""),
    ("transcript", 101, 600, "t2", ""),
    ("exon", 101, 200, "t2", ""),
    ("exon", 501, 600, "t2", ""),
]
UTRS = [("five_prime_utr", 101, 150, "t1", ""), ("three_prime_utr", 551, 600, "t1", "")]


def gtf(rows: list[tuple[str, int, int, str, str]], chromosome: str = "chrI") -> str:
    return "".join(
        f'{chromosome}\thand\t{kind}\t{start}\t{end}\t.\t+\t.\tgene_id "g"; transcript_id "{owner}";\n'
        for kind, start, end, owner, _ in rows
    )


def gff3(rows: list[tuple[str, int, int, str, str]]) -> str:
    text = "##gff-version 3\n"
    for at, (kind, start, end, owner, _) in enumerate(rows):
        name = {"transcript": "mRNA", "five_prime_utr": "five_prime_UTR"}.get(kind, kind)
        own = f"ID=g{at}" if kind == "gene" else f"ID=x{at};Parent=transcript:{owner}"
        text += f"chrI\thand\t{name}\t{start}\t{end}\t.\t+\t.\t{own};Note=a b\n"
    return text + "##FASTA\n>chrI\nACGT\n"


def read(folder: Path, text: str, **options: object) -> Annotation:
    path = folder / "genes.gtf"
    path.write_text(text)
    return read_annotation(path, GENOME, **options)  # type: ignore[arg-type]


def intervals(annotation: Annotation, feature: str) -> list[list[object]]:
    return annotation.features[feature][["start", "end"]].to_numpy().tolist()


@pytest.mark.parametrize("form", [gtf, gff3])
@pytest.mark.parametrize("utrs", [UTRS, []], ids=["UTR rows", "exon minus CDS"])
def test_gtf_and_gff3_give_the_same_features(
    tmp_path: Path, form: object, utrs: list[tuple[str, int, int, str, str]]
) -> None:
    annotation = read(tmp_path, form(ROWS + utrs))  # type: ignore[operator]
    assert intervals(annotation, "gene") == [[100, 600]]
    assert intervals(annotation, "exon") == [[100, 200], [300, 400], [500, 600]]
    assert intervals(annotation, "utr") == [[100, 150], [550, 600]]
    # The outer ends 101 and 600 are no splice sites.
    assert intervals(annotation, "splice_site") == [[199, 200], [300, 301], [399, 400], [500, 501]]
    assert set(annotation.features) == set(FEATURES)


@pytest.mark.parametrize("spelling", ["UTR", "5UTR", "three_prime_UTR", "five_prime_utr"])
def test_every_spelling_of_utr_is_known(tmp_path: Path, spelling: str) -> None:
    rows = [*ROWS, (spelling, 7, 9, "t1", "")]
    assert intervals(read(tmp_path, gtf(rows)), "utr") == [[6, 9]]


def test_genes_are_the_spans_of_exons_where_the_file_has_none(tmp_path: Path) -> None:
    without_genes = [row for row in ROWS if row[0] != "gene"]
    assert intervals(read(tmp_path, gtf(without_genes)), "gene") == [[100, 600]]
    exons = [("exon", 11, 20, "a", ""), ("exon", 31, 40, "a", ""), ("exon", 61, 70, "b", "")]
    assert intervals(read(tmp_path, gtf(exons)), "gene") == [[10, 40], [60, 70]]


def test_exons_that_touch_have_no_splice_site_and_several_parents_each_count(
    tmp_path: Path,
) -> None:
    touching = [("exon", 11, 20, "a", ""), ("exon", 21, 40, "a", "")]
    assert intervals(read(tmp_path, gtf(touching)), "splice_site") == []
    text = "".join(
        f"chrI\t.\texon\t{start}\t{start + 9}\t.\t+\t.\tParent={parents}\n"
        for start, parents in ((11, "a,b"), (31, "a"), (51, "b"))
    )
    found = intervals(read(tmp_path, text), "splice_site")
    assert found == [[19, 20], [30, 31], [50, 51]]


def test_coding_transcripts_alone_have_derived_utrs(tmp_path: Path) -> None:
    rows = [*ROWS, ("exon", 701, 800, "noncoding", "")]
    assert intervals(read(tmp_path, gtf(rows)), "utr") == [[100, 150], [550, 600]]


def test_only_the_chromosomes_asked_for_decide_anything(tmp_path: Path) -> None:
    both = gtf(ROWS) + gtf([*ROWS[:9], ("UTR", 11, 20, "t1", "")], "chrII")
    annotation = read(tmp_path, both, chromosomes=["chrI"])
    alone = read(tmp_path, gtf(ROWS), chromosomes=["chrI"])
    for feature in FEATURES:
        pd.testing.assert_frame_equal(annotation.features[feature], alone.features[feature])
    assert annotation.source.left_out["on a chromosome that was not asked for"] == 9


def test_types_that_are_not_used_and_unknown_contigs_are_counted(tmp_path: Path) -> None:
    rows = [*ROWS, ("start_codon", 151, 153, "t1", "")]
    left_out = read(tmp_path, gtf(rows) + gtf(ROWS[:2], "chrUn")).source.to_dict()["left_out"]
    assert left_out == {
        "of a type that is not used": 4,
        "on a chromosome that the genome does not have": 1,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("# nothing\n", "found no rows beside comments"),
        ("chrI\t1\t9\n", ":1: found 3 columns where 9 columns"),
        (gtf(ROWS[:2]), 'found no row of the type "exon"'),
        (gtf([("region", 1, 5, "", "")]), 'found no row of the type "exon"'),
        (gtf([("exon", 0, 5, "", "")]), ":1: the start 0 is below 1"),
        (gtf([("exon", 9, 5, "", "")]), ":1: the start 9 is after its end"),
        (gtf(ROWS).replace("301", "3o1"), ':4: found "3o1" as start where a whole number'),
        (gtf(ROWS, "I"), "none of the 10 features .* pass --rename-chromosomes add-chr"),
        (gtf(ROWS, "7"), "none of the 10 features lies on genome.fa"),
        (gtf([("exon", 2000, 3000, "", "")]), "looks like one of another assembly"),
    ],
)
def test_a_wrong_file_is_an_input_error(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read(tmp_path, text)


def test_renaming_brings_features_onto_the_genome(tmp_path: Path) -> None:
    annotation = read(tmp_path, gtf(ROWS, "I"), rename_chromosomes="add-chr")
    assert set(annotation.features["exon"]["chromosome"]) == {"chrI"}


PARTS = st.lists(
    st.tuples(
        st.sampled_from(["exon", "CDS"]),
        st.sampled_from(["chrI", "chrII"]),
        st.integers(1, 60),
        st.integers(0, 20),
        st.sampled_from("+-"),
        st.sampled_from(["a", "b", "a,b"]),
    ),
    max_size=12,
)


@given(PARTS)
def test_splice_sites_and_utrs_equal_those_found_base_by_base(
    parts: list[tuple[str, str, int, int, str, str]],
) -> None:
    text = "chrII\t.\texon\t500\t510\t.\t+\t.\tParent=other\n" + "".join(
        f"{chromosome}\t.\t{kind}\t{start}\t{start + more}\t.\t{strand}\t.\tParent={owners}\n"
        for kind, chromosome, start, more, strand, owners in parts
    )
    bases: dict[tuple[str, str, str], dict[str, set[int]]] = {}
    for kind, chromosome, start, more, strand, owners in parts:
        for owner in owners.split(","):
            own = bases.setdefault((chromosome, strand, owner), {"exon": set(), "CDS": set()})
            own[kind] |= set(range(start - 1, start + more))
    sites, untranslated = set(), set()
    for (chromosome, *_), own in bases.items():
        exonic = own["exon"] or own["CDS"]
        sites |= {(chromosome, b) for b in exonic if b + 1 not in exonic and b != max(exonic)}
        sites |= {(chromosome, b) for b in exonic if b - 1 not in exonic and b != min(exonic)}
        if own["CDS"]:
            coded = range(min(own["CDS"]), max(own["CDS"]) + 1)
            untranslated |= {(chromosome, base) for base in exonic - set(coded)}
    with tempfile.TemporaryDirectory() as folder:
        annotation = read(Path(folder), text)
    found = annotation.features["splice_site"]
    assert set(zip(found["chromosome"], found["start"], strict=True)) == sites
    utrs = annotation.features["utr"].itertuples()
    assert {(u.chromosome, base) for u in utrs for base in range(u.start, u.end)} == untranslated


def test_the_real_annotation_has_introns_on_every_chromosome(yeast: Path) -> None:
    genome = Genome.open(yeast / "genome" / "sacCer3.fa.gz")
    annotation = read_annotation(yeast / "annotation" / "sacCer3.sgd_R64.gtf.gz", genome)
    assert len(annotation.features["gene"]) == 7076
    assert set(annotation.features["splice_site"]["chromosome"]) == set(genome.sizes) - {"chrM"}
