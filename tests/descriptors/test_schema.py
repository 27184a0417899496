"""The forty names."""

from __future__ import annotations

from descriptors.schema import DESCRIPTORS, NAMES, SCHEMA_VERSION


def test_schema_1_has_the_forty_names_of_the_design_in_order() -> None:
    names = (
        "is_tf is_polymerase is_histone is_accessibility has_c2h2_zinc_finger has_bzip_maf n_peaks"
    )
    names += " peak_width_median_bp peak_width_variance_bp2"
    for feature in ("splice_site", "exon", "gene", "utr"):
        names += f" {feature}_distance_median_bp {feature}_distance_variance_bp2"
    names += " phastcons_mean phylop_mean"
    for length in (6, 8, 10):
        names += "".join(
            f" motif{length}_multiplicity_{part}" for part in ("min", "max", "median", "variance")
        )
        names += "".join(f" motif{length}_strand_bias_{part}" for part in ("min", "max", "median"))
    assert SCHEMA_VERSION == 1
    assert list(NAMES) == names.split()
    assert len(NAMES) == len(set(NAMES)) == 40


def test_groups_have_the_sizes_of_the_design() -> None:
    groups = [descriptor.group for descriptor in DESCRIPTORS]
    sizes = {group: groups.count(group) for group in groups}
    assert sizes == {
        "assay": 4,
        "protein domains": 2,
        "peaks": 3,
        "location": 8,
        "conservation": 2,
        "motifs": 21,
    }


def test_only_counts_widths_and_distances_are_logged() -> None:
    logged = {d.group for d in DESCRIPTORS if d.transform == "log1p"}
    plain = {d.group for d in DESCRIPTORS if d.transform == "identity"}
    assert logged == {"peaks", "location"}
    assert not logged & plain


def test_counts_widths_distances_and_variances_are_never_negative() -> None:
    may_be = {one.name for one in DESCRIPTORS if not one.is_never_negative}
    flags = {name for name in NAMES if name.startswith(("is_", "has_"))}
    biases = {name for name in NAMES if "strand_bias" in name}
    assert may_be == flags | biases | {"phastcons_mean", "phylop_mean"}
