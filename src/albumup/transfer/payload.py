"""A payload that is read where it is sent, for whoever has nothing else to do meanwhile."""

from __future__ import annotations

import os

from albumup.transfer.values import Unreadable


class FilePayload:
    """An open file. Reading it waits for its disk."""

    content: bytes | None = None

    def __init__(self, descriptor: int, size: int) -> None:
        """``size``: bytes, from its beginning."""
        self.descriptor = descriptor
        self.size = size

    async def is_at_hand(self, start: int, size: int) -> bool:  # noqa: ARG002 - it may wait
        return True

    async def read(self, start: int, size: int) -> bytes:
        return read_exactly(self.descriptor, start, size)


def read_exactly(descriptor: int, start: int, size: int) -> bytes:
    """So many bytes of a file from ``start``. Raises Unreadable."""
    data = bytearray(size)
    view = memoryview(data)
    done = 0
    while done < size:
        try:
            count = os.preadv(descriptor, [view[done:]], start + done)
        except OSError as error:
            raise Unreadable(error.strerror) from error
        if count == 0:
            raise Unreadable("it shrank")
        done += count
    return bytes(data)
