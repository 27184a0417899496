"""The headers of HOMER's motifs, and the order in which HOMER found them.

HOMER counts each motif where the sites of those that it found before are masked, and lists them by p-value. Its headers
tell where the sites lay (Tpos, Tstd: mean and standard deviation over all sites), which only the right order of masking
reproduces: so the order is found from these two and the strand bias, and the multiplicity is free to disagree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from descriptors.homer import read_motifs
from descriptors.motifs import Motif, Sites, scan, site_statistics

FITS = 0.055  # printed with one decimal


@dataclass(frozen=True, eq=False)
class Reproduced:
    """What one header says of a motif, and what comes out here."""

    motif: Motif
    multiplicity: float
    strand_bias: float
    fits: bool  # whether the positions and the strand bias are those of the header


def reproduce(file: Path, foreground: np.ndarray) -> list[Reproduced]:
    """Count all motifs of a file in the order of masking that its headers tell."""
    motifs = read_motifs(file)
    printed = _positions(file)
    sites = [scan(motif, foreground) for motif in motifs]
    masked = foreground > 3
    left = list(range(len(motifs)))
    reproduced = []
    while left:
        # The next motif fits what is masked now, and masking it spoils the fewest of those that fit now.
        fitting = [each for each in left if _fits(sites[each], motifs[each], printed[each])]
        spoilt = {}
        for each in fitting:
            after = _masked_with(sites[each], motifs[each], masked)
            spoilt[each] = sum(
                not _fits(
                    _unmasked(sites[other], motifs[other], after), motifs[other], printed[other]
                )
                for other in fitting
                if other != each
            )
        chosen = min(spoilt, key=lambda each: (spoilt[each], each)) if spoilt else left[0]
        left.remove(chosen)
        motif, own = motifs[chosen], sites[chosen]
        reproduced.append(Reproduced(motif, *site_statistics(own, motif.length), bool(fitting)))
        masked = _masked_with(own, motif, masked)
        for each in left:
            sites[each] = _unmasked(sites[each], motifs[each], masked)
    return reproduced


def _positions(file: Path) -> list[tuple[float, float]]:
    headers = [line for line in file.read_text().splitlines() if line.startswith(">")]
    found = [re.search(r"Tpos:([-0-9.]+),Tstd:([-0-9.]+)", header) for header in headers]
    return [(float(each[1]), float(each[2])) for each in found if each is not None]


def _fits(sites: Sites, motif: Motif, printed: tuple[float, float]) -> bool:
    if not len(sites):
        return False
    middle = sites.position + motif.length // 2 - (sites.strand < 0)
    bias = site_statistics(sites, motif.length)[1]
    own = (float(middle.mean()), float(middle.std()), bias)
    return all(
        abs(ours - theirs) <= FITS
        for ours, theirs in zip(own, (*printed, motif.strand_bias), strict=True)
    )


def _bases(sites: Sites, motif: Motif) -> tuple[np.ndarray, np.ndarray]:
    return sites.sequence[:, None], sites.position[:, None] + np.arange(motif.length)


def _masked_with(sites: Sites, motif: Motif, masked: np.ndarray) -> np.ndarray:
    after = masked.copy()
    after[_bases(sites, motif)] = True
    return after


def _unmasked(sites: Sites, motif: Motif, masked: np.ndarray) -> Sites:
    free = ~masked[_bases(sites, motif)].any(axis=1)
    return Sites(sites.sequence[free], sites.position[free], sites.strand[free], sites.score[free])
