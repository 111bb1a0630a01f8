"""Keeps two uploaders apart although somebody has deleted the lock's file beside one of them.

The uploader takes its path again within a second or so (``FileLock.keep``). Whoever takes the lock
before that sees a run that has not ended, of a process that is there, and whose snapshot is written
anew: it stands aside. A run that was killed has no such snapshot, whatever has its pid by now.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from albumup.errors import TryLater
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.lock import FileLock, is_locked
from albumup.journal.opening import paths_of
from albumup.processes import is_alive

_LOOK = 0.05
_SILENT_SECONDS = 1.5
"""A run whose snapshot is not written for so long counts as over; it is due twice a second."""
_BACK_SECONDS = 4.0
"""The longest time in which an uploader takes the path of its lock again."""


def is_alone(
    journal: Journal,
    lock: FileLock,
    now: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Is no other process at work? The caller has just taken ``lock``, and has it only if so.

    Raises TryLater if another one is, and does not take its lock again.
    """
    run = runs.running(journal)
    if run is None or run.pid == os.getpid() or not is_alive(run.pid):
        return True
    lock.release()

    def comes(found: Callable[[], bool], seconds: float) -> bool:
        until = now() + seconds
        while not (is_found := found()) and now() < until:
            sleep(_LOOK)
        return is_found

    live = paths_of(journal.path)["live"]
    before = _written(live)
    if not comes(lambda: is_locked(lock.path) or _written(live) != before, _SILENT_SECONDS):
        return lock.take()
    if comes(lambda: is_locked(lock.path) or _is_over(journal, run.id), _BACK_SECONDS):
        return _is_over(journal, run.id) and lock.take()
    raise TryLater(
        f"process {run.pid} uploads from this journal, and {lock.path} was deleted beside it",
        f"let it end, or end it: kill -INT {run.pid}",
    )


def _is_over(journal: Journal, run_id: int) -> bool:
    return runs.run_of(journal, run_id).ended is not None


def _written(path: str) -> int | None:
    """When a file was written, in nanoseconds; None if there is none."""
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None
