"""An annotation as large as GENCODE's, made up but the same each time: what the benchmarks measure on.

60,000 genes on the 24 chromosomes of hg38 with their real lengths, about 250,000 transcripts, 1.5 million exons, and
the CDS, UTR and codon rows of coding transcripts, each with attributes as long as those of GENCODE 44.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

SEED = 44
GENES = 60_000
# hg38, millions of base pairs rounded up to whole ones.
SIZES_MB = {
    **{"chr1": 249, "chr2": 243, "chr3": 199, "chr4": 191, "chr5": 182, "chr6": 171, "chr7": 160},
    **{"chr8": 146, "chr9": 139, "chr10": 134, "chr11": 136, "chr12": 134, "chr13": 115},
    **{"chr14": 108, "chr15": 102, "chr16": 91, "chr17": 84, "chr18": 81, "chr19": 59},
    **{"chr20": 65, "chr21": 47, "chr22": 51, "chrX": 157, "chrY": 58},
}
SIZES = {name: size * 1_000_000 for name, size in SIZES_MB.items()}
_GENE = (
    'gene_id "ENSG{0:011d}.{1}"; {t}gene_type "{kind}"; gene_name "GENE{0}"; {x}level {level}; '
    'hgnc_id "HGNC:{0}"; {y}havana_gene "OTTHUMG{0:011d}.{1}";'
)
_TRANSCRIPT = 'transcript_id "ENST{0:011d}.{1}"; '
_NAMES = 'transcript_type "{kind}"; transcript_name "GENE{gene}-2{n:02d}"; '
_EXON = 'exon_number {n}; exon_id "ENSE{id:011d}.1"; '
_SUPPORT = 'protein_id "ENSP{0:011d}.1"; transcript_support_level "{1}"; '
_TAGS = 'tag "basic"; tag "Ensembl_canonical"; tag "appris_principal_1"; ccdsid "CCDS{0}.1"; '


def write_annotation(path: Path, genes: int = GENES) -> None:
    """Write the annotation as a gz GTF file, unless it is there already."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    # No time stamp: the same bytes each time.
    with open(partial, "wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:
        packed.write(b"##description: simulated, in the manner of GENCODE\n##format: gtf\n")
        for lines in _genes(genes):
            packed.write("\n".join(lines).encode() + b"\n")
    os.replace(partial, path)


def _genes(genes: int) -> Iterator[list[str]]:
    rng = np.random.default_rng(SEED)
    sizes = np.array(list(SIZES.values()))
    shares = np.floor(sizes / sizes.sum() * genes).astype(int)
    shares[0] += genes - shares.sum()
    number = 0
    for chromosome, size, share in zip(SIZES, sizes, shares, strict=True):
        for start in np.sort(rng.integers(10_000, size - 3_000_000, share)):
            number += 1
            yield _gene(rng, chromosome, int(start), number)


def _gene(rng: np.random.Generator, chromosome: str, start: int, number: int) -> list[str]:
    coding = rng.random() < 0.36
    strand = "+" if rng.random() < 0.5 else "-"
    pool = int(rng.geometric(1 / (9.6 if coding else 2.9)))
    widths = np.minimum(rng.lognormal(4.9, 0.7, pool).astype(int) + 20, 9_000)
    introns = np.minimum(rng.lognormal(7.3, 1.4, pool).astype(int) + 40, 200_000)
    starts = start + np.cumsum(np.r_[0, widths[:-1] + introns[:-1]])
    ends = starts + widths - 1
    kind = "protein_coding" if coding else "lncRNA"
    own = {"kind": kind, "level": 2, "x": "", "y": "", "t": ""}
    head, tail = f"{chromosome}\tHAVANA\t", f"\t.\t{strand}\t.\t"
    lines = [f"{head}gene\t{start}\t{ends[-1]}{tail}{_GENE.format(number, 3, **own)}"]
    for n in range(1, int(rng.geometric(1 / (8 if coding else 2.1))) + 1):
        used = np.flatnonzero(rng.random(pool) < 0.78) if n > 1 else np.arange(pool)
        used = used if len(used) else np.arange(1)
        transcript = number * 100 + n
        own["t"] = _TRANSCRIPT.format(transcript, 2)
        names = _NAMES.format(kind=kind, gene=number, n=n)
        own["y"] = _TAGS.format(number) + f'havana_transcript "OTTHUMT{transcript:011d}.1"; '
        support = _SUPPORT.format(transcript, 1 + n % 5)
        own["x"] = names + support
        ends_of = f"{starts[used[0]]}\t{ends[used[-1]]}"
        lines.append(f"{head}transcript\t{ends_of}{tail}{_GENE.format(number, 3, **own)}")
        coded = coding and n % 2 == 1 and len(used) > 1
        first, last = int(starts[used[0]]) + 10, int(ends[used[-1]]) - 10
        order = used if strand == "+" else used[::-1]
        for at, exon in enumerate(order, start=1):
            own["x"] = names + _EXON.format(n=at, id=number * 1000 + int(exon)) + support
            text = tail + _GENE.format(number, 3, **own)
            lines.append(f"{head}exon\t{starts[exon]}\t{ends[exon]}{text}")
            if coded:
                inner = max(first, int(starts[exon])), min(last, int(ends[exon]))
                lines.append(f"{head}CDS\t{inner[0]}\t{inner[1]}{text}")
        if coded:
            lines.append(f"{head}start_codon\t{first}\t{first + 2}{text}")
            lines.append(f"{head}stop_codon\t{last - 2}\t{last}{text}")
            lines.append(f"{head}UTR\t{starts[used[0]]}\t{first - 1}{text}")
            lines.append(f"{head}UTR\t{last + 1}\t{ends[used[-1]]}{text}")
    return lines


def simulated_peaks(count: int, width_bp: int, seed: int, sizes: dict[str, int]) -> pd.DataFrame:
    """Give peaks of one width at random places, in random order."""
    rng = np.random.default_rng(seed)
    lengths = np.array(list(sizes.values()))
    names = np.array(list(sizes), dtype=object)
    which = rng.choice(len(lengths), count, p=lengths / lengths.sum())
    start = (rng.random(count) * (lengths[which] - width_bp)).astype(np.int64)
    return pd.DataFrame({"chromosome": names[which], "start": start, "end": start + width_bp})
