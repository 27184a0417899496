"""What is assayed: the kind of assay, and the protein domains of the factor."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

from descriptors.categories import CATEGORIES
from descriptors.errors import InputError
from descriptors.rows import read_rows
from descriptors.sources import Source, sha256_of

__all__ = ["CATEGORIES", "DOMAINS", "assay_flags", "domain_flags", "read_domains"]

DOMAINS: Mapping[str, str] = {
    "has_c2h2_zinc_finger": "IPR013087",
    "has_bzip_maf": "IPR004826",
}
SHIPPED = Path(__file__).with_name("factors.tsv")

_COLUMNS = "2 columns (factor, interpro)"
_ACCESSION = re.compile("IPR[0-9]+")


def assay_flags(category: str | None) -> dict[str, float | None]:
    """Turn a category into the four assay descriptors.

    Parameters
    ----------
    category : str or None
        One of `CATEGORIES`; "other" makes all four 0, None makes them missing.

    Raises
    ------
    InputError
        The category is another; names the nearest.
    """
    if category is not None and category not in CATEGORIES:
        near = difflib.get_close_matches(category.lower(), CATEGORIES, n=1, cutoff=0.0)
        raise InputError(
            f'found the category "{category}" where one of {", ".join(CATEGORIES)} was needed; '
            f'the nearest is "{near[0]}"'
        )
    return {
        f"is_{name}": None if category is None else float(category == name)
        for name in CATEGORIES
        if name != "other"
    }


def read_domains(
    path: str | Path | None = None, factor: str | None = None
) -> tuple[dict[str, frozenset[str]], Source]:
    """Read which InterPro domains factors have.

    Parameters
    ----------
    path : path, optional
        Tab-separated, in one of two forms. With a first row that names the columns `factor` and
        `interpro` among others; several domains stand in several rows, or in one with commas or
        semicolons between. Or without such a row, as InterPro's own `protein2ipr.dat.gz`: UniProt
        accession, InterPro accession, and more columns. Default: the shipped table.
    factor : str, optional
        The only factor that is wanted, in any case. A table of all proteins needs it: the file is
        read in blocks, and the rest of it is not kept.

    Returns
    -------
    domains : dict
        Factor, or UniProt accession, in upper case -> its InterPro accessions; a listed factor may
        have none.
    source : Source
        Counts all rows of the table, whatever factor they are of.

    Raises
    ------
    InputError
        The file cannot be read, lacks a column, or names an accession that InterPro could not have.
    """
    path = SHIPPED if path is None else Path(path)
    columns, first = _columns_of(path)
    needed = max(columns) + 1
    what = _COLUMNS if needed == 2 else f"{needed} columns, as the first row names them,"
    wanted = None if factor is None else factor.strip().upper()
    domains: dict[str, set[str]] = {}
    total = 0
    for rows in read_rows(path, columns, needed, what, labels=columns):
        rows = rows[rows.index > first]
        total += len(rows)
        if wanted is not None:
            names = rows[columns[0]].cat.categories
            rows = rows[
                rows[columns[0]].isin([name for name in names if name.strip().upper() == wanted])
            ]
        # Most rows name a factor and a domain that another row names too.
        for line, name, text in rows.drop_duplicates().astype(object).itertuples(name=None):
            domains.setdefault(name.strip().upper(), set()).update(
                _accessions(text, f"{path}:{line}")
            )
    return (
        {name: frozenset(found) for name, found in domains.items()},
        Source(path.name, sha256_of(path), total),
    )


def _columns_of(path: Path) -> tuple[tuple[int, int], int]:
    """Give the columns of factor and accession, and the line that names them; 0 where none does."""
    head = next(read_rows(path, range(64), 2, _COLUMNS, block_bytes=1 << 14), None)
    if head is None:
        raise InputError(f"{path}: found no rows, {_COLUMNS} were needed; name a table of domains")
    header = [str(name).strip().lower() for name in head.iloc[0]]
    if _ACCESSION.fullmatch(header[1].upper()):
        return (0, 1), 0
    for name in ("factor", "interpro"):
        if name not in header:
            raise InputError(
                f'{path}:{head.index[0]}: found no column "{name}" among {", ".join(header)}; '
                "name the two columns factor and interpro in the first row, or give a table "
                "with UniProt accessions in column 1 and InterPro accessions in column 2"
            )
    return (header.index("factor"), header.index("interpro")), int(head.index[0])


def _accessions(text: str, where: str) -> list[str]:
    """Split what stands in the column interpro."""
    found = [word for word in re.split(r"[\s,;]+", text) if word not in ("", "-", ".")]
    for word in found:
        if not _ACCESSION.fullmatch(word):
            raise InputError(
                f'{where}: found "{word}" where an InterPro accession such as '
                'IPR013087 was needed; write "-" for a factor without domains'
            )
    return found


def domain_flags(
    factor: str | None, category: str | None, domains: Mapping[str, frozenset[str]]
) -> dict[str, float | None]:
    """Turn a factor into the two domain descriptors.

    Parameters
    ----------
    factor : str or None
        Gene symbol, or UniProt accession where the table has those, in any case.
    category : str or None
        An assay of histones or of accessibility assays no factor, so that both flags are 0.
    domains : mapping
        As `read_domains` gives.

    Returns
    -------
    dict
        1, 0, or None where the factor is not given or not in the table.
    """
    if category in ("histone", "accessibility"):
        return dict.fromkeys(DOMAINS, 0.0)
    found = domains.get(factor.strip().upper()) if factor is not None else None
    return {
        name: None if found is None else float(accession in found)
        for name, accession in DOMAINS.items()
    }
