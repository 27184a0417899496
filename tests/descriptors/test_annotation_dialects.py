"""The same genes, as GENCODE, Ensembl, RefSeq, UCSC and SGD write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from descriptors.annotation import Annotation, read_annotation
from descriptors.genome import Genome

GENOME = Genome.from_sequences({"chrI": "A" * 1000, "chrII": "C" * 700}, "genome.fa")

# A coding gene with exons 101-200, 301-400, 501-600, coding from 151 to the stop codon 548-550,
# and on the other strand a gene that codes for nothing, with exons 701-750 and 801-900.
GENES = [[100, 600], [700, 900]]
EXONS = [[100, 200], [300, 400], [500, 600], [700, 750], [800, 900]]
SPLICE_SITES = [[199, 200], [300, 301], [399, 400], [500, 501], [749, 750], [800, 801]]
UTRS = [[100, 150], [550, 600]]

GENCODE_GTF = """\
##description: evidence-based annotation
gene 101 600 + gene_id "ENSG1.2"; gene_type "protein_coding"; gene_name "A"; level 2;
transcript 101 600 + gene_id "ENSG1.2"; transcript_id "ENST1.3"; gene_name "A"; tag "basic";
exon 101 200 + gene_id "ENSG1.2"; transcript_id "ENST1.3"; exon_number 1; exon_id "ENSE1.1";
CDS 151 200 + gene_id "ENSG1.2"; transcript_id "ENST1.3"; exon_number 1; protein_id "ENSP1.1";
start_codon 151 153 + gene_id "ENSG1.2"; transcript_id "ENST1.3"; exon_number 1;
exon 301 400 + gene_id "ENSG1.2"; transcript_id "ENST1.3"; exon_number 2;
CDS 301 400 + gene_id "ENSG1.2"; transcript_id "ENST1.3"; exon_number 2;
exon 501 600 + gene_id "ENSG1.2"; transcript_id "ENST1.3"; exon_number 3;
CDS 501 547 + gene_id "ENSG1.2"; transcript_id "ENST1.3"; exon_number 3;
stop_codon 548 550 + gene_id "ENSG1.2"; transcript_id "ENST1.3"; exon_number 3;
UTR 101 150 + gene_id "ENSG1.2"; transcript_id "ENST1.3"; exon_number 1;
UTR 548 600 + gene_id "ENSG1.2"; transcript_id "ENST1.3"; exon_number 3;
gene 701 900 - gene_id "ENSG2.1"; gene_type "lncRNA"; gene_name "B"; level 2;
transcript 701 900 - gene_id "ENSG2.1"; transcript_id "ENST2.1"; gene_type "lncRNA";
exon 801 900 - gene_id "ENSG2.1"; transcript_id "ENST2.1"; exon_number 1;
exon 701 750 - gene_id "ENSG2.1"; transcript_id "ENST2.1"; exon_number 2;
"""
GENCODE_GFF3 = """\
##gff-version 3
gene 101 600 + ID=ENSG1.2;gene_id=ENSG1.2;gene_name=A
transcript 101 600 + ID=ENST1.3;Parent=ENSG1.2;gene_id=ENSG1.2;transcript_id=ENST1.3
exon 101 200 + ID=exon:ENST1.3:1;Parent=ENST1.3;gene_id=ENSG1.2;transcript_id=ENST1.3
exon 301 400 + ID=exon:ENST1.3:2;Parent=ENST1.3;gene_id=ENSG1.2;transcript_id=ENST1.3
exon 501 600 + ID=exon:ENST1.3:3;Parent=ENST1.3;gene_id=ENSG1.2;transcript_id=ENST1.3
CDS 151 200 + ID=CDS:ENST1.3;Parent=ENST1.3;gene_id=ENSG1.2;transcript_id=ENST1.3
CDS 301 400 + ID=CDS:ENST1.3;Parent=ENST1.3;gene_id=ENSG1.2;transcript_id=ENST1.3
CDS 501 550 + ID=CDS:ENST1.3;Parent=ENST1.3;gene_id=ENSG1.2;transcript_id=ENST1.3
stop_codon 548 550 + ID=stop_codon:ENST1.3;Parent=ENST1.3;transcript_id=ENST1.3
five_prime_UTR 101 150 + ID=UTR5:ENST1.3;Parent=ENST1.3;transcript_id=ENST1.3
three_prime_UTR 551 600 + ID=UTR3:ENST1.3;Parent=ENST1.3;transcript_id=ENST1.3
gene 701 900 - ID=ENSG2.1;gene_id=ENSG2.1;gene_type=lncRNA
transcript 701 900 - ID=ENST2.1;Parent=ENSG2.1;transcript_id=ENST2.1
exon 801 900 - ID=exon:ENST2.1:1;Parent=ENST2.1;transcript_id=ENST2.1
exon 701 750 - ID=exon:ENST2.1:2;Parent=ENST2.1;transcript_id=ENST2.1
"""
ENSEMBL_GTF = """\
#!genome-build R64-1-1
gene 101 600 + gene_id "YA"; gene_source "sgd"; gene_biotype "protein_coding";
transcript 101 600 + gene_id "YA"; transcript_id "YA_mRNA"; gene_biotype "protein_coding";
exon 101 200 + gene_id "YA"; transcript_id "YA_mRNA"; exon_number "1"; exon_id "YA_mRNA-E1";
CDS 151 200 + gene_id "YA"; transcript_id "YA_mRNA"; exon_number "1"; protein_id "YA";
exon 301 400 + gene_id "YA"; transcript_id "YA_mRNA"; exon_number "2";
CDS 301 400 + gene_id "YA"; transcript_id "YA_mRNA"; exon_number "2";
exon 501 600 + gene_id "YA"; transcript_id "YA_mRNA"; exon_number "3";
CDS 501 547 + gene_id "YA"; transcript_id "YA_mRNA"; exon_number "3";
stop_codon 548 550 + gene_id "YA"; transcript_id "YA_mRNA"; exon_number "3";
five_prime_utr 101 150 + gene_id "YA"; transcript_id "YA_mRNA";
three_prime_utr 551 600 + gene_id "YA"; transcript_id "YA_mRNA";
gene 701 900 - gene_id "B"; gene_biotype "snoRNA";
transcript 701 900 - gene_id "B"; transcript_id "B_ncRNA";
exon 801 900 - gene_id "B"; transcript_id "B_ncRNA"; exon_number "1";
exon 701 750 - gene_id "B"; transcript_id "B_ncRNA"; exon_number "2";
"""
ENSEMBL_GFF3 = """\
##gff-version 3
##sequence-region   I 1 1000
chromosome 1 1000 . ID=chromosome:I;Alias=BK006935.2
gene 101 600 + ID=gene:YA;biotype=protein_coding;gene_id=YA;logic_name=sgd
mRNA 101 600 + ID=transcript:YA_mRNA;Parent=gene:YA;transcript_id=YA_mRNA
five_prime_UTR 101 150 + Parent=transcript:YA_mRNA
exon 101 200 + Parent=transcript:YA_mRNA;Name=YA_mRNA-E1;exon_id=YA_mRNA-E1;rank=1
CDS 151 200 + ID=CDS:YA;Parent=transcript:YA_mRNA;protein_id=YA
exon 301 400 + Parent=transcript:YA_mRNA;Name=YA_mRNA-E2;rank=2
CDS 301 400 + ID=CDS:YA;Parent=transcript:YA_mRNA;protein_id=YA
exon 501 600 + Parent=transcript:YA_mRNA;Name=YA_mRNA-E3;rank=3
CDS 501 550 + ID=CDS:YA;Parent=transcript:YA_mRNA;protein_id=YA
three_prime_UTR 551 600 + Parent=transcript:YA_mRNA
###
ncRNA_gene 701 900 - ID=gene:B;biotype=snoRNA;gene_id=B
snoRNA 701 900 - ID=transcript:B_ncRNA;Parent=gene:B;transcript_id=B_ncRNA
exon 801 900 - Parent=transcript:B_ncRNA;rank=1
exon 701 750 - Parent=transcript:B_ncRNA;rank=2
"""
# No transcript rows but mRNA; no UTR rows; the exons of a pseudogene are parts of the gene itself.
REFSEQ_GFF3 = """\
##gff-version 3
#!processor NCBI annotwriter
region 1 1000 + ID=chrI:1..1000;Dbxref=taxon:559292;genome=chromosome
gene 101 600 + ID=gene-A;Dbxref=GeneID:1;Name=A;gbkey=Gene
mRNA 101 600 + ID=rna-NM_1.1;Parent=gene-A;orig_transcript_id=gnl|X|Y;transcript_id=NM_1.1
exon 101 200 + ID=exon-NM_1.1-1;Parent=rna-NM_1.1;orig_transcript_id=gnl|X;transcript_id=NM_1.1
exon 301 400 + ID=exon-NM_1.1-2;Parent=rna-NM_1.1;orig_transcript_id=gnl|X;transcript_id=NM_1.1
exon 501 600 + ID=exon-NM_1.1-3;Parent=rna-NM_1.1;orig_transcript_id=gnl|X;transcript_id=NM_1.1
CDS 151 200 + ID=cds-NP_1.1;Parent=rna-NM_1.1;Dbxref=GeneID:1,Genbank:NP_1.1;gbkey=CDS
CDS 301 400 + ID=cds-NP_1.1;Parent=rna-NM_1.1;Dbxref=GeneID:1,Genbank:NP_1.1;gbkey=CDS
CDS 501 550 + ID=cds-NP_1.1;Parent=rna-NM_1.1;Dbxref=GeneID:1,Genbank:NP_1.1;gbkey=CDS
pseudogene 701 900 - ID=gene-B;Dbxref=GeneID:2;gbkey=Gene;pseudo=true
exon 801 900 - ID=id-B;Parent=gene-B;gbkey=exon
exon 701 750 - ID=id-B-2;Parent=gene-B;gbkey=exon
"""
# No gene rows.
UCSC_GTF = """\
transcript 101 600 + gene_id "A"; transcript_id "NM_1";  gene_name "A";
exon 101 200 + gene_id "A"; transcript_id "NM_1"; exon_number "1"; exon_id "NM_1.1";
5UTR 101 150 + gene_id "A"; transcript_id "NM_1"; exon_number "1"; exon_id "NM_1.1";
CDS 151 200 + gene_id "A"; transcript_id "NM_1"; exon_number "1"; exon_id "NM_1.1";
exon 301 400 + gene_id "A"; transcript_id "NM_1"; exon_number "2"; exon_id "NM_1.2";
CDS 301 400 + gene_id "A"; transcript_id "NM_1"; exon_number "2"; exon_id "NM_1.2";
exon 501 600 + gene_id "A"; transcript_id "NM_1"; exon_number "3"; exon_id "NM_1.3";
CDS 501 547 + gene_id "A"; transcript_id "NM_1"; exon_number "3"; exon_id "NM_1.3";
3UTR 551 600 + gene_id "A"; transcript_id "NM_1"; exon_number "3"; exon_id "NM_1.3";
start_codon 151 153 + gene_id "A"; transcript_id "NM_1"; exon_number "1"; exon_id "NM_1.1";
stop_codon 548 550 + gene_id "A"; transcript_id "NM_1"; exon_number "3"; exon_id "NM_1.3";
transcript 701 900 - gene_id "B"; transcript_id "NR_2";  gene_name "B";
exon 701 750 - gene_id "B"; transcript_id "NR_2"; exon_number "1"; exon_id "NR_2.1";
exon 801 900 - gene_id "B"; transcript_id "NR_2"; exon_number "2"; exon_id "NR_2.2";
"""
# No exon rows of what is coding.
SGD_GFF3 = """\
##gff-version 3
gene 101 600 + ID=YA;Name=YA;Ontology_term=GO:0003674,SO:0000704;Note=a%20b
mRNA 101 600 + ID=YA_mRNA;Name=YA_mRNA;Parent=YA
five_prime_UTR 101 150 + Parent=YA_mRNA;Name=YA_five_prime_UTR
CDS 151 200 + Parent=YA_mRNA;Name=YA_CDS;orf_classification=Verified
intron 201 300 + Parent=YA_mRNA;Name=YA_intron
CDS 301 400 + Parent=YA_mRNA;Name=YA_CDS;orf_classification=Verified
CDS 501 550 + Parent=YA_mRNA;Name=YA_CDS;orf_classification=Verified
three_prime_UTR 551 600 + Parent=YA_mRNA;Name=YA_three_prime_UTR
tRNA_gene 701 900 - ID=tB;Name=tB
noncoding_exon 701 750 - Parent=tB_tRNA;Name=tB_noncoding_exon
noncoding_exon 801 900 - Parent=tB_tRNA;Name=tB_noncoding_exon
###
##FASTA
>chrI
ACGT
"""
DIALECTS = {
    "gencode.gtf": GENCODE_GTF,
    "gencode.gff3": GENCODE_GFF3,
    "ensembl.gtf": ENSEMBL_GTF,
    "ensembl.gff3": ENSEMBL_GFF3,
    "refseq.gff3": REFSEQ_GFF3,
    "refGene.gtf": UCSC_GTF,
    "sgd.gff3": SGD_GFF3,
}


def read(folder: Path, text: str, name: str = "genes.gtf", chromosome: str = "chrI") -> Annotation:
    """Write rows of type, start, end, strand and attributes as a file, and read it."""
    lines = []
    for line in text.splitlines():
        fields = line.split(" ", 4)
        if len(fields) == 5 and not line.startswith("#"):
            kind, start, end, strand, attributes = fields
            row = (chromosome, "hand", kind, start, end, ".", strand, ".", attributes)
            line = "\t".join(row)
        lines.append(line)
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return read_annotation(path, GENOME, rename_chromosomes="add-chr")


def intervals(annotation: Annotation, feature: str) -> list[list[int]]:
    return annotation.features[feature][["start", "end"]].to_numpy().tolist()


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_tells_the_same_features(tmp_path: Path, name: str) -> None:
    found = read(tmp_path, DIALECTS[name], name, "I" if "ensembl" in name else "chrI")
    assert intervals(found, "gene") == GENES
    assert intervals(found, "exon") == EXONS
    assert intervals(found, "splice_site") == SPLICE_SITES
    # GENCODE's GTF counts the stop codon as untranslated.
    assert intervals(found, "utr") == ([[100, 150], [547, 600]] if name == "gencode.gtf" else UTRS)


@pytest.mark.parametrize("name", [name for name in DIALECTS if name != "sgd.gff3"])
def test_every_dialect_without_utr_rows_has_exons_minus_coding(tmp_path: Path, name: str) -> None:
    without = [
        line for line in DIALECTS[name].splitlines() if "utr" not in line.split(" ")[0].lower()
    ]
    found = read(tmp_path, "\n".join(without), name)
    assert intervals(found, "utr") == UTRS
    assert found.origins["utr"] == "exons minus coding parts"


def test_what_the_features_were_made_of_is_said(tmp_path: Path) -> None:
    assert read(tmp_path, ENSEMBL_GTF).origins == {
        "splice_site": "exon boundaries (transcripts: 2)",
        "exon": "exon rows",
        "gene": "gene rows",
        "utr": "UTR rows",
    }
    made = read(tmp_path, SGD_GFF3).origins["exon"]
    assert made == "exon rows, and coding parts where a transcript lists none (1)"
    assert read(tmp_path, UCSC_GTF).origins["gene"] == "spans of the exons of transcripts"
    nameless = read(tmp_path, UCSC_GTF + "exon 951 960 . note\n").origins["splice_site"]
    assert nameless == (
        "exon boundaries (transcripts: 2), but of exons that name no transcript (1)"
    )


def test_exons_that_name_no_transcript_have_no_splice_sites_but_count_as_exons(
    tmp_path: Path,
) -> None:
    found = read(tmp_path, 'exon 11 20 + gene_id "g";\nexon 31 40 + gene_id "g"; transcript_id "";')
    assert intervals(found, "splice_site") == []
    assert intervals(found, "exon") == intervals(found, "gene") == [[10, 20], [30, 40]]


def test_one_name_on_two_chromosomes_is_two_transcripts(tmp_path: Path) -> None:
    rows = [
        f'{chromosome}\t.\t{kind}\t{start}\t{end}\t.\t+\t.\tgene_id "g"; transcript_id "t";'
        for chromosome, kind, start, end in (
            ("chrI", "exon", 11, 40),
            ("chrII", "exon", 61, 90),
            ("chrI", "CDS", 21, 40),
            ("chrII", "CDS", 61, 80),
        )
    ]
    found = read(tmp_path, "\n".join(rows))
    assert intervals(found, "splice_site") == []
    assert intervals(found, "gene") == [[10, 40], [60, 90]]
    assert intervals(found, "utr") == [[10, 20], [80, 90]]


def test_exons_of_a_transcript_on_two_strands_have_no_intron_between_them(tmp_path: Path) -> None:
    """Trans-splicing, as of rps12 in plastids, joins exons whose facing ends are no splice sites."""
    text = "".join(
        f"exon {start} {start + 9} {strand} Parent=rna-rps12\n"
        for start, strand in ((11, "-"), (101, "+"), (201, "+"))
    )
    found = read(tmp_path, text)
    assert intervals(found, "splice_site") == [[109, 110], [200, 201]]


def test_a_nested_exon_hides_no_intron_and_makes_none(tmp_path: Path) -> None:
    text = "".join(
        f"exon {start} {end} + Parent=t\n"
        for start, end in ((11, 100), (21, 30), (41, 50), (201, 210))
    )
    assert intervals(read(tmp_path, text), "splice_site") == [[99, 100], [200, 201]]


def test_parents_may_be_many_spaced_or_empty(tmp_path: Path) -> None:
    text = "exon 11 20 + ID=1; Parent=a, b\nexon 31 40 + Parent=a,\nexon 51 60 + Parent=b;\n"
    found = read(tmp_path, text)
    assert intervals(found, "splice_site") == [[19, 20], [30, 31], [50, 51]]
    assert found.origins["splice_site"] == "exon boundaries (transcripts: 2)"
