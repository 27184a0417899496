"""The energy that evaluations took: codecarbon measures this machine, each child pays its share."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ambient.evaluate.engines import short_host

if TYPE_CHECKING:
    from ambient.evaluate.records import Evaluation

__all__ = ["EnergyMeter", "Reading", "share"]

START_SECONDS = (
    60.0  # how long a first result waits for codecarbon, which starts in 0.4 to 5 seconds
)
SHORTEST_SECONDS = 1.0  # of measuring, before it is believed; and between two readings


@dataclass(frozen=True)
class Reading:
    """What this machine took since the meter was started."""

    cpu_kwh: float  # processors and memory
    gpu_kwh: float  # all GPUs together
    cpu_seconds: float  # that its processors were busy, for whatever program
    gpu_seconds: float  # that passed, times its GPUs


def share(reading: Reading, cpu_seconds: float, gpu_seconds: float) -> float:
    """Give what a child owes: the machine's energy for each busy second, times the child's seconds.

    What the machine takes while it idles is thereby spread over the seconds in which it works.

    Parameters
    ----------
    reading : Reading
        Of the machine that it ran on.
    cpu_seconds, gpu_seconds : float
        Of the child.

    Returns
    -------
    float
        Kilowatt-hours, at least 0.
    """
    busy = max(reading.cpu_seconds, cpu_seconds)
    held = max(reading.gpu_seconds, gpu_seconds)
    cpu_kwh = reading.cpu_kwh * cpu_seconds / busy if busy > 0 else 0.0
    return cpu_kwh + (reading.gpu_kwh * gpu_seconds / held if held > 0 else 0.0)


class EnergyMeter:
    """Measures from when it is made until it is closed; without codecarbon it measures nothing.

    It writes no file, asks no server and prints nothing.

    Attributes
    ----------
    problem : str
        Why nothing is measured, for a person; empty where all is well.
    """

    def __init__(self) -> None:
        self.problem = ""
        self._host = short_host()
        self._tracker: Any = None
        self._total: Any = None  # what codecarbon said last
        self._read_at = self._started = 0.0
        self._busy_before = 0.0
        self._reading: Reading | None = None
        self._start = threading.Thread(target=self._start_tracker, daemon=True)
        if find_spec("codecarbon") is None:
            self.problem = "codecarbon is not installed: pip install 'ambient-nas[energy]'"
        else:
            self._start.start()  # beside the workers, which take as long to start

    def share_of(self, evaluation: Evaluation) -> float | None:
        """Give the energy that an evaluation took, in kWh; None where it was not measured.

        What another machine trained was not.
        """
        if evaluation.host not in ("", self._host):
            return None
        reading = self._read()
        if reading is None:
            return None
        return share(reading, evaluation.cpu_seconds, evaluation.gpu_seconds)

    def close(self) -> None:
        """Stop measuring; may be called twice."""
        if self._start.is_alive():
            self._start.join(START_SECONDS)
        tracker, self._tracker = self._tracker, None
        if tracker is not None:
            tracker.stop()

    def _start_tracker(self) -> None:
        try:
            from codecarbon import OfflineEmissionsTracker
            from codecarbon.output_methods.base_output import BaseOutput

            logging.getLogger("codecarbon").setLevel(logging.CRITICAL)
            meter = self

            class Hear(BaseOutput):
                def out(self, total: Any, delta: Any) -> None:
                    meter._total = total

            tracker = OfflineEmissionsTracker(
                country_iso_code="USA",  # of its carbon, which is not asked for
                output_methods=[],
                output_handlers=[Hear()],
                log_level="critical",
                allow_multiple_runs=True,
                tracking_mode="machine",
            )
            tracker.start()
            self._started, self._busy_before = time.perf_counter(), _busy_seconds()
            self._tracker = tracker
        # Whatever goes wrong in another's library on odd hardware must not end a search.
        except Exception as error:
            self.problem = f"codecarbon failed ({type(error).__name__}: {error})"

    def _read(self) -> Reading | None:
        """Give the newest reading, at most a second old."""
        if self._start.is_alive():
            self._start.join(START_SECONDS)
        if self._tracker is None:
            self.problem = self.problem or "codecarbon did not start in time"
            return None
        if self._reading is not None and time.perf_counter() - self._read_at < SHORTEST_SECONDS:
            return self._reading
        if self._reading is None:
            early = SHORTEST_SECONDS - (time.perf_counter() - self._started)
            time.sleep(max(0.0, early))
        self._tracker.flush()
        self._read_at = time.perf_counter()
        total = self._total
        if total is None:
            self.problem = "codecarbon gave no reading"
            return None
        gpus = int(total.gpu_count or 0)
        self._reading = Reading(
            cpu_kwh=float(total.cpu_energy) + float(total.ram_energy),
            gpu_kwh=float(total.gpu_energy),
            cpu_seconds=_busy_seconds() - self._busy_before,
            gpu_seconds=gpus * (self._read_at - self._started),
        )
        return self._reading


def _busy_seconds() -> float:
    """Give the seconds that the processors of this machine worked since it was started."""
    import psutil  # codecarbon brings it

    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0))
