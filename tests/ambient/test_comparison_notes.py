"""What is said beside a comparison: what differs, what is missing."""

from __future__ import annotations

from pathlib import Path

from made_up_searches import make_search
from tiny_children import SPACE

from ambient.report.comparison import Comparison, compare_runs
from ambient.report.comparison_notes import notes_on


def notes(comparison: Comparison) -> str:
    return "\n".join(notes_on(comparison))


def test_other_spaces_are_compared_and_said(tmp_path: Path) -> None:
    one = make_search(tmp_path / "one", [0.5, 0.6])
    space = {**SPACE.to_dict(), "name": "other"}
    other = make_search(tmp_path / "other", [0.5, 0.6], space=space, version="0.0.9")
    compared = compare_runs([one, other])
    assert [contender.label for contender in compared.tasks[0].contenders] == [
        "random, tiny",
        "random, other",
    ]
    assert "different spaces, tiny (version 1), other (version 1)" in notes(compared)
    assert "different versions of ambient (0.1.0, 0.0.9)" in notes(compared)


def test_what_is_missing_or_cut_short_is_said(tmp_path: Path) -> None:
    some = make_search(tmp_path / "some", [0.5, None], seed=0, evaluations=8)
    costs = {"energy_kwh": None}
    make_search(tmp_path / "none", [0.5, 0.6], seed=1, costs=costs)
    said = notes(compare_runs([some, tmp_path / "none"]))
    assert f"{some} holds 2 of the 8 evaluations" in said
    assert f"failed or were stopped early ({some})" in said
    assert f"kWh are not known for every evaluation of {tmp_path / 'none'}: codecarbon" in said
    assert "zero-shot" not in said
    assert "over the repeats" in said
    alone = compare_runs([tmp_path / "none"])
    assert "energy_kwh" not in alone.tasks[0].axes()
    assert "no interval" in notes(alone)
