"""The preparer has photos read once, in the order of their push, and journals their bodies.

It reads no further ahead of the sending than small photos can be kept in memory; copying never
waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Coroutine
from functools import partial

from msgspec.structs import replace

from albumup.disk import fsync_folder
from albumup.errors import AlbumupError, ConfigError
from albumup.helpers import Work
from albumup.journal import copies, framing
from albumup.journal.journal import Journal
from albumup.journal.naming import Folder
from albumup.journal.rows import Body, Framed, Task
from albumup.journal.states import Stage
from albumup.journal.store import LostTask
from albumup.targets.base import Photo
from albumup.targets.bodies import Reading, body_of, photo_of
from albumup.targets.sent_names import sent_name
from albumup.uploader.queue import ENOUGH
from albumup.uploader.reading import Ended, Read, Reader, Wanted
from albumup.uploader.run import Run
from albumup.uploader.upstream import Upstream

_BATCH = 64
_OPEN = 64
"""The most photos that are being read at a time."""
_A_TURN = 32
"""Small photos that are read in one turn of the loop, except those that waited for the first look
at their folder."""


class Preparer:
    """Prepares every unprepared task in the run's scope."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._loop = asyncio.get_running_loop()
        self._reading: set[int] = set()
        """Ids of the tasks that are being read, or were read and are not yet journaled."""
        self._waiting: dict[asyncio.Task[None], None] = {}
        """Readings under way, in their order: so they are cancelled, too."""
        self._done: list[Read] = []
        self._reader = Reader(run, self._begin)
        self._spool_folder = run.options.spool_folder
        self._hopeless: set[int] = set()
        """Tasks that fail because of their target's configuration."""
        self._folders: dict[tuple[Upstream, str], Folder] = {}
        """Where the photos of each album are put on its server."""

    async def work(self) -> None:
        run, bell = self._run, self._run.queue.to_prepare
        try:
            self._reader.was_used = await run.commits.read(self._is_in_use)
            while not run.queue.has_ended:
                await self._journal()
                if await self._hand_out() or self._done:
                    continue
                if not self._reading:
                    self._rest()
                await bell.wait(self._reader.until_reread(self._reading))
        except Ended:
            pass
        finally:
            for waiting in self._waiting:
                waiting.cancel()
            self._reader.close()
            run.is_preparing = False

    def _rest(self) -> None:
        """Note that there is nothing to read now."""
        run = self._run
        for (album, target), photos in self._reader.spooled.items():
            if photos:
                run.outcomes.spooled(album, target, photos)
        self._reader.spooled.clear()
        run.is_preparing = False
        for bell in (run.queue.to_ask, run.queue.to_place, run.queue.to_end):
            bell.ring()

    def _is_in_use(self, journal: Journal) -> bool:
        """Were copies put into the spool folder before?"""
        return copies.was_used(journal, self._spool_folder)

    async def _hand_out(self) -> bool:
        """Have more photos read, as many as allowed; True if there may be more to do at once."""
        room = _OPEN - len(self._reading)
        if room < _OPEN // 2:
            return False
        found, stills = await self._run.commits.read(lambda journal: self._next(journal, room))
        await self._pair(stills)
        self._run.is_preparing = self._run.is_preparing or bool(found)
        has_read = False
        for number, wanted in enumerate(found, 1):
            self._reading.add(wanted.task.id)
            if (at_once := self._reader.read_at_once(wanted)) is not None:
                self._done.append(at_once)
                has_read = True
            else:
                self._begin(self._read(wanted))
            if number % _A_TURN == 0:
                await self._journal()
                await asyncio.sleep(0)
        return has_read or bool(stills)

    def _begin(self, reading: Coroutine[None, None, None]) -> None:
        waiting = self._loop.create_task(reading)
        self._waiting[waiting] = None
        waiting.add_done_callback(self._read_ended)

    def _read_ended(self, waiting: asyncio.Task[None]) -> None:
        self._waiting.pop(waiting, None)
        if (
            not waiting.cancelled()
            and (error := waiting.exception()) is not None
            and not isinstance(error, Ended)
        ):
            self._run.fail(error)

    def _next(
        self, journal: Journal, room: int
    ) -> tuple[list[Wanted], list[tuple[Upstream, Task]]]:
        """The photos to read next, and stills that need not wait for their clips any more."""
        run, now = self._run, self._loop.time()
        found: list[Wanted] = []
        stills: list[tuple[Upstream, Task]] = []
        most = room + len(self._reading) + len(self._reader.unstable()) + len(self._hopeless)
        for album in run.queue.going():
            upstream = run.queue.upstreams.get(album.target)
            if upstream is None:
                continue
            if upstream.closing is None and upstream.target.pairs_live:
                stills += [(upstream, task) for task in journal.unpaired(album.id, _BATCH)]
            for root_id in run.queue.album_roots.get(album.id, ()):
                is_away = root_id in run.queue.away
                if upstream.closing is None:
                    stale = framing.stale(journal, album.id, root_id, most, copies=is_away)
                    found += [
                        Wanted(upstream, task, True)
                        for task in stale
                        if task.id not in self._reading
                    ]
                if is_away or len(found) >= room or self._has_enough(upstream):
                    continue
                waiting = self._reading | self._reader.unstable(now)
                if upstream.closing is not None:
                    waiting |= self._hopeless
                for task in journal.unprepared(album.id, root_id, room, skip=waiting):
                    if upstream.closing is None or task.spool:
                        found.append(Wanted(upstream, task, False))
        return found[:room], stills

    def _has_enough(self, upstream: Upstream) -> bool:
        """Are so many tasks reserved that a photo read now would have to be read again? Copying
        never waits."""
        if (
            self._run.outcomes.counts.spool_left
            or upstream.target.asks_first
            or upstream.breaker.is_sick
        ):
            return False
        is_more_ready = bool(upstream.reserved) and upstream.has_ready
        return is_more_ready or len(upstream.reserved) >= ENOUGH

    async def _pair(self, stills: list[tuple[Upstream, Task]]) -> None:
        """Frame stills with their clips' ids, or let them go without a clip."""
        run = self._run
        changes: list[tuple[int, Body | None]] = []
        for upstream, task in stills:
            body = task.body
            try:
                if task.clip_id and body is not None:
                    reading = Reading(body.pins, body.digests, body.taken, body.spool, task.sidecar)
                    framed = body_of(
                        task, reading, upstream.target, task.sent_as or "", upstream.definition
                    )
                    changes.append((task.id, framed))
                else:
                    changes.append((task.id, None))
            except AlbumupError as error:
                run.judge.close_upstream(upstream, error)

        def record(journal: Journal) -> None:
            for task_id, framed in changes:
                with contextlib.suppress(LostTask):  # cancelled meanwhile
                    journal.paired(task_id, framed)

        if changes:
            await run.commits.do(record)
            run.queue.have_ready(upstream for upstream, _ in stills)

    async def _read(self, wanted: Wanted) -> None:
        upstream, task = wanted.upstream, wanted.task
        read: Read | None = None
        try:
            read = await self._reader.read(wanted)
        except ConfigError as error:
            self._run.judge.close_upstream(upstream, error)
            self._hopeless.add(task.id)
        finally:
            if read is None:
                self._reading.discard(task.id)
            else:
                self._done.append(read)
            self._run.queue.to_prepare.ring()

    # Journaling readings.

    async def _journal(self) -> None:
        """Name, frame and journal the photos read; the copies' folder is fsynced before the rows
        that name them."""
        done, self._done = self._done, []
        if not done:
            return
        run = self._run
        if any(one.reading.spool for one in done):
            await run.world.helpers.run(Work.SYNC, fsync_folder, self._spool_folder)
        ready = await run.commits.do(partial(self._record, done))
        self._reading.difference_update(one.wanted.task.id for one in done)
        copied = sum(
            one.reading.pins.size for one in done if one.reading.spool and not one.wanted.is_anew
        )
        counts = run.outcomes.counts
        counts.spool_journaled += copied
        counts.spool_left = max(0, counts.spool_left - copied)
        for one, task, photo in ready:
            if one.kept is not None:
                run.opener.keep(task, one.kept, one.device, photo)
            run.queue.offer(one.wanted.upstream, task)
        if len(ready) < len(done):
            run.queue.have_ready({one.wanted.upstream for one in done})

    def _record(self, done: list[Read], journal: Journal) -> list[tuple[Read, Task, Photo]]:
        """Journal the readings; those ready to be sent, each with its task as journaled and its
        form's values."""
        if any(one.reading.spool for one in done):
            copies.note_folder(journal, self._spool_folder)
            self._reader.was_used = self._is_in_use(journal)
        framed: list[tuple[Read, Framed, Photo]] = []
        for one in done:
            try:
                framed.append((one, *self._frame(one, journal)))
            except ConfigError as error:
                self._run.judge.close_upstream(one.wanted.upstream, error)
                self._hopeless.add(one.wanted.task.id)
        cancelled = journal.prepared_many([new for _, new, _ in framed])  # their copies are swept
        ready: list[tuple[Read, Task, Photo]] = []
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

    def _frame(self, one: Read, journal: Journal) -> tuple[Framed, Photo]:
        """Name and frame a photo that was read; the result, and its form's values. Raises
        ConfigError."""
        upstream, task, reading = one.wanted.upstream, one.wanted.task, one.reading
        target = upstream.target
        photo = photo_of(task, reading.pins, reading.digests, reading.taken, target)
        name = self._name(
            journal, upstream, task, target.filename(photo), reading.digests["sha256"]
        )
        body = body_of(task, reading, target, name, upstream.definition, photo)
        then = Stage.UNASKED if target.asks_first else Stage.READY
        photo = Photo(photo.values, photo.mime, photo.digests, photo.clip_id, photo.sidecar, name)
        return Framed(task, body, name, then), photo

    def _name(
        self, journal: Journal, upstream: Upstream, task: Task, wanted: str, sha256: str
    ) -> str:
        """The name a photo is sent as; unique where servers may overwrite by name."""
        if not upstream.target.overwrites_by_name:
            return sent_name(wanted)
        folder = self._folder_of(upstream, task.album)
        return journal.name_photo(
            task.id, task.album_id, partial(sent_name, wanted), task.sent_as, folder, sha256
        )

    def _folder_of(self, upstream: Upstream, album: str) -> Folder:
        folder = self._folders.get((upstream, album))
        if folder is None:
            target = upstream.target
            folder = Folder(target.puts_into(album), is_shared=target.shares_folder(album))
            self._folders[upstream, album] = folder
        return folder
