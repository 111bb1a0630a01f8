"""A file that stops a reader which takes too long."""

from __future__ import annotations

import io
import os
import stat
import time

SECONDS = 5.0
"""How long a library may read one file."""

MOST_BYTES = 128 << 20
"""How much of a file a library may read. Headers are far smaller, but some readers read a whole
picture for them."""


class OutOfBounds(OSError):
    """A reader took more time or bytes than a header needs."""


class BoundedFile(io.BufferedReader):
    """A regular file that can be read for ``SECONDS`` and ``MOST_BYTES``; then it raises
    OutOfBounds."""

    def __init__(self, path: bytes) -> None:
        """Raises OSError, also if this is not a regular file (a pipe would block)."""
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError("not a regular file")
            raw = io.FileIO(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        super().__init__(raw, 1 << 16)
        self._until, self._left = time.monotonic() + SECONDS, MOST_BYTES

    def read(self, size: int | None = -1, /) -> bytes:
        if self._left <= 0 or time.monotonic() > self._until:
            raise OutOfBounds
        block = super().read(self._left if size is None or size < 0 else min(size, self._left))
        self._left -= len(block)
        return block
