"""What is assayed: the kind of assay, and the protein domains of the factor."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from descriptors.errors import InputError
from descriptors.rows import read_rows
from descriptors.sources import Source, sha256_of

__all__ = ["CATEGORIES", "DOMAINS", "assay_flags", "domain_flags", "read_domains"]

CATEGORIES = ("tf", "polymerase", "histone", "accessibility", "other")
DOMAINS: Mapping[str, str] = {
    "has_c2h2_zinc_finger": "IPR013087",
    "has_bzip_maf": "IPR004826",
}
SHIPPED = Path(__file__).with_name("factors.tsv")

_COLUMNS = "2 columns (factor, interpro)"


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


def read_domains(path: str | Path | None = None) -> tuple[dict[str, frozenset[str]], Source]:
    """Read which InterPro domains each factor has.

    Parameters
    ----------
    path : path, optional
        Tab-separated, with columns `factor` and `interpro` among others; several domains stand
        in several rows, or in one with commas or semicolons between. Default: the shipped table.

    Returns
    -------
    domains : dict
        Factor in upper case -> its InterPro accessions; a listed factor may have none.
    source : Source

    Raises
    ------
    InputError
        The file cannot be read, lacks a column, or names an accession that InterPro could not have.
    """
    path = SHIPPED if path is None else Path(path)
    parts = list(read_rows(path, range(64), 2, _COLUMNS))
    if not parts:
        raise InputError(f"{path}: found no rows, {_COLUMNS} were needed; name a table of domains")
    rows = pd.concat(parts)
    header = [str(name).strip().lower() for name in rows.iloc[0]]
    for name in ("factor", "interpro"):
        if name not in header:
            raise InputError(
                f'{path}:{rows.index[0]}: found no column "{name}" among {", ".join(header)}; '
                f"name the two columns factor and interpro in the first row"
            )
    factors = rows.iloc[1:, header.index("factor")].str.strip().str.upper()
    texts = rows.iloc[1:, header.index("interpro")].str.strip()
    listed = texts.str.findall(r"[^\s,;]+")
    domains: dict[str, set[str]] = {}
    for line, factor, accessions in zip(factors.index, factors, listed, strict=True):
        found = [accession for accession in accessions if accession not in ("-", ".")]
        for accession in found:
            if not re.fullmatch(r"IPR[0-9]+", accession):
                raise InputError(
                    f'{path}:{line}: found "{accession}" where an InterPro accession such as '
                    'IPR013087 was needed; write "-" for a factor without domains'
                )
        domains.setdefault(factor, set()).update(found)
    return (
        {factor: frozenset(found) for factor, found in domains.items()},
        Source(path.name, sha256_of(path), len(factors)),
    )


def domain_flags(
    factor: str | None, category: str | None, domains: Mapping[str, frozenset[str]]
) -> dict[str, float | None]:
    """Turn a factor into the two domain descriptors.

    Parameters
    ----------
    factor : str or None
        Gene symbol, in any case.
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
