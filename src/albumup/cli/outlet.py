"""A stream whose writers never wait for its readers, for words and events during an upload.

A reader that stops reading (a pager, a stopped terminal, a program that hangs) must delay neither
the upload nor its end. Unread output is kept in memory, and beyond a limit in a file without a
name.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import IO

_IN_MEMORY = 1 << 20
_PIECE = 1 << 16
_POLL = 0.05


class Outlet:
    """An outlet to ``descriptor``: ``put`` returns at once, and a thread writes in order."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._changed = threading.Condition()
        self._waiting: deque[bytes | slice] = deque()
        """The pieces to write, in order: bytes, or their place in the file."""
        self._in_memory = 0
        self._file: IO[bytes] | None = None
        self._file_end = 0
        self.backlog = 0
        """Bytes that are not out yet."""
        self._is_closed = False
        self.fault: OSError | None = None
        """Why nothing can be written any more: the reader has gone, or the disk is full."""
        self._thread = threading.Thread(target=self._run, name="outlet", daemon=True)
        self._thread.start()

    def put(self, data: bytes) -> None:
        """Have ``data`` written in its turn; drop it if nothing can be written any more."""
        with self._changed:
            if self.fault is not None or not data:
                return
            self.backlog += len(data)
            if self._in_memory + len(data) <= _IN_MEMORY or not self._put_into_file(data):
                self._waiting.append(data)
                self._in_memory += len(data)
            self._changed.notify_all()

    def _put_into_file(self, data: bytes) -> bool:
        """Append ``data`` to the file; return False if the disk has no room for it."""
        start = self._file_end
        try:
            if self._file is None:
                import tempfile

                self._file = tempfile.TemporaryFile(prefix="albumup-")  # noqa: SIM115 - as long as we live
            if os.pwrite(self._file.fileno(), data, start) < len(data):
                return False
        except OSError:
            return False
        self._file_end = start + len(data)
        last = self._waiting[-1] if self._waiting else None
        if isinstance(last, slice) and last.stop == start:
            self._waiting[-1] = slice(last.start, self._file_end)
        else:
            self._waiting.append(slice(start, self._file_end))
        return True

    def wait(self, gives_up: Callable[[], bool] = lambda: False) -> bool:
        """Wait until all is out or nothing can be written; False if ``gives_up()`` comes first."""
        while self.backlog and self.fault is None:
            if gives_up():
                return False
            with self._changed:
                self._changed.wait(_POLL)
        return True

    def close(self) -> None:
        """End the thread if all is out; leave it behind if it still waits for a reader."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        if not self.backlog or self.fault is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            while piece := self._next():
                self._write(piece)
                with self._changed:
                    self.backlog -= len(piece)
                    self._changed.notify_all()
        except OSError as fault:
            with self._changed:
                self.fault = fault
                self._waiting.clear()
                self._changed.notify_all()

    def _next(self) -> bytes:
        """The next bytes to write; empty at the end. Raises OSError."""
        with self._changed:
            while not self._waiting:
                if self._is_closed:
                    return b""
                self._changed.wait()
            first = self._waiting.popleft()
            if isinstance(first, bytes):
                self._in_memory -= len(first)
                return first
            assert self._file is not None
            middle = min(first.start + _PIECE, first.stop)
            if middle < first.stop:
                self._waiting.appendleft(slice(middle, first.stop))
            elif not any(isinstance(piece, slice) for piece in self._waiting):
                self._file_end = 0  # the file is read to its end, and begins anew
            return os.pread(self._file.fileno(), middle - first.start, first.start)

    def _write(self, piece: bytes) -> None:
        while piece:
            try:
                piece = piece[os.write(self._descriptor, piece) :]
            except BlockingIOError:  # another process made the descriptor non-blocking
                select.select([], [self._descriptor], [])
