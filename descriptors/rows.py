"""Tables in text files, read as columns whose rows know their line numbers."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, BinaryIO

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
# Kinds of columns beside pandas' own types.
_WHOLE, _DECIMAL = "whole", "decimal"
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
    even: bool = False,
    numbers: Collection[int] = (),
    decimals: Collection[int] = (),
    labels: Collection[int] = (),
    block_bytes: int = _BLOCK_BYTES,
) -> Iterator[pd.DataFrame]:
    """Read columns of a tab-separated file, block by block.

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
    even : bool
        Whether a row that has one of `columns` which the first row lacks is a mistake.
    numbers, decimals : collection of int
        Columns that are int64, or int64 or float64, in each block where they hold nothing but
        plain numbers, which is ten times as fast to read; text in the others.
    labels : collection of int
        Columns of few different values, which become categorical: one small number for each row.
    block_bytes : int
        Bytes that are read at one time.

    Yields
    ------
    DataFrame
        Columns named by their numbers, of text (object) where nothing else is asked for; the index
        is the line number, counted from 1. A file without data yields nothing.

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
    width = len(re.split(" +", line.strip(" ")) if by_spaces else line.split("\t"))
    if width < needed:
        raise _too_narrow(path, number, width, what)
    wanted = [column for column in columns if column < width]
    lacking = [column for column in columns if column >= width] if even else []
    kinds: dict[int, Any] = dict.fromkeys((needed - 1, *wanted), object)
    kinds |= {column: _WHOLE for column in numbers if column in kinds}
    kinds |= {column: _DECIMAL for column in decimals if column in kinds}
    # The first column is always read as labels, since headers are told by it.
    kinds |= dict.fromkeys((0, *lacking, *(c for c in labels if c in kinds)), "category")
    lines = 0
    with open_binary(path) as stream:
        for block in _blocks(stream, block_bytes, path):
            chunk = _parse(block, kinds, by_spaces, path)
            chunk.index = pd.RangeIndex(lines + 1, lines + 1 + len(chunk), name="line")
            lines += len(chunk)
            # A GFF3 file may go on with sequences, which are no rows.
            sequences = np.flatnonzero(chunk[0] == "##FASTA")
            rows = _without_headers(chunk[: sequences[0]] if len(sequences) else chunk, block)
            if len(narrow := _narrow(rows, needed)):
                at = narrow[0]
                cells = _lines(block)[at - chunk.index[0]].split(None if by_spaces else "\t")
                raise _too_narrow(path, at, [*cells, ""].index(""), what)
            _check_widths(rows, width, lacking, path)
            if len(rows):
                rows = rows[wanted]
                yield rows if 0 in labels or 0 not in wanted else rows.astype({0: object})
            if len(sequences):
                return


def _narrow(rows: pd.DataFrame, needed: int) -> list[int]:
    """Give the lines of the rows whose last needed column is empty or not there."""
    if rows[needed - 1].dtype in (np.int64, np.float64):
        return []
    return [int(line) for line in rows.index[(rows[needed - 1] == "").to_numpy()]]


def _lines(block: bytes) -> list[str]:
    return re.split("\r\n|\r|\n", block.decode("utf-8", "replace"))


def _check_widths(rows: pd.DataFrame, width: int, lacking: Sequence[int], path: Path) -> None:
    for column in lacking:
        wide = (rows[column] != "").to_numpy()
        if wide.any():
            raise InputError(
                f"{path}:{rows.index[int(np.argmax(wide))]}: found {column + 1} columns or more "
                f"where the {width} columns of the first row were needed; give every row the same "
                "columns"
            )


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


def _parse(block: bytes, kinds: Mapping[int, Any], by_spaces: bool, path: Path) -> pd.DataFrame:
    """Read columns of all lines of a block; what a line lacks is empty."""
    if b"\x00" in block:
        raise InputError(
            f"{path}: found binary content where text was needed; "
            "export the file as plain text (UTF-8) and name that"
        )
    end = max(kinds) + 1
    # The parser takes its width from the widest line: one line of full width goes first. It holds
    # what keeps the parser from taking labels for numbers ("1", "01") and numbers for text.
    full = [b"." if kinds.get(column) == "category" else b"0" for column in range(end)]
    first = (b" " if by_spaces else b"\t").join(full) + b"\n"

    def parse(kinds: Mapping[int, Any]) -> pd.DataFrame:
        try:
            return pd.read_csv(
                io.BytesIO(first + block),
                sep=r"\s+" if by_spaces else "\t",
                header=None,
                names=list(range(end)),
                usecols=sorted(kinds),
                # Without a type the parser makes numbers of a column if all its values are.
                dtype={c: kind for c, kind in kinds.items() if kind not in (_WHOLE, _DECIMAL)},
                na_filter=False,
                quoting=3,
                skip_blank_lines=False,
                low_memory=False,
                engine="c",
                encoding_errors="replace",
            )
        except pd.errors.ParserError as error:
            raise InputError(
                f"{path}: the rows cannot be read as a table ({str(error).strip()}); "
                "write them anew"
            ) from error

    table = parse(kinds)
    allowed = {_WHOLE: ["int64"], _DECIMAL: ["int64", "float64"]}
    checked = [column for column, kind in kinds.items() if kind in (_WHOLE, _DECIMAL)]
    odd = [c for c in checked if table[c].dtype.name not in allowed[kinds[c]]]
    if odd:
        table[odd] = parse(dict.fromkeys(odd, object))[odd]
    return table.iloc[1:]


def _without_headers(chunk: pd.DataFrame, block: bytes) -> pd.DataFrame:
    """Drop blank lines, comments and headers from the rows of a block."""
    names = chunk[0].cat.categories
    codes = chunk[0].cat.codes.to_numpy()
    kept = ~np.array([bool(_HEADER.match(str(name))) for name in names], dtype=bool)[codes]
    empty = kept & np.array([not str(name).strip() for name in names], dtype=bool)[codes]
    if empty.any():
        # Columns that are not read may hold something, which makes the line a row, if a wrong one.
        lines = _lines(block)
        at = np.flatnonzero(empty)
        kept[at] = [bool(lines[row].strip()) for row in at]
    return chunk if kept.all() else chunk[kept]


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
    text : Series of str or int64
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
    lines = text.index.to_numpy()
    is_read = text.dtype == np.int64
    numbers = (text if is_read else pd.to_numeric(text, errors="coerce")).to_numpy()
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
