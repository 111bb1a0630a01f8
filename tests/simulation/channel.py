"""The command that takes notices, and the user who gets them: what was delivered is counted
here."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from albumup.hooks import LIMIT_SECONDS
from albumup.journal.notices import Notice
from albumup.session.channels import Handed, Means

if TYPE_CHECKING:
    from albumup.config.unattended import Unattended
    from albumup.session.hands import HandsOver
    from simulation.scene import Scene


@dataclass
class _News:
    """What a hook tells the user. ``life``: it does not outlive that; None: it outlives all."""

    key: str
    life: object
    has_arrived: bool = False


class Channel:
    """The hook of a story. ``got``: how often the user got each notice by it, by key; ``said``: on
    a terminal, late."""

    def __init__(self, scene: Scene) -> None:
        self.got: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        """How often the hook has failed with a notice, by key, whether the user got it or not."""
        self.said: Counter[str] = Counter()
        self.excused: Counter[str] = Counter()
        """How often a crash fell between handing a notice over and noting that."""
        self.had: dict[int, Notice] = {}
        """All notices that were handed over, by id: the journal drops old ones."""
        self.under_way: set[str] = set()
        """Notices that are handed over, and perhaps not noted."""
        self.gives_up: Callable[[], bool] = lambda: False
        """Is the hook that was begun last to be cut off?"""
        self.lasts = 0.0
        """How long the hook takes that was begun last."""
        self.is_well = False
        """Whatever it was before."""
        self._news: _News | None = None
        """Of the hook that was begun last."""
        self._scene, self._chance = scene, scene.chance.of("hook")

    def hand_over(self, _: Unattended, notice: Notice, means: Means) -> Handed:
        """What stands in for a hook: it ends ``lasts`` seconds later."""
        chance, key, scene = self._chance, notice.key, self._scene
        self.gives_up = means.gives_up
        how = "well" if self.is_well else scene.plan.hook
        self.under_way.add(key)
        self.had[notice.id] = notice
        scene.events.happened("hands over")
        self.lasts = chance.uniform(5.0, 29.0) if how == "slow" else chance.uniform(0.0, 2.0)
        hangs = how == "hangs" and chance.random() < 0.7
        if hangs:
            self.lasts = LIMIT_SECONDS
        fails = hangs or how == "fails"
        fails = fails or (how == "fails at times" and chance.random() < 0.4)
        self._news = None
        if chance.random() < (0.3 if fails else 1.0):
            outlives = chance.random() < 0.5  # its own process group is not killed with the command
            self._news = _News(key, scene.life if not outlives else None)
            scene.loop.outside(chance.random() * self.lasts, self._arrive, self._news)
        self.failed[key] += fails
        return Handed(not fails, "on_done failed: exit 1" if fails else "")

    def hook_ends(self) -> None:
        """The hook that was begun last comes to its own end: it has told the user before, also
        where the clock has jumped over both."""
        if self._news is not None:
            self._arrive(self._news)

    def _arrive(self, news: _News) -> None:
        if not news.has_arrived and news.life in (None, self._scene.life):
            news.has_arrived = True
            self.got[news.key] += 1
            self._scene.fired["a notice is delivered"] += 1
            self._scene.tell("person", "gets a notice")
            self._scene.events.happened("delivered")

    def crashed(self, noted: set[str]) -> None:
        """A life is over; ``noted``: the keys of notices whose handing over is in the journal."""
        for key in self.under_way - noted:
            self.excused[key] += 1
            self._scene.fired["a crash before a notice is marked"] += 1
        self.under_way.clear()


class SimulatedHands:
    """Hands notices over one after the other, in the story's time."""

    def __init__(self, scene: Scene, hand_over: HandsOver) -> None:
        self.is_over = False
        """The process is dead."""
        self._scene, self._hand_over = scene, hand_over
        self._given: deque[Notice] = deque()
        self._back: list[tuple[Notice, Handed | None]] = []
        self._is_busy = False
        self._ends_at = 0.0
        self._job: Notice | None = None
        """The notice whose hook is under way."""

    def give(self, notice: Notice) -> None:
        self._given.append(notice)
        if not self._is_busy:
            self._is_busy = True
            self._scene.loop.outside(0.0, self._begin)

    def back(self) -> Iterator[tuple[Notice, Handed | None]]:
        while self._back:
            yield self._back.pop(0)

    def work_for(self, seconds: float) -> None:
        """At least so long: nobody looks oftener at what takes its time."""
        if self._job is not None and self._scene.channel.gives_up():
            self._scene.channel.failed[self._job.key] += 1
            self._end(self._job, Handed(fault="on_done failed: cut off"))
        left = self._ends_at - self._scene.loop.time()
        self._scene.loop.pass_time(max(seconds, min(left, 5.0)))

    def end(self) -> None:
        assert not self._is_busy

    def _begin(self) -> None:
        if self.is_over:
            return
        notice, channel = self._given.popleft(), self._scene.channel
        channel.lasts = 0.0
        handed = self._hand_over(notice)
        self._ends_at = self._scene.loop.time() + channel.lasts
        self._job = notice
        self._scene.loop.outside(channel.lasts, self._comes_to_its_end, notice, handed)

    def _comes_to_its_end(self, notice: Notice, handed: Handed | None) -> None:
        """The hook comes to its own end, unless it was cut off before."""
        if not self.is_over and self._job is notice:
            self._scene.channel.hook_ends()
        self._end(notice, handed)

    def _end(self, notice: Notice, handed: Handed | None) -> None:
        if self.is_over or self._job is not notice:
            return
        self._job = None
        self._back.append((notice, handed))
        self._is_busy = bool(self._given)
        if self._is_busy:
            self._scene.loop.outside(0.0, self._begin)
        self._scene.events.happened("taken")
