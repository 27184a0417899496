"""A corpus from nothing: genome, genes, conservation, peaks of several kinds, and the file that names them."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from ambient.data.corpus import WIDEST_WINDOW_BP
from ambient.data.simulated_genome import CHROMOSOMES, KINDS, SimulatedGenome, Sites
from ambient.errors import InputError, RunError

__all__ = ["simulate_corpus"]

WINDOW_BP = 200
# One peak of each data set in so many bases of the genome.
BP_PER_PEAK = 1000
LEAST_GENOME_BP = 50_000
LINE_BP = 80  # of the genome's file

_LETTERS = np.frombuffer(b"ACGT", dtype=np.uint8)
_VALIDATION, _TEST = (3, 8), (5, 10)
# Protein domains that the descriptors know; some kinds of factor have one.
_DOMAINS = {"long": "IPR013087", "pair": "IPR004826"}


def simulate_corpus(
    folder: str | Path, tasks: int = 8, genome_bp: int = 400_000, seed: int = 0
) -> Path:
    """Write a corpus that a small machine can learn from in seconds.

    The tasks go through six kinds in turn: one short motif; a histone mark that is composition
    only; one long, degenerate motif; accessibility at the starts of genes; a pair of motifs at a
    fixed distance; a cluster of weak motifs. So no one architecture is best for all. A quarter of
    the tasks, the last ones, are held out.

    Parameters
    ----------
    folder : path
        Made; it must not exist, or be empty. It appears whole or not at all.
    tasks : int
        At least 2.
    genome_bp : int
        At least 50,000; ten chromosomes share it.
    seed : int
        The same numbers give the same bytes.

    Returns
    -------
    Path
        Of `corpus.yaml` in the folder; beside it genome.fa, genes.gtf, phastcons.bw, phylop.bw,
        interpro.tsv, peaks/.

    Raises
    ------
    InputError
        Too few tasks or too small a genome.
    RunError
        The folder holds something, or its parent does not exist.
    """
    folder = Path(folder)
    if tasks < 2:
        raise InputError(
            f"simulate: {tasks} task was asked for; one to train and one to hold out are needed"
        )
    if genome_bp < LEAST_GENOME_BP:
        raise InputError(
            f"simulate: a genome of {genome_bp} bp was asked for; give {LEAST_GENOME_BP} bp or more"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(
            f"{folder}: exists and holds something else; name a new folder or empty this one"
        )
    if not folder.absolute().parent.is_dir():
        raise RunError(
            f"{folder}: the folder {folder.absolute().parent} does not exist; make it first"
        )
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.absolute().parent))
    try:
        _write_everything(partial, tasks, genome_bp, seed)
        partial.chmod(0o755)
        if folder.exists():
            folder.rmdir()
        os.replace(partial, folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return folder / "corpus.yaml"


def _write_everything(folder: Path, tasks: int, genome_bp: int, seed: int) -> None:
    rng = np.random.default_rng([seed, tasks, genome_bp])
    genome = SimulatedGenome(genome_bp, rng)
    kinds = [list(KINDS)[number % len(KINDS)] for number in range(tasks)]
    names = [f"{kind.capitalize()}{number // len(KINDS) + 1}" for number, kind in enumerate(kinds)]
    # Composition first: what is written over it are motifs, and those stay whole.
    sites: dict[str, Sites] = {}
    for diffuse in (True, False):
        for name, kind in zip(names, kinds, strict=True):
            if (kind in ("histone", "accessibility")) == diffuse:
                sites[name] = KINDS[kind][0](genome, max(20, genome_bp // BP_PER_PEAK))
    (folder / "peaks").mkdir()
    entries = []
    for number, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        category = KINDS[kind][1]
        narrow = category in ("tf", "polymerase")
        path = f"peaks/{name}.{'narrowPeak' if narrow else 'bed'}"
        (folder / path).write_text(_peak_lines(genome, name, sites[name], narrow))
        held_out = ", held_out: true" if number >= tasks - max(1, tasks // 4) else ""
        entries.append(
            f"  - {{name: {name}, peaks: {path}, category: {category}, factor: {name}{held_out}}}"
        )
    _write_fasta(folder / "genome.fa", genome)
    (folder / "genes.gtf").write_text(_gtf_lines(genome))
    phastcons, phylop = _conservation(genome)
    _write_bigwig(folder / "phastcons.bw", phastcons, genome.chromosome_bp)
    _write_bigwig(folder / "phylop.bw", phylop, genome.chromosome_bp)
    domains = [f"{n}\t{_DOMAINS[k]}\n" for n, k in zip(names, kinds, strict=True) if k in _DOMAINS]
    (folder / "interpro.tsv").write_text("factor\tinterpro\n" + "".join(domains))
    (folder / "corpus.yaml").write_text(_corpus_text(entries, tasks, genome_bp, seed))


def _corpus_text(entries: list[str], tasks: int, genome_bp: int, seed: int) -> str:
    validation, test = (", ".join(f"chr{n}" for n in part) for part in (_VALIDATION, _TEST))
    return "\n".join(
        [
            f"# Simulated: {tasks} tasks, {genome_bp} bp, seed {seed}.",
            "genome: genome.fa",
            "annotation: genes.gtf",
            "conservation: {phastcons: phastcons.bw, phylop: phylop.bw}",
            "interpro: interpro.tsv",
            f"window_bp: {WINDOW_BP}",
            f"widest_window_bp: {WIDEST_WINDOW_BP}",
            f"split: {{validation: [{validation}], test: [{test}]}}",
            f"seed: {seed}",
            "tasks:",
            *entries,
            "",
        ]
    )


def _peak_lines(genome: SimulatedGenome, name: str, sites: Sites, narrow: bool) -> str:
    lines = []
    for number, row in enumerate(np.argsort(sites.start, kind="stable"), start=1):
        start, end, summit = (int(x[row]) for x in (sites.start, sites.end, sites.summit))
        chromosome, local = divmod(start, genome.chromosome_bp)
        cells = [
            f"chr{chromosome + 1}",
            local,
            local + end - start,
            f"{name}_{number}",
            sites.score[row],
            ".",
        ]
        if narrow:
            cells += [f"{sites.score[row] / 100:.2f}", -1, -1, summit - start]
        lines.append("\t".join(str(cell) for cell in cells) + "\n")
    return "".join(lines)


def _write_fasta(path: Path, genome: SimulatedGenome) -> None:
    with path.open("wb") as stream:
        for number in range(CHROMOSOMES):
            start = number * genome.chromosome_bp
            text = _LETTERS[genome.codes[start : start + genome.chromosome_bp]].tobytes()
            stream.write(f">chr{number + 1}\n".encode())
            for at in range(0, len(text), LINE_BP):
                stream.write(text[at : at + LINE_BP] + b"\n")


def _gtf_lines(genome: SimulatedGenome) -> str:
    lines = []
    for number, gene in enumerate(genome.genes, start=1):
        name = f"SIM{number:05d}"
        facts = f'gene_id "{name}"; gene_name "{name}"; gene_biotype "protein_coding";'
        both = f'{facts} transcript_id "{name}_t";'
        low, high = gene.coding
        parts = [("gene", gene.start, gene.end, facts), ("transcript", gene.start, gene.end, both)]
        parts += [("exon", start, end, both) for start, end in gene.exons]
        parts += [
            ("CDS", max(start, low), min(end, high), both)
            for start, end in gene.exons
            if max(start, low) < min(end, high)
        ]
        sides = ("five_prime_utr", "three_prime_utr")
        left, right = sides if gene.strand == "+" else sides[::-1]
        parts += [(left, gene.start, low, both), (right, high, gene.end, both)]
        for kind, start, end, attributes in parts:
            lines.append(
                f"chr{gene.chromosome + 1}\tambient\t{kind}\t{start + 1}\t{end}\t.\t{gene.strand}\t.\t{attributes}\n"
            )
    return "".join(lines)


def _conservation(genome: SimulatedGenome) -> tuple[np.ndarray, np.ndarray]:
    """Give phastCons (0 to 1) and phyloP of each base: higher in coding exons and in what was planted."""
    signal = np.zeros(genome.total_bp)
    for gene in genome.genes:
        base = gene.chromosome * genome.chromosome_bp
        for start, end in gene.exons:
            low, high = max(start, gene.coding[0]), min(end, gene.coding[1])
            signal[base + low : base + max(low, high)] = 1.0
    for start, end in genome.footprints:
        signal[start:end] = np.maximum(signal[start:end], 0.8)
    smooth = np.convolve(signal, np.full(9, 1 / 9), mode="same")
    noise = genome.rng.normal(0.0, 0.5, genome.total_bp)
    phylop = np.round(1.4 * smooth - 0.1 + noise, 2)
    rough = np.convolve(noise, np.full(9, 1 / 3), mode="same")
    phastcons = np.round(1 / (1 + np.exp(-(5 * smooth - 2.5 + rough))), 3)
    return phastcons, phylop


def _write_bigwig(path: Path, values: np.ndarray, chromosome_bp: int) -> None:
    import pyBigWig

    with pyBigWig.open(str(path), "w") as stream:
        stream.addHeader([(f"chr{n + 1}", chromosome_bp) for n in range(CHROMOSOMES)])
        for number in range(CHROMOSOMES):
            part = values[number * chromosome_bp : (number + 1) * chromosome_bp]
            stream.addEntries(f"chr{number + 1}", 0, values=part.tolist(), span=1, step=1)
