"""Follows another process that uploads this command's albums."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from albumup.errors import AlbumupError
from albumup.journal import runs
from albumup.journal.instructions import are_seen
from albumup.journal.journal import Journal
from albumup.journal.lock import is_locked
from albumup.journal.opening import paths_of
from albumup.session.changing import Change, ignored
from albumup.session.looking import Looker
from albumup.session.others import STOPPED, is_left_open, was_stopped
from albumup.session.telling import Audience, Following, Left, TakenOver
from albumup.session.totals import totals_now
from albumup.targets.base import Target
from albumup.uploader.options import Options

_POLL = 0.2
_PROBE = 0.5


class Follower:
    """A command that has handed its albums over to another process, and shows what that does."""

    def __init__(
        self,
        journal: Journal,
        album_ids: Sequence[int],
        before: Mapping[int, int],
        options: Options,
        audience: Audience,
        signals: Sequence[int],
        build: Callable[[str], Target],
    ) -> None:
        """``before``: album id to the number of photos done before; ``signals``: those that came;
        ``build``: makes a target by its name."""
        self._journal, self._album_ids, self._before = journal, album_ids, before
        self._options, self._audience = options, audience
        self._signals, self._build = signals, build

    def follow(self, run: runs.Run, change: Change | None = None) -> int | None:
        """Show what the run does until the albums are settled, and return the exit code; None if
        this process must send. ``change``: what the run was asked to change."""
        audience, journal = self._audience, self._journal
        looker = Looker(journal, audience, self._album_ids, self._counted_before())
        looker.meet(run)
        audience.say(Following(run.pid, ignored(run, self._options)))
        probed = 0.0
        found = run
        while True:
            if self._signals:
                return self._leave(run)
            if change is not None and are_seen(journal, change.ids):
                audience.say(TakenOver(run.pid, change.value))
                change = None
            now = time.monotonic()
            unfinished = [album for album in self._album_ids if runs.is_unfinished(journal, album)]
            if not unfinished:
                break
            if now - probed >= _PROBE:
                probed = now
                # In this order: a process ends its run before it frees the lock.
                is_on = is_locked(paths_of(journal.path)["lock"])
                found = runs.run_of(journal, run.id)
                if was_stopped(journal, run.id, unfinished):
                    looker.look_back(found)
                    audience.end_show()
                    return audience.followed(STOPPED)
                if found.ended is not None:
                    break
                if not is_on:
                    audience.end_show()
                    return None
            looker.look(found)
            time.sleep(_POLL)
        last = looker.look_back(found, is_alive=found.ended is None or found.exit is not None)
        audience.end_show()
        is_open = is_left_open(journal, found, unfinished)
        if unfinished and (is_open or self._can_build(found, unfinished)):
            return None
        ended = last.ended if last is not None else None
        return audience.followed(found.exit or 0 if unfinished else None, ended)

    def _leave(self, run: runs.Run) -> int:
        """Leave the run to its process after a signal; return the exit code."""
        self._audience.end_show()
        code = 128 + self._signals[0]
        self._audience.say(Left(run.pid, code))
        return code

    def _counted_before(self) -> dict[int, tuple[int, int]]:
        """Of each album, the photos that were done before this command, and the bytes until now."""
        done = totals_now(self._journal, self._album_ids)
        return {one: (self._before.get(one, 0), sizes) for one, (_, sizes) in done.items()}

    def _can_build(self, run: runs.Run, album_ids: Sequence[int]) -> bool:
        """Can this process build the targets that the uploader could not, as with a token that only
        this shell has?"""
        known = {album.id: album for album in runs.albums(self._journal)}
        wanted = {known[album].target for album in album_ids if album in known} & set(run.unbuilt)
        try:
            for name in wanted:
                self._build(name).close()
        except AlbumupError:
            return False
        return bool(wanted)
