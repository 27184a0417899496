"""Which chromosomes train, validate and test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from ambient.errors import InputError

__all__ = ["Split", "choose_split", "is_skipped"]


@dataclass(frozen=True)
class Split:
    """Whole chromosomes that are held back; every other one trains.

    Attributes
    ----------
    validation : tuple of str
        Chromosomes that choose (early stopping, rewards).
    test : tuple of str
        Chromosomes that only measure, at the very end.
    """

    validation: tuple[str, ...]
    test: tuple[str, ...]

    def __post_init__(self) -> None:
        for part in ("validation", "test"):
            names = getattr(self, part)
            if not names:
                raise InputError(f"split: {part} names no chromosome; name at least one")
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise InputError(f'split: {part} names "{twice[0]}" twice; name it once')
        both = sorted(set(self.validation) & set(self.test))
        if both:
            raise InputError(
                f'split: "{both[0]}" stands in both validation and test; a chromosome can serve '
                "one of them only, remove it from the other"
            )

    def number(self, chromosome: str) -> int:
        """Give a chromosome's split: 0 train, 1 validation, 2 test."""
        return 1 if chromosome in self.validation else 2 if chromosome in self.test else 0

    def training_chromosomes(self, chromosomes: Sequence[str]) -> list[str]:
        """Give those of some chromosomes that train, in their order."""
        return [name for name in chromosomes if self.number(name) == 0]

    def to_dict(self) -> dict[str, list[str]]:
        """Give plain lists that JSON can hold."""
        return {"validation": list(self.validation), "test": list(self.test)}


def choose_split(counts: Mapping[str, int], share: float = 0.15, where: str = "split") -> Split:
    """Choose chromosomes for validation and test where a user named none.

    Test first, then validation, takes whole chromosomes, largest first, as long as each brings it
    nearer to its share of the positives; the chromosome with the most positives always trains. Where
    they hold less than a third of that share (mitochondria, scaffolds), the smallest chromosome that
    holds as much is taken instead, if there is one. The same counts always give the same split.

    Parameters
    ----------
    counts : mapping of str to int
        Positives on each chromosome.
    share : float
        The share of all positives that validation and test each should hold.
    where : str
        What an error names as its place.

    Returns
    -------
    Split

    Raises
    ------
    InputError
        Fewer than three chromosomes hold positives.
    """
    left = sorted((name for name in counts if counts[name] > 0), key=lambda n: (-counts[n], n))
    if len(left) < 3:
        found = ", ".join(left) or "none"
        raise InputError(
            f"{where}: usable peaks lie on {len(left)} chromosome(s) ({found}), but training, validation "
            "and test need one each; give peaks of at least three chromosomes"
        )
    target = share * sum(counts[name] for name in left)
    left = left[1:]
    chosen: list[tuple[str, ...]] = []
    for needed_later in (1, 0):
        part: list[str] = []
        total = 0
        for name in left:
            gain = abs(total - target) - abs(total + counts[name] - target)
            if gain > 0 and len(left) - len(part) - 1 >= needed_later:
                part.append(name)
                total += counts[name]
        if total < target / 3:
            enough = [name for name in left if counts[name] >= target / 3]
            part = enough[-1:] or part or [left[-1]]
        chosen.append(tuple(part))
        left = [name for name in left if name not in part]
    return Split(validation=chosen[1], test=chosen[0])


def is_skipped(chromosome: str, skipped: Sequence[str]) -> bool:
    """Say whether a chromosome is named by any of some names, in which `*` stands for any letters."""
    return any(chromosome == name or fnmatchcase(chromosome, name) for name in skipped)
