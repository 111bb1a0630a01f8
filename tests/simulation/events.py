"""A plan's events come about: each at its step of the loop, its request, its connecting or its
job."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from albumup.helpers import Work
from albumup.journal import runs
from albumup.uploader.options import Stop
from albumup.uploader.sleep import LATE
from simulation.loop import Killed
from simulation.plan import (
    ALONE,
    CONNECTS,
    CUTS,
    ENDINGS,
    MANNERS,
    MEDDLING,
    ORDERS,
    PEOPLE,
    REFUSALS,
    REGIMES,
    ROUTES,
    SLEEPS,
    WAITS,
    Event,
)
from simulation.server import FIRST, Regime
from simulation.watcher import Watcher

if TYPE_CHECKING:
    from simulation.helpers import SimulatedHelpers
    from simulation.scene import Scene

_BOUNDARY = re.compile(rb"\r\nIdempotency-Key: \"([^\"]+)\"", re.IGNORECASE)
_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)", re.IGNORECASE)
_WORKS = {
    "open hangs": Work.OPEN,
    "read hangs": Work.READ,
    "look hangs": Work.LOOK,
    "ask hangs": Work.ASK,
}
_SICK = {
    "sick 502": (MANNERS["502"], 502),
    "sick 503": (MANNERS["503"], 503),
    "sick 504": (MANNERS["504, stored"], 504),
    "busy": (MANNERS["429"], 429),
    "fails": (MANNERS["500"], 0),
    "portal": (MANNERS["200 page"], 200),
    "refuses": (REFUSALS["401"], 401),
}


_NAMES = {manner: name for name, manner in MANNERS.items()}


class Outgoing:
    """The requests that one connection has handed over, as their bytes go by."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._left = 0
        self._boundary = ""

    def went(self, data: bytes | None, count: int) -> list[str]:
        """The boundaries of bodies whose last byte is among these."""
        if self._left:
            assert count <= self._left, "bytes beyond a request's end"
            self._left -= count
            return [] if self._left else [self._boundary]
        assert data is not None, "pages of a file before a head"
        self._head += data
        head, end, rest = bytes(self._head).partition(b"\r\n\r\n")
        if not end:
            return []
        length, named = _LENGTH.search(head), _BOUNDARY.search(head)
        assert length is not None and named is not None
        self._head.clear()
        self._boundary, self._left = named[1].decode(), int(length[1]) - len(rest)
        assert self._left >= 0, "bytes beyond a request's end"
        return [] if self._left else [self._boundary]


class Events:
    """Watches for the moments of a plan's events, and has them happen between two steps."""

    def __init__(self, scene: Scene) -> None:
        self.broken: Exception | None = None
        """A law that was broken where nothing may be raised."""
        self._scene = scene
        self._at_step: dict[int, list[Event]] = defaultdict(list)
        self._at_point: dict[tuple[str, int], list[Event]] = defaultdict(list)
        self._jobs: list[Event] = []
        self._due: list[Event] = []
        self._counts: dict[str, int] = defaultdict(int)
        self._is_over = False
        self._kind_of_manner: dict[int, str] = {}
        self._kind_of_cut: dict[int, str] = {}
        for event in scene.plan.events:
            self._place(event)
        server, line = scene.server, scene.line
        server.on_manner = lambda number: self._fire(self._kind_of_manner[number])
        server.on_poison = lambda manner: self._fire(f"poison: {_NAMES.get(manner, manner.kind)}")
        line.on_cut = lambda number: self._fire(self._kind_of_cut[number])
        line.on_connect = lambda number: self._fire(line.connects[number])
        server.on_point = self.happened

    def _place(self, event: Event) -> None:
        scene, kind, at = self._scene, event.kind, event.at
        if kind.startswith("poison: "):
            manner = {**MANNERS, **REFUSALS}[kind.removeprefix("poison: ")]
            scene.server.poison[f"IMG_{at}.JPG"] = manner
        elif kind in MANNERS or kind in REFUSALS:
            scene.server.manners[at] = {**MANNERS, **REFUSALS}[kind]
            self._kind_of_manner[at] = kind
        elif kind in CUTS:
            scene.line.cuts[at] = CUTS[kind]
            self._kind_of_cut[at] = kind
        elif kind in CONNECTS:
            scene.line.connects[at] = kind
        elif kind in REGIMES:
            self._at_point["begins", at].append(event)
        elif kind in MEDDLING or kind in ENDINGS or kind in PEOPLE or kind in ALONE:
            if event.on == "step":
                self._at_step[at].append(event)
            else:
                self._at_point[event.on, at].append(event)
        else:
            self._jobs.append(event)

    def prepare(self, helpers: SimulatedHelpers) -> None:
        """A new life begins."""
        for event in self._jobs:
            if event.kind in _WORKS:
                helpers.hangs[_WORKS[event.kind], event.at] = 5.0 + 115.0 * event.value
            elif event.kind == "commit slow":
                self._scene.slow_commits = 4 * event.at
        helpers.on_hang = lambda work, _: self._fire(f"{work} hangs")

    def end(self) -> None:
        """No more of them happen, and what lasts is over."""
        self._is_over = True
        self._due.clear()
        scene = self._scene
        scene.server.manners.clear()
        scene.server.poison = {
            name: one for name, one in scene.server.poison.items() if one.status == 413
        }
        scene.server.regimes.clear()
        scene.line.cuts.clear()
        scene.line.connects.clear()
        scene.line.down_until = 0.0
        scene.no_leave_until = 0.0
        scene.line.away.clear()
        scene.photos.put_back()
        scene.disk.bring_back()
        scene.expects_fault = False
        self._jobs.clear()

    def happened(self, point: str) -> None:
        """A request has come to a point."""
        self._counts[point] += 1
        for event in self._at_point.pop((point, self._counts[point]), ()):
            if event.kind in REGIMES:
                self._do(event)  # it holds for this request already
            else:
                self._due.append(event)

    def after_step(self) -> None:
        if self.broken is not None:
            raise self.broken
        scene = self._scene
        if scene.loop.steps in self._at_step:
            self._due += self._at_step.pop(scene.loop.steps)
        while self._due and not self._is_over:
            event = self._due.pop(0)
            if scene.life is not None:
                self._do(event)

    def _fire(self, kind: str) -> None:
        self._scene.fired[kind] += 1
        self._scene.excuses.add(kind)
        self._scene.tell("world", kind)

    def _do(self, event: Event) -> None:
        self._fire(event.kind)
        if event.kind in REGIMES:
            self._begin_regime(event)
        elif event.kind in MEDDLING:
            self._meddle(event)
        elif event.kind in ENDINGS:
            self._end_life(event)
        elif event.kind in ALONE:
            self._go_on_alone(event)
        else:
            self._live_on(event)

    def _begin_regime(self, event: Event) -> None:
        scene, now = self._scene, self._scene.loop.time()
        until = now + 10 ** (event.value * 4.7 - 0.5)
        if event.kind.startswith("down"):
            scene.line.down_until = until
            scene.line.how_down = "silent" if event.kind == "down silently" else "refused"
            if event.kind == "down" and scene.life is not None:
                for wire in scene.life.network.wires:
                    wire.reset()
        else:
            manner, questions = _SICK[event.kind]
            scene.server.regimes.append(Regime(event.kind, now, until, manner, questions))

    def _meddle(self, event: Event) -> None:
        photos, now = self._scene.photos, self._scene.clock()
        if event.kind in ("spool away", "copy gone"):
            if not self._scene.disk.lose_copies(1 if event.kind == "copy gone" else 1000):
                return
            self._scene.lost_copies = self._scene.expects_fault = True
            if event.kind == "spool away":
                self._scene.loop.outside(10 ** (event.value * 3), self._scene.disk.bring_back)
            return
        numbers = photos.numbers()
        if not numbers:
            return
        number = numbers[int(event.value * len(numbers))]
        if event.kind == "edit in hand" and self._scene.in_hand in numbers:
            number = self._scene.in_hand
        match event.kind:
            case "edit" | "edit in place" | "edit, same size" | "edit in hand":
                in_place, same_size = (
                    event.kind != "edit",
                    event.kind in ("edit, same size", "edit in hand"),
                )
                photos.edit(number, now, in_place=in_place, same_size=same_size)
            case "touch":
                photos.touch(number, now)
            case "remove":
                photos.remove(number)
            case _:
                photos.take_out(numbers if event.kind == "card swapped" else [])
                self._scene.loop.outside(10 ** (event.value * 3), photos.put_back)

    def _go_on_alone(self, event: Event) -> None:
        scene, seconds = self._scene, 10 ** (1.8 + 3.6 * event.value)
        if event.kind in ORDERS:
            scene.orders.do(event)
        elif event.kind == "moves":
            scene.move()
        elif event.kind in ROUTES:
            scene.line.away[FIRST] = scene.loop.time() + 10 ** (1.0 + 3.0 * event.value)
            scene.move()
        elif event.kind == "clock set":
            scene.offset += seconds if event.at % 2 else -seconds
            scene.clock_jumped = scene.clock_was_set = True
        elif event.kind in SLEEPS:
            if event.kind.endswith("run on"):  # long enough to be told from a rare look
                seconds += LATE + scene.plan.tick
            runs_on, lasts = event.kind.endswith("run on"), event.kind.endswith("last")
            scene.sleep(seconds, runs_on=runs_on, hangs_up=not lasts)
            scene.clock_jumped = scene.clock_jumped or not runs_on
        elif event.kind in WAITS:
            scene.no_leave_until = scene.loop.time() + 10 ** (1.0 + 3.0 * event.value)
        else:
            scene.watchers.append(Watcher(scene, hangs=event.kind == "watcher hangs"))

    def _end_life(self, event: Event) -> None:
        scene = self._scene
        if event.kind in ("kill", "power cut"):
            raise Killed(power=event.kind == "power cut")
        assert scene.life is not None
        if scene.life.command is not None:
            scene.life.command.signals += 1
        if scene.life.has_let_go:
            return
        scene.was_stopped = True
        scene.stopped_at = scene.clock()
        if event.kind == "stop":
            scene.drain(Stop(143, hold=False), 5.0)
            return
        scene.drain(Stop(130, hold=True), 30.0)
        if event.kind == "drain twice":
            scene.loop.outside(event.value * 10, self._cut)

    def _cut(self) -> None:
        scene = self._scene
        if scene.life is not None and scene.life.engine is not None and scene.was_stopped:
            scene.was_cut = True
            scene.tell("person", "Ctrl-C again")
            scene.life.engine.cut()

    def _live_on(self, event: Event) -> None:
        scene = self._scene
        if event.kind.startswith("clock"):
            sign = 1 if event.kind == "clock forward" else -1
            scene.offset += sign * 10 ** (event.value * 7)
            scene.clock_jumped = scene.clock_was_set = True
            return
        if event.kind in ("sleep", "stands still"):
            scene.sleep(10 ** (event.value * 5), runs_on=event.kind == "stands still")
        elif event.kind == "move":
            scene.move()
        else:
            self._join(event, tries=20)

    def _join(self, event: Event, tries: int) -> None:
        """Another process pushes again, and hands its album over."""
        import sqlite3

        from albumup.errors import AlbumupError, UsageError
        from albumup.journal.journal import Journal

        scene = self._scene
        if scene.life is None:
            return
        journal = Journal(scene.disk.journal, scene.clock)
        journal.connection.execute("pragma busy_timeout = 0")
        try:
            if event.kind == "second push":
                scene.photos.take(100 + event.at, 500, scene.clock() - 30)
                scene.push(journal)
            with journal.transaction():
                album_ids = [album.id for album in runs.albums(journal)]
                if scene.is_alone and event.kind == "second push":
                    album_ids = album_ids[:1]
                if scene.is_alone:
                    runs.hold(journal, album_ids, False)
                run = runs.join(journal, album_ids)
            if scene.is_alone:
                scene.orders.lifted(set(album_ids))
                scene.orders.joined(run, album_ids)
            elif run is not None:
                scene.pushes[run.id] += 1
            else:
                scene.came_too_late = True
        except UsageError:
            pass  # no photo is there: the card is out
        except (AlbumupError, sqlite3.OperationalError):
            if tries:
                scene.loop.outside(0.05, self._join, event, tries - 1)
        finally:
            journal.close()
