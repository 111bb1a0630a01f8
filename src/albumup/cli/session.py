"""Upload or follow: what push, resume and retry-failed have in common once the work is in the journal."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from albumup.cli import events, words
from albumup.cli.app import App
from albumup.cli.conclusion import Conclusion
from albumup.cli.escaping import escape
from albumup.cli.figures import counted, size
from albumup.cli.layout import shortened
from albumup.cli.names import WIDEST, telling
from albumup.errors import AlbumupError, LocalError
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.lock import PATIENCE, FileLock, is_locked
from albumup.journal.opening import CorruptJournal, check_whole, paths_of
from albumup.session.aside import aside
from albumup.session.signals import GRACE, Handlers
from albumup.targets.base import Target
from albumup.targets.registry import build, rebuild
from albumup.uploader.events import Event, FramedAnew
from albumup.uploader.options import Draining, Options, Stop
from albumup.uploader.spooling import sweep

if TYPE_CHECKING:
    from albumup.uploader.beside import Beside
    from albumup.uploader.engine import Engine
    from albumup.uploader.events import Listener
    from albumup.uploader.world import World

_POLL = 0.1
_PROBE = 0.5
_LEAVING = 0.2
_CUT_SECONDS = 1.2
"""How long the engine may take to end once all is cut."""
_HANGS_SECONDS = 1.6
"""How long the session may take to leave once all is cut: more than ``_leave`` takes where only the engine hangs."""
_LAST_WORDS = 1.0
"""Seconds for the closing words, when the run ends by a signal."""


@dataclass(slots=True)
class Session:
    """One command's part in uploading."""

    conclusion: Conclusion
    """Whose albums are sent, and to whom it is told."""
    options: Options
    hands_over: bool = False
    """Where somebody is uploading already, leave the work to them and end at once."""
    is_told_anew: bool = False
    """The command has said that a target has other settings now."""
    app: App = field(init=False)
    journal: Journal = field(init=False)
    _signals: list[int] = field(default_factory=list)
    _leave_by: float = 0.0
    """By the monotonic clock: when a signal's grace ends."""
    _last_heard: float = field(default_factory=time.monotonic)
    """By the same clock: when we had not been told yet to leave at once."""
    _lock: FileLock = field(init=False)

    def __post_init__(self) -> None:
        self.app, self.journal = self.conclusion.app, self.conclusion.journal
        self._lock = FileLock(paths_of(self.journal.path)["lock"])

    @property
    def album_ids(self) -> list[int]:
        return self.conclusion.album_ids

    def run_if_needed(self) -> int:
        """``run``, unless there is nothing to send: then say so, and the exit code that the albums deserve."""
        if any(runs.is_unfinished(self.journal, album) for album in self.album_ids):
            return self.run()
        return aside(self._tidy_up)

    def _tidy_up(self) -> int:
        if self._take_lock(0.0):
            # Nobody is uploading, so whoever owed a notice died before delivering it.
            try:
                self.conclusion.deliver_old_notices()
                sweep(self.journal, self.options.spool_folder)
            finally:
                self._lock.release()
        return self.conclusion.nothing_to_send()

    def run(self) -> int:
        """Upload, or follow who does; the exit code."""
        self.conclusion.begin()
        with Handlers(self._signals):
            self.app.screen.never_wait()
            try:
                return aside(self._work, meanwhile=self._watch)
            finally:
                self._let_out()

    def _work(self) -> int:
        with contextlib.closing(self.journal):
            return self._send_or_follow()

    def _watch(self) -> None:
        """Leave where it is the session itself that hangs, on the journal's disk, and somebody wants us gone."""
        if len(self._signals) < 2:
            self._last_heard = time.monotonic()
        elif time.monotonic() > self._last_heard + _HANGS_SECONDS:
            os._exit(128 + self._signals[0])

    def _send_or_follow(self) -> int:
        while True:
            if self._take_lock():
                try:
                    return self._upload()
                finally:
                    self._lock.release()
            with self.journal.transaction():
                run = runs.join(self.journal, self.album_ids)
            if run is None:
                continue
            if self.hands_over:
                if self.app.screen.is_terminal:
                    self.app.screen.say(f"Process {run.pid} is uploading, and has these photos too: albumup status")
                return self.conclusion.handed_over()
            code = self._follow(run)
            if code is not None:
                return code

    def _let_out(self) -> None:
        """Wait for those who read what was said; when we were told to stop, no longer than that allows."""
        heard = len(self._signals)
        until = max(self._leave_by, time.monotonic() + _LAST_WORDS) if heard else None

        def gives_up() -> bool:
            return len(self._signals) > heard or (until is not None and time.monotonic() >= until)

        if not self.app.screen.wait_again(gives_up) or (self.conclusion.json and not self.app.events.wait(gives_up)):
            self.app.abandon()

    def _take_lock(self, patience: float = PATIENCE) -> bool:
        """The uploader's lock; runs that were killed are closed with it, so that nobody hands over to them."""
        if not self._lock.take(patience):
            return False
        try:
            with self.journal.transaction():
                runs.close_dead(self.journal)
        except BaseException:
            self._lock.release()
            raise
        return True

    # Uploading.

    def _upload(self) -> int:
        from albumup.uploader.beside import Beside
        from albumup.uploader.engine import Engine

        check_whole(self.journal.path, self.journal.connection)
        self.conclusion.deliver_old_notices()

        def make(listener: Listener, world: World) -> Engine:
            how = self.options, listener, world, self._rebuild
            return Engine(self.journal, self.album_ids, self._build, *how)

        beside = Beside(make)
        heard = 0
        while not beside.wait(_POLL):
            while heard < len(self._signals):
                self._stop(beside, self._signals[heard], again=heard > 0)
                heard += 1
            if heard > 1 and time.monotonic() > self._leave_by + _CUT_SECONDS:
                self._leave()
            self._hear(beside)
            if (shown := beside.shown) is not None and shown.albums:
                self.app.screen.show(shown.progress, words.title_of_all(shown.albums))
        self._hear(beside)
        self.app.screen.end_bars()
        end = beside.end
        if end is None:
            raise beside.fault or LocalError("the run ended without an end")
        if isinstance(end.fault, CorruptJournal):
            raise end.fault
        return self.conclusion.ended(end)

    def _hear(self, beside: Beside) -> None:
        """Tell what has happened since."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._listen(beside.events.get_nowait())

    def _leave(self) -> NoReturn:
        """Something hangs, and somebody wants us gone: leave it as a kill would, for the next run to settle."""
        screen = self.app.screen
        screen.end_bars()
        screen.say("Something does not let go (a disk?), and is left behind. Go on with: albumup resume")
        until = time.monotonic() + _LEAVING
        screen.wait_again(lambda: time.monotonic() > until)
        os._exit(128 + self._signals[0])

    def _build(self, name: str) -> Target:
        if name in self.conclusion.titles:  # somebody pushed to it after an edit of the config
            self.app.read_config_again()
        target = build(name, self.app.config, runs.target_definitions(self.journal))
        self.conclusion.titles[name] = target.title
        return target

    def _rebuild(self, definition: str, present: Target) -> Target | None:
        return rebuild(definition, present, self.app.config)

    def _stop(self, beside: Beside, number: int, *, again: bool) -> None:
        screen = self.app.screen
        if again:
            self._leave_by = time.monotonic()
            beside.cut()
            screen.say("Cutting all.")
            return
        self._leave_by = time.monotonic() + GRACE[signal.Signals(number)]
        stop = Stop(128 + number, hold=number == signal.SIGINT)
        draining = beside.drain(stop, GRACE[signal.Signals(number)])
        if draining is None:
            return
        if draining.finishing or draining.cutting:
            screen.say(_draining_words(draining, is_interrupt=number == signal.SIGINT))

    def _listen(self, event: Event) -> None:
        if self.conclusion.json:
            self.app.tell(events.event_json(event))
        if self.conclusion.is_cron or (self.is_told_anew and isinstance(event, FramedAnew)):
            return
        name = event.target or ""
        line = events.event_line(event, self.conclusion.names, self.conclusion.titles.get(name, name))
        if line:
            self.app.screen.say(line)

    # Following.

    def _follow(self, run: runs.Run) -> int | None:
        """Show the albums' totals from the journal until they are settled; None if we must send ourselves."""
        screen, journal = self.app.screen, self.journal
        screen.say(f"Process {run.pid} is uploading; these photos were added to its work. Ctrl-C leaves it at that.")
        differing = [
            f"--{name.replace('_', '-')}"
            for name in self.options.typed
            if name in run.options and run.options[name] != self.options.shown[name]
        ]
        if differing:
            screen.say(f"Its own options stay in force; ignored here: {', '.join(differing)}")
        follower = events.Follower(journal, self.album_ids, self.conclusion.before)
        probed = 0.0
        found = run
        while True:
            if self._signals:
                screen.end_bars()
                code = 128 + self._signals[0]
                left = f"Left. Process {run.pid} goes on; stop it with: kill -INT {run.pid}"
                screen.say(words.ended(left, code))
                return code
            now = time.monotonic()
            unfinished = [album for album in self.album_ids if runs.is_unfinished(journal, album)]
            if not unfinished:
                break
            if now - probed >= _PROBE:
                probed = now
                found = runs.run_of(journal, run.id)
                if found.ended is not None:
                    break
                if not is_locked(paths_of(journal.path)["lock"]):
                    screen.end_bars()
                    return None
            screen.show(follower.progress(), follower.title())
            time.sleep(_POLL)
        screen.end_bars()
        if unfinished and (found.exit in (None, 0, 1, 3) or self._can_build(found, unfinished)):
            return None
        return self.conclusion.followed(found.exit or 0 if unfinished else None)

    def _can_build(self, run: runs.Run, album_ids: Sequence[int]) -> bool:
        """Could the uploader not build a target that we can: one whose token only this shell has?"""
        known = {album.id: album for album in runs.albums(self.journal)}
        wanted = {known[album].target for album in album_ids if album in known} & set(run.unbuilt)
        try:
            for name in wanted:
                self._build(name).close()
        except AlbumupError:
            return False
        return bool(wanted)


def _draining_words(draining: Draining, *, is_interrupt: bool) -> str:
    """What finishes, and what is cut and how much of it went for nothing."""
    finishing, cutting = len(draining.finishing), [name for name, _ in draining.cutting]
    words = f"Finishing {counted(finishing, 'upload')}" if finishing else ""
    if cutting:
        again_bytes = sum(count for _, count in draining.cutting)
        what = ", ".join(shortened(escape(telling(name, cutting)), WIDEST) for name in cutting[:3])
        again = f": {size(again_bytes)} to send again" if again_bytes else ""
        cut = f", cutting {len(cutting)}" if finishing else f"Cutting {counted(len(cutting), 'upload')}"
        words += f"{cut} ({what}{again})"
    if not is_interrupt:
        return f"{words}."
    return f"{words}. Ctrl-C again {'cuts all' if finishing else 'leaves at once'}."
