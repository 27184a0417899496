"""A bigWig file as large as that of a human chromosome, made up but the same each time."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

SEED = 7
CHROMOSOME = "chr1"
SIZE_BP = 248_956_422  # of hg38's chr1
_PIECE_BP = 1 << 20


def write_track(path: Path) -> None:
    """Write scores of single bases with gaps, as phastCons has, unless the file is there already."""
    import pyBigWig

    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    # Scores in [0, 1] of three decimals, most of them near 0, neighbours alike, some of them equal.
    steps = rng.beta(0.25, 1.2, 1 << 19).repeat(8)
    pool = np.round(steps + rng.random(len(steps)) * (rng.random(len(steps)) < 0.5) * 0.02, 3)
    pool = np.minimum(pool, 1).astype(np.float32)
    partial = path.with_suffix(".partial")
    with pyBigWig.open(str(partial), "w") as writer:
        writer.addHeader([(CHROMOSOME, SIZE_BP)])
        for start in range(10_000, SIZE_BP - 10_000, _PIECE_BP):
            count = min(_PIECE_BP, SIZE_BP - 10_000 - start)
            at = int(rng.integers(0, len(pool) - count))
            scores = pool[at : at + count]
            first, width = int(rng.integers(1, count // 2)), int(rng.integers(1_000, 50_000))
            writer.addEntries(CHROMOSOME, start, values=scores[:first], span=1, step=1)
            if first + width < count:
                rest = scores[first + width :]
                writer.addEntries(CHROMOSOME, start + first + width, values=rest, span=1, step=1)
    os.replace(partial, path)
