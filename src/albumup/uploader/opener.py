"""Opens photos ahead of their sending, by helper threads, as a disk may hang."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from functools import partial
from itertools import islice

from msgspec import Struct

from albumup.helpers import Helpers, Work
from albumup.journal.rows import Body, Task
from albumup.photos.cards import device_at
from albumup.photos.source import SMALL, Kept, Place, Source
from albumup.targets.base import Photo
from albumup.transfer.payload import read_exactly

_AHEAD = 12
"""The most photos that are opened before their turn."""
_MOST_KEPT = 4 << 20
"""The most bytes of photos that are kept in memory between reading and sending."""


class Opened(Struct, frozen=True):
    """An open photo. ``device``: its folder's (``cards.device_at``).

    ``photo``: the values for the form, if they are known from the reading.
    """

    source: Source
    device: int
    photo: Photo | None = None


class _Keeping(Struct, frozen=True):
    """A photo kept in memory since its reading, and the boundary of the body framed then."""

    kept: Kept
    device: int
    photo: Photo
    boundary: str


class OpenPayload:
    """A source as a ``Payload``. Only helpers touch files on disks that may hang.

    ``waiting`` is entered while the disk is waited for.
    """

    def __init__(
        self, source: Source, helpers: Helpers, waiting: Callable[[], AbstractContextManager[None]]
    ) -> None:
        self.source = source
        self.size = source.pins.size
        self.content = source.content
        self.descriptor = source.descriptor
        self._helpers = helpers
        self._waiting = waiting
        self._probes = source.is_quick and not source.is_in_memory and hasattr(os, "RWF_NOWAIT")

    async def check(self, *, is_sent: bool = False) -> None:
        """Check the source before the tail, and again when the answer is in. Raises as
        ``Source.check`` does."""
        if not (self.source.is_quick and self.source.is_untouched()):
            with self._waiting():
                await self._helpers.run(Work.OPEN, partial(self.source.check, is_sent=is_sent))

    async def is_at_hand(self, start: int, size: int) -> bool:
        """Are these bytes in the page cache, so that sendfile does not wait for a disk?"""
        if not self._probes:
            return self.source.is_in_memory
        try:
            os.preadv(self.descriptor, [bytearray(1)], start + size - 1, os.RWF_NOWAIT)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno == errno.EOPNOTSUPP:
                self._probes = False
            return False
        return True

    async def read(self, start: int, size: int) -> bytes:
        """Exactly ``size`` bytes from ``start``. Raises Unreadable."""
        with self._waiting():
            return await self._helpers.run(Work.OPEN, read_exactly, self.descriptor, start, size)


class Opener:
    """Opens photos by helpers, some before their turn, and keeps small ones from their reading."""

    def __init__(self, helpers: Helpers) -> None:
        self._helpers = helpers
        self._ahead: dict[int, asyncio.Future[Opened]] = {}
        self._kept: dict[int, _Keeping] = {}
        self._kept_bytes = 0

    def keep(self, task: Task, kept: Kept, device: int, photo: Photo) -> None:
        """Keep a small photo from its reading until it is sent; ``device`` and ``photo`` as in
        ``Opened``."""
        assert task.body is not None
        self._drop(task.id)
        self._kept[task.id] = _Keeping(kept, device, photo, task.body.boundary)
        self._kept_bytes += len(kept.content)
        while self._kept_bytes > _MOST_KEPT:
            self._drop(next(iter(self._kept)))

    def _drop(self, task_id: int) -> _Keeping | None:
        found = self._kept.pop(task_id, None)
        if found is not None:
            self._kept_bytes -= len(found.kept.content)
        return found

    def take_kept(self, task: Task, body: Body) -> Opened | None:
        """A kept photo, if neither the file nor its body has changed since; else None."""
        found = self._drop(task.id)
        if found is None or found.boundary != body.boundary:
            return None
        source = Source.of(task.path, body, found.kept)
        if not (source.is_as_pinned() and source.is_still_there()):
            return None
        return Opened(source, found.device, found.photo)

    def look_ahead(self, reserved: Collection[Task]) -> None:
        """Begin to open the next photos; close those that do not come next after all."""
        if not self._ahead and len(self._kept) >= len(reserved):
            return  # nearly always, all of them are kept
        next_ones = list(islice(reserved, _AHEAD))
        if len(self._ahead) > _AHEAD:
            for task_id in self._ahead.keys() - {task.id for task in next_ones}:
                _close(self._ahead.pop(task_id))
        for task in next_ones:
            body = task.body
            if not (task.id in self._ahead or task.id in self._kept or body is None or body.spool):
                self._ahead[task.id] = self._begin(task, body)

    async def open(self, task: Task, body: Body) -> Opened:
        """Open the photo itself. Raises AnotherVolume, SourceGone, LocalError."""
        opening = self._ahead.pop(task.id, None)
        if opening is not None:
            opened = await self._unless_cancelled(opening)
            if await self._is_still_there(opened.source):
                return opened
            opened.source.close()
        return await self._unless_cancelled(self._begin(task, body))

    def _begin(self, task: Task, body: Body) -> asyncio.Future[Opened]:
        return asyncio.ensure_future(
            self._helpers.run(Work.OPEN, _open, task.path, body, Place(task.volume))
        )

    async def _unless_cancelled(self, opening: asyncio.Future[Opened]) -> Opened:
        try:
            return await opening
        except asyncio.CancelledError:
            _close(opening)
            raise

    async def _is_still_there(self, source: Source) -> bool:
        """Does the path still lead to the open file, unchanged?"""
        if source.is_quick:
            return source.is_still_there()
        return await self._helpers.run(Work.OPEN, source.is_still_there)

    async def open_copy(self, copy: str, body: Body) -> Source:
        """Open a spooled copy, and verify its digest. Raises SourceChanged, SourceGone,
        LocalError."""
        return await self._helpers.run(Work.OPEN, _open_copy, os.fsencode(copy), body)

    def close(self) -> None:
        for opening in self._ahead.values():
            _close(opening)
        self._ahead.clear()


def _open(path: bytes, body: Body, place: Place) -> Opened:
    source = Source(path, body, place)
    source.read_if_small(SMALL)
    return Opened(source, device_at(os.path.dirname(path)))


def _open_copy(path: bytes, body: Body) -> Source:
    source = Source(path, body, None)
    source.verify()
    source.read_if_small(SMALL)
    return source


def _close(opening: asyncio.Future[Opened]) -> None:
    """Close a source as soon as it is open."""

    def closes(opened: asyncio.Future[Opened]) -> None:
        if not opened.cancelled() and opened.exception() is None:
            opened.result().source.close()

    opening.add_done_callback(closes)
