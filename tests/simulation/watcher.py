"""Who watches a run from another terminal: reads its snapshot and the journal at any moment, and is
never told more than is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from albumup.journal.journal import Journal
from albumup.journal.opening import open_reader
from albumup.journal.states import DONE
from albumup.session.looking import Looker
from albumup.session.others import Others
from simulation.laws import Broken

if TYPE_CHECKING:
    import sqlite3

    from albumup.session.telling import Word
    from albumup.uploader.events import Event, Progress
    from simulation.scene import Scene

MOST_LOOKS = 16
"""Looks of a watcher at one life."""


class Screen:
    """An audience that remembers what it shows, and how it changes."""

    def __init__(self) -> None:
        self.shown: Progress | None = None
        self.heard: Counter[str] = Counter()

    def hear(self, event: Event) -> None:
        self.heard[event.kind if hasattr(event, "kind") else ""] += 1

    def recall(self, _: Event) -> None: ...

    def say(self, _: Word) -> None: ...

    def name_target(self, *_: str) -> None: ...

    def show(self, progress: Progress, albums: Iterable[str]) -> None:  # noqa: ARG002
        self.shown = progress


class Watcher:
    """One who watches all lives of a story. ``hangs``: is stopped in the middle of reading, and
    holds nobody up by that."""

    def __init__(self, scene: Scene, *, hangs: bool) -> None:
        self._scene, self._hangs = scene, hangs
        self._chance = scene.chance.of("watcher")
        self._reader: sqlite3.Connection | None = None
        self._due = 0.0
        self._looks = 0
        self._run_id = 0
        self._most_done = 0

    def turn(self) -> None:
        scene = self._scene
        if scene.loop.time() < self._due or self._looks >= MOST_LOOKS:
            return
        self._looks += 1
        self._due = scene.loop.time() + self._chance.uniform(0.0, 0.1) * 2.0**self._looks
        if self._reader is None:
            self._begin()
        if self._reader is not None and not self._reader.in_transaction:
            self.look()
            if self._hangs and self._chance.random() < 0.3:
                self._reader.execute("begin")
                self._reader.execute("select count(*) from task").fetchone()

    def _begin(self) -> None:
        scene = self._scene
        self._reader = open_reader(scene.disk.journal)
        assert self._reader is not None
        self._journal = Journal(scene.disk.journal, scene.clock, reader=self._reader)
        self._screen = Screen()
        self._looker = Looker(self._journal, self._screen, now=scene.loop.time)  # type: ignore[arg-type]
        self._others = Others(self._journal, scene.loop.time)
        self._run_id = self._most_done = 0

    def end(self) -> None:
        """The life that it watched is over."""
        if self._reader is not None:
            self._reader.close()
        self._reader, self._looks = None, 0

    def look(self) -> None:
        """Look as ``watch`` does, and as ``wait``."""
        others = self._others
        run = others.look()
        if run is not None:
            self._looker.look(run)
            if run.id != self._run_id:
                self._run_id, self._most_done = run.id, 0
            if self._screen.shown is not None:
                self._judge(self._screen.shown)
        ids = others.scope()
        code = others.code(ids) if ids else None
        self._scene.fired["a watcher looks"] += 1
        if code is not None:
            self._judge_code(code, ids)

    def _judge(self, progress: Progress) -> None:
        """What is shown is there; a total does not shrink below that."""
        scene, done = self._scene, progress.photos_done
        ledger = scene.server.ledger
        # A photo that is pushed again is done again, though nothing may come anew.
        there = len(ledger.copies) + sum(came.answer == "409" for came in ledger.came)
        there += len(scene.pushed_again)
        words = f"{done} of {progress.photos_total} photos are shown as sent"
        if not 0 <= done <= progress.photos_total:
            raise Broken(words)
        if done > there:
            raise Broken(f"{words}, and {there} are there")
        # An album that was stopped is not shown any more.
        is_smaller = bool(scene.pushed_again) or scene.was_ordered
        if progress.photos_total < self._most_done and not is_smaller:
            raise Broken(f"{words}, after {self._most_done}")
        if not progress.bytes_done >= 0:
            raise Broken(f"{progress.bytes_done} bytes are shown as sent")
        self._most_done = max(done, self._most_done)

    def _judge_code(self, code: int, ids: Iterable[int]) -> None:
        """What waits for albums is told that all is there only when it is."""
        marks = ", ".join(str(one) for one in ids)
        sql = f"select state, count(*) from task where album_id in ({marks}) group by state"
        assert self._reader is not None
        states = {row[0]: row[1] for row in self._reader.execute(sql)}
        if code == 0 and (wrong := set(states) - set(DONE)):
            raise Broken(f"who waits is told that all is there, and there are {wrong}")
        if code in (0, 3) and {"pending", "sending"} & set(states):
            raise Broken(f"who waits gets {code}, and there are {states}")
