"""Doubts settled by asking: a "yes" counts at once, one "no" after the settle time suffices."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from albumup.errors import AlbumupError
from albumup.journal.journal import Journal, LostTask
from albumup.journal.rows import Task
from albumup.journal.states import State
from albumup.targets.base import Unasked, Verdict
from albumup.transfer.http import Http
from albumup.uploader.lane import Lane

if TYPE_CHECKING:
    from albumup.uploader.engine import Engine

_LOOK_SECONDS = 0.25
_MOST = 1000
"""Photos in one question."""


class Asker(threading.Thread):
    """Asks targets about the tasks whose time to be asked about has come."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(name="asker", daemon=True)
        self._engine = engine
        self._https: dict[str, Http] = {}

    def run(self) -> None:
        engine = self._engine
        try:
            while not engine.dispatch.ended.wait(_LOOK_SECONDS):
                for lane, tasks in engine.recorder.do(self._due).wait():
                    self._ask(lane, tasks)
        except BaseException as error:  # noqa: BLE001 - whatever it was, the run must hear of it
            engine.fail(error)
        finally:
            engine.asking.clear()
            engine.dispatch.wake.set()

    def _due(self, journal: Journal) -> list[tuple[Lane, list[Task]]]:
        engine, now = self._engine, journal.clock()
        found: list[tuple[Lane, list[Task]]] = []
        with engine.dispatch.cond:
            for album in engine.dispatch.albums.values():
                lane = engine.dispatch.lanes.get(album.target)
                if lane is None or lane.closing is not None:
                    continue
                if lane.sick_since is not None and time.monotonic() < lane.next_probe:
                    continue
                journal.ask_no_later(album.id, now + lane.rules.settle)
                if due := journal.doubts_due(album.id, now, _MOST):
                    found.append((lane, due))
                    engine.asking.add(album.id)
        return found

    def _ask(self, lane: Lane, tasks: list[Task]) -> None:
        engine, target = self._engine, lane.target
        if not lane.rules.can_ask:
            # The target was one that can be asked, once; now the resend rule decides.
            self._record(lane, tasks, [None] * len(tasks))
            return
        http = self._https.get(target.name)
        if http is None:
            http = self._https[target.name] = target.http()
        digests = [task.body.digests if task.body else {} for task in tasks]
        try:
            answers = target.ask(http, tasks[0].album, digests)
        except Unasked as unasked:
            with engine.dispatch.cond:
                lane.ailing(None, str(unasked), None, time.monotonic(), engine.chance())
            engine.asking.discard(tasks[0].album_id)
            return
        except AlbumupError as error:
            engine.dispatch.close_lane(lane, error)
            engine.asking.discard(tasks[0].album_id)
            return
        self._record(lane, tasks, answers)

    def _record(self, lane: Lane, tasks: list[Task], answers: Sequence[Verdict | None]) -> None:
        engine, target = self._engine, lane.target
        steps: list[tuple[Task, State]] = []

        def record(journal: Journal) -> None:
            for task, answer in zip(tasks, answers, strict=True):
                try:
                    state = engine.recording.answered(
                        journal, task, lane.rules, answer, target.address, chance=engine.chance()
                    )
                    steps.append((task, state))
                except LostTask:
                    continue  # cancelled or forgotten meanwhile

        def recorded() -> None:
            for task, state in steps:
                engine.recording.count(state, task.size)
                engine.recording.tell("attempt" if state is State.PENDING else str(state), task, outcome="asked")
            with engine.dispatch.cond:
                lane.dry = False

        engine.recorder.do(record, recorded).wait()
        engine.asking.discard(tasks[0].album_id)
        engine.dispatch.wake.set()
