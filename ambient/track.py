"""Where the numbers of a run go while it runs: Weights & Biases, or nowhere but the journal."""

from __future__ import annotations

import math
import netrc
import os
import re
import secrets
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from ambient.errors import RunError
from ambient.files import write_atomic

__all__ = ["NoTracker", "Tracker", "WandbTracker", "flatten", "is_logged_in", "open_tracker"]

PROJECT = "ambient"  # W&B project where WANDB_PROJECT names none
PATIENCE_SECONDS = 30.0  # how long the server may take to answer before the run goes on offline
CLOUD = "https://api.wandb.ai"
# What W&B would otherwise keep in the home folder, and where it lies in the run instead.
PRIVATE = {
    "WANDB_CONFIG_DIR": "config",
    "WANDB_CACHE_DIR": "cache",
    "WANDB_DATA_DIR": "data",
    "WANDB_ARTIFACT_DIR": "artifacts",
}


class Tracker(Protocol):
    """What a run tells its numbers to."""

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Record one step's values; nested keys are joined by `/`, a list counts as its mean."""

    def table(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Record a table; a cell is text, a number or None. The last of a name counts."""

    def figure(self, name: str, figure: Any) -> None:
        """Record a plotly figure. The last of a name counts."""

    def artifact(self, folder: str | Path, name: str, type: str) -> None:
        """Record the files of a folder under a name."""

    def finish(self) -> None:
        """Write out what is pending; nothing may be recorded after it."""


class NoTracker:
    """Records nothing: the run's journal is the plain record."""

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Do nothing."""

    def table(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Do nothing."""

    def figure(self, name: str, figure: Any) -> None:
        """Do nothing."""

    def artifact(self, folder: str | Path, name: str, type: str) -> None:
        """Do nothing."""

    def finish(self) -> None:
        """Do nothing."""


def flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Give the finite numbers of a nested mapping.

    Parameters
    ----------
    values : mapping
        Numbers, sequences of numbers (they count as their mean) and further mappings; anything else
        (text, None, NaN) is passed over, since there is nothing to draw.
    prefix : str
        What stands before each name.

    Returns
    -------
    iterator of (str, float)
        `("rewards/Reb1", 0.91)` for `{"rewards": {"Reb1": 0.91}}`.
    """
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{name}/")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            known = [float(item) for item in value if _is_number(item)]
            if known:
                yield f"{prefix}{name}", sum(known) / len(known)
        elif _is_number(value):
            yield f"{prefix}{name}", float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def is_logged_in() -> bool:
    """Say whether W&B would find a key: in the environment, or in the user's netrc file."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlsplit(os.environ.get("WANDB_BASE_URL") or CLOUD).hostname
    named = os.environ.get("NETRC")
    places = [Path(named)] if named else [Path.home() / ".netrc", Path.home() / "_netrc"]
    for place in places:
        try:
            if host and netrc.netrc(str(place)).hosts.get(host):
                return True
        except (OSError, netrc.NetrcParseError):
            continue
    return False


class WandbTracker:
    """Records in Weights & Biases, online where the user is logged in, else in files of the run.

    Parameters
    ----------
    run_folder : Path
        The run; W&B's files lie in its folder `wandb`, its W&B identity in `wandb_id`, so that a
        resumed run goes on under the same one.
    config : mapping
        The resolved configuration.

    Notes
    -----
    Offline files are sent later with `wandb sync RUN/wandb/offline-run-*`. A step that was recorded
    before is not recorded again.
    """

    def __init__(self, run_folder: Path, config: Mapping[str, Any]) -> None:
        self._folder = run_folder / "wandb"
        self._folder.mkdir(exist_ok=True)
        self._step: int | None = None  # the newest that was recorded
        self._before = {name: os.environ.get(name) for name in PRIVATE}
        for name, place in PRIVATE.items():
            os.environ.setdefault(name, str(self._folder / place))
        try:
            self._run = self._open(run_folder, config)
        except BaseException:
            self._restore()
            raise

    def _open(self, run_folder: Path, config: Mapping[str, Any]) -> Any:
        import wandb

        asked = os.environ.get("WANDB_MODE")
        # Never "online" without a key, whatever is asked: W&B would stop and wait for one.
        mode: Any = "online" if is_logged_in() else "offline"
        mode = asked if asked in ("offline", "disabled") else mode
        options: dict[str, Any] = {
            "project": os.environ.get("WANDB_PROJECT") or PROJECT,
            "id": _identity(run_folder),
            "name": run_folder.resolve().name,
            "dir": str(run_folder),
            "config": dict(config),
        }
        settings: dict[str, Any] = {
            "silent": True,
            "console": "off",
            "disable_git": True,
            "save_code": False,
            "disable_job_creation": True,
            "init_timeout": PATIENCE_SECONDS,
            "x_disable_stats": True,
        }
        if mode == "online":
            try:
                return wandb.init(
                    mode="online",
                    resume="allow",
                    settings=wandb.Settings(**settings),
                    **options,
                )
            except wandb.errors.Error as error:
                warnings.warn(
                    f"Weights & Biases cannot be reached ({error}); the run goes on and its record "
                    f"is kept in {self._folder}: send it later with `wandb sync`",
                    RuntimeWarning,
                    stacklevel=4,
                )
                mode = "offline"
        return wandb.init(mode=mode, settings=wandb.Settings(**settings), **options)

    def _restore(self) -> None:
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    def log(self, step: int, values: Mapping[str, Any]) -> None:
        """Record the values of one step; steps must grow."""
        self._step = step
        self._run.log(dict(flatten(values)), step=step)

    def table(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Record a table as a `wandb.Table`, with the newest step."""
        import wandb

        made = wandb.Table(columns=list(columns), data=[list(row) for row in rows])
        # A step of its own would take the number of the next one, should the run go on.
        self._run.log({name: made}, step=self._step)

    def figure(self, name: str, figure: Any) -> None:
        """Record a plotly figure, which stays interactive, with the newest step."""
        import wandb

        self._run.log({name: wandb.Plotly(figure)}, step=self._step)

    def artifact(self, folder: str | Path, name: str, type: str) -> None:
        """Record the files of a folder, W&B's own left out.

        Raises
        ------
        RunError
            The folder does not exist.
        """
        import wandb

        source = Path(folder)
        if not source.is_dir():
            raise RunError(f"{source}: found no folder where one was needed; make it first")
        made = wandb.Artifact(re.sub(r"[^\w.-]", "-", name), type=type)
        own = self._folder.resolve()
        for path in sorted(source.rglob("*")):
            if path.is_file() and own not in path.resolve().parents:
                made.add_file(str(path), name=path.relative_to(source).as_posix())
        self._run.log_artifact(made)

    def finish(self) -> None:
        """Write out what is pending and give the environment back as it was."""
        import wandb

        self._run.finish()
        if (
            wandb.run is None
        ):  # no other run of this process needs the service that writes the files
            wandb.teardown()
        self._restore()


def _identity(run_folder: Path) -> str:
    """Give the run's identity for W&B, made at the first time and kept."""
    path = run_folder / "wandb_id"
    if path.exists():
        found = path.read_text(encoding="utf-8").strip()
        if re.fullmatch(r"[a-z0-9]{1,64}", found):
            return found
        raise RunError(
            f"{path}: found {found[:40]!r} where small letters and digits were needed; remove the "
            "file to begin a new W&B record"
        )
    made = secrets.token_hex(4)
    write_atomic(path, made + "\n")
    return made


def open_tracker(
    kind: Literal["none", "wandb"], run_folder: str | Path, config: Mapping[str, Any]
) -> Tracker:
    """Open what a run tells its numbers to.

    Parameters
    ----------
    kind : "none" or "wandb"
        W&B is imported only for the second.
    run_folder : path
        The run; it exists.
    config : mapping
        The resolved configuration.

    Raises
    ------
    RunError
        The kind is unknown, or the run's W&B identity is not readable.
    """
    if kind == "none":
        return NoTracker()
    if kind == "wandb":
        return WandbTracker(Path(run_folder), config)
    raise RunError(
        f'--track: found "{kind}" where "none" or "wandb" was needed; choose one of them'
    )
