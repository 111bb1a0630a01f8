"""Sends one photo after the other: open, check, send, judge, record."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from msgspec.structs import replace

from albumup.errors import AlbumupError
from albumup.helpers import Work
from albumup.journal.rows import Body, Task
from albumup.journal.store import LostTask
from albumup.photos.pins import is_young
from albumup.photos.source import AnotherVolume, Source, SourceChanged, SourceGone
from albumup.retry import ACCEPTED, MOST_REFUNDS, Circumstances, Finding, Outcome, outcome_of
from albumup.targets.base import Photo, Target
from albumup.targets.bodies import head_of, photo_of, request_of
from albumup.transfer import Fault, Request, Sent
from albumup.transfer.connection import Connection
from albumup.transfer.values import Unreadable
from albumup.uploader.asking import Asking
from albumup.uploader.attempt import Attempt, InHand
from albumup.uploader.ending import Ending
from albumup.uploader.opener import OpenPayload
from albumup.uploader.outcomes import End
from albumup.uploader.run import Run
from albumup.uploader.slot import Slot
from albumup.uploader.upstream import Upstream

_DISK_SECONDS = 2.0
"""How long a disk may take to open or to read a photo that is to be sent, before others are sent
where only one may be at a time."""
_MOST_WORDS = 300
_TOUCHED = "it was touched while it was sent: what the server has may be other bytes"
_TOO_SLOW = 408
"""The server waited in vain for the rest of the body (RFC 9110 section 15.5.9)."""
_SLEPT = "the computer slept before the answer came"
_MAY_BE_THERE = (Outcome.UPLOADED, Outcome.DUPLICATE, Outcome.IN_DOUBT)


class _Touched(Exception):
    """Other bytes may have been sent: the body's end is withheld, and the body sent again."""


class _Ended(Exception):
    """The attempt is over, and its outcome is recorded."""


class Uploader:
    """Sends the photos that the queue hands out for one slot, with one connection for each
    target."""

    def __init__(self, run: Run, slot: Slot) -> None:
        self._run = run
        self._slot = slot
        self._loop = asyncio.get_running_loop()
        self._connections: dict[tuple[Target, str], Connection] = {}
        self._asking = Asking(run)
        self._sleeps = run.sleep.count
        self._ending = Ending(run)

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
            except Exception as error:  # noqa: BLE001 - any error ends the run with a message
                run.fail(error)
                if task is not None:
                    run.queue.end(upstream, task)
                    run.queue.release(upstream, task)
            if task is None:
                run.queue.looked()
            self._slot.task_id = 0
        self._close_all()
        if self._slot.is_over:
            run.queue.slots.remove(self._slot)

    def _close_all(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    async def _look(self, upstream: Upstream) -> Task | None:
        """Look at a paused target by a question; if it is answered, the photo to send next. Or
        look for the address of one that is well: None."""
        queue, judge = self._run.queue, self._run.judge
        is_seeking = upstream.is_seeking and not upstream.breaker.is_sick
        asked = await self._asking.ask(upstream)
        if is_seeking:
            upstream.is_seeking = False
        if not asked.is_well:
            judge.not_well(upstream, asked)
        if is_seeking or not asked.is_well:
            return None
        if not upstream.breaker.may_spend():
            self._run.judge.spends_no_more(upstream)
            return None
        return await queue.draw(upstream, self._slot)

    async def _upload(self, upstream: Upstream, task: Task) -> None:
        """Make one attempt, from opening the source to recording the outcome."""
        run, body = self._run, task.body
        assert body is not None
        now, wakes = self._loop.time(), run.sleep.wakes
        attempt = Attempt(task, run.commits, run.outcomes.run_id, began=now, wakes=wakes)
        one = InHand(upstream, task, body, attempt)
        source = self._take_kept(one)
        if source is None:
            try:
                with self._waiting_for_disk(one):
                    source = await self._open(one)
            except _Ended:
                return
        try:
            await self._send_and_judge(one, source)
        except AlbumupError as error:
            if error.exit_code != 4:
                raise
            run.judge.close_upstream(upstream, error)
            self._ending.finish(one, End(Finding(Outcome.REFUNDED, ""), None, attempt.began, 0.0))
        except LostTask:
            run.queue.end(upstream, task)
            run.queue.release(upstream, task)
        except _Touched:
            self._ending.once_more(one, "it was touched while it was sent")
        except (SourceChanged, SourceGone, Unreadable) as fault:
            await self._lost_source(one, source, fault)
        finally:
            pins = source.pins
            if source.repinned and not is_young(pins, run.world.clock()):
                run.commits.note(lambda journal: journal.repin(task.id, pins))
            source.close()

    @contextmanager
    def _waiting_for_disk(self, one: InHand) -> Iterator[None]:
        """Set the photo aside if its disk hangs, which says nothing about the target."""
        upstream, task = one.upstream, one.task
        timer = self._loop.call_later(_DISK_SECONDS, self._run.queue.set_aside, upstream, task)
        try:
            yield
        finally:
            timer.cancel()
            upstream.unread.discard(task.id)

    async def _send_and_judge(self, one: InHand, source: Source) -> None:
        upstream, task, body = one.upstream, one.task, one.body
        # The rules about answers may need digests that they did not need when the body was framed.
        digests = body.digests
        if wanted := set(upstream.target.digests) - digests.keys():
            with self._waiting_for_disk(one):
                more = await self._run.world.helpers.run(Work.READ, source.digests, wanted)
            digests = digests | more
        photo = one.photo or photo_of(task, source.pins, digests, body.taken, upstream.target)
        head = head_of(task, body, upstream.target, photo)
        request = request_of(photo, body, upstream.target)
        self._asking.urls[upstream.target] = request.url
        waiting = partial(self._waiting_for_disk, one)
        payload = OpenPayload(source, self._run.world.helpers, waiting)
        sent = self._without_sleep(one, await self._send(one, request, head, payload))
        if sent.moved:
            self._run.sleep.renew()
        finding = self._finding(one, photo, sent)
        one.may_be_there = finding.outcome in _MAY_BE_THERE or finding.is_doubt
        await payload.check(is_sent=True)
        await self._judge(one, sent, _doubted(finding) if source.touched else finding)

    def _take_kept(self, one: InHand) -> Source | None:
        """A small photo that was kept from its reading and has not changed; None for any other."""
        opened = self._run.opener.take_kept(one.task, one.body)
        if opened is None or not self._run.origins.is_known_already(one.task, opened.device):
            return None
        one.photo = opened.photo
        return opened.source

    async def _open(self, one: InHand) -> Source:
        """Open and check the copy or the photo. Raises _Ended if it cannot be sent now, which is
        recorded."""
        run, task, body = self._run, one.task, one.body
        try:
            if body.spool:
                return await self._open_copy(
                    one, os.path.join(run.options.spool_folder, body.spool)
                )
            return await self._open_photo(task, body)
        except AnotherVolume as other:
            await self._ending.gone(one, str(other), seen=str(other))
        except SourceChanged as changed:
            await self._ending.changed(one, str(changed))
        except SourceGone as gone:
            await self._ending.gone(one, str(gone))
        raise _Ended

    async def _open_photo(self, task: Task, body: Body) -> Source:
        """Open and check the photo itself.

        Raises SourceChanged if its bytes differ from the journaled ones, SourceGone, AnotherVolume,
        LocalError.
        """
        run = self._run
        opened = await run.opener.open(task, body)
        source = opened.source
        try:
            trusts_pins = await run.origins.is_known(task, opened.device)
            if not (trusts_pins and source.is_as_pinned()):
                await run.world.helpers.run(
                    Work.OPEN, partial(source.verify, trusts_pins=trusts_pins)
                )
        except BaseException:
            source.close()
            raise
        return source

    async def _open_copy(self, one: InHand, copy: str) -> Source:
        """Open the copy; if it is gone or altered, the photo itself, if that still has the
        journaled bytes.

        Raises _Ended: the photo is missing, which is recorded; or the whole spool is away, and the
        run ends.
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
            self._ending.missing(one, f"{words}, and neither can the photo itself ({other})")
        raise _Ended

    async def _lost_source(
        self, one: InHand, source: Source, fault: SourceChanged | SourceGone | Unreadable
    ) -> None:
        """End an attempt whose source changed, or could not be read to its end, after it began."""
        one.attempt.begin()
        if one.may_be_there:
            finding = Finding(Outcome.IN_DOUBT, f"{_TOUCHED} ({fault})")
            self._ending.finish(
                one,
                End(finding, None, one.attempt.began, self._run.world.chance(), is_refunded=True),
            )
            return
        if one.body.spool:  # opening the copy again will decide what to do
            self._ending.once_more(one, f"its copy could not be sent: {fault}")
            return
        if not isinstance(fault, SourceChanged):
            try:  # was it shortened, or is it gone?
                await self._run.world.helpers.run(Work.OPEN, source.check)
            except SourceChanged as changed:
                fault = changed
            except SourceGone as gone:
                fault = gone
        if isinstance(fault, SourceChanged):
            await self._ending.changed(one, str(fault))
        else:
            await self._ending.gone(one, str(fault))

    async def _send(self, one: InHand, request: Request, head: bytes, payload: OpenPayload) -> Sent:
        upstream, task, body, attempt = one.upstream, one.task, one.body, one.attempt

        async def before_last() -> None:
            """Check the source, and journal durably that the body's end is about to leave."""
            # A kept photo was just checked, and goes from memory.
            if not (at_once and payload.source.is_kept):
                await payload.check()
            if payload.source.touched and task.refunds < MOST_REFUNDS:
                attempt.begin()
                raise _Touched
            await attempt.end_leaves()

        run = self._run
        if self._sleeps != run.sleep.count:  # they are of before it
            self._sleeps = run.sleep.count
            self._close_all()
        one.at = upstream.target.at
        place = upstream.target, one.at
        connection = self._connections.get(place)
        if connection is None:
            connection = self._connections[place] = Connection(
                request.url,
                upstream.target.peer,
                run.world.network,
                run.limit,
                upstream.keep_alive,
                partial(self._asking.confirm, upstream, one.at),
            )
        at_once = await connection.takes_at_once(len(head) + payload.size + len(body.tail))
        if not at_once:
            attempt.begin()
        sending = (request, head, payload, body.tail, self._slot.meter, before_last)
        return await connection.send(*sending, at_once=at_once, taken_back=attempt.end_stayed)

    def _without_sleep(self, one: InHand, sent: Sent) -> Sent:
        """For an upload that broke while the computer slept: the same as if we had cut it."""
        is_answered = sent.answer is not None and sent.answer.status != _TOO_SLOW
        if is_answered or not self._run.sleep.has_slept_since(one.attempt.wakes):
            return sent
        whole = sent.whole and sent.answer is None
        return replace(sent, answer=None, fault=Fault.CUT, detail=_SLEPT, whole=whole)

    def _finding(self, one: InHand, photo: Photo, sent: Sent) -> Finding:
        """The meaning of the answer, or of its lack."""
        upstream = one.upstream
        verdict = (
            upstream.target.read_answer(sent.answer, photo) if sent.answer is not None else None
        )
        others_went = upstream.breaker.accepted_at > one.attempt.began
        has_digest = upstream.target.names_digest(photo)
        circumstances = Circumstances(
            upstream.proven, others_went, upstream.rules.can_ask, has_digest
        )
        finding = outcome_of(sent, verdict, circumstances, self._run.world.clock())
        if sent.detail == _SLEPT:
            finding = replace(finding, reason=_SLEPT)
        return _without_token(upstream, finding)

    async def _judge(self, one: InHand, sent: Sent, finding: Finding) -> None:
        """Decide whose fault it was, the photo's, the line's or the target's, and end the attempt
        accordingly."""
        run, upstream, task, attempt = self._run, one.upstream, one.task, one.attempt
        if finding.outcome in ACCEPTED and not (finding.is_unconfirmed and upstream.rules.can_ask):
            self._ending.accept(one, finding, sent)
            return
        is_line = finding.outcome is Outcome.BROKEN
        is_fine = is_well = True
        if finding.spent is not None and not upstream.breaker.is_sick:
            found = await self._asking.ask(upstream)
            is_fine, is_well = found.is_reached, found.is_well
            if not is_well and found.words != finding.reason:
                finding = replace(
                    finding, reason=f"{finding.reason}; then {found.words}"[:_MOST_WORDS]
                )
        # The line to that address is gone, and the server answers at another one.
        is_left = sent.answer is None and one.at != upstream.target.at
        if finding.outcome is Outcome.SICK and not is_left:
            run.judge.unwell(upstream, finding.reason, task_id=task.id)
        chance = run.world.chance()
        if is_line and is_fine and not is_left:
            end = partial(End, finding, sent, attempt.began, chance, is_well=is_well)
            run.queue.broke(
                upstream, task, lambda refunded: self._ending.finish(one, end(is_refunded=refunded))
            )
            return
        if is_line and not is_left:
            run.judge.unwell(upstream, finding.reason, task_id=task.id)
        run.judge.judge(upstream, task, finding)
        is_refunded = sent.fault is Fault.CUT or is_line or is_left or finding.is_refunded
        self._ending.finish(one, End(finding, sent, attempt.began, chance, is_refunded, is_well))
        if finding.outcome not in ACCEPTED:
            # Judged before the next photo is sent: the target may be sick.
            await run.commits.flush()


def _doubted(finding: Finding) -> Finding:
    """Doubt a yes, as other bytes may be sent: sendfile's pages can change in the queue."""
    if finding.outcome not in ACCEPTED:
        return finding
    return Finding(Outcome.IN_DOUBT, _TOUCHED)


def _without_token(upstream: Upstream, finding: Finding) -> Finding:
    """Mask secrets, which a server may echo and the journal must not hold."""
    if not upstream.target.has_secrets:  # as with most forms, for each photo
        return finding
    masked = upstream.target.masked
    return replace(
        finding,
        reason=masked(finding.reason),
        remote_id=masked(finding.remote_id),
        url=masked(finding.url),
    )
