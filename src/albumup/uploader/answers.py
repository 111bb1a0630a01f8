"""Records what servers answer when they are asked about photos."""

from __future__ import annotations

from albumup.journal import pauses
from albumup.journal.journal import Journal
from albumup.journal.rows import Task
from albumup.journal.states import State
from albumup.journal.store import LostTask
from albumup.retry import Rules, gave_up_after, wait_before
from albumup.targets.base import Original, Seen, Verdict, VerdictKind
from albumup.uploader.outcomes import Outcomes


class Answers:
    """The answers of one run. All methods are called inside a transaction."""

    def __init__(self, outcomes: Outcomes) -> None:
        self._outcomes = outcomes

    def answered(
        self,
        journal: Journal,
        task: Task,
        rules: Rules,
        answer: Verdict | None,
        seen: Seen | None,
        address: str,
        *,
        chance: float,
    ) -> State | None:
        """Record the answer about a task in doubt: its new state; None if it is to be asked again.

        ``answer`` None: the server does not have the photo. ``seen``: the result of looking at the
        original. Raises LostTask if the task is gone.
        """
        # A try may have been given back since the question.
        counts = pauses.counts(journal, task.id)
        if answer is not None and answer.kind is VerdictKind.REJECTED:
            journal.move(task.id, State.PENDING, "", ", ask_at = null")
            journal.settle_task(task.id, State.REJECTED, answer.reason)
            state = State.REJECTED
        elif answer is not None and seen is not None and seen.original is not Original.READABLE:
            journal.doubt_stays(task.id, seen.words)
            state = State.IN_DOUBT
        elif answer is not None:
            if (again_at := self._look_again_at(journal, task, rules)) is not None:
                journal.seen(task.id, again_at)
                return None
            state = State.DUPLICATE if journal.was_unconfirmed(task.id) else State.UPLOADED
            self._outcomes.store(journal, task, state, answer.remote_id, answer.url)
        elif not rules.can_ask and rules.resend == "never":
            journal.doubt_stays(
                task.id, "it cannot be asked about, and is not sent again (resend = never)"
            )
            state = State.IN_DOUBT
        elif counts.tries > rules.retries:
            # The state machine keeps the task in doubt. The reason says what is known; retry-failed
            # sends it again.
            journal.doubt_stays(
                task.id, f"{address} does not have it; {gave_up_after(counts.tries)}"
            )
            state = State.IN_DOUBT
        else:
            if rules.can_ask:
                journal.clear_doubts(task.id)
            wait = wait_before(max(counts.tries, 1), None, chance) if counts.tries else 0.0
            journal.try_later(
                task.id,
                f"{address} does not have it" if rules.can_ask else "",
                tries=counts.tries,
                refunds=counts.refunds,
                next_at=journal.clock() + wait,
                maybe_twice=not rules.can_ask and rules.resend == "allowed",
            )
            state = State.PENDING
        self._outcomes.settled(journal, task.album_id)
        return state

    def _look_again_at(self, journal: Journal, task: Task, rules: Rules) -> float | None:
        """When to look once more at a photo that was just seen on the server; None if no further
        look is needed.

        After an error, a server may have the photo's entry, but still delete the file in a queued
        job.
        """
        if not journal.met_a_fault(task.id):
            return None
        now, first = journal.clock(), journal.seen_at(task.id)
        again_at = (now if first is None or first > now else first) + rules.seen_again
        return None if first is not None and again_at <= now else again_at

    def asked_before(self, journal: Journal, task: Task, answer: Verdict | None) -> State:
        """Record the answer about a task that is not sent yet; ``answer`` and LostTask as in
        ``answered``; also raised if its photo or its target has changed since the question."""
        if not journal.is_unasked(task):
            raise LostTask(task.id)
        if answer is None:
            journal.asked(task.id)
            return State.PENDING
        if answer.kind is VerdictKind.REJECTED:
            journal.settle_task(task.id, State.REJECTED, answer.reason)
            state = State.REJECTED
        else:
            state = State.DUPLICATE
            self._outcomes.store(journal, task, state, answer.remote_id, answer.url)
        self._outcomes.settled(journal, task.album_id)
        return state
