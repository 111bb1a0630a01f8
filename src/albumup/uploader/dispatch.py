"""Who sends what next: reserved tasks, each target's lane, uploads in flight, roots that are away.

One lock, ``cond``, guards all of it. What is reserved here stays pending in the journal until its attempt starts, so a
crash forgets nothing but plans.
"""

from __future__ import annotations

import os
import shlex
import threading
import time
from collections.abc import Callable, Iterable

from albumup.body import Place, root_is_away
from albumup.config import OPTIONS
from albumup.errors import AlbumupError
from albumup.journal.journal import Journal
from albumup.journal.recorder import Recorder
from albumup.journal.rows import Album, Root, Task
from albumup.retry import Finding, Outcome
from albumup.targets.base import Target, Unasked
from albumup.uploader.lane import Closing, Lane
from albumup.uploader.progress import Slot

TICK = 0.25
"""Seconds between looks at what changed without us: joiners, times that have come, the clock."""
_BATCH = 64
LOW_WATER = 16
"""Fewer tasks in reserve than this, and more are wanted."""


class Dispatch:
    """What is in memory of a run. ``on_pause`` is told (task, reason, seconds) when a target's sickness lasts."""

    def __init__(self, recorder: Recorder, jobs: int, chance: Callable[[], float]) -> None:
        self.cond = threading.Condition()
        self.lanes: dict[str, Lane] = {}
        self.albums: dict[int, Album] = {}
        self.roots: dict[int, Root] = {}
        self.album_roots: dict[int, set[int]] = {}
        """The roots under which an album's unsent photos lie."""
        self.away: dict[int, str] = {}
        self.slots = [Slot() for _ in range(jobs)]
        self.ended = threading.Event()
        """Set when the run takes no more work, whatever the reason."""
        self.to_ask = threading.Event()
        """Set when there may be something to ask the servers."""
        self.to_keep = threading.Event()
        """Set when nothing is in flight: what the servers' albums are owed is due."""
        self.wake = threading.Event()
        """Set when the run may be over: look now, not at the next tick."""
        self.on_pause: Callable[[Task, str, float], None] = lambda *_: None
        self._recorder = recorder
        self._chance = chance
        self._limbo: dict[int, Callable[[bool], None]] = {}
        self._in_work = 0

    def no_more(self) -> None:
        """Nobody takes another task from here on."""
        with self.cond:
            self.ended.set()
            self.to_ask.set()
            self.to_keep.set()
            self.wake.set()
            self.cond.notify_all()

    def is_busy(self) -> bool:
        """Is anything in flight, undecided or not yet recorded?"""
        return bool(self._limbo or self._in_work)

    def busy_slots(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.task_id]

    def cut_all(self) -> None:
        """End what is in flight."""
        for slot in self.busy_slots():
            slot.meter.cut = True

    def next(self, slot: Slot) -> tuple[Lane, Task] | None:
        """The next task to send, waiting for one; None when the run takes no more."""
        owes = True  # the end of its last photo is not yet committed
        while True:
            with self.cond:
                if self.ended.is_set():
                    return None
                now = time.monotonic()
                for lane in self.lanes.values():
                    if not lane.may_start(now):
                        continue
                    if len(lane.reserved) < LOW_WATER and not lane.refilling and not lane.dry:
                        lane.refilling = owes = True
                        self._recorder.do(lambda journal, lane=lane: self._refill(journal, lane))  # type: ignore[misc]
                    if lane.reserved:
                        task = lane.reserved.popleft()
                        lane.start(task.id)
                        self._in_work += 1
                        slot.name, slot.size = task.path, task.size
                        slot.task_id, slot.album_id = task.id, task.album_id
                        slot.meter = type(slot.meter)()
                        return lane, task
                if not owes:
                    self.cond.wait(TICK)
                    continue
            self._recorder.flush()
            owes = False

    def _refill(self, journal: Journal, lane: Lane) -> None:
        """Reserve more ready tasks: untried ones first, then those whose time has come."""
        now = journal.clock()
        found: list[Task] = []
        with self.cond:
            wanted = _BATCH + len(lane.taken)
            places = [(album_id, root_id, root_id in self.away) for album_id, root_id in self.places_of(lane)]
        # Workers go on meanwhile. What they take is in ``taken`` already, and one refill at a time adds to that.
        for untried in (True, False):
            for album_id, root_id, copies in places:
                if (room := wanted - len(found)) > 0:
                    found += journal.ready(album_id, root_id, now, room, untried, copies=copies)
        stale = {task.id for task in found if task.body is not None and task.body.definition != lane.definition}
        journal.make_stale(stale)
        found = [task for task in found if task.id not in stale]
        with self.cond:
            fresh = [task for task in found if task.id not in lane.taken][:_BATCH]
            lane.reserved.extend(fresh)
            lane.taken.update(task.id for task in fresh)
            lane.refilling = False
            lane.dry = not fresh and not stale
            self.cond.notify_all()

    def withdraw(self, lane: Lane, album_id: int | None = None) -> None:
        """An album (None: any) does not go to that target any more: what has not left whole goes back, free."""
        with self.cond:
            kept = [task for task in lane.reserved if album_id not in (None, task.album_id)]
            lane.taken -= {task.id for task in lane.reserved} - {task.id for task in kept}
            lane.reserved.clear()
            lane.reserved.extend(kept)
            for slot in self.busy_slots():
                if slot.task_id in lane.in_flight and album_id in (None, slot.album_id) and not slot.meter.whole:
                    slot.meter.cut = True

    def lane_of(self, album_id: int) -> Lane | None:
        """The lane that an album of the run goes by."""
        album = self.albums.get(album_id)
        return self.lanes.get(album.target) if album is not None else None

    def albums_of(self, lane: Lane) -> list[int]:
        return [album.id for album in self.albums.values() if album.target == lane.target.name]

    def places_of(self, lane: Lane) -> list[tuple[int, int]]:
        """The albums that go to a target, each with the roots under which its unsent photos lie."""
        return [(album, root) for album in self.albums_of(lane) for root in self.album_roots.get(album, ())]

    def wet(self, lanes: Iterable[Lane]) -> None:
        """There may be something ready for these again, or to be asked about."""
        with self.cond:
            for lane in lanes:
                lane.dry = False
                if lane.target.asks_first:
                    self.to_ask.set()
            self.cond.notify_all()

    # What workers report. ``end`` is called when an attempt has ended, ``release`` once that is recorded.

    def end(self, lane: Lane, task: Task) -> None:
        with self.cond:
            self.decide(lane.end(task.id))

    def release(self, lane: Lane, task: Task) -> None:
        with self.cond:
            lane.taken.discard(task.id)
            lane.dry = False
            self._in_work -= 1
            if not self._in_work:
                self.wake.set()
                self.to_keep.set()
            self.cond.notify_all()

    def broke(self, lane: Lane, task: Task, record: Callable[[bool], None]) -> None:
        """An upload broke and the server can be reached: whether that was the line is decided with the others."""
        with self.cond:
            self._limbo[task.id] = record
            self.decide(lane.broke(task.id, time.monotonic()))

    def decide(self, decided: list[tuple[int, bool]]) -> None:
        for task_id, free in decided:
            self._limbo.pop(task_id)(free)

    def judge_lane(self, lane: Lane, task: Task, finding: Finding) -> None:
        """What an outcome says of the target itself."""
        now = time.monotonic()
        with self.cond:
            match finding.outcome:
                case Outcome.UPLOADED | Outcome.DUPLICATE:
                    lane.accepted(now)
                case Outcome.REJECTED | Outcome.NOT_TAKEN | Outcome.IN_DOUBT:
                    lane.answered()
                case Outcome.SICK:
                    lane.ailing(task.id, finding.reason, finding.retry_after, now, self._chance())
                    if not lane.is_told and lane.closing is None:
                        lane.is_told = True
                        self.on_pause(task, finding.reason, lane.gives_up_at() - now)
                case Outcome.REFUSED if lane.target.is_local:
                    words = f"{lane.target.address}: {finding.reason}"
                    self._close(lane, Closing(1, words, "Make room on this disk, then: albumup resume"))
                case Outcome.REFUSED:
                    words = f"{lane.target.title}: refused: {finding.reason}"
                    self._close(lane, Closing(4, words, _refused_hint(lane)))
                case Outcome.ASTRAY:
                    self._close(lane, _astray(lane, finding, task))
                case Outcome.BROKEN | Outcome.FREE:
                    pass
            self.cond.notify_all()

    def _close(self, lane: Lane, closing: Closing) -> None:
        lane.closing = lane.closing or closing

    def close_lane(self, lane: Lane, error: AlbumupError) -> None:
        """The target's configuration cannot serve a photo."""
        with self.cond:
            self._close(lane, Closing(error.exit_code, str(error), error.hint))

    def close_albums(self, lane: Lane, error: AlbumupError) -> None:
        """Its albums cannot be looked at; photos go there all the same."""
        with self.cond:
            lane.albums_closing = Closing(error.exit_code, str(error), error.hint)
            lane.is_ready = True
            self.cond.notify_all()

    def answered(self, lane: Lane) -> None:
        """The target answered a question: it is not sick."""
        with self.cond:
            lane.answered()

    def unanswered(self, lane: Lane, unasked: Unasked) -> None:
        """A question to the target, or work on an album there, got no answer to rely on."""
        with self.cond:
            if unasked.is_astray and not lane.proven:
                self._close(lane, _astray_question(lane, str(unasked), has_answered=unasked.has_answered))
            else:
                lane.ailing(None, str(unasked), unasked.retry_after, time.monotonic(), self._chance())

    def root_away(self, root_id: int, seen: str = "") -> bool:
        """Is the root of a photo that cannot be opened away? Then its photos wait, and nobody asks again.

        ``seen``: what was already seen to be wrong with its volume.
        """
        with self.cond:
            root = self.roots.get(root_id)
        if root is None:
            return False
        words = root_is_away(root.path, Place(root.volume, root.device), is_folder=root.is_folder) or seen
        if not words:
            return False
        with self.cond:
            self.away[root_id] = words
            for lane in self.lanes.values():
                gone = {
                    task.id
                    for task in lane.reserved
                    if task.root_id == root_id and not (task.body is not None and task.body.spool)
                }
                lane.taken -= gone
                kept = [task for task in lane.reserved if task.id not in gone]
                lane.reserved.clear()
                lane.reserved.extend(kept)
        return True


def _refused_hint(lane: Lane) -> str:
    name = lane.target.name
    return f"check its credentials, permissions and quota in {lane.target.where}; see: albumup target check {name}"


def _called(target: Target) -> str:
    """Its name and its URL; the URL alone, where that is what it is called by."""
    return target.title if target.title == target.settings.url else f"{target.name}: {target.settings.url}"


def _astray(lane: Lane, finding: Finding, photo: Task) -> Closing:
    """The first photo was answered by what a wrong address, or a portal, answers."""
    target, options = lane.target, lane.target.where == OPTIONS
    has_answered = finding.status is not None
    said = "answered the first photo with" if has_answered else "cannot be used"
    words = f"{_called(target)} {said}: {finding.reason}"
    keys = target.success_keys(finding.status or 0) if finding.is_doubt else ()
    if options:
        keys = [target.key(key) for key in keys if key == "success_text"]  # there are no others
    may_be_yes = f"; if that is how it says yes: {' and '.join(keys)}" if keys else ""
    if options:
        # The target's name is its host's: another host is another target, and these photos wait for this one.
        again = "push again with the right --url"
        if not has_answered:
            again = f"albumup cancel {shlex.quote(photo.album)} --target {target.name}, then {again}"
        return Closing(4, words, f"If the address is wrong: {again}{may_be_yes}")
    attempt = f"albumup target try {target.name} {os.fsdecode(photo.path)!a}"
    return Closing(4, words, f"Check {target.key('url')}{may_be_yes}; try it with: {attempt}")


def _astray_question(lane: Lane, reason: str, *, has_answered: bool) -> Closing:
    """So was a question."""
    target = lane.target
    words = f"{_called(target)} {'answered' if has_answered else 'cannot be used'}: {reason}"
    return Closing(4, words, f"Check {target.key('url')}; see: albumup target check {target.name}")
