"""Mean conservation over peaks, exact to the base."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from descriptors.bigwig import ask_child
from descriptors.errors import InputError
from descriptors.genome import Genome, check_chromosomes, respell
from descriptors.sources import is_packed

__all__ = ["Conservation", "mean_conservation"]


@dataclass(frozen=True)
class Conservation:
    """What a track of scores says about some intervals."""

    mean: float | None  # over all bases that have a score; None where none has
    scored_share: float  # share of the intervals' bases that have a score, in [0, 1]
    unmatched: int  # intervals on a chromosome that the track does not have
    lowest: float  # score of a base of the intervals; inf where none has one
    highest: float  # -inf where none has one


def mean_conservation(
    bigwig_path: str | Path,
    table: pd.DataFrame,
    genome: Genome | None = None,
    rename_chromosomes: str | None = None,
) -> Conservation:
    """Average a bigWig track over all bases of the intervals that have a score.

    A base counts as often as intervals cover it. The file is read in a child process, so that one
    that crashes its reader is an error here and not the end of the program.

    Parameters
    ----------
    bigwig_path : path
        Scores of single bases, such as phastCons or phyloP.
    table : DataFrame
        Columns chromosome, start, end (counted from 0, half open); at least one row.
    genome : Genome, optional
        Checks the names and lengths of chromosomes.
    rename_chromosomes : "strip-chr" or "add-chr", optional
        Respells names of the bigWig file that the genome does not have.

    Raises
    ------
    InputError
        The file is missing, no bigWig, or broken; it shares no chromosome with the intervals; or a
        chromosome's length differs from the genome's.
    """
    path = Path(bigwig_path)
    if is_packed(path):
        raise InputError(f"{path}: found a gzip file, a bigWig file was needed; unpack it first")
    sizes: dict[str, int] = ask_child(path, {})["sizes"]
    if not sizes:
        raise InputError(f"{path}: the bigWig file has no chromosomes; fetch or make it again")
    known = genome.sizes if genome is not None else set(table["chromosome"])
    own_names = {respell(name, rename_chromosomes, known): name for name in sizes}
    if genome is not None:
        check_chromosomes(own_names, genome, str(path), "bigWig chromosomes")
        for name, own in own_names.items():
            if name in genome.sizes and genome.sizes[name] != sizes[own]:
                raise InputError(
                    f"{path}: {own} has {sizes[own]} bp there and {genome.sizes[name]} bp in "
                    f"{genome.name}, so the file looks like one of another assembly; "
                    "name that of the genome"
                )
    intervals: dict[str, list[list[int]]] = {}
    unmatched = unmatched_bp = 0
    for chromosome, rows in table.groupby("chromosome", sort=True):
        pairs = rows[["start", "end"]].to_numpy()
        if chromosome in own_names:
            intervals[own_names[str(chromosome)]] = pairs.tolist()
        else:
            unmatched += len(pairs)
            unmatched_bp += int((pairs[:, 1] - pairs[:, 0]).sum())
    if not intervals and genome is None:
        names = ", ".join(list(sizes)[:3])
        raise InputError(
            f"{path}: it has none of the peaks' chromosomes (it has {names}); "
            "name the bigWig file of the peaks' genome"
        )
    sums = ask_child(path, intervals)
    mean = sums["total"] / sums["scored"] if sums["scored"] else None
    scored_share = sums["scored"] / (sums["bases"] + unmatched_bp)
    return Conservation(mean, scored_share, unmatched, sums["lowest"], sums["highest"])
