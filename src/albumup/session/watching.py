"""Watches another process that uploads. Only reads, and stops nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence

from albumup.journal import runs
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
from albumup.session.totals import totals_now
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
        before = totals_now(self._journal, self._album_ids)
        while True:
            if self._leaving.code:
                return self._leave()
            if self._audience.has_gone():
                return 0
            if time.monotonic() >= probed + _PROBE:
                probed = time.monotonic()
                others.look()
                if (code := self._code()) is not None:
                    return self._end(code, before)
            if others.run is not None:
                if others.run.id != shown:
                    shown = others.run.id
                    self._audience.say(Watching(others.run.pid, others.run.started))
                self._looker.look(others.run)
            time.sleep(_POLL if others.run is not None else _SIGNAL_POLL)

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

    def _end(self, code: int, before: dict[int, tuple[int, int]]) -> int:
        """Tell the audience how the work ended; return the exit code."""
        others, last = self._others, self._others.last
        ids = self._album_ids or others.scope() or _all_ids(self._journal)
        snapshot = None
        if last is not None:
            is_alive = others.run is not None or last.exit is not None
            snapshot = self._looker.look_back(last, is_alive=is_alive)
            before = before | dict(self._looker.before(last, ids))
        self._audience.end_show()
        if others.unfinished(ids):
            self._say_why(snapshot)
        ended = snapshot.ended if snapshot is not None and others.run is None else None
        if ended is not None and last is not None and last.exit is None and self._album_ids:
            code = ended.exit_code  # the journal lacks the code if the disk was full
        run_id = last.id if last is not None else 0
        found = self._audience.watched(Watched(ids, code, run_id, before, ended))
        note_told(self._journal, self._audience.told(lambda: bool(self._leaving.code)))
        return found

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
