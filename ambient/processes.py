"""Worker processes that end with the process that began them."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import threading
from multiprocessing.connection import Connection, wait

__all__ = ["leave_with_parent"]


def leave_with_parent(folder: str | None = None, leash: Connection | None = None) -> None:
    """End this process as soon as its parent ends or wants it to, even in the middle of its work.

    A killed parent cannot announce its end, so a thread waits for it.

    Parameters
    ----------
    folder : str, optional
        Removed then.
    leash : Connection, optional
        The reading end of a pipe whose other end the parent closes when this process is to end.
    """
    threading.Thread(target=_wait, args=(folder, leash), daemon=True).start()


def _wait(folder: str | None, leash: Connection | None) -> None:
    parent = multiprocessing.parent_process()
    wait([*([parent.sentinel] if parent else []), *([leash] if leash else [])])
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
