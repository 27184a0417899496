"""A task in memory: labelled windows of a genome, one byte for each base, split by chromosome."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ambient.errors import InputError, RunError
from ambient.files import write_atomic

__all__ = ["ORIGINS", "SPLITS", "TaskData"]

SPLITS = ("train", "validation", "test")
ORIGINS = ("positive", "random", "gc_matched", "other_tasks", "file")
FORMAT = 1

_ARRAYS = ("codes", "labels", "split", "origin", "chromosome", "centre")


@dataclass(frozen=True, eq=False)
class TaskData:
    """Labelled windows of one data set.

    Attributes
    ----------
    name, category : str
        Whose windows these are; `category` is tf, polymerase, histone, accessibility or other.
    window_bp : int
        Width of a window as a network sees it by default; negatives stay clear of positives at this
        width.
    codes : ndarray, uint8, shape (windows, stored_bp)
        A 0, C 1, G 2, T 3, anything else 4 (also beyond the end of a chromosome). Centred: base
        `stored_bp // 2` is the window's centre. Wider than `window_bp`, so that shifted and wider
        windows read real sequence.
    labels : ndarray, float32, shape (windows, outputs)
        1 for a positive, 0 for a negative, NaN where that is not known.
    split : ndarray, uint8, shape (windows,)
        Index into `SPLITS`: 0 train, 1 validation, 2 test.
    origin : ndarray, uint8, shape (windows,)
        Index into `ORIGINS`: 0 a positive, otherwise the kind of negative.
    chromosome : ndarray, str, shape (windows,); may be empty
        Where each window lies; empty where a task was not made from a genome.
    centre : ndarray, int64, shape (windows,); may be empty
        0-based position of each window's centre, bp.
    left_out : mapping
        What was left out or fell short, and how often.
    label_names, label_categories : tuple of str, one for each output; may be empty
        Whose labels these are; empty where the task is one data set.
    stranded : bool
        Whether each window is read on the strand that it lies on, as RNA is: its reverse complement is
        then another sequence, on which nothing is known.
    """

    name: str
    category: str
    window_bp: int
    codes: np.ndarray
    labels: np.ndarray
    split: np.ndarray
    origin: np.ndarray
    chromosome: np.ndarray = field(default_factory=lambda: np.empty(0, dtype="<U1"))
    centre: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    left_out: Mapping[str, int] = field(default_factory=dict)
    label_names: tuple[str, ...] = ()
    label_categories: tuple[str, ...] = ()
    stranded: bool = False

    def __post_init__(self) -> None:
        windows = len(self.codes)
        for name in ("labels", "split", "origin"):
            if len(getattr(self, name)) != windows:
                raise ValueError(
                    f"{self.name}: {windows} windows but {len(getattr(self, name))} {name}"
                )
        if self.codes.ndim != 2 or self.labels.ndim != 2:
            raise ValueError(
                f"{self.name}: codes and labels need two dimensions, found {self.codes.shape} "
                f"and {self.labels.shape}"
            )
        if self.stored_bp < self.window_bp:
            raise ValueError(
                f"{self.name}: stores {self.stored_bp} bp, less than its window of {self.window_bp}"
            )
        for name in ("label_names", "label_categories"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # JSON gives lists
        named = {len(self.label_names), len(self.label_categories)}
        if named not in ({0}, {self.outputs}):
            raise ValueError(
                f"{self.name}: {self.outputs} labels but {len(self.label_names)} names and "
                f"{len(self.label_categories)} categories of them"
            )

    @property
    def stored_bp(self) -> int:
        """Width of the stored sequence, bp."""
        return int(self.codes.shape[1])

    @property
    def outputs(self) -> int:
        """Number of labels of each window."""
        return int(self.labels.shape[1])

    @cached_property
    def hash(self) -> str:
        """16 hexadecimal digits that identify the contents; of names only those of labels count."""
        digest = hashlib.sha256(
            f"{FORMAT} {self.window_bp} {self.codes.shape} {self.labels.shape}".encode()
        )
        for array, kind in (
            (self.codes, np.uint8),
            (self.labels, np.float32),
            (self.split, np.uint8),
            (self.origin, np.uint8),
        ):
            digest.update(np.ascontiguousarray(array, dtype=kind).tobytes())
        if self.label_names:
            digest.update(json.dumps([self.label_names, self.label_categories]).encode())
        if self.stranded:
            digest.update(b"stranded")
        return digest.hexdigest()[:16]

    def subset(self, split: str | int) -> np.ndarray:
        """Give the indices (int64, ascending) of a split: "train", "validation", "test" or its number."""
        number = SPLITS.index(split) if isinstance(split, str) else split
        return np.flatnonzero(self.split == number)

    def check_window(self, window_bp: int) -> None:
        """Refuse windows that are wider than what is stored around each centre.

        Raises
        ------
        InputError
        """
        if not 1 <= window_bp <= self.stored_bp:
            raise InputError(
                f"{self.name}: windows of {window_bp} bp were asked for, but {self.stored_bp} bp are stored around "
                f"each centre; set widest_window_bp to {window_bp} where the task is made, or ask for narrower windows"
            )

    def window(
        self,
        index: np.ndarray | slice,
        window_bp: int | None = None,
        shift: int | np.ndarray = 0,
    ) -> np.ndarray:
        """Cut windows out of the stored sequence.

        Parameters
        ----------
        index : ndarray of int, shape (n,), or slice
            Which windows.
        window_bp : int, optional
            Their width; the task's own where it is not given.
        shift : int, or ndarray of int, shape (n,)
            How many bp to the right of its centre each window is cut.

        Returns
        -------
        ndarray, uint8, shape (n, window_bp)

        Raises
        ------
        InputError
            The task does not store that much sequence around its centres.
        """
        width = self.window_bp if window_bp is None else window_bp
        self.check_window(width)
        shifts = np.asarray(shift, dtype=np.int64)
        reach = int(np.abs(shifts).max()) if shifts.size else 0
        start = self.stored_bp // 2 - width // 2
        if start - reach < 0 or start + width + reach > self.stored_bp:
            raise InputError(
                f"{self.name}: a window of {width} bp shifted by up to {reach} bp was asked for, but "
                f"{self.stored_bp} bp are stored around each centre; prepare the task with a wider "
                "widest_window_bp or ask for a narrower window"
            )
        if shifts.ndim == 0:
            first = start + int(shifts)
            return np.ascontiguousarray(self.codes[index, first : first + width])
        rows = np.arange(len(self.codes))[index]
        columns = (start + shifts)[:, None] + np.arange(width)
        return self.codes[rows[:, None], columns]

    def summary(self) -> dict[str, Any]:
        """Count the windows of each split and origin, in plain values that JSON can hold."""
        positive = (self.labels > 0.5).any(axis=1)
        return {
            "name": self.name,
            "category": self.category,
            "hash": self.hash,
            "window_bp": self.window_bp,
            "stored_bp": self.stored_bp,
            "stranded": self.stranded,
            "positives": {
                s: int((positive & (self.split == i)).sum()) for i, s in enumerate(SPLITS)
            },
            "negatives": {
                s: int((~positive & (self.split == i)).sum()) for i, s in enumerate(SPLITS)
            },
            "origins": {
                kind: int((self.origin == i).sum())
                for i, kind in enumerate(ORIGINS)
                if (self.origin == i).any()
            },
            "left_out": dict(self.left_out),
        }

    def save(self, path: str | Path) -> None:
        """Write the task as one .npz file, atomically and without pickle."""
        facts = {
            "format": FORMAT,
            "name": self.name,
            "category": self.category,
            "window_bp": self.window_bp,
            "left_out": dict(self.left_out),
            "hash": self.hash,
            "label_names": self.label_names,
            "label_categories": self.label_categories,
            "stranded": self.stranded,
        }
        stream = io.BytesIO()
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        np.savez(stream, facts=np.array(json.dumps(facts)), **arrays)
        write_atomic(path, stream.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> TaskData:
        """Read a task that `save` wrote.

        Raises
        ------
        RunError
            The file is absent, broken, of another format, or its contents do not have the hash that
            it names.
        """
        path = Path(path)
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                facts = json.loads(str(stored["facts"]))
                arrays = {name: stored[name] for name in _ARRAYS}
        except FileNotFoundError as error:
            raise RunError(f"{path}: there is no such task file; check the path") from error
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise RunError(
                f"{path}: found no readable task ({error}); remove the file and prepare it anew"
            ) from error
        if facts.get("format") != FORMAT:
            raise RunError(
                f"{path}: found task format {facts.get('format')} where {FORMAT} was needed; prepare the task anew"
            )
        task = cls(
            facts["name"],
            facts["category"],
            facts["window_bp"],
            left_out=facts["left_out"],
            # Files of before tasks had several labels lack these.
            label_names=facts.get("label_names", ()),
            label_categories=facts.get("label_categories", ()),
            stranded=facts.get("stranded", False),
            **arrays,
        )
        if task.hash != facts["hash"]:
            raise RunError(
                f"{path}: the contents have the hash {task.hash} but the file names {facts['hash']}; "
                "it is damaged: remove it and prepare the task anew"
            )
        return task
