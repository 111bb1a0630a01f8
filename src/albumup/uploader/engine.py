"""The life of a run: begin by settling what was cut off, look once a tick at what changed, end when nothing is left.

The journal belongs to the recorder; what is in memory to :mod:`albumup.uploader.dispatch` and its lock.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
import traceback
from collections.abc import Callable

from albumup.errors import AlbumupError, LocalError
from albumup.journal import framing, pauses, runs
from albumup.journal.journal import Journal
from albumup.journal.opening import checkpoint_here
from albumup.journal.recorder import Recorder
from albumup.journal.states import DONE, WANTING, State
from albumup.retry import LONGEST_ASKED_WAIT, LONGEST_WAIT, Rules
from albumup.targets.base import Target
from albumup.transfer.wire import load_libraries
from albumup.uploader.albums import Keeper
from albumup.uploader.asking import Asker
from albumup.uploader.attempt import Worker
from albumup.uploader.breaker import CRON_PHOTOS, Breaker
from albumup.uploader.dispatch import TICK, Dispatch
from albumup.uploader.former import Formers, Rebuild
from albumup.uploader.lane import Closing, Lane
from albumup.uploader.origins import Origins
from albumup.uploader.preparing import Preparer
from albumup.uploader.progress import Listener, Pause, Progress, Upload
from albumup.uploader.recording import Recording
from albumup.uploader.spooling import sweep
from albumup.uploader.terms import Draining, Options, RunEnd, Stop

_CUT_SECONDS = 1.0
_SETTLED = (*DONE, *WANTING)
"""Nothing more is done with these in this run, but for doubts that are still to be asked about."""


class Engine:
    """One run. ``run`` works in the calling thread until it ends; the rest may be called from others."""

    def __init__(
        self,
        journal: Journal,
        album_ids: list[int],
        build: Callable[[str], Target],
        options: Options,
        listener: Listener,
        chance: Callable[[], float] = random.random,
        rebuild: Rebuild = lambda _, present: present,
    ) -> None:
        """``rebuild``: makes targets as they were defined once; as it is, they are asked as they are now."""
        self.options = options
        self.recorder = Recorder(journal)
        self.dispatch = Dispatch(self.recorder, options.jobs, chance)
        self.origins = Origins(self.recorder, self.dispatch)
        self.recording = Recording(self.dispatch, listener)
        self.chance = chance
        self.preparing = True
        """The preparer has work, or has not looked yet."""
        self.asking: set[int] = set()
        """Albums about whose doubts a question is under way."""
        self.unbuilt: dict[str, Closing] = {}
        self.stop: Stop | None = None
        self.fault: AlbumupError | None = None
        self.formers = Formers(rebuild)
        self._build = build
        self._kept: dict[str, str | None] = {}
        """Of each target that was wanted: its definition in the journal, where --url described it."""
        self._retired: list[Lane] = []
        """Lanes whose targets are defined otherwise by now; what they have in flight ends."""
        self._wanted = album_ids
        self._before: dict[int, tuple[int, int]] = {}
        self._settled_before: dict[int, tuple[int, int]] = {}
        self._drain_until: float | None = None
        self._abandons = False
        self._began = time.monotonic()
        self.dispatch.on_pause = self.recording.told_of_pause

    # The life of a run.

    def run(self) -> RunEnd:
        """Work until nothing is left, or something ends the run."""
        self.recorder.on_fault(self._journal_failed)
        threads: list[threading.Thread] = []
        exit_code: int | None = None
        try:
            load_libraries()
            self.recorder.do(self._begin).wait()
            folder = self.options.spool_folder
            self.recorder.do(lambda journal: sweep(journal, folder)).wait()
            threads = [Preparer(self), Asker(self), Keeper(self), *(Worker(self, slot) for slot in self.dispatch.slots)]
            for thread in threads:
                thread.start()
            while exit_code is None:
                self.dispatch.wake.wait(TICK)
                self.dispatch.wake.clear()
                exit_code = self._tick()
        except Exception as error:  # noqa: BLE001 - whatever it was, the run ends with words
            self.fail(error)
        finally:
            self.dispatch.no_more()
            if self.fault is not None:
                self.cut()
            for thread in threads:
                # A question that is under way when we are stopped is asked again by the next run.
                asks = isinstance(thread, Asker | Keeper) and self.stop is not None
                thread.join(0.0 if self._abandons else _CUT_SECONDS if asks else 5.0)
            if exit_code is None:
                exit_code = self._end_at_fault()
            self.recorder.close()
            for lane in (*self.dispatch.lanes.values(), *self._retired):
                lane.target.close()
            self.formers.close()
        return RunEnd(
            exit_code=exit_code,
            run_id=self.recording.run_id,
            before={album_id: self._before.get(album_id, (0, 0)) for album_id in self.dispatch.albums},
            closings={
                name: closing
                for name, lane in self.dispatch.lanes.items()
                if (closing := lane.closing or lane.albums_closing)
            }
            | self.unbuilt,
            away={self.dispatch.roots[root_id].path: words for root_id, words in self.dispatch.away.items()},
            fault=self.fault,
            seconds=time.monotonic() - self._began,
        )

    def _begin(self, journal: Journal) -> None:
        checkpoint_here(journal.connection)
        self._unhold_all(journal)
        for cut in journal.cut_off():
            # What a target that cannot be built now would do is found out when it can: until then it is to be asked.
            lane = self._lane(journal, cut.target)
            self.recording.cut_off(journal, cut, self._rules_of(journal, lane, cut.task_id))
            if lane is not None and cut.whole_at is not None and lane.breaker.sends_once and lane.breaker.is_sick:
                # It was sent into a pause, and a kill hid how that ended: it is spent all the same.
                lane.breaker.spent_photos += 1
                pauses.sick(journal, cut.target, lane.breaker.words, lane.breaker.spent_photos)
        self.recording.run_id = runs.begin(journal, os.getpid(), self.options.shown, self._wanted)
        self._look_at_scope(journal)

    def _lane(self, journal: Journal, name: str) -> Lane | None:
        """The target's lane, made when it is first wanted; None when the target cannot be built."""
        if name in self.unbuilt:
            return None
        if name not in self.dispatch.lanes:
            self._kept[name] = runs.target_definitions(journal).get(name)
            try:
                target = self._build(name)
            except AlbumupError as error:
                self.unbuilt[name] = Closing(error.exit_code, str(error), error.hint)
                return None
            settings = target.settings
            rules = Rules(self.options.retries, target.can_ask, settings.resend, settings.settle)
            proven = journal.accepted_urls().get(name) == (settings.url or "")
            number = framing.define(journal, name, target.fingerprint, target.kept)
            breaker = self._breaker(journal, name, rules, proven=proven)
            lane = self.dispatch.lanes[name] = Lane(target, rules, breaker, definition=number)
            if (pause := pauses.left(journal).get(name)) is not None:
                lane.sick_from = pause.since
                breaker.spent_photos = pause.spent
                breaker.fell_sick_before(pause.words, time.monotonic())
        return self.dispatch.lanes[name]

    def _rules_of(self, journal: Journal, lane: Lane | None, task_id: int) -> Rules:
        """By which to judge a task that was cut off: those of the definition that it was sent under."""
        if lane is None:
            return Rules(0, True, "never", 0.0)
        task = journal.task(task_id)
        body = task.body if task is not None else None
        return self.formers.lane_for(journal, lane, body.definition if body is not None else None).rules

    def _retire_lanes(self, journal: Journal) -> None:
        """A joiner defines a target otherwise: it is built anew, and nothing more goes by its old definition."""
        texts, numbers = runs.target_definitions(journal), framing.numbers(journal)
        with self.dispatch.cond:
            for name, text in list(self._kept.items()):
                lane = self.dispatch.lanes.get(name)
                if text == texts.get(name) and (lane is None or lane.definition == numbers.get(name)):
                    continue
                del self._kept[name]
                self.unbuilt.pop(name, None)
                if lane is not None:
                    self._retired.append(self.dispatch.lanes.pop(name))
        for lane in self._retired:
            self._withdraw(journal, lane)

    def _withdraw(self, journal: Journal, lane: Lane, album_id: int | None = None) -> None:
        for task_id in self.dispatch.withdraw(lane, album_id):
            self.recording.unhold(journal, task_id, lane.rules)

    def _unhold_all(self, journal: Journal) -> None:
        """What is still held is sent again: by this run, whose predecessor died, or by the next."""
        for task_id, name in pauses.held(journal):
            lane = self._lane(journal, name)
            self.recording.unhold(journal, task_id, lane.rules if lane is not None else None)

    def _breaker(self, journal: Journal, name: str, rules: Rules, *, proven: bool) -> Breaker:
        """A breaker for a target; one whose pause was given up because of ``resend = "never"`` may spend again."""
        breaker = Breaker(
            patience=self.options.patience,
            retries=rules.retries,
            proven=proven,
            jobs=self.options.jobs,
            most_photos=CRON_PHOTOS if self.options.is_cron else None,
            sends_once=rules.resend == "never" and not rules.can_ask,
        )
        if self.options.spends_again:
            pauses.may_spend_again(journal, [name])
        return breaker

    def _look_at_scope(self, journal: Journal) -> None:
        """Take in albums that joiners handed over, new roots, and what is left."""
        self._retire_lanes(journal)
        known = {album.id: album for album in runs.albums(journal)}
        counts = self.recording.counts
        total = total_bytes = unprepared = spool_left = 0
        for album_id in runs.scope(journal, self.recording.run_id):
            if album_id not in known:
                self.dispatch.albums.pop(album_id, None)
                continue
            with self.dispatch.cond:
                lane = self.dispatch.lane_of(album_id)
                if lane is not None and lane.target.name != known[album_id].target:
                    self._withdraw(journal, lane, album_id)
                self.dispatch.albums[album_id] = known[album_id]
                self._lane(journal, known[album_id].target)
                roots = runs.roots_of(journal, album_id)
                self.dispatch.roots.update({root.id: root for root in roots})
                self.dispatch.album_roots[album_id] = {root.id for root in roots}
            if album_id not in self._before:  # a pending photo gets at least one try a run
                now = journal.clock()
                journal.bring_forward([(album_id, root.id) for root in roots], now, now)
            tally = runs.tally(journal, album_id)
            self._before.setdefault(album_id, (tally.count(*DONE), tally.size(*DONE)))
            asking = journal.rows(
                "select count(*), coalesce(sum(size), 0) from task"
                " where album_id = ? and state = 'in_doubt' and ask_at is not null",
                album_id,
            )[0]
            settled = tally.count(*_SETTLED) - asking[0], tally.size(*_SETTLED) - asking[1]
            before = self._settled_before.setdefault(album_id, settled)
            total += tally.count(State.PENDING, State.SENDING) + asking[0] + settled[0] - before[0]
            total_bytes += tally.size(State.PENDING, State.SENDING) + asking[1] + settled[1] - before[1]
            row = journal.rows(
                "select count(*), coalesce(sum(spool * size), 0) from"
                " (select spool, size from task where album_id = ? and state = 'pending' and prepared = 0 limit 1000)",
                album_id,
            )[0]
            unprepared += row[0]
            spool_left += row[1]
        counts.total, counts.total_bytes = total, total_bytes
        counts.unprepared, counts.spool_left = unprepared, spool_left
        now = journal.clock()
        with self.dispatch.cond:
            for lane in self.dispatch.lanes.values():
                if lane.dry:
                    lane.dry = not self._is_due(journal, lane, now)
            self.dispatch.cond.notify_all()

    def _is_due(self, journal: Journal, lane: Lane, now: float) -> bool:
        """Has the time of a task come? One that lies too far ahead was written by a clock that was wrong."""
        times = [
            journal.next_time(album_id, root_id, copies=root_id in self.dispatch.away)
            for album_id, root_id in self.dispatch.places_of(lane)
        ]
        due = min((time for time in times if time is not None), default=None)
        if due is not None and due > now + LONGEST_ASKED_WAIT:
            journal.bring_forward(self.dispatch.places_of(lane), now + LONGEST_ASKED_WAIT, now)
            return True
        return due is not None and due <= now

    def _tick(self) -> int | None:
        """One look at everything; the exit code when the run is over."""
        self.recorder.flush()
        if self.fault is not None:
            return None if self.recorder.fault is None and self.dispatch.is_busy() else self._end_at_fault()
        now = time.monotonic()
        with self.dispatch.cond:
            for lane in self.dispatch.lanes.values():
                self.dispatch.decide(lane.flush() if self.stop else lane.tick(now))
            for lane in self._retired:
                self.dispatch.decide(lane.flush())
            if self._drain_until is not None and now >= self._drain_until:
                self.dispatch.cut_all()
                # A look-up or a connect cannot be cut: its attempt is left behind, cut off, for the next run.
                self._abandons = now >= self._drain_until + _CUT_SECONDS
            busy = self._is_busy()
        self.recorder.do(self._look_at_scope).wait()
        if busy or (self.preparing and self.stop is None):
            return None
        return self.recorder.do(self._end).wait()

    def _end(self, journal: Journal) -> int | None:
        """End the run if nothing is left in its scope: one transaction, so that no joiner is missed.

        The journal keeps the code of the whole run, for joiners; what comes back is that of the albums asked for.
        """
        scope = [
            album_id for album_id in runs.scope(journal, self.recording.run_id) if album_id in self.dispatch.albums
        ]
        if set(runs.scope(journal, self.recording.run_id)) - set(scope) and self.stop is None:
            self._look_at_scope(journal)
            return None
        unfinished = [album_id for album_id in scope if runs.is_unfinished(journal, album_id)]
        with self.dispatch.cond:
            if self._is_busy():
                return None
            if self.stop is None and any(self._has_work(journal, album_id) for album_id in unfinished):
                return None
            held = self.dispatch.last_held() if self.stop is None else []
            if not held:
                self.dispatch.no_more()  # under the lock: from here on no worker takes another task
        if held:
            for lane, one in held:
                self.recording.own(journal, lane, one)
            return None  # a still that waited for its clip may be among those that go now
        self._unhold_all(journal)
        if self.stop is None:
            for lane in self.dispatch.lanes.values():
                if lane.breaker.is_sick and lane.closing is None:
                    pauses.well(journal, lane.target.name)  # nothing is left to be sent there
        unfinished = [album_id for album_id in unfinished if runs.is_unfinished(journal, album_id)]
        if self.stop is not None and self.stop.hold:
            runs.hold(journal, unfinished, True)
        for album_id in unfinished:
            runs.touch(journal, album_id)
        runs.end(journal, self.recording.run_id, self._exit_code(journal, scope, unfinished), self.unbuilt)
        own = [album_id for album_id in scope if album_id in self._wanted]
        return self._exit_code(journal, own, [album_id for album_id in unfinished if album_id in self._wanted])

    def is_sending(self) -> bool:
        """Is anything being read, asked about or sent that an album will be owed soon?"""
        with self.dispatch.cond:
            reserved = any(lane.reserved and lane.closing is None for lane in self.dispatch.lanes.values())
            return self.preparing or bool(self.asking) or reserved or self.dispatch.is_busy()

    def _is_busy(self) -> bool:
        return not self._abandons and (self.dispatch.is_busy() or (bool(self.asking) and self.stop is None))

    def _has_work(self, journal: Journal, album_id: int) -> bool:
        """Can anything still be done for this album in this run?"""
        lane = self.dispatch.lanes.get(self.dispatch.albums[album_id].target)
        is_open = lane is not None and lane.closing is None
        if lane is None:
            return False
        away = self.dispatch.away
        roots = [root.id for root in runs.roots_of(journal, album_id)]
        for root_id in roots:
            first = journal.unprepared(album_id, root_id, 1)
            if first and root_id not in away and (is_open or first[0].spool):
                return True
            if is_open and framing.stale(journal, album_id, root_id, 1, copies=root_id in away):
                return True
        if not is_open:
            return False
        keeps = lane.target.keeps_albums and lane.albums_closing is None
        if keeps and (journal.owed_count(album_id, 1) or runs.owes_share(journal, album_id)):
            return True
        if journal.unasked_count(album_id, 1) or journal.unpaired(album_id, 1):
            return True
        # A photo that the server wants later than we have patience is for another run.
        soon = journal.clock() + max(lane.breaker.patience, LONGEST_WAIT)
        times = [journal.next_time(album_id, root_id, copies=root_id in away) for root_id in roots]
        return any(time is not None and time <= soon for time in times) or journal.next_doubt([album_id]) is not None

    def _exit_code(self, journal: Journal, scope: list[int], unfinished: list[int]) -> int:
        if unfinished:
            if self.stop is not None:
                return self.stop.exit_code
            codes = set()
            for album_id in unfinished:
                name = self.dispatch.albums[album_id].target
                lane = self.dispatch.lanes.get(name)
                closing = self.unbuilt.get(name) or ((lane.closing or lane.albums_closing) if lane else None)
                codes.add(closing.exit_code if closing else 75)
            return 1 if 1 in codes else 4 if 4 in codes else 75
        wanting = any(runs.is_wanting(journal, album_id) for album_id in scope)
        return 3 if wanting else 0

    def _end_at_fault(self) -> int:
        """Say in the journal that the run is over, if the journal still takes it."""
        code = self.fault.exit_code if self.fault is not None else 1
        if self.recorder.fault is None and self.recording.run_id:
            with contextlib.suppress(AlbumupError):
                self.recorder.do(lambda journal: runs.end(journal, self.recording.run_id, code)).wait()
        return code

    # Ending early.

    def fail(self, error: BaseException) -> None:
        """This machine or this program is at fault: nothing new starts, what is in flight is cut, free."""
        if not isinstance(error, AlbumupError):
            where = traceback.extract_tb(error.__traceback__)[-1:]
            place = f" ({os.path.basename(where[0].filename)}:{where[0].lineno})" if where else ""
            error = LocalError(
                f"a fault of albumup itself: {type(error).__name__}: {error}{place}",
                "everything unsent waits; go on with: albumup resume",
            )
        with self.dispatch.cond:
            self.fault = self.fault or error
            self.dispatch.cut_all()
            self.dispatch.no_more()

    def _journal_failed(self) -> None:
        self.fail(self.recorder.fault or LocalError("the journal failed"))

    def drain(self, stop: Stop, grace: float) -> Draining:
        """Start nothing new; let finish what will within ``grace`` seconds at its present rate, cut the rest."""
        now = time.monotonic()
        finishing, cutting = [], []
        with self.dispatch.cond:
            self.stop = self.stop or stop
            self._drain_until = now + grace
            for slot in self.dispatch.busy_slots():
                meter = slot.meter
                rate = meter.moved / max(now - meter.began, 1e-3)
                if meter.whole or (rate > 0 and (slot.size - meter.moved) / rate <= grace):
                    finishing.append(slot.name)
                else:
                    cutting.append((slot.name, meter.moved))
                    meter.cut = True
            self.dispatch.no_more()
        return Draining(tuple(finishing), tuple(cutting))

    def cut(self) -> None:
        """Cut all that is in flight."""
        with self.dispatch.cond:
            self._drain_until = time.monotonic()
            self.dispatch.cut_all()

    # For the screen.

    def progress(self) -> Progress:
        """A snapshot of the run."""
        now = time.monotonic()
        with self.dispatch.cond:
            uploads = tuple(
                Upload(slot.name, slot.size, min(slot.meter.moved, slot.size)) if slot.task_id else None
                for slot in self.dispatch.slots
            )
            pauses = tuple(
                Pause(name, lane.breaker.words, lane.sick_for(), lane.breaker.gives_up_at() - now)
                for name, lane in self.dispatch.lanes.items()
                if lane.breaker.is_sick and lane.closing is None
            )
        counts = self.recording.counts
        done, done_bytes = counts.done + counts.given_up, counts.done_bytes + counts.given_up_bytes
        return Progress(
            photos_done=counts.done,
            photos_total=max(done, counts.total),
            bytes_done=counts.done_bytes + sum(upload.moved for upload in uploads if upload),
            bytes_total=max(done_bytes, counts.total_bytes),
            is_complete=counts.unprepared == 0,
            spooled_bytes=counts.spooled_bytes,
            spool_total=counts.spooled_bytes + counts.spool_left,
            uploads=uploads,
            pauses=pauses,
        )
