"""Upload or follow: what push, resume and retry-failed have in common once the work is in the journal."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from albumup.cli import closing, cron, events, words
from albumup.cli.app import App
from albumup.cli.closing import Ending
from albumup.cli.figures import counted
from albumup.cli.layout import shortened
from albumup.cli.names import WIDEST, Names, telling
from albumup.cli.reasons import kind_of
from albumup.cli.screen import escape, size
from albumup.cli.signals import GRACE, Handlers
from albumup.errors import AlbumupError
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.lock import PATIENCE, FileLock, is_locked
from albumup.journal.opening import CorruptJournal, check_whole, paths_of
from albumup.journal.reading import statuses
from albumup.journal.rows import Album
from albumup.journal.states import DONE
from albumup.targets.base import Target
from albumup.targets.building import build, rebuild
from albumup.uploader.spooling import sweep
from albumup.uploader.terms import Options, RunEnd, Stop

if TYPE_CHECKING:
    from albumup.uploader.engine import Engine

_POLL = 0.1
_PROBE = 0.5
_LAST_WORDS = 1.0
"""Seconds for the closing words, when the run ends by a signal."""


@dataclass(slots=True)
class Session:
    """One command's part in uploading."""

    app: App
    journal: Journal
    albums: dict[int, str]
    """The albums that are meant: their names by id."""
    options: Options
    json: bool = False
    before: dict[int, int] = field(default_factory=dict)
    """Photos of each album that were on the server before this command."""
    is_cron: bool = False
    """Tell only what changed since it was last told: nobody looks."""
    has_rounds: bool = False
    """The rounds of cron are what this is about, though somebody may look."""
    hands_over: bool = False
    """Where somebody is uploading already, leave the work to them and end at once."""
    rounds: int = 5
    shortcomings: list[str] = field(default_factory=list)
    """What the command met before that makes it end with 3 at best: said with the closing words."""
    lost: int = 0
    """Photos that were sent before, and are gone from their server."""
    is_told_anew: bool = False
    """The command has said that a target is set up otherwise now."""
    names: Names = field(init=False)
    """What photos are called."""
    _signals: list[int] = field(default_factory=list)
    _leave_by: float = 0.0
    """By the monotonic clock: when a signal's grace ends."""
    _unfinished: set[int] = field(default_factory=set)
    """Albums that had something left to do when this began."""
    _titles: dict[str, str] = field(default_factory=dict)
    """What screens call the targets of this run."""
    _lock: FileLock = field(init=False)

    def __post_init__(self) -> None:
        self._lock = FileLock(paths_of(self.journal.path)["lock"])
        self.names = Names(self.journal, lambda: self.album_ids)

    @property
    def album_ids(self) -> list[int]:
        return list(self.albums)

    def run_if_needed(self) -> int:
        """``run``, unless there is nothing to send: then say so, and the exit code that the albums deserve."""
        if any(runs.is_unfinished(self.journal, album) for album in self.album_ids):
            return self.run()
        code = self._code(settled_code(self.journal, self.album_ids))
        if self._take_lock(0.0):
            # Nobody is uploading, so whoever owed a notice died before delivering it.
            try:
                self._deliver_old_notices()
                sweep(self.journal, self.options.spool_folder)
            finally:
                self._lock.release()
        if not self.is_cron:
            self._conclude([self._settled(album) for album in self._albums()], code)
        self.put_summary(code, self._albums())
        return code

    def _settled(self, album: Album) -> Ending:
        path = self.app.journal
        return self._with_rounds(closing.settled(self.journal, album, path, self.names, self.lost), album)

    def _code(self, code: int) -> int:
        """The exit code of a run that itself ends with ``code``."""
        return 3 if code == 0 and self.shortcomings else code

    def _conclude(self, endings: Sequence[Ending], code: int, said: Sequence[str] = ()) -> None:
        """The closing words, what was ``said`` first, and the exit code at the end of the last line."""
        if not self.is_cron:
            self._say_forgotten()
        lines = [(line, False) for line in [*said, *self.shortcomings]]
        lines += closing.composed(endings, self.names)
        for line, is_well in closing.with_code(lines, code):
            self.app.screen.say(line) if is_well else self.app.screen.complain(line)

    def _albums(self) -> list[Album]:
        """The albums that are meant, as they are now: without those that were forgotten meanwhile."""
        return [album for album in runs.albums(self.journal) if album.id in self.album_ids]

    def _say_forgotten(self) -> None:
        there = {album.id for album in self._albums()}
        for album_id, name in self.albums.items():
            if album_id not in there:
                self.app.screen.say(words.forgotten(name))

    def run(self) -> int:
        """Upload, or follow who does; the exit code."""
        if not self.before:
            self.before = {album: runs.tally(self.journal, album).count(*DONE) for album in self.album_ids}
        self._unfinished = {album for album in self.album_ids if runs.is_unfinished(self.journal, album)}
        with Handlers(self._signals):
            self.app.screen.never_wait()
            try:
                with contextlib.closing(self.journal):
                    return self._send_or_follow()
            finally:
                self._let_out()

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
                self.put_summary(0, self._albums())
                return 0
            code = self._follow(run)
            if code is not None:
                return code

    def _let_out(self) -> None:
        """Wait for those who read what was said; when we were told to stop, no longer than that allows."""
        heard = len(self._signals)
        until = max(self._leave_by, time.monotonic() + _LAST_WORDS) if heard else None

        def gives_up() -> bool:
            return len(self._signals) > heard or (until is not None and time.monotonic() >= until)

        if not self.app.screen.wait_again(gives_up) or (self.json and not self.app.events.wait(gives_up)):
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
        from albumup.uploader.engine import Engine

        check_whole(self.journal.path, self.journal.connection)
        self._deliver_old_notices()
        engine = Engine(self.journal, self.album_ids, self._build, self.options, self._listen, rebuild=self._rebuild)
        ends: list[RunEnd] = []
        thread = threading.Thread(target=lambda: ends.append(engine.run()), name="engine", daemon=True)
        thread.start()
        heard = 0
        while thread.is_alive():
            thread.join(_POLL)
            while heard < len(self._signals):
                self._stop(engine, self._signals[heard], again=heard > 0)
                heard += 1
            if thread.is_alive() and engine.dispatch.albums:
                self.app.screen.show(engine.progress(), self._title(engine))
        self.app.screen.end_bars()
        if not ends:
            return 1
        end = ends[0]
        if isinstance(end.fault, CorruptJournal):
            raise end.fault
        return self._close(end)

    def _build(self, name: str) -> Target:
        if name in self._titles:  # somebody pushed to it after an edit of the config
            self.app.read_config_again()
        target = build(name, self.app.config, runs.target_definitions(self.journal))
        self._titles[name] = target.title
        return target

    def _rebuild(self, definition: str, present: Target) -> Target | None:
        return rebuild(definition, present, self.app.config)

    def _title(self, engine: Engine) -> str:
        names = {album.name for album in list(engine.dispatch.albums.values())}
        return words.shown_name(names.pop()) if len(names) == 1 else f"{len(names)} albums"

    def _stop(self, engine: Engine, number: int, *, again: bool) -> None:
        screen = self.app.screen
        if again:
            self._leave_by = time.monotonic()
            engine.cut()
            screen.say("Cutting all.")
            return
        self._leave_by = time.monotonic() + GRACE[signal.Signals(number)]
        draining = engine.drain(Stop(128 + number, hold=number == signal.SIGINT), GRACE[signal.Signals(number)])
        if draining.finishing or draining.cutting:
            again_bytes = sum(count for _, count in draining.cutting)
            cutting = [name for name, _ in draining.cutting]
            what = ", ".join(shortened(escape(telling(name, cutting)), WIDEST) for name in cutting[:3])
            cut = f", cutting {len(draining.cutting)} ({what}: {size(again_bytes)} to send again)" if what else ""
            count = len(draining.finishing)
            again_words = " Ctrl-C again cuts all." if number == signal.SIGINT else ""
            screen.say(f"Finishing {counted(count, 'upload')}{cut}.{again_words}")

    def _listen(self, event: dict[str, Any]) -> None:
        if self.json:
            self.app.tell(events.event_json(event))
        name = event.get("target") or ""
        if self.is_cron or (self.is_told_anew and event["event"] == "framed_anew"):
            return
        line = events.event_line({**event, "target": self._titles.get(name, name)}, self.names)
        if line:
            self.app.screen.say(line)

    def _close(self, end: RunEnd) -> int:
        """The closing words, and with them the notices that are owed; the exit code."""
        journal = self.journal
        known = {album.id: album for album in runs.albums(journal)}
        code = self._code(end.exit_code)
        if end.fault is not None:
            said = [f"albumup: {end.fault}", *([end.fault.hint] if end.fault.hint else [])]
            if self._is_worth_telling("fault", str(end.fault)):
                self._conclude([], code, said)
        else:
            said = self._held_up(end)
            busy = [one for one in end.before if one in known and self._has_news(one, end.before[one][0])]
            told = [known[album_id] for album_id in busy or list(end.before)[:1] if album_id in known]
            self._conclude([ending for album in told if (ending := self._sum_up(album, end))], code, said)
            if self.has_rounds:
                self._forget_told({known[one].target for one in end.before if one in known} - set(end.closings))
            notices = [notice.id for notice in runs.owed(journal)]
            if notices:
                with journal.transaction():
                    runs.delivered(journal, notices)
        self.put_summary(code, [known[one] for one in end.before if one in known])
        return code

    def _held_up(self, end: RunEnd) -> list[str]:
        """What kept a run from sending all."""
        said = []
        for name, reason in end.closings.items():
            if self._is_worth_telling(f"target {name}", kind_of(reason.words)):
                said += events.closed(self._titles.get(name, name), reason)
        for path, why in end.away.items():
            if self._is_worth_telling(f"root {os.fsdecode(path)!a}", why):
                said += events.away(self.journal, path, why)
        return said

    def _has_news(self, album_id: int, before: int) -> bool:
        """Was anything sent, or is anything left to say of this album?"""
        tally = runs.tally(self.journal, album_id)
        sent = tally.count(*DONE) - before
        return bool(
            sent
            or album_id in self._unfinished
            or runs.is_unfinished(self.journal, album_id)
            or runs.is_wanting(self.journal, album_id)
        )

    def _sum_up(self, album: Album, end: RunEnd) -> Ending | None:
        """What is said of an album; None if that is no news for cron."""
        before = self.before.get(album.id, end.before[album.id][0])
        if not self._is_worth_telling(f"album {album.id}", cron.fingerprint(self.journal, album)):
            return None
        if self.is_cron:
            return cron.cron_summary(self.journal, album, before, self.rounds)
        local = words.local_folder(self.journal, album, album.target in self.app.config.targets)
        return self._with_rounds(closing.summary(self.journal, album, before, end, self.names, local), album)

    def _with_rounds(self, ending: Ending, album: Album) -> Ending:
        if not self.has_rounds:
            return ending
        return replace(ending, summary=ending.summary + cron.due(self.journal, album, self.rounds))

    def _is_worth_telling(self, what: str, told: str) -> bool:
        """Always to somebody who looks; to cron, if it is other than what was last told of it."""
        if not self.has_rounds:
            return True
        with self.journal.transaction():
            is_news = runs.tell(self.journal, what, told)
        return is_news or not self.is_cron

    def _forget_told(self, targets: set[str]) -> None:
        """These are well: should they fail again, that is news."""
        with self.journal.transaction():
            runs.tell(self.journal, "fault", "")
            for name in targets:
                runs.tell(self.journal, f"target {name}", "")

    def put_summary(self, code: int, albums: Sequence[Album]) -> None:
        if self.json:
            wanted = {(album.name, album.target) for album in albums}
            found = [one for one in statuses(self.journal.connection) if (one["album"], one["target"]) in wanted]
            self.app.tell(events.summary_event(code, found))

    def _deliver_old_notices(self) -> None:
        """Notices that a process owed when it died: told now, once."""
        owed = runs.owed(self.journal)
        if not owed:
            return
        known = {album.id: album for album in runs.albums(self.journal)}
        for notice in owed:
            if notice.album_id in known:
                line = closing.late_notice(self.journal, known[notice.album_id], notice.created)
                if settled_code(self.journal, [notice.album_id]):
                    self.app.screen.complain(line)
                else:
                    self.app.screen.say(line)
        with self.journal.transaction():
            runs.delivered(self.journal, [notice.id for notice in owed])

    # Following.

    def _follow(self, run: runs.Run) -> int | None:
        """Show the albums' totals from the journal until they are settled; None if we must send ourselves."""
        screen, journal = self.app.screen, self.journal
        screen.say(f"Process {run.pid} is uploading; these photos were added to its work. Ctrl-C leaves it at that.")
        differing = [
            f"--{name.replace('_', '-')}"
            for name, value in self.options.shown.items()
            if name in run.options and run.options[name] != value
        ]
        if differing:
            screen.say(f"Its own options stay in force; ignored here: {', '.join(differing)}")
        follower = events.Follower(journal, self.album_ids, self.before)
        probed = 0.0
        found = run
        while True:
            if self._signals:
                screen.end_bars()
                code = 128 + self._signals[0]
                screen.say(f"Left. Process {run.pid} goes on; stop it with: kill -INT {run.pid}    (exit {code})")
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
        code = found.exit or 0 if unfinished else settled_code(journal, self.album_ids)
        code = self._code(code)
        self._conclude([closing.followed(journal, one, self.before.get(one.id, 0)) for one in self._albums()], code)
        self.put_summary(code, self._albums())
        return code

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


def settled_code(journal: Journal, album_ids: Sequence[int]) -> int:
    """The exit code that albums with nothing to send deserve."""
    return 3 if any(runs.is_wanting(journal, album) for album in album_ids) else 0
