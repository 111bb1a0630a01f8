"""Reading payloads: one that is read where it is sent, for whoever has nothing else to do, and blocks read ahead."""

from __future__ import annotations

import asyncio
import os

from albumup.transfer.values import Payload, Unreadable


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


async def read_ahead(payload: Payload, start: int, size: int) -> bytes | Unreadable:
    """A block, or why there is none, as a value: perhaps nobody comes to ask for it."""
    try:
        if payload.content is not None:
            return payload.content[start : start + size]
        return await payload.read(start, size)
    except Unreadable as error:
        return error


async def what_came_of(ahead: asyncio.Future[bytes | Unreadable]) -> bytes:
    """The block that was read ahead. Raises Unreadable."""
    found = await ahead
    if isinstance(found, Unreadable):
        raise found
    return found
