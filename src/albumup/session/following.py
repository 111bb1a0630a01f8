"""Follows another process that uploads, by the albums' totals in the journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from albumup.errors import AlbumupError
from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.lock import is_locked
from albumup.journal.opening import paths_of
from albumup.journal.states import UNDECIDED
from albumup.journal.summary import Summary, summary_of
from albumup.session.telling import Audience, Following, Left
from albumup.targets.base import Target
from albumup.uploader.events import Progress
from albumup.uploader.options import Options

_POLL = 0.1
_PROBE = 0.5


class Totals:
    """The progress of albums, read from the journal. ``before``: album id to the number of photos
    done before."""

    def __init__(
        self, journal: Journal, album_ids: Sequence[int], before: Mapping[int, int]
    ) -> None:
        self._journal, self._album_ids, self._before = journal, album_ids, before
        self._bytes_before = sum(summary_of(journal, album).there_bytes for album in album_ids)

    def albums(self) -> list[str]:
        """The albums' names, without albums that were forgotten meanwhile."""
        known = {album.id: album.name for album in runs.albums(self._journal)}
        return [known[one] for one in self._album_ids if one in known]

    def progress(self) -> Progress:
        """The albums' totals now."""
        sums = [summary_of(self._journal, album) for album in self._album_ids]
        return progress_of(sums, sum(self._before.values()), self._bytes_before)


def progress_of(sums: Sequence[Summary], before: int, bytes_before: int) -> Progress:
    """The progress of a run that others make. ``before``: the number of photos that were done
    before it."""
    done = sum(one.there for one in sums) - before
    done_bytes = sum(one.there_bytes for one in sums) - bytes_before
    left = sum(one.count(*UNDECIDED) for one in sums)
    left_bytes = sum(one.size(*UNDECIDED) for one in sums)
    return Progress(done, done + left, done_bytes, done_bytes + left_bytes, True, 0, 0, (), ())


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

    def follow(self, run: runs.Run) -> int | None:
        """Show the albums' totals until they are settled, and return the exit code; None if this
        process must send."""
        audience, journal = self._audience, self._journal
        audience.say(Following(run.pid, self._ignored(run)))
        totals = Totals(journal, self._album_ids, self._before)
        probed = 0.0
        found = run
        while True:
            if self._signals:
                audience.end_show()
                code = 128 + self._signals[0]
                audience.say(Left(run.pid, code))
                return code
            now = time.monotonic()
            unfinished = [album for album in self._album_ids if runs.is_unfinished(journal, album)]
            if not unfinished:
                break
            if now - probed >= _PROBE:
                probed = now
                found = runs.run_of(journal, run.id)
                if found.ended is not None:
                    break
                if not is_locked(paths_of(journal.path)["lock"]):
                    audience.end_show()
                    return None
            audience.show(totals.progress(), totals.albums())
            time.sleep(_POLL)
        audience.end_show()
        if unfinished and (found.exit in (None, 0, 1, 3) or self._can_build(found, unfinished)):
            return None
        return audience.followed(found.exit or 0 if unfinished else None)

    def _ignored(self, run: runs.Run) -> list[str]:
        """Typed options that differ from those of the run, and are ignored."""
        return [
            f"--{name.replace('_', '-')}"
            for name in self._options.typed
            if name in run.options and run.options[name] != self._options.shown[name]
        ]

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
