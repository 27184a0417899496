"""Start first filters from words that a task's positives hold and its negatives lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from ambient.child.layers import BothStrands
from ambient.child.words import number_words
from descriptors.genome import reverse_complement_codes

if TYPE_CHECKING:
    from ambient.child.batches import Windows

__all__ = ["enriched_filters", "find_filters", "first_filters", "seed_first_filters"]

_TRAIN = 0
_MOST_SILENT = 2000  # windows without a label that its words are held against, of many labels
_WORD = 6  # bp of the words that are counted; longer ones are too rare among 150 positives
_LEAST_Z = 3.0  # enrichment, in standard deviations, below which no word seeds a filter
_NEIGHBOUR = 1.15  # a word with one base changed counts as the same where it is so much enriched
_PSEUDO_SHARE = 0.0125  # added to each base of a profile, as a share of its occurrences


def _words(codes: np.ndarray, length: int, dilation: int) -> np.ndarray:
    """Number the word at each position, int64 (n, positions); 4 ** length where it holds an N."""
    words, known = number_words(codes, length, dilation)
    words[~known] = 4**length
    return words


def _share_that_holds(words: np.ndarray, length: int, strands: int) -> np.ndarray:
    """Give, for each word, the share of windows with it; of two strands the second half are the other ones."""
    windows = len(words) // strands
    held = np.zeros((windows, 4**length + 1), dtype=bool)
    held[np.arange(len(words))[:, None] % windows, words] = True
    return held[:, :-1].mean(0)


def _on_strands(codes: np.ndarray, strands: int) -> np.ndarray:
    return codes if strands == 1 else np.concatenate([codes, reverse_complement_codes(codes)])


def enriched_filters(
    positives: np.ndarray,
    negatives: np.ndarray,
    width: int,
    dilation: int,
    count: int,
    stranded: bool = False,
) -> list[np.ndarray]:
    """Find the words that set positives apart and widen each to a profile.

    Parameters
    ----------
    positives, negatives : array, uint8, shape (n, window_bp)
        Training windows; both strands are read, unless they are stranded.
    width : int
        Length of a filter, in bases.
    dilation : int
        Distance between the bases that a filter reads, in bp; the words are spread likewise.
    count : int
        At most so many are sought.
    stranded : bool
        Whether only the strand that is given counts.

    Returns
    -------
    list of array, float32, shape (4, width)
        Log odds of each base against 0.25, most enriched first; empty where nothing is enriched.

    Notes
    -----
    Greedy: the word with the largest two-proportion z among the windows that hold it, together
    with its enriched neighbours at one substitution, is averaged over its occurrences in positives
    with its flanks; its occurrences are masked, and the next word is sought.
    """
    length = min(_WORD, width)
    if positives.shape[1] <= (width - 1) * dilation or not len(positives) or not len(negatives):
        return []
    strands = 1 if stranded else 2
    codes = _on_strands(positives, strands)
    words = _words(codes, length, dilation)
    total = 4**length
    n_positive, n_negative = len(positives), len(negatives)
    silent = _words(_on_strands(negatives, strands), length, dilation)
    expected = _share_that_holds(silent, length, strands)
    expected = (expected * n_negative + 1) / (n_negative + 2)
    spread = np.sqrt(expected * (1 - expected) * (1 / n_positive + 1 / n_negative))
    digits = np.arange(total)[:, None] // 4 ** np.arange(length - 1, -1, -1) % 4
    filters: list[np.ndarray] = []
    while len(filters) < count:
        share = _share_that_holds(words, length, strands)
        z = (share - expected) / spread
        seed = int(np.argmax(z))
        if z[seed] < _LEAST_Z:
            break
        near = (digits != digits[seed]).sum(1) <= 1
        near &= share > _NEIGHBOUR * expected
        near[seed] = True
        weight = np.zeros(total + 1)
        weight[:-1][near] = 1 - np.minimum(expected[near] / share[near], 1 - 1e-6)
        rows, starts = np.nonzero(weight[words] > 0)
        flank = (width - length) // 2
        found = weight[words[rows, starts]]
        filters.append(_profile(codes, rows, starts - flank * dilation, found, width, dilation))
        mirrored = (rows + n_positive) % (2 * n_positive), words.shape[1] - 1 - starts
        for row, start in ((rows, starts), mirrored)[:strands]:
            for step in range(1 - length, length):
                masked = start + step * dilation
                inside = (masked >= 0) & (masked < words.shape[1])
                words[row[inside], masked[inside]] = total
    return filters


def _profile(
    codes: np.ndarray,
    rows: np.ndarray,
    starts: np.ndarray,
    weight: np.ndarray,
    width: int,
    dilation: int,
) -> np.ndarray:
    """Average the sequence at weighted occurrences into log odds, float32 (4, width)."""
    columns = starts[:, None] + np.arange(width)[None, :] * dilation
    inside = (columns >= 0) & (columns < codes.shape[1])
    bases = np.where(inside, codes[rows[:, None], np.clip(columns, 0, codes.shape[1] - 1)], 4)
    counts = np.stack([(weight[:, None] * (bases == base)).sum(0) for base in range(4)])
    counts += _PSEUDO_SHARE * weight.sum() + 0.25
    return np.log(counts / counts.sum(0) / 0.25).astype(np.float32)


def seed_first_filters(weight: torch.Tensor, filters: list[np.ndarray], strands: int) -> int:
    """Copy profiles into a convolution at the usual norm of its filters.

    Parameters
    ----------
    weight : Tensor, float32, shape (filters, 4, width)
        Changed in place, from its first filter on.
    filters : list of array, float32, shape (4, width)
        Those that find no room are not used.
    strands : int
        2 where each profile is set together with its reverse complement, in the next filter.

    Returns
    -------
    int
        How many filters were set.
    """
    profiles = [torch.from_numpy(profile).to(weight) for profile in filters]
    turned = [p.flip(turn) for p in profiles for turn in ((), (0, 1))[:strands]]
    with torch.no_grad():
        norm = weight.flatten(1).norm(dim=1).mean()
        for number, profile in enumerate(turned[: len(weight)]):
            weight[number] = profile / profile.norm() * norm
    return min(len(turned), len(weight))


def first_filters(
    module: nn.Module, stranded: bool = False
) -> tuple[torch.Tensor, int, int] | None:
    """Find the first convolution of a network.

    Parameters
    ----------
    module : nn.Module
    stranded : bool
        Whether what it reads is, so that a word means nothing on the other strand.

    Returns
    -------
    weight : Tensor, float32, shape (filters, 4, width)
    dilation : int
        Distance in bp between the bases that a filter reads.
    strands : int
        How many strands a word needs its own filter for: 1 where the layer reads both by itself, or only one counts.
    or None where the filters are 1 bp wide and can hold no word, or do not read DNA.
    """
    for part in module.modules():
        weight = getattr(part, "weight", None)
        if isinstance(weight, torch.Tensor) and weight.ndim == 3:
            dilation = int(np.max(np.asarray(getattr(part, "dilation", 1))))
            strands = 1 if stranded or isinstance(part, BothStrands) else 2
            holds = weight.shape[1] == 4 and weight.shape[2] > 1
            return (weight, dilation, strands) if holds else None
    return None


def find_filters(windows: Windows, width: int, dilation: int, count: int) -> list[np.ndarray]:
    """Find enriched words for each output in turn, the most enriched of each first.

    Where there are more outputs than filters, those that are evenly spaced among them.
    """
    rows = windows.rows(_TRAIN)
    codes = windows.central(rows).cpu().numpy()
    truth = windows.truth[rows]
    asked = np.linspace(0, windows.outputs - 1, min(count, windows.outputs)).round().astype(int)
    each = -(-count // max(len(asked), 1))
    found = []
    for column in truth[:, asked].T:
        silent = np.flatnonzero(column <= 0.5)
        if windows.outputs > 1:
            silent = silent[:: -(-len(silent) // _MOST_SILENT) or 1]
        found.append(
            enriched_filters(
                codes[column > 0.5], codes[silent], width, dilation, each, windows.stranded
            )
        )
    in_turn = [one[rank] for rank in range(each) for one in found if rank < len(one)]
    return in_turn[:count]
