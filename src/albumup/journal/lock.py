"""Locks by flock on files that are never unlinked. The holder of ``JOURNAL.lock`` is the uploader.

A kill frees the lock at once. If lock files were unlinked, two processes could each lock a file of
the same name. A lease would outlive a crash, and could be taken from a suspended holder.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from types import TracebackType

from albumup.disk import open_own
from albumup.errors import AlbumupError

PATIENCE = 1.0
"""Seconds of trying again after a refusal: a reader's probe (``is_locked``) holds the lock for an
instant."""


class FileLock:
    """An exclusive lock on ``path``; ``take`` and ``release`` may alternate any number of times."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._descriptor: int | None = None

    def take(
        self,
        patience: float = PATIENCE,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> bool:
        """Take the lock; True if that succeeds within ``patience`` seconds (even infinity)."""
        if self._descriptor is not None:
            return True
        descriptor = open_own(self.path, os.O_RDWR | os.O_CREAT)
        deadline = clock() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if clock() >= deadline:
                    os.close(descriptor)
                    return False
                sleep(0.02)
            except BaseException:
                os.close(descriptor)
                raise
            else:
                self._descriptor = descriptor
                return True

    def keep(self) -> bool:
        """Take the path again if it does not lead to the locked file any more, because somebody has
        deleted that. False if another process has taken it."""
        held = self._descriptor
        if held is None or _is_at(held, self.path):
            return True
        self._descriptor = None
        try:
            is_kept = self.take()
        except (OSError, AlbumupError):
            is_kept = True  # nobody else can make one there either
        if self._descriptor is None:
            self._descriptor = held
        else:
            os.close(held)
        return is_kept

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> FileLock:
        self.take(float("inf"))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except OSError:
        return False


def is_locked(path: str) -> bool:
    """True if a process holds the lock at ``path``. A shared, non-blocking probe; makes no file."""
    try:
        descriptor = open_own(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)
