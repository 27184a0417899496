"""Names, order, units and version of the descriptors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["DESCRIPTORS", "NAMES", "SCHEMA_VERSION", "Descriptor"]

SCHEMA_VERSION = 1

Transform = Literal["identity", "log1p"]


@dataclass(frozen=True)
class Descriptor:
    """One number that summarises a data set."""

    name: str
    group: str  # assay, protein domains, peaks, location, conservation or motifs
    unit: str  # "" where the number has none
    transform: Transform  # what a controller applies before it standardises
    meaning: str

    @property
    def is_never_negative(self) -> bool:
        """Whether it is a count, a width, a distance, or a variance, below 0 of which there is nothing."""
        return self.transform == "log1p" or "_multiplicity_" in self.name


def _assay() -> list[Descriptor]:
    meanings = {
        "is_tf": "the assay targets a transcription factor",
        "is_polymerase": "the assay targets an RNA polymerase",
        "is_histone": "the assay targets a histone or a histone mark",
        "is_accessibility": "the assay measures accessibility of chromatin",
    }
    return [
        Descriptor(name, "assay", "", "identity", f"1 if {meaning}, else 0")
        for name, meaning in meanings.items()
    ]


def _domains() -> list[Descriptor]:
    meanings = {
        "has_c2h2_zinc_finger": "a C2H2 zinc finger (InterPro IPR013087)",
        "has_bzip_maf": "a Maf-type basic leucine zipper (InterPro IPR004826)",
    }
    return [
        Descriptor(
            name, "protein domains", "", "identity", f"1 if the factor has {meaning}, else 0"
        )
        for name, meaning in meanings.items()
    ]


def _peaks() -> list[Descriptor]:
    return [
        Descriptor("n_peaks", "peaks", "peaks", "log1p", "number of peaks"),
        Descriptor("peak_width_median_bp", "peaks", "bp", "log1p", "median width of the peaks"),
        Descriptor("peak_width_variance_bp2", "peaks", "bp^2", "log1p", "variance of the widths"),
    ]


def _location() -> list[Descriptor]:
    found = []
    for feature in ("splice_site", "exon", "gene", "utr"):
        label = "UTR" if feature == "utr" else feature.replace("_", " ")
        for statistic, unit in (("median", "bp"), ("variance", "bp2")):
            found.append(
                Descriptor(
                    f"{feature}_distance_{statistic}_{unit}",
                    "location",
                    unit.replace("2", "^2"),
                    "log1p",
                    f"{statistic} of the distance from each peak to the nearest {label}",
                )
            )
    return found


def _conservation() -> list[Descriptor]:
    return [
        Descriptor(
            f"{track.lower()}_mean", "conservation", "", "identity", f"mean {track} over the peaks"
        )
        for track in ("phastCons", "phyloP")
    ]


def _motifs() -> list[Descriptor]:
    meanings = {
        "multiplicity": "sites in a sequence that has any",
        "strand_bias": "log2 of forward over reverse sites",
    }
    statistics = {
        "multiplicity": ("min", "max", "median", "variance"),
        "strand_bias": ("min", "max", "median"),
    }
    words = {"min": "minimum", "max": "maximum", "median": "median", "variance": "variance"}
    return [
        Descriptor(
            f"motif{length}_{quantity}_{statistic}",
            "motifs",
            "",
            "identity",
            f"{words[statistic]} over motifs of length {length}: {meanings[quantity]}",
        )
        for length in (6, 8, 10)
        for quantity in ("multiplicity", "strand_bias")
        for statistic in statistics[quantity]
    ]


DESCRIPTORS: tuple[Descriptor, ...] = (
    *_assay(),
    *_domains(),
    *_peaks(),
    *_location(),
    *_conservation(),
    *_motifs(),
)
"""The 40 descriptors of schema 1 in the order of every vector."""

NAMES: tuple[str, ...] = tuple(descriptor.name for descriptor in DESCRIPTORS)
