"""A worker: open, check, send, judge, record, one photo after the other."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from albumup.body import AnotherVolume, Place, Source, SourceChanged, SourceGone, read_pins
from albumup.errors import AlbumupError, TryLater
from albumup.journal.journal import Journal, LostTask
from albumup.journal.recorder import Recorder
from albumup.journal.rows import Body, Task
from albumup.journal.states import State
from albumup.prepare import head_of, photo_of
from albumup.retry import MOST_FREES, Circumstances, Finding, Health, Outcome, Step, health_of, outcome_of
from albumup.targets.base import Photo, Target
from albumup.transfer import Fault, Request, Sent
from albumup.transfer.exchange import Unreadable
from albumup.transfer.http import Http
from albumup.transfer.wire import Wire
from albumup.uploader.dispatch import Aftermath
from albumup.uploader.lane import Lane
from albumup.uploader.progress import Slot
from albumup.uploader.recording import End
from albumup.uploader.spooling import drop_copies, is_away

if TYPE_CHECKING:
    from albumup.uploader.engine import Engine


_ASK_SECONDS = 20.0
"""Silence after which a question without a photo counts as unanswered."""
_MOST_WORDS = 300


class _Attempt:
    """The journal's row of an attempt: its id is known once the recorder has made it."""

    def __init__(self, task: Task, recorder: Recorder, run_id: int) -> None:
        self._task = task
        self._recorder = recorder
        self._run_id = run_id
        self._has_begun = False
        self.id = 0
        self.is_whole = False
        self.began = time.monotonic()

    def begin(self) -> None:
        """It is to be journaled, if it is not yet on its way there."""
        if not self._has_begun:
            self._has_begun = True
            self._recorder.do(self._start)
            self._recorder.flush()

    def end_leaves(self) -> None:
        """Returns once it is durable that the body's last byte is about to leave; with the beginning, if need be.

        LostTask if the task was cancelled meanwhile, and its last byte must not leave.
        """
        self._recorder.do(self._whole if self._has_begun else partial(self._start, whole=True)).wait()
        self._has_begun = self.is_whole = True

    def end_stayed(self) -> None:
        """What was handed over was not taken: it is sent once more, and until its end leaves there is no doubt."""
        if self.is_whole:
            self.is_whole = False
            self._recorder.do(lambda journal: journal.stayed(self.id))

    def _start(self, journal: Journal, *, whole: bool = False) -> None:
        assert self._task.body is not None
        self.id = journal.start(self._task.id, self._run_id, self._task.body.boundary, whole=whole)

    def _whole(self, journal: Journal) -> None:
        if not self.id:
            raise LostTask(self._task.id)
        journal.whole(self.id)


class _Touched(Exception):
    """Bytes that were sent may have been others for a while: the end of the body is withheld, and it is sent again."""


class Worker(threading.Thread):
    """Sends what the engine hands out, on a connection of its own per target."""

    def __init__(self, engine: Engine, slot: Slot) -> None:
        super().__init__(name="worker", daemon=True)
        self._engine = engine
        self._slot = slot
        self._wires: dict[Target, Wire] = {}
        self._https: dict[Target, Http] = {}
        self._urls: dict[Target, str] = {}

    def run(self) -> None:
        while (work := self._engine.dispatch.next(self._slot)) is not None:
            lane, task = work
            if task is None:
                task = self._look(lane)
            if task is None:
                self._engine.dispatch.looked()
                continue
            try:
                self._upload(lane, task)
            except BaseException as error:  # noqa: BLE001 - whatever it was, the run must hear of it
                self._engine.fail(error)
                self._engine.dispatch.end(lane, task)
                self._engine.dispatch.release(lane, task)
            self._slot.task_id = 0
        self._engine.recorder.flush()
        for wire in self._wires.values():
            wire.close()

    def _look(self, lane: Lane) -> Task | None:
        """Look at a paused target: a question first. If it is answered, one photo follows."""
        dispatch = self._engine.dispatch
        try:
            asked = self._ask(lane)
        except BaseException as error:  # noqa: BLE001 - whatever it was, the run must hear of it
            self._engine.fail(error)
            return None
        if not asked.is_well:
            dispatch.unwell(lane, asked.words, asked.retry_after)
            return None
        if not lane.breaker.may_spend():
            dispatch.spends_no_more(lane)
            return None
        return dispatch.draw(lane, self._slot)

    def _ask(self, lane: Lane) -> Health:
        """Ask the target something without a photo."""
        target = lane.target
        if target not in self._https:
            self._https[target] = target.http(_ASK_SECONDS)
        return health_of(target.ping(self._https[target], self._urls.get(target)), time.time())

    def _upload(self, lane: Lane, task: Task) -> None:
        """One attempt, from opening the source to handing over its outcome."""
        engine, body = self._engine, task.body
        assert body is not None
        attempt = _Attempt(task, engine.recorder, engine.recording.run_id)
        source = self._open(lane, task, body)
        if source is None:
            return
        try:
            # The rules about answers may want digests that they did not want when the body was framed.
            wanted = set(lane.target.digests) - body.digests.keys()
            digests = body.digests | (source.digests(wanted) if wanted else {})
            photo = photo_of(task, source.pins, digests, body.taken, lane.target)
            head = head_of(task, body, lane.target, photo)
            request = lane.target.request(photo)
            self._urls[lane.target] = request.url
            headers = [*request.headers, ("Content-Type", body.content_type), ("Idempotency-Key", f'"{body.boundary}"')]
            request = Request(request.method, request.url, headers)
            sent = self._send(lane, request, head, task, source, attempt)
            source.check()
        except AlbumupError as error:
            if error.exit_code != 4:
                raise
            engine.dispatch.close_lane(lane, error)
            self._finish(lane, task, attempt, End(Finding(Outcome.FREE, ""), None, attempt.began, 0.0))
        except LostTask:
            engine.dispatch.end(lane, task)
            engine.dispatch.release(lane, task)
        except _Touched:
            self._once_more(lane, task, attempt, "it was touched while it was sent")
        except (SourceChanged, SourceGone, Unreadable) as fault:
            attempt.begin()
            if body.spool:  # the copy; opening it again finds the way on
                self._once_more(lane, task, attempt, f"its copy could not be sent: {fault}")
            elif isinstance(fault, SourceChanged):
                self._prepare_again(lane, task, str(fault), attempt, os.fstat(source.descriptor))
            else:
                self._unreadable(lane, task, source, str(fault), attempt)
        else:
            self._judge(lane, task, attempt, photo, sent, touched=source.touched)
        finally:
            if source.repinned:
                pins = source.pins
                engine.recorder.do(lambda journal: journal.repin(task.id, pins))
            source.close()

    def _open(self, lane: Lane, task: Task, body: Body) -> Source | None:
        """The payload, checked: the copy or the photo. None: it cannot be sent now, and that is recorded."""
        try:
            if body.spool:
                return self._open_copy(lane, task, body, os.path.join(self._engine.options.spool_folder, body.spool))
            return Source(task.path, body, Place(task.volume), believes=self._engine.origins.is_known(task))
        except AnotherVolume as other:
            self._gone(lane, task, str(other), None, seen=str(other))
        except SourceChanged as changed:
            if why := self._engine.origins.stranger(task):
                self._gone(lane, task, str(changed), None, seen=why)
            else:
                self._prepare_again(lane, task, str(changed), None, _status_of(task.path))
        except SourceGone as gone:
            self._gone(lane, task, str(gone), None)
        return None

    def _open_copy(self, lane: Lane, task: Task, body: Body, copy: str) -> Source | None:
        """A copy; where it is gone or was altered, the photo itself, if it has the journaled bytes still.

        None: then it is missing, and stays journaled as it was; or the whole spool is away, and the run ends.
        """
        engine = self._engine
        try:
            return Source(os.fsencode(copy), body, None)
        except (SourceChanged, SourceGone) as fault:
            words = f"its copy cannot be used ({fault})"
            why = is_away(copy) if isinstance(fault, SourceGone) else ""
        if why:
            engine.dispatch.end(lane, task)
            engine.dispatch.release(lane, task)
            words = f"{os.path.dirname(copy)}: {why}; copies of photos are to be there"
            engine.fail(TryLater(words, "Bring back its disk, then: albumup resume"))
            return None
        try:
            return Source(task.path, body, Place(task.volume), believes=engine.origins.is_known(task))
        except (SourceChanged, SourceGone, AnotherVolume) as other:
            engine.dispatch.end(lane, task)
            self._missing(lane, task, f"{words}, and the photo itself neither ({other})")
        return None

    def _once_more(self, lane: Lane, task: Task, attempt: _Attempt, words: str) -> None:
        """What was read may not have been the journaled bytes: the same body again; free if its end was withheld."""
        self._engine.dispatch.end(lane, task)
        outcome = Outcome.IN_DOUBT if attempt.is_whole else Outcome.BROKEN
        end = End(Finding(outcome, words), None, attempt.began, self._engine.chance(), is_free=not attempt.is_whole)
        self._finish(lane, task, attempt, end)

    def _missing(self, lane: Lane, task: Task, words: str) -> None:
        recording = self._engine.recording
        self._record(
            lane,
            task,
            lambda journal: recording.missing(journal, task, words),
            lambda: recording.told_missing(task, words),
        )

    def _send(self, lane: Lane, request: Request, head: bytes, task: Task, source: Source, attempt: _Attempt) -> Sent:
        body = task.body
        assert body is not None

        def before_last() -> None:
            """The bytes are the journaled ones, and the journal knows, durably, that their end is to leave."""
            source.check()
            if source.touched and task.frees < MOST_FREES:
                attempt.begin()
                raise _Touched
            attempt.end_leaves()

        wire = self._wires.get(lane.target)
        if wire is None:
            limit = self._engine.options.limit
            wire = self._wires[lane.target] = Wire(request.url, lane.target.peer, limit, lane.keeping)
        at_once = wire.takes_at_once(len(head) + body.pins.size + len(body.tail))
        if not at_once:
            attempt.begin()
        meter, size = self._slot.meter, body.pins.size
        sending = (request, head, source.descriptor, size, body.tail, meter, before_last)
        return wire.send(*sending, at_once=at_once, taken_back=attempt.end_stayed)

    def _judge(self, lane: Lane, task: Task, attempt: _Attempt, photo: Photo, sent: Sent, *, touched: bool) -> None:
        """What the answer means. ``touched``: the bytes that left may have been others for a while."""
        engine = self._engine
        verdict = lane.target.read_answer(sent.answer, photo) if sent.answer is not None else None
        others_went = lane.breaker.accepted_at > attempt.began
        has_digest = lane.target.names_digest(photo)
        circumstances = Circumstances(lane.proven, others_went, lane.rules.can_ask, has_digest)
        finding = _without_token(lane, outcome_of(sent, verdict, circumstances, time.time()))
        if touched:
            finding = _doubted(finding)
        is_line = finding.outcome is Outcome.BROKEN
        is_fine = is_well = True
        if finding.spent is not None and not lane.breaker.is_sick:
            found = self._ask(lane)
            is_fine, is_well = found.is_reached, found.is_well
            if not is_well and found.words != finding.reason:
                finding = replace(finding, reason=f"{finding.reason}; then {found.words}"[:_MOST_WORDS])
        if finding.outcome is Outcome.SICK:
            engine.dispatch.unwell(lane, finding.reason, task_id=task.id)
        end = partial(End, finding, sent, attempt.began, engine.chance())
        if is_line and is_fine:
            engine.dispatch.broke(
                lane, task, lambda free: self._finish(lane, task, attempt, end(is_free=free, is_well=is_well))
            )
            engine.recorder.flush()
            return
        if is_line:
            engine.dispatch.unwell(lane, finding.reason, task_id=task.id)
        engine.dispatch.judge_lane(lane, task, finding)
        engine.dispatch.end(lane, task)
        is_free = sent.fault is Fault.CUT or is_line or finding.is_free
        self._finish(lane, task, attempt, end(is_free=is_free, is_well=is_well))
        if finding.outcome not in (Outcome.UPLOADED, Outcome.DUPLICATE):
            engine.recorder.flush()  # before anything else is sent there: it may be sick

    def _finish(self, lane: Lane, task: Task, attempt: _Attempt, end: End) -> None:
        """Record how an attempt ended, and what becomes of the task."""
        engine, finding = self._engine, end.finding
        accepted = finding.outcome in (Outcome.UPLOADED, Outcome.DUPLICATE)
        after: Aftermath | None = None
        if accepted:
            after = engine.dispatch.accepted(lane)
        elif finding.outcome is Outcome.REJECTED:
            after = engine.dispatch.refused(lane, task, finding)
            end = replace(end, is_held=after is None)
        elif finding.outcome is Outcome.IN_DOUBT and finding.status is not None and 200 <= finding.status < 300:
            engine.dispatch.not_known(lane, task, finding)
        step: Step | None = None

        def record(journal: Journal) -> None:
            nonlocal step
            if not attempt.id:
                raise LostTask(task.id)
            step = engine.recording.ended(journal, task, attempt.id, lane, end)
            if after is not None:
                engine.recording.aftermath(journal, lane, after)
            if finding.drops_clip:
                journal.go_alone(task.id)
            if accepted and engine.recording.first_accepted(lane):
                journal.accepted(lane.target.name, lane.target.settings.url or "")

        def recorded() -> None:
            assert step is not None
            if step.ask_at is None:
                engine.recording.count(step.state, task.size)
            if task.body is not None and task.body.spool and step.state in (State.UPLOADED, State.DUPLICATE):
                drop_copies([task.body.spool], engine.options.spool_folder)
            if step.state is State.PENDING and finding.outcome is not Outcome.FREE:
                engine.recording.tell(
                    "attempt",
                    task,
                    outcome=str(finding.outcome),
                    error=step.reason,
                    tries=step.tries,
                    of=lane.rules.retries + 1,
                    costs=step.tries > task.tries,
                    held=step.tries > lane.rules.retries,
                    next_at=step.next_at,
                )
            elif finding.is_hearsay:
                engine.dispatch.to_ask.set()
            elif step.state is not State.PENDING:
                asks_in = None if step.ask_at is None else step.ask_at - time.time()
                engine.recording.tell(str(step.state), task, error=step.reason or None, size=task.size, asks_in=asks_in)

        self._record(lane, task, record, recorded)

    def _prepare_again(
        self, lane: Lane, task: Task, words: str, attempt: _Attempt | None, now: os.stat_result | None
    ) -> None:
        """The source has other bytes now: the task starts afresh. ``attempt`` None: it had not begun."""
        engine = self._engine
        engine.dispatch.end(lane, task)

        def record(journal: Journal) -> None:
            if attempt is not None:
                if not attempt.id:
                    raise LostTask(task.id)
                journal.end_attempt(attempt.id, Outcome.FREE, error=f"the source changed: {words}")
                journal.move(task.id, State.PENDING, f"changed, and prepared again: {words}")
            journal.prepare_again(task.id, read_pins(now) if now is not None else None)

        self._record(lane, task, record, lambda: engine.recording.tell("changed", task, error=words))

    def _unreadable(self, lane: Lane, task: Task, source: Source, words: str, attempt: _Attempt) -> None:
        """It could not be read to its end: because it is shorter now, or because it is gone."""
        try:
            source.check()
        except SourceChanged as changed:
            self._prepare_again(lane, task, str(changed), attempt, os.fstat(source.descriptor))
            return
        except SourceGone as gone:
            words = str(gone)
        self._gone(lane, task, words, attempt)

    def _gone(self, lane: Lane, task: Task, words: str, attempt: _Attempt | None, seen: str = "") -> None:
        """The source cannot be read: its card is away and it waits, or it is missing."""
        engine = self._engine
        engine.dispatch.end(lane, task)
        away = engine.dispatch.root_away(task.root_id, seen or engine.origins.stranger(task))

        def record(journal: Journal) -> None:
            if attempt is not None:
                if not attempt.id:
                    raise LostTask(task.id)
                journal.end_attempt(attempt.id, Outcome.FREE, error=words)
                journal.move(task.id, State.PENDING)
            if not away:
                engine.recording.missing(journal, task, words)

        def recorded() -> None:
            if not away:
                engine.recording.told_missing(task, words)

        self._record(lane, task, record, recorded)

    def _record(self, lane: Lane, task: Task, record: Callable[[Journal], None], recorded: Callable[[], None]) -> None:
        """Hand a change over; the task is free for others once it is durable, or was lost to a cancel."""
        kept = True

        def change(journal: Journal) -> None:
            nonlocal kept
            try:
                record(journal)
            except LostTask:
                kept = False

        def after() -> None:
            if kept:
                recorded()
            self._engine.dispatch.release(lane, task)

        self._engine.recorder.do(change, after)


def _status_of(path: bytes) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def _doubted(finding: Finding) -> Finding:
    """A yes to bytes that were perhaps not the journaled ones: sendfile's pages can change in the socket's queue."""
    if finding.outcome not in (Outcome.UPLOADED, Outcome.DUPLICATE):
        return finding
    return Finding(Outcome.IN_DOUBT, "it was touched while it was sent: what the server has may be other bytes")


def _without_token(lane: Lane, finding: Finding) -> Finding:
    """A server may echo the token; it is journaled nowhere."""
    masked = lane.target.masked
    return replace(finding, reason=masked(finding.reason), remote_id=masked(finding.remote_id), url=masked(finding.url))
