"""The built-in motif finder and the motif descriptors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from descriptors.errors import InputError
from descriptors.motif_index import OligoIndex
from descriptors.motif_model import Motif, consensus_of, similarity
from descriptors.motif_scan import (
    Sites,
    check_codes,
    mask_sites,
    scan,
    site_statistics,
)
from descriptors.motif_search import LengthSearch
from descriptors.motif_threshold import Thresholds

__all__ = [
    "FINDER_REVISION",
    "LENGTHS",
    "Motif",
    "Sites",
    "find_motifs",
    "mask_sites",
    "motif_descriptors",
    "scan",
    "similarity",
    "site_statistics",
]

# Counts up whenever the same sequences give other motifs than before: results that are kept name it.
FINDER_REVISION = 4
LENGTHS = (6, 8, 10)  # of the descriptors, in bp
LONGEST = 12  # the finder keeps tables of 4 ** length numbers
SUMMARIES = {
    "multiplicity": ("min", "max", "median", "variance"),
    "strand_bias": ("min", "max", "median"),
}
REDUCTIONS: Mapping[str, Callable[[np.ndarray], float]] = {
    "min": np.min,
    "max": np.max,
    "median": np.median,
    "variance": np.var,
}


def find_motifs(
    foreground: np.ndarray,
    background: np.ndarray,
    lengths: Sequence[int] = LENGTHS,
    motifs_per_length: int = 25,
    seed: int = 0,
) -> list[Motif]:
    """Find motifs that more foreground than background sequences hold.

    For each length, on its own: the oligos that are enriched, alone or with one or two mismatches, are seeds; each
    becomes two matrices; detection threshold and entries of the most promising are optimised in turns, also a base
    or two to either side; the best is kept, its sites are masked, and the search goes on with the others and with
    new seeds.

    Parameters
    ----------
    foreground : ndarray, uint8, shape (n, width)
        A 0, C 1, G 2, T 3, anything else 4.
    background : ndarray, uint8, shape (m, width)
        Sequences of the same width that the foreground is held against.
    lengths : sequence of int
        Lengths of the motifs, each from 4 to 12 bp.
    motifs_per_length : int
        The most motifs that are returned for each length.
    seed : int
        Same sequences and same seed: same motifs.

    Returns
    -------
    list of Motif
        In the order of the lengths, most significant first; fewer, or none, where nothing is enriched. Counts,
        shares and p-values are over the whole sequences; strand bias and multiplicity, as in HOMER, with the
        sites of the motifs found before masked.

    Raises
    ------
    InputError
        The arrays are not integer-coded sequences of one width, one of them is empty, or a length is out of range.

    Source
    ------
    HOMER's public description of its algorithm (http://homer.ucsd.edu/homer/motif/): oligo enrichment, local
    optimisation of the detection threshold and the matrix, masking.
    """
    for codes, what in ((foreground, "foreground"), (background, "background")):
        check_codes(codes, what)
        if len(codes) == 0:
            raise InputError(f"there are no {what} sequences; the motif finder needs at least one")
    if foreground.shape[1] != background.shape[1]:
        raise InputError(
            f"the foreground sequences are {foreground.shape[1]} bp wide, those of the background "
            f"{background.shape[1]} bp; cut both to one width"
        )
    motifs: list[Motif] = []
    for length in lengths:
        if not 4 <= length <= LONGEST:
            raise InputError(
                f"the motif length is {length}; it must lie between 4 and {LONGEST} bp"
            )
        if foreground.shape[1] >= length:
            motifs += _find_of_length(foreground, background, length, motifs_per_length, seed)
    return motifs


def _find_of_length(
    foreground: np.ndarray, background: np.ndarray, length: int, motifs_per_length: int, seed: int
) -> list[Motif]:
    index = OligoIndex(foreground, background, length)
    search = LengthSearch(index, seed)
    masked = foreground
    found: list[Motif] = []
    while len(found) < motifs_per_length:
        candidate = search.next_motif()
        if candidate is None:
            break
        motif = Motif(
            name="",
            consensus=consensus_of(candidate.probabilities),
            probabilities=candidate.probabilities,
            threshold=candidate.threshold,
            log_p=candidate.ln_p,
            targets=0,
            target_share=0.0,
            background_share=0.0,
            strand_bias=0.0,
            multiplicity=0.0,
        )
        sites = scan(motif, masked)
        multiplicity, strand_bias = site_statistics(sites, length)
        found.append(replace(motif, multiplicity=multiplicity, strand_bias=strand_bias))
        masked = mask_sites(sites, length, masked)
        index.mask(search.thresholds.oligos_of(motif))
    counted = sorted(
        (_counted(motif, search.thresholds) for motif in found), key=lambda motif: motif.log_p
    )
    return [
        replace(motif, name=f"{rank}-{motif.consensus}") for rank, motif in enumerate(counted, 1)
    ]


def _counted(motif: Motif, thresholds: Thresholds) -> Motif:
    """Return the motif with its counts over the whole sequences, masked or not."""
    index = thresholds.index
    targets, found = index.counts_of(thresholds.oligos_of(motif))
    return replace(
        motif,
        targets=targets,
        target_share=targets / index.foreground,
        background_share=found / index.background,
        log_p=thresholds.enrichment.ln_p(targets, found),
    )


def motif_descriptors(motifs: Iterable[Motif]) -> dict[str, float | None]:
    """Summarise multiplicity and strand bias of the motifs of each of `LENGTHS`.

    Parameters
    ----------
    motifs : iterable of Motif
        Motifs of any lengths; those of other lengths are not looked at.

    Returns
    -------
    dict of str to float or None
        For each length multiplicity_{min,max,median,variance} and strand_bias_{min,max,median}, under names like
        motif6_multiplicity_min; the variance is that of the population. None where there is no motif of
        the length.

    Source
    ------
    AMBIENT, data descriptors (DESIGN 8).
    """
    every = list(motifs)
    values: dict[str, float | None] = {}
    for length in LENGTHS:
        group = [motif for motif in every if motif.length == length]
        for name, summaries in SUMMARIES.items():
            numbers = np.array([getattr(motif, name) for motif in group], dtype=np.float64)
            for summary in summaries:
                value = float(REDUCTIONS[summary](numbers)) if group else None
                values[f"motif{length}_{name}_{summary}"] = value
    return values
