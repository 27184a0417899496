"""Assay flags and protein domains."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from descriptors.errors import InputError
from descriptors.proteins import assay_flags, domain_flags, read_domains


def flags(factor: str | None, category: str | None = "tf") -> list[float | None]:
    return list(domain_flags(factor, category, read_domains()[0]).values())


def test_a_category_sets_its_own_flag_and_no_other() -> None:
    assert assay_flags("histone") == {
        "is_tf": 0.0,
        "is_polymerase": 0.0,
        "is_histone": 1.0,
        "is_accessibility": 0.0,
    }
    assert set(assay_flags("other").values()) == {0.0}
    assert set(assay_flags(None).values()) == {None}


def test_an_unknown_category_names_the_nearest() -> None:
    with pytest.raises(InputError, match='the nearest is "histone"'):
        assay_flags("Histones")


def test_the_shipped_table_knows_zinc_fingers_maf_factors_and_factors_with_neither() -> None:
    assert flags("CTCF") == flags("Mig1") == [1.0, 0.0]
    assert flags("MAFK") == [0.0, 1.0]
    assert flags("Reb1") == flags("GATA1") == [0.0, 0.0]
    assert flags("Nobody1") == flags(None) == [None, None]


def test_assays_without_a_factor_have_no_domains() -> None:
    assert flags(None, "histone") == flags(None, "accessibility") == [0.0, 0.0]


def test_a_factor_stands_once_for_each_species_in_the_shipped_table() -> None:
    lines = (Path(__file__).parents[2] / "descriptors" / "factors.tsv").read_text().splitlines()
    rows = [tuple(line.split("\t")) for line in lines if not line.startswith("#")][1:]
    assert len({row[:2] for row in rows}) == len(rows)
    assert {row[2] for row in rows} == {"IPR013087", "IPR004826", "-"}


def test_a_table_of_the_users_own_may_hold_several_domains(tmp_path: Path) -> None:
    path = tmp_path / "interpro.tsv"
    path.write_text(
        "interpro\tnote\tfactor\nIPR000001;IPR013087\tx\tAbc1\n-\ty\tdef2\nIPR004826\tz\tABC1\n"
    )
    domains, source = read_domains(path)
    assert domains == {
        "ABC1": frozenset({"IPR000001", "IPR013087", "IPR004826"}),
        "DEF2": frozenset(),
    }
    assert source.rows == 3
    assert list(domain_flags("abc1", "tf", domains).values()) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("gene\tinterpro\nA\tIPR013087\n", r':1: found no column "factor" among gene, interpro'),
        ("factor\tinterpro\nA\tzinc\n", r':2: found "zinc" where an InterPro accession'),
        ("factor\n", "found 1 column where 2 columns"),
        ("factor\tnote\tinterpro\nA\tx\n", ":2: found 2 columns where 3 columns, as the first row"),
        ("# only a comment\n", "found no rows"),
    ],
)
def test_a_wrong_table_is_an_input_error(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "interpro.tsv"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_domains(path)


PROTEIN2IPR = (
    "P49711\tIPR013087\tZinc finger C2H2-type\tPF00096\t267\t288\n"
    "P49711\tIPR036236\tZinc finger C2H2 superfamily\tSSF57667\t265\t321\n"
    "P49711\tIPR013087\tZinc finger C2H2-type\tPF00096\t294\t316\n"
    "Q16236\tIPR004826\tBasic leucine zipper domain, Maf-type\tPF03131\t470\t560\n"
    "P04637\tIPR011615\tp53, DNA-binding domain\tPF00870\t99\t289\n"
)


def test_interpros_own_table_is_read_by_accession(tmp_path: Path) -> None:
    path = tmp_path / "protein2ipr.dat.gz"
    path.write_bytes(gzip.compress(PROTEIN2IPR.encode()))
    domains, source = read_domains(path)
    assert set(domains) == {"P49711", "Q16236", "P04637"}
    assert (source.rows, source.to_dict()["left_out"]) == (5, {})
    for factor, flags in (("p49711", [1, 0]), ("Q16236", [0, 1]), ("P04637", [0, 0])):
        own, source = read_domains(path, factor)
        assert set(own) == {factor.upper()}
        assert list(domain_flags(factor, "tf", own).values()) == flags
        assert (source.rows, source.left_out) == (5, {})
    assert list(domain_flags("P00000", "tf", domains).values()) == [None, None]


def test_a_row_of_the_factor_that_holds_no_accession_is_named(tmp_path: Path) -> None:
    path = tmp_path / "protein2ipr.dat"
    path.write_text(PROTEIN2IPR + "P49711\tPF00096\tx\tx\t1\t2\n")
    with pytest.raises(InputError, match=r':6: found "PF00096" where an InterPro accession'):
        read_domains(path, "P49711")


def test_the_rule_of_the_shipped_table_holds(tmp_path: Path) -> None:
    assert all(flags(name) == [1.0, 0.0] for name in ("ATF2", "ATF7", "CREB5", "ZNF10", "ZSCAN2"))
    assert all(flags(name) == [0.0, 1.0] for name in ("NRL", "NFE2L2", "BACH1", "MAFG"))
    assert flags("FOXP2") == flags("ZNF750") == [None, None]  # uncertain, and so unknown


def test_the_real_users_table_is_read(yeast: Path) -> None:
    domains, source = read_domains(yeast / "interpro.tsv")
    assert source.rows == 36
    assert domains["MIG1"] == {"IPR013087"}
