"""Ends attempts: records the outcome and the photo's new state, then tells of it."""

from __future__ import annotations

import os
from collections.abc import Callable

from msgspec.structs import replace

from albumup.helpers import Work
from albumup.journal.journal import Journal
from albumup.journal.states import State
from albumup.journal.store import LostTask
from albumup.photos.pins import Pins, read_pins
from albumup.retry import ACCEPTED, Finding, Outcome, Step
from albumup.transfer import Sent
from albumup.uploader.attempt import InHand
from albumup.uploader.events import Changed, Recorded, Tried
from albumup.uploader.judge import Aftermath
from albumup.uploader.outcomes import End
from albumup.uploader.run import Run


class Ending:
    """Records the ends of a run's attempts."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def once_more(self, one: InHand, words: str) -> None:
        """Send the same body again, as other bytes may have been read; this costs no try if the
        body's end stayed."""
        is_whole = one.attempt.is_whole
        outcome = Outcome.IN_DOUBT if is_whole else Outcome.BROKEN
        chance = self._run.world.chance()
        self.finish(
            one,
            End(Finding(outcome, words), None, one.attempt.began, chance, is_refunded=not is_whole),
        )

    def missing(self, one: InHand, words: str) -> None:
        outcomes, task = self._run.outcomes, one.task
        self._record(
            one,
            lambda journal: outcomes.missing(journal, task, words),
            lambda: outcomes.tell_missing(task, words),
        )

    def accept(self, one: InHand, finding: Finding, sent: Sent) -> None:
        """Record that the server has the photo; nothing is left to decide."""
        run, upstream, task, attempt = self._run, one.upstream, one.task, one.attempt
        run.queue.end(upstream, task)  # the next one may go
        now = run.now()
        state = State.UPLOADED if finding.outcome is Outcome.UPLOADED else State.DUPLICATE

        def record(journal: Journal) -> None:
            after = run.judge.accepted(upstream, now)
            if not attempt.id:
                raise LostTask(task.id)
            run.outcomes.accepted(journal, one, state, finding, sent)
            run.outcomes.aftermath(journal, upstream, after)

        def recorded() -> None:
            run.outcomes.count(state, task)
            if one.body.spool:
                run.drop_copy(one.body.spool)
            run.outcomes.tell(Recorded(*run.outcomes.about(task), state, None, task.size))

        self._record(one, record, recorded, comes_again=False)

    def finish(self, one: InHand, end: End) -> None:
        """Record how an attempt ended, and what becomes of the task."""
        run, upstream, task, attempt = self._run, one.upstream, one.task, one.attempt
        finding = end.finding
        accepted = finding.outcome in ACCEPTED
        steps: list[Step] = []
        now = run.now()
        if accepted:  # the next one may go; after a failure, only once it is judged
            run.queue.end(upstream, task)

        def record(journal: Journal) -> None:
            # In the order of the outcomes: each may change the judgement of the next.
            if not accepted:
                run.queue.end(upstream, task)
            after = self._judge_target(one, finding, now)
            if not attempt.id:
                raise LostTask(task.id)
            is_held = finding.outcome is Outcome.REJECTED and after is None
            how = replace(end, is_held=True) if is_held else end
            steps.append(run.outcomes.ended(journal, task, attempt.id, upstream, how))
            if after is not None:
                run.outcomes.aftermath(journal, upstream, after)
            if finding.drops_clip:
                journal.go_alone(task.id)
                journal.after_commit(run.queue.to_prepare.ring)
            if accepted:
                run.outcomes.note_accepted(journal, upstream)

        self._record(
            one, record, lambda: self._recorded(one, finding, steps[0]), comes_again=not accepted
        )

    def _judge_target(self, one: InHand, finding: Finding, when: float) -> Aftermath | None:
        """Judge the target by an outcome; ``when``: the time of the outcome."""
        judge, upstream, task = self._run.judge, one.upstream, one.task
        match finding.outcome:
            case Outcome.UPLOADED | Outcome.DUPLICATE:
                return judge.accepted(upstream, when)
            case Outcome.REJECTED:
                return judge.refused(upstream, task, finding)
            case Outcome.IN_DOUBT if finding.status is not None and 200 <= finding.status < 300:
                judge.unknown_answer(upstream, task, finding)
            case _:
                pass
        return None

    def _recorded(self, one: InHand, finding: Finding, step: Step) -> None:
        run, upstream, task = self._run, one.upstream, one.task
        if step.ask_at is None:
            run.outcomes.count(step.state, task)
        if step.state is State.PENDING and finding.outcome is not Outcome.REFUNDED:
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

    async def changed(self, one: InHand, words: str) -> None:
        """Record that the source has other bytes now: the photo waits if they are another card's,
        else it was edited, and the task starts afresh."""
        run, task = self._run, one.task
        pins = await run.world.helpers.run(Work.LOOK, _pins_of, task.path)
        if why := await run.origins.stranger(task):
            await self.gone(one, words, seen=why)
        else:
            self._prepare_again(one, words, pins)

    def _prepare_again(self, one: InHand, words: str, now: Pins | None) -> None:
        """Start the task afresh, as the source has other bytes now."""
        run, task, attempt = self._run, one.task, one.attempt
        run.queue.end(one.upstream, task)

        def record(journal: Journal) -> None:
            attempt.end_refunded(
                journal, f"the source changed: {words}", f"changed, and prepared again: {words}"
            )
            journal.prepare_again(task.id, now)

        def recorded() -> None:
            run.queue.to_prepare.ring()
            run.outcomes.tell(Changed(*run.outcomes.about(task), words))

        self._record(one, record, recorded)

    async def gone(self, one: InHand, words: str, *, seen: str = "") -> None:
        """Record that the source cannot be read: the photo waits if its card is away, else it is
        missing."""
        run, task, attempt = self._run, one.task, one.attempt
        run.queue.end(one.upstream, task)
        away = await run.queue.root_away(task.root_id, seen or await run.origins.stranger(task))

        def record(journal: Journal) -> None:
            attempt.end_refunded(journal, words)
            if not away:
                run.outcomes.missing(journal, task, words)

        def recorded() -> None:
            if not away:
                run.outcomes.tell_missing(task, words)

        self._record(one, record, recorded)

    def _record(
        self,
        one: InHand,
        record: Callable[[Journal], None],
        recorded: Callable[[], None],
        *,
        comes_again: bool = True,
    ) -> None:
        """Have a change committed. The task is released once that is durable, or the task was
        cancelled."""
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


def _pins_of(path: bytes) -> Pins | None:
    try:
        return read_pins(os.stat(path))
    except OSError:
        return None
