"""Strict reading of a YAML file that a person wrote: every key known, every value of its type."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ambient.errors import InputError
from ambient.files import read_yaml

__all__ = ["Section", "nearest", "read_section"]

_MISSING = object()


def read_section(path: Path, what: str) -> Section:
    """Read a YAML file that holds one mapping; raises `InputError` as `ambient.files.read_yaml` does."""
    return Section(read_yaml(path, what), str(path))


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which known word was probably meant: 'did you mean "x"?', or list them all."""
    words = list(known)
    close = difflib.get_close_matches(str(word), words, n=1, cutoff=0.5)
    return f'did you mean "{close[0]}"?' if close else f"known are {', '.join(sorted(words))}"


class Section:
    """One mapping of a YAML file; each getter remembers its key, `finish` refuses what nobody asked for.

    Parameters
    ----------
    values : mapping
    where : str
        File and place, for errors.
    """

    def __init__(self, values: Mapping[Any, Any], where: str) -> None:
        self.values = values
        self.where = where
        self._known: list[str] = []

    def _get(self, key: str) -> Any:
        self._known.append(key)
        value = self.values.get(key)
        return _MISSING if value is None else value

    def _wrong(self, key: str, value: Any, needed: str) -> InputError:
        return InputError(f"{self.where}: {key} is {value!r}, but {needed} was needed; correct it")

    def raw(self, key: str) -> Any:
        """Give a value as it stands; None where it is absent."""
        value = self._get(key)
        return None if value is _MISSING else value

    def require(self, key: str, example: str) -> None:
        """Raise where a key is absent."""
        if self.values.get(key) is None:
            raise InputError(f"{self.where}: {key} is missing; add for example `{key}: {example}`")

    def text(self, key: str) -> str | None:
        """Give a text; a number is taken as its text, a truth value is refused (YAML reads `no` as one)."""
        value = self._get(key)
        return None if value is _MISSING else self._as_text(key, value)

    def _as_text(self, key: str, value: Any) -> str:
        if isinstance(value, bool):
            raise InputError(
                f"{self.where}: {key} holds a word that YAML reads as {str(value).lower()}; "
                "put it between quotes"
            )
        if not isinstance(value, (str, int, float)) or not str(value).strip():
            raise self._wrong(key, value, "a text")
        return str(value).strip()

    def texts(self, key: str) -> tuple[str, ...]:
        """Give a list of texts; one text alone is a list of one; empty where it is absent."""
        value = self._get(key)
        if value is _MISSING:
            return ()
        return tuple(
            self._as_text(key, one) for one in (value if isinstance(value, list) else [value])
        )

    def whole(self, key: str, default: int, least: int) -> int:
        """Give a whole number that is not below `least`."""
        value = self._get(key)
        if value is _MISSING:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self._wrong(key, value, f"a whole number of at least {least}")
        return value

    def number(self, key: str, default: float) -> float:
        """Give a number."""
        value = self._get(key)
        if value is _MISSING:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self._wrong(key, value, "a number")
        return float(value)

    def truth(self, key: str, default: bool) -> bool:
        """Give true or false."""
        value = self._get(key)
        if value is _MISSING:
            return default
        if not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value

    def file(self, key: str, folder: Path) -> Path | None:
        """Give the absolute path of a file that must exist; a relative one starts at `folder`."""
        text = self.text(key)
        return None if text is None else existing(text, folder, f"{self.where}: {key}")

    def section(self, key: str) -> Section:
        """Give a nested mapping; an empty one where it is absent."""
        value = self._get(key)
        if value is _MISSING:
            value = {}
        if not isinstance(value, Mapping):
            raise self._wrong(key, value, "a mapping of keys and values")
        return Section(value, f"{self.where}: {key}")

    def finish(self) -> None:
        """Refuse keys that no getter asked for, naming the nearest one that exists."""
        for key in self.values:
            if key not in self._known:
                raise InputError(f'{self.where}: unknown key "{key}"; {nearest(key, self._known)}')


def existing(text: str, folder: Path, where: str) -> Path:
    """Give the absolute path of a file that must exist."""
    path = Path(text).expanduser()
    path = (path if path.is_absolute() else folder / path).resolve()
    if path.is_dir():
        raise InputError(f"{where}: found the folder {path} where a file was needed; name the file")
    if not path.exists():
        raise InputError(f"{where}: there is no file {path}; correct the path or fetch the file")
    return path
