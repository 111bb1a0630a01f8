"""Reads a photo once for digests, form and copy, and records why it cannot be read."""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import queue
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Iterator
from dataclasses import dataclass
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from albumup.errors import AlbumupError
from albumup.helpers import THREADS, Work
from albumup.journal import framing
from albumup.journal.journal import Journal
from albumup.journal.rows import Task
from albumup.journal.store import LostTask
from albumup.photos.cards import device_at
from albumup.photos.file_names import folder_of
from albumup.photos.metadata.reader import MetadataReader
from albumup.photos.pins import YOUNG_SECONDS, Pins, is_loose, is_young, read_pins, same_time
from albumup.photos.source import (
    SMALL,
    AnotherVolume,
    Kept,
    SourceChanged,
    SourceGone,
    is_quick,
    open_source,
    read_at_once,
)
from albumup.targets.bodies import Reading, read, reread
from albumup.uploader.events import Changed
from albumup.uploader.origins import STRANGER
from albumup.uploader.run import Run
from albumup.uploader.spooling import open_copy
from albumup.uploader.upstream import Upstream

_REREAD_SECONDS = 1.0
_MOST_REREADS = 5
"""Readings of a file that is being written to, before it counts as missing."""


class Ended(Exception):
    """The run is over, and the reading is not needed."""


class Wanted(Struct, frozen=True):
    """A photo to be read, or one whose body is framed anew (``is_anew``)."""

    upstream: Upstream
    task: Task
    is_anew: bool


class Read(Struct, frozen=True):
    """A photo that was read."""

    wanted: Wanted
    reading: Reading
    kept: Kept | None = None
    """The whole content of a small photo."""
    device: int = 0
    """For a photo that is kept: its folder's (``cards.device_at``)."""


@dataclass(frozen=True, slots=True)
class _Folder:
    """A folder of photos. ``device``: from ``cards.device_at``; ``files``: the device of the files
    in it, if their file system answers at once, else 0; ``is_loose``: see ``pins.is_loose``."""

    device: int
    files: int
    is_loose: bool


def _is_other(task: Task, pins: Pins) -> bool:
    """Do size or time differ from those queued, as exactly as the disk keeps times? For a helper
    thread."""
    size, mtime_ns = task.seen
    return pins.size != size or not same_time(mtime_ns, pins.mtime_ns, task.path)


class _Look:
    """A look at a folder under way: a future of the result, and how many photos are being looked at
    for it."""

    def __init__(self) -> None:
        self.found: asyncio.Future[_Folder] = asyncio.get_running_loop().create_future()
        self.lookers = 0


def _look_at_folder(photo: bytes) -> _Folder:
    """Find a folder's devices by one of its photos. For a helper thread."""
    device = device_at(folder_of(photo))
    try:
        descriptor, status = open_source(photo)
    except (SourceGone, AlbumupError):
        return _Folder(device, 0, is_loose(photo))
    try:
        files = status.st_dev if is_quick(status.st_dev, descriptor) else 0
        return _Folder(device, files, is_loose(photo))
    finally:
        os.close(descriptor)


class _Readers:
    """A pool of metadata readers: each serves one helper at a time."""

    def __init__(self) -> None:
        self._idle: queue.SimpleQueue[MetadataReader] = queue.SimpleQueue()

    @contextlib.contextmanager
    def one(self) -> Iterator[MetadataReader]:
        try:
            reader = self._idle.get_nowait()
        except queue.Empty:
            reader = MetadataReader()
        try:
            yield reader
        finally:
            self._idle.put(reader)

    def close(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()


class Reader:
    """Reads the photos of one run: at once if that waits for no disk, else by helpers."""

    def __init__(self, run: Run, begin: Callable[[Coroutine[None, None, None]], None]) -> None:
        """``begin``: starts a coroutine, which runs beside the caller until the run ends at the
        latest."""
        self._run = run
        self._begin = begin
        self._loop = asyncio.get_running_loop()
        self._unstable: dict[int, tuple[int, float]] = {}
        """For photos that are being written to: how often they were read, and when again."""
        self._readers = _Readers()
        self._zones: dict[int | None, str | None] = {}
        self._spool_folder = run.options.spool_folder
        self.was_used = False
        """Copies were put into the spool folder before."""
        self.spooled: Counter[tuple[str, str]] = Counter()
        """The number of copies made, by album and target."""
        self._folders: dict[tuple[int, bytes], _Folder] = {}
        """Folders by root and path."""
        self._looks: dict[tuple[int, bytes], _Look] = {}
        self._quick: dict[tuple[int, bytes, str, int], _Folder] = {}
        """Folders whose medium (volume, card) is known in this run, and whose file system answers
        at once."""
        self._told_anew: set[Upstream] = set()
        """Targets for which the user was told that bodies are framed anew."""

    def close(self) -> None:
        self._readers.close()

    def unstable(self, now: float = -math.inf) -> set[int]:
        """Tasks whose photos are being written to, and not due to be read again at ``now`` (the
        loop's time)."""
        return {task_id for task_id, (_, until) in self._unstable.items() if until > now}

    def until_reread(self, but: Collection[int]) -> float | None:
        """Seconds until the next photo that was being written to is due, leaving out tasks
        ``but``; None if none will be."""
        now = self._loop.time()
        times = [
            until
            for task_id, (_, until) in self._unstable.items()
            if until > now and task_id not in but
        ]
        return min(times) - now if times else None

    def read_at_once(self, wanted: Wanted) -> Read | None:
        """Read a small photo from the page cache, if its card is known; None for others."""
        upstream, task = wanted.upstream, wanted.task
        is_plain = not (
            wanted.is_anew or task.spool or task.sidecar_path is not None or upstream.target.dates
        )
        if not is_plain or task.size > SMALL or task.root_id in self._run.queue.away:
            return None
        folder = self._quick.get((task.root_id, folder_of(task.path), task.volume, task.card))
        if folder is None:
            return None
        found = read_at_once(task.path, upstream.target.digests, folder.files)
        if found is None:
            return None
        kept, digests = found
        pins = read_pins(kept.status)
        if (pins.size, pins.mtime_ns) != task.seen or self._is_too_young(folder, pins):
            return None
        if self._unstable:
            self._unstable.pop(task.id, None)
        return Read(wanted, Reading(pins, digests, None, None), kept, folder.device)

    async def read(self, wanted: Wanted) -> Read | None:
        """Read a photo; None if that is not possible now, which is recorded. Raises ConfigError."""
        if not wanted.is_anew:
            return await self._read_first(wanted)
        reading = await self._read_anew(wanted.upstream, wanted.task)
        return Read(wanted, reading) if reading is not None else None

    async def _read_first(self, wanted: Wanted) -> Read | None:
        run, upstream, task = self._run, wanted.upstream, wanted.task
        helpers = run.world.helpers
        if task.root_id in run.queue.away:
            return None
        folder = await self._folder_of(task)
        if await run.origins.is_known(task, folder.device):
            if folder.files:
                self._quick[task.root_id, folder_of(task.path), task.volume, task.card] = folder
            if (at_once := self.read_at_once(wanted)) is not None:
                return at_once
        elif await run.queue.root_away(task.root_id, STRANGER):
            return None
        try:
            work = Work.COPY if task.spool else Work.READ
            reading = await helpers.run(work, self._read_now, upstream, task)
        except AnotherVolume as other:
            await run.queue.root_away(task.root_id, str(other))
            return None
        except SourceGone as gone:
            if not await run.queue.root_away(task.root_id, await run.origins.stranger(task)):
                await self._give_up(task, str(gone))
            return None
        except SourceChanged as changed:
            await self._reread_soon(task, str(changed))
            return None
        if not task.spool and self._is_too_young(folder, reading.pins):
            times = self._unstable.get(task.id, (0, 0.0))[0]
            self._unstable[task.id] = times, self._loop.time() + YOUNG_SECONDS
            return None
        differs = (reading.pins.size, reading.pins.mtime_ns) != task.seen
        differs = differs and await helpers.run(Work.LOOK, _is_other, task, reading.pins)
        if differs and await self._is_strange(task, reading.pins):
            return None
        if reading.pins.size == 0:
            await self._give_up(task, "it is empty now")
            return None
        self._unstable.pop(task.id, None)
        self.spooled[task.album, wanted.upstream.target.name] += task.spool
        return Read(wanted, reading)

    async def _is_strange(self, task: Task, pins: Pins) -> bool:
        """Does a photo that differs from what was queued wait, as it is perhaps another card's?"""
        run = self._run
        if why := await run.origins.stranger(task):
            return await run.queue.root_away(task.root_id, why)
        # The card that is known may be back since the photo was read.
        if has_changed := await run.origins.has_changed(task, pins):
            await self._reread_soon(task, "it was changed after it was read")
        return has_changed

    async def _reread_soon(self, task: Task, words: str) -> None:
        """Read a photo that is being written to once more, but not for ever."""
        times = self._unstable.get(task.id, (0, 0.0))[0] + 1
        self._unstable[task.id] = (times, self._loop.time() + _REREAD_SECONDS)
        if times >= _MOST_REREADS:
            await self._give_up(task, f"{words}, again and again")

    def _is_too_young(self, folder: _Folder, pins: Pins) -> bool:
        """Was a photo changed a moment ago, on a disk where the next change may not be seen?"""
        return folder.is_loose and is_young(pins, self._run.world.clock())

    async def _folder_of(self, task: Task) -> _Folder:
        """A task's folder, found by its first photo to answer: several are asked, as one may hang.
        Waiting tasks go on in their order."""
        key = task.root_id, folder_of(task.path)
        folder = self._folders.get(key)
        if folder is not None:
            return folder
        look = self._looks.get(key)
        if look is None:
            look = self._looks[key] = _Look()
        if look.lookers < THREADS[Work.LOOK]:
            look.lookers += 1
            self._begin(self._look_at(task, look.found))
        if look.found.done():
            await asyncio.sleep(0)  # tasks that waited longer go first
        folder = self._folders[key] = await look.found
        return folder

    async def _look_at(self, task: Task, found: asyncio.Future[_Folder]) -> None:
        """Look at a task's folder and medium, so that waiting tasks need not wait for that."""
        folder = await self._run.world.helpers.run(Work.LOOK, _look_at_folder, task.path)
        await self._run.origins.is_known(task, folder.device)
        if not found.done():
            found.set_result(folder)

    def _read_now(self, upstream: Upstream, task: Task) -> Reading:
        """For a helper thread. Raises as ``bodies.read`` does."""
        spool = (
            partial(open_copy, self._spool_folder, was_used=self.was_used) if task.spool else None
        )
        with self._readers.one() as metadata:
            return read(
                task,
                upstream.target,
                metadata,
                spool,
                self._on_spooled if task.spool else self._on_block,
            )

    def _on_block(self, _: int) -> None:
        if self._run.queue.has_ended:
            raise Ended

    def _on_spooled(self, size: int) -> None:
        """Count copied bytes. Only one helper copies, and nothing else writes this number."""
        self._on_block(size)
        self._run.outcomes.counts.spooled_bytes += size

    async def _read_anew(self, upstream: Upstream, task: Task) -> Reading | None:
        """The earlier reading of a photo to be framed anew, with what its form needs beyond it."""
        run, body = self._run, task.body
        assert body is not None
        if body.definition != upstream.definition and upstream not in self._told_anew:
            self._told_anew.add(upstream)
            run.outcomes.framed_anew(upstream)
        copy = os.path.join(run.options.spool_folder, body.spool) if body.spool else None
        try:
            return await self._reread(upstream, task, copy)
        except AnotherVolume as other:
            await run.queue.root_away(task.root_id, str(other))
        except (SourceChanged, SourceGone) as fault:
            if copy and isinstance(fault, SourceGone) and await run.ends_without_spool(copy):
                return None
            if copy:
                return await self._reread_itself(
                    upstream, task, f"its copy cannot be used ({fault})"
                )
            if not await run.queue.root_away(task.root_id, await run.origins.stranger(task)):
                await self._start_afresh(task, str(fault))
        return None

    async def _reread_itself(self, upstream: Upstream, task: Task, words: str) -> Reading | None:
        """Read the photo itself in place of its copy, if it still has the journaled bytes; else it
        is missing."""
        try:
            return replace(await self._reread(upstream, task, None), spool=None)
        except (SourceChanged, SourceGone, AnotherVolume) as other:
            await self._give_up(task, f"{words}, and neither can the photo itself ({other})")
        return None

    async def _reread(self, upstream: Upstream, task: Task, copy: str | None) -> Reading:
        """Call ``bodies.reread``, for a copy if there is one. Raises as it does."""
        body = task.body
        assert body is not None
        zone = await self._zone_of(body.definition) if body.taken else None
        same_zone = zone == (upstream.target.settings.timezone or "")
        source = os.fsencode(copy) if copy else None
        return await self._run.world.helpers.run(
            Work.READ, self._reread_now, upstream, task, source, same_zone
        )

    def _reread_now(
        self, upstream: Upstream, task: Task, source: bytes | None, same_zone: bool
    ) -> Reading:
        """For a helper thread."""
        with self._readers.one() as metadata:
            return reread(
                task, upstream.target, metadata, source, self._on_block, same_zone=same_zone
            )

    async def _zone_of(self, definition: int | None) -> str | None:
        """The time zone of a definition; None if the definition is unknown."""
        if definition not in self._zones:
            zone = await self._run.commits.read(
                lambda journal: framing.timezone_of(journal, definition)
            )
            self._zones[definition] = zone
        return self._zones[definition]

    async def _start_afresh(self, task: Task, words: str) -> None:
        """Have a photo that changed or is gone read as if for the first time."""

        def record(journal: Journal) -> None:
            with contextlib.suppress(LostTask):
                journal.prepare_again(task.id)

        await self._run.commits.do(record)
        outcomes = self._run.outcomes
        outcomes.tell(Changed(*outcomes.about(task), words))

    async def _give_up(self, task: Task, words: str) -> None:
        outcomes = self._run.outcomes
        self._unstable.pop(task.id, None)
        with contextlib.suppress(LostTask):
            await self._run.commits.do(lambda journal: outcomes.missing(journal, task, words))
            outcomes.tell_missing(task, words)
