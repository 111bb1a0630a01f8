"""The preparer: has photos read once, in the order of their push, and journals their bodies.

It goes no further ahead of the sending than small photos are kept; copies never wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import queue
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from albumup.body import sent_name
from albumup.disk import fsync_folder
from albumup.errors import AlbumupError, ConfigError
from albumup.helpers import THREADS, Work
from albumup.journal import copies, framing
from albumup.journal.journal import Journal, LostTask
from albumup.journal.naming import Folder
from albumup.journal.rows import Body, Framed, Task
from albumup.journal.states import Prepared
from albumup.photos.cards import device_at
from albumup.photos.metadata.reader import MetadataReader
from albumup.photos.pins import Pins, read_pins, same_time
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
from albumup.targets.base import Photo
from albumup.targets.bodies import Reading, body_of, photo_of, read, reread
from albumup.uploader.events import Changed
from albumup.uploader.origins import STRANGER
from albumup.uploader.queue import ENOUGH
from albumup.uploader.run import Run
from albumup.uploader.spooling import open_copy
from albumup.uploader.upstream import Upstream

_BATCH = 64
_OPEN = 64
"""Photos that are handed out to be read, at most."""
_A_TURN = 16
"""Small photos that are read in one turn of the loop."""
_RESTLESS_SECONDS = 1.0
_MOST_RESTLESS = 5
"""Readings of a file that is being written to before it is given up as missing."""


class _Ended(Exception):
    """The run is over; the reading is not needed."""


class _Wanted(Struct, frozen=True):
    """A photo to be read, or one whose body is framed anew (``is_anew``)."""

    upstream: Upstream
    task: Task
    is_anew: bool


class _Read(Struct, frozen=True):
    wanted: _Wanted
    reading: Reading
    kept: Kept | None = None
    """All of it, where it is small."""
    device: int = 0
    """Of a photo that is kept: that of its folder (``cards.device_at``)."""


@dataclass(frozen=True, slots=True)
class _Folder:
    """Where photos lie. ``device``: as ``cards.device_at`` had it first; ``files``: the number of the file system of
    what is in it, if that answers at once, else 0."""

    device: int
    files: int


def _is_other(task: Task, pins: Pins) -> bool:
    """Does a photo look otherwise than when it was queued, as exactly as its disk keeps times? By a helper."""
    size, mtime_ns = task.seen
    return pins.size != size or not same_time(mtime_ns, pins.mtime_ns, task.path)


class _Look:
    """Who waits to know a folder, and how many of its photos are being looked at for that."""

    def __init__(self) -> None:
        self.found: asyncio.Future[_Folder] = asyncio.get_running_loop().create_future()
        self.lookers = 0


def _look_at_folder(photo: bytes) -> _Folder:
    """By a helper."""
    device = device_at(os.path.dirname(photo))
    try:
        descriptor, status = open_source(photo)
    except (SourceGone, AlbumupError):
        return _Folder(device, 0)
    try:
        return _Folder(device, status.st_dev if is_quick(status.st_dev, descriptor) else 0)
    finally:
        os.close(descriptor)


class _Readers:
    """Readers of metadata, for one helper at a time each."""

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


class Preparer:
    """Prepares every unprepared task in the run's scope."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._restless: dict[int, tuple[int, float]] = {}
        self._reading: set[int] = set()
        """Ids of the tasks that are being read, or are read and not yet journaled."""
        self._waiting: set[asyncio.Task[None]] = set()
        self._done: list[_Read] = []
        self._spooled = 0
        self._readers = _Readers()
        self._zones: dict[int | None, str | None] = {}
        self._spool_folder, self._was_used = run.options.spool_folder, False
        self._folders: dict[tuple[int, bytes], _Folder] = {}
        """Those of each root."""
        self._looks: dict[tuple[int, bytes], _Look] = {}
        self._quick: dict[tuple[int, bytes, str, int], _Folder] = {}
        """Folders whose medium (volume, card) is known in this run, and whose file system answers at once."""
        self._hopeless: set[int] = set()
        """Tasks that the configuration of their target cannot serve."""
        self._told_anew: set[Upstream] = set()
        """Targets of which the user knows that bodies are framed anew."""

    async def work(self) -> None:
        run, bell = self._run, self._run.queue.to_prepare
        try:
            self._was_used = await run.commits.read(self._is_in_use)
            while not run.queue.has_ended:
                await self._journal()
                if await self._hand_out() or self._done:
                    continue
                if not self._reading:
                    self._rest()
                await bell.wait(self._until_restless())
        except _Ended:
            pass
        finally:
            for waiting in self._waiting:
                waiting.cancel()
            self._readers.close()
            run.is_preparing = False

    def _rest(self) -> None:
        """Nothing is to be read now."""
        run = self._run
        if self._spooled:
            run.outcomes.spooled(self._spooled)
            self._spooled = 0
        run.is_preparing = False
        for bell in (run.queue.to_ask, run.queue.to_keep, run.queue.to_end):
            bell.ring()

    def _until_restless(self) -> float | None:
        """Seconds until a photo that was being written to is read again; None where there is none."""
        times = [until for task_id, (_, until) in self._restless.items() if task_id not in self._reading]
        return max(0.0, min(times) - self._loop.time()) if times else None

    def _is_in_use(self, journal: Journal) -> bool:
        """Were copies put into the spool folder before? The one beside the journal is on no other disk."""
        return copies.was_used(journal, self._spool_folder)

    async def _hand_out(self) -> bool:
        """Have more photos read, as many as may be; True if there may be more to do at once."""
        room = _OPEN - len(self._reading)
        if room < _OPEN // 2:
            return False
        found, stills = await self._run.commits.read(lambda journal: self._next(journal, room))
        await self._pair(stills)
        self._run.is_preparing = self._run.is_preparing or bool(found)
        has_read = False
        for number, wanted in enumerate(found, 1):
            self._reading.add(wanted.task.id)
            if (at_once := self._read_at_once(wanted)) is not None:
                self._done.append(at_once)
                has_read = True
            else:
                waiting = self._loop.create_task(self._read(wanted))
                self._waiting.add(waiting)
                waiting.add_done_callback(self._read_ended)
            if number % _A_TURN == 0:
                await self._journal()
                await asyncio.sleep(0)
        return has_read or bool(stills)

    def _read_ended(self, waiting: asyncio.Task[None]) -> None:
        self._waiting.discard(waiting)
        if not waiting.cancelled() and (error := waiting.exception()) is not None and not isinstance(error, _Ended):
            self._run.fail(error)

    def _next(self, journal: Journal, room: int) -> tuple[list[_Wanted], list[tuple[Upstream, Task]]]:
        """What is to be read next; and stills of live photos whose clips they need not wait for any more."""
        run, now = self._run, self._loop.time()
        found: list[_Wanted] = []
        stills: list[tuple[Upstream, Task]] = []
        most = room + len(self._reading) + len(self._restless) + len(self._hopeless)
        for album in run.queue.albums.values():
            upstream = run.queue.upstreams.get(album.target)
            if upstream is None:
                continue
            if upstream.closing is None and upstream.target.pairs_live:
                stills += [(upstream, task) for task in journal.unpaired(album.id, _BATCH)]
            for root_id in run.queue.album_roots.get(album.id, ()):
                is_away = root_id in run.queue.away
                if upstream.closing is None:
                    stale = framing.stale(journal, album.id, root_id, most, copies=is_away)
                    found += [_Wanted(upstream, task, True) for task in stale if task.id not in self._reading]
                if is_away or len(found) >= room or self._has_enough(upstream):
                    continue
                waiting = self._reading | {task_id for task_id, (_, until) in self._restless.items() if until > now}
                if upstream.closing is not None:
                    waiting |= self._hopeless
                for task in journal.unprepared(album.id, root_id, room, skip=waiting):
                    if upstream.closing is None or task.spool:
                        found.append(_Wanted(upstream, task, False))
        return found[:room], stills

    def _has_enough(self, upstream: Upstream) -> bool:
        """Is there so much in reserve that what is read now would only have to be read again? Copies never wait."""
        if self._run.outcomes.counts.spool_left or upstream.target.asks_first or upstream.breaker.is_sick:
            return False
        is_more_ready = bool(upstream.reserved) and upstream.has_ready
        return is_more_ready or len(upstream.reserved) >= ENOUGH

    async def _pair(self, stills: list[tuple[Upstream, Task]]) -> None:
        """Frame stills with their clips' ids, or let them go without."""
        run = self._run
        changes: list[tuple[int, Body | None]] = []
        for upstream, task in stills:
            body = task.body
            try:
                if task.clip_id and body is not None:
                    reading = Reading(body.pins, body.digests, body.taken, body.spool, task.sidecar)
                    framed = body_of(task, reading, upstream.target, task.sent_as or "", upstream.definition)
                    changes.append((task.id, framed))
                else:
                    changes.append((task.id, None))
            except AlbumupError as error:
                run.queue.close_upstream(upstream, error)

        def record(journal: Journal) -> None:
            for task_id, framed in changes:
                with contextlib.suppress(LostTask):  # cancelled meanwhile
                    journal.paired(task_id, framed)

        if changes:
            await run.commits.do(record)
            run.queue.have_ready(upstream for upstream, _ in stills)

    # Reading one photo.

    def _read_at_once(self, wanted: _Wanted) -> _Read | None:
        """A small photo that the system has in memory, from a card that is known; None for any other."""
        upstream, task = wanted.upstream, wanted.task
        is_plain = not (wanted.is_anew or task.spool or task.sidecar_path is not None or upstream.target.dates)
        if not is_plain or task.size > SMALL or task.root_id in self._run.queue.away:
            return None
        folder = self._quick.get((task.root_id, os.path.dirname(task.path), task.volume, task.card))
        if folder is None:
            return None
        found = read_at_once(task.path, upstream.target.digests, folder.files)
        if found is None:
            return None
        kept, digests = found
        pins = read_pins(kept.status)
        if (pins.size, pins.mtime_ns) != task.seen:
            return None
        return _Read(wanted, Reading(pins, digests, None, None), kept, folder.device)

    async def _read(self, wanted: _Wanted) -> None:
        upstream, task = wanted.upstream, wanted.task
        reading: Reading | None = None
        try:
            read_it = self._read_anew if wanted.is_anew else self._read_first
            reading = await read_it(upstream, task)
        except ConfigError as error:
            self._run.queue.close_upstream(upstream, error)
            self._hopeless.add(task.id)
        finally:
            if reading is None:
                self._reading.discard(task.id)
            else:
                self._done.append(_Read(wanted, reading))
            self._run.queue.to_prepare.ring()

    async def _read_first(self, upstream: Upstream, task: Task) -> Reading | None:
        run = self._run
        helpers = run.world.helpers
        if task.root_id in run.queue.away:
            return None
        folder = await self._folder_of(task)
        if await run.origins.is_known(task, folder.device):
            if folder.files:
                self._quick[task.root_id, os.path.dirname(task.path), task.volume, task.card] = folder
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
            times = self._restless.get(task.id, (0, 0.0))[0] + 1
            self._restless[task.id] = (times, self._loop.time() + _RESTLESS_SECONDS)
            if times >= _MOST_RESTLESS:
                await self._give_up(task, f"{changed}, again and again")
            return None
        differs = (reading.pins.size, reading.pins.mtime_ns) != task.seen
        differs = differs and await helpers.run(Work.LOOK, _is_other, task, reading.pins)
        if differs and (why := await run.origins.stranger(task)) and await run.queue.root_away(task.root_id, why):
            return None
        if reading.pins.size == 0:
            await self._give_up(task, "it is empty now")
            return None
        self._restless.pop(task.id, None)
        self._spooled += task.spool
        return reading

    async def _folder_of(self, task: Task) -> _Folder:
        """As the first photo there shows it; of a few, for one may hang. All that wait go on in their order."""
        key = task.root_id, os.path.dirname(task.path)
        folder = self._folders.get(key)
        if folder is not None:
            return folder
        look = self._looks.get(key)
        if look is None:
            look = self._looks[key] = _Look()
        if look.lookers < THREADS[Work.LOOK]:
            look.lookers += 1
            looker = self._loop.create_task(self._look_at(task, look.found))
            self._waiting.add(looker)
            looker.add_done_callback(self._read_ended)
        if look.found.done():
            await asyncio.sleep(0)  # those that waited are woken, and go first
        folder = self._folders[key] = await look.found
        return folder

    async def _look_at(self, task: Task, found: asyncio.Future[_Folder]) -> None:
        """Its medium, too: none of those that wait has to wait again for that."""
        folder = await self._run.world.helpers.run(Work.LOOK, _look_at_folder, task.path)
        await self._run.origins.is_known(task, folder.device)
        if not found.done():
            found.set_result(folder)

    def _read_now(self, upstream: Upstream, task: Task) -> Reading:
        """By a helper. Raises as ``prepare.read`` does."""
        spool = partial(open_copy, self._spool_folder, was_used=self._was_used) if task.spool else None
        with self._readers.one() as facts:
            return read(task, upstream.target, facts, spool, self._on_spooled if task.spool else self._on_block)

    def _on_block(self, _: int) -> None:
        if self._run.queue.has_ended:
            raise _Ended

    def _on_spooled(self, size: int) -> None:
        """Only one helper copies, and nobody else writes this number."""
        self._on_block(size)
        self._run.outcomes.counts.spooled_bytes += size

    async def _read_anew(self, upstream: Upstream, task: Task) -> Reading | None:
        """What is known of a photo whose body is framed anew, and what its form wants besides."""
        run, body = self._run, task.body
        assert body is not None
        if upstream not in self._told_anew:
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
                return await self._reread_itself(upstream, task, f"its copy cannot be used ({fault})")
            if not await run.queue.root_away(task.root_id, await run.origins.stranger(task)):
                await self._start_afresh(task, str(fault))
        return None

    async def _reread_itself(self, upstream: Upstream, task: Task, words: str) -> Reading | None:
        """The photo itself in place of its copy, if it has the journaled bytes still; else it is missing."""
        try:
            return replace(await self._reread(upstream, task, None), spool=None)
        except (SourceChanged, SourceGone, AnotherVolume) as other:
            await self._give_up(task, f"{words}, and the photo itself neither ({other})")
        return None

    async def _reread(self, upstream: Upstream, task: Task, copy: str | None) -> Reading:
        """``prepare.reread``, from a copy if there is one. Raises as it does."""
        body = task.body
        assert body is not None
        zone = await self._zone_of(body.definition) if body.taken else None
        same_zone = zone == (upstream.target.settings.timezone or "")
        source = os.fsencode(copy) if copy else None
        return await self._run.world.helpers.run(Work.READ, self._reread_now, upstream, task, source, same_zone)

    def _reread_now(self, upstream: Upstream, task: Task, source: bytes | None, same_zone: bool) -> Reading:
        """By a helper."""
        with self._readers.one() as facts:
            return reread(task, upstream.target, facts, source, self._on_block, same_zone=same_zone)

    async def _zone_of(self, definition: int | None) -> str | None:
        """The time zone that a definition named; None if the definition is not known."""
        if definition not in self._zones:
            zone = await self._run.commits.read(lambda journal: framing.timezone_of(journal, definition))
            self._zones[definition] = zone
        return self._zones[definition]

    async def _start_afresh(self, task: Task, words: str) -> None:
        """It has other bytes, or is gone: it is read as if for the first time."""

        def record(journal: Journal) -> None:
            with contextlib.suppress(LostTask):
                journal.prepare_again(task.id)

        await self._run.commits.do(record)
        outcomes = self._run.outcomes
        outcomes.tell(Changed(*outcomes.about(task), words))

    async def _give_up(self, task: Task, words: str) -> None:
        outcomes = self._run.outcomes
        self._restless.pop(task.id, None)
        with contextlib.suppress(LostTask):
            await self._run.commits.do(lambda journal: outcomes.missing(journal, task, words))
            outcomes.told_missing(task, words)

    # Journaling what was read.

    async def _journal(self) -> None:
        """Name, frame and journal what was read; the copies' folder is fsynced before the rows that name them."""
        done, self._done = self._done, []
        if not done:
            return
        run = self._run
        if any(one.reading.spool for one in done):
            await run.world.helpers.run(Work.SYNC, fsync_folder, self._spool_folder)
        ready = await run.commits.do(partial(self._record, done))
        self._reading.difference_update(one.wanted.task.id for one in done)
        copied = sum(one.reading.pins.size for one in done if one.reading.spool and not one.wanted.is_anew)
        counts = run.outcomes.counts
        counts.spool_journaled += copied
        counts.spool_left = max(0, counts.spool_left - copied)
        for one, task, photo in ready:
            if one.kept is not None:
                run.opener.keep(task, one.kept, one.device, photo)
            run.queue.offer(one.wanted.upstream, task)
        if len(ready) < len(done):
            run.queue.have_ready({one.wanted.upstream for one in done})

    def _record(self, done: list[_Read], journal: Journal) -> list[tuple[_Read, Task, Photo]]:
        """What is ready to be sent now, its task as the journal has it, and what its form was filled with."""
        if any(one.reading.spool for one in done):
            copies.note_folder(journal, self._spool_folder)
            self._was_used = self._is_in_use(journal)
        framed: list[tuple[_Read, Framed, Photo]] = []
        for one in done:
            try:
                framed.append((one, *self._frame(one, journal)))
            except ConfigError as error:
                self._run.queue.close_upstream(one.wanted.upstream, error)
                self._hopeless.add(one.wanted.task.id)
        cancelled = journal.prepared_many([new for _, new, _ in framed])  # their copies are swept
        ready: list[tuple[_Read, Task, Photo]] = []
        for one, new, photo in framed:
            task, sidecar = new.task, one.reading.sidecar
            if task.id in cancelled:
                continue
            if sidecar is not None:
                journal.sidecar_read(task.id, sidecar, hashlib.sha256(sidecar).hexdigest())
            is_plain = task.sidecar_path is None and not task.clip_id and not one.wanted.is_anew
            if is_plain and not one.wanted.upstream.target.asks_first:
                now = replace(task, size=new.body.pins.size, sent_as=new.sent_as, body=new.body)
                ready.append((one, now, photo))
        return ready

    def _frame(self, one: _Read, journal: Journal) -> tuple[Framed, Photo]:
        """Name and frame what was read; and what its form was filled with. Raises ConfigError."""
        upstream, task, reading = one.wanted.upstream, one.wanted.task, one.reading
        target = upstream.target
        photo = photo_of(task, reading.pins, reading.digests, reading.taken, target)
        name = _name(journal, upstream, task, target.filename(photo), reading.digests["sha256"])
        body = body_of(task, reading, target, name, upstream.definition, photo)
        then = Prepared.UNASKED if target.asks_first else Prepared.READY
        photo = Photo(photo.values, photo.mime, photo.digests, photo.clip_id, photo.sidecar, name)
        return Framed(task, body, name, then), photo


def _name(journal: Journal, upstream: Upstream, task: Task, wanted: str, sha256: str) -> str:
    """What a photo is sent as; unique where it is put, where the server may overwrite by name."""
    target = upstream.target
    if not target.overwrites_by_name:
        return sent_name(wanted)
    folder = Folder(target.puts_into(task.album), is_shared=target.shares_folder(task.album))
    return journal.name_photo(task.id, task.album_id, partial(sent_name, wanted), task.sent_as, folder, sha256)
