"""What evaluations cost together, in seconds and kilowatt-hours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ambient.evaluate.records import Evaluation
    from ambient.evaluate.store import Store

__all__ = ["Costs"]


@dataclass(frozen=True)
class Costs:
    """Sums over evaluations, as each was when it was trained."""

    evaluations: int = 0
    states: Mapping[str, int] = field(default_factory=dict)  # how many are done, failed, stopped
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    gpu_seconds: float = 0.0
    energy_kwh: float | None = None  # of those that were measured; None: none was
    measured: int = 0  # evaluations whose energy is known

    @classmethod
    def of(cls, evaluations: Iterable[Evaluation]) -> Costs:
        """Add up evaluations."""
        rows = list(evaluations)
        energies = [row.energy_kwh for row in rows if row.energy_kwh is not None]
        return cls(
            len(rows),
            Counter(row.state for row in rows),
            sum(row.wall_seconds for row in rows),
            sum(row.cpu_seconds for row in rows),
            sum(row.gpu_seconds for row in rows),
            sum(energies) if energies else None,
            len(energies),
        )

    @classmethod
    def of_store(cls, store: Store, **filters: Any) -> Costs:
        """Add up the rows of a store where they lie; filters as for `Store.rows`."""
        sums = store.sums(**filters)
        energies = [row["energy_kwh"] for row in sums if row["energy_kwh"] is not None]
        return cls(
            sum(row["evaluations"] for row in sums),
            {row["state"]: row["evaluations"] for row in sums},
            sum(row["wall_seconds"] for row in sums),
            sum(row["cpu_seconds"] for row in sums),
            sum(row["gpu_seconds"] for row in sums),
            sum(energies) if energies else None,
            sum(row["measured"] for row in sums),
        )

    def to_dict(self) -> dict[str, Any]:
        """Give the sums as JSON values."""
        return asdict(self) | {"states": dict(self.states)}

    def words(self) -> str:
        """Say them in a line."""
        states = ", ".join(f"{count:,} {state}" for state, count in sorted(self.states.items()))
        energy = "energy not measured"
        if self.energy_kwh is not None:
            energy = f"{self.energy_kwh:.3g} kWh"
            if self.measured < self.evaluations:
                energy += f" (measured for {self.measured:,} of {self.evaluations:,})"
        return (
            f"{states or 'no evaluations'}: {self.wall_seconds:,.1f} s wall, "
            f"{self.cpu_seconds:,.1f} s CPU, {self.gpu_seconds:,.1f} s GPU, {energy}"
        )
