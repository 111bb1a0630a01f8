"""Who sends what next: reserved tasks, each target's lane, uploads in flight, roots that are away.

What is reserved here stays pending in the journal until its attempt starts, so a crash forgets nothing but plans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

from albumup.errors import AlbumupError
from albumup.helpers import Work
from albumup.journal import framing, pauses
from albumup.journal.commits import Commits
from albumup.journal.journal import Journal
from albumup.journal.rows import Album, Root, Task
from albumup.photos.source import Place, root_is_away
from albumup.retry import Finding, Outcome
from albumup.targets.base import Unasked
from albumup.targets.tokens import how_to_mend
from albumup.uploader import closings
from albumup.uploader.bell import Bell, Crowd
from albumup.uploader.breaker import NEVER_PHOTOS, Ended, Ruling
from albumup.uploader.events import Slot
from albumup.uploader.lane import Closing, Held, Lane
from albumup.uploader.world import World

TICK = 0.25
"""Seconds between looks at what changed without us: joiners, times that have come, the clock."""
_BATCH = 64
ENOUGH = 64
"""With so many tasks in reserve no more photos need to be read."""
_MOST_RESERVED = 128
_SAMPLE = 256
"""Tasks of which one is drawn to be sent into a pause."""
LOW_WATER = 16
"""Fewer tasks in reserve than this, and more are wanted."""


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What a photo that was accepted or refused tells: that a pause is over, and whose fault earlier outcomes were."""

    ends_pause: bool
    own: tuple[Held, ...]


_NO_AFTERMATH = Aftermath(ends_pause=False, own=())


class Queue:
    """What is in memory of a run. ``on_pause`` is told (lane, words, seconds) when a target's pause lasts.

    ``now``: monotonic seconds.
    """

    def __init__(self, commits: Commits, jobs: int, world: World, now: Callable[[], float]) -> None:
        self.lanes: dict[str, Lane] = {}
        self.albums: dict[int, Album] = {}
        self.roots: dict[int, Root] = {}
        self.album_roots: dict[int, set[int]] = {}
        """The roots under which an album's unsent photos lie."""
        self.away: dict[int, str] = {}
        self.slots = [Slot() for _ in range(jobs)]
        self.has_ended = False
        """The run takes no more work, whatever the reason."""
        self.changed = Crowd()
        """Wakes the slots: there may be something to send."""
        self.to_prepare, self.to_ask, self.to_keep, self.to_end = Bell(), Bell(), Bell(), Bell()
        """There may be something to read, to ask the servers, or to do in their albums; or the run may be over."""
        self.on_pause: Callable[[Lane, str, float], None] = lambda *_: None
        self._commits = commits
        self._world = world
        self._now = now
        self._limbo: dict[int, Callable[[bool], None]] = {}
        self._in_work = 0

    def no_more(self) -> None:
        """Nobody takes another task from here on."""
        self.has_ended = True
        for bell in (self.to_prepare, self.to_ask, self.to_keep, self.to_end):
            bell.ring()
        self.changed.wake()

    def is_busy(self) -> bool:
        """Is anything in flight, undecided or not yet recorded?"""
        return bool(self._limbo or self._in_work)

    def busy_slots(self) -> list[Slot]:
        return [slot for slot in self.slots if slot.task_id]

    def cut_all(self) -> None:
        """End what is in flight."""
        for slot in self.busy_slots():
            slot.meter.cut_now()

    async def next(self, slot: Slot) -> tuple[Lane, Task | None] | None:
        """The next task to send, waiting for one; no task: the target is to be looked at first, for it is paused.
        None when the run takes no more."""
        while not self.has_ended:
            if (lane := self._hungry()) is not None:
                await self._refill(lane)
            elif (found := self._next(slot)) is not None:
                return found
            else:
                await self.changed.wait()
        return None

    def _next(self, slot: Slot) -> tuple[Lane, Task | None] | None:
        for lane in self.lanes.values():
            if lane.breaker.is_sick and lane.may_probe(self._now()):
                lane.breaker.probing()
                self._in_work += 1
                return lane, None
            if lane.reserved and lane.may_start():
                task = lane.reserved.popleft()
                if len(lane.reserved) == ENOUGH // 2:
                    self.to_prepare.ring()
                self._begin(lane, task, slot)
                self._in_work += 1
                return lane, task
        return None

    def _hungry(self) -> Lane | None:
        """A lane that could send and has little in reserve."""
        for lane in self.lanes.values():
            is_low = len(lane.reserved) < LOW_WATER and not lane.is_refilling
            if is_low and not lane.dry and lane.may_start():
                return lane
        return None

    def _begin(self, lane: Lane, task: Task, slot: Slot) -> None:
        lane.start(task.id)
        slot.begin(task)

    async def _refill(self, lane: Lane) -> None:
        """Reserve more ready tasks: untried ones first, then those whose time has come."""
        lane.is_refilling = True
        try:
            found = await self._commits.read(lambda journal: self._ready(journal, lane))
            stale = {task.id for task in found if task.body is None or task.body.definition != lane.definition}
            if stale:
                await self._commits.do(lambda journal: framing.make_stale(journal, stale))
                self.to_prepare.ring()
            fresh = [task for task in found if task.id not in lane.taken and task.id not in stale][:_BATCH]
            lane.reserved.extend(fresh)
            lane.taken.update(task.id for task in fresh)
            lane.dry = not fresh and not stale
        finally:
            lane.is_refilling = False
        if lane.dry:
            self.to_prepare.ring()
        self.changed.wake()

    def offer(self, lane: Lane, task: Task) -> None:
        """A photo is ready, as journaled: it is reserved, if what is ready besides comes after it."""
        is_next = lane.dry and len(lane.reserved) < _MOST_RESERVED and self.is_present(lane) and lane.closing is None
        if is_next and task.id not in lane.taken and task.root_id not in self.away and not lane.same_refusals():
            lane.reserved.append(task)
            lane.taken.add(task.id)
        else:
            lane.dry = False
        self.changed.wake()

    def _ready(self, journal: Journal, lane: Lane) -> list[Task]:
        if alike := lane.same_refusals():
            return self._of_another_type(journal, lane, {held.task.mime for held in alike})
        found: list[Task] = []
        now = journal.clock()
        for untried in (True, False):
            for album_id, root_id, copies in self._open_places(lane):
                if (room := _BATCH - len(found)) > 0:
                    found += journal.ready(album_id, root_id, now, room, untried, copies=copies, skip=lane.taken)
        return found

    def withdraw(self, lane: Lane, album_id: int | None = None) -> list[int]:
        """An album (None: any) does not go to that target any more: what has not left whole goes back, free.

        The ids of tasks that were held, and may be sent again.
        """
        kept = [task for task in lane.reserved if album_id not in (None, task.album_id)]
        lane.taken -= {task.id for task in lane.reserved} - {task.id for task in kept}
        lane.reserved.clear()
        lane.reserved.extend(kept)
        for slot in self.busy_slots():
            if slot.task_id in lane.in_flight and album_id in (None, slot.album_id) and not slot.meter.whole:
                slot.meter.cut_now()
        held = [
            one.task.id
            for one in (*lane.held.values(), *lane.refusals.values())
            if album_id in (None, one.task.album_id)
        ]
        for task_id in held:
            lane.held.pop(task_id, None)
            lane.refusals.pop(task_id, None)
            lane.taken.discard(task_id)
        return held

    def is_present(self, lane: Lane) -> bool:
        """Is this how its target is defined now? What another one comes to says nothing of it."""
        return self.lanes.get(lane.target.name) is lane

    def _open_places(self, lane: Lane) -> list[tuple[int, int, bool]]:
        """The places of a lane's tasks; the third says that only those with a copy can be had, as the root is away."""
        return [(album_id, root_id, root_id in self.away) for album_id, root_id in self.places_of(lane)]

    def _of_another_type(self, journal: Journal, lane: Lane, types: set[str]) -> list[Task]:
        """A photo of another type than those that were refused alike; once there is none, or two types were refused,
        the target is given up."""
        other = journal.of_another_type(self.albums_of(lane), *types) if len(types) == 1 else None
        if other is None:
            self._give_up_refusing(lane)
            return []
        return [other] if other.body is not None else []

    async def draw(self, lane: Lane, slot: Slot) -> Task | None:
        """A photo to send into a pause, of those tried least, reserved; None if there is none."""
        places, most = self._open_places(lane), _SAMPLE + len(lane.taken)
        found = await self._commits.do(lambda journal: journal.least_tried(places, most))
        found = [task for task in found if task.id not in lane.in_flight and task.id not in lane.held]
        lowest = min((task.attempts for task in found), default=0)
        lots = [task for task in found if task.attempts == lowest]
        if not lots or self.has_ended:
            lane.breaker.not_probed(self._now())
            return None
        task = lots[int(self._world.chance() * len(lots))]
        if reserved := [one for one in lane.reserved if one.id == task.id]:
            lane.reserved.remove(reserved[0])
        lane.taken.add(task.id)
        lane.breaker.probing(task.id)
        self._begin(lane, task, slot)
        return task

    def looked(self) -> None:
        """A look at a paused target is over, without a photo."""
        self._in_work -= 1
        self.to_end.ring()
        self.changed.wake()

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
        for lane in lanes:
            lane.dry = False
            if lane.target.asks_first:
                self.to_ask.ring()
        self.changed.wake()

    # What uploads report. ``end`` is called when an attempt has ended, ``release`` once that is recorded.

    def end(self, lane: Lane, task: Task) -> None:
        self.decide(lane.end(task.id))

    def release(self, lane: Lane, task: Task, *, comes_again: bool = True) -> None:
        """``comes_again``: it may be among what is ready."""
        if task.id not in lane.held and task.id not in lane.refusals:
            lane.taken.discard(task.id)
        lane.breaker.left(task.id, self._now())
        lane.dry = lane.dry and not comes_again
        self._in_work -= 1
        if not self._in_work:
            self.to_end.ring()
            self.to_keep.ring()
        self.changed.wake()

    def broke(self, lane: Lane, task: Task, record: Callable[[bool], None]) -> None:
        """An upload broke and the server can be reached: whether that was the line is decided with the others."""
        self._limbo[task.id] = record
        self.decide(lane.broke(task.id, self._now()))

    def decide(self, decided: list[tuple[int, bool]]) -> None:
        for task_id, free in decided:
            self._limbo.pop(task_id)(free)

    def accepted(self, lane: Lane, when: float) -> Aftermath:
        """A photo was taken, or was there: the target is right, and well."""
        was_sick = lane.breaker.is_sick
        lane.breaker.accepted(when)
        return self._told_apart(lane, was_sick)

    def refused(self, lane: Lane, task: Task, finding: Finding) -> Aftermath | None:
        """A photo was refused for what it is; None while that may be the address's fault, and it is held."""
        if not lane.proven and not lane.target.is_local:
            lane.refusals[task.id] = Held(task, finding)
            self._look_for_alike(lane)
            return None
        was_sick = lane.breaker.is_sick
        lane.breaker.refused()
        return self._told_apart(lane, was_sick)

    def not_known(self, lane: Lane, task: Task, finding: Finding) -> None:
        """A whole photo was answered by a 2xx that the target's rules do not take."""
        if not lane.proven:
            lane.unknown.setdefault(task.id, Held(task, finding))
            self._look_for_alike(lane)

    def _look_for_alike(self, lane: Lane) -> None:
        """After three refused alike a photo of another type comes next, if there is one; never the whole folder."""
        if lane.same_refusals():
            lane.put_back()
        self.changed.wake()

    def _told_apart(self, lane: Lane, was_sick: bool) -> Aftermath:
        """What was held was the photos' own."""
        lane.is_told, lane.sick_from = False, None
        own: tuple[Held, ...] = ()
        if lane.held or lane.refusals:
            own = (*lane.held.values(), *lane.refusals.values()) if lane.proven else tuple(lane.held.values())
        if own:
            lane.held.clear()
            lane.refusals.clear()
        if was_sick:
            lane.dry = False
            self.changed.wake()
        return Aftermath(was_sick, own) if was_sick or own else _NO_AFTERMATH

    def neither(self, lane: Lane, task: Task, end: Ended, finding: Finding) -> Ruling:
        """A photo was neither taken nor refused: whose fault that was."""
        now = self._now()
        alone = not (lane.in_flight - {task.id})
        ruling = lane.breaker.ended(replace(end, is_alone=alone), now, self._world.chance())
        if ruling.is_held:
            lane.held[task.id] = Held(task, finding)
        self._after_look(lane, now)
        return ruling

    def unheld(self, lane: Lane, task_id: int) -> Held | None:
        """It is told whose fault the last outcome of a task was; None if it was not held."""
        held = lane.held.pop(task_id, None)
        if held is not None:
            lane.taken.discard(task_id)
            lane.dry = False
        return held

    def last_held(self) -> list[tuple[Lane, Held]]:
        """What is held when nothing else is left to tell whose fault it was: it was the photos' own."""
        found = []
        for lane in self.lanes.values():
            if lane.closing is None:
                found += [(lane, held) for held in (*lane.held.values(), *lane.refusals.values())]
                lane.held.clear()
                lane.refusals.clear()
        return found

    def let_go(self, lane: Lane, task: Task) -> None:
        """Nothing more is done with a task that was held."""
        lane.taken.discard(task.id)

    def unwell(self, lane: Lane, words: str, retry_after: float | None = None, *, task_id: int | None = None) -> None:
        """It does not answer a question, or cannot be connected for a photo (``task_id``)."""
        now = self._now()
        lane.breaker.unwell(words, retry_after, now, self._world.chance(), task_id)
        self._after_look(lane, now)

        if lane.breaker.is_sick and self.is_present(lane):
            name, spent = lane.target.name, lane.breaker.spent_photos
            self._commits.note(lambda journal: pauses.sick(journal, name, words, spent))

    def _after_look(self, lane: Lane, now: float) -> None:
        """Say that a pause lasts, give it up, or let the slots see that it began."""
        breaker = lane.breaker
        if breaker.is_sick and lane.sick_from is None:
            lane.sick_from = self._world.clock()
            lane.put_back()  # tries of theirs may have been given back
        if breaker.gave_up:
            self._close(lane, Closing(75, breaker.words))
        elif breaker.is_sick and not lane.is_told and lane.closing is None and self.is_present(lane):
            lane.is_told = True
            self.on_pause(lane, breaker.words, breaker.gives_up_at() - now)
        self.changed.wake()

    def spends_no_more(self, lane: Lane) -> None:
        """The pause has taken as many photos as it may, of a target that is sent no photo twice."""
        words = f"{lane.breaker.words}; {NEVER_PHOTOS} photos are in doubt because of it (resend = never)"
        self._close(lane, Closing(75, words, "The others wait for: albumup resume"))

    def judge_lane(self, lane: Lane, task: Task, finding: Finding) -> None:
        """What an outcome says of the target itself, whatever it says of the photo."""
        match finding.outcome:
            case Outcome.REFUSED if lane.target.is_local:
                words = f"{lane.target.address}: {finding.reason}"
                self._close(lane, Closing(1, words, "Make room on this disk, then: albumup resume"))
            case Outcome.REFUSED:
                words = f"{lane.target.title}: refused: {finding.reason}"
                self._close(lane, Closing(4, words, how_to_mend(lane.target, finding.status)))
            case Outcome.ASTRAY:
                self._close(lane, closings.astray(lane, finding, task))
            case _:
                pass
        self.changed.wake()

    def _give_up_refusing(self, lane: Lane) -> None:
        """A target that never accepted a photo has refused several alike."""
        self._close(lane, closings.refused_alike(lane))

    def _close(self, lane: Lane, closing: Closing) -> None:
        lane.closing = lane.closing or closing
        self.to_end.ring()

    def close_lane(self, lane: Lane, error: AlbumupError) -> None:
        """The target's configuration cannot serve a photo."""
        self._close(lane, Closing(error.exit_code, str(error), error.hint))

    def close_albums(self, lane: Lane, error: AlbumupError) -> None:
        """Its albums cannot be looked at; photos go there all the same."""
        lane.albums_closing = Closing(error.exit_code, str(error), error.hint)
        lane.is_ready = True
        self.changed.wake()

    def answered(self, lane: Lane) -> None:
        """The target answered a question about photos or albums. A pause goes on while there are photos to send."""
        is_over = lane.breaker.is_sick and lane.dry and not lane.in_flight and not lane.reserved
        if is_over:
            lane.breaker.refused()
            lane.sick_from = None
        if is_over and self.is_present(lane):
            self._commits.note(lambda journal: pauses.well(journal, lane.target.name))

    def unanswered(self, lane: Lane, unasked: Unasked) -> None:
        """A question to the target, or work on an album there, got no answer to rely on."""
        if unasked.is_astray and not lane.proven:
            self._close(lane, closings.astray_question(lane, str(unasked), has_answered=unasked.has_answered))
            return
        self.unwell(lane, str(unasked), unasked.retry_after)

    async def root_away(self, root_id: int, seen: str = "") -> bool:
        """Is the root of a photo that cannot be opened away? Then its photos wait, and nobody asks again.

        ``seen``: what was already seen to be wrong with its volume.
        """
        root = self.roots.get(root_id)
        if root is None:
            return False
        look = partial(root_is_away, root.path, Place(root.volume), is_folder=root.is_folder)
        words = await self._world.helpers.run(Work.LOOK, look) or seen
        if not words:
            return False
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
