"""With a split, nothing on a validation or test chromosome changes a descriptor."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from descriptors import pipeline
from descriptors.errors import InputError
from descriptors.motifs import find_motifs
from descriptors.pipeline import Descriptors, describe

TRAINING = {"chrI": 16_000, "chrV": 14_000}
HELD_BACK = ("chrIII", "chrX")  # validation and test, in the middle and at the end by name
MOTIF = "GGGTAACC"
EXON_ROWS = ("exon", "CDS")
EVERY_ROW = (
    "gene",
    "ncRNA_gene",
    "transcript",
    "mRNA",
    *EXON_ROWS,
    "stop_codon",
    "UTR",
    "five_prime_utr",
)


@dataclass(frozen=True)
class Chromosome:
    """What is drawn on one chromosome; every file has rows of it."""

    seed: int = 0
    size: int = 12_000
    peaks: int = 15
    widths: tuple[int, int] = (40, 200)
    kinds: tuple[str, ...] = EXON_ROWS  # of the annotation's rows
    shared: bool = (
        False  # whether its transcripts have the ids of those of the training chromosomes
    )
    bases: str = "ACGT"
    scored: bool = True
    excluded: bool = False


@dataclass(frozen=True)
class World:
    """Training chromosomes, which never change, and the others."""

    held_back: dict[str, Chromosome]
    training_kinds: tuple[str, ...] = EXON_ROWS
    order: tuple[int, ...] = (0, 1, 2, 3)
    first: dict[str, list[str]] = field(default_factory=dict)  # rows put before a file's own

    def chromosomes(self) -> dict[str, Chromosome]:
        """All chromosomes in the order in which the files name them."""
        fixed = {
            name: Chromosome(seed=at, size=size, peaks=25, kinds=self.training_kinds)
            for at, (name, size) in enumerate(TRAINING.items())
        }
        every = list({**fixed, **self.held_back}.items())
        return dict(every[at] for at in self.order if at < len(every))


def write_world(folder: Path, world: World, tracks: bool) -> dict[str, Any]:
    """Write the files of a world; give describe's arguments with the split."""
    folder.mkdir(parents=True, exist_ok=True)
    texts: dict[str, list[str]] = {
        name: list(world.first.get(name, ())) for name in ("peaks", "genes", "exclude", "genome")
    }
    scores: dict[str, list[float]] = {}
    for name, drawn in world.chromosomes().items():
        rng = np.random.default_rng([11, drawn.seed])
        letters = rng.choice(list(drawn.bases), drawn.size)
        for start in np.sort(rng.choice(np.arange(300, drawn.size - 900, 300), drawn.peaks, False)):
            width = int(rng.integers(*drawn.widths))
            letters[start + 20 : start + 20 + len(MOTIF)] = list(MOTIF)
            place = f"{name}\t{start}\t{start + width}\tp\t{rng.integers(1000)}\t.\t1.5\t-1\t-1"
            texts["peaks"].append(f"{place}\t{rng.integers(width)}")
            owner = f"t{start}" if drawn.shared else f"{name}.{start}"
            first, last = int(start) + 90 + int(rng.integers(60)), int(start) + 190
            for kind in drawn.kinds:
                texts["genes"] += [
                    f'{name}\t.\t{kind}\t{at}\t{at + length}\t.\t+\t.\ttranscript_id "{owner}";'
                    for at, length in ((first + 5 * (kind == "CDS"), 20), (last, 30))
                ]
        texts["genome"] += [f">{name} text", "".join(letters)]
        if drawn.excluded:
            texts["exclude"].append(f"{name}\t0\t{drawn.size}")
        if drawn.scored:
            scores[name] = rng.random(drawn.size).round(2).tolist()
    texts["exclude"].append("chrI\t0\t700")
    arguments: dict[str, Any] = {"category": "tf", "factor": "Reb1", "chromosomes": list(TRAINING)}
    names = {"genome": "genome", "peaks": "peaks", "genes": "annotation", "exclude": "exclude"}
    for name, argument in names.items():
        (folder / name).write_text("\n".join(texts[name]) + "\n")
        arguments[argument] = folder / name
    if tracks:
        arguments["phastcons"] = arguments["phylop"] = folder / "scores.bw"
        with pyBigWig.open(str(folder / "scores.bw"), "w") as track:
            track.addHeader([(name, len(values)) for name, values in scores.items()])
            for name, values in scores.items():
                track.addEntries(name, 0, values=values, span=1, step=1)
    return arguments


def described(folder: Path, world: World, tracks: bool = False) -> Descriptors:
    return describe(**write_world(folder, world, tracks))


def same(one: Descriptors, two: Descriptors) -> bool:
    """Whether all that a controller sees, and the motifs behind it, are equal to the last bit."""
    matrices = [[m.probabilities.tolist() for m in made.motifs] for made in (one, two)]
    return one.values == two.values and one.motifs == two.motifs and matrices[0] == matrices[1]


PLAIN = World({name: Chromosome(seed=7 + at) for at, name in enumerate(HELD_BACK)})


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], Descriptors]:
    """What is described where nothing was changed, for two kinds of annotation."""
    with pytest.MonkeyPatch.context() as patch:
        quicken(patch)
        return {
            kinds: described(tmp_path_factory.mktemp("before"), World(PLAIN.held_back, kinds))
            for kinds in (EXON_ROWS, EVERY_ROW)
        }


def quicken(patch: pytest.MonkeyPatch) -> None:
    """Look for the best motif of length 6 only: the windows that the finder sees are what could leak."""
    few = partial(find_motifs, lengths=(6,), motifs_per_length=1)
    patch.setattr(pipeline, "find_motifs", few)


chromosomes = st.builds(
    Chromosome,
    seed=st.integers(100, 999),
    size=st.integers(6_000, 30_000),
    peaks=st.integers(0, 15),
    widths=st.sampled_from([(1, 2), (40, 200), (300, 900)]),
    kinds=st.lists(st.sampled_from(EVERY_ROW), unique=True).map(tuple),
    shared=st.booleans(),
    bases=st.sampled_from(["ACGT", "GC", "acgtN", "N"]),
    excluded=st.booleans(),
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    drawn=st.tuples(chromosomes, chromosomes),
    absent=st.booleans(),
    kinds=st.sampled_from([EXON_ROWS, EVERY_ROW]),
    order=st.permutations(range(4)),
)
def test_no_change_of_a_held_back_chromosome_changes_a_descriptor(
    before: dict[tuple[str, ...], Descriptors],
    tmp_path: Path,
    drawn: tuple[Chromosome, Chromosome],
    absent: bool,
    kinds: tuple[str, ...],
    order: list[int],
) -> None:
    changed = dict(zip(HELD_BACK, drawn, strict=True))
    if absent:  # the chromosome is in no file at all
        del changed[HELD_BACK[0]]
    with pytest.MonkeyPatch.context() as patch:
        quicken(patch)
        after = described(tmp_path, World(changed, kinds, tuple(order)))
    assert same(before[kinds], after)
    assert after.sources["genome"]["sha256"] != before[kinds].sources["genome"]["sha256"]


def test_no_change_of_conservation_or_of_any_motif_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "find_motifs", partial(find_motifs, motifs_per_length=1))
    one = described(tmp_path / "one", PLAIN, tracks=True)
    other = Chromosome(seed=500, size=20_000, peaks=3, kinds=EVERY_ROW, scored=False)
    changed = {"chrIII": Chromosome(seed=400, bases="GC"), "chrX": other}
    two = described(tmp_path / "two", World(changed, order=(3, 0, 2, 1)), tracks=True)
    assert all(value is not None for value in one.values.values())
    assert same(one, two)
    assert one.sources["phastcons"]["sha256"] != two.sources["phastcons"]["sha256"]


@pytest.mark.parametrize(
    ("file", "rows"),
    [
        ("genes", ["##gff-version 3", "chrX\t.\texon\t1\t900\t.\t-\t.\tParent=a,b"]),
        ("genes", ['chrX\t.\texon\t5\t90\t.\t-\t.\ttranscript_id "chrI.300";']),
        ("peaks", ["track name=x", "chrX\t10\t90\tp\t5\t+\t1\t2\t3\t4"]),
        ("exclude", ["chrX\t10\t90\tname\t5\t+"]),
    ],
)
def test_no_first_row_on_a_held_back_chromosome_changes_how_the_rest_is_read(
    before: dict[tuple[str, ...], Descriptors],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    rows: list[str],
) -> None:
    quicken(monkeypatch)
    after = described(tmp_path, World(PLAIN.held_back, first={file: rows}))
    assert same(before[EXON_ROWS], after)


@pytest.mark.parametrize(
    "row",
    [
        "chrX\t10\t90",
        "chrX\t10\t90\tp\t5\t+\t.\t2\t3\t4",
        "chrX\t10\t90\tp\t5\t+\t10\t90\t0\t1\t80\t0",
    ],
)
def test_a_first_row_of_another_format_is_an_error_and_not_another_result(
    tmp_path: Path, row: str
) -> None:
    with pytest.raises(
        InputError, match=r"peaks:2: .*(columns of the first row|those of narrowPeak)"
    ):
        described(tmp_path, World(PLAIN.held_back, first={"peaks": [row]}))


def test_a_change_of_a_training_chromosome_does_change_them(
    before: dict[tuple[str, ...], Descriptors], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quicken(monkeypatch)
    rows = {"peaks": ["chrI\t9001\t9101\tp\t5\t+\t1\t2\t3\t4"]}
    after = described(tmp_path, World(PLAIN.held_back, first=rows))
    assert not same(before[EXON_ROWS], after)
