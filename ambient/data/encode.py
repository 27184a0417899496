"""The data sets of ENCODE: from the portal's metadata.tsv to a table of tasks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ambient.data.specs import read_rows
from ambient.data.strict import nearest
from ambient.errors import InputError
from ambient.files import write_atomic

__all__ = ["EncodeTasks", "write_encode_tasks"]

# Sets of peaks that are final, the most cautious first; other output types are steps on the way.
_IDR = (
    "conservative idr thresholded peaks",
    "idr thresholded peaks",
    "optimal idr thresholded peaks",
)
_REPLICATED = ("replicated peaks", "pseudoreplicated peaks", "stable peaks")
_FINAL = {
    "tf": _IDR,
    "polymerase": _IDR,
    "histone": _REPLICATED,
    "accessibility": (*_IDR, *_REPLICATED, "peaks"),
    "other": ("peaks",),  # of eCLIP
}
_ACCESSIBILITY = ("dnase-seq", "atac-seq")
_RNA = ("eclip",)
_CHIP = ("chip-seq", "tf chip-seq", "histone chip-seq", "mint-chip-seq")
_HISTONE = re.compile(r"H(1|2A|2B|3|4)")
_POLYMERASE = re.compile(r"POLR[123]")
_TAG = re.compile(r"^(eGFP|YFP|FLAG|3xFLAG|HA)-")
_NEEDED = (
    *("File accession", "File format", "Output type", "Experiment accession", "Assay"),
    *("Biosample term name", "Experiment target", "File Status"),
)
_ASSEMBLY = ("File assembly", "Assembly")  # the second in files of before 2021
_COLUMNS = (
    *("name", "peaks", "category", "factor", "biosample", "assay", "experiment", "md5sum", "url"),
    "stranded",
)


@dataclass(frozen=True)
class EncodeTasks:
    """What became of the rows of a metadata.tsv."""

    tasks: int  # one for each experiment
    left_out: Mapping[str, int]  # rows, by reason


@dataclass(frozen=True)
class _File:
    """A row of metadata.tsv that may become a task."""

    row: Mapping[str, str]
    category: str
    factor: str
    rank: int  # of its output type, 0 the best

    @property
    def experiment(self) -> str:
        return self.row["Experiment accession"]

    @property
    def stranded(self) -> bool:
        return self.row["Assay"].lower() in _RNA

    @property
    def replicates(self) -> int:
        return len(self.row.get("Biological replicate(s)", "").split(","))


def write_encode_tasks(
    metadata: str | Path, output: str | Path, peaks: str = "peaks", assembly: str = "GRCh38"
) -> EncodeTasks:
    """Choose one set of peaks for each ENCODE experiment and write them as a table of tasks.

    Parameters
    ----------
    metadata : path
        metadata.tsv of the portal's batch download.
    output : path
        The TSV, which `tasks` of a corpus file may name. Columns: name (target, biosample and
        experiment), peaks, category, factor, biosample, assay, experiment, md5sum, url, stranded.
    peaks : str
        The folder of the peak files, which need not be there yet; relative to the table's.
    assembly : str
        As the portal spells it.

    Returns
    -------
    EncodeTasks

    Raises
    ------
    InputError
        The file is absent, cannot be read or lacks a column, or no row of it can be a task.

    Notes
    -----
    Taken are released narrowPeak files of ChIP-seq, DNase-seq, ATAC-seq and eCLIP. Of those of one
    experiment the best is chosen: by its output type (conservative IDR thresholded, IDR
    thresholded, optimal IDR thresholded; replicated, pseudoreplicated, stable for histones; peaks
    for DNase-seq and eCLIP), then by the number of replicates, then by the latest analysis, then the
    first by accession. Targets that begin with POLR1, POLR2 or POLR3 are polymerases, those that begin
    with H1, H2A, H2B, H3 or H4 histones, all others transcription factors. Tasks of eCLIP are stranded
    and of the category other; their peaks must be those that several replicates share, since the peaks
    of one alone hold everything that was called.
    """
    metadata = Path(metadata)
    if not metadata.is_file():
        raise InputError(
            f"{metadata}: there is no such file; name the metadata.tsv of the portal's batch download"
        )
    rows, header = read_rows(metadata)
    column = next((name for name in _ASSEMBLY if name in header), _ASSEMBLY[0])
    for name in (*_NEEDED, column):
        if name not in header:
            raise InputError(
                f'{metadata}: has no column "{name}"; {nearest(name, header)}. Needed is the '
                "metadata.tsv of the portal's batch download"
            )
    left_out: Counter[str] = Counter()
    files = []
    for _, row in rows:
        judged = _judge(row, row[column] == assembly, assembly)
        if isinstance(judged, str):
            left_out[judged] += 1
        else:
            files.append(judged)
    chosen = _one_of_each(files)
    if not chosen:
        lost = "; ".join(f"{count:,} {reason}" for reason, count in left_out.items())
        raise InputError(
            f"{metadata}: none of its {len(rows):,} rows can be a task ({lost or 'it is empty'}); "
            "choose released narrowPeak files on the portal, or another assembly"
        )
    if len(files) > len(chosen):
        left_out["another file of the experiment was chosen"] = len(files) - len(chosen)
    lines = ["\t".join(_COLUMNS), *("\t".join(_cells(one, peaks)) for one in chosen)]
    write_atomic(output, "\n".join(lines) + "\n")
    return EncodeTasks(len(chosen), dict(left_out))


def _judge(row: Mapping[str, str], is_of_assembly: bool, assembly: str) -> _File | str:
    """Give what a row offers, or the reason why it is left out."""
    if row["File Status"].lower() != "released":
        return "not released"
    if not is_of_assembly:
        return f"of another assembly than {assembly}"
    if row["File format"].lower() != "bed narrowpeak":
        return "no narrowPeak"
    assay = row["Assay"].lower()
    factor = _TAG.sub("", row["Experiment target"].rpartition("-")[0])  # CTCF-human: CTCF
    if assay in _ACCESSIBILITY:
        category, factor = "accessibility", ""
    elif assay not in (*_CHIP, *_RNA):
        return f"of the assay {row['Assay']}, which is not supported"
    elif not factor:
        return "without a target"
    elif assay in _RNA:
        category = "other"
    elif _HISTONE.match(factor):
        category = "histone"
    else:
        category = "polymerase" if _POLYMERASE.match(factor) else "tf"
    output_type = row["Output type"].lower().replace("pseudo-replicated", "pseudoreplicated")
    if output_type not in _FINAL[category]:
        return f'of the output type "{row["Output type"]}", no final set of peaks'
    found = _File(row, category, factor, _FINAL[category].index(output_type))
    if found.stranded and found.replicates < 2:
        return "of one replicate of eCLIP alone, no final set of peaks"
    return found


def _one_of_each(files: Sequence[_File]) -> list[_File]:
    """Choose the best file of each experiment; the experiments in the order of their accessions."""
    # Each sort keeps the order of the one before among equals.
    ordered = sorted(files, key=lambda one: one.row["File accession"])
    ordered.sort(key=lambda one: one.row.get("File analysis title", ""), reverse=True)
    ordered.sort(key=lambda one: (one.experiment, one.rank, -one.replicates))
    best: dict[str, _File] = {}
    for one in ordered:
        best.setdefault(one.experiment, one)
    return list(best.values())


def _cells(one: _File, folder: str) -> list[str]:
    row = one.row
    url = row.get("File download URL", "")
    file = PurePosixPath(url).name or f"{row['File accession']}.bed.gz"
    words = (one.factor or row["Assay"], row["Biosample term name"], one.experiment)
    return [
        "_".join(re.sub(r"[^\w.+-]+", "-", word).strip("-") for word in words),
        f"{folder}/{file}",
        one.category,
        one.factor,
        row["Biosample term name"],
        row["Assay"],
        one.experiment,
        row.get("md5sum", ""),
        url,
        str(one.stranded).lower(),
    ]
