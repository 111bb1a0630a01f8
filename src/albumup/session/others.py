"""Another process's work on albums, by its lock and the journal. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from albumup.errors import LocalError, worst
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.lock import is_locked
from albumup.journal.opening import has_no_room, journal_gone, paths_of
from albumup.journal.runs import Run
from albumup.journal.states import State
from albumup.journal.summary import summary_of
from albumup.session.codes import settled_code

_TAKEOVER_SECONDS = 2.0
"""The longest time in which a run may begin that goes on for one that has ended."""
STOPPED = 143
"""The exit code for albums that left a run with unsent photos."""
_TRY_LATER = 75


class Others:
    """The process that uploads, and the fates of some albums.

    Call ``look`` first, and again for news.
    """

    def __init__(self, journal: Journal, now: Callable[[], float] = time.monotonic) -> None:
        """``journal``: may be open for reading only; ``now``: monotonic seconds."""
        self._journal, self._now = journal, now
        self._lock = paths_of(journal.path)["lock"]
        self.run: Run | None = None
        """The run that is on; None if there is none."""
        self.last: Run | None = None
        """The last run that was seen, with its end."""
        self._is_beginning = False
        """A process holds the lock, but its run has not begun."""
        self._was_held = False
        """A process has held the lock, whether its run began or not."""
        self._takeover_until = float("-inf")

    def look(self) -> Run | None:
        """Look for the run that is on. Raises LocalError if the journal is gone from its place."""
        self._check_in_place()
        is_held = is_locked(self._lock)
        self.run = runs.running(self._journal) if is_held else None
        self._is_beginning = is_held and self.run is None
        self._was_held = self._was_held or is_held
        if self.run is not None:
            self.last = self.run
            self._takeover_until = float("-inf")
        elif self.last is not None and self._takeover_until < 0:
            self.last = runs.run_of(self._journal, self.last.id)
            self._takeover_until = self._now() + _TAKEOVER_SECONDS * self._may_be_taken_over()
        elif self._takeover_until < 0:
            self._takeover_until = self._now() + _TAKEOVER_SECONDS * self._has_heir()
        return self.run

    def _has_heir(self) -> bool:
        """Whether a run that was killed, or has ended just now, left albums to another process."""
        last = runs.last(self._journal)
        if last is None:
            return False
        is_recent = last.ended is None or self._journal.clock() < last.ended + _TAKEOVER_SECONDS
        return is_recent and bool(self.unfinished(runs.with_heirs(self._journal, last.id)))

    def _may_be_taken_over(self) -> bool:
        """Whether another process may soon go on where the last run ended."""
        last = self.last
        if last is None:
            return False
        unfinished = self.unfinished(self.scope())
        is_open = bool(last.unbuilt) or is_left_open(self._journal, last, unfinished)
        return bool(unfinished) and is_open

    def may_come(self) -> bool:
        """Whether a run may begin at any moment, although none is on."""
        return self._is_beginning or self._now() < self._takeover_until

    def scope(self) -> list[int]:
        """The ids of the albums of the run that is on, or else of the last run that was seen."""
        return runs.scope(self._journal, self.last.id) if self.last is not None else []

    def unfinished(self, album_ids: Iterable[int]) -> list[int]:
        """The albums of ``album_ids`` that are not settled."""
        return [one for one in album_ids if runs.is_unfinished(self._journal, one)]

    def code(self, album_ids: Sequence[int]) -> int | None:
        """The exit code for albums when nothing more is to be expected of them; None before."""
        unfinished = self.unfinished(album_ids)
        if not unfinished:
            return settled_code(summary_of(self._journal, one) for one in album_ids)
        if self.run is None:
            return None if self.may_come() else self._code_of_last(unfinished)
        scope = set(self.scope())
        if any(one in scope or _is_sent(self._journal, one) for one in unfinished):
            return None
        return self._code_of_left(unfinished)

    def _code_of_last(self, unfinished: Sequence[int]) -> int:
        """The exit code for albums that the last run did not settle."""
        # Since the last run that was seen another one may have begun and ended.
        seen = self.last
        last = runs.last_with(self._journal, unfinished, seen.id) if seen is not None else None
        code = self._code_of(last) if last is not None else None
        is_unknown = code is None and self._was_held and (last is not None or seen is None)
        if is_unknown and has_no_room(self._journal.path):
            return LocalError.exit_code  # that is why the run ended, or could not begin
        return code or self._code_of_left(unfinished)

    def _code_of(self, last: Run) -> int | None:
        """The exit code of a run; None if it was killed, or could leave no word."""
        return last.exit if last.exit is not None else self._code_shown(last)

    def _code_shown(self, last: Run) -> int | None:
        """The exit code in the run's last snapshot: the journal lacks it if its disk was full."""
        from albumup.session.snapshot import Reader

        found = Reader(paths_of(self._journal.path)["live"]).look()
        if found is None or found.run_id != last.id or found.ended is None:
            return None
        return found.ended.exit_code

    def _code_of_left(self, unfinished: Sequence[int]) -> int:
        """The exit code for albums that nobody sends: they were stopped, or never begun."""
        held = runs.on_hold(self._journal)
        was_seen = self.last is not None
        return worst([STOPPED if was_seen and one in held else _TRY_LATER for one in unfinished])

    def _check_in_place(self) -> None:
        if not self._journal.is_in_place():
            pid = self.run.pid if self.run is not None else None
            raise journal_gone(self._journal.path, pid)


def scope_of_running(journal: Journal) -> set[int]:
    """The ids of the albums that another process has to send now."""
    is_held = is_locked(paths_of(journal.path)["lock"])
    run = runs.running(journal) if is_held else None
    return set(runs.scope(journal, run.id)) if run is not None else set()


def is_left_open(journal: Journal, run: Run, album_ids: Iterable[int]) -> bool:
    """Whether somebody else is to go on with these albums, which a run has left unfinished: it did
    not end because of them, or another process waits for that."""
    has_heir = not runs.with_heirs(journal, run.id).isdisjoint(album_ids)
    return run.exit in (None, 0, 1, 3) or has_heir


def was_stopped(journal: Journal, run_id: int, album_ids: Iterable[int]) -> bool:
    """Whether these albums have left a run, are on hold, and have nothing in flight."""
    held = runs.on_hold(journal)
    scope = set(runs.scope(journal, run_id))
    return all(one in held and one not in scope and not _is_sent(journal, one) for one in album_ids)


def _is_sent(journal: Journal, album_id: int) -> bool:
    """Whether a photo is in flight, of an album that may have left its run."""
    return summary_of(journal, album_id).count(State.SENDING) > 0
