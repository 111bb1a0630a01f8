"""One upload after the other: open, check, send, judge, record."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from albumup.errors import AlbumupError
from albumup.helpers import Work
from albumup.journal.commits import Commits
from albumup.journal.journal import Journal, LostTask
from albumup.journal.rows import Body, Task
from albumup.journal.states import State
from albumup.photos.pins import read_pins
from albumup.photos.source import AnotherVolume, Source, SourceChanged, SourceGone
from albumup.retry import MOST_FREES, Circumstances, Finding, Health, Outcome, Step, health_of, outcome_of
from albumup.targets.base import Photo, Target
from albumup.targets.bodies import head_of, photo_of, request_of
from albumup.transfer import Fault, Request, Sent
from albumup.transfer.connection import Connection
from albumup.transfer.http import Http
from albumup.transfer.values import Unreadable
from albumup.uploader.events import Changed, Recorded, Slot, Tried
from albumup.uploader.opener import OpenPayload
from albumup.uploader.outcomes import End
from albumup.uploader.queue import Aftermath
from albumup.uploader.run import Run
from albumup.uploader.upstream import Upstream

_ASK_SECONDS = 20.0
"""Silence after which a question without a photo counts as unanswered."""
_OPEN_SECONDS = 2.0
"""How long a photo that is sent into a pause may take to be opened."""
_MOST_WORDS = 300
_TOUCHED = "it was touched while it was sent: what the server has may be other bytes"
_MAY_BE_THERE = (Outcome.UPLOADED, Outcome.DUPLICATE, Outcome.IN_DOUBT)
_ACCEPTED = (Outcome.UPLOADED, Outcome.DUPLICATE)


class _Attempt:
    """The journal's row of an attempt: its id is known once that is made."""

    def __init__(self, task: Task, commits: Commits, run_id: int, began: float) -> None:
        self._task = task
        self._commits = commits
        self._run_id = run_id
        self.has_begun = False
        """It is journaled, or on its way there."""
        self.id = 0
        self.is_whole = False
        self.began = began

    def begin(self) -> None:
        """It is to be journaled, if it is not yet on its way there."""
        if not self.has_begun:
            self.has_begun = True
            self._commits.note(self._start)

    async def end_leaves(self) -> None:
        """Returns once it is durable that the body's last byte is about to leave; with the beginning, if need be.

        LostTask if the task was cancelled meanwhile, and its last byte must not leave.
        """
        await self._commits.do(self._whole if self.has_begun else self._start_whole)
        self.has_begun = self.is_whole = True

    def end_stayed(self) -> None:
        """What was handed over was not taken: it is sent once more, and until its end leaves there is no doubt."""
        if self.is_whole:
            self.is_whole = False
            self._commits.note(lambda journal: journal.stayed(self.id))

    def end_free(self, journal: Journal, error: str, reason: str = "") -> None:
        """If it had begun, it costs nothing, and its task waits again, for a ``reason``. LostTask."""
        if self.has_begun:
            if not self.id:
                raise LostTask(self._task.id)
            journal.end_attempt(self.id, Outcome.FREE, error=error)
            journal.move(self._task.id, State.PENDING, reason)

    def _start(self, journal: Journal, *, whole: bool = False) -> None:
        assert self._task.body is not None
        self.id = journal.start(self._task.id, self._run_id, self._task.body.boundary, whole=whole)

    def _start_whole(self, journal: Journal) -> None:
        self._start(journal, whole=True)

    def _whole(self, journal: Journal) -> None:
        if not self.id:
            raise LostTask(self._task.id)
        journal.whole(self.id)


class _Touched(Exception):
    """Bytes that were sent may have been others for a while: the end of the body is withheld, and it is sent again."""


class _Ended(Exception):
    """The attempt is over, and what came of it is recorded."""


@dataclass(slots=True)
class _Sending:
    """What is known of the photo in hand."""

    upstream: Upstream
    task: Task
    body: Body
    attempt: _Attempt
    photo: Photo | None = None
    """What its form may be filled with, where its reading has told."""
    may_be_there: bool = False
    """All of it left, and the server may have it, by its answer or for want of one."""


class Uploader:
    """Sends what the queue hands out for one slot, on a connection of its own per target."""

    def __init__(self, run: Run, slot: Slot) -> None:
        self._run = run
        self._slot = slot
        self._loop = asyncio.get_running_loop()
        self._connections: dict[Target, Connection] = {}
        self._https: dict[Target, Http] = {}
        self._urls: dict[Target, str] = {}

    async def work(self) -> None:
        run = self._run
        while (work := await run.queue.next(self._slot)) is not None:
            upstream, task = work
            try:
                if task is None:
                    task = await self._look(upstream)
                if task is not None:
                    run.opener.look_ahead(upstream.reserved)
                    await self._upload(upstream, task)
            except Exception as error:  # noqa: BLE001 - whatever it was, the run must end with words
                run.fail(error)
                if task is not None:
                    run.queue.end(upstream, task)
                    run.queue.release(upstream, task)
            if task is None:
                run.queue.looked()
            self._slot.task_id = 0
        for connection in self._connections.values():
            connection.close()

    async def _look(self, upstream: Upstream) -> Task | None:
        """Look at a paused target: a question first. If it is answered, one photo follows."""
        queue = self._run.queue
        asked = await self._ask(upstream)
        if not asked.is_well:
            queue.unwell(upstream, asked.words, asked.retry_after)
            return None
        if not upstream.breaker.may_spend():
            queue.spends_no_more(upstream)
            return None
        return await queue.draw(upstream, self._slot)

    async def _ask(self, upstream: Upstream) -> Health:
        """Ask the target something without a photo."""
        world, target = self._run.world, upstream.target
        if target not in self._https:
            self._https[target] = world.http(target, _ASK_SECONDS)
        url = self._urls.get(target)
        sent = await world.helpers.run(Work.ASK, target.ping, self._https[target], url)
        return health_of(sent, world.clock())

    async def _upload(self, upstream: Upstream, task: Task) -> None:
        """One attempt, from opening the source to handing over its outcome."""
        run, body = self._run, task.body
        assert body is not None
        attempt = _Attempt(task, run.commits, run.outcomes.run_id, self._loop.time())
        one = _Sending(upstream, task, body, attempt)
        source = self._take_kept(one)
        if source is None:
            # A disk that hangs says nothing of the target: another photo may be sent into its pause.
            patience = self._loop.call_later(_OPEN_SECONDS, lambda: upstream.breaker.left(task.id, self._loop.time()))
            try:
                source = await self._open(one)
            except _Ended:
                return
            finally:
                patience.cancel()
        try:
            await self._send_and_judge(one, source)
        except AlbumupError as error:
            if error.exit_code != 4:
                raise
            run.queue.close_upstream(upstream, error)
            self._finish(one, End(Finding(Outcome.FREE, ""), None, attempt.began, 0.0))
        except LostTask:
            run.queue.end(upstream, task)
            run.queue.release(upstream, task)
        except _Touched:
            self._once_more(one, "it was touched while it was sent")
        except (SourceChanged, SourceGone, Unreadable) as fault:
            await self._lost_source(one, source, fault)
        finally:
            if source.repinned:
                pins = source.pins
                run.commits.note(lambda journal: journal.repin(task.id, pins))
            source.close()

    async def _send_and_judge(self, one: _Sending, source: Source) -> None:
        upstream, task, body = one.upstream, one.task, one.body
        # The rules about answers may want digests that they did not want when the body was framed.
        digests = body.digests
        if wanted := set(upstream.target.digests) - digests.keys():
            digests = digests | await self._run.world.helpers.run(Work.READ, source.digests, wanted)
        photo = one.photo or photo_of(task, source.pins, digests, body.taken, upstream.target)
        head = head_of(task, body, upstream.target, photo)
        request = request_of(photo, body, upstream.target)
        self._urls[upstream.target] = request.url
        payload = OpenPayload(source, self._run.world.helpers)
        sent = await self._send(one, request, head, payload)
        finding = self._finding(one, photo, sent)
        one.may_be_there = finding.outcome in _MAY_BE_THERE or finding.is_doubt
        await payload.check(is_sent=True)
        await self._judge(one, sent, _doubted(finding) if source.touched else finding)

    def _take_kept(self, one: _Sending) -> Source | None:
        """A small photo that was read a moment ago, and that nothing has happened to; None for any other."""
        opened = self._run.opener.take_kept(one.task, one.body)
        if opened is None or not self._run.origins.is_known_already(one.task, opened.device):
            return None
        one.photo = opened.photo
        return opened.source

    async def _open(self, one: _Sending) -> Source:
        """The payload, checked: the copy or the photo. _Ended: it cannot be sent now, and that is recorded."""
        run, task, body = self._run, one.task, one.body
        try:
            if body.spool:
                return await self._open_copy(one, os.path.join(run.options.spool_folder, body.spool))
            return await self._open_photo(task, body)
        except AnotherVolume as other:
            await self._gone(one, str(other), seen=str(other))
        except SourceChanged as changed:
            if why := await run.origins.stranger(task):
                await self._gone(one, str(changed), seen=why)
            else:
                now = await run.world.helpers.run(Work.LOOK, _status_of, task.path)
                self._prepare_again(one, str(changed), now)
        except SourceGone as gone:
            await self._gone(one, str(gone))
        raise _Ended

    async def _open_photo(self, task: Task, body: Body) -> Source:
        """Raises SourceChanged if its bytes differ from the journaled ones, SourceGone, AnotherVolume, LocalError."""
        run = self._run
        opened = await run.opener.open(task, body)
        source = opened.source
        try:
            believes = await run.origins.is_known(task, opened.device)
            if not (believes and source.is_as_pinned()):
                await run.world.helpers.run(Work.OPEN, partial(source.verify, believes=believes))
        except BaseException:
            source.close()
            raise
        return source

    async def _open_copy(self, one: _Sending, copy: str) -> Source:
        """A copy; where it is gone or was altered, the photo itself, if it has the journaled bytes still.

        _Ended: then it is missing, and stays journaled as it was; or the whole spool is away, and the run ends.
        """
        run, task = self._run, one.task
        try:
            return await run.opener.open_copy(copy, one.body)
        except (SourceChanged, SourceGone) as fault:
            words = f"its copy cannot be used ({fault})"
            ends = isinstance(fault, SourceGone) and await run.ends_without_spool(copy)
        if ends:
            run.queue.end(one.upstream, task)
            run.queue.release(one.upstream, task)
            raise _Ended
        try:
            return await self._open_photo(task, one.body)
        except (SourceChanged, SourceGone, AnotherVolume) as other:
            run.queue.end(one.upstream, task)
            self._missing(one, f"{words}, and the photo itself neither ({other})")
        raise _Ended

    async def _lost_source(self, one: _Sending, source: Source, fault: SourceChanged | SourceGone | Unreadable) -> None:
        """It changed, or could not be read to its end, after the attempt began."""
        one.attempt.begin()
        if one.may_be_there:
            finding = Finding(Outcome.IN_DOUBT, f"{_TOUCHED} ({fault})")
            self._finish(one, End(finding, None, one.attempt.began, self._run.world.chance(), is_free=True))
            return
        if one.body.spool:  # the copy; opening it again finds the way on
            self._once_more(one, f"its copy could not be sent: {fault}")
            return
        if not isinstance(fault, SourceChanged):
            try:  # was it shortened, or is it gone?
                await self._run.world.helpers.run(Work.OPEN, source.check)
            except SourceChanged as changed:
                fault = changed
            except SourceGone as gone:
                fault = gone
        if isinstance(fault, SourceChanged):
            now = await self._run.world.helpers.run(Work.LOOK, _status_of, one.task.path)
            self._prepare_again(one, str(fault), now)
        else:
            await self._gone(one, str(fault))

    def _once_more(self, one: _Sending, words: str) -> None:
        """What was read may not have been the journaled bytes: the same body again; free if its end was withheld."""
        is_whole = one.attempt.is_whole
        outcome = Outcome.IN_DOUBT if is_whole else Outcome.BROKEN
        chance = self._run.world.chance()
        self._finish(one, End(Finding(outcome, words), None, one.attempt.began, chance, is_free=not is_whole))

    def _missing(self, one: _Sending, words: str) -> None:
        outcomes, task = self._run.outcomes, one.task
        self._record(
            one,
            lambda journal: outcomes.missing(journal, task, words),
            lambda: outcomes.told_missing(task, words),
        )

    async def _send(self, one: _Sending, request: Request, head: bytes, payload: OpenPayload) -> Sent:
        upstream, task, body, attempt = one.upstream, one.task, one.body, one.attempt

        async def before_last() -> None:
            """The bytes are the journaled ones, and the journal knows, durably, that their end is to leave."""
            if not (at_once and payload.source.is_kept):  # that was looked at just now, and its bytes are in hand
                await payload.check()
            if payload.source.touched and task.frees < MOST_FREES:
                attempt.begin()
                raise _Touched
            await attempt.end_leaves()

        connection = self._connections.get(upstream.target)
        if connection is None:
            run = self._run
            connection = self._connections[upstream.target] = Connection(
                request.url, upstream.target.peer, run.world.network, run.options.limit, upstream.keep_alive
            )
        at_once = await connection.takes_at_once(len(head) + payload.size + len(body.tail))
        if not at_once:
            attempt.begin()
        sending = (request, head, payload, body.tail, self._slot.meter, before_last)
        return await connection.send(*sending, at_once=at_once, taken_back=attempt.end_stayed)

    def _finding(self, one: _Sending, photo: Photo, sent: Sent) -> Finding:
        """What the answer means."""
        upstream = one.upstream
        verdict = upstream.target.read_answer(sent.answer, photo) if sent.answer is not None else None
        others_went = upstream.breaker.accepted_at > one.attempt.began
        has_digest = upstream.target.names_digest(photo)
        circumstances = Circumstances(upstream.proven, others_went, upstream.rules.can_ask, has_digest)
        return _without_token(upstream, outcome_of(sent, verdict, circumstances, self._run.world.clock()))

    async def _judge(self, one: _Sending, sent: Sent, finding: Finding) -> None:
        """Whose fault it was, the photo's, the line's or the target's; and what becomes of the photo."""
        run, upstream, task, attempt = self._run, one.upstream, one.task, one.attempt
        if finding.outcome in _ACCEPTED and not (finding.is_unconfirmed and upstream.rules.can_ask):
            self._accept(one, finding, sent)
            return
        is_line = finding.outcome is Outcome.BROKEN
        is_fine = is_well = True
        if finding.spent is not None and not upstream.breaker.is_sick:
            found = await self._ask(upstream)
            is_fine, is_well = found.is_reached, found.is_well
            if not is_well and found.words != finding.reason:
                finding = replace(finding, reason=f"{finding.reason}; then {found.words}"[:_MOST_WORDS])
        if finding.outcome is Outcome.SICK:
            run.queue.unwell(upstream, finding.reason, task_id=task.id)
        chance = run.world.chance()
        if is_line and is_fine:
            end = partial(End, finding, sent, attempt.began, chance, is_well=is_well)
            run.queue.broke(upstream, task, lambda free: self._finish(one, end(is_free=free)))
            return
        if is_line:
            run.queue.unwell(upstream, finding.reason, task_id=task.id)
        run.queue.judge_upstream(upstream, task, finding)
        is_free = sent.fault is Fault.CUT or is_line or finding.is_free
        self._finish(one, End(finding, sent, attempt.began, chance, is_free, is_well))
        if finding.outcome not in _ACCEPTED:
            await run.commits.flush()  # before anything else is sent there: it may be sick

    def _accept(self, one: _Sending, finding: Finding, sent: Sent) -> None:
        """Record that the server has it: nothing is left to decide."""
        run, upstream, task, attempt = self._run, one.upstream, one.task, one.attempt
        run.queue.end(upstream, task)  # the next one may go
        now = run.now()
        state = State.UPLOADED if finding.outcome is Outcome.UPLOADED else State.DUPLICATE

        def record(journal: Journal) -> None:
            after = run.queue.accepted(upstream, now)
            if not attempt.id:
                raise LostTask(task.id)
            run.outcomes.accepted(journal, task, attempt.id, upstream, state, finding, sent)
            run.outcomes.aftermath(journal, upstream, after)

        def recorded() -> None:
            run.outcomes.count(state, task.size)
            if one.body.spool:
                run.drop_copy(one.body.spool)
            run.outcomes.tell(Recorded(*run.outcomes.about(task), state, None, task.size))

        self._record(one, record, recorded, comes_again=False)

    def _finish(self, one: _Sending, end: End) -> None:
        """Record how an attempt ended, and what becomes of the task."""
        run, upstream, task, attempt, finding = self._run, one.upstream, one.task, one.attempt, end.finding
        accepted = finding.outcome in _ACCEPTED
        steps: list[Step] = []
        now = run.now()
        if accepted:
            run.queue.end(upstream, task)  # the next one may go; after a fault, only when it is known whose that was

        def record(journal: Journal) -> None:
            # In the order of the outcomes, for what one tells of the target decides about the next.
            if not accepted:
                run.queue.end(upstream, task)
            after = self._told(one, finding, now)
            if not attempt.id:
                raise LostTask(task.id)
            is_held = finding.outcome is Outcome.REJECTED and after is None
            how = replace(end, is_held=True) if is_held else end
            steps.append(run.outcomes.ended(journal, task, attempt.id, upstream, how))
            if after is not None:
                run.outcomes.aftermath(journal, upstream, after)
            if finding.drops_clip:
                journal.go_alone(task.id)
            if accepted:
                run.outcomes.note_accepted(journal, upstream)

        self._record(one, record, lambda: self._recorded(one, finding, steps[0]), comes_again=not accepted)

    def _told(self, one: _Sending, finding: Finding, when: float) -> Aftermath | None:
        """What an outcome tells of its target; ``when`` it was judged."""
        queue, upstream, task = self._run.queue, one.upstream, one.task
        match finding.outcome:
            case Outcome.UPLOADED | Outcome.DUPLICATE:
                return queue.accepted(upstream, when)
            case Outcome.REJECTED:
                return queue.refused(upstream, task, finding)
            case Outcome.IN_DOUBT if finding.status is not None and 200 <= finding.status < 300:
                queue.not_known(upstream, task, finding)
            case _:
                pass
        return None

    def _recorded(self, one: _Sending, finding: Finding, step: Step) -> None:
        run, upstream, task = self._run, one.upstream, one.task
        if step.ask_at is None:
            run.outcomes.count(step.state, task.size)
        if step.state is State.PENDING and finding.outcome is not Outcome.FREE:
            tried = Tried(
                *run.outcomes.about(task),
                outcome=finding.outcome.value,
                error=step.reason,
                tries=step.tries,
                of=upstream.rules.retries + 1,
                costs=step.tries > task.tries,
                held=step.tries > upstream.rules.retries,
                next_at=step.next_at,
            )
            run.outcomes.tell(tried)
        elif finding.is_unconfirmed:
            run.queue.to_ask.ring()
        elif step.state is not State.PENDING:
            asks_in = None if step.ask_at is None else step.ask_at - run.world.clock()
            about = run.outcomes.about(task)
            run.outcomes.tell(Recorded(*about, step.state, step.reason or None, task.size, asks_in))

    def _prepare_again(self, one: _Sending, words: str, now: os.stat_result | None) -> None:
        """The source has other bytes now: the task starts afresh."""
        run, task, attempt = self._run, one.task, one.attempt
        run.queue.end(one.upstream, task)

        def record(journal: Journal) -> None:
            attempt.end_free(journal, f"the source changed: {words}", f"changed, and prepared again: {words}")
            journal.prepare_again(task.id, read_pins(now) if now is not None else None)

        def recorded() -> None:
            run.queue.to_prepare.ring()
            run.outcomes.tell(Changed(*run.outcomes.about(task), words))

        self._record(one, record, recorded)

    async def _gone(self, one: _Sending, words: str, *, seen: str = "") -> None:
        """The source cannot be read: its card is away and it waits, or it is missing."""
        run, task, attempt = self._run, one.task, one.attempt
        run.queue.end(one.upstream, task)
        away = await run.queue.root_away(task.root_id, seen or await run.origins.stranger(task))

        def record(journal: Journal) -> None:
            attempt.end_free(journal, words)
            if not away:
                run.outcomes.missing(journal, task, words)

        def recorded() -> None:
            if not away:
                run.outcomes.told_missing(task, words)

        self._record(one, record, recorded)

    def _record(
        self,
        one: _Sending,
        record: Callable[[Journal], None],
        recorded: Callable[[], None],
        *,
        comes_again: bool = True,
    ) -> None:
        """Hand a change over; the task is free for others once it is durable, or was lost to a cancel."""
        queue = self._run.queue
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
            queue.release(one.upstream, one.task, comes_again=comes_again)

        self._run.commits.note(change, after)


def _status_of(path: bytes) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def _doubted(finding: Finding) -> Finding:
    """A yes to bytes that were perhaps not the journaled ones: sendfile's pages can change in the socket's queue."""
    if finding.outcome not in _ACCEPTED:
        return finding
    return Finding(Outcome.IN_DOUBT, _TOUCHED)


def _without_token(upstream: Upstream, finding: Finding) -> Finding:
    """A server may echo the token; it is journaled nowhere."""
    if not upstream.target.token:
        return finding
    masked = upstream.target.masked
    return replace(finding, reason=masked(finding.reason), remote_id=masked(finding.remote_id), url=masked(finding.url))
