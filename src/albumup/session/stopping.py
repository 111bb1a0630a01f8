"""Stops albums: puts them on hold, and waits until the uploader has let go of them.

No process gets a signal, because its id may belong to another program by now.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from msgspec import Struct

from albumup.errors import TryLater
from albumup.journal import flight, instructions, runs
from albumup.journal.flight import Upload
from albumup.journal.instructions import Kind
from albumup.journal.journal import Journal
from albumup.journal.lock import is_locked
from albumup.journal.opening import paths_of
from albumup.journal.rows import Album
from albumup.journal.summary import RunSummary, run_summary_of, summary_of
from albumup.session.snapshot import Reader

_POLL = 0.1
_PATIENCE = 1.0
"""Seconds after which the user is told of the wait."""
_LOOK = 2.0
"""Seconds between two looks at uploads in flight, which take time in a large journal."""
_ANSWER_SECONDS = 60.0
"""The longest wait for an uploader that does not take an instruction over."""
_END_SECONDS = 10.0
"""The longest wait for the end of an uploader without albums."""


class Fate(Enum):
    """The fate of an album that was to stop."""

    STOPPED = "stopped"
    """An uploader was at work on the album, and has let go of it."""
    WAITS = "waits"
    """No uploader was at work on the album; it was put on hold."""
    WAITED = "waited"
    """The album was on hold before."""
    FINISHED = "finished"
    """The uploads in flight were all that was left of the album."""
    SETTLED = "settled"
    """Nothing of the album was left to stop."""
    RESUMED = "resumed"
    """Another command has handed the album over again meanwhile."""


class Stopped(Struct, frozen=True):
    """An album's fate, its sums since the run began, and its uploads that were cut."""

    fate: Fate
    found: RunSummary
    cut: Sequence[Upload] = ()


class Stops(Struct, frozen=True):
    """The result of ``stop``.

    ``pid``: the uploader's process, None if there is none; it ``goes_on`` with these albums.
    """

    albums: Sequence[Stopped]
    pid: int | None = None
    goes_on: Sequence[str] = ()


def lift_holds(journal: Journal, albums: Sequence[Album]) -> list[Album]:
    """Lift the holds of albums; return the albums that are not settled."""
    with journal.transaction():
        runs.hold(journal, [album.id for album in albums], False)
    return [album for album in albums if runs.is_unfinished(journal, album.id)]


class Finishing(Struct, frozen=True):
    """The uploader takes the time to finish these uploads.

    ``seconds``: the time that this takes at the present rate; None if it is unknown.
    """

    uploads: Sequence[Upload]
    seconds: float | None = None


class Unheard(Struct, frozen=True):
    """Process ``pid`` has not taken the instruction over yet."""

    pid: int


class Leaving(Struct, frozen=True):
    """A signal ended the wait for process ``pid``. ``code``: the exit code."""

    pid: int
    code: int


Told = Finishing | Unheard | Leaving


class Left(Exception):
    """A signal came during the wait for the uploader. ``code``: the exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Order(Struct, frozen=True):
    """An order to stop albums, as journaled. ``run``: the run that is on, if any."""

    unfinished: frozenset[int]
    """The ids of the albums that were put on hold."""
    run: runs.Run | None
    ids: Sequence[int]
    """The ids of the instructions."""
    albums: frozenset[int]
    """The ids of the albums that are to leave the run's scope."""
    at: float
    """The time of the instructions, in Unix seconds."""


def order(journal: Journal, albums: Sequence[Album], *, is_now: bool = False) -> Order:
    """Put albums on hold, and tell the run that is on to let go of them, in one transaction.

    ``is_now``: the run cuts the uploads in flight.
    """
    with journal.transaction():
        unfinished = frozenset(one.id for one in albums if runs.is_unfinished(journal, one.id))
        runs.hold(journal, unfinished, True)
        run = runs.running(journal)
        if run is None:
            return Order(unfinished, None, (), frozenset(), journal.clock())
        meant = unfinished.intersection(runs.scope(journal, run.id))
        kind = Kind.STOP_NOW if is_now else Kind.STOP
        ids = instructions.give(journal, run.id, kind, sorted(meant))
        return Order(unfinished, run, ids, meant, journal.clock())


@dataclass(slots=True)
class Stopping:
    """One ``albumup stop``. ``is_now``: cut uploads in flight. ``signals``: those that came."""

    journal: Journal
    albums: Sequence[Album]
    is_now: bool
    tell: Callable[[Told], None]
    signals: Sequence[int] = ()
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _told: set[Sequence[Upload]] = field(default_factory=set)
    """The uploads of each message about the wait; () for the wait for an answer."""
    _say_at: float = 0.0
    """The time of the next message about the wait, by ``clock``."""

    def stop(self) -> Stops:
        """Put the albums on hold, and wait until no uploader is at work on them.

        Raises Left if a signal ends the wait, TryLater if the uploader does not answer. Even then
        the albums are on hold, and a living uploader lets go of them.
        """
        given = order(self.journal, self.albums, is_now=self.is_now)
        run = given.run if self._is_locked() else None  # a dead run has let go already
        if run is not None:
            self._wait(given, run)
        return self._came_out(given, run)

    def _is_locked(self) -> bool:
        return is_locked(paths_of(self.journal.path)["lock"])

    def _is_on(self, run: runs.Run) -> bool:
        return self._is_locked() and runs.run_of(self.journal, run.id).ended is None

    # Waiting.

    def _wait(self, given: Order, run: runs.Run) -> None:
        """Wait until the run has let go of the albums, or has ended. Raises Left, TryLater."""
        began = self.clock()
        while self._is_on(run):
            lasted = self.clock() - began
            if not self._has(given, run):
                self._wait_for_end(run)
                return
            is_seen = instructions.are_seen(self.journal, given.ids)
            if self.signals:
                code = 128 + self.signals[0]
                self.tell(Leaving(run.pid, code))
                raise Left(code)
            if not is_seen and lasted >= _ANSWER_SECONDS:
                raise _no_answer(run)
            if lasted >= _PATIENCE and self.clock() >= self._say_at:
                self._say_at = self.clock() + _LOOK
                self._say(given, run, is_seen=is_seen)
            self.sleep(_POLL)

    def _has(self, given: Order, run: runs.Run) -> bool:
        """Whether the run still has an album that is to stop."""
        scope = given.albums.intersection(runs.scope(self.journal, run.id))
        return any(album.held and album.id in scope for album in runs.albums(self.journal))

    def _wait_for_end(self, run: runs.Run) -> None:
        """Wait for the end of the run if it has no album left, because it then ends by itself."""
        until = self.clock() + _END_SECONDS
        while not runs.scope(self.journal, run.id) and self._is_on(run) and self.clock() < until:
            self.sleep(_POLL)

    def _say(self, given: Order, run: runs.Run, *, is_seen: bool) -> None:
        """Say what the wait is for; the same message only once."""
        uploads = tuple(flight.in_flight(self.journal, given.albums)) if is_seen else ()
        if uploads in self._told or (is_seen and not uploads):
            return
        self._told.add(uploads)
        if is_seen:
            self.tell(Finishing(uploads, self._seconds_left(given, run)))
        else:
            self.tell(Unheard(run.pid))

    def _seconds_left(self, given: Order, run: runs.Run) -> float | None:
        """Seconds until the uploads in flight end, by the snapshot; None if it does not tell."""
        now = Reader(paths_of(self.journal.path)["live"]).look()
        if now is None or now.run_id != run.id or not now.rate:
            return None
        uploads = [one for one in now.progress.uploads if one and one.album_id in given.albums]
        left = sum(one.size - one.moved for one in uploads)
        return left / now.rate if uploads else None

    # The end.

    def _came_out(self, given: Order, run: runs.Run | None) -> Stops:
        known = {album.id: album for album in runs.albums(self.journal)}
        albums = [
            self._fate(given, run, one, known[one.id]) for one in self.albums if one.id in known
        ]
        if run is None:
            return Stops(albums)
        scope = runs.scope(self.journal, run.id) if self._is_on(run) else []
        left = [one for one in scope if one in known and runs.is_unfinished(self.journal, one)]
        return Stops(albums, run.pid, [known[one].name for one in left])

    def _fate(self, given: Order, run: runs.Run | None, before: Album, album: Album) -> Stopped:
        """The fate of an album. ``before``: the album before it was put on hold."""
        now = summary_of(self.journal, album.id)
        if run is None or album.id not in given.albums:
            fate = Fate.WAITED if before.held else Fate.WAITS
            return Stopped(fate if album.id in given.unfinished else Fate.SETTLED, RunSummary(now))
        fate = Fate.STOPPED if now.is_unfinished else Fate.FINISHED
        if now.is_unfinished and not album.held:
            fate = Fate.RESUMED
        there = flight.done_before(self.journal, album.id, run.id)
        found = run_summary_of(self.journal, now, run.id, *there, None)
        cut = flight.cut_since(self.journal, run.id, [album.id], given.at)
        return Stopped(fate, found, cut)


def _no_answer(run: runs.Run) -> TryLater:
    return TryLater(
        f"process {run.pid} uploads, and has not answered for a minute (is it stopped, or does a"
        " disk hang?)",
        "What was to stop is on hold: it stops as soon as that process goes on",
    )
