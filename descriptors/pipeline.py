"""From files to the 40 descriptors, with where each came from."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from descriptors.annotation import FEATURES, Annotation, distances_to_nearest, read_annotation
from descriptors.background import MotifWindows, motif_windows
from descriptors.conservation import mean_conservation
from descriptors.errors import InputError
from descriptors.genome import Genome
from descriptors.homer import (
    PROGRAM,
    find_with_homer,
    format_motifs,
    motif_files,
    read_motifs,
)
from descriptors.motifs import (
    FINDER_REVISION,
    LENGTHS,
    Motif,
    find_motifs,
    motif_descriptors,
)
from descriptors.peaks import (
    NOT_IN_GENOME,
    check_strands,
    read_intervals,
    read_peaks,
    widen_points,
)
from descriptors.proteins import assay_flags, domain_flags, read_domains
from descriptors.record import Descriptors
from descriptors.schema import NAMES, SCHEMA_VERSION
from descriptors.sources import Source, sha256_of

__all__ = ["Descriptors", "describe"]

ROUNDING = 1e-6  # by which a score of a bigWig file, a single-precision number, may pass its range
_PEAK_SUFFIXES = (".gz", ".bgz", ".bed", ".narrowpeak", ".broadpeak", ".txt")


@dataclass
class _Found:
    """What the steps have found so far."""

    numbers: dict[str, float | None] = field(default_factory=dict)
    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    motifs: tuple[Motif, ...] = ()


def describe(
    peaks: str | Path,
    genome: str | Path | Genome,
    annotation: str | Path | Annotation | None = None,
    phastcons: str | Path | None = None,
    phylop: str | Path | None = None,
    homer: str | Path | None = None,
    run_homer: bool = False,
    category: str | None = None,
    factor: str | None = None,
    exclude: str | Path | None = None,
    chromosomes: Sequence[str] | None = None,
    rename_chromosomes: str | None = None,
    interpro: str | Path | None = None,
    name: str | None = None,
    point_window_bp: int = 200,
    stranded: bool = False,
    seed: int = 0,
) -> Descriptors:
    """Summarise a data set in 40 numbers.

    Parameters
    ----------
    peaks : path
        BED3 to BED12, narrowPeak or broadPeak, plain, gzip or bgzip.
    genome : path or Genome
        FASTA, plain, gzip or bgzip.
    annotation : path or Annotation, optional
        GTF or GFF3; without it the eight location descriptors are missing. An Annotation must have
        been read with the same genome, chromosomes and renaming: many data sets can share it.
    phastcons, phylop : path, optional
        bigWig; without them the conservation descriptors are missing.
    homer : path, optional
        HOMER's motif file or result folder, which must come from the training chromosomes where a
        split is given; default: the built-in finder.
    run_homer : bool
        Find the motifs with `homer2`, which must be on the PATH, in the windows that the built-in
        finder would look at: training chromosomes only, where a split is given.
    category : str, optional
        tf, polymerase, histone, accessibility or other.
    factor : str, optional
        Gene symbol of what was assayed, looked up in `interpro` and the shipped table; a UniProt
        accession where `interpro` lists those.
    exclude : path, optional
        BED of regions; peaks that overlap one are left out, and no background is drawn there.
    chromosomes : sequence of str, optional
        The training chromosomes: nothing on any other changes a descriptor.
    rename_chromosomes : "strip-chr" or "add-chr", optional
        Respells names that the genome does not have, in every file.
    interpro : path, optional
        Table with the columns factor and interpro, or InterPro's `protein2ipr.dat.gz`; it overrules
        the shipped one.
    name : str, optional
        Name of the task; default: the peak file's, without its endings.
    point_window_bp : int
        Peaks of one base become windows of this width around it.
    stranded : bool
        Read what lies under each peak on the peak's strand, as RNA is: the strand bias of motifs then tells of it.
    seed : int
        Of the background for motifs and of their search.

    Returns
    -------
    Descriptors
        The same bytes for the same files and seed.

    Raises
    ------
    InputError
        A file or an option is wrong.
    """
    if homer is not None and run_homer:
        raise InputError(
            f"{homer}: found a result of HOMER beside the wish to run it; give --homer or --run-homer, not both"
        )
    found = _Found()
    found.numbers.update(assay_flags(category))
    _describe_factor(found, factor, category, interpro)
    opened = Genome.open(genome)
    read = read_peaks(peaks, opened, exclude, chromosomes, rename_chromosomes)
    if stranded:
        check_strands(read.table, str(peaks))
    table = widen_points(read.table, point_window_bp, opened)
    points = int((read.table["end"] - read.table["start"] == 1).sum())
    found.sources["peaks"] = {
        **read.source.to_dict(),
        "points": points,
        "chromosomes": None if chromosomes is None else sorted(chromosomes),
        **({"stranded": True} if stranded else {}),
    }
    found.sources["genome"] = Source(opened.name, opened.sha256, len(opened.sizes)).to_dict()
    avoid = None
    if exclude is not None:
        avoid = read_intervals(exclude, opened, rename_chromosomes)
        known = int(avoid["chromosome"].isin(opened.sizes).sum())
        unknown = {NOT_IN_GENOME: len(avoid) - known}
        regions = Source(Path(exclude).name, sha256_of(exclude), known, unknown)
        found.sources["exclude"] = regions.to_dict()
    _describe_peaks(found, table)
    if annotation is not None:
        _describe_location(found, table, annotation, opened, chromosomes, rename_chromosomes)
    for track, path in (("phastcons", phastcons), ("phylop", phylop)):
        if path is not None:
            _describe_conservation(found, table, track, path, opened, rename_chromosomes)
    if homer is None:
        windows = motif_windows(table, opened, chromosomes, avoid, seed, stranded)
        _find_motifs(found, windows, seed, run_homer)
    else:
        _read_motifs(found, homer)
    return Descriptors(
        task=_task_name(peaks) if name is None else name,
        schema_version=SCHEMA_VERSION,
        values={descriptor: found.numbers.get(descriptor) for descriptor in NAMES},
        sources=found.sources,
        motifs=found.motifs,
    )


def _task_name(peaks: str | Path) -> str:
    name = Path(peaks).name
    while (ending := Path(name).suffix.lower()) in _PEAK_SUFFIXES and ending:
        name = name[: -len(ending)]
    return name


def _describe_factor(
    found: _Found, factor: str | None, category: str | None, interpro: str | Path | None
) -> None:
    domains, source = read_domains()
    if interpro is not None and factor is not None:
        own, own_source = read_domains(interpro, factor)
        # The source is the table that lists the factor: the user's, or else the shipped one.
        if own or factor.strip().upper() not in domains:
            domains, source = {**domains, **own}, own_source
    found.numbers.update(domain_flags(factor, category, domains))
    if factor is not None:
        is_listed = factor.strip().upper() in domains
        found.sources["interpro"] = {**source.to_dict(), "factor": factor, "listed": is_listed}


def _describe_peaks(found: _Found, table: pd.DataFrame) -> None:
    widths = (table["end"] - table["start"]).to_numpy()
    found.numbers["n_peaks"] = float(len(table))
    found.numbers["peak_width_median_bp"] = float(np.median(widths))
    found.numbers["peak_width_variance_bp2"] = float(np.var(widths))


def _describe_location(
    found: _Found,
    table: pd.DataFrame,
    annotation: str | Path | Annotation,
    genome: Genome,
    chromosomes: Sequence[str] | None,
    rename_chromosomes: str | None,
) -> None:
    if not isinstance(annotation, Annotation):
        annotation = read_annotation(annotation, genome, chromosomes, rename_chromosomes)
    unmatched = {}
    for feature in FEATURES:
        distances, unmatched[feature] = distances_to_nearest(table, annotation.features[feature])
        if len(distances):
            found.numbers[f"{feature}_distance_median_bp"] = float(np.median(distances))
            found.numbers[f"{feature}_distance_variance_bp2"] = float(np.var(distances))
    found.sources["annotation"] = {
        **annotation.source.to_dict(),
        "features": {feature: len(annotation.features[feature]) for feature in FEATURES},
        "made_of": dict(annotation.origins),
        "peaks_on_chromosomes_without": unmatched,
    }


def _describe_conservation(
    found: _Found,
    table: pd.DataFrame,
    track: str,
    path: str | Path,
    genome: Genome,
    rename_chromosomes: str | None,
) -> None:
    conservation = mean_conservation(path, table, genome, rename_chromosomes)
    # The mean of phyloP over peaks is often between 0 and 1 too.
    if track == "phastcons" and (
        conservation.lowest < -ROUNDING or conservation.highest > 1 + ROUNDING
    ):
        raise InputError(
            f"{path}: found scores from {conservation.lowest:g} to {conservation.highest:g} under the peaks where "
            "phastCons has probabilities from 0 to 1; it may be phyloP: give it as that, and name the file of phastCons"
        )
    found.numbers[f"{track}_mean"] = conservation.mean
    found.sources[track] = {
        **Source(Path(path).name, sha256_of(path), len(table) - conservation.unmatched).to_dict(),
        "scored_share": conservation.scored_share,
        "peaks_on_chromosomes_without": conservation.unmatched,
    }


def _find_motifs(found: _Found, windows: MotifWindows, seed: int, is_by_homer: bool) -> None:
    if is_by_homer:
        found.motifs = tuple(find_with_homer(windows.foreground, windows.background, LENGTHS))
        finder: dict[str, Any] = {"finder": PROGRAM}
    else:
        found.motifs = tuple(find_motifs(windows.foreground, windows.background, seed=seed))
        finder = {"finder": "built-in", "revision": FINDER_REVISION}
    found.sources["motifs"] = {
        **finder,
        "seed": seed,
        "foreground": len(windows.foreground),
        "background": len(windows.background),
        "without_known_bases": windows.unknown,
        "passed_over": windows.passed_over,
    }
    _summarise_motifs(found)


def _read_motifs(found: _Found, homer: str | Path) -> None:
    found.motifs = tuple(read_motifs(homer))
    found.sources["motifs"] = {
        "finder": "homer",
        "name": Path(homer).name,
        # A result may be a folder: the hash is of the motifs as one file would hold them.
        "sha256": hashlib.sha256(format_motifs(found.motifs).encode()).hexdigest(),
        "files": [file.name for file in motif_files(homer)],
    }
    _summarise_motifs(found)


def _summarise_motifs(found: _Found) -> None:
    found.numbers.update(motif_descriptors(found.motifs))
    lengths = Counter(motif.length for motif in found.motifs)
    found.sources["motifs"] |= {
        "motifs": len(found.motifs),
        # The descriptors of a length without motifs are missing; no descriptor tells of other lengths.
        "by_length": {str(length): lengths[length] for length in LENGTHS},
        "of_other_lengths": sum(lengths.values()) - sum(lengths[length] for length in LENGTHS),
    }
