"""Windows on a genome: where they may lie, what they hold, how much G and C is in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ambient.data.intervals import Intervals, merge, overlaps, runs
from ambient.data.split import Split
from descriptors.genome import Genome, reverse_complement_codes

__all__ = ["Landscape", "place_windows"]

# Candidate negatives start this part of a window apart, so that no two share more than half of
# their bases.
STEP_PER_WINDOW = 2
# A large genome is looked at more thinly: no task needs more candidates than this.
MOST_CANDIDATES = 4_000_000
BEYOND = "window leaves the chromosome"  # why a window is left out


class Landscape:
    """Where windows of one width may lie on a genome.

    The chromosomes stand end to end on one line, so that a place is one number and every question
    about many windows is one numpy call. Where windows are stranded, the other strand of each
    chromosome, read from its own start, follows behind the last of them: a window has a strand by
    where it begins.

    Parameters
    ----------
    genome : Genome
        What is read from.
    window_bp : int
        Width of all windows.
    chromosomes : sequence of str
        Those that take part.
    split : Split
        Which of them train, validate and test.
    excluded : DataFrame, optional
        Columns chromosome, start, end: no negative may touch these; others' chromosomes are
        ignored.
    seed : int
        Decides where on each chromosome the grid of candidates begins.
    stranded : bool
        Whether a window on one strand is another window than that on the other.

    Attributes
    ----------
    candidates : ndarray, int64, shape (n,)
        Starts (on the line) of evenly spaced windows that hold no N and touch nothing excluded.
    gc : ndarray, float32, shape (n,)
        Share of G and C in each candidate, 0 to 1.
    candidate_split : ndarray, uint8, shape (n,)
        0 train, 1 validation, 2 test.
    unusable : Intervals
        Runs of N and excluded regions, on the line.
    """

    def __init__(
        self,
        genome: Genome,
        window_bp: int,
        chromosomes: Sequence[str],
        split: Split,
        excluded: pd.DataFrame | None = None,
        seed: int = 0,
        stranded: bool = False,
    ) -> None:
        self.genome = genome
        self.window_bp = window_bp
        self.chromosomes = tuple(chromosomes)
        self.stranded = stranded
        sizes = np.array([genome.sizes[name] for name in chromosomes], dtype=np.int64)
        self.sizes = np.tile(sizes, 2 if stranded else 1)
        self.offsets = np.r_[0, np.cumsum(self.sizes)].astype(np.int64)
        self.splits = np.array([split.number(name) for name in chromosomes], dtype=np.uint8)
        self._names = pd.Index(self.chromosomes)
        self._scan(self._intervals_of(excluded), np.random.default_rng([seed, 1]))

    def _scan(self, excluded: Intervals, rng: np.random.Generator) -> None:
        step = max(
            1, self.window_bp // STEP_PER_WINDOW, -(-int(self.sizes.sum()) // MOST_CANDIDATES)
        )
        phases = rng.integers(0, step, len(self.sizes))
        starts, gc, unknown = [], [], []
        for piece, (offset, phase) in enumerate(zip(self.offsets[:-1], phases, strict=True)):
            codes = self.genome.codes(self.chromosomes[piece % len(self.chromosomes)])
            if piece >= len(self.chromosomes):
                codes = reverse_complement_codes(codes)
            unknown.append(np.stack(runs(codes == 4)) + offset)
            strong = np.zeros(len(codes) + 1, dtype=np.uint32)
            np.cumsum((codes == 1) | (codes == 2), out=strong[1:])
            local = np.arange(phase, len(codes) - self.window_bp + 1, step, dtype=np.int64)
            gc.append((strong[local + self.window_bp] - strong[local]) / np.float32(self.window_bp))
            starts.append(local + offset)
        runs_of_n = np.concatenate([np.empty((2, 0), np.int64), *unknown], axis=1)
        self.unusable = merge(
            np.r_[excluded[0], runs_of_n[0]].astype(np.int64),
            np.r_[excluded[1], runs_of_n[1]].astype(np.int64),
        )
        self.unknown = merge(runs_of_n[0], runs_of_n[1])
        candidates = np.concatenate([np.empty(0, np.int64), *starts])
        free = ~overlaps(candidates, candidates + self.window_bp, self.unusable)
        self.candidates = candidates[free]
        self.gc = np.concatenate([np.empty(0, np.float32), *gc])[free].astype(np.float32)
        self.candidate_split = self.split_of(self.candidates)

    def _intervals_of(self, table: pd.DataFrame | None) -> Intervals:
        if table is None or len(table) == 0:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        return self.on_line(table)

    def on_line(self, table: pd.DataFrame) -> Intervals:
        """Put intervals of a table (chromosome, start, end) on the line, merged and cut at the chromosomes' ends.

        Rows on chromosomes that take no part are ignored; where windows are stranded, an interval lies on both strands.
        """
        index = self._names.get_indexer(table["chromosome"].to_numpy())
        index = np.asarray(index, dtype=np.int64)
        known = index >= 0
        index = index[known]
        starts = np.clip(table["start"].to_numpy(np.int64)[known], 0, self.sizes[index])
        ends = np.clip(table["end"].to_numpy(np.int64)[known], 0, self.sizes[index])
        if self.stranded:
            mirrored = self.sizes[index] - ends, self.sizes[index] - starts
            starts, ends = np.r_[starts, mirrored[0]], np.r_[ends, mirrored[1]]
            index = np.r_[index, index + len(self.chromosomes)]
        return merge(starts + self.offsets[index], ends + self.offsets[index])

    def points_on_line(self, chromosome: np.ndarray, position: np.ndarray) -> np.ndarray:
        """Put places (str, 0-based int64) on the line, ascending; those on other chromosomes are ignored."""
        index = np.asarray(self._names.get_indexer(chromosome), dtype=np.int64)
        known = index >= 0
        return np.sort(position[known] + self.offsets[index[known]])

    def split_of(self, starts: np.ndarray) -> np.ndarray:
        """Give the split (uint8: 0, 1, 2) of windows that start at these places on the line."""
        return self.splits[self.chromosome_of(starts)]

    def chromosome_of(self, starts: np.ndarray) -> np.ndarray:
        """Give the index of the chromosome on which each place on the line lies."""
        return self._piece_of(starts) % len(self.chromosomes)

    def _piece_of(self, starts: np.ndarray) -> np.ndarray:
        """Give the index of the strand of a chromosome on which each place lies; the other strands come last."""
        return np.searchsorted(self.offsets, starts, side="right") - 1

    def read(self, starts: np.ndarray, width_bp: int) -> np.ndarray:
        """Read the sequence of another width around the centres of windows.

        Parameters
        ----------
        starts : ndarray, int64, shape (n,)
            Starts, on the line, of windows of this landscape's width.
        width_bp : int
            How much to read; beyond a chromosome's end it is 4.

        Returns
        -------
        ndarray, uint8, shape (n, width_bp)
            Each as its strand is read.
        """
        piece = self._piece_of(starts)
        centres = starts - self.offsets[piece] + self.window_bp // 2
        mirrored = piece >= len(self.chromosomes)
        # The window [centre - width // 2, ...) of the other strand, as the genome's own strand counts.
        centres = np.where(mirrored, self.sizes[piece] - centres - width_bp % 2, centres)
        names = np.array(self.chromosomes, dtype=object)[piece % len(self.chromosomes)]
        codes = self.genome.windows(names, centres, width_bp)
        codes[mirrored] = reverse_complement_codes(codes[mirrored])
        return codes

    def places(self, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the chromosome names (str) and 0-based centres (int64) of windows on the line."""
        piece = self._piece_of(starts)
        centres = starts - self.offsets[piece] + self.window_bp // 2
        mirrored = piece >= len(self.chromosomes)
        centres = np.where(mirrored, self.sizes[piece] - 1 - centres, centres)
        names = np.array(self.chromosomes, dtype=np.str_)[piece % len(self.chromosomes)]
        return names, centres


def place_windows(
    landscape: Landscape,
    chromosome: np.ndarray,
    centre: np.ndarray,
    strand: np.ndarray | None = None,
) -> tuple[np.ndarray, dict[str, int]]:
    """Put one window on each centre; leave out those that no network should see.

    Parameters
    ----------
    landscape : Landscape
    chromosome : ndarray of str, shape (n,)
        A name that takes no part in the landscape leaves the window out.
    centre : ndarray, int64, shape (n,)
        0-based, bp.
    strand : ndarray of str, shape (n,), optional
        "+" or "-"; needed where the landscape is stranded, else without a meaning.

    Returns
    -------
    starts : ndarray, int64, shape (m,), m <= n
        Starts on the landscape's line, ascending, each once.
    left_out : dict of str to int
        Why the other n - m are missing.
    """
    index = np.asarray(landscape._names.get_indexer(chromosome), dtype=np.int64)
    foreign = index < 0
    if landscape.stranded:
        assert strand is not None
        mirrored = (strand == "-") & ~foreign
        centre = np.where(mirrored, landscape.sizes[index] - 1 - centre, centre)
        index = index + mirrored * len(landscape.chromosomes)
    local = centre - landscape.window_bp // 2
    beyond = ~foreign & ((local < 0) | (local + landscape.window_bp > landscape.sizes[index]))
    inside = ~foreign & ~beyond
    starts = local[inside] + landscape.offsets[index[inside]]
    unknown = overlaps(starts, starts + landscape.window_bp, landscape.unknown)
    unique = np.unique(starts[~unknown])
    counts = {
        "on a chromosome that takes no part": int(foreign.sum()),
        BEYOND: int(beyond.sum()),
        "window covers N": int(unknown.sum()),
        "same window twice": int((~unknown).sum() - len(unique)),
    }
    return unique, {reason: count for reason, count in counts.items() if count}
