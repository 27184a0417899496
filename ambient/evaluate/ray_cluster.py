"""Join a Ray cluster, or begin one on this machine that leaves nothing behind."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import socket
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ambient.errors import RunError

__all__ = ["connect"]

LONGEST_FOLDER = 40  # characters: Ray puts sockets below, whose path may have 107
KNOCK_SECONDS = 10.0
LEAST_STORE_BYTES = 100 << 20

# Ray's ports are open to the network, and only who knows the token may use them. Left to itself, Ray would write one
# into the home folder; it keeps the first one that a process has for as long as the process lives.
_TOKEN = secrets.token_hex(32)


def connect(address: str | None, workers: int | None, data_bytes: int) -> weakref.finalize:
    """Connect this process to a Ray cluster.

    Parameters
    ----------
    address : str, optional
        Of a cluster that is there; None begins one on this machine.
    workers : int, optional
        CPUs of the cluster that is begun; one for each core where it is not given.
    data_bytes : int
        What the object store of the cluster that is begun must hold.

    Returns
    -------
    weakref.finalize
        Call it to leave the cluster, or to end it where it was begun here; runs by itself when this process ends.
        Does nothing where this process was connected before.

    Raises
    ------
    RunError
        Ray is not installed, or there is no such cluster.
    """
    try:
        import ray
    except ImportError as error:
        raise RunError(
            "engine: the ray engine needs Ray, which is not installed here; "
            "pip install 'ambient-nas[ray]', or choose the pool"
        ) from error
    if ray.is_initialized():
        return weakref.finalize(ray, _nothing)
    logging.getLogger("ray").setLevel(logging.ERROR)
    quiet: dict[str, Any] = {
        "log_to_driver": False,
        "logging_level": "error",
        "configure_logging": False,
    }
    # Or it would print on standard output whenever a worker dies; its own debugger silences it in the same way.
    ray._private.worker._worker_logs_enabled = False
    if address is not None:
        try:
            _knock(address)
            with _own_signals():
                ray.init(address=address, **quiet)
        except (ConnectionError, ValueError, RuntimeError, OSError) as error:
            raise RunError(
                f"ray: no cluster answers at {address!r} ({_first_line(error)}); "
                "start one with `ray start`, or correct --address"
            ) from error
        return weakref.finalize(ray, ray.shutdown)
    return _begin(ray, workers, data_bytes, quiet)


def _knock(address: str) -> None:
    """Try to reach an address of a host and a port; Ray itself would try for many minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon:
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()


def _begin(
    ray: Any, workers: int | None, data_bytes: int, quiet: dict[str, Any]
) -> weakref.finalize:
    from ambient.evaluate.pool import usable_cores

    folder = tempfile.mkdtemp(prefix="ambient-ray-")
    if len(folder) > LONGEST_FOLDER:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="ambient-ray-", dir="/tmp")
    restore = _set_environment({"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_TOKEN": _TOKEN})

    def end() -> None:
        ray.shutdown()
        restore()
        shutil.rmtree(folder, ignore_errors=True)

    try:
        with _own_signals():
            ray.init(
                num_cpus=workers or usable_cores(),
                include_dashboard=False,
                object_store_memory=LEAST_STORE_BYTES + 2 * data_bytes,
                _temp_dir=folder,
                **quiet,
            )
    except BaseException as error:
        end()
        if not isinstance(error, Exception):
            raise
        raise RunError(
            f"ray: no cluster could be started on this machine ({_first_line(error)}); "
            "look for what is wrong with `ray start --head`, or choose the pool"
        ) from error
    return weakref.finalize(ray, end)


def _set_environment(values: dict[str, str]) -> Callable[[], None]:
    """Set variables that are not set; give what takes them back, and what Ray itself sets."""
    new = {name: value for name, value in values.items() if name not in os.environ}
    added = {*new, "RAY_AUTH_MODE"} - set(os.environ)
    os.environ.update(new)

    def restore() -> None:
        for name in added:
            os.environ.pop(name, None)

    return restore


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep this process's answers to signals, which Ray would replace."""
    watched = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in watched}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _nothing() -> None:
    """Leave a connection that others made as it is."""
