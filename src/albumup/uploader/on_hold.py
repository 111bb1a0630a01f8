"""Lets albums on hold leave a run: nothing more begins; uploads in flight end, or are cut."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.rows import Album
from albumup.uploader.run import Run
from albumup.uploader.upstream import Upstream

_ANSWER_SECONDS = 1.0
"""Seconds after a cut in which answers to whole photos are still read."""
_HANGS_SECONDS = 1.0
"""Seconds after the cut of those, too, until uploads that do not end are left behind."""


class OnHold:
    """Stops albums of one run. Methods that take the journal are called inside a transaction."""

    def __init__(self, run: Run, upstreams: Callable[[], Iterable[Upstream]]) -> None:
        self._run = run
        self._upstreams = upstreams
        self._cut_at: dict[int, float] = {}
        """By album, the time when its uploads were cut, in monotonic seconds."""
        self._all_cut_at: dict[int, float] = {}
        """Likewise, when also those were cut that only awaited answers."""

    def stop(self, journal: Journal, album: Album) -> None:
        """Begin nothing more of an album on hold.

        The album leaves the scope when none of its uploads is in flight; until then this is called
        again.
        """
        run, queue = self._run, self._run.queue
        if album.id not in queue.stopped:
            queue.stopped.add(album.id)
            words = "put on hold by another command (albumup stop)"
            journal.after_commit(lambda: run.outcomes.tell_of_album(album, words))
        for upstream in self._upstreams():
            take_back(run, journal, upstream, album.id)
        if album.id in self._cut_at:
            self._go_on_cutting(album.id)
        if not queue.is_in_hand(album.id):
            self._leave(journal, album.id)

    def cut(self, album_ids: Iterable[int]) -> None:
        """Cut the uploads of stopped albums; uploads that only await answers get another second."""
        for album_id in self._run.queue.stopped.intersection(album_ids):
            self._cut_at.setdefault(album_id, self._run.now())
            self._go_on_cutting(album_id)

    def _go_on_cutting(self, album_id: int) -> None:
        queue, now = self._run.queue, self._run.now()
        cuts_all = now >= self._cut_at[album_id] + _ANSWER_SECONDS
        for upstream in self._upstreams():
            queue.cut(upstream, album_id, whole=cuts_all)
            queue.decide(upstream.line.flush())
        # However late this look is: what was cut a moment ago ends by itself, if nothing hangs.
        if cuts_all and now >= self._all_cut_at.setdefault(album_id, now) + _HANGS_SECONDS:
            queue.leave_behind(album_id)

    def _leave(self, journal: Journal, album_id: int) -> None:
        self._uncut(album_id)
        runs.leave(journal, self._run.outcomes.run_id, album_id)
        runs.touch(journal, album_id)
        if not runs.is_unfinished(journal, album_id):  # the last uploads were in flight
            runs.hold(journal, [album_id], False)
        self._run.queue.to_end.ring()

    def come_back(self, journal: Journal, album: Album) -> None:
        """Go on with a stopped album whose hold was lifted since."""
        self._run.queue.stopped.discard(album.id)
        self._uncut(album.id)
        journal.after_commit(lambda: self._run.outcomes.tell_of_album(album, "goes on"))

    def _uncut(self, album_id: int) -> None:
        self._cut_at.pop(album_id, None)
        self._all_cut_at.pop(album_id, None)


def take_back(run: Run, journal: Journal, upstream: Upstream, album_id: int | None = None) -> None:
    """Take back an album's tasks (None: all) that were not begun at this target."""
    for task_id in run.queue.withdraw(upstream, album_id):
        run.outcomes.unhold(journal, task_id, upstream.rules)
