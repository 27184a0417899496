"""A small genome from nothing: genes, and the kinds of sites that data sets find on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ambient.errors import InputError

__all__ = ["CHROMOSOMES", "KINDS", "Gene", "SimulatedGenome", "Sites"]

CHROMOSOMES = 10

# Sites of factors are drawn from places so far apart that no two motifs overwrite each other.
SLOT_BP = 64
# No site lies nearer to the end of a chromosome, so that windows around it fit.
EDGE_BP = 200
# How much likelier a factor binds in the 300 bp before a gene than elsewhere.
PROMOTER_WEIGHT = 4.0


@dataclass(frozen=True)
class Gene:
    """A gene with one transcript; positions are 0-based and half-open, on its own chromosome."""

    chromosome: int
    start: int
    end: int
    strand: str
    exons: tuple[tuple[int, int], ...]
    coding: tuple[int, int]

    @property
    def first_base(self) -> int:
        """Where transcription starts."""
        return self.start if self.strand == "+" else self.end - 1


@dataclass(frozen=True)
class Sites:
    """What one data set finds, on the line of all chromosomes end to end."""

    start: np.ndarray  # int64, shape (n,)
    end: np.ndarray  # int64, shape (n,)
    summit: np.ndarray  # int64, shape (n,)
    score: np.ndarray  # int64, shape (n,), 0 to 1000


class SimulatedGenome:
    """A genome of ten equal chromosomes into which sites are planted.

    Parameters
    ----------
    genome_bp : int
        Length of all chromosomes together; rounded down to a multiple of ten.
    rng : numpy Generator

    Attributes
    ----------
    codes : ndarray, uint8, shape (chromosomes * chromosome_bp,)
        A 0, C 1, G 2, T 3; the chromosomes stand end to end.
    genes : list of Gene
    footprints : list of (int, int)
        Starts and ends of what was planted, for conservation.
    """

    def __init__(self, genome_bp: int, rng: np.random.Generator) -> None:
        self.rng = rng
        self.chromosome_bp = genome_bp // CHROMOSOMES
        self.total_bp = self.chromosome_bp * CHROMOSOMES
        # Composition drifts along the chromosomes: negatives from elsewhere would be told by it
        # alone.
        drift = rng.uniform(0.32, 0.46, self.total_bp // 4000 + 2)
        gc = np.interp(np.arange(self.total_bp), np.arange(len(drift)) * 4000.0, drift)
        strong = rng.random(self.total_bp) < gc
        second = rng.random(self.total_bp) < 0.5
        self.codes = np.where(strong, np.where(second, 2, 1), np.where(second, 3, 0)).astype(
            np.uint8
        )
        self.genes = self._draw_genes()
        self.footprints: list[tuple[int, int]] = []
        local = np.arange(EDGE_BP, self.chromosome_bp - EDGE_BP, SLOT_BP, dtype=np.int64)
        offsets = np.arange(CHROMOSOMES, dtype=np.int64) * self.chromosome_bp
        self._slots = (offsets[:, None] + local).ravel()
        self._weights = np.where(self._promoters()[self._slots], PROMOTER_WEIGHT, 1.0)

    def _draw_genes(self) -> list[Gene]:
        genes = []
        for chromosome in range(CHROMOSOMES):
            position = int(self.rng.integers(300, 700))
            while True:
                length = int(self.rng.integers(500, 1300))
                if position + length > self.chromosome_bp - 300:
                    break
                genes.append(self._draw_gene(chromosome, position, length))
                position += length + int(self.rng.integers(250, 700))
        return genes

    def _draw_gene(self, chromosome: int, start: int, length: int) -> Gene:
        strand = "+" if self.rng.random() < 0.5 else "-"
        end = start + length
        left, right = (int(self.rng.integers(30, 120)) for _ in range(2))
        exons: tuple[tuple[int, int], ...] = ((start, end),)
        if self.rng.random() < 0.3:
            donor = start + left + int(self.rng.integers(20, 80))
            acceptor = donor + int(self.rng.integers(60, 180))
            exons = ((start, donor), (acceptor, end))
        return Gene(chromosome, start, end, strand, exons, (start + left, end - right))

    def _promoters(self) -> np.ndarray:
        inside = np.zeros(self.total_bp, dtype=bool)
        for gene in self.genes:
            base = gene.chromosome * self.chromosome_bp
            if gene.strand == "+":
                inside[base + max(0, gene.start - 300) : base + gene.start] = True
            else:
                inside[base + gene.end : base + min(self.chromosome_bp, gene.end + 300)] = True
        return inside

    def take_slots(self, count: int) -> np.ndarray:
        """Draw places (int64, shape (count,)) that no other factor has taken, most of them in promoters.

        Raises
        ------
        InputError
            Fewer are left.
        """
        if count > int((self._weights > 0).sum()):
            raise InputError(
                f"simulate: a genome of {self.total_bp} bp has no room for the sites of so many "
                "tasks; give a larger genome or fewer tasks"
            )
        chosen = self.rng.choice(
            len(self._slots), count, replace=False, p=self._weights / self._weights.sum()
        )
        self._weights[chosen] = 0.0
        return self._slots[chosen]

    def plant(self, starts: np.ndarray, letters: np.ndarray) -> None:
        """Write sequences (uint8, shape (n, length)) over the genome, each on a strand drawn at random."""
        flipped = self.rng.random(len(letters)) < 0.5
        letters = np.where(flipped[:, None], 3 - letters[:, ::-1], letters).astype(np.uint8)
        self.codes[starts[:, None] + np.arange(letters.shape[1])] = letters
        self.footprints += [(int(at), int(at) + letters.shape[1]) for at in starts]

    def motif(self, length: int, least: float, most: float) -> np.ndarray:
        """Draw a motif: float64, shape (length, 4); each position prefers one base with a probability in a range."""
        preferred = self.rng.integers(0, 4, length)
        certainty = self.rng.uniform(least, most, length)
        probabilities = np.repeat(((1 - certainty) / 3)[:, None], 4, axis=1)
        probabilities[np.arange(length), preferred] = certainty
        return probabilities

    def letters(self, motif: np.ndarray, count: int) -> np.ndarray:
        """Draw instances of a motif: uint8, shape (count, length)."""
        drawn = self.rng.random((count, len(motif), 1))
        return (drawn > np.cumsum(motif, axis=1)[None, :, :3]).sum(axis=2).astype(np.uint8)

    def sites(self, centres: np.ndarray, least_bp: int, most_bp: int) -> Sites:
        """Put peaks of random widths, not quite centred, around places."""
        rng = self.rng
        summit = centres + rng.integers(-12, 13, len(centres))
        start = summit - rng.integers(least_bp // 2, most_bp // 2, len(centres))
        end = summit + rng.integers(least_bp // 2, most_bp // 2, len(centres))
        low = centres // self.chromosome_bp * self.chromosome_bp
        return Sites(
            np.maximum(start, low),
            np.minimum(end, low + self.chromosome_bp),
            summit,
            rng.integers(100, 1001, len(centres)),
        )


def _bind(
    genome: SimulatedGenome, count: int, planter: Callable[[np.ndarray], None], bound: float
) -> Sites:
    """Take sites; plant what a factor likes into a share of them and into some places that it does not bind."""
    places = genome.take_slots(count + count // 10)
    peaks, decoys = places[:count], places[count:]
    planter(np.r_[peaks[: round(bound * len(peaks))], decoys])
    return genome.sites(peaks, 80, 260)


def _short(genome: SimulatedGenome, count: int) -> Sites:
    motif = genome.motif(8, 0.82, 0.97)
    return _bind(
        genome, count, lambda at: genome.plant(at, genome.letters(motif, len(at))), bound=0.9
    )


def _long(genome: SimulatedGenome, count: int) -> Sites:
    motif = genome.motif(18, 0.55, 0.92)
    return _bind(
        genome, count, lambda at: genome.plant(at, genome.letters(motif, len(at))), bound=0.9
    )


def _pair(genome: SimulatedGenome, count: int) -> Sites:
    """Two halves ten to twelve bases apart; one half alone is common and means nothing."""
    first, second = genome.motif(6, 0.9, 0.98), genome.motif(6, 0.9, 0.98)

    def planter(at: np.ndarray) -> None:
        spacer = int(genome.rng.integers(10, 13))
        between = genome.letters(np.full((spacer, 4), 0.25), len(at))
        halves = genome.letters(first, len(at)), genome.letters(second, len(at))
        genome.plant(at, np.concatenate([halves[0], between, halves[1]], axis=1))

    alone = genome.take_slots(count)
    for motif, places in ((first, alone[::2]), (second, alone[1::2])):
        genome.plant(places, genome.letters(motif, len(places)))
    return _bind(genome, count, planter, bound=0.9)


def _cluster(genome: SimulatedGenome, count: int) -> Sites:
    """A few weak copies spread over a hundred bases; one alone means nothing."""
    motif = genome.motif(6, 0.75, 0.9)
    places = genome.take_slots(count)
    for copies in (-60, -25, 10, 45):
        kept = places[genome.rng.random(len(places)) < 0.7]
        genome.plant(
            kept + copies + genome.rng.integers(-6, 7, len(kept)), genome.letters(motif, len(kept))
        )
    return genome.sites(places, 150, 320)


def _histone(genome: SimulatedGenome, count: int) -> Sites:
    """Broad stretches over genes where a few trimers are common: no motif, only composition."""
    rng = genome.rng
    trimers = rng.permutation(np.array([[0, 1, 2], [2, 0, 3], [3, 1, 0], [0, 2, 3], [1, 0, 3]]))[:3]
    chosen = rng.permutation(len(genome.genes))[:count]
    centres = []
    for index in chosen:
        gene = genome.genes[index]
        base = gene.chromosome * genome.chromosome_bp
        middle = base + (gene.start + gene.end) // 2
        places = np.arange(middle - 240, middle + 240, 20)
        places = places[rng.random(len(places)) < 0.5] + rng.integers(0, 16)
        letters = trimers[rng.integers(0, len(trimers), len(places))].astype(np.uint8)
        genome.codes[places[:, None] + np.arange(3)] = letters
        centres.append(middle)
    return genome.sites(np.array(centres, dtype=np.int64), 300, 500)


def _accessibility(genome: SimulatedGenome, count: int) -> Sites:
    """Starts of active genes: runs of A or T before them, and a box that not every one has."""
    rng = genome.rng
    box = genome.motif(7, 0.8, 0.95)
    chosen = rng.permutation(len(genome.genes))[:count]
    centres = []
    for index in chosen:
        gene = genome.genes[index]
        side = -1 if gene.strand == "+" else 1
        centre = gene.chromosome * genome.chromosome_bp + gene.first_base + side * 90
        for _ in range(int(rng.integers(0, 3))):
            length = int(rng.integers(6, 9))
            at = centre + int(rng.integers(-70, 60))
            genome.codes[at : at + length] = 3 * rng.integers(0, 2)
        if rng.random() < 0.5:
            at = np.array([centre - side * int(rng.integers(30, 60))])
            genome.plant(at, genome.letters(box, 1))
        centres.append(centre)
    return genome.sites(np.array(centres, dtype=np.int64), 120, 300)


# What plants a kind of data set, and its category.
KINDS: dict[str, tuple[Callable[[SimulatedGenome, int], Sites], str]] = {
    "short": (_short, "tf"),
    "histone": (_histone, "histone"),
    "long": (_long, "tf"),
    "accessibility": (_accessibility, "accessibility"),
    "pair": (_pair, "tf"),
    "cluster": (_cluster, "polymerase"),
}
