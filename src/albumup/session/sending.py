"""Uploads, or follows another process that does: what push, resume and retry-failed share."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NoReturn

from albumup.errors import AlbumupError, LocalError, TryLater
from albumup.journal import notices, runs
from albumup.journal.journal import Journal
from albumup.journal.lock import PATIENCE, FileLock
from albumup.journal.opening import CorruptJournal, check_whole, paths_of
from albumup.processes import is_alive
from albumup.session.aside import aside
from albumup.session.builder import Builder
from albumup.session.changing import Change, ask, ignored, wait_until_seen
from albumup.session.following import Follower
from albumup.session.guarding import is_alone
from albumup.session.in_line import is_another_in_line
from albumup.session.inheriting import inherit
from albumup.session.live import Live
from albumup.session.notifying import Fault, Notifying
from albumup.session.pinging import Pinging, ping_urls, pings
from albumup.session.signals import GRACE, Handlers, grace_over
from albumup.session.telling import (
    Audience,
    Configs,
    Cutting,
    HandedOver,
    Hanging,
    Inherited,
    JournalGone,
    LockTaken,
    Standing,
    Stopping,
    TokenAwaited,
    Warned,
    standing,
)
from albumup.uploader.events import NoticeOwed
from albumup.uploader.options import Options, RunEnd, Stop
from albumup.uploader.spooling import sweep

if TYPE_CHECKING:
    from albumup.uploader.engine import Engine
    from albumup.uploader.engine_thread import EngineThread
    from albumup.uploader.events import Listener
    from albumup.uploader.world import World

_POLL = 0.1
_PLACE_SECONDS = 1.0
_LEAVING = 0.2
_CUT_SECONDS = 1.2
"""The most seconds for the engine's end after all uploads were cut."""
_HANGS_SECONDS = 1.6
"""The most seconds for the session's end after all uploads were cut: more than ``_leave`` takes if
the engine hangs."""
_MOST_DOUBTS = 5
"""Looks at a run whose process is not there, a second each. It may belong to another container."""
_LAST_WORDS = 1.0
"""Seconds for the closing words of a run that a signal ends."""


@dataclass(slots=True)
class Session:
    """One command's part in uploading."""

    journal: Journal
    album_ids: list[int]
    """The albums to send."""
    options: Options
    configs: Configs
    audience: Audience
    hands_over: bool = False
    """If an uploader runs already, leave the work to it. End at once, unless this process is in the
    background and that is not: then go on when it ends early."""
    schedule: str = ""
    """The name of the schedule that runs this command; "" if none does."""
    _before: Standing = field(init=False)
    _builder: Builder = field(init=False)
    _signals: list[int] = field(default_factory=list)
    _leave_by: float = 0.0
    """The end of a signal's grace, by the monotonic clock."""
    _last_free: float = field(default_factory=time.monotonic)
    """The last time, by the same clock, at which no second signal had come."""
    _place_at: float = 0.0
    """When to look next whether the journal is in its place, by the same clock."""
    _lock: FileLock = field(init=False)
    _live: Live | None = None
    """What others see of this process's run."""
    _notifying: Notifying = field(init=False)
    _run_end: RunEnd | None = None
    """The end of this process's run."""

    def __post_init__(self) -> None:
        self._lock = FileLock(paths_of(self.journal.path)["lock"])
        self._builder = Builder(self.journal.path, self.configs, self._name_target)
        self._notifying = Notifying(
            lambda: self.configs.config, self._warn, completed=self.configs.completed_elsewhere
        )

    def run_if_needed(self) -> int:
        """Call ``run``, or say that there is nothing to send; return the exit code."""
        if any(runs.is_unfinished(self.journal, album) for album in self.album_ids):
            return self.run()
        return aside(self._tidy_up)

    def _tidy_up(self) -> int:
        has_lock = self._take_lock(0.0)
        if has_lock:
            try:
                sweep(self.journal, self.options.spool_folder)
            finally:
                self._lock.release()
        code = self.audience.nothing_to_send()
        if has_lock:  # else the uploader does both
            with self._pings() as pinging:
                pinging.end(code)
                self._notifying.finish(self.journal, (), self._may_leave())
        return code

    def run(self) -> int:
        """Upload, or follow the process that does; return the exit code."""
        self._before = standing(self.journal, self.album_ids)
        self.audience.begin(self._before)
        with Handlers(self._signals, self.audience.report):
            try:
                return aside(self._work, meanwhile=self._watch)
            finally:
                self._let_out()

    def _work(self) -> int:
        with contextlib.closing(self.journal):
            try:
                return self._send_or_follow()
            except LocalError as fault:
                self._deliver(fault)
                raise

    def _watch(self) -> None:
        """Leave if the session itself hangs, as on the journal's disk, after a second signal."""
        if len(self._signals) < 2:
            self._last_free = time.monotonic()
        elif time.monotonic() > self._last_free + _HANGS_SECONDS:
            os._exit(128 + self._signals[0])

    def _send_or_follow(self) -> int:
        doubts = 0
        while True:
            if self._take_lock():
                with self._pings() as pinging:
                    pinging.begin()
                    sent = 1
                    try:
                        sent = self._upload()
                    finally:
                        self._lock.release()
                        only_waits = self._run_end is not None and self._run_end.only_waits
                        pinging.end(0 if only_waits else sent)
                    self._deliver(None if self._run_end is None else self._run_end.fault)
                return sent
            with self.journal.transaction():
                run = runs.join(self.journal, self.album_ids)
                change = self._ask(run)
                inherits = run is not None and self._inherits(run)
                ends = run is not None and is_another_in_line(self.journal, self.schedule, run)
            if run is None:
                continue
            if not is_alive(run.pid) and doubts < _MOST_DOUBTS:
                doubts += 1  # whoever holds the lock is about to end the run of one that was killed
                continue
            if self.hands_over:
                code = self._hand_over(run, change, inherits=inherits)
                if code is None:
                    continue
                return code
            if ends:
                return self.audience.handed_over()
            code = self._follower().follow(run, change)
            if code is not None:
                self._note_told()
                return code

    def _hand_over(self, run: runs.Run, change: Change | None, *, inherits: bool) -> int | None:
        """Leave the albums to the run that is on; the exit code, or None if this process has
        inherited them."""
        changed = None
        if change is not None and wait_until_seen(self.journal, change):
            changed = change.value
        how = changed, ignored(run, self.options), inherits
        self.audience.say(HandedOver(run.pid, *how))
        code = self.audience.handed_over()
        if not inherits:
            return code
        end = inherit(self.journal, run, self.album_ids, self._signals)
        if end is None:
            self.audience.say(Inherited(run.pid))
        return end

    def _inherits(self, run: runs.Run) -> bool:
        """Is this process to go on when the run ends early? If so, this is noted."""
        if run.is_detached or not self.options.is_detached:
            return False
        runs.note_heir(self.journal, run.id, self.album_ids)
        return True

    def _ask(self, run: runs.Run | None) -> Change | None:
        """Have the run that is on take over what was typed. Cron's command changes nothing."""
        if run is None or not self.options.spends_again:
            return None
        return ask(self.journal, run, self.options)

    def _follower(self) -> Follower:
        who = self.journal, self.album_ids, self._before.sent
        return Follower(*who, self.options, self.audience, self._signals, self._builder.build)

    def _let_out(self) -> None:
        """Wait until the readers have read the output; after a signal, no longer than its grace."""
        self.audience.let_out(self._may_leave())

    def _may_leave(self) -> Callable[[], bool]:
        """Is it time to leave, whatever hangs? After another signal, or at the end of the grace of
        one before."""
        heard = len(self._signals)
        until = max(self._leave_by, time.monotonic() + _LAST_WORDS) if heard else None

        def may_leave() -> bool:
            return len(self._signals) > heard or (until is not None and time.monotonic() >= until)

        return may_leave

    # Notices and pings.

    def _deliver(self, fault: AlbumupError | None) -> None:
        """Deliver the notices that are owed; the uploader's lock is free again."""
        # A shutdown gives a channel that is at work the time that it gives to uploads.
        gives_up = self._may_leave() if self._signals else grace_over(self._signals)
        told = self.audience.told(self._may_leave())
        is_owed = fault is not None and not (self.options.is_watched or self._signals)
        why = Fault(fault, self.album_ids, self._run_end) if fault is not None and is_owed else None
        self._notifying.finish(self.journal, told, gives_up, why)

    def _note_told(self) -> None:
        """The closing words about another process count as the notices of their albums."""
        if told := self.audience.told(self._may_leave()):
            with self.journal.transaction():
                how = self.journal.connection, self.journal.clock(), told
                notices.said_of_albums(*how, of_another=True)

    def _pings(self) -> AbstractContextManager[Pinging]:
        targets = {one.target for one in runs.albums(self.journal) if one.id in self.album_ids}
        urls = ping_urls(self.configs.config, targets)
        return pings(urls, self._warn, self._may_leave)

    def _warn(self, words: str) -> None:
        self.audience.say(Warned(words))

    def _take_lock(self, patience: float = PATIENCE) -> bool:
        """Take the uploader's lock, and end killed runs, so that nobody hands over to them."""
        if not self._lock.take(patience):
            return False
        try:
            if not is_alone(self.journal, self._lock):
                return False
            with self.journal.transaction():
                runs.close_dead(self.journal)
        except BaseException:
            self._lock.release()
            raise
        return True

    # Uploading.

    def _upload(self) -> int:
        from albumup.uploader.engine import Engine
        from albumup.uploader.engine_thread import EngineThread

        check_whole(self.journal.path, self.journal.connection)

        def make(listener: Listener, world: World) -> Engine:
            options = replace(self.options, tell_after=self._notifying.tell_after)
            how = options, listener, world, self._builder.rebuild
            return Engine(self.journal, self.album_ids, self._builder.build, *how)

        live = self._live = Live(paths_of(self.journal.path)["live"])
        thread = EngineThread(make)
        heard = 0
        has_begun = is_gone = False
        while not thread.wait(_POLL):
            if not is_gone and self._is_time_to_look():
                is_gone = not self._are_in_place(thread)
            if thread.has_begun and not has_begun:
                has_begun = True
                self.audience.begun()
            heard = self._heed(thread, heard)
            for name in self._builder.slow():
                self.audience.say(TokenAwaited(name))
            self._hear(thread, live)
            self._notifying.turn(thread.change)
            if (shown := thread.shown) is not None and shown.albums:
                self.audience.show(shown.progress, shown.albums)
                live.show(shown)
        self._hear(thread, live)
        self.audience.end_show()
        end = thread.end
        live.end(thread.shown, end)
        self._run_end = end
        if is_gone and not self.journal.is_in_place():
            self.journal.make_whole()
        if end is None:
            raise thread.fault or LocalError("the run ended without an end")
        if isinstance(end.fault, CorruptJournal):
            raise end.fault
        return self.audience.ended(end)

    def _is_time_to_look(self) -> bool:
        """Has a second passed since the last look at the journal's place?"""
        now = time.monotonic()
        is_time = now >= self._place_at
        if is_time:
            self._place_at = now + _PLACE_SECONDS
        return is_time

    def _are_in_place(self, thread: EngineThread) -> bool:
        """Are the journal and its lock in their places? If not, end the run: no other command would
        read what it records, or another process uploads, too."""
        if not self.journal.is_in_place():
            self.audience.say(JournalGone(self.journal.path))
            gone = Stop(LocalError.exit_code, hold=False, why=_gone(self.journal.path))
            thread.drain(gone, GRACE[signal.SIGTERM])
            return False
        if not self._lock.keep():
            self.audience.say(LockTaken(self._lock.path))
            thread.drain(Stop(TryLater.exit_code, hold=False), 0.0)
            return False
        return True

    def _hear(self, thread: EngineThread, live: Live) -> None:
        """Pass the engine's new events on to the audience, and to others."""
        with contextlib.suppress(queue.Empty):
            while True:
                event = thread.events.get_nowait()
                if isinstance(event, NoticeOwed):
                    self._notifying.owed()
                    continue
                self.audience.hear(event)
                live.hear(event)

    def _leave(self) -> NoReturn:
        """End the process although something hangs, like a kill; the next run settles the rest."""
        self.audience.end_show()
        self.audience.say(Hanging())
        until = time.monotonic() + _LEAVING
        self.audience.let_out(lambda: time.monotonic() > until)
        os._exit(128 + self._signals[0])

    def _name_target(self, name: str, title: str) -> None:
        self.audience.name_target(name, title)
        if self._live is not None:
            self._live.name_target(name, title)

    def _heed(self, thread: EngineThread, heard: int) -> int:
        """Act on the signals after the first ``heard`` ones; return the number of all signals."""
        for number in self._signals[heard:]:
            self._stop(thread, number, again=heard > 0)
            heard += 1
        if heard > 1 and time.monotonic() > self._leave_by + _CUT_SECONDS:
            self._leave()
        return heard

    def _stop(self, thread: EngineThread, number: int, *, again: bool) -> None:
        self.audience.heard(number)
        if again:
            self._leave_by = time.monotonic()
            thread.cut()
            self.audience.say(Cutting())
            return
        self._leave_by = time.monotonic() + GRACE[signal.Signals(number)]
        stop = Stop(128 + number, hold=number == signal.SIGINT)
        draining = thread.drain(stop, GRACE[signal.Signals(number)])
        if draining is None:
            return
        if draining.finishing or draining.cutting:
            self.audience.say(Stopping(draining, is_interrupt=number == signal.SIGINT))


def _gone(path: str) -> LocalError:
    """The reason for an end, for a notice in a journal that is brought back."""
    how = f"while process {os.getpid()} uploaded from it, which ended therefore"
    return LocalError(f"{path} was moved or deleted {how}", "once it is back: albumup resume")
