"""The life of a run: settle photos that were cut off, notice changes, end when all is done."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import TypeVar

from albumup.errors import AlbumupError, worst
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.opening import CorruptJournal, checkpoint_here
from albumup.journal.rows import Album
from albumup.journal.summary import summary_of
from albumup.targets.base import Target
from albumup.uploader.albums import AlbumWorker
from albumup.uploader.events import Listener, Progress, Upload
from albumup.uploader.former import Rebuild
from albumup.uploader.instructed import Instructed
from albumup.uploader.leave import Leave
from albumup.uploader.options import STOPPED, Draining, Options, RunEnd, Stop
from albumup.uploader.prepare import Preparer
from albumup.uploader.queue import TICK
from albumup.uploader.reconcile import Reconciler
from albumup.uploader.run import Run
from albumup.uploader.scope import Scope
from albumup.uploader.sleep import Gap
from albumup.uploader.slot import Slot
from albumup.uploader.spooling import sweep
from albumup.uploader.upload import Uploader
from albumup.uploader.waking import Waking
from albumup.uploader.world import World

T = TypeVar("T")

_MOST_SHOWN = 200
"""Albums whose sums before the run are shown to others."""
_CUT_SECONDS = 1.0
_LAST_SECONDS = 5.0
"""The longest wait for unfinished work at the end of a run."""


class Engine:
    """One run. Made and used within the running loop."""

    def __init__(
        self,
        journal: Journal,
        album_ids: list[int],
        build: Callable[[str], Target],
        options: Options,
        listener: Listener,
        world: World,
        rebuild: Rebuild = lambda _, present: present,
    ) -> None:
        """``rebuild``: makes targets by earlier definitions; the default asks the present ones
        instead."""
        self._loop = asyncio.get_running_loop()
        self._run = run = Run(journal, options, listener, world, rebuild)
        self._scope = Scope(run, album_ids, build)
        self._instructed = Instructed(run, self._scope, self._begin_upload)
        self._parts: list[asyncio.Task[None]] = []
        """What runs side by side."""
        self._drain_until: float | None = None
        self._cut_at: float | None = None
        """When the drain's time was over and uploads still in flight were cut."""
        self._abandons = False
        self._began = self._loop.time()
        self.has_begun = False
        """Is the run journaled?"""
        self._waking = Waking(run, self._scope.all_upstreams)
        self._leave = Leave(run)
        run.sleep.on_wake.append(self._woke)
        run.judge.on_pause = run.outcomes.tell_of_pause
        run.commits.on_fault(run.fail)

    # The life of a run.

    async def run(self) -> RunEnd:
        """Work until nothing is left, or something ends the run."""
        run = self._run
        exit_code: int | None = None
        ticking: list[asyncio.Task[None]] = []
        try:
            await self._scope.build_first()
            await run.commits.do(self._begin)
            self.has_begun = True
            self._leave.tick(self._loop.time())
            own = self._tick, self._watch_for_sleep
            ticking = [self._loop.create_task(self._guarded(part)) for part in own]
            for part in (Preparer(run), Reconciler(run), AlbumWorker(run)):
                self._parts.append(self._loop.create_task(self._guarded(part.work)))
            for slot in run.queue.slots:
                self._begin_upload(slot)
            while exit_code is None:
                exit_code = await self._look()
                if exit_code is None:
                    await run.queue.to_end.wait()
        except Exception as error:  # noqa: BLE001 - any error ends the run with a message
            run.fail(error)
        for task in ticking:
            task.cancel()
        if ticking:
            await asyncio.wait(ticking)
        run.queue.no_more()
        if run.fault is not None:
            self.cut()
        await self._join(self._parts)
        if exit_code is None:
            exit_code = await self._end_at_fault()
        await self._leave.close()
        await run.origins.close()
        await run.commits.close()
        if run.commits.fault is not None:
            self._end_at_fault_of_journal(exit_code)
        run.opener.close()
        await self._scope.close()
        run.formers.close()
        run.world.helpers.close()
        return self._scope.ended(exit_code, self._loop.time() - self._began)

    def _begin_upload(self, slot: Slot) -> None:
        """Send one photo after the other there."""
        uploads = self._guarded(Uploader(self._run, slot).work)
        self._parts.append(self._loop.create_task(uploads))

    async def _guarded(self, part: Callable[[], Awaitable[None]]) -> None:
        """Run one of the parts; any error of it ends the run."""
        try:
            await part()
        except Exception as error:  # noqa: BLE001 - any error ends the run
            self._run.fail(error)

    async def _join(self, parts: list[asyncio.Task[None]]) -> None:
        """Wait for the parts to finish. When stopped, a question under way is cancelled: the next
        run asks again."""
        if not parts:
            return
        if self._run.stop is not None or self._run.queue.stopped:
            for part in parts[1:3]:
                part.cancel()
        if not self._abandons:
            await asyncio.wait(parts, timeout=_LAST_SECONDS)
        left = [part for part in parts if not part.done()]
        for part in left:
            part.cancel()
        if left:
            await asyncio.wait(left, timeout=_CUT_SECONDS)

    def _begin(self, journal: Journal) -> None:
        run = self._run
        checkpoint_here(journal.connection)
        how = run.options
        run.outcomes.run_id = run.causes.run_id = runs.begin(
            journal,
            os.getpid(),
            how.shown,
            self._scope.wanted,
            is_watched=how.is_watched,
            is_detached=how.is_detached,
        )
        self._scope.begin(journal)
        self._scope.look(journal)
        sweep(journal, run.options.spool_folder)

    async def _tick(self) -> None:
        """Notice changes from outside: joiners, times that have come, the end of patience."""
        run, queue = self._run, self._run.queue
        while True:
            await asyncio.sleep(TICK)
            now = self._loop.time()
            self._waking.tick(now)
            self._leave.tick(now)
            for upstream in queue.upstreams.values():
                queue.decide(upstream.line.tick(now))
            if self._drain_until is not None and now >= self._drain_until:
                self._cut_at = self._cut_at or now
                queue.cut_all()
                # A look-up or a connect cannot be cut: its attempt stays cut off, for the next run
                # to settle.
                self._abandons = now >= self._cut_at + _CUT_SECONDS
            if run.commits.fault is None:
                await run.commits.read(self._scope.build_new)
                await run.commits.do(self._instructed.look)
            queue.to_prepare.ring()
            queue.to_end.ring()
            queue.changed.wake()

    async def _watch_for_sleep(self) -> None:
        while True:
            await self._run.sleep.rest(TICK)

    async def _look(self) -> int | None:
        """The exit code if the run is over, else None."""
        run = self._run
        if run.fault is not None:
            if run.commits.fault is None and self._is_busy():
                return None
            return await self._end_at_fault()
        for upstream in (
            self._scope.all_upstreams() if run.stop is not None else self._scope.retired
        ):
            run.queue.decide(upstream.line.flush())
        is_preparing = run.is_preparing and run.stop is None and bool(run.queue.going())
        if self._is_busy() or is_preparing:
            return None
        await run.commits.do(self._instructed.look)
        return await run.commits.do(self._end)

    def _end(self, journal: Journal) -> int | None:
        """End the run if nothing is left in its scope, in one transaction, so that no joiner is
        missed.

        The journal gets the exit code of the whole run, for joiners; returned is that of the albums
        asked for.
        """
        run, queue = self._run, self._run.queue
        if run.stop is None and not self._scope.is_current(journal):
            self._scope.look(journal)
            queue.to_end.ring()
            return None
        going = [album.id for album in queue.going()]
        if self._is_busy():
            return None
        has_work = run.stop is None and any(
            runs.is_unfinished(journal, album_id) and self._scope.has_work(journal, album_id)
            for album_id in going
        )
        if has_work or (run.stop is None and self._scope.awaits_target(journal)):
            return None
        if run.stop is None and (held := run.judge.last_held()):
            for upstream, one in held:
                run.outcomes.own(journal, upstream, one)
            queue.to_end.ring()
            queue.to_prepare.ring()
            return None  # this may free a still that waited for its clip
        queue.no_more()
        self._scope.settle_all(journal)
        if run.stop is None:
            self._scope.end_pauses(journal)
        unfinished = [one for one in queue.albums if runs.is_unfinished(journal, one)]
        if run.stop is not None and run.stop.hold:
            inherited = runs.with_heirs(journal, run.outcomes.run_id)
            runs.hold(journal, set(unfinished) - inherited, True)
        for album_id in unfinished:
            runs.touch(journal, album_id)
        if run.stop is None:
            run.causes.ended(journal, self._scope.closings(unfinished), unfinished)
        elif run.stop.why is not None:
            run.causes.failed(journal, run.stop.why, unfinished)
        code = self._exit_code(journal, going or queue.albums, unfinished)
        runs.end(journal, run.outcomes.run_id, code, self._scope.unbuilt)
        own = [album_id for album_id in queue.albums if album_id in self._scope.wanted]
        return self._exit_code(journal, own, unfinished)

    def _is_busy(self) -> bool:
        run = self._run
        is_asking = run.stop is None and any(one.id in run.asking for one in run.queue.going())
        return not self._abandons and (run.queue.is_busy() or is_asking)

    def _exit_code(
        self, journal: Journal, album_ids: Iterable[int], unfinished: Collection[int]
    ) -> int:
        codes = {self._code_of(one) for one in album_ids if one in unfinished}
        codes |= {3 for one in album_ids if summary_of(journal, one).is_wanting}
        return worst(codes)

    def _code_of(self, album_id: int) -> int:
        """The exit code for an unfinished album."""
        stop = STOPPED if album_id in self._run.queue.stopped else None
        stop = self._run.stop or stop
        return stop.exit_code if stop is not None else self._scope.code_of(album_id)

    async def _end_at_fault(self) -> int:
        """Journal the end of the run, if the journal still can be written."""
        run = self._run
        code = run.fault.exit_code if run.fault is not None else 1
        if run.commits.fault is None and run.outcomes.run_id:
            with contextlib.suppress(AlbumupError):
                await run.commits.do(lambda journal: self._end_failed(journal, code))
        return code

    def _end_at_fault_of_journal(self, code: int) -> None:
        """Journal the end of the run once more: a disk without room for a large change may have
        some for a small one. It does not wait for others."""
        journal = self._run.commits.journal
        if self._run.outcomes.run_id and not isinstance(self._run.fault, CorruptJournal):
            with contextlib.suppress(AlbumupError, sqlite3.Error), journal.transaction():
                self._end_failed(journal, code)

    def _end_failed(self, journal: Journal, code: int) -> None:
        """End the run at a fault."""
        run = self._run
        scope = runs.scope(journal, run.outcomes.run_id)
        unfinished = [album_id for album_id in scope if runs.is_unfinished(journal, album_id)]
        if run.fault is not None and run.stop is None:
            run.causes.failed(journal, run.fault, unfinished)
        runs.end(journal, run.outcomes.run_id, code)

    # Ending early.

    def drain(self, stop: Stop, grace: float) -> Draining:
        """Start nothing new; let uploads go on that will end within ``grace`` seconds at their
        rate, cut the others."""
        run, now = self._run, self._loop.time()
        finishing, cutting = [], []
        run.stop = run.stop or stop
        self._drain_until = now + grace
        for slot in run.queue.busy_slots():
            meter = slot.meter
            meter.look()
            rate = meter.moved / max(now - meter.began, 1e-3)
            if meter.whole or (rate > 0 and (slot.size - meter.moved) / rate <= grace):
                finishing.append(slot.name)
            else:
                cutting.append((slot.name, meter.moved))
                meter.cut_now()
        run.queue.no_more()
        return Draining(tuple(finishing), tuple(cutting))

    def cut(self) -> None:
        """Cut all uploads in flight."""
        self._drain_until = self._loop.time()
        self._run.queue.cut_all()

    def _woke(self, gap: Gap) -> None:
        """Give uploads that were to finish the time that they had before a sleep."""
        if self._drain_until is not None:
            self._drain_until += gap.ran_on

    # For the session.

    def change(self, change: Callable[[Journal], T]) -> asyncio.Future[T]:
        """Make a change of the journal, in one of the run's commits."""
        return self._run.commits.do(change)

    # For the screen.

    @property
    def run_id(self) -> int:
        """The journal's number of this run; 0 before it has begun."""
        return self._run.outcomes.run_id

    @property
    def is_ending_early(self) -> bool:
        """Nothing new starts: the run was stopped, or failed."""
        return self._run.stop is not None or self._run.fault is not None

    @property
    def rate_limit(self) -> int | None:
        """Bytes a second, for all uploads together; None while there is no limit."""
        return self._run.limit.rate()

    def before(self) -> dict[int, tuple[int, int]]:
        """``RunEnd.before`` as of now, of the first few hundred albums."""
        return self._scope.before(_MOST_SHOWN)

    @property
    def album_names(self) -> list[str]:
        """The names of the albums that ``progress`` counts."""
        return [album.name for album in self._shown()]

    def _shown(self) -> list[Album]:
        """The albums with work in this run, without stopped ones while others go on; all albums if
        none has work."""
        queue, counted = self._run.queue, self._run.outcomes.counts.albums
        albums = queue.going() or list(queue.albums.values())
        has_work = self._scope.worked_on
        return [one for one in albums if one.id in has_work or counted[one.id].total] or albums

    def progress(self) -> Progress:
        """A snapshot of the run, with the counts of the albums in ``album_names``."""
        run, now = self._run, self._loop.time()
        uploads = tuple(
            Upload(slot.name, slot.size, min(slot.meter.look(), slot.size), slot.album_id)
            if slot.task_id
            else None
            for slot in run.queue.slots
        )
        clock, upstreams = run.world.clock(), run.queue.upstreams.values()
        pauses = [
            upstream.pause(clock, now) for upstream in upstreams if run.queue.albums_of(upstream)
        ]
        counts, shown = run.outcomes.counts, {album.id for album in self._shown()}
        found = counts.of(shown)
        moved = sum(one.moved for one in uploads if one and one.album_id in shown)
        return Progress(
            photos_done=found.done,
            photos_total=max(found.done + found.given_up, found.total),
            bytes_done=found.done_bytes + moved,
            bytes_total=max(found.done_bytes + found.given_up_bytes, found.total_bytes),
            is_complete=counts.unprepared == 0,
            spooled_bytes=counts.spooled_bytes,
            spool_total=counts.spool_total,
            uploads=uploads,
            pauses=tuple(pause for pause in pauses if pause is not None),
        )
