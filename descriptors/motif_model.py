"""One motif: a position weight matrix, its detection threshold, and what was counted with it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

BASES = "ACGT"
BACKGROUND_PROBABILITY = 0.25  # of every base; HOMER's log odds are taken against it
SMALLEST_PROBABILITY = 0.001  # no base is impossible; also the floor in HOMER's own files
SCORE_TOLERANCE = (
    1e-5  # thresholds are written with six decimals: a score this close below still counts
)
SUPPORT_SHARE = (
    0.8  # a consensus letter stands for the fewest bases that hold this much probability
)

IUPAC = {
    "A": "A", "C": "C", "G": "G", "T": "T",
    "AC": "M", "AG": "R", "AT": "W", "CG": "S", "CT": "Y", "GT": "K",
    "ACG": "V", "ACT": "H", "AGT": "D", "CGT": "B", "ACGT": "N",
}  # fmt: skip


@dataclass(frozen=True)
class Motif:
    """A motif and its statistics, as HOMER writes them into the header of a motif.

    Parameters
    ----------
    name : str
        Name, unique within one list of motifs.
    consensus : str
        One IUPAC letter for each position.
    probabilities : ndarray, float64, shape (length, 4)
        Probability of A, C, G, T at each position; rows sum to one.
    threshold : float
        Detection threshold: the least sum of ln(probability / 0.25) that is a site.
    log_p : float
        Natural logarithm of the enrichment's p-value; never positive.
    targets : int
        Foreground sequences with at least one site.
    target_share, background_share : float
        Share of the foreground and of the background sequences with a site, in [0, 1].
    strand_bias : float
        log2 of sites on the + strand over sites on the - strand, within [-10, 10].
    multiplicity : float
        Mean number of separate sites in the sequences that hold at least one.
    """

    name: str
    consensus: str
    probabilities: np.ndarray = field(compare=False, repr=False)
    threshold: float
    log_p: float
    targets: int
    target_share: float
    background_share: float
    strand_bias: float
    multiplicity: float

    @property
    def length(self) -> int:
        """Number of positions of the motif, in bp."""
        return len(self.probabilities)


def log_odds(probabilities: np.ndarray) -> np.ndarray:
    """Return ln(probability / 0.25) with probabilities held at 0.001 or more.

    Parameters
    ----------
    probabilities : ndarray, float, shape (length, 4)
        Probability of A, C, G, T at each position.

    Returns
    -------
    ndarray, float64, shape (length, 4)
        Natural logarithm; no unit.
    """
    floored = np.maximum(np.asarray(probabilities, dtype=np.float64), SMALLEST_PROBABILITY)
    return np.log(floored / BACKGROUND_PROBABILITY)


def consensus_of(probabilities: np.ndarray) -> str:
    """Return one IUPAC letter for each position: the fewest bases that hold 80 % of the probability.

    Parameters
    ----------
    probabilities : ndarray, float, shape (length, 4)
        Probability of A, C, G, T at each position.
    """
    letters = []
    for row in np.asarray(probabilities, dtype=np.float64):
        if row.max() >= 0.5 and row.max() >= 2 * np.partition(row, -2)[-2]:
            letters.append(BASES[int(row.argmax())])
            continue
        order = np.argsort(-row, kind="stable")
        needed = int(np.searchsorted(np.cumsum(row[order]), SUPPORT_SHARE * row.sum() - 1e-9)) + 1
        letters.append(IUPAC["".join(sorted(BASES[base] for base in order[: min(needed, 4)]))])
    return "".join(letters)


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Return the highest Pearson correlation of two matrices over all alignments and both strands.

    At least two thirds of the shorter motif lie over the other.

    Parameters
    ----------
    first, second : ndarray, float, shape (length, 4)
        Probabilities of A, C, G, T.

    Returns
    -------
    float
        In [-1, 1]; 0 where a matrix is flat over the overlap.
    """
    shorter = min(len(first), len(second))
    overlap = -(-2 * shorter // 3)
    best = -1.0
    for other in (second, second[::-1, ::-1]):
        for shift in range(overlap - len(other), len(first) - overlap + 1):
            start, stop = max(0, shift), min(len(first), shift + len(other))
            left = first[start:stop].ravel()
            right = other[start - shift : stop - shift].ravel()
            left, right = left - left.mean(), right - right.mean()
            norm = float(np.sqrt((left @ left) * (right @ right)))
            best = max(best, float(left @ right) / norm if norm > 0 else 0.0)
    return best
