"""Watches another process that uploads. Only reads, and stops nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence

from albumup.journal import runs
from albumup.journal.flight import done_before
from albumup.journal.journal import Journal
from albumup.session.aside import aside
from albumup.session.late import note_told
from albumup.session.looking import Looker
from albumup.session.others import Others
from albumup.session.signals import Handlers
from albumup.session.snapshot import Snapshot
from albumup.session.telling import (
    Audience,
    Left,
    Nobody,
    Vanished,
    Watched,
    Watching,
    standing,
)
from albumup.session.waiting import Leaving

_POLL = 0.25
_PROBE = 0.5
_SIGNAL_POLL = 0.1


class Watch:
    """Shows other processes' work on some albums, or on all albums of a run."""

    def __init__(self, journal: Journal, album_ids: Sequence[int], audience: Audience) -> None:
        """``journal``: may be open for reading only. ``album_ids``: empty for all of the run."""
        self._journal, self._album_ids, self._audience = journal, list(album_ids), audience
        self._others = Others(journal)
        self._looker = Looker(journal, audience, album_ids)
        self._leaving = Leaving()
        self._run_id = 0
        self._of_run: set[int] = set()
        """The albums of the last run that was seen, also those that have left it since."""

    def run(self) -> int:
        """Watch until nothing more is to be expected; return the exit code."""
        self._audience.begin(standing(self._journal, self._album_ids))
        with Handlers(self._leaving.signals):
            try:
                return aside(self._watch, meanwhile=self._leaving.watch)
            finally:
                self._audience.end_show()

    def _watch(self) -> int:
        others, probed, shown = self._others, float("-inf"), 0
        while True:
            if self._leaving.code:
                return self._leave()
            if self._audience.has_gone():
                return 0
            if time.monotonic() >= probed + _PROBE:
                probed = time.monotonic()
                others.look()
                self._note_albums()
                if (code := self._code()) is not None:
                    return self._end(code)
            if others.run is not None:
                if others.run.id != shown:
                    shown = others.run.id
                    self._looker.meet(others.run)
                    self._audience.say(Watching(others.run.pid, others.run.started))
                self._looker.look(others.run)
            time.sleep(_POLL if others.run is not None else _SIGNAL_POLL)

    def _note_albums(self) -> None:
        """Note the albums of the present run; those that are stopped leave its scope."""
        last = self._others.last
        if last is not None and last.id != self._run_id:
            self._run_id, self._of_run = last.id, set()
        self._of_run.update(self._others.scope())

    def _code(self) -> int | None:
        """The exit code if there is nothing more to watch, else None."""
        if self._album_ids:
            return self._others.code(self._album_ids)
        return None if self._others.run is not None or self._others.may_come() else 0

    def _leave(self) -> int:
        self._audience.end_show()
        if (run := self._others.run) is not None:
            self._audience.say(Left(run.pid, self._leaving.code))
        return self._leaving.code

    def _end(self, code: int) -> int:
        """Tell the audience how the work ended; return the exit code."""
        others, last = self._others, self._others.last
        snapshot = None
        if last is not None:
            is_alive = others.run is not None or last.exit is not None
            snapshot = self._looker.look_back(last, is_alive=is_alive)
        before = self._before(snapshot)
        self._audience.end_show()
        is_idle = last is None
        ids = self._album_ids or (_all_ids(self._journal) if is_idle else list(before))
        if others.unfinished(ids) or (is_idle and not self._album_ids):
            self._say_why(snapshot)
        ended = snapshot.ended if snapshot is not None and others.run is None else None
        seen = Watched(ids, code, self._run_id, before, ended, not self._album_ids)
        found = self._audience.watched(seen)
        note_told(self._journal, self._audience.told(lambda: bool(self._leaving.code)))
        return found

    def _before(self, snapshot: Snapshot | None) -> dict[int, tuple[int, int]]:
        """The photos and bytes that the albums of the run had on the server before it."""
        of_run = snapshot.before if snapshot is not None else {}
        ids = sorted(self._of_run.union(of_run))
        return {
            one: of_run.get(one) or done_before(self._journal, one, self._run_id) for one in ids
        }

    def _say_why(self, snapshot: Snapshot | None) -> None:
        """Say that nobody uploads the remaining photos."""
        others, last = self._others, self._others.last
        if others.run is not None:
            self._audience.say(Nobody(others.run.pid))
        elif last is None:
            self._audience.say(Nobody())
        elif last.exit is None and (snapshot is None or snapshot.ended is None):
            self._audience.say(Vanished(last.pid))


def _all_ids(journal: Journal) -> list[int]:
    return [album.id for album in runs.albums(journal)]
