"""The odd and broken files that users bring, by name: what is accepted, and what is said of the rest."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyBigWig
import pytest
from file_strategies import bgzip

from descriptors.errors import InputError
from descriptors.explain import left_out
from descriptors.genome import Genome
from descriptors.peaks import read_peaks
from descriptors.pipeline import Descriptors, describe

PLAIN = "".join(f"chr1\t{start}\t{start + width}\n" for start, width in ((90, 80), (300, 50)))
PLAIN += "chr2\t10\t45\n"
MOTIFS = (
    ">ACGT\t1-ACGT\t2.5\t-90.0\t0\tT:51.0(4.98%),B:22.3(0.05%),P:1e-39\t"
    "StrandBias:0.10,Multiplicity:1.02\n" + "0.970\t0.010\t0.010\t0.010\n" * 6
)
# Lengths of chromosomes as UCSC's chrom.sizes give them.
HG19 = {"chr1": 249250621, "chr2": 243199373, "chr21": 48129895, "chrX": 155270560}
HG38 = {"chr1": 248956422, "chr2": 242193529, "chr21": 46709983, "chrX": 156040895}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a genome of two chromosomes, motifs and tracks."""
    rng = np.random.default_rng(0)
    letters = {name: "".join(rng.choice(list("ACGT"), 600)) for name in ("chr1", "chr2")}
    (tmp_path / "genome.fa").write_text("".join(f">{n}\n{bases}\n" for n, bases in letters.items()))
    (tmp_path / "motifs.motif").write_text(MOTIFS)
    return tmp_path


def described(
    place: Path, peaks: str | bytes = PLAIN, factor: str | None = None, **files: str | bytes
) -> Descriptors:
    """Describe files of the given contents; a bigWig stands there already."""
    arguments: dict[str, Path] = {"genome": place / "genome.fa", "homer": place / "motifs.motif"}
    for name, content in {"peaks": peaks, **files}.items():
        arguments[name] = place / name
        if content != "there":
            data = content.encode() if isinstance(content, str) else content
            arguments[name].write_bytes(data)
    return describe(name="task", factor=factor, **arguments)  # type: ignore[arg-type]


def said(
    place: Path, peaks: str | bytes = PLAIN, factor: str | None = None, **files: str | bytes
) -> str:
    with pytest.raises(InputError) as caught:
        described(place, peaks, factor, **files)
    return str(caught.value).replace(f"{place}/", "")


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace("\n", "\r\n", 1).replace("\t45\n", "\t45").encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        gzip.compress(PLAIN.encode()),
        bgzip(PLAIN.encode()),
        f"browser position chr1\ntrack name=x\n#chrom\tstart\n\n{PLAIN}".encode(),
        PLAIN.replace("\t", " ").encode(),
        PLAIN.replace("\t", "   ").encode(),
        PLAIN.replace("300", "3.00e+02").encode(),
        PLAIN.replace("chr1\t", "chr1 \t").encode(),
        "".join(sorted(PLAIN.splitlines(keepends=True), reverse=True)).encode(),
    ],
    ids=[
        *("CRLF", "CR only", "mixed ends and no last one", "byte-order mark", "gzip", "bgzip"),
        *("header lines", "spaces for tabs", "many spaces", "scientific", "space after a name"),
        "unsorted",
    ],
)
def test_what_differs_only_in_form_is_described_the_same(place: Path, content: bytes) -> None:
    plain, other = described(place), described(place, content)
    assert other.values == plain.values
    assert other.values["n_peaks"] == 3
    assert other.sources["peaks"]["rows"] == 3
    assert other.sources["peaks"]["left_out"] == {}


def test_large_positions_in_scientific_notation_are_read_exactly(place: Path) -> None:
    (place / "big.bed").write_text("chr1\t1.86e+08\t186000100\nchr1\t1.86000001e+08\t1.861e8\n")
    table = read_peaks(place / "big.bed").table
    assert table[["start", "end"]].to_numpy().tolist() == [
        [186000000, 186000100],
        [186000001, 186100000],
    ]


@pytest.mark.parametrize(
    ("peaks", "sentence"),
    [
        (
            "chrom\tchromStart\tchromEnd\n" + PLAIN,
            'peaks:1: found "chromStart" as start where a whole number was needed; remove the row '
            "of column names (and see to it that starts are counted from 0)",
        ),
        (
            PLAIN + "chr1 400 500\n",
            "peaks:4: found 1 column where 3 columns (chromosome, start, end) were needed, "
            "separated by tabs; complete the row or remove it",
        ),
        (
            PLAIN + "chr1\t500\t500\n",
            "peaks:4: the end 500 is not after the start 500; give the end 501 if the peak is one base or remove the "
            "row",
        ),
        (
            PLAIN + "chr1\t500\t400\n",
            "peaks:4: the end 400 is not after the start 500; swap the two or remove the row",
        ),
        (
            PLAIN + "chr1\t-5\t400\n",
            "peaks:4: the start -5 is below 0, the first base of a chromosome; correct the row or "
            "remove it",
        ),
        (
            PLAIN + "chr1\t5\t400.5\n",
            'peaks:4: found "400.5" as end where a whole number was needed; write it as a plain '
            "integer or remove the row",
        ),
        (
            PLAIN + "chr1\t5\t601\n",
            "peaks:4: the end 601 is past the end of chr1 in genome.fa (600 bp); correct the row, "
            "or name the genome that the file was made on",
        ),
        (
            PLAIN.replace("chr", ""),
            'peaks: none of the 3 peaks lies on genome.fa: the peaks name "1", the genome names '
            '"chr1"; pass --rename-chromosomes add-chr',
        ),
        (
            PLAIN + "chr1\t5\t40\tname\t1\t+\n",
            "peaks:4: found 5 columns or more where the 3 columns of the first row were needed; "
            "give every row the same columns",
        ),
        ("", "peaks: the file is empty; name a file with content"),
        (
            "track name=x\n#chr1\t1\t2\n",
            "peaks: found no rows beside headers, 3 columns (chromosome, start, end) were needed "
            "in each; name a BED file",
        ),
        (
            PLAIN.encode("utf-16"),
            "peaks: found binary content where text was needed; export the file as plain text "
            "(UTF-8) and name that",
        ),
        (
            PLAIN.encode() * 400 + b"chr1\t5\x00\t9\n",
            "peaks: found binary content where text was needed; export the file as plain text "
            "(UTF-8) and name that",
        ),
        (
            gzip.compress(PLAIN.encode() * 99)[:-20],
            "peaks: the gzip file is truncated or damaged (Compressed file ended before the "
            "end-of-stream marker was reached); fetch it again",
        ),
        (
            bgzip(PLAIN.encode())[:-28],
            "peaks: the bgzip file is truncated (it ends without its end marker); fetch it again",
        ),
    ],
    ids=[
        *("column names", "tabs and spaces", "start = end", "start > end", "negative", "fraction"),
        *("past the end", "chr1 and 1", "uneven columns", "empty", "headers only", "UTF-16"),
        *("NUL late in the file", "truncated gzip", "truncated bgzip"),
    ],
)
def test_a_peak_file_that_is_wrong_is_refused_in_one_sentence(
    place: Path, peaks: str | bytes, sentence: str
) -> None:
    assert said(place, peaks) == sentence


@pytest.mark.parametrize(
    ("role", "content"),
    [
        ("genome", ">chr1\n" + "ACGGTCTA" * 75 + "\n>chr2\n" + "CATT" * 150 + "\n"),
        ("annotation", 'chr1\ts\texon\t1\t90\t.\t+\t.\ttranscript_id "a";\n' * 9),
        ("homer", MOTIFS),
        ("exclude", "chr1\t0\t9\n" * 99),
        ("interpro", "factor\tinterpro\n" + "Reb1\t-\n" * 99),
    ],
)
def test_a_truncated_archive_is_told_whatever_is_in_it(
    place: Path, role: str, content: str
) -> None:
    packed = gzip.compress(content.encode())
    assert described(place, factor="Reb1", **{role: packed}).values["n_peaks"] == 3
    sentence = said(place, factor="Reb1", **{role: packed[:-12]})
    assert sentence.startswith(f"{role}: the gzip file is truncated or damaged (")
    assert sentence.endswith("; fetch it again")


STATUS = Path("/proc/self/status")
_READ_EACH = f"""
import sys
from descriptors.peaks import read_peaks
for path in sys.argv[1:]:
    rows = read_peaks(path).source.rows
    peak_kb = open("{STATUS}").read().split("VmHWM:")[1].split()[0]
    print(rows, 1024 * int(peak_kb))
"""


@pytest.mark.skipif(not STATUS.exists(), reason="this system does not tell the memory of a process")
def test_ten_million_peaks_fit_into_two_gigabytes(tmp_path: Path) -> None:
    # Two smaller files tell what a row costs; benchmarks/descriptors/ten_million.py reads all ten.
    sizes = (200_000, 1_200_000)
    for size in sizes:
        rows = (f"chr1\t{at * 100}\t{at * 100 + 50}\n" for at in range(size))
        (tmp_path / f"{size}.bed").write_text("".join(rows))
    done = subprocess.run(
        [sys.executable, "-c", _READ_EACH, *(tmp_path / f"{size}.bed" for size in sizes)],
        capture_output=True,
        text=True,
        check=True,
    )
    few, low, many, high = map(int, done.stdout.split())
    assert (few, many) == sizes
    assert low + (high - low) / (many - few) * (10_000_000 - few) < 2e9


def test_peaks_of_another_assembly_are_told_by_its_lengths(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    lines = []
    for name, size in HG19.items():
        for start in rng.integers(10_000, size - 10_000, 300):
            lines.append(f"{name}\t{start}\t{start + 300}")
    (tmp_path / "hg19.bed").write_text("\n".join(lines))
    genome = Genome.from_sequences({"chr1": "A"}, "hg38.fa")
    genome.sizes = dict(HG38)  # three thousand million letters would prove no more
    past = [line.split("\t") for line in lines]
    wrong = [at for at, (name, _, end) in enumerate(past) if int(end) > HG38[name]]
    assert len(wrong) >= 10
    with pytest.raises(InputError) as caught:
        read_peaks(tmp_path / "hg19.bed", genome)
    name, _, end = past[wrong[0]]
    assert str(caught.value) == (
        f"{tmp_path}/hg19.bed:{wrong[0] + 1}: the end {end} is past the end of {name} in hg38.fa "
        f"({HG38[name]} bp), as do {len(wrong)} of 1,200 rows, so the file looks like one of "
        "another assembly; name the genome that it was made on"
    )


def test_duplicates_are_counted_and_one_peak_is_enough(place: Path) -> None:
    three = described(place, "chr1\t90\t170\n" * 3)
    assert three.sources["peaks"]["left_out"] == {
        "the same chromosome, start, end and strand as another row": 2
    }
    one = described(place, "chr1\t90\t170\n")
    assert one.values == three.values
    assert one.values["n_peaks"] == 1
    assert one.values["peak_width_variance_bp2"] == 0


def test_a_stale_index_of_the_genome_is_not_believed(place: Path) -> None:
    plain = described(place)
    (place / "genome.fa.fai").write_text("chr1\t99\t6\t60\t61\nchrOld\t500\t700\t60\t61\n")
    (place / "genome.fa.gzi").write_bytes(b"\x01" + bytes(7))
    assert described(place).to_json() == plain.to_json()
    assert Genome.open(place / "genome.fa").sizes == {"chr1": 600, "chr2": 600}


def test_renaming_is_offered_only_where_it_helps(place: Path) -> None:
    sentence = said(place, "chrX\t5\t9\n")
    assert sentence == (
        'peaks: none of the 1 peaks lies on genome.fa: the peaks name "chrX", the genome names '
        '"chr1", "chr2"; name the genome that the peaks were made on'
    )
    (place / "genome.fa").write_text(">1\n" + "ACGT" * 150 + "\n>MT\n" + "ACGT" * 150 + "\n")
    assert said(place, "chr1\t5\t9\n").endswith("; pass --rename-chromosomes strip-chr")
    (place / "peaks").write_text("chr1\t5\t9\nchrM\t5\t9\n")
    table = read_peaks(
        place / "peaks", Genome.open(place / "genome.fa"), rename_chromosomes="strip-chr"
    ).table
    assert table["chromosome"].tolist() == ["1", "MT"]


def _write_track(path: Path, sizes: dict[str, int], scores: dict[str, tuple[int, int]]) -> None:
    with pyBigWig.open(str(path), "w") as track:
        track.addHeader(list(sizes.items()))
        for name, (start, end) in scores.items():
            track.addEntries(name, start, values=[0.5] * (end - start), span=1, step=1)


def test_a_corrupt_bigwig_is_an_error_here_and_not_a_crash(place: Path) -> None:
    _write_track(place / "phastcons", {"chr1": 600, "chr2": 600}, {"chr1": (0, 600)})
    whole = (place / "phastcons").read_bytes()
    assert described(place, phastcons="there").values["phastcons_mean"] == 0.5
    for broken in (whole[: len(whole) // 2], b"\x26\xfc\x8f\x88" + bytes(60), b"no bigWig"):
        sentence = said(place, phastcons=broken)
        assert sentence.startswith("phastcons: ")
        assert "bigWig" in sentence


def test_a_bigwig_with_no_overlap_leaves_the_value_missing_and_says_so(place: Path) -> None:
    _write_track(place / "phylop", {"chr1": 600, "chr2": 600}, {"chr1": (500, 600)})
    found = described(place, phylop="there")
    assert found.values["phylop_mean"] is None
    assert found.sources["phylop"]["scored_share"] == 0
    assert left_out(found) == ["phylop (phylop): all bases of the peaks, none of which has a score"]
    _write_track(place / "phylop", {"chr9": 600}, {"chr9": (500, 600)})
    assert said(place, phylop="there").startswith(
        "phylop: none of the 1 bigWig chromosomes lies on genome.fa"
    )


def test_an_annotation_without_exons_and_a_file_without_motifs_are_refused(place: Path) -> None:
    gene = 'chr1\ts\tgene\t1\t90\t.\t+\t.\tgene_id "a";\n'
    assert said(place, annotation=gene) == (
        'annotation: found no row of the type "exon", which distances need; '
        "name a GTF or GFF3 file that lists exons"
    )
    for content in ("\n", "# no motif was found\n"):
        (place / "motifs.motif").write_text(content)
        assert said(place).startswith("motifs.motif:")


def test_a_genome_of_unknown_bases_alone_describes_all_but_motifs(place: Path) -> None:
    (place / "genome.fa").write_text(f">chr1\n{'N' * 600}\n>chr2\n{'n' * 600}\n")
    assert described(place).values["n_peaks"] == 3  # with motifs that HOMER found
    with pytest.raises(InputError) as caught:
        describe(place / "peaks", place / "genome.fa")
    assert str(caught.value) == (
        "genome.fa: it has no known base (A, C, G, T) around any of the 3 peaks; name a genome with "
        "sequence, that of the peaks' assembly"
    )
    assert (Genome.open(place / "genome.fa").codes("chr2") == 4).all()
