"""What the descriptors of a data set mean: units, where each came from, and where it lies among other data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from descriptors.record import Descriptors
from descriptors.schema import DESCRIPTORS, Descriptor

__all__ = ["ROLES", "Explained", "Place", "explain", "left_out", "origins", "place_among"]

# Sources whose names are those of options, in words; the names of the others are words.
ROLES = {"exclude": "excluded regions"}

_CLOSE = 1e-5  # relative: a controller keeps its tasks' values to six digits
# What the motif finder counts, in words.
_COUNTED = {
    "without_known_bases": "peaks without a known base",
    "passed_over": "peaks whose windows were not looked at, being too many",
    "of_other_lengths": "motifs of lengths that no descriptor summarises",
}


@dataclass(frozen=True)
class Place:
    """Where a value lies among those of other data sets."""

    known: int  # data sets that have a value
    equal: int  # of them, those with the same value
    quantile: float  # share of them with a smaller value, equal ones counting half; in [0, 1]
    minimum: float
    median: float
    maximum: float

    @property
    def is_outside(self) -> bool:
        """Whether no other data set lies as far out."""
        return self.equal == 0 and self.quantile in (0.0, 1.0)


@dataclass(frozen=True)
class Explained:
    """One number with what is known of it."""

    descriptor: Descriptor
    value: float | None
    place: Place | None  # None where nothing can be compared


def explain(
    described: Descriptors, among: Mapping[str, Sequence[float | None]] | None = None
) -> list[Explained]:
    """Put beside each of the 40 numbers what it means, and where it lies among other data sets.

    Parameters
    ----------
    described : Descriptors
        Of one data set.
    among : mapping of str to sequence of (float or None), optional
        For each descriptor the values of other data sets.

    Returns
    -------
    list of Explained
        In the schema's order.
    """
    among = {} if among is None else among
    rows = []
    for descriptor in DESCRIPTORS:
        value = described.values[descriptor.name]
        others = [other for other in among.get(descriptor.name, ()) if other is not None]
        rows.append(Explained(descriptor, value, place_among(value, others)))
    return rows


def place_among(value: float | None, others: Sequence[float]) -> Place | None:
    """Find a value's quantile among others; None where it is missing or there are none."""
    if value is None or not len(others):
        return None
    known = np.asarray(others, dtype=np.float64)
    equal = np.isclose(known, value, rtol=_CLOSE, atol=1e-6)
    below = (known < value) & ~equal
    return Place(
        known=len(known),
        equal=int(equal.sum()),
        quantile=float((below.sum() + 0.5 * equal.sum()) / len(known)),
        minimum=float(known.min()),
        median=float(np.median(known)),
        maximum=float(known.max()),
    )


def origins(described: Descriptors) -> dict[str, str]:
    """Say for each group of descriptors where its values came from, in a few words.

    Returns
    -------
    dict of str to str
        Group to its origin; where a whole group is missing, to what would give it.
    """
    sources = described.sources
    tracks = [
        f"{track} {sources[track].get('name')}, which scores {_share(sources[track])} of the bases"
        if track in sources
        else f"{track} missing: pass --{track}"
        for track in ("phastcons", "phylop")
    ]
    return {
        "assay": "the category"
        if described.values["is_tf"] is not None
        else "missing: pass --category",
        "protein domains": _factor(sources.get("interpro"), described),
        "peaks": _peaks(sources.get("peaks")),
        "location": _location(sources.get("annotation")),
        "conservation": "; ".join(tracks),
        "motifs": _motifs(sources.get("motifs"), described.motif_finder),
    }


def _location(source: Mapping[str, Any] | None) -> str:
    if source is None:
        return "missing: pass --annotation"
    made_of = source.get("made_of")
    if not isinstance(made_of, Mapping):
        return str(source.get("name"))
    return f"{source.get('name')}: genes from {made_of.get('gene')}, UTRs from {made_of.get('utr')}"


def _share(source: Mapping[str, Any]) -> str:
    share = source.get("scored_share")
    return f"{share:.1%}" if isinstance(share, int | float) else "some"


def _factor(source: Mapping[str, Any] | None, described: Descriptors) -> str:
    if described.values["is_histone"] or described.values["is_accessibility"]:
        return "0, since an assay of this category has no factor"
    if source is None:
        return "missing: pass --factor" if described.values["has_bzip_maf"] is None else "unknown"
    told = f"{source.get('factor')} in {source.get('name')}"
    if source.get("listed"):
        return told
    return f"missing: no {told}; name it as that does, or list it in a table for --interpro"


def _peaks(source: Mapping[str, Any] | None) -> str:
    if source is None:
        return "unknown"
    said = str(source.get("name"))
    chromosomes = source.get("chromosomes")
    if chromosomes:
        return f"{said}, the {len(chromosomes)} chromosomes asked for"
    return f"{said}, all chromosomes"


def _motifs(source: Mapping[str, Any] | None, finder: str | None) -> str:
    if source is None:
        return "unknown"
    if source.get("finder") == "homer":
        return f"HOMER's {source.get('name')}: {_count(source.get('motifs'))} motifs"
    finder = finder or f"the {source.get('finder', 'unknown')} finder"
    return (
        f"{finder}: {_count(source.get('motifs'))} motifs in {_count(source.get('foreground'))} "
        f"windows, against {_count(source.get('background'))} of the background"
    )


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else "some"


def left_out(described: Descriptors) -> list[str]:
    """Say what was left out of each file and why, and what found no counterpart.

    Returns
    -------
    list of str
        One line for each source of which anything was left out; empty where all was used.
    """
    lines = []
    for role, source in sorted(described.sources.items()):
        said = []
        reasons = source.get("left_out")
        if isinstance(reasons, Mapping):
            said += [
                f"{_count(count)} {reason}" for reason, count in sorted(reasons.items()) if count
            ]
        unmatched = source.get("peaks_on_chromosomes_without")
        if isinstance(unmatched, Mapping):
            said += [
                f"{_count(count)} peaks on chromosomes without any {feature.replace('_', ' ')}"
                for feature, count in unmatched.items()
                if count
            ]
        elif unmatched:
            said.append(f"{_count(unmatched)} peaks on chromosomes that it lacks")
        if source.get("scored_share") == 0:
            said.append("all bases of the peaks, none of which has a score")
        said += [
            f"{_count(source[key])} {what}" for key, what in _COUNTED.items() if source.get(key)
        ]
        if said:
            lines.append(
                f"{ROLES.get(role, role)} ({source.get('name', 'built-in')}): " + "; ".join(said)
            )
    return lines
