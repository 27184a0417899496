"""The 13 human data sets as tasks: seven of CLIP (RNA, read on its strand), six of ChIP-seq; 101 bp, no genome."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ambient.data.task import ORIGINS, TaskData
from descriptors import Descriptors
from descriptors.motifs import FINDER_REVISION, find_motifs, motif_descriptors
from descriptors.proteins import assay_flags, domain_flags, read_domains
from descriptors.schema import NAMES, SCHEMA_VERSION

HERE = Path(__file__).resolve().parent
DATA = HERE.parents[2] / "shared" / "data"
CLIP = ("ELAVL1", "HNRNPC", "PUM2", "QKI", "TARDBP", "TIA1", "U2AF2")
CHIP = ("SRF", "TAF1", "TBP", "TEAD4", "USF1", "YY1")
NAMES_OF_TASKS = (*CLIP, *CHIP)

WIDTH_BP = 101
STORED_BP = 1000 + 2 * 32  # the widest window of ambient-plus, shifted; no base beyond the 101
POSITIVES, NEGATIVES = 3000, 6000  # drawn of each, as a middling data set has
VALIDATION, TEST = ("chr2", "chr9", "chr16"), ("chr1", "chr8", "chr21")  # of CLIP
SHARE = 0.15  # of ChIP-seq's training positives, which have no places, that validate
TRAIN, VALIDATE, MEASURE = 0, 1, 2

_CODES = np.full(256, 4, dtype=np.uint8)
for _code, _letters in enumerate(("Aa", "Cc", "Gg", "TtUu")):
    for _letter in _letters:
        _CODES[ord(_letter)] = _code


def read_task(name: str) -> TaskData:
    """Make a task; that of a CLIP data set is stranded."""
    return _clip(name) if name in CLIP else _chip(name)


def describe(name: str, task: TaskData) -> Descriptors:
    """Give the descriptors of sequences without places: assay, domains, peaks, motifs of the training windows."""
    train = task.subset("train")
    left = (task.stored_bp - WIDTH_BP) // 2
    inner = task.codes[:, left : left + WIDTH_BP]
    positive = task.labels[train, 0] > 0.5
    motifs = find_motifs(inner[train[positive]], inner[train[~positive]])
    domains, source = read_domains()
    values = {
        **assay_flags(task.category),
        **domain_flags(name, task.category, domains),
        "n_peaks": float(positive.sum()),
        "peak_width_median_bp": float(WIDTH_BP),
        "peak_width_variance_bp2": 0.0,
        **motif_descriptors(motifs),
    }
    return Descriptors(
        name,
        SCHEMA_VERSION,
        {key: values.get(key) for key in NAMES},
        {
            "motifs": {"finder": "built-in", "revision": FINDER_REVISION},
            "interpro": source.to_dict(),
        },
        tuple(motifs),
    )


def _clip(name: str) -> TaskData:
    sequences: dict[str, tuple[int, str]] = {}  # each once: its label and chromosome
    for part in ("train", "test"):
        for header, sequence in _fasta(DATA / "human_clip" / f"{name}.{part}.fa.gz"):
            place, label = header.split("; class:")
            sequences.setdefault(sequence, (int(label), place.split(",")[0]))
    labels = np.array([label for label, _ in sequences.values()], dtype=np.float32)
    chromosomes = np.array([chromosome for _, chromosome in sequences.values()])
    split = np.full(len(labels), TRAIN, dtype=np.uint8)
    split[np.isin(chromosomes, VALIDATION)] = VALIDATE
    split[np.isin(chromosomes, TEST)] = MEASURE
    rng = np.random.default_rng(0)
    drawn = [
        rng.permutation(np.flatnonzero(labels == label))[:count]
        for label, count in ((1, POSITIVES), (0, NEGATIVES))
    ]
    rows = np.sort(np.concatenate(drawn))
    codes = _coded(list(sequences))[rows]
    return _task(name, "other", codes, labels[rows], split[rows], stranded=True)


def _chip(name: str) -> TaskData:
    """Train and validate on positives and their dinucleotide shuffles; measure on DeepBind's own test windows."""
    place = DATA / "human_chip"
    of = {part: _table(place / f"{name}.{part}.seq.gz") for part in ("train", "test")}
    rng = np.random.default_rng(0)
    positives = np.unique(_coded([sequence for sequence, _ in of["train"]]), axis=0)
    positives = rng.permutation(positives)[:POSITIVES]
    test = _coded([sequence for sequence, _ in of["test"]])
    known = {row.tobytes() for row in positives}
    fresh = np.array([row.tobytes() not in known for row in test])
    each = NEGATIVES // POSITIVES
    shuffled = np.stack([shuffle(row, rng) for row in positives for _ in range(each)])
    validates = rng.random(len(positives)) < SHARE
    split = np.r_[validates, np.repeat(validates, each)].astype(np.uint8)
    truth = np.array([label for _, label in of["test"]], dtype=np.float32)[fresh]
    return _task(
        name,
        "tf",
        np.concatenate([positives, shuffled, test[fresh]]),
        np.r_[np.ones(len(positives)), np.zeros(len(shuffled)), truth].astype(np.float32),
        np.r_[split, np.full(len(truth), MEASURE)].astype(np.uint8),
        stranded=False,
    )


def shuffle(codes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffle a sequence such that the count of each pair of neighbours stays the same.

    Parameters
    ----------
    codes : ndarray, uint8, shape (width,)
        A0 C1 G2 T3, other 4.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, uint8, shape (width,)
        With the same first and last base.

    Source
    ------
    Altschul and Erickson 1985, Significance of nucleotide sequence alignments, algorithm of the random Eulerian walk.
    """
    last, bases = int(codes[-1]), np.unique(codes)
    follows = {int(base): codes[1:][codes[:-1] == base].tolist() for base in bases}
    while True:  # until the last steps out of each base lead to the end
        exits = {base: int(rng.choice(after)) for base, after in follows.items() if base != last}
        if all(_leads_to(last, base, exits) for base in exits):
            break
    orders = {}
    for base, after in follows.items():
        rest = list(after)
        if base in exits:
            rest.remove(exits[base])
        rest = rng.permutation(rest).tolist()
        orders[base] = iter([*rest, exits[base]] if base in exits else rest)
    walk = [int(codes[0])]
    for _ in range(len(codes) - 1):
        walk.append(int(next(orders[walk[-1]])))
    return np.array(walk, dtype=np.uint8)


def _leads_to(last: int, base: int, exits: dict[int, int]) -> bool:
    for _ in range(len(exits)):
        base = exits[base]
        if base == last:
            return True
    return False


def _task(
    name: str,
    category: str,
    codes: np.ndarray,
    labels: np.ndarray,
    split: np.ndarray,
    stranded: bool,
) -> TaskData:
    stored = np.full((len(codes), STORED_BP), 4, dtype=np.uint8)
    left = (STORED_BP - WIDTH_BP) // 2
    stored[:, left : left + WIDTH_BP] = codes
    origin = np.where(labels > 0.5, 0, ORIGINS.index("file")).astype(np.uint8)
    return TaskData(
        name, category, WIDTH_BP, stored, labels[:, None], split, origin, stranded=stranded
    )


def _coded(sequences: list[str]) -> np.ndarray:
    """Code sequences, uint8 (n, 101)."""
    return _CODES[np.frombuffer("".join(sequences).encode(), np.uint8)].reshape(
        len(sequences), WIDTH_BP
    )


def _fasta(path: Path) -> Iterator[tuple[str, str]]:
    """Give headers and sequences."""
    with gzip.open(path, "rt") as stream:
        for record in stream.read().split(">")[1:]:
            header, _, rest = record.partition("\n")
            yield header.strip(), rest.replace("\n", "")


def _table(path: Path) -> list[tuple[str, int]]:
    """Give the sequences of DeepBind's format, and whether they are bound."""
    with gzip.open(path, "rt") as stream:
        rows = [line.rstrip("\n").split("\t") for line in stream][1:]
    return [(row[2], int(row[3])) for row in rows]
