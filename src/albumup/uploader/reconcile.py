"""Asks servers whether they have a photo: one in doubt, and for some servers each photo before it
is sent.

For a photo in doubt, one "no" after the settle time suffices, and a "yes" counts once the original
was seen there. For a photo that was not sent yet, a "yes" counts at once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass

from albumup.errors import AlbumupError
from albumup.helpers import Work
from albumup.journal.journal import Journal
from albumup.journal.rows import Task
from albumup.journal.states import DONE, State
from albumup.journal.store import LostTask
from albumup.photos.file_names import text_of
from albumup.targets.base import (
    Asked,
    NotAllowed,
    Original,
    Seen,
    Unasked,
    Verdict,
    VerdictKind,
)
from albumup.transfer.http import Http
from albumup.uploader.answers import Answers
from albumup.uploader.asking import confirm
from albumup.uploader.events import Answered
from albumup.uploader.https import Https
from albumup.uploader.queue import LOW_WATER
from albumup.uploader.run import Run
from albumup.uploader.upstream import Upstream

_LOOK_SECONDS = 0.25
_MOST = 5000
"""The most photos in one question."""
_SEEN_AT_A_TIME = 32
"""Originals that are looked at before the results are journaled."""
_LONGEST_WAIT = 2.0
"""The most seconds of gathering photos for one question while others are still being read."""


@dataclass(frozen=True, slots=True)
class _Question:
    """A question about photos of one album. ``before``: not sent yet, else in doubt.

    ``is_former``: they were sent under an earlier definition of their target, by which it is asked.
    """

    upstream: Upstream
    tasks: list[Task]
    before: bool
    is_former: bool = False


class Reconciler:
    """Asks targets about tasks when it is time to."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._answers = Answers(run.outcomes)
        self._loop = asyncio.get_running_loop()
        self._https = Https(run.world, run.sleep)
        self._next = 0.0
        self._waits = _LOOK_SECONDS / 4

    async def work(self) -> None:
        run = self._run
        try:
            while not run.queue.has_ended:
                questions = await run.commits.do(self._due)
                for question in questions:
                    await self._ask(question)
                if not questions:
                    await run.queue.to_ask.wait(_LOOK_SECONDS)
        finally:
            run.asking.clear()
            run.queue.to_end.ring()

    def _due(self, journal: Journal) -> list[_Question]:
        run, now = self._run, journal.clock()
        found: list[_Question] = []
        for album in run.queue.going():
            upstream = run.queue.upstreams.get(album.target)
            if upstream is None or not upstream.may_ask(self._loop.time()):
                continue
            journal.ask_no_later(
                album.id, now + max(upstream.rules.settle, upstream.rules.seen_again)
            )
            found += self._doubts(journal, upstream, journal.doubts_due(album.id, now, _MOST))
            if self._asks_first(journal, upstream, album.id) and (
                due := journal.unasked(album.id, _MOST)
            ):
                found.append(_Question(upstream, due, before=True))
                self._next = self._loop.time() + self._waits
                self._waits = min(2 * self._waits, _LONGEST_WAIT)
            if found and found[-1].tasks[0].album_id == album.id:
                run.asking.add(album.id)
        return found

    def _doubts(self, journal: Journal, upstream: Upstream, due: Sequence[Task]) -> list[_Question]:
        """The questions about tasks in doubt, one for each definition of their bodies."""
        asked: dict[Upstream, list[Task]] = {}
        for task in due:
            definition = task.body.definition if task.body is not None else None
            asked.setdefault(
                self._run.formers.upstream_for(journal, upstream, definition), []
            ).append(task)
        now = self._loop.time()
        return [
            _Question(one, tasks, before=False, is_former=one is not upstream)
            for one, tasks in asked.items()
            if one is upstream or one.closing is not None or one.may_ask(now)
        ]

    def _asks_first(self, journal: Journal, upstream: Upstream, album_id: int) -> bool:
        """Is it time to ask about photos not sent yet? Questions gather as many as possible, but
        uploads must not wait."""
        if not self._run.is_preparing:
            return True
        is_low = len(upstream.reserved) < LOW_WATER and self._loop.time() >= self._next
        return is_low or journal.unasked_count(album_id, _MOST) == _MOST

    async def _ask(self, question: _Question) -> None:
        run, upstream, tasks = self._run, question.upstream, question.tasks
        target = upstream.target
        if question.is_former and upstream.closing is not None:
            await self._leave_in_doubt(question, upstream.closing.words)
            self._asked(question)
            return
        if not upstream.rules.can_ask:
            # The target could be asked when the photos were sent; now the resend rule decides.
            await self._record(question, [None] * len(tasks))
            self._asked(question)
            return
        http, wakes = self._https.of(target), run.sleep.wakes
        photos = [_asked_about(task) for task in tasks]
        try:
            await confirm(run, upstream, self._https)
            answers = await run.world.helpers.run(
                Work.ASK, target.ask, http, tasks[0].album, photos
            )
            run.judge.answered(upstream)
            if question.before:
                await self._record(question, answers)
            else:
                await self._look(question, http, photos, answers)
        except NotAllowed as refused:
            await self._not_allowed(question, refused)
        except Unasked as unasked:
            if not run.sleep.has_slept_since(wakes):  # else it is asked again
                run.judge.unanswered(upstream, unasked)
        except AlbumupError as error:
            run.judge.close_upstream(upstream, error)
        self._asked(question)

    def _asked(self, question: _Question) -> None:
        self._run.asking.discard(question.tasks[0].album_id)
        for bell in (self._run.queue.to_end, self._run.queue.to_place):
            bell.ring()

    async def _look(
        self,
        question: _Question,
        http: Http,
        photos: Sequence[Asked],
        answers: Sequence[Verdict | None],
    ) -> None:
        """Look at the originals that the server says it has; record a few at a time.

        Raises as ``Target.see`` does.
        """
        run, target, tasks = self._run, question.upstream.target, question.tasks
        seen: list[Seen | None] = []
        done = 0

        async def record() -> None:
            part = _Question(question.upstream, tasks[done : len(seen)], before=False)
            await self._record(part, answers[done : len(seen)], seen[done:])

        async def see(photo: Asked, answer: Verdict) -> Seen:
            return await run.world.helpers.run(
                Work.ASK, target.see, http, tasks[0].album, photo, answer
            )

        try:
            for photo, answer in zip(photos, answers, strict=True):
                if run.queue.has_ended:
                    return
                is_there = answer is not None and answer.kind in (
                    VerdictKind.STORED,
                    VerdictKind.DUPLICATE,
                )
                try:
                    seen.append(
                        await see(photo, answer) if answer is not None and is_there else None
                    )
                except NotAllowed as refused:  # concerns this one; the results of the others count
                    seen.append(Seen(Original.UNKNOWN, str(refused)))
                if len(seen) - done == _SEEN_AT_A_TIME:
                    await record()
                    done = len(seen)
        finally:
            if len(seen) > done:
                await record()

    async def _not_allowed(self, question: _Question, refused: NotAllowed) -> None:
        """Go on although the key may not ask: photos are sent unasked, doubts stay."""
        if question.before:
            await self._record(question, [None] * len(question.tasks))
            return
        await self._leave_in_doubt(question, str(refused))

    async def _leave_in_doubt(self, question: _Question, why: str) -> None:
        """Record that photos in doubt stay so, and why."""
        words = f"whether it is there cannot be asked: {why}"
        unknown = Verdict(VerdictKind.UNPROVEN, "it cannot be asked")
        await self._record(
            question,
            [unknown] * len(question.tasks),
            [Seen(Original.UNKNOWN, words)] * len(question.tasks),
        )

    async def _record(
        self,
        question: _Question,
        answers: Sequence[Verdict | None],
        seen: Sequence[Seen | None] | None = None,
    ) -> None:
        """Record answers. ``seen``: for photos in doubt, the result of looking at each original,
        None without one."""
        run, upstream, tasks = self._run, question.upstream, question.tasks
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
                        state = self._answers.asked_before(journal, task, answer)
                    else:
                        state = self._answers.answered(
                            journal,
                            task,
                            upstream.rules,
                            answer,
                            look,
                            upstream.target.address,
                            chance=run.world.chance(),
                        )
                except LostTask:
                    continue  # cancelled or forgotten meanwhile
                if state is None:
                    again.append(task)
                else:
                    is_over = state in DONE or state is State.PENDING
                    steps.append((task, state, "" if is_over else journal.reason_of(task.id)))

        await run.commits.do(record)
        for task, state, words in steps:
            if state in DONE and task.body is not None and task.body.spool:
                run.drop_copy(task.body.spool)
            run.outcomes.count(state, task)
            if state is not State.PENDING:
                run.outcomes.tell(Answered(*run.outcomes.about(task), state, error=words or None))
            elif not question.before:
                run.outcomes.tell(Answered(*run.outcomes.about(task), state))
        for task in again:
            words = "it is there; after a fault of the server it is looked at once more"
            wait = upstream.rules.seen_again
            run.outcomes.tell(
                Answered(*run.outcomes.about(task), State.IN_DOUBT, error=words, asks_in=wait)
            )
        run.queue.have_ready([upstream])
        run.queue.to_prepare.ring()


def _asked_about(task: Task) -> Asked:
    name = task.sent_as or os.path.basename(text_of(task.path))
    if task.body is None:
        return Asked(name, {}, task.size)
    return Asked(name, task.body.digests, task.body.pins.size)
