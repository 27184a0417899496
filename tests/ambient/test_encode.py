"""Tests of ambient/data/encode.py, and of the whole way from ENCODE's formats to a controller."""

from __future__ import annotations

import gzip
import itertools
from functools import partial
from pathlib import Path

import pytest
import yaml
from tiny_children import SPACE, TINY

from ambient.data import (
    prepare_corpus,
    read_corpus,
    simulate_corpus,
    write_encode_tasks,
)
from ambient.data.describe import describe_corpus
from ambient.errors import InputError
from ambient.search.config import AmbientConfig
from ambient.search.joint import JointConfig, train_jointly
from descriptors import pipeline
from descriptors.motifs import find_motifs

REPOSITORY = Path(__file__).resolve().parents[2]

# The columns of the portal's batch download that are read, among some that are not, in its order.
COLUMNS = [
    *("File accession", "File format", "File type", "File format type", "Output type"),
    *("File assembly", "Experiment accession", "Assay", "Donor(s)", "Biosample term id"),
    *("Biosample term name", "Biosample type", "Experiment target", "Biological replicate(s)"),
    *("Size", "Lab", "md5sum", "File download URL", "File Status", "File analysis title"),
    "Audit WARNING",
]
CTCF = {
    "File accession": "ENCFF001AAA",
    "File format": "bed narrowPeak",
    "Output type": "IDR thresholded peaks",
    "File assembly": "GRCh38",
    "Experiment accession": "ENCSR000AAA",
    "Assay": "TF ChIP-seq",
    "Biosample term name": "K562",
    "Experiment target": "CTCF-human",
    "Biological replicate(s)": "1, 2",
    "md5sum": "0f" * 16,
    "File download URL": "https://www.encodeproject.org/files/ENCFF001AAA/@@download/ENCFF001AAA.bed.gz",
    "File Status": "released",
    "File analysis title": "ENCODE4 v1.6.1 GRCh38",
    "Audit WARNING": 'low "depth", mild',
}


def other(accession: str, **changes: str) -> dict[str, str]:
    """Make a row of another experiment; `_` in the names of columns stands for a space."""
    url = f"https://www.encodeproject.org/files/{accession}/@@download/{accession}.bed.gz"
    own = {"File accession": accession, "File download URL": url}
    own["Experiment accession"] = accession.replace("FF", "SR")
    return {**CTCF, **own, **{key.replace("_", " "): value for key, value in changes.items()}}


def again(accession: str, **changes: str) -> dict[str, str]:
    """Make another row of the first experiment."""
    return {**other(accession, **changes), "Experiment accession": "ENCSR000AAA"}


def write_metadata(path: Path, rows: list[dict[str, str]], columns: list[str] = COLUMNS) -> Path:
    lines = [columns, *([row.get(column, "") for column in columns] for row in rows)]
    path.write_text("".join("\t".join(cells) + "\n" for cells in lines))
    return path


def tasks_of(tmp_path: Path, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    write_encode_tasks(write_metadata(tmp_path / "metadata.tsv", rows), tmp_path / "tasks.tsv")
    header, *lines = (tmp_path / "tasks.tsv").read_text().splitlines()
    return [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]


def test_a_row_becomes_a_task(tmp_path: Path) -> None:
    (task,) = tasks_of(tmp_path, [CTCF])
    assert task == {
        "name": "CTCF_K562_ENCSR000AAA",
        "peaks": "peaks/ENCFF001AAA.bed.gz",
        "category": "tf",
        "factor": "CTCF",
        "biosample": "K562",
        "assay": "TF ChIP-seq",
        "experiment": "ENCSR000AAA",
        "md5sum": "0f" * 16,
        "url": CTCF["File download URL"],
        "stranded": "false",
    }
    # docs/encode.md counts columns.
    assert [list(task).index(column) + 1 for column in ("peaks", "md5sum", "url")] == [2, 8, 9]


@pytest.mark.parametrize(
    ("assay", "target", "output_type", "category", "factor"),
    [
        ("TF ChIP-seq", "eGFP-ZNF83-human", "conservative IDR thresholded peaks", "tf", "ZNF83"),
        ("ChIP-seq", "HNF4A-human", "optimal idr thresholded peaks", "tf", "HNF4A"),
        ("ChIP-seq", "HDAC1-human", "IDR thresholded peaks", "tf", "HDAC1"),
        ("ChIP-seq", "NKX2-1-human", "IDR thresholded peaks", "tf", "NKX2-1"),
        (
            "TF ChIP-seq",
            "POLR2AphosphoS5-human",
            "IDR thresholded peaks",
            "polymerase",
            "POLR2AphosphoS5",
        ),
        ("TF ChIP-seq", "POLR3G-human", "IDR thresholded peaks", "polymerase", "POLR3G"),
        ("Histone ChIP-seq", "H3K4me3-human", "replicated peaks", "histone", "H3K4me3"),
        ("Histone ChIP-seq", "H2AFZ-human", "pseudo-replicated peaks", "histone", "H2AFZ"),
        ("ChIP-seq", "H4K20me1-human", "stable peaks", "histone", "H4K20me1"),
        ("Mint-ChIP-seq", "H3K27ac-human", "pseudoreplicated peaks", "histone", "H3K27ac"),
        ("DNase-seq", "", "peaks", "accessibility", ""),
        ("ATAC-seq", "", "IDR thresholded peaks", "accessibility", ""),
        ("eCLIP", "HNRNPC-human", "peaks", "other", "HNRNPC"),
        ("eCLIP", "H3P1-human", "peaks", "other", "H3P1"),  # reads like a histone's name
    ],
)
def test_a_target_decides_the_category(
    tmp_path: Path, assay: str, target: str, output_type: str, category: str, factor: str
) -> None:
    row = other("ENCFF002AAA", Assay=assay, Experiment_target=target, Output_type=output_type)
    (task,) = tasks_of(tmp_path, [row])
    assert (task["category"], task["factor"]) == (category, factor)
    assert task["name"].startswith(factor or assay)
    assert task["stranded"] == str(assay == "eCLIP").lower()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"File_Status": "archived"}, "not released"),
        ({"File_assembly": "hg19"}, "of another assembly than GRCh38"),
        ({"File_format": "bigBed narrowPeak"}, "no narrowPeak"),
        ({"File_format": "bed broadPeak"}, "no narrowPeak"),
        ({"File_format": "bam"}, "no narrowPeak"),
        ({"Assay": "ChIA-PET"}, "of the assay ChIA-PET, which is not supported"),
        (
            {"Assay": "eCLIP", "Output_type": "peaks", "Biological_replicate(s)": "2"},
            "of one replicate of eCLIP alone, no final set of peaks",
        ),
        ({"Assay": "eCLIP", "Output_type": "peaks", "Experiment_target": ""}, "without a target"),
        ({"Experiment_target": ""}, "without a target"),
        (
            {"Output_type": "IDR ranked peaks"},
            'of the output type "IDR ranked peaks", no final set of peaks',
        ),
        (
            {"Output_type": "replicated peaks"},
            'of the output type "replicated peaks", no final set of peaks',
        ),
    ],
)
def test_what_is_left_out_is_counted_with_its_reason(
    tmp_path: Path, changes: dict[str, str], reason: str
) -> None:
    rows = [CTCF, other("ENCFF002AAA", **changes), other("ENCFF003AAA", **changes)]
    path = write_metadata(tmp_path / "metadata.tsv", rows)
    made = write_encode_tasks(path, tmp_path / "tasks.tsv")
    assert (made.tasks, made.left_out) == (1, {reason: 2})


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (
            {"Output_type": "conservative IDR thresholded peaks"},
            {"Biological_replicate(s)": "1, 2, 3"},
        ),
        ({}, {"Output_type": "optimal IDR thresholded peaks"}),
        ({"Biological_replicate(s)": "1, 2, 3"}, {"File_analysis_title": "ENCODE5"}),
        ({}, {"File_analysis_title": "ENCODE3 GRCh38"}),
        ({}, {}),  # the first by accession
    ],
)
def test_one_file_of_an_experiment_is_chosen_whatever_their_order(
    tmp_path: Path, better: dict[str, str], worse: dict[str, str]
) -> None:
    rows = [again("ENCFF111AAA", **better), again("ENCFF222AAA", **worse)]
    for order in (rows, rows[::-1]):
        (task,) = tasks_of(tmp_path, order)
        assert task["peaks"] == "peaks/ENCFF111AAA.bed.gz"
    made = write_encode_tasks(tmp_path / "metadata.tsv", tmp_path / "tasks.tsv")
    assert made.left_out == {"another file of the experiment was chosen": 1}


def test_names_are_unique_and_can_name_files(tmp_path: Path) -> None:
    biosample = "Peyer's patch, female (51 years)"
    rows = [other(f"ENCFF{n}AAA", Biosample_term_name=biosample) for n in (100, 101)]
    names = [task["name"] for task in tasks_of(tmp_path, rows)]
    assert names == [f"CTCF_Peyer-s-patch-female-51-years_ENCSR{n}AAA" for n in (100, 101)]


def test_older_files_name_the_assembly_otherwise(tmp_path: Path) -> None:
    columns = ["Assembly" if one == "File assembly" else one for one in COLUMNS]
    row = {**CTCF, "Assembly": "GRCh38"}
    path = write_metadata(tmp_path / "metadata.tsv", [row], columns)
    assert write_encode_tasks(path, tmp_path / "tasks.tsv").tasks == 1


def test_what_is_no_metadata_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.tsv: there is no such file; name the metadata"):
        write_encode_tasks(tmp_path / "absent.tsv", tmp_path / "tasks.tsv")
    columns = [one for one in COLUMNS if one != "Output type"]
    path = write_metadata(tmp_path / "metadata.tsv", [CTCF], columns)
    with pytest.raises(InputError, match='has no column "Output type"; did you mean'):
        write_encode_tasks(path, tmp_path / "tasks.tsv")
    path = write_metadata(tmp_path / "metadata.tsv", [CTCF])
    with pytest.raises(
        InputError, match=r"none of its 1 rows .*\(1 of another assembly than mm10\)"
    ):
        write_encode_tasks(path, tmp_path / "tasks.tsv", assembly="mm10")
    assert not (tmp_path / "tasks.tsv").exists()
    with pytest.raises(InputError, match="it is empty"):
        write_encode_tasks(write_metadata(path, []), tmp_path / "tasks.tsv")


def like_encode(folder: Path) -> None:
    """Turn a simulated corpus into files of the formats, and of the names, that docs/encode.md tells of."""
    template = yaml.safe_load((REPOSITORY / "docs" / "encode-corpus.yaml").read_text())
    genome = (folder / "genome.fa").read_text().lower()
    for contig in ("chr1_KI270706v1_random", "chrUn_KI270302v1", "chrM", "chrY", "chrEBV"):
        genome += f">{contig}  AC:none  rl:other\n{'acgtN' * 300}\n"
    (folder / template["genome"]).write_text(genome)
    rows = []
    for line in (folder / "genes.gtf").read_text().splitlines():
        cells = line.split("\t")
        cells[1] = "HAVANA"
        cells[2] = "UTR" if cells[2].endswith("_utr") else cells[2]
        cells[8] = cells[8].replace("gene_biotype", "gene_type") + " level 2;"
        rows.append("\t".join(cells))
    head = "##description: evidence-based annotation of the human genome\n##provider: GENCODE\n"
    (folder / template["annotation"]).write_bytes(
        gzip.compress((head + "\n".join(rows) + "\n").encode())
    )
    (folder / "phastcons.bw").rename(folder / template["conservation"]["phastcons"])
    (folder / "phylop.bw").rename(folder / template["conservation"]["phylop"])
    (folder / template["exclude"]).write_bytes(gzip.compress(b"chr1\t1000\t1500\nchrY\t0\t900\n"))
    sets = [
        ("Short1", "CTCF-human", "TF ChIP-seq", "K562", "IDR thresholded peaks"),
        ("Long1", "REST-human", "TF ChIP-seq", "K562", "conservative IDR thresholded peaks"),
        ("Histone1", "H3K4me3-human", "Histone ChIP-seq", "K562", "replicated peaks"),
        ("Accessibility1", "", "DNase-seq", "HepG2", "peaks"),
        ("Short1", "HNRNPC-human", "eCLIP", "K562", "peaks"),
    ]
    metadata = []
    for number, (name, target, assay, biosample, output_type) in enumerate(sets):
        accession = f"ENCFF{number:03d}AAA"
        lines = [
            line.split("\t")
            for line in next(folder.glob(f"peaks/{name}.*")).read_text().splitlines()
        ]
        is_rna = assay == "eCLIP"  # whose peaks have a strand, and no summit
        strands = itertools.cycle("+-" if is_rna else ".")
        narrow = ""
        for (chromosome, start, end, *_), strand in zip(lines, strands, strict=False):
            summit = -1 if is_rna else (int(end) - int(start)) // 2
            narrow += (
                f"{chromosome}\t{start}\t{end}\t.\t1000\t{strand}\t21.5\t-1.0\t3.2\t{summit}\n"
            )
        narrow += f"chrUn_KI270302v1\t100\t300\t.\t900\t{next(strands)}\t9.5\t-1.0\t2.2\t100\n"
        (folder / "peaks" / f"{accession}.bed.gz").write_bytes(gzip.compress(narrow.encode()))
        changes = {"Experiment_target": target, "Assay": assay, "Output_type": output_type}
        metadata.append(other(accession, Biosample_term_name=biosample, **changes))
    write_metadata(folder / "metadata.tsv", metadata)


def test_files_of_encodes_formats_become_a_controller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = partial(find_motifs, lengths=(6,), motifs_per_length=1)
    monkeypatch.setattr(pipeline, "find_motifs", few)
    folder = simulate_corpus(tmp_path / "human", tasks=4, genome_bp=50_000, seed=3).parent
    like_encode(folder)
    made = write_encode_tasks(folder / "metadata.tsv", folder / "tasks.tsv")
    assert (made.tasks, made.left_out) == (5, {})
    text = (REPOSITORY / "docs" / "encode-corpus.yaml").read_text()
    path = folder / "encode.yaml"
    path.write_text(text.replace("window_bp: 1000", "window_bp: 200\nwidest_window_bp: 300"))
    corpus = read_corpus(path)
    assert {spec.category for spec in corpus.tasks} == {"tf", "histone", "accessibility", "other"}
    assert [spec.name for spec in corpus.tasks if spec.stranded] == ["HNRNPC_K562_ENCSR004AAA"]
    assert [spec.name for spec in corpus.held_out_tasks] == ["DNase-seq_HepG2_ENCSR003AAA"]
    described = describe_corpus(corpus, corpus.training_tasks, workers=1)
    for one in described.values():
        assert one.values["phastcons_mean"] is not None
        assert one.values["utr_distance_median_bp"] is not None
        assert one.values["n_peaks"] > 15
    tasks = prepare_corpus(corpus)
    assert [task.name for task in tasks.values() if task.stranded] == ["HNRNPC_K562_ENCSR004AAA"]
    for task in tasks.values():
        assert set(task.chromosome[task.split == 1]) == {"chr7"}
        assert set(task.chromosome[task.split == 2]) == {"chr8", "chr9"}
        assert {name[3:].isdigit() for name in task.chromosome} == {True}
    config = JointConfig(
        steps=1,
        fidelity=TINY,
        controller=AmbientConfig(tasks_per_step=2, architectures_per_task=2),
        engine="inline",
    )
    controller = train_jointly(tmp_path / "run", corpus, SPACE, tasks, described, config)
    assert {one.name for one in controller.tasks} == {one.name for one in corpus.training_tasks}
