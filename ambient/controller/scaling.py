"""Descriptors to what the policy reads: standardised with the training tasks' own spread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ambient.errors import RunError
from descriptors.schema import DESCRIPTORS, SCHEMA_VERSION

if TYPE_CHECKING:
    from descriptors.record import Descriptors

__all__ = ["Scaler"]


@dataclass(frozen=True)
class Scaler:
    """Mean and standard deviation of each descriptor over the training tasks.

    A descriptor that did not vary over the training tasks, or was always missing, has standard
    deviation 0 and is read as 0 ever after: nothing could be learned from it. A missing value is
    read as 0, the training mean, and sets its flag; so does whatever is given for a descriptor that
    all training tasks lacked, so that a data set reads as theirs do.

    Parameters
    ----------
    schema_version : int
        Of the descriptors that it reads.
    names : tuple of str
        In the order of the columns.
    transforms : tuple of str
        "identity" or "log1p", applied before mean and standard deviation.
    mean, standard_deviation : tuple of float
        In the transformed unit of each descriptor.
    motif_finder : str or None
        What found the motifs of the training tasks; None where that is not recorded.
    never_known : tuple of str
        Descriptors that all training tasks lacked.
    """

    schema_version: int
    names: tuple[str, ...]
    transforms: tuple[str, ...]
    mean: tuple[float, ...]
    standard_deviation: tuple[float, ...]
    motif_finder: str | None = None
    never_known: tuple[str, ...] = ()

    @classmethod
    def fit(cls, descriptors: Sequence[Descriptors | None]) -> Scaler:
        """Measure mean and standard deviation over the training tasks, leaving out None.

        Raises
        ------
        RunError
            The descriptors have another schema than this version of the package, or two finders
            found their motifs.
        """
        present = [item for item in descriptors if item is not None]
        finders = {item.motif_finder: item.task for item in present if item.motif_finder}
        if len(finders) > 1:
            (one, first), (other, second), *_ = sorted(finders.items())
            raise RunError(
                f"the motifs of {first} were found by {one}, those of {second} by {other}, and "
                "numbers of the two are not alike; describe all training tasks in one way"
            )
        for item in present:
            _check_version(item, SCHEMA_VERSION)
        transforms = tuple(str(entry.transform) for entry in DESCRIPTORS)
        values = np.array([item.vector() for item in present], dtype=np.float64)
        values = _transform(values.reshape(len(present), len(DESCRIPTORS)), transforms)
        mean, deviation = [], []
        for column in values.T:
            known = column[~np.isnan(column)]
            varies = len(known) > 1 and known.min() < known.max()
            mean.append(float(known.mean()) if len(known) else 0.0)
            deviation.append(float(known.std()) if varies else 0.0)
        return cls(
            schema_version=SCHEMA_VERSION,
            names=tuple(entry.name for entry in DESCRIPTORS),
            transforms=transforms,
            mean=tuple(mean),
            standard_deviation=tuple(deviation),
            motif_finder=next(iter(finders), None),
            never_known=tuple(
                entry.name
                for entry, column in zip(DESCRIPTORS, values.T, strict=True)
                if len(column) and np.isnan(column).all()
            ),
        )

    def transform(self, descriptors: Descriptors | None) -> np.ndarray:
        """Standardise one task's descriptors.

        Parameters
        ----------
        descriptors : Descriptors or None
            None for a task that is searched without descriptors.

        Returns
        -------
        ndarray, float32, shape (2 * D,)
            D standardised values (0 where missing), then D flags (1 where missing); all zeros for
            None.

        Raises
        ------
        RunError
            The descriptors have another schema version than the scaler, or their motifs were found
            by another finder.
        """
        return self.transform_all([descriptors])[0]

    def transform_all(self, several: Sequence[Descriptors | None]) -> np.ndarray:
        """Standardise the descriptors of several tasks: float32, shape (tasks, 2 * D), as `transform` does."""
        count = len(self.names)
        values = np.full((len(several), count), np.nan)
        for row, descriptors in zip(values, several, strict=True):
            if descriptors is None:
                continue
            _check_version(descriptors, self.schema_version)
            if (conflict := self.conflict(descriptors)) is not None:
                raise RunError(conflict)
            row[:] = descriptors.vector()
        missing = np.isnan(values) | np.isin(self.names, self.never_known)
        values = _transform(values, self.transforms)
        deviation = np.array(self.standard_deviation)
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = (values - np.array(self.mean)) / deviation
        scaled[missing | (deviation == 0)] = 0.0
        missing[[descriptors is None for descriptors in several]] = False
        return np.hstack([scaled, missing]).astype(np.float32)

    def conflict(self, descriptors: Descriptors) -> str | None:
        """Say in a sentence that another finder found the motifs; None where it did not, or is not recorded."""
        found, needed = descriptors.motif_finder, self.motif_finder
        if found is None or needed is None or found == needed:
            return None
        if needed == "HOMER":
            how = "with --homer or --run-homer"
        elif found == "HOMER":
            how = "without --homer and --run-homer"
        else:
            how = "with the version of ambient that described those"
        return (
            f"descriptors of {descriptors.task}: the motifs were found by {found}, but those of the "
            f"controller's training tasks by {needed}, and numbers of the two are not alike; describe "
            f"the data set anew {how}, or use a controller that was trained on descriptors like these"
        )

    def restore(self, vectors: Sequence[Sequence[float]]) -> dict[str, list[float | None]]:
        """Give back the values that `transform` made vectors from, to six digits.

        Parameters
        ----------
        vectors : array-like, float, shape (tasks, 2 * D)

        Returns
        -------
        dict of str to list of (float or None)
            For each descriptor the values of all tasks; None where missing.
        """
        scaled, missing = np.hsplit(np.asarray(vectors, dtype=np.float64), 2)
        # Rounded to what float32 holds, so that a 0 comes back as 0.
        values = np.round(scaled * np.array(self.standard_deviation) + np.array(self.mean), 6)
        logged = np.array([name == "log1p" for name in self.transforms])
        values = np.where(logged, np.expm1(np.where(logged, values, 0.0)), values)
        return {
            name: [
                None if gone else float(value) for value, gone in zip(column, flags, strict=True)
            ]
            for name, column, flags in zip(self.names, values.T, missing.T > 0.5, strict=True)
        }

    def to_dict(self) -> dict[str, Any]:
        """Give the scaler as a JSON value."""
        return {
            "schema_version": self.schema_version,
            "names": list(self.names),
            "transforms": list(self.transforms),
            "mean": list(self.mean),
            "standard_deviation": list(self.standard_deviation),
            "motif_finder": self.motif_finder,
            **({"never_known": list(self.never_known)} if self.never_known else {}),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Scaler:
        """Take back what `to_dict` gave."""
        return cls(
            schema_version=int(value["schema_version"]),
            names=tuple(value["names"]),
            transforms=tuple(value["transforms"]),
            mean=tuple(float(number) for number in value["mean"]),
            standard_deviation=tuple(float(number) for number in value["standard_deviation"]),
            motif_finder=value.get("motif_finder"),  # older cards do not say it
            never_known=tuple(value.get("never_known", ())),
        )


def _transform(values: np.ndarray, transforms: Sequence[str]) -> np.ndarray:
    """Apply log1p to the columns that ask for it; nan stays nan; (..., D) -> (..., D)."""
    logged = np.array([name == "log1p" for name in transforms])
    # A count, width or distance is never negative; where() computes both sides, so the other
    # columns are set to 0.
    return np.where(logged, np.log1p(np.where(logged, values, 0.0)), values)


def _check_version(descriptors: Descriptors, needed: int) -> None:
    if descriptors.schema_version != needed:
        raise RunError(
            f"descriptors of {descriptors.task}: schema version {descriptors.schema_version}, but "
            f"version {needed} is needed here; describe the data set again with the version of "
            "ambient that the controller was trained with, or use another controller"
        )
