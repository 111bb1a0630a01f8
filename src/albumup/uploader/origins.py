"""Decides, once a run, whether the card or disk that photos were queued from is the one that is
there now."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass

from albumup.helpers import Helpers, Work
from albumup.journal import media
from albumup.journal.commits import Commits
from albumup.journal.journal import Journal
from albumup.journal.rows import Task
from albumup.photos.cards import Look, Medium, Seen, device_at, look_at, named
from albumup.photos.pins import Pins, as_pinned, is_loose
from albumup.photos.source import ANOTHER_VOLUME
from albumup.photos.volumes import is_full, volume_of
from albumup.uploader.queue import Queue

STRANGER = f"{ANOTHER_VOLUME}, or its photos were edited"
"""Why photos wait when the disk's id does not tell."""
_SHORT, _GOOD_FOR = 0.1, 10
"""A look that takes longer (seconds) stays valid for ten times as long, while one of its samples
matches: thousands of edited photos must not cause as many looks."""


_Key = tuple[int, Medium, int, bool]
"""Root, medium, device of the folder, and whether the photo in question is there."""


@dataclass(frozen=True, slots=True)
class _Known:
    is_known: bool
    until: float
    samples: tuple[Seen, ...]


class Origins:
    """Looks at the media of a run's roots, before photos are read or sent, and remembers the
    results."""

    def __init__(self, commits: Commits, queue: Queue, helpers: Helpers) -> None:
        self._commits = commits
        self._queue = queue
        self._helpers = helpers
        self._found: dict[_Key, _Known] = {}
        self._looks: dict[_Key, asyncio.Task[_Known]] = {}
        """Looks under way."""

    def is_known_already(self, task: Task, device: int) -> bool:
        """Is the medium known to be the one the task was queued from, without a look? ``device`` as
        in ``is_known``."""
        found = self._found.get((task.root_id, Medium(task.volume, task.card), device, True))
        return found is not None and found.is_known

    async def is_known(self, task: Task, device: int, *, again: bool = False) -> bool:
        """Is the medium there the one the task was queued from? If not, only the bytes of its
        photos prove anything.

        Looks once a run, and ``again`` where something is odd. Compares the photos on the same file
        system only, as another card may be mounted below the same folder. ``device``: the task's
        folder's (``cards.device_at``).
        """
        is_there = not again or await self._helpers.run(Work.LOOK, os.path.lexists, task.path)
        key = task.root_id, Medium(task.volume, task.card), device, is_there
        while True:
            found = self._found.get(key)
            if found is None or (again and asyncio.get_running_loop().time() >= found.until):
                looking = self._looks.get(key)
                if looking is None:
                    return (await self._begin_look(key, task, again=again)).is_known
                found = await asyncio.shield(looking)
            # That look may have begun before another card was put in.
            if not (again and found.is_known) or await self._is_still_there(found, task.path):
                return found.is_known
            self._found.pop(key, None)

    async def _begin_look(self, key: _Key, task: Task, *, again: bool) -> _Known:
        odd = task.path if again else b""
        looking = self._looks[key] = asyncio.ensure_future(self._look_and_keep(key, task, odd))
        return await asyncio.shield(looking)

    async def _is_still_there(self, found: _Known, odd: bytes) -> bool:
        """Does a photo that matched its pins match them still?"""
        look = await self._helpers.run(Work.LOOK, look_at, found.samples, odd)
        return look.same > 0

    async def _look_and_keep(self, key: _Key, task: Task, odd: bytes) -> _Known:
        """Look at a medium, and remember the result."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            look = await self._look(task, odd, key[2], is_there=key[3])
        finally:
            del self._looks[key]
        now = loop.time()
        took = now - began
        until = now + _GOOD_FOR * took if took > _SHORT else began
        known = self._found[key] = _Known(look.is_known, until, look.samples)
        return known

    async def close(self) -> None:
        """Cancel looks under way."""
        looks = list(self._looks.values())
        for looking in looks:
            looking.cancel()
        await asyncio.gather(*looks, return_exceptions=True)

    async def stranger(self, task: Task) -> str:
        """Look again, as this photo is gone or differs: "" if the medium is the right one, else why
        the photo waits."""
        device = await self._helpers.run(Work.LOOK, device_at, os.path.dirname(task.path))
        return "" if await self.is_known(task, device, again=True) else STRANGER

    async def has_changed(self, task: Task, pins: Pins) -> bool:
        """Has a photo changed since it had these pins, or is another file or none in its place?"""
        return not await self._helpers.run(Work.LOOK, _has_pins, task.path, pins)

    async def _look(self, task: Task, odd: bytes, device: int, *, is_there: bool) -> Look:
        folder_of_task = os.path.dirname(task.path)
        now = await self._helpers.run(Work.LOOK, _volume_at, folder_of_task)
        if task.volume and now and (now != task.volume or is_full(now)):
            return Look(there=1, same=int(now == task.volume))
        root = self._queue.roots.get(task.root_id)
        folder = root.path if root is not None else folder_of_task
        medium = Medium(task.volume, task.card)
        look = await self._look_at(folder, medium, odd, device)
        # Perhaps its card was pulled, one of several below the folder.
        if not look.there and not is_there:
            look = await self._look_at(folder, medium, odd, None)
        if look.is_known and look.is_named:
            await self._note_volume(task.root_id, folder, medium)
        return look

    async def _look_at(self, folder: bytes, medium: Medium, odd: bytes, device: int | None) -> Look:
        look = Look()
        count = await self._commits.read(
            lambda journal: media.count(journal.connection, folder, medium)
        )
        async for page in self._pages(folder, medium):
            look = look + await self._helpers.run(Work.LOOK, look_at, page, odd, device)
            if 2 * look.same > count:
                break  # most match, whatever became of the others
        return look

    async def _pages(self, folder: bytes, medium: Medium) -> AsyncIterator[list[Seen]]:
        """The photos of a medium below a folder, in any album and state, page by page."""
        for album_id in await self._commits.read(lambda journal: media.albums(journal.connection)):
            after = b""
            while page := await self._page(album_id, folder, medium, after):
                yield page
                after = page[-1].path

    async def _page(self, album_id: int, folder: bytes, medium: Medium, after: bytes) -> list[Seen]:
        return await self._commits.read(
            lambda journal: media.page_of(journal.connection, album_id, folder, medium, after)
        )

    async def _note_volume(self, root_id: int, folder: bytes, medium: Medium) -> None:
        """Journal the volume id of photos and root for which it was unknown before."""
        names: list[tuple[int, str]] = []
        async for page in self._pages(folder, medium):
            names += await self._helpers.run(Work.LOOK, _named, page)
        volume = await self._helpers.run(Work.LOOK, _volume_at, folder)

        def record(journal: Journal) -> None:
            media.name(journal.connection, names, root_id, volume)

        await self._commits.do(record)


def _named(page: list[Seen]) -> list[tuple[int, str]]:
    return list(named(page))


def _volume_at(folder: bytes) -> str:
    """The volume id of a folder, or of its nearest ancestor that exists."""
    while True:
        try:
            return volume_of(os.stat(folder).st_dev, folder)
        except OSError:
            if folder == os.path.dirname(folder):
                return ""
            folder = os.path.dirname(folder)


def _has_pins(path: bytes, pins: Pins) -> bool:
    try:
        return as_pinned(pins, os.stat(path), loose=is_loose(path))
    except OSError:
        return False
