"""Questions: is this photo on the server? Asked of what is in doubt, and on some servers before anything is sent.

In doubt, one "no" after the settle time suffices; a "yes" counts once the original was seen there. Before anything was
sent it counts at once.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from albumup.errors import AlbumupError
from albumup.file_names import text_of
from albumup.journal.journal import Journal, LostTask
from albumup.journal.rows import Task
from albumup.journal.states import DONE, State
from albumup.targets.base import Asked, NotAllowed, Original, Seen, Target, Unasked, Verdict, VerdictKind
from albumup.transfer.http import Http
from albumup.uploader.dispatch import LOW_WATER
from albumup.uploader.lane import Lane
from albumup.uploader.spooling import drop_copies

if TYPE_CHECKING:
    from albumup.uploader.engine import Engine

_LOOK_SECONDS = 0.25
_MOST = 5000
"""Photos in one question."""
_SEEN_AT_A_TIME = 32
"""Originals looked at before what was seen is journaled."""
_LONGEST_GATHERING = 2.0
"""Seconds for which photos are gathered for one question while they are still being read."""


@dataclass(frozen=True, slots=True)
class _Question:
    """Photos of one album. ``before``: they are not sent yet; else they are in doubt. ``is_former``: they were sent
    under another definition of their target, and are asked about by that one."""

    lane: Lane
    tasks: list[Task]
    before: bool
    is_former: bool = False


class Asker(threading.Thread):
    """Asks targets about the tasks whose time to be asked about has come."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(name="asker", daemon=True)
        self._engine = engine
        self._https: dict[Target, Http] = {}
        self._next = 0.0
        self._gathering = _LOOK_SECONDS / 4

    def run(self) -> None:
        engine = self._engine
        try:
            while not engine.dispatch.ended.is_set():
                questions = engine.recorder.do(self._due).wait()
                for question in questions:
                    self._ask(question)
                if not questions:
                    engine.dispatch.to_ask.wait(_LOOK_SECONDS)
                    engine.dispatch.to_ask.clear()
        except BaseException as error:  # noqa: BLE001 - whatever it was, the run must hear of it
            engine.fail(error)
        finally:
            engine.asking.clear()
            engine.dispatch.wake.set()

    def _due(self, journal: Journal) -> list[_Question]:
        engine, now = self._engine, journal.clock()
        found: list[_Question] = []
        with engine.dispatch.cond:
            for album in engine.dispatch.albums.values():
                lane = engine.dispatch.lanes.get(album.target)
                if lane is None or not lane.may_ask(time.monotonic()):
                    continue
                journal.ask_no_later(album.id, now + max(lane.rules.settle, lane.rules.seen_again))
                found += self._doubts(journal, lane, journal.doubts_due(album.id, now, _MOST))
                if self._asks_first(journal, lane, album.id) and (due := journal.unasked(album.id, _MOST)):
                    found.append(_Question(lane, due, before=True))
                    self._next = time.monotonic() + self._gathering
                    self._gathering = min(2 * self._gathering, _LONGEST_GATHERING)
                if found and found[-1].tasks[0].album_id == album.id:
                    engine.asking.add(album.id)
        return found

    def _doubts(self, journal: Journal, lane: Lane, due: Sequence[Task]) -> list[_Question]:
        """A question for each definition under which a body was sent: it is asked about by that one."""
        asked: dict[Lane, list[Task]] = {}
        for task in due:
            definition = task.body.definition if task.body is not None else None
            asked.setdefault(self._engine.formers.lane_for(journal, lane, definition), []).append(task)
        now = time.monotonic()
        return [
            _Question(one, tasks, before=False, is_former=one is not lane)
            for one, tasks in asked.items()
            if one is lane or one.closing is not None or one.may_ask(now)
        ]

    def _asks_first(self, journal: Journal, lane: Lane, album_id: int) -> bool:
        """Is it time to ask about what is not sent yet? As many at once as can be without letting the workers wait."""
        if not self._engine.preparing:
            return True
        is_hungry = len(lane.reserved) < LOW_WATER and time.monotonic() >= self._next
        return is_hungry or journal.unasked_count(album_id, _MOST) == _MOST

    def _ask(self, question: _Question) -> None:
        engine, lane, tasks = self._engine, question.lane, question.tasks
        target = lane.target
        if question.is_former and lane.closing is not None:
            self._stay(question, lane.closing.words)
            engine.asking.discard(tasks[0].album_id)
            engine.dispatch.wake.set()
            return
        if not lane.rules.can_ask:
            # The target was one that can be asked, once; now the resend rule decides.
            self._record(question, [None] * len(tasks))
            engine.asking.discard(tasks[0].album_id)
            engine.dispatch.wake.set()
            return
        http = self._https.get(target)
        if http is None:
            http = self._https[target] = target.http()
        photos = [
            Asked(
                task.sent_as or os.path.basename(text_of(task.path)),
                task.body.digests if task.body is not None else {},
                task.body.pins.size if task.body is not None else task.size,
            )
            for task in tasks
        ]
        try:
            answers = target.ask(http, tasks[0].album, photos)
            engine.dispatch.answered(lane)
            if question.before:
                self._record(question, answers)
            else:
                self._look(question, http, photos, answers)
        except NotAllowed as refused:
            self._not_allowed(question, refused)
        except Unasked as unasked:
            engine.dispatch.unanswered(lane, unasked)
        except AlbumupError as error:
            engine.dispatch.close_lane(lane, error)
        engine.asking.discard(tasks[0].album_id)
        engine.dispatch.wake.set()

    def _look(
        self, question: _Question, http: Http, photos: Sequence[Asked], answers: Sequence[Verdict | None]
    ) -> None:
        """Look at what the server says it has, and record it, a few at a time. Raises as ``Target.see`` does."""
        target, tasks = question.lane.target, question.tasks
        seen: list[Seen | None] = []
        done = 0

        def record() -> None:
            part = _Question(question.lane, tasks[done : len(seen)], before=False)
            self._record(part, answers[done : len(seen)], seen[done:])

        try:
            for photo, answer in zip(photos, answers, strict=True):
                if self._engine.dispatch.ended.is_set():
                    return
                is_there = answer is not None and answer.kind in (VerdictKind.STORED, VerdictKind.DUPLICATE)
                try:
                    seen.append(target.see(http, tasks[0].album, photo, answer) if answer and is_there else None)
                except NotAllowed as refused:  # of this one; what was seen of the others counts
                    seen.append(Seen(Original.UNKNOWN, str(refused)))
                if len(seen) - done == _SEEN_AT_A_TIME:
                    record()
                    done = len(seen)
        finally:
            if len(seen) > done:
                record()

    def _not_allowed(self, question: _Question, refused: NotAllowed) -> None:
        """The key may not ask. That closes nothing: photos are sent unasked, and what is in doubt stays so."""
        if question.before:
            self._record(question, [None] * len(question.tasks))
            return
        self._stay(question, str(refused))

    def _stay(self, question: _Question, why: str) -> None:
        """What is in doubt stays so."""
        words = f"whether it is there cannot be asked: {why}"
        unknown = Verdict(VerdictKind.UNPROVEN, "it cannot be asked")
        self._record(question, [unknown] * len(question.tasks), [Seen(Original.UNKNOWN, words)] * len(question.tasks))

    def _record(
        self, question: _Question, answers: Sequence[Verdict | None], seen: Sequence[Seen | None] | None = None
    ) -> None:
        """``seen``: of what was in doubt, what came of looking at each; None where nobody looked."""
        engine, lane, tasks = self._engine, question.lane, question.tasks
        seen = [None] * len(tasks) if seen is None else seen
        steps: list[tuple[Task, State, str]] = []
        again: list[Task] = []

        def record(journal: Journal) -> None:
            steps.clear()
            again.clear()
            for task, answer, look in zip(tasks, answers, seen, strict=True):
                state: State | None
                try:
                    if question.before:
                        state = engine.recording.known(journal, task, answer)
                    else:
                        state = engine.recording.answered(
                            journal, task, lane.rules, answer, look, lane.target.address, chance=engine.chance()
                        )
                except LostTask:
                    continue  # cancelled or forgotten meanwhile
                if state is None:
                    again.append(task)
                else:
                    is_over = state in DONE or state is State.PENDING
                    steps.append((task, state, "" if is_over else journal.reason_of(task.id)))

        def recorded() -> None:
            for task, state, words in steps:
                if state in DONE and task.body is not None and task.body.spool:
                    drop_copies([task.body.spool], engine.options.spool_folder)
                engine.recording.count(state, task.size)
                if state is not State.PENDING:
                    engine.recording.tell(str(state), task, outcome="asked", error=words or None)
                elif not question.before:
                    engine.recording.tell("attempt", task, outcome="asked")
            for task in again:
                words = "it is there; after a fault of the server it is looked at once more"
                wait = lane.rules.seen_again
                engine.recording.tell("in_doubt", task, outcome="asked", error=words, asks_in=wait)
            engine.dispatch.wet([lane])

        engine.recorder.do(record, recorded).wait()
