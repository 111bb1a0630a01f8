"""This process's connections to journals.

A process that closes any descriptor of a file drops all its POSIX locks on that file, and SQLite's
locks are such locks. Without them, another process that closes the journal takes itself for the
last one, and deletes the write-ahead log that this process still writes. So only SQLite opens a
journal that this process has open: SQLite minds its other connections. And it never opens such a
journal without locks. https://sqlite.org/howtocorrupt.html (section 2.2), fcntl(2)
"""

from __future__ import annotations

import os
import sqlite3
import weakref
from typing import Any
from urllib.parse import quote

BUSY_SECONDS = 30.0
"""Seconds that a writer waits for another writer's commit."""


class _Connection(sqlite3.Connection):
    """A connection that is listed among the open ones until it is closed."""

    file: tuple[int, int] | None = None
    """Device and inode of the journal."""

    def close(self) -> None:
        super().close()
        _open.discard(self)


_open: weakref.WeakSet[_Connection] = weakref.WeakSet()


def is_connected(path: str) -> bool:
    """Whether this process has a connection to the file at ``path``."""
    file = _file(path)
    return file is not None and any(one.file == file for one in _open)


def connect(path: str, mode: str, *, still: bool = False) -> sqlite3.Connection:
    """Connect to a journal; return the connection.

    ``still``: there is no write-ahead log, so nobody has the journal open, and none is made to read
    it. https://sqlite.org/wal.html#read_only_databases, https://sqlite.org/uri.html#uriimmutable
    """
    is_immutable = still and not is_connected(path)
    connection: Any = sqlite3.connect(
        f"file:{quote(path)}?mode={mode}{'&immutable=1' if is_immutable else ''}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
        factory=_Connection,
    )
    connection.row_factory = sqlite3.Row
    connection.file = _file(path)
    _open.add(connection)
    found: sqlite3.Connection = connection
    return found


def _file(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino
