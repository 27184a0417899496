"""describe(): from files to forty numbers, and their JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyBigWig
import pytest

from descriptors import pipeline
from descriptors.background import gc_share, motif_windows
from descriptors.errors import InputError
from descriptors.genome import Genome
from descriptors.motifs import FINDER_REVISION, Motif, find_motifs
from descriptors.peaks import overlaps, read_peaks
from descriptors.pipeline import Descriptors, describe
from descriptors.schema import NAMES

SIZES = {"chrI": 20_000, "chrII": 20_000, "chrIII": 20_000}
MOTIF = "GGGTAACCGT"

Inputs = dict[str, Any]


def write_inputs(folder: Path) -> Inputs:
    """Write a small genome with everything."""
    folder.mkdir(exist_ok=True)
    letters: dict[str, list[str]] = {}
    peaks, genes = "", ""
    phastcons = pyBigWig.open(str(folder / "phastcons.bw"), "w")
    phastcons.addHeader(list(SIZES.items()))
    for at, (name, size) in enumerate(SIZES.items()):
        generator = np.random.default_rng(at)
        letters[name] = list(generator.choice(list("ACGT"), size))
        starts = np.sort(generator.choice(np.arange(300, size - 600, 400), 20, replace=False))
        for start in starts.tolist():
            width = int(generator.integers(50, 200))
            letters[name][start + 20 : start + 30] = MOTIF
            peaks += f"{name}\t{start}\t{start + width}\n"
            genes += "".join(
                f'{name}\t.\texon\t{first}\t{last}\t.\t+\t.\ttranscript_id "{name}.{start}";\n'
                for first, last in ((start + 130, start + 170), (start + 250, start + 300))
            )
            genes += f'{name}\t.\tCDS\t{start + 140}\t{start + 170}\t.\t+\t.\ttranscript_id "{name}.{start}";\n'
        scores = generator.random(size).round(2).tolist()
        phastcons.addEntries(name, 0, values=scores, span=1, step=1)
    phastcons.close()
    fasta = "".join(f">{name}\n{''.join(bases)}\n" for name, bases in letters.items())
    (folder / "genome.fa").write_text(fasta)
    (folder / "peaks.bed").write_text(peaks)
    (folder / "genes.gtf").write_text(genes)
    (folder / "exclude.bed").write_text("chrI\t0\t900\nchrIII\t0\t900\n")
    paths = {"peaks": "peaks.bed", "genome": "genome.fa", "annotation": "genes.gtf"}
    paths |= {"phastcons": "phastcons.bw", "phylop": "phastcons.bw", "exclude": "exclude.bed"}
    inputs: Inputs = {key: folder / name for key, name in paths.items()}
    return inputs | {"category": "tf", "factor": "Reb1"}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for one motif of each length only."""
    monkeypatch.setattr(pipeline, "find_motifs", partial(find_motifs, motifs_per_length=1))


@pytest.fixture
def no_motifs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for no motifs, for tests of everything else."""
    monkeypatch.setattr(pipeline, "find_motifs", lambda *_, **__: [])


@pytest.mark.usefixtures("quick")
def test_all_forty_values_are_there_and_two_runs_give_the_same_bytes(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path)
    found = describe(**inputs)
    assert list(found.values) == list(NAMES)
    assert all(value is not None for value in found.values.values())
    assert np.isfinite(found.vector()).all()
    assert found.task == "peaks"
    assert found.motif_finder == f"the built-in finder, revision {FINDER_REVISION}"
    best = min(found.motifs, key=lambda motif: motif.log_p)
    assert (
        best.consensus in (MOTIF, "ACGGTTACCC", MOTIF[:8], MOTIF[1:9], MOTIF[2:])
        or best.targets > 50
    )
    assert describe(**inputs).to_json() == found.to_json()
    assert str(tmp_path) not in found.to_json()


@pytest.mark.usefixtures("no_motifs")
def test_values_equal_a_plain_computation(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path)
    found = describe(**inputs, chromosomes=["chrII"]).values
    rows = [line.split("\t") for line in inputs["peaks"].read_text().splitlines()]
    peaks = [(int(start), int(end)) for name, start, end in rows if name == "chrII"]
    widths = [end - start for start, end in peaks]
    assert found["n_peaks"] == len(peaks) == 20
    assert found["peak_width_median_bp"] == np.median(widths)
    assert found["peak_width_variance_bp2"] == pytest.approx(np.var(widths))
    exons = [line.split("\t") for line in inputs["annotation"].read_text().splitlines()]
    exons = [line for line in exons if line[0] == "chrII" and line[2] == "exon"]
    distances = [
        min(max(int(line[3]) - 1 - end, start - int(line[4]), -1) + 1 for line in exons)
        for start, end in peaks
    ]
    assert found["exon_distance_median_bp"] == np.median(distances)
    assert found["exon_distance_variance_bp2"] == pytest.approx(np.var(distances))
    with pyBigWig.open(str(inputs["phastcons"])) as track:
        scores = [track.values("chrII", start, end) for start, end in peaks]
    assert found["phastcons_mean"] == pytest.approx(np.concatenate(scores).mean())


@pytest.mark.usefixtures("no_motifs")
@pytest.mark.parametrize(
    ("absent", "prefixes"),
    [
        ("annotation", ("splice", "exon", "gene", "utr")),
        ("phastcons", ("phastcons",)),
        ("phylop", ("phylop",)),
        ("category", ("is_",)),
        ("factor", ("has_",)),
    ],
)
def test_a_value_is_missing_only_where_its_input_is(
    tmp_path: Path, absent: str, prefixes: tuple[str, ...]
) -> None:
    inputs = write_inputs(tmp_path)
    del inputs[absent]
    found = describe(**inputs)
    missing = {name for name, value in found.values.items() if value is None}
    expected = {name for name in NAMES if name.startswith((*prefixes, "motif"))}
    assert missing == expected
    assert np.isnan(found.vector()).sum() == len(expected)


@pytest.mark.usefixtures("no_motifs")
def test_every_source_names_its_file_its_hash_and_what_was_left_out(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path)
    sources = describe(**inputs, chromosomes=["chrI"]).sources
    assert set(sources) == {
        "annotation", "exclude", "genome", "interpro", "motifs", "peaks", "phastcons", "phylop",
    }  # fmt: skip
    left_out = sources["peaks"]["left_out"]
    assert left_out["on a chromosome that was not asked for"] == 40
    assert left_out.get("on an excluded region", 0) + sources["peaks"]["rows"] == 20
    exclude = inputs["exclude"]
    exclude.write_text(exclude.read_text() + "scaffold9\t0\t900\n")
    assert describe(**inputs).sources["exclude"]["rows"] == 2
    assert describe(**inputs).sources["exclude"]["left_out"] == {
        "on a chromosome that the genome does not have": 1
    }
    for name in set(sources) - {"motifs"}:
        assert len(sources[name]["sha256"]) == 64
        assert "/" not in sources[name]["name"]


@pytest.mark.usefixtures("no_motifs")
@pytest.mark.parametrize(
    ("factor", "flags", "table", "is_listed"),
    [
        ("Mig1", [1.0, 0.0], "factors.tsv", True),  # the user's table lacks it
        ("Reb1", [0.0, 1.0], "mine.tsv", True),  # and overrules the shipped one
        ("Abc1", [1.0, 0.0], "mine.tsv", True),
        ("Xyz1", [None, None], "mine.tsv", False),
    ],
)
def test_the_source_of_the_domains_is_the_table_that_lists_the_factor(
    tmp_path: Path, factor: str, flags: list[float | None], table: str, is_listed: bool
) -> None:
    inputs = write_inputs(tmp_path)
    mine = tmp_path / "mine.tsv"
    mine.write_text("factor\tinterpro\nREB1\tIPR004826\nAbc1\tIPR013087\n")
    found = describe(inputs["peaks"], inputs["genome"], factor=factor, interpro=mine)
    assert [found.values[name] for name in ("has_c2h2_zinc_finger", "has_bzip_maf")] == flags
    source = found.sources["interpro"]
    assert (source["name"], source["listed"]) == (table, is_listed)


@pytest.mark.usefixtures("no_motifs")
def test_points_are_windows_and_unmatched_peaks_are_counted(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path)
    inputs["peaks"].write_text("chrI\t5000\t5001\nchrIII\t7000\t7001\n")
    genes = inputs["annotation"].read_text().splitlines(keepends=True)
    inputs["annotation"].write_text("".join(line for line in genes if line.startswith("chrI\t")))
    found = describe(**inputs, point_window_bp=120)
    assert found.values["peak_width_median_bp"] == 120
    assert found.values["peak_width_variance_bp2"] == 0
    assert found.sources["peaks"]["points"] == 2
    assert found.sources["annotation"]["peaks_on_chromosomes_without"]["gene"] == 1


def rename_peaks(inputs: Inputs) -> None:
    inputs["peaks"].write_text(inputs["peaks"].read_text().replace("chr", ""))


def truncate_genome(inputs: Inputs) -> None:
    inputs["genome"].write_text(">chrI\nACGT\n>chrII\nACGT\n>chrIII\nACGT\n")


def mask_genome(inputs: Inputs) -> None:
    inputs["genome"].write_text("".join(f">{name}\n{'N' * size}\n" for name, size in SIZES.items()))


def cover_genome(inputs: Inputs) -> None:
    inputs["peaks"].write_text("".join(f"{name}\t0\t{size}\n" for name, size in SIZES.items()))
    inputs["exclude"].write_text("chrI\t0\t1\n")


def wrong_category(inputs: Inputs) -> None:
    inputs["category"] = "TF"


def foreign_annotation(inputs: Inputs) -> None:
    inputs["annotation"].write_text(inputs["annotation"].read_text().replace("chr", "scaffold"))


@pytest.mark.usefixtures("no_motifs")
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (rename_peaks, "none of the 60 peaks lies on genome.fa: .* --rename-chromosomes add-chr"),
        (truncate_genome, "looks like one of another assembly"),
        (mask_genome, "no known base"),
        (cover_genome, "leave no room for one background window"),
        (wrong_category, 'the nearest is "tf"'),
        (foreign_annotation, "none of the 180 features lies on genome.fa"),
    ],
)
def test_a_users_mistake_is_an_input_error(
    tmp_path: Path, spoil: Callable[[Inputs], None], message: str
) -> None:
    inputs = write_inputs(tmp_path)
    del inputs["phastcons"], inputs["phylop"]
    spoil(inputs)
    with pytest.raises(InputError, match=message):
        describe(**inputs)


def test_background_is_matched_away_from_peaks_and_exclusions(tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path)
    genome = Genome.open(inputs["genome"])
    table = read_peaks(inputs["peaks"], genome).table
    windows = motif_windows(table, genome, seed=3)
    assert windows.foreground.shape == (60, 200)
    assert (windows.background < 4).all()
    assert abs(gc_share(windows.foreground).mean() - gc_share(windows.background).mean()) < 0.01
    # A window of the background lies where its bases say it does: find it and hold it to the peaks.
    text = {name: genome.codes(name).tobytes() for name in SIZES}
    for row in windows.background[::200]:
        name = next(name for name in SIZES if row.tobytes() in text[name])
        start = text[name].index(row.tobytes())
        place = table.iloc[:1].assign(chromosome=name, start=start, end=start + 200)
        assert not overlaps(place, table).any()
    again = motif_windows(table, genome, seed=3)
    assert np.array_equal(windows.background, again.background)
    assert not np.array_equal(windows.background, motif_windows(table, genome, seed=4).background)
    avoid = table.assign(start=0, end=15_000)
    avoiding = motif_windows(table, genome, avoid=avoid, seed=3).background
    late = {name: genome.codes(name)[15_000:].tobytes() for name in SIZES}
    assert all(any(row.tobytes() in late[name] for name in SIZES) for row in avoiding[::50])


def test_many_peaks_are_sampled_evenly() -> None:
    genome = Genome.from_sequences({"chrI": "ACGTTGCAAC" * 6000})
    table = read_table(np.arange(52_000))
    windows = motif_windows(table, genome)
    assert len(windows.foreground) == 50_000
    assert windows.passed_over == 2_000


def read_table(starts: np.ndarray) -> Any:
    import pandas as pd

    columns = {"chromosome": "chrI", "start": starts, "end": starts + 1, "summit": starts}
    return pd.DataFrame(columns)


@pytest.fixture
def described() -> Descriptors:
    matrix = np.random.default_rng(0).dirichlet(np.ones(4), 6)
    motifs = tuple(
        Motif(name, "ACGTAC", matrix, 4.5, -12.25, 7, 0.1, 0.01, -0.3, 1.125) for name in "ab"
    )
    values = {name: None if "bzip" in name else at / 7 for at, name in enumerate(NAMES)}
    return Descriptors("task", 1, values, {"peaks": {"name": "peaks.bed", "rows": 3}}, motifs)


def test_json_round_trip_keeps_everything(described: Descriptors, tmp_path: Path) -> None:
    path = tmp_path / "task.json"
    described.save(path)
    loaded = Descriptors.load(path)
    assert loaded == described
    assert loaded.to_json() == described.to_json() == path.read_text()
    for one, two in zip(loaded.motifs, described.motifs, strict=True):
        assert np.array_equal(one.probabilities, two.probabilities)
        assert one == two
    assert [entry.name for entry in tmp_path.glob(".task*")] == []


def change(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content.__setitem__(key, value)


def change_value(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda content: content["values"].__setitem__(key, value)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (change("schema_version", 2), "found descriptors of schema 2, schema 1 was needed"),
        (change("value", 2), 'the unknown key "value", the nearest is "values"'),
        (change("values", 2), "holds no descriptors"),
        (change_value("n_peak", 2), 'the unknown descriptor "n_peak", the nearest is "n_peaks"'),
        (change_value("n_peaks", "many"), "found 'many' as \"n_peaks\""),
        (change_value("n_peaks", True), 'found True as "n_peaks"'),
        (change_value("n_peaks", float("nan")), 'found nan as "n_peaks"'),
        (lambda content: content["values"].pop("is_tf"), '"is_tf" is not there'),
        (change("motifs", [{"name": "x"}]), "a motif that cannot be read"),
        (change("motifs", 3), "a motif that cannot be read"),
        (change("sources", 3), "sources that are no mapping"),
        (change("sources", {"peaks": "x.bed"}), "sources that are no mapping"),
    ],
)
def test_json_of_something_else_is_an_input_error(
    described: Descriptors, spoil: Callable[[dict[str, Any]], None], message: str
) -> None:
    content = json.loads(described.to_json())
    spoil(content)
    with pytest.raises(InputError, match=message):
        Descriptors.from_json(json.dumps(content), "task.json")


def test_text_that_is_no_json_and_absent_files_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not JSON"):
        Descriptors.from_json("chrI\t1\t2")
    with pytest.raises(InputError, match="cannot be read"):
        Descriptors.load(tmp_path / "no.json")


def test_a_folder_that_is_not_there_is_an_input_error(
    described: Descriptors, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="cannot be written there"):
        described.save(tmp_path / "no" / "task.json")


@pytest.mark.usefixtures("no_motifs")
def test_the_real_reb1_has_every_value_but_motifs(yeast: Path) -> None:
    found = describe(
        yeast / "peaks" / "Reb1.bed.gz",
        yeast / "genome" / "sacCer3.fa.gz",
        annotation=yeast / "annotation" / "sacCer3.sgd_R64.gtf.gz",
        phastcons=yeast / "conservation" / "sacCer3.phastCons7genomes.bw",
        phylop=yeast / "conservation" / "sacCer3.phyloP7genomes.bw",
        category="tf",
        factor="Reb1",
    )
    assert np.isfinite(found.vector()[:19]).all()
    assert found.vector()[6] == 1078
    assert found.task == "Reb1"


@pytest.mark.usefixtures("no_motifs")
def test_motifs_of_homer_are_summarised_when_given(yeast: Path, tmp_path: Path) -> None:
    inputs = write_inputs(tmp_path)
    found = describe(**inputs, homer=yeast / "homer" / "Reb1")
    texts = [path.read_text() for path in sorted((yeast / "homer" / "Reb1").glob("len*.motif"))]
    assert len(found.motifs) == sum(text.count(">") for text in texts) > 50
    assert found.sources["motifs"]["finder"] == "homer"
    assert len(found.sources["motifs"]["sha256"]) == 64
    assert np.isfinite(found.vector()).all()
    # Read off the headers of len6.motif, which by name stands between len10 and len8.
    headers = texts[1].split("Multiplicity:")[1:]
    multiplicities = [float(header.split()[0]) for header in headers]
    assert found.vector()[NAMES.index("motif6_multiplicity_max")] == max(multiplicities)


@pytest.mark.parametrize(
    "name", ["n_peaks", "exon_distance_variance_bp2", "motif8_multiplicity_variance"]
)
def test_a_number_that_cannot_be_is_refused_on_reading(name: str) -> None:
    values = dict.fromkeys(NAMES, 0.0)
    content = {"schema_version": 1, "task": "t", "values": {**values, "phylop_mean": -1.5}}
    read = Descriptors.from_json(json.dumps(content))
    assert read.vector()[NAMES.index("phylop_mean")] == -1.5
    content["values"] |= {name: -5}
    with pytest.raises(InputError) as caught:
        Descriptors.from_json(json.dumps(content), "task.json")
    assert str(caught.value).startswith(f'task.json: found -5 as "{name}" (')
    assert str(caught.value).endswith("), which is never below 0; correct it")


@pytest.mark.usefixtures("no_motifs")
@pytest.mark.parametrize("wrong", [-0.25, 1.5])
def test_phylop_in_the_place_of_phastcons_is_refused(tmp_path: Path, wrong: float) -> None:
    inputs = write_inputs(tmp_path)
    first = (tmp_path / "peaks.bed").read_text().split("\t")
    swapped = tmp_path / "swapped.bw"
    with pyBigWig.open(str(swapped), "w") as track:
        track.addHeader(list(SIZES.items()))
        scores = [0.5] * SIZES["chrI"]
        scores[10] = -9.0  # under no peak
        scores[int(first[1])] = wrong  # the mean stays within 0 and 1
        track.addEntries("chrI", 0, values=scores, span=1, step=1)
    del inputs["exclude"]
    found = describe(**{**inputs, "phylop": swapped})
    assert np.isfinite(found.vector()[NAMES.index("phylop_mean")])
    with pytest.raises(InputError) as caught:
        describe(**{**inputs, "phastcons": swapped})
    low, high = sorted([0.5, wrong])
    assert str(caught.value) == (
        f"{swapped}: found scores from {low:g} to {high:g} under the peaks where phastCons has probabilities from 0 to "
        "1; it may be phyloP: give it as that, and name the file of phastCons"
    )
