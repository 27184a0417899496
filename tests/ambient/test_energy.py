"""Energy: what a child owes, and that measuring leaves no trace."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_children import pretend, request, tiny_task

from ambient.evaluate import InlineEngine, Remembering, Store
from ambient.evaluate.energy import EnergyMeter, Reading, share

IMPORTS = os.pathsep.join(path for path in sys.path if path)

# Works for a second, then says what a child of that second and one of another machine owe.
WORK = """
import time
from contextlib import closing
from tiny_children import evaluation
from ambient.evaluate.energy import EnergyMeter, short_host
with closing(EnergyMeter()) as meter:
    before = time.process_time()
    while time.process_time() < before + 1:
        sum(range(10_000))
    here = evaluation(cpu_seconds=1.0, host=short_host())
    values = [meter.share_of(here), meter.share_of(evaluation(cpu_seconds=1.0, host="other"))]
    assert not meter.problem
assert meter.share_of(here) is None
print(*values)
"""

seconds = st.floats(0.01, 1e4)


@given(
    st.lists(st.tuples(seconds, seconds), min_size=1, max_size=5), st.floats(0, 9), st.floats(0, 9)
)
def test_children_that_fill_the_machine_pay_all_of_its_energy(
    children: list[tuple[float, float]], cpu_kwh: float, gpu_kwh: float
) -> None:
    busy, held = (sum(kind) for kind in zip(*children, strict=True))
    reading = Reading(cpu_kwh, gpu_kwh, busy, held)
    paid = [share(reading, *child) for child in children]
    assert all(one >= 0 for one in paid)
    assert sum(paid) == pytest.approx(cpu_kwh + gpu_kwh)


def test_half_of_the_busy_seconds_pay_half_of_the_energy_and_no_second_pays_nothing() -> None:
    reading = Reading(cpu_kwh=2.0, gpu_kwh=4.0, cpu_seconds=100.0, gpu_seconds=10.0)
    assert share(reading, 50.0, 0.0) == 1.0
    assert share(reading, 0.0, 5.0) == 2.0
    assert share(reading, 0.0, 0.0) == 0.0
    assert share(Reading(2.0, 0.0, 0.0, 0.0), 0.0, 0.0) == 0.0


def test_measuring_gives_a_plausible_power_and_leaves_no_trace(tmp_path: Path) -> None:
    pytest.importorskip("codecarbon", reason="codecarbon, of the extra [energy], is not installed")
    done = subprocess.run(
        [sys.executable, "-c", WORK],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": IMPORTS, "HOME": str(tmp_path)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    here, elsewhere = done.stdout.split()
    assert 0.1 < float(here) * 3.6e6 < 2000  # watts of one busy second
    assert elsewhere == "None"
    assert list(tmp_path.iterdir()) == []


def test_without_codecarbon_nothing_is_measured_and_the_reason_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("ambient.evaluate.energy.find_spec", lambda name: None)
    inner = InlineEngine({"tiny": tiny_task()}, pretend)
    with (
        closing(EnergyMeter()) as meter,
        Store(tmp_path / "store.sqlite") as store,
        Remembering(inner, store, meter=meter) as engine,
    ):
        (answer,) = engine.run([request()])
        assert "ambient-nas[energy]" in meter.problem
    assert answer.energy_kwh is None


def test_what_was_measured_is_in_the_store(tmp_path: Path) -> None:
    class Fixed(EnergyMeter):
        def share_of(self, evaluation: object) -> float:
            return 0.125

    inner = InlineEngine({"tiny": tiny_task()}, pretend)
    with Store(tmp_path / "store.sqlite") as store:
        (answer,) = Remembering(inner, store, meter=Fixed.__new__(Fixed)).run([request()])
        assert [row.energy_kwh for row in store.rows()] == [answer.energy_kwh] == [0.125]
        # What was remembered keeps what it took when it was trained.
        (again,) = Remembering(inner, store).run([request()])
        assert again == answer
