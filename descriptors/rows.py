"""Tables in text files, read as columns whose rows know their line numbers."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pandas as pd

from descriptors.errors import InputError
from descriptors.sources import open_binary, open_text

__all__ = ["integers", "read_rows"]

# Bytes whose columns are held as text at one time: bounds the memory of a large file.
_BLOCK_BYTES = 1 << 24
_LONGEST_LINE = 1 << 26
# No chromosome is longer; a larger number is a mistake and would overflow later.
_LARGEST_POSITION = 10**12
_HEADER = re.compile(r"(?:track|browser)(?:\s|$)|#")


def _is_data(line: str) -> bool:
    return bool(line.strip()) and not _HEADER.match(line)


def _first_data_line(path: Path) -> tuple[int, str] | None:
    with open_text(path) as text:
        for number, line in enumerate(iter(lambda: text.readline(1 << 20), ""), start=1):
            if _is_data(line):
                return number, line.rstrip("\n")
    return None


def read_rows(
    path: str | Path,
    columns: Sequence[int],
    needed: int,
    what: str,
    spaces: bool = False,
    block_bytes: int = _BLOCK_BYTES,
) -> Iterator[pd.DataFrame]:
    """Read columns of a tab-separated file as text, block by block.

    Blank lines, comments (`#`) and the headers `track` and `browser` are passed over; what
    follows the line `##FASTA` is not read.

    Parameters
    ----------
    path : path
        Plain, gzip or bgzip; LF, CRLF or CR.
    columns : sequence of int
        Columns to read, counted from 0; those that the first row lacks are not in the result.
    needed : int
        Columns that each row must have.
    what : str
        What the columns are, for the error: "3 columns (chromosome, start, end)".
    spaces : bool
        Whether a file whose first row holds no tab may be separated by spaces throughout.
    block_bytes : int
        Bytes that are read at one time.

    Yields
    ------
    DataFrame
        Text columns named by their numbers; the index is the line number, counted from 1. A file
        without data yields nothing.

    Raises
    ------
    InputError
        A row has too few columns, or the file cannot be read (see `open_binary`).
    """
    path = Path(path)
    first = _first_data_line(path)
    if first is None:
        return
    number, line = first
    by_spaces = spaces and "\t" not in line
    width = len(line.split() if by_spaces else line.split("\t"))
    if width < needed:
        raise _too_narrow(path, number, width, what)
    wanted = [column for column in columns if column < width]
    read = sorted({0, needed - 1, *wanted})
    lines = 0
    with open_binary(path) as stream:
        for block in _blocks(stream, block_bytes, path):
            chunk = _parse(block, read, by_spaces, path)
            chunk.index = pd.RangeIndex(lines + 1, lines + 1 + len(chunk), name="line")
            lines += len(chunk)
            # A GFF3 file may go on with sequences, which are no rows.
            sequences = np.flatnonzero(chunk[0] == "##FASTA")
            rows = _without_headers(chunk[: sequences[0]] if len(sequences) else chunk)
            narrow = (rows[needed - 1] == "").to_numpy()
            if narrow.any():
                at = int(np.argmax(narrow))
                found = int((rows.iloc[at] != "").to_numpy().sum())
                raise _too_narrow(path, int(rows.index[at]), found, what)
            if len(rows):
                yield rows[wanted]
            if len(sequences):
                return


def _blocks(stream: BinaryIO, size: int, path: Path) -> Iterator[bytes]:
    """Cut a stream into blocks of whole lines."""
    rest = b""
    while data := stream.read(size):
        data = rest + data
        # A CR at the end may be half of a CRLF.
        cut = data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, len(data) - 1) + 1
        rest = data[cut:]
        if len(rest) > _LONGEST_LINE:
            raise InputError(
                f"{path}: found a line of more than {_LONGEST_LINE:,} bytes, lines of a table were "
                "needed; name another file"
            )
        if cut:
            yield data[:cut]
    if rest:
        yield rest


def _parse(block: bytes, columns: Sequence[int], by_spaces: bool, path: Path) -> pd.DataFrame:
    """Read columns of all lines of a block as text; what a line lacks is empty."""
    end = max(columns) + 1
    # The parser takes its width from the widest line: one line of full width goes first.
    full = (b" " if by_spaces else b"\t").join([b"."] * end) + b"\n"
    try:
        table = pd.read_csv(
            io.BytesIO(full + block),
            sep=r"\s+" if by_spaces else "\t",
            header=None,
            names=list(range(end)),
            usecols=list(columns),
            dtype=object,
            na_filter=False,
            quoting=3,
            skip_blank_lines=False,
            engine="c",
            encoding_errors="replace",
        )
    except pd.errors.ParserError as error:
        raise InputError(
            f"{path}: the rows cannot be read as a table ({str(error).strip()}); write them anew"
        ) from error
    return table.iloc[1:]


def _without_headers(chunk: pd.DataFrame) -> pd.DataFrame:
    """Drop blank lines, comments and headers; few values of the first column differ."""
    codes, values = pd.factorize(chunk[0])
    kept = np.array([not _HEADER.match(str(value)) for value in values], dtype=bool)
    rows = chunk if kept.all() else chunk[kept[codes]]
    empty = np.array(rows[0].str.strip() == "")
    if empty.any():
        stripped = rows[empty].apply(lambda column: column.str.strip())
        empty[empty] = (stripped == "").all(axis=1).to_numpy()
        rows = rows[~empty]
    return rows


def _too_narrow(path: Path, line: int, found: int, what: str) -> InputError:
    return InputError(
        f"{path}:{line}: found {found} column{'' if found == 1 else 's'} where {what} were needed, "
        "separated by tabs; complete the row or remove it"
    )


def integers(text: pd.Series, path: str | Path, what: str) -> np.ndarray:
    """Turn a column of text into whole numbers, exactly.

    Scientific notation that stands for a whole number (`1.86e+08`, as R writes it) is read exactly.

    Parameters
    ----------
    text : Series of str
        Its index holds line numbers.
    path : path
        Named in the error.
    what : str
        What the column is: "start".

    Returns
    -------
    ndarray, int64, shape (rows,)

    Raises
    ------
    InputError
        A value is not a whole number; names the first such line.
    """
    numbers = pd.to_numeric(text, errors="coerce").to_numpy()
    lines = text.index.to_numpy()
    if numbers.dtype != np.int64:
        plain = text.str.fullmatch(r"[0-9]{1,18}").to_numpy(dtype=bool)
        exact = np.zeros(len(text), dtype=np.int64)
        exact[plain] = text[plain].to_numpy().astype(np.int64)
        for at in np.flatnonzero(~plain):
            exact[at] = _whole(str(text.iloc[int(at)]), f"{path}:{lines[at]}", what)
        numbers = exact
    large = np.abs(numbers) > _LARGEST_POSITION
    if large.any():
        at = np.argmax(large)
        raise InputError(
            f"{path}:{lines[at]}: the {what} {text.iloc[int(at)]} is larger than any chromosome; "
            "correct the row or remove it"
        )
    return numbers


def _whole(value: str, where: str, what: str) -> int:
    advice = "write it as a plain integer or remove the row"
    if re.fullmatch(r"start|end|chrom_?start|chrom_?end|stop|tx_?start|tx_?end", value, re.I):
        advice = "remove the row of column names (and see to it that starts are counted from 0)"
    if re.fullmatch(r"\s*[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?\s*", value):
        with contextlib.suppress(InvalidOperation):
            number = Decimal(value.strip())
            if abs(number) > _LARGEST_POSITION:
                return _LARGEST_POSITION + 1
            if number == number.to_integral_value():
                return int(number)
    raise InputError(
        f'{where}: found "{value}" as {what} where a whole number was needed; {advice}'
    )
