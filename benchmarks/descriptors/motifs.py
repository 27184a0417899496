"""The built-in motif finder against HOMER 2, and how fast it is.

    python benchmarks/descriptors/motifs.py

needs the real data beside the checkout (homer/ of the yeast data: sequences and motif files of eight data sets),
memelite and matplotlib. It writes motifs.json, motifs.md and motifs.svg beside this file. HOMER itself is not run:
its motifs and its seconds are those that lie beside the data. `--speed` measures the seconds alone once more, best on a
quiet machine, and keeps what the last run wrote of the rest.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from common import DATA, HERE, as_table, machine, measured, write_results
from motif_headers import reproduce
from scipy.stats import pearsonr, spearmanr

from descriptors.homer import read_motifs
from descriptors.motif_enrichment import Enrichment
from descriptors.motifs import LENGTHS, Motif, find_motifs, motif_descriptors, scan, similarity
from descriptors.sources import open_text

HOMER = DATA / "yeast" / "homer"
STRONG = np.log(1e-50)  # HOMER's motifs below it are to be found again
SIMILAR = 0.9  # Pearson correlation at the best alignment that makes a match
SIGNIFICANT = 0.05  # or TOMTOM's q-value below this, among all our motifs of the set
HOMER_SECONDS = {6: 3.5, 8: 11.7, 10: 138.9}  # Reb1, one core; homer/README.md of the data
MANY = 50_000


def sequences(file: Path) -> np.ndarray:
    """Read FASTA of one width as uint8 codes, shape (n, width)."""
    codes = np.full(256, 4, dtype=np.uint8)
    codes[list(b"ACGT")] = range(4)
    with open_text(file) as lines:
        letters = [line.strip().encode() for line in lines if not line.startswith(">")]
    return np.stack([codes[np.frombuffer(line, dtype=np.uint8)] for line in letters])


def read_set(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Read the foreground and the background of one set."""
    folder = HOMER / name
    return sequences(folder / "foreground.fa.gz"), sequences(folder / "background.fa.gz")


def many_sequences() -> tuple[np.ndarray, np.ndarray]:
    """Make 50,000 windows of 200 bp, a third with CCGGGTAA and one change, and 5,000 without."""
    rng = np.random.default_rng(0)
    share = (0.31, 0.19, 0.19, 0.31)
    foreground, background = (
        rng.choice(4, (count, 200), p=share).astype(np.uint8) for count in (MANY, 5_000)
    )
    sites = np.tile(np.array([1, 1, 2, 2, 2, 3, 0, 0], dtype=np.uint8), (MANY // 3, 1))
    sites[np.arange(len(sites)), rng.integers(0, 8, len(sites))] = rng.integers(0, 4, len(sites))
    foreground[: len(sites), 96:104] = sites
    return foreground, background


def find_once(which: str) -> None:
    """Find the motifs of Reb1 or of many sequences: what is timed, in a process of its own."""
    foreground, background = many_sequences() if which == "many" else read_set(which)
    for length in LENGTHS:
        wall, cpu = time.perf_counter(), time.process_time()
        motifs = find_motifs(foreground, background, (length,))
        spent = time.perf_counter() - wall, time.process_time() - cpu
        print(length, *spent, len(motifs), motifs[0].consensus, motifs[0].log_p)


def timed(which: str) -> dict[str, Any]:
    """Give the seconds for each length, of the whole process, and its memory."""
    run = measured(sys.executable, __file__, "--find", which)
    rows = [line.split() for line in run.pop("output").splitlines()]
    keys = ("wall", "cpu")
    lengths = {row[0]: dict(zip(keys, map(float, row[1:3]), strict=True)) for row in rows}
    total = {key: round(sum(each[key] for each in lengths.values()), 2) for key in keys}
    return {**run, "lengths": lengths, "finding": total, "first_motif": rows[-1][4]}


def headers(name: str, foreground: np.ndarray, background: np.ndarray) -> dict[str, int]:
    """Count the headers of a set whose numbers come out here."""
    counts = dict.fromkeys(
        ("motifs", "targets", "percent", "ln_p", "positions", "strand_bias", "multiplicity"), 0
    )
    enrichment = Enrichment(len(foreground), len(background))
    for length in LENGTHS:
        for each in reproduce(HOMER / name / f"len{length}.motif", foreground):
            motif = each.motif
            targets, found = (
                len(np.unique(scan(motif, c).sequence)) for c in (foreground, background)
            )
            share = abs(targets / len(foreground) - motif.target_share)
            other = abs(found / len(background) - motif.background_share)
            counts["motifs"] += 1
            counts["targets"] += targets == motif.targets
            counts["percent"] += max(share, other) <= 0.005
            counts["ln_p"] += abs(enrichment.ln_p(targets, found) - motif.log_p) <= 1e-4
            counts["positions"] += each.fits
            counts["strand_bias"] += abs(each.strand_bias - motif.strand_bias) <= 0.1
            counts["multiplicity"] += abs(each.multiplicity - motif.multiplicity) <= 0.02
    return counts


def q_values(query: Motif, targets: list[Motif]) -> np.ndarray:
    """TOMTOM's p-values of a motif against others, as q-values of Benjamini and Hochberg."""
    from memelite import tomtom

    found = tomtom([query.probabilities.T], [each.probabilities.T for each in targets], n_jobs=1)
    p = np.asarray(found[0])[0]
    order = np.argsort(p, kind="stable")
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum.accumulate(scaled[::-1])[::-1].clip(max=1)
    return q


def agreement(name: str, ours: list[Motif], theirs: list[Motif]) -> list[dict[str, Any]]:
    """Look for each strong motif of HOMER among ours."""
    rows = []
    lengths = np.array([motif.length for motif in ours])
    best_of_set = min(theirs, key=lambda motif: motif.log_p)
    overall = int(np.argmin([motif.log_p for motif in ours]))
    for length in LENGTHS:
        first = int(np.flatnonzero(lengths == length)[0])
        strong = [each for each in theirs if each.length == length and each.log_p < STRONG]
        for rank, motif in enumerate(strong):
            r = np.array([similarity(motif.probabilities, each.probabilities) for each in ours])
            q = q_values(motif, ours)
            same = lengths == length
            row: dict[str, Any] = {
                **{"set": name, "length": length, "rank": rank + 1, "motif": motif.consensus},
                "ln_p": motif.log_p,
                "same_length": {"r": float(r[same].max()), "q": float(q[same].min())},
                "any_length": {"r": float(r.max()), "q": float(q.min())},
            }
            for key, wanted, at in (
                ("top", rank == 0, first),
                ("top_of_set", motif is best_of_set, overall),
            ):
                if wanted:
                    row[key] = {"motif": ours[at].consensus, "length": ours[at].length}
                    row[key] |= {"ln_p": ours[at].log_p, "r": float(r[at]), "q": float(q[at])}
            rows.append(row)
    return rows


def is_match(found: dict[str, Any], by: str = "either") -> bool:
    """Say whether a correlation or a q-value makes a match."""
    similar, significant = found["r"] >= SIMILAR, found["q"] < SIGNIFICANT
    return {"r": similar, "q": significant, "either": similar or significant}[by]


def turned(motifs: list[Motif]) -> list[Motif]:
    """Write each motif on the strand whose consensus comes first in the alphabet."""
    both = []
    for motif in motifs:
        forward = motif.probabilities.argmax(axis=1).tolist()
        is_first = forward <= [3 - base for base in reversed(forward)]
        both.append(motif if is_first else replace(motif, strand_bias=-motif.strand_bias))
    return both


def correlations(
    ours: dict[str, dict[str, float | None]], theirs: dict[str, dict[str, float | None]]
) -> dict[str, dict[str, float | None]]:
    """Correlate each descriptor over the sets; None where it is the same in all of one list."""
    result: dict[str, dict[str, float | None]] = {}
    for name in next(iter(ours.values())):
        sets = [each for each in ours if ours[each][name] is not None]
        pair = [[values[each][name] for each in sets] for values in (ours, theirs)]
        if min(len(set(numbers)) for numbers in pair) == 1:
            result[name] = {"pearson": None, "spearman": None}
            continue
        result[name] = {
            "pearson": round(float(pearsonr(*pair)[0]), 3),
            "spearman": round(float(spearmanr(*pair)[0]), 3),
        }
    return result


def main(is_speed_alone: bool) -> None:
    """Measure everything, or the seconds alone, and write it down."""
    if not HOMER.is_dir():
        sys.exit("this benchmark needs shared/data/yeast/homer beside the checkout")
    from motif_report import draw, report

    if is_speed_alone:
        record = json.loads((HERE / "motifs.json").read_text())
        record["machine"] = machine("numpy", "scipy", "memelite")
    else:
        record = compared()
    record["speed"] = {"Reb1": timed("Reb1"), "many": timed("many")}
    draw(record, HERE / "motifs.svg")
    write_results("motifs", record, report(record, as_table))


def compared() -> dict[str, Any]:
    """Compare headers, motifs and descriptors with HOMER's, over all sets."""
    names = sorted(path.name for path in HOMER.iterdir() if path.is_dir())
    record: dict[str, Any] = {
        "machine": machine("numpy", "scipy", "memelite"),
        "headers": {},
        "agreement": [],
        "homer_seconds": {str(length): seconds for length, seconds in HOMER_SECONDS.items()},
        "descriptors": {"ours": {}, "homer": {}},
        "turned": {"ours": {}, "homer": {}},
    }
    for name in names:
        foreground, background = read_set(name)
        ours, theirs = find_motifs(foreground, background), read_motifs(HOMER / name)
        record["headers"][name] = headers(name, foreground, background)
        record["agreement"] += agreement(name, ours, theirs)
        for whose, motifs in (("ours", ours), ("homer", theirs)):
            record["descriptors"][whose][name] = motif_descriptors(motifs)
            record["turned"][whose][name] = motif_descriptors(turned(motifs))
        print(f"{name}: {len(ours)} motifs, HOMER {len(theirs)}", file=sys.stderr)
    for key, values in (("correlations", "descriptors"), ("turned_correlations", "turned")):
        record[key] = correlations(record[values]["ours"], record[values]["homer"])
    return record


if __name__ == "__main__":
    if sys.argv[1:2] == ["--find"]:
        find_once(sys.argv[2])
    else:
        main(is_speed_alone=sys.argv[1:] == ["--speed"])
