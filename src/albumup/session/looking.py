"""Shows another process's run: by its snapshot, else by the journal's totals."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from albumup.journal import runs
from albumup.journal.journal import Journal
from albumup.journal.opening import paths_of
from albumup.journal.rows import Album
from albumup.journal.runs import Run
from albumup.session.snapshot import SILENT_SECONDS, Reader, Snapshot, is_arrival
from albumup.session.telling import Audience, Ebbing, Silent
from albumup.session.totals import Before, totals, totals_now
from albumup.uploader.events import Event, Paused, Progress

_REPAINT_SECONDS = 1.0
"""A screen is painted again after so many seconds even without news, as its window may change."""
_TOTALS_SECONDS = 0.5
_LAST_SECONDS, _LAST_POLL = 2.0, 0.05
"""The longest wait for a run's last snapshot, and the time between two looks."""
_MOST_RECALLED = 5
"""The most former events that a newcomer is shown."""


class Missed(Event, frozen=True):
    """A number of events that were pushed out of the snapshot before anybody looked."""

    kind = "missed"
    count: int


class Looker:
    """Looks at one run after the other, and tells an audience the news."""

    def __init__(
        self,
        journal: Journal,
        audience: Audience,
        album_ids: Sequence[int] = (),
        before: Before | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Set the albums to look at.

        ``album_ids``: the albums to show; none: all of the run. ``before``: as in ``totals``; None:
        the run's own. ``now``: monotonic seconds.
        """
        self._journal, self._audience = journal, audience
        self._album_ids, self._now = list(album_ids), now
        self._before = before
        self._reader = Reader(paths_of(journal.path)["live"])
        self._run_id = 0
        self._seen: Snapshot | None = None
        self._heard = 0
        """The number of the last event that is told, or was there when the look began."""
        self._has_recalled = False
        self._next_at = float("-inf")
        self._was_silent = self._was_draining = False
        self._changed_at = float("-inf")
        """When a newer snapshot than the first was last seen."""
        self._totals_before: Before = {}
        self._known: dict[int, Album] = {}

    def meet(self, run: Run) -> None:
        """Begin to look at a run, unless that was done: what happens from now on is news."""
        if run.id != self._run_id:
            self._begin(run)

    def look(self, run: Run) -> None:
        """Look at the present run, and show it."""
        self.meet(run)
        snapshot = self.snapshot_of(run)
        is_new = snapshot is not None and snapshot is not self._seen
        if not is_new and self._now() < self._next_at:
            return
        self._known = {album.id: album for album in runs.albums(self._journal)}
        if snapshot is not None and is_new:
            if self._seen is not None:
                self._changed_at = self._now()
            self._hear(snapshot)
        self._next_at = self._now() + (_TOTALS_SECONDS if snapshot is None else _REPAINT_SECONDS)
        self._seen = snapshot
        self._tell_of_silence(run, snapshot)
        self._show(run, snapshot)

    def look_back(self, run: Run, *, is_alive: bool = True) -> Snapshot | None:
        """Tell the end of a run, or of its settled albums; return its last snapshot, if any.

        ``is_alive``: the run's process may still write a snapshot.
        """
        since, until = self._journal.clock(), self._now() + _LAST_SECONDS * is_alive
        while (snapshot := self.snapshot_of(run)) is not None:
            if snapshot.ended or snapshot.time >= since or self._now() >= until:
                break
            time.sleep(_LAST_POLL)
        if snapshot is not None and run.id == self._run_id:
            self._hear(snapshot)
        return snapshot

    def snapshot_of(self, run: Run) -> Snapshot | None:
        """The latest snapshot of a run, even if the run is over; None if there is none."""
        found = self._reader.look()
        return found if found is not None and found.run_id == run.id else None

    def before(self, run: Run, album_ids: Sequence[int]) -> Before:
        """The photos and bytes that albums had on the server before the run, as far as known."""
        found = dict(self._totals_before)
        if self._before is not None:
            return found | dict(self._before)
        snapshot = self.snapshot_of(run)
        of_run = snapshot.before if snapshot is not None else {}
        return found | {one: of_run[one] for one in album_ids if one in of_run}

    def _begin(self, run: Run) -> None:
        self._run_id, self._seen, self._has_recalled = run.id, None, False
        found = self.snapshot_of(run)
        self._heard = found.heard if found is not None else 0
        self._was_silent = self._was_draining = False
        self._changed_at = float("-inf")
        self._next_at = float("-inf")
        self._totals_before = totals_now(self._journal, self._ids(run))

    def _ids(self, run: Run) -> list[int]:
        return self._album_ids or runs.scope(self._journal, run.id)

    # Events.

    def _hear(self, snapshot: Snapshot) -> None:
        """Tell the events since the last look; remind a newcomer of the latest trouble."""
        audience = self._audience
        for name, title in snapshot.titles.items():
            audience.name_target(name, title)
        if not self._has_recalled:
            self._has_recalled = True
            self._recall(snapshot)
        new = snapshot.since(self._heard)
        if missed := snapshot.heard - self._heard - len(new):
            audience.hear(Missed(snapshot.time, None, None, missed))
        for _, event in new:
            if self._concerns(event):
                audience.hear(event)
        self._heard = snapshot.heard
        if snapshot.is_draining and not self._was_draining:
            self._was_draining = True
            audience.say(Ebbing())

    def _recall(self, snapshot: Snapshot) -> None:
        """Remind a newcomer of the latest trouble before the look began."""
        past = (event for number, event in snapshot.since(0) if number <= self._heard)
        trouble = [one for one in past if not (is_arrival(one) or isinstance(one, Paused))]
        for event in [event for event in trouble if self._concerns(event)][-_MOST_RECALLED:]:
            self._audience.recall(event)

    def _concerns(self, event: Event) -> bool:
        """Whether an event is about the albums that are shown."""
        if not self._album_ids:
            return True
        shown = [self._known[one] for one in self._album_ids if one in self._known]
        if event.album is None:
            return event.target is None or event.target in {album.target for album in shown}
        return (event.album, event.target) in {(album.name, album.target) for album in shown}

    def _tell_of_silence(self, run: Run, snapshot: Snapshot | None) -> None:
        """Say once that a run has written nothing for long, like a suspended one."""
        if snapshot is None:
            return
        lasted = self._journal.clock() - snapshot.time
        unchanged = self._now() - self._changed_at  # shorter if the computer slept in between
        if min(lasted, unchanged) < SILENT_SECONDS:
            self._was_silent = False
        elif not self._was_silent:
            self._was_silent = True
            self._audience.say(Silent(run.pid, snapshot.time, lasted))

    # Progress.

    def _show(self, run: Run, snapshot: Snapshot | None) -> None:
        scope = runs.scope(self._journal, run.id)
        ids = self._album_ids or scope
        names = [self._known[one].name for one in ids if one in self._known]
        if snapshot is None:
            self._audience.show(self._totals(run, ids), names)
        elif set(scope) <= set(ids):
            self._audience.show(snapshot.progress, snapshot.albums or names)
        else:
            self._audience.show(self._part(run, snapshot, ids), names)

    def _totals(self, run: Run, ids: Sequence[int]) -> Progress:
        return totals(self._journal, ids, self.before(run, ids))

    def _part(self, run: Run, snapshot: Snapshot, ids: Sequence[int]) -> Progress:
        """The progress of some albums of the run: totals, uploads, and their targets' pauses."""
        whole, mine = snapshot.progress, set(ids)
        targets = {self._known[one].target for one in ids if one in self._known}
        uploads = tuple(one if one and one.album_id in mine else None for one in whole.uploads)
        found = self._totals(run, ids)
        return replace(
            found,
            bytes_done=found.bytes_done + sum(one.moved for one in uploads if one),
            is_complete=whole.is_complete,
            uploads=uploads,
            is_queued=any(whole.uploads) and not any(uploads),
            pauses=tuple(pause for pause in whole.pauses if pause.target in targets),
        )
