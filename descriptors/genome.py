"""A reference genome as one byte a base: A 0, C 1, G 2, T 3, anything else 4."""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from descriptors.errors import InputError
from descriptors.sources import is_packed, open_binary, sha256_of

__all__ = [
    *("NOT_ASKED", "NOT_IN_GENOME", "Genome"),
    *("check_chromosomes", "respell", "reverse_complement_codes"),
]

# Why a row of a file is left out.
NOT_ASKED = "on a chromosome that was not asked for"
NOT_IN_GENOME = "on a chromosome that the genome does not have"


UNKNOWN = 4  # code of N, of every other ambiguous letter, and of what lies outside a chromosome
_WHITESPACE = b" \t\r\n\v\f"
_INVALID = 255
_COMPLEMENT = np.array([3, 2, 1, 0, 4], dtype=np.uint8)


def _letter_codes() -> np.ndarray:
    table = np.full(256, _INVALID, dtype=np.uint8)
    for letters, code in (("A", 0), ("C", 1), ("G", 2), ("TU", 3), ("NRYSWKMBDHVX.-", UNKNOWN)):
        for letter in letters + letters.lower():
            table[ord(letter)] = code
    return table


_CODES = _letter_codes()


class Genome:
    """A FASTA file, decoded one chromosome at a time and kept once decoded.

    A plain file is mapped, not read; a packed one is unpacked into memory once. No index file is
    read or written, so a stale one does no harm.
    """

    def __init__(self, path: Path | None, name: str, text: bytes | mmap.mmap) -> None:
        self.path = path
        self.name = name
        self._text = text
        self._spans = _spans_of(text, str(path or name))
        self._decoded: dict[str, np.ndarray] = {}
        self.sizes: dict[str, int] = {
            chromosome: _bases(text[start:end]) for chromosome, (start, end) in self._spans.items()
        }
        for chromosome, size in self.sizes.items():
            if size == 0:
                raise InputError(
                    f'{path or name}: the chromosome "{chromosome}" has no bases; '
                    "complete the file or remove its header"
                )

    @classmethod
    def open(cls, path: str | Path | Genome) -> Genome:
        """Open a FASTA file: plain, gzip or bgzip, upper or lower case, with any IUPAC letters.

        Raises
        ------
        InputError
            The file is absent, empty, truncated, not FASTA, or names a chromosome twice.
        """
        if isinstance(path, Genome):
            return path
        path = Path(path)
        with open_binary(path) as stream:
            if is_packed(path):
                return cls(path, path.name, stream.read())
        with open(path, "rb") as file:
            return cls(path, path.name, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    @classmethod
    def from_sequences(cls, sequences: Mapping[str, str], name: str = "genome") -> Genome:
        """Make a genome from sequences in memory (for tests and simulations)."""
        text = "".join(f">{chromosome}\n{bases}\n" for chromosome, bases in sequences.items())
        return cls(None, name, text.encode("ascii"))

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the file as it lies on disk, in hexadecimal."""
        if self.path is not None:
            return sha256_of(self.path)
        return hashlib.sha256(self._text[:]).hexdigest()

    def codes(self, chromosome: str) -> np.ndarray:
        """Give a chromosome's bases.

        Returns
        -------
        ndarray, uint8, shape (length,)
            A 0, C 1, G 2, T 3, anything else 4; not to be written to.

        Raises
        ------
        InputError
            The genome has no such chromosome, or its sequence holds what is no nucleotide letter.
        """
        if chromosome not in self._spans:
            raise InputError(
                f'{self.name} has no chromosome "{chromosome}" (it has {_some(self.sizes)}); '
                "check the name"
            )
        if chromosome not in self._decoded:
            start, end = self._spans[chromosome]
            letters = np.frombuffer(self._text[start:end].translate(None, _WHITESPACE), np.uint8)
            codes = _CODES[letters]
            wrong = codes == _INVALID
            if wrong.any():
                at = int(np.argmax(wrong))
                raise InputError(
                    f'{self.path or self.name}: found "{chr(letters[at])}" at base {at + 1} of '
                    f'"{chromosome}" where a nucleotide letter was needed; name a FASTA file of DNA'
                )
            codes.flags.writeable = False
            self._decoded[chromosome] = codes
        return self._decoded[chromosome]

    def windows(
        self, chromosomes: Sequence[str], centres: np.ndarray, window_bp: int
    ) -> np.ndarray:
        """Cut windows out of the genome.

        Parameters
        ----------
        chromosomes : sequence of str
            The chromosome of each of the n windows.
        centres : ndarray, int64, shape (n,)
            Positions counted from 0; a window begins at `centre - window_bp // 2`.
        window_bp : int
            Length of each window in base pairs.

        Returns
        -------
        ndarray, uint8, shape (n, window_bp)
            Codes; 4 where a window lies outside its chromosome.

        Raises
        ------
        InputError
            A chromosome is not in the genome.
        """
        starts = np.asarray(centres, dtype=np.int64) - window_bp // 2
        result = np.full((len(starts), window_bp), UNKNOWN, dtype=np.uint8)
        groups, names = pd.factorize(np.asarray(chromosomes, dtype=object))
        for group, name in enumerate(names):
            codes = self.codes(name)
            members = np.flatnonzero(groups == group)
            first = starts[members]
            inside = (first >= 0) & (first + window_bp <= len(codes))
            if inside.any():
                views = np.lib.stride_tricks.sliding_window_view(codes, window_bp)
                result[members[inside]] = views[first[inside]]
            for row in members[~inside]:
                start, end = starts[row], starts[row] + window_bp
                low, high = min(max(start, 0), len(codes)), min(max(end, 0), len(codes))
                result[row, low - start : high - start] = codes[low:high]
        return result


def _bases(text: bytes) -> int:
    return len(text) - sum(text.count(bytes([space])) for space in _WHITESPACE)


def _spans_of(text: bytes | mmap.mmap, where: str) -> dict[str, tuple[int, int]]:
    """Find where each chromosome's letters lie: name -> (first byte, one past the last)."""
    start = 3 if text[:3] == b"\xef\xbb\xbf" else 0
    begin = text.find(b">", start)
    if begin < 0 or text[start:begin].strip():
        raise InputError(
            f'{where}: found no ">" at the start where a FASTA file was needed; name one'
        )
    has_newlines = text.find(b"\n") >= 0
    spans: dict[str, tuple[int, int]] = {}
    while begin >= 0:
        line_end = text.find(b"\n", begin) if has_newlines else -1
        line_end = line_end if line_end >= 0 else len(text)
        carriage_return = text.find(b"\r", begin, line_end)
        letters = carriage_return if carriage_return >= 0 else line_end
        words = text[begin + 1 : letters].decode("utf-8", "replace").split()
        following = text.find(b">", letters)
        while following > 0 and text[following - 1] not in b"\r\n":
            following = text.find(b">", following + 1)
        if not words:
            raise InputError(f'{where}: found a ">" without a chromosome name; name every sequence')
        if words[0] in spans:
            raise InputError(
                f'{where}: the chromosome "{words[0]}" occurs twice; remove one of them'
            )
        spans[words[0]] = (letters, following if following >= 0 else len(text))
        begin = following
    return spans


def reverse_complement_codes(codes: np.ndarray) -> np.ndarray:
    """Give the other strand of coded sequences.

    Parameters
    ----------
    codes : ndarray, uint8, shape (..., n)
        A 0, C 1, G 2, T 3, anything else 4.

    Returns
    -------
    ndarray, uint8, shape (..., n)
    """
    return _COMPLEMENT[codes[..., ::-1]]


def respell(name: str, how: str | None, known: Collection[str]) -> str:
    """Spell a chromosome's name as the genome does.

    Parameters
    ----------
    name : str
        As a file names it.
    how : "strip-chr", "add-chr" or None
        What to do with a name that is not among the known ones; None leaves it.
    known : collection of str
        The genome's names. "chrM" and "MT" count as each other's spelling.

    Raises
    ------
    InputError
        `how` is something else.
    """
    if how not in (None, "strip-chr", "add-chr"):
        raise InputError(f'found "{how}" as renaming of chromosomes; use "strip-chr" or "add-chr"')
    if how is None or name in known:
        return name
    if how == "strip-chr":
        other = name[3:] if name.startswith("chr") else name
        return "MT" if other == "M" and "M" not in known else other
    other = name if name.startswith("chr") else f"chr{name}"
    return "chrM" if other == "chrMT" and "chrMT" not in known else other


def check_chromosomes(
    names: Iterable[str], genome: Genome, where: str, what: str = "peaks"
) -> None:
    """See to it that the rows of a file lie on the genome's chromosomes.

    Parameters
    ----------
    names : iterable of str
        The chromosome of each row.
    genome : Genome
        What names the chromosomes.
    where : str
        The file, for the error.
    what : str
        What the rows are, for the error.

    Raises
    ------
    InputError
        No row lies on the genome, or some would if their chromosomes were spelled with or without
        "chr".
    """
    counts: dict[str, int] = {}
    column = names if isinstance(names, pd.Series) else pd.Series(list(names), dtype=object)
    for name, count in column.value_counts(sort=False).items():
        if count:
            counts[str(name)] = int(count)
    missing = {name: count for name, count in counts.items() if name not in genome.sizes}
    if not missing:
        return
    total, lost = sum(counts.values()), sum(missing.values())
    found = f"none of the {total:,} {what} lies on {genome.name}"
    if lost < total:
        found = f"{lost:,} of the {total:,} {what} do not lie on {genome.name}"
    for how in ("strip-chr", "add-chr"):
        for name in missing:
            other = respell(name, how, genome.sizes)
            if other in genome.sizes:
                raise InputError(
                    f'{where}: {found}: the {what} name "{name}", the genome names "{other}"; '
                    f"pass --rename-chromosomes {how}"
                )
    if lost == total:
        raise InputError(
            f"{where}: {found}: the {what} name {_some(missing)}, the genome names "
            f"{_some(genome.sizes)}; name the genome that the {what} were made on"
        )


def _some(names: Iterable[Any]) -> str:
    listed = [f'"{name}"' for name in names]
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "")
