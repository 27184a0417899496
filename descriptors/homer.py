"""HOMER: read the motifs that it wrote, write motifs its way, run it."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from descriptors.errors import InputError
from descriptors.motif_model import BASES, Motif
from descriptors.motif_scan import check_codes
from descriptors.sources import open_text

PROGRAM = "homer2"
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
TARGETS = re.compile(rf"T:({NUMBER})\(({NUMBER})%\)")
FOUND = re.compile(rf"B:({NUMBER})\(({NUMBER})%\)")
STATISTICS = {
    name: re.compile(rf"{name}:({NUMBER})(?:,|\s|$)") for name in ("StrandBias", "Multiplicity")
}
ROW_SUM_TOLERANCE = 0.05  # three decimals in four columns, and a little more
LONGEST_MOTIF = 100  # rows; a file with more is not one of motifs
# What a folder of results may hold, best first; each of these lists every motif of the search once. In
# homerResults lie similar and reversed copies beside them (motif1.similar1.motif, motif1RV.motif).
FILE_PATTERNS = (
    r"homerMotifs\.motifs\d+",
    r"len\d+\.motif",
    r"homerMotifs\.all\.motifs",
    r"motif\d+\.motif",
)
_AS_HOMER = "give motifs as HOMER 2 writes them, or use the built-in finder"
RESULTS = "homerResults"  # the folder in a result folder that holds motif1.motif, motif2.motif, ...


def motif_files(path: str | Path) -> list[Path]:
    """Return the files that `read_motifs` reads, in the order of the numbers in their names.

    Parameters
    ----------
    path : str or Path
        As `read_motifs` takes it.

    Raises
    ------
    InputError
        Nothing is there, or the folder holds no file of motifs.
    """
    path = Path(path)
    if path.is_dir():
        for folder in (path, path / RESULTS):
            there = sorted(folder.iterdir()) if folder.is_dir() else []
            for pattern in FILE_PATTERNS:
                files = [file for file in there if re.fullmatch(pattern, file.name)]
                if files:
                    return sorted(files, key=_number_in_name)
        raise InputError(
            f"{path}: no homerMotifs.motifs*, len*.motif, homerMotifs.all.motifs or motif*.motif in this folder; "
            "give the folder that findMotifsGenome.pl wrote, or one motif file"
        )
    if not path.is_file():
        raise InputError(
            f"{path}: there is no such file or folder; give HOMER's motif file or results folder"
        )
    return [path]


def read_motifs(path: str | Path) -> list[Motif]:
    """Read motifs from one of HOMER's files, or from the folder of its results.

    Parameters
    ----------
    path : str or Path
        A `.motif` file (plain or gz), or a folder with `homerMotifs.motifs6`, `homerMotifs.motifs8`, ... as
        `findMotifsGenome.pl` writes them, or `len6.motif`, `len8.motif`, ..., or where neither is there
        `homerMotifs.all.motifs`, or `motif1.motif`, `motif2.motif`, ..., there or in `homerResults`.

    Returns
    -------
    list of Motif
        At least one, in the order of the files.

    Raises
    ------
    InputError
        Nothing is there, a file holds no motifs, or a line is not what HOMER writes (the error names the line).
    """
    motifs: list[Motif] = []
    for file in motif_files(path):
        with open_text(file) as lines:
            motifs += parse_motifs(lines, file.name)
    return motifs


def _number_in_name(file: Path) -> tuple[int, str]:
    digits = re.search(r"\d+", file.name)
    return int(digits[0]) if digits else 0, file.name


def parse_motifs(lines: Iterable[str], where: str) -> list[Motif]:
    """Read motifs from the lines of one of HOMER's files.

    Parameters
    ----------
    lines : iterable of str
        Header lines that begin with ">" and rows of four probabilities.
    where : str
        The file's name, for errors.

    Returns
    -------
    list of Motif
        At least one.

    Raises
    ------
    InputError
        See `read_motifs`.
    """
    blocks: list[tuple[int, str, list[list[float]]]] = []
    for number, raw in enumerate(lines, start=1):
        line = raw.strip()
        if not line:
            continue
        if line.startswith(">"):
            blocks.append((number, line, []))
        elif not blocks:
            raise InputError(
                f'{where}:{number}: found "{line[:40]}" before the first motif; needed a line ">..."; {_AS_HOMER}'
            )
        else:
            blocks[-1][2].append(_row(line, f"{where}:{number}"))
    if not blocks:
        raise InputError(f"{where}: no motifs in this file; give a file that HOMER wrote with some")
    return [_motif(header, rows, f"{where}:{number}") for number, header, rows in blocks]


def _row(line: str, where: str) -> list[float]:
    fields = line.split()
    if len(fields) != 4 or not all(re.fullmatch(NUMBER, field) for field in fields):
        raise InputError(
            f'{where}: found "{line[:60]}"; needed four probabilities, of A, C, G and T; {_AS_HOMER}'
        )
    row = [float(field) for field in fields]
    if min(row) < 0 or abs(sum(row) - 1) > ROW_SUM_TOLERANCE:
        raise InputError(
            f"{where}: the probabilities add up to {sum(row):.3f}; needed four, none negative, that add "
            f"up to 1; {_AS_HOMER}"
        )
    return row


def _motif(header: str, rows: list[list[float]], where: str) -> Motif:
    fields = header[1:].split("\t")
    if len(fields) < 6:
        raise InputError(
            f"{where}: the header has {len(fields)} columns; needed consensus, name, threshold, ln p, 0, and the "
            f"counts, with tabs between them; {_AS_HOMER}"
        )
    if not 0 < len(rows) <= LONGEST_MOTIF:
        raise InputError(
            f"{where}: the motif has {len(rows)} rows; needed 1 to {LONGEST_MOTIF}, one for each "
            f"position; {_AS_HOMER}"
        )
    numbers = []
    for text, what in ((fields[2], "detection threshold"), (fields[3], "ln p-value")):
        if not re.fullmatch(NUMBER, text.strip()) or not np.isfinite(float(text)):
            raise InputError(f'{where}: the {what} is "{text[:40]}"; needed a number; {_AS_HOMER}')
        numbers.append(float(text))
    counts = ",".join(fields[5:])
    found = {"T": TARGETS.search(counts), "B": FOUND.search(counts)}
    found |= {name: pattern.search(counts) for name, pattern in STATISTICS.items()}
    values: dict[str, tuple[float, ...]] = {}
    for name, match in found.items():
        if match is None:
            raise InputError(
                f'{where}: the header has no readable "{name}:"; needed T:, B:, StrandBias: and Multiplicity:, '
                f"which HOMER 2 writes for motifs that it found; {_AS_HOMER}"
            )
        values[name] = tuple(float(group) for group in match.groups())
        if not all(np.isfinite(values[name])):
            raise InputError(f"{where}: {name}: is not a finite number; needed one; {_AS_HOMER}")
    return Motif(
        name=fields[1],
        consensus=fields[0],
        probabilities=np.array(rows),
        threshold=numbers[0],
        log_p=numbers[1],
        targets=round(values["T"][0]),
        target_share=values["T"][1] / 100,
        background_share=values["B"][1] / 100,
        strand_bias=values["StrandBias"][0],
        multiplicity=values["Multiplicity"][0],
    )


def format_motifs(motifs: Sequence[Motif]) -> str:
    """Write motifs as HOMER does, probabilities with six decimals, for HOMER's tools and `read_motifs`.

    Parameters
    ----------
    motifs : sequence of Motif
        Names and consensus hold no tab.

    Returns
    -------
    str
        The text of a `.motif` file. The number of background sequences is not known: only its percentage is written.
    """
    lines = []
    for motif in motifs:
        exponent = int(motif.log_p / np.log(10))
        lines.append(
            f">{motif.consensus}\t{motif.name}\t{motif.threshold:.6f}\t{motif.log_p:.6f}\t0\t"
            f"T:{motif.targets:.1f}({100 * motif.target_share:.2f}%),B:0({100 * motif.background_share:.2f}%),"
            f"P:1e{exponent}\tStrandBias:{motif.strand_bias:.4f},Multiplicity:{motif.multiplicity:.4f}"
        )
        lines += ["\t".join(f"{value:.6f}" for value in row) for row in motif.probabilities]
    return "".join(f"{line}\n" for line in lines)


def find_with_homer(
    foreground: np.ndarray, background: np.ndarray, lengths: Sequence[int] = (6, 8, 10)
) -> list[Motif]:
    """Run `homer2 denovo` on integer-coded sequences and read the motifs that it finds.

    Parameters
    ----------
    foreground, background : ndarray, uint8, shapes (n, width) and (m, width)
        A 0, C 1, G 2, T 3, anything else N.
    lengths : sequence of int
        Motif lengths in bp; HOMER runs once for each.

    Returns
    -------
    list of Motif
        In the order of the lengths; none of a length that HOMER printed nothing for.

    Raises
    ------
    InputError
        `homer2` is not on the PATH, cannot be started, fails, or prints what is no motif.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise InputError(
            f"{PROGRAM} is not on the PATH; install HOMER, give the folder of its results, or leave it out and use "
            "the built-in motif finder"
        )
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for name, codes in (("foreground", foreground), ("background", background)):
            check_codes(codes, name)
            files.append(Path(folder) / f"{name}.fa")
            files[-1].write_text(_fasta(codes), encoding="ascii")
        motifs: list[Motif] = []
        for length in lengths:
            command = [program, "denovo", "-i", str(files[0]), "-b", str(files[1])]
            command += ["-len", str(length)]
            printed = _printed(command, f"for length {length}")
            if printed:
                motifs += parse_motifs(printed, f"{PROGRAM} -len {length}")
    return motifs


def _printed(command: Sequence[str], purpose: str) -> list[str]:
    """Run HOMER and return the lines that it printed, none of them blank."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL
        )
    except OSError as error:
        raise InputError(
            f"{command[0]} cannot be started ({error.strerror or error}); install HOMER anew, or use the built-in "
            "motif finder"
        ) from error
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise InputError(
            f"{PROGRAM} ended with code {done.returncode} {purpose} and said: {said}; run it by hand to see more, or "
            "use the built-in motif finder"
        )
    return [line for line in done.stdout.splitlines() if line.strip()]


def _fasta(codes: np.ndarray) -> str:
    letters = np.frombuffer((BASES + "N").encode(), dtype=np.uint8)[np.minimum(codes, 4)]
    return "".join(f">{row}\n{line.tobytes().decode()}\n" for row, line in enumerate(letters))
