"""Decides what is sent next: reserved tasks, each target's upstream, uploads in flight, roots that
are away.

Reserved tasks stay pending in the journal until their attempts start, so a crash forgets nothing
but plans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from albumup.helpers import Work
from albumup.journal import framing
from albumup.journal.commits import Commits
from albumup.journal.journal import Journal
from albumup.journal.rows import Album, Root, Task
from albumup.photos.source import Place, root_is_away
from albumup.uploader import closings
from albumup.uploader.bell import Bell, Broadcast
from albumup.uploader.line_watch import Verdicts
from albumup.uploader.slot import Slot
from albumup.uploader.upstream import Closing, Upstream
from albumup.uploader.world import World

TICK = 0.25
"""Seconds between looks at changes from outside: joiners, times that have come, the clock."""
_BATCH = 64
ENOUGH = 64
"""With so many tasks reserved, no more photos need to be read."""
_MOST_RESERVED = 128
_SAMPLE = 256
"""How many tasks are looked at to draw the one that is sent during a pause."""
LOW_WATER = 16
"""With fewer tasks reserved, more are fetched."""


class Queue:
    """The tasks of a run in memory. ``now``: monotonic seconds."""

    def __init__(self, commits: Commits, jobs: int, world: World, now: Callable[[], float]) -> None:
        self.upstreams: dict[str, Upstream] = {}
        self.albums: dict[int, Album] = {}
        self.stopped: set[int] = set()
        """The ids of albums on hold: nothing more of them is begun."""
        self.roots: dict[int, Root] = {}
        self.album_roots: dict[int, set[int]] = {}
        """The roots of each album's unsent photos."""
        self.away: dict[int, str] = {}
        self.slots = [Slot() for _ in range(jobs)]
        self.has_ended = False
        """The run takes no more work, for any reason."""
        self.changed = Broadcast()
        """Wakes the slots: there may be something to send."""
        self.to_prepare, self.to_ask, self.to_place, self.to_end = Bell(), Bell(), Bell(), Bell()
        """Wake the preparer, the reconciler, the album worker, and the engine, which looks whether
        the run is over."""
        self._commits = commits
        self._world = world
        self._now = now
        self._former: dict[str, Upstream] = {}
        """By target, the upstream that was retired last."""
        self._undecided: dict[int, Callable[[bool], None]] = {}
        self._in_work = 0
        self._in_hand: dict[tuple[Upstream, int], int] = {}
        """The album of each task that was begun, and whose outcome is not yet recorded."""

    def no_more(self) -> None:
        """Hand out no more tasks from now on."""
        self.has_ended = True
        for bell in (self.to_prepare, self.to_ask, self.to_place, self.to_end):
            bell.ring()
        self.changed.wake()

    def is_busy(self) -> bool:
        """Is anything in flight, undecided or not yet recorded?"""
        return bool(self._undecided or self._in_work)

    def busy_slots(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.task_id]

    def set_jobs(self, jobs: int) -> list[Slot]:
        """Have so many slots; return the new ones. Those that are too many end after their
        uploads."""
        busy_first = sorted(self.slots, key=lambda slot: not slot.task_id)
        for number, slot in enumerate(busy_first):
            slot.is_over = number >= jobs
        new = [Slot() for _ in range(jobs - len(busy_first))]
        self.slots += new
        self.changed.wake()
        return new

    def cut_all(self) -> None:
        """Cut all uploads in flight."""
        for slot in self.busy_slots():
            slot.meter.cut_now()

    async def next(self, slot: Slot) -> tuple[Upstream, Task | None] | None:
        """Wait for the next task to send. None: the target is paused, and has to be looked at.

        None when the run takes no more work, or the slot is over.
        """
        while not (self.has_ended or slot.is_over):
            if (upstream := self._to_refill()) is not None:
                await self._refill(upstream)
            elif (found := self._next(slot)) is not None:
                return found
            else:
                await self.changed.wait()
        return None

    def _next(self, slot: Slot) -> tuple[Upstream, Task | None] | None:
        for upstream in self.upstreams.values():
            if upstream.may_seek() and self.albums_of(upstream):
                upstream.is_seeking = True
                self._in_work += 1
                return upstream, None
            is_due = upstream.breaker.is_sick and upstream.may_probe(self._now())
            if is_due and self.albums_of(upstream):
                upstream.breaker.probing()
                self._in_work += 1
                return upstream, None
            if upstream.reserved and upstream.may_start():
                task = upstream.reserved.popleft()
                if len(upstream.reserved) == ENOUGH // 2:
                    self.to_prepare.ring()
                self._begin(upstream, task, slot)
                self._in_work += 1
                return upstream, task
        return None

    def _to_refill(self) -> Upstream | None:
        """An upstream that may send and has few tasks reserved."""
        for upstream in self.upstreams.values():
            is_low = len(upstream.reserved) < LOW_WATER and not upstream.is_refilling
            if is_low and upstream.has_ready and upstream.may_start():
                return upstream
        return None

    def _begin(self, upstream: Upstream, task: Task, slot: Slot) -> None:
        upstream.start(task.id)
        slot.begin(task)
        self._in_hand[upstream, task.id] = task.album_id

    async def _refill(self, upstream: Upstream) -> None:
        """Reserve more ready tasks: first untried ones, then those whose time has come."""
        upstream.is_refilling = True
        try:
            found = await self._commits.read(lambda journal: self._ready(journal, upstream))
            stale = {
                task.id
                for task in found
                if task.body is None or task.body.definition != upstream.definition
            }
            if stale:
                await self._commits.do(lambda journal: framing.make_stale(journal, stale))
                self.to_prepare.ring()
            stopped = {task.id for task in found if task.album_id in self.stopped}
            others = upstream.taken | stale | stopped
            fresh = [task for task in found if task.id not in others][:_BATCH]
            upstream.reserved.extend(fresh)
            upstream.taken.update(task.id for task in fresh)
            upstream.has_ready = bool(fresh or stale or stopped)
        finally:
            upstream.is_refilling = False
        if not upstream.has_ready:
            self.to_prepare.ring()
        self.changed.wake()

    def offer(self, upstream: Upstream, task: Task) -> None:
        """Take a photo that was just journaled as ready: reserve it, if it comes before all others
        that are ready."""
        is_next = (
            not upstream.has_ready
            and len(upstream.reserved) < _MOST_RESERVED
            and self.is_present(upstream)
            and upstream.closing is None
        )
        if (
            is_next
            and task.id not in upstream.taken
            and task.root_id not in self.away
            and task.album_id not in self.stopped
            and not upstream.same_refusals()
        ):
            upstream.reserved.append(task)
            upstream.taken.add(task.id)
        else:
            upstream.has_ready = True
        self.changed.wake()

    def _ready(self, journal: Journal, upstream: Upstream) -> list[Task]:
        if alike := upstream.same_refusals():
            return self._of_another_type(journal, upstream, {held.task.mime for held in alike})
        found: list[Task] = []
        now = journal.clock()
        for untried in (True, False):
            for album_id, root_id, copies in self._open_places(upstream):
                if (room := _BATCH - len(found)) > 0:
                    found += journal.ready(
                        album_id, root_id, now, room, untried, copies=copies, skip=upstream.taken
                    )
        return found

    def withdraw(self, upstream: Upstream, album_id: int | None = None) -> list[int]:
        """Take back an album's tasks (None: all), so that no more of them are sent to this target.

        Returns the ids of tasks that were held, and may be sent again.
        """
        upstream.unreserve(lambda task: album_id in (None, task.album_id))
        held = [
            one.task.id
            for one in (*upstream.held.values(), *upstream.refusals.values())
            if album_id in (None, one.task.album_id)
        ]
        for task_id in held:
            upstream.held.pop(task_id, None)
            upstream.refusals.pop(task_id, None)
            upstream.taken.discard(task_id)
        return held

    def cut(self, upstream: Upstream, album_id: int | None = None, *, whole: bool = False) -> None:
        """Cut uploads to this target, those of an album (None: all). ``whole``: also those that
        only wait for their answers."""
        for slot in self.busy_slots():
            is_meant = slot.task_id in upstream.in_flight and album_id in (None, slot.album_id)
            if is_meant and (whole or not slot.meter.whole):
                slot.meter.cut_now()

    def is_in_hand(self, album_id: int) -> bool:
        """Is an upload of this album in flight, undecided or not yet recorded?"""
        return album_id in self._in_hand.values()

    def leave_behind(self, album_id: int) -> None:
        """Wait no longer for an album's uploads, which were cut and do not end: something hangs."""
        for upstream, task_id in [one for one, album in self._in_hand.items() if album == album_id]:
            self._put_down(upstream, task_id)

    def is_present(self, upstream: Upstream) -> bool:
        """Is this the upstream of the target's present definition? Outcomes of others do not
        concern the target."""
        return self.upstreams.get(upstream.target.name) is upstream

    def _open_places(self, upstream: Upstream) -> list[tuple[int, int, bool]]:
        """Album and root of an upstream's tasks, and whether the root is away, so that only copies
        can be sent."""
        return [
            (album_id, root_id, root_id in self.away)
            for album_id, root_id in self.places_of(upstream)
        ]

    def _of_another_type(self, journal: Journal, upstream: Upstream, types: set[str]) -> list[Task]:
        """A photo of another type than those that were refused alike; if there is none, or two
        types were refused, the target is given up."""
        other = (
            journal.of_another_type(self.albums_of(upstream), *types) if len(types) == 1 else None
        )
        if other is None:
            self.close(upstream, closings.refused_alike(upstream))
            return []
        return [other] if other.body is not None else []

    async def draw(self, upstream: Upstream, slot: Slot) -> Task | None:
        """Draw a photo to send during a pause, from those tried least, and reserve it; None if
        there is none."""
        places, most = self._open_places(upstream), _SAMPLE + len(upstream.taken)
        found = await self._commits.do(lambda journal: journal.least_tried(places, most))
        found = [
            task
            for task in found
            if task.id not in upstream.in_flight
            and (upstream, task.id) not in self._in_hand
            and task.id not in upstream.held
            and task.album_id not in self.stopped
        ]
        lowest = min((task.attempts for task in found), default=0)
        lots = [task for task in found if task.attempts == lowest]
        if not lots or self.has_ended:
            upstream.breaker.not_probed(self._now())
            return None
        task = lots[int(self._world.chance() * len(lots))]
        if reserved := [one for one in upstream.reserved if one.id == task.id]:
            upstream.reserved.remove(reserved[0])
        upstream.taken.add(task.id)
        upstream.breaker.probing(task.id)
        self._begin(upstream, task, slot)
        return task

    def looked(self) -> None:
        """Note that a look at a paused target ended without a photo."""
        self._in_work -= 1
        self.to_end.ring()
        self.changed.wake()

    def retire(self, name: str) -> Upstream:
        """Take the upstream of a target that was redefined; return it."""
        retired = self._former[name] = self.upstreams.pop(name)
        return retired

    def keeps_albums(self, album_id: int) -> bool:
        """Does the server of this album of the run keep albums? Asked also while the target is
        built anew, and outcomes of the former definition come in."""
        album = self.albums.get(album_id)
        name = album.target if album is not None else ""
        upstream = self.upstreams.get(name) or self._former.get(name)
        return upstream is not None and upstream.target.keeps_albums

    def upstream_of(self, album_id: int) -> Upstream | None:
        """The upstream of an album of the run; None if there is none."""
        album = self.albums.get(album_id)
        return self.upstreams.get(album.target) if album is not None else None

    def going(self) -> list[Album]:
        """The albums of the run that are not stopped."""
        return [album for album in self.albums.values() if album.id not in self.stopped]

    def albums_of(self, upstream: Upstream) -> list[int]:
        """The ids of the albums that go to a target, without stopped ones."""
        return [album.id for album in self.going() if album.target == upstream.target.name]

    def places_of(self, upstream: Upstream) -> list[tuple[int, int]]:
        """Each album that goes to a target, with each root of its unsent photos."""
        return [
            (album, root)
            for album in self.albums_of(upstream)
            for root in self.album_roots.get(album, ())
        ]

    def have_ready(self, upstreams: Iterable[Upstream]) -> None:
        """Note that these upstreams may have ready tasks again, or tasks to be asked about."""
        for upstream in upstreams:
            upstream.has_ready = True
            if upstream.target.asks_first:
                self.to_ask.ring()
        self.changed.wake()

    # Reports of uploads: ``end`` when an attempt has ended, ``release`` once that is recorded.

    def set_aside(self, upstream: Upstream, task: Task) -> None:
        """Note that a disk does not yield a photo that was begun: others may be sent meanwhile,
        also where only one may be at a time."""
        upstream.unread.add(task.id)
        upstream.breaker.left(task.id, self._now())
        self.changed.wake()

    def end(self, upstream: Upstream, task: Task) -> None:
        self.decide(upstream.end(task.id))

    def release(self, upstream: Upstream, task: Task, *, comes_again: bool = True) -> None:
        """Forget a task that was taken; ``comes_again``: it may be ready again."""
        if task.id not in upstream.held and task.id not in upstream.refusals:
            upstream.taken.discard(task.id)
        upstream.breaker.left(task.id, self._now())
        upstream.has_ready = upstream.has_ready or comes_again
        self._put_down(upstream, task.id)
        self.changed.wake()

    def _put_down(self, upstream: Upstream, task_id: int) -> None:
        """Note that a task is in hand no more, if it still was."""
        if self._in_hand.pop((upstream, task_id), None) is None:
            return
        self._in_work -= 1
        if not self._in_work:
            self.to_end.ring()
            self.to_place.ring()

    def broke(self, upstream: Upstream, task: Task, record: Callable[[bool], None]) -> None:
        """Note that an upload broke though the server can be reached; ``record`` is called once it
        is decided whether that was the line."""
        self._undecided[task.id] = record
        self.decide(upstream.broke(task.id, self._now()))

    def decide(self, decided: Verdicts) -> None:
        for task_id, refunded in decided:
            self._undecided.pop(task_id)(refunded)

    def close(self, upstream: Upstream, closing: Closing) -> None:
        upstream.closing = upstream.closing or closing
        self.to_end.ring()

    async def root_away(self, root_id: int, seen: str = "") -> bool:
        """Is the root of an unreadable photo away? If so, its photos wait for the rest of the run.

        ``seen``: a fault of its volume that is known already.
        """
        root = self.roots.get(root_id)
        if root is None:
            return False
        look = partial(root_is_away, root.path, Place(root.volume), is_folder=root.is_folder)
        words = await self._world.helpers.run(Work.LOOK, look) or seen
        if not words:
            return False

        def is_out_of_reach(task: Task) -> bool:
            return task.root_id == root_id and not (task.body is not None and task.body.spool)

        self.away[root_id] = words
        for upstream in self.upstreams.values():
            upstream.unreserve(is_out_of_reach)
        return True
