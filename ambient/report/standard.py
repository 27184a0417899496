"""Descriptors of many tasks on one scale: standardised, ordered by likeness, drawn together into two components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from descriptors.proteins import CATEGORIES
from descriptors.schema import DESCRIPTORS

__all__ = [
    "CATEGORIES",
    "Components",
    "Plane",
    "Tree",
    "category_of",
    "components",
    "plane_of",
    "standardise",
    "tree_of",
]

# The assay's flags are the categories themselves: with them, likeness would only say them again.
_COMPARED = np.array([descriptor.group != "assay" for descriptor in DESCRIPTORS])

NAMED = 3  # descriptors that a component is named by

Described = Mapping[str, Mapping[str, Any]]


def category_of(task: Mapping[str, Any]) -> str:
    """Read a task's category off its descriptors; "other" where no flag is set."""
    values = task["values"]
    return next((name for name in CATEGORIES[:-1] if values.get(f"is_{name}")), CATEGORIES[-1])


def standardise(described: Described) -> np.ndarray:
    """Standardise each descriptor over the tasks, after the logarithm where the schema says so.

    Parameters
    ----------
    described : mapping
        Task to its descriptors, with `values`.

    Returns
    -------
    ndarray, float64, shape (descriptors, tasks)
        Standard deviations from the mean over tasks; 0 where all tasks agree, nan where missing.
    """
    rows = []
    for descriptor in DESCRIPTORS:
        found = [task["values"].get(descriptor.name) for task in described.values()]
        row = np.array([np.nan if value is None else value for value in found], dtype=np.float64)
        if descriptor.transform == "log1p":
            row = np.log1p(np.clip(row, 0.0, None))
        known = row[~np.isnan(row)]
        if len(known):
            spread = known.std()
            row = (row - known.mean()) / (spread if spread > 1e-12 else 1.0)
        rows.append(row)
    return np.array(rows).reshape(len(DESCRIPTORS), len(described))


def _compared(scores: np.ndarray) -> np.ndarray:
    """Give what tasks are compared by, shape (tasks, descriptors): no assay flags, the mean where missing."""
    return np.nan_to_num(scores[_COMPARED].T, nan=0.0)


@dataclass(frozen=True)
class Tree:
    """Tasks joined by likeness."""

    order: tuple[int, ...]  # of the leaves, so that like tasks stand side by side
    joints: tuple[
        tuple[tuple[float, ...], tuple[float, ...]], ...
    ]  # x and height of each joint's corners


def tree_of(scores: np.ndarray) -> Tree:
    """Cluster tasks by their standardised descriptors.

    Parameters
    ----------
    scores : ndarray, float64, shape (descriptors, tasks)
        As `standardise` gives.

    Returns
    -------
    Tree
        Of Ward's method over Euclidean distances, leaves in the order that brings neighbours closest; the four
        corners of each joint lie at x in units of leaves (0, 1, ...) and at heights in standard deviations.

    Source
    ------
    Ward 1963 (hierarchical grouping); Bar-Joseph 2001 (optimal leaf ordering), as in scipy.
    """
    tasks = scores.shape[1]
    if tasks < 2:
        return Tree(tuple(range(tasks)), ())
    from scipy.cluster.hierarchy import dendrogram, linkage

    joined = linkage(_compared(scores), method="ward", optimal_ordering=True)
    drawn = dendrogram(joined, no_plot=True)
    # scipy places leaves at 5, 15, 25, ...
    joints = tuple(
        (tuple((x - 5) / 10 for x in across), tuple(float(y) for y in up))
        for across, up in zip(drawn["icoord"], drawn["dcoord"], strict=True)
    )
    return Tree(tuple(drawn["leaves"]), joints)


@dataclass(frozen=True)
class Plane:
    """The two directions in which the rows of a matrix differ most."""

    places: np.ndarray  # float64, shape (rows, 2), along each, from the mean
    axes: (
        np.ndarray
    )  # float64, shape (2, columns), of unit length; the heaviest column's weight is positive
    explained: tuple[float, float]  # share of the variance along each, in [0, 1]


def plane_of(matrix: np.ndarray) -> Plane | None:
    """Find the first two principal components of the rows of a matrix.

    Parameters
    ----------
    matrix : ndarray, float, shape (rows, columns)

    Returns
    -------
    Plane or None
        None where there are fewer than three rows, or they differ in fewer than two directions.
    """
    if len(matrix) < 3:
        return None
    left, sizes, axes = np.linalg.svd(matrix - matrix.mean(axis=0), full_matrices=False)
    if len(sizes) < 2 or sizes[1] <= 1e-9 * max(float(sizes[0]), 1e-300):
        return None
    signs = np.sign(axes[:2][np.arange(2), np.abs(axes[:2]).argmax(axis=1)])
    shares = sizes**2 / (sizes**2).sum()
    return Plane(
        left[:, :2] * sizes[:2] * signs,
        axes[:2] * signs[:, None],
        (float(shares[0]), float(shares[1])),
    )


@dataclass(frozen=True)
class Components:
    """Tasks along the two directions in which their descriptors differ most."""

    places: np.ndarray  # float64, shape (tasks, 2), in standard deviations of single descriptors
    explained: tuple[float, float]  # share of the variance along each, in [0, 1]
    leading: tuple[
        tuple[str, ...], tuple[str, ...]
    ]  # signed names of the descriptors that weigh most
    imputed: tuple[int, ...]  # values of each task that were missing and count as the mean


def components(scores: np.ndarray) -> Components | None:
    """Find the first two principal components of the tasks' standardised descriptors.

    Parameters
    ----------
    scores : ndarray, float64, shape (descriptors, tasks)
        As `standardise` gives.

    Returns
    -------
    Components or None
        None where there are fewer than three tasks, or they differ in fewer than two directions. A component
        points to where its heaviest descriptor is larger.
    """
    plane = plane_of(_compared(scores))
    if plane is None:
        return None
    names = [
        descriptor.name for descriptor, used in zip(DESCRIPTORS, _COMPARED, strict=True) if used
    ]
    leading = []
    for axis in plane.axes:
        heaviest = np.argsort(-np.abs(axis), kind="stable")[:NAMED]
        leading.append(tuple(f"{names[at]} {'+' if axis[at] > 0 else '−'}" for at in heaviest))
    return Components(
        places=plane.places,
        explained=plane.explained,
        leading=(leading[0], leading[1]),
        imputed=tuple(int(count) for count in np.isnan(scores[_COMPARED]).sum(axis=0)),
    )
