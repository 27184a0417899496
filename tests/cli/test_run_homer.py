"""`ambient describe --run-homer`: it reaches HOMER, and says what is wrong where it cannot."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MOTIF = """>ACGTAC\t1-ACGTAC\t6.1\t-50.0\t0\tT:9.0(30.00%),B:5.0(0.10%),P:1e-21\tStrandBias:0.5,Multiplicity:1.25
0.7\t0.1\t0.1\t0.1
0.1\t0.7\t0.1\t0.1
0.1\t0.1\t0.7\t0.1
0.1\t0.1\t0.1\t0.7
0.7\t0.1\t0.1\t0.1
0.1\t0.7\t0.1\t0.1
"""


def test_motifs_come_from_the_homer_that_is_on_the_path(
    ambient: Callable[..., Any], corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    peaks = next((corpus.parent / "peaks").iterdir())
    arguments = ["describe", peaks, "--genome", corpus.parent / "genome.fa", "--run-homer"]
    monkeypatch.setenv("PATH", str(tmp_path))
    refused = ambient(*arguments)
    assert (refused.code, refused.out) == (2, "")
    assert "homer2 is not on the PATH; install HOMER" in refused.err
    (tmp_path / "motif").write_text(MOTIF)
    (tmp_path / "homer2").write_text(f"#!/bin/sh\nexec cat {tmp_path}/motif\n")
    (tmp_path / "homer2").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.defpath}")
    answer = ambient(*arguments)
    assert answer.code == 0, answer.err
    described = json.loads(answer.out)
    assert described["sources"]["motifs"]["finder"] == "homer2"
    assert described["values"]["motif6_multiplicity_min"] == 1.25
    both = ambient(*arguments, "--homer", tmp_path)
    assert (both.code, both.out) == (2, "")
    assert "give --homer or --run-homer, not both" in both.err
