"""Reads payloads: a plain file, read by the thread that sends it, and blocks read ahead."""

from __future__ import annotations

import asyncio
import os

from albumup.transfer.values import Payload, Unreadable


class FilePayload:
    """An open file as a payload. Reading it blocks the loop until the disk answers."""

    content: bytes | None = None

    def __init__(self, descriptor: int, size: int) -> None:
        """``size``: bytes to send, from the beginning of the file."""
        self.descriptor = descriptor
        self.size = size

    async def is_at_hand(self, start: int, size: int) -> bool:  # noqa: ARG002 - waiting is allowed here
        return True

    async def read(self, start: int, size: int) -> bytes:
        return read_exactly(self.descriptor, start, size)


def read_exactly(descriptor: int, start: int, size: int) -> bytes:
    """Exactly ``size`` bytes of a file from ``start``. Raises Unreadable."""
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
    """Read a block. An Unreadable is returned, not raised: perhaps nobody will await this block."""
    try:
        if payload.content is not None:
            return payload.content[start : start + size]
        return await payload.read(start, size)
    except Unreadable as error:
        return error


async def block_of(ahead: asyncio.Future[bytes | Unreadable]) -> bytes:
    """The block that was read ahead. Raises Unreadable."""
    found = await ahead
    if isinstance(found, Unreadable):
        raise found
    return found
