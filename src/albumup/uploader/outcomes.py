"""Records outcomes in the journal, then tells the listener."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from msgspec import Struct

from albumup.config.shown_address import identity_of
from albumup.journal import pauses, runs
from albumup.journal.journal import Journal
from albumup.journal.rows import Album, CutOff, Task, TryCounts
from albumup.journal.states import DONE, Membership, State
from albumup.journal.store import LostTask
from albumup.retry import (
    MOST_REFUNDS,
    Finding,
    Outcome,
    Rules,
    Spent,
    Step,
    gave_up,
    step_after,
    wait_after_429,
)
from albumup.transfer import Sent
from albumup.uploader.attempt import InHand
from albumup.uploader.breaker import MOST_BACK, Ended, Ruling
from albumup.uploader.breaker import Counts as UsedUp
from albumup.uploader.causes import Causes
from albumup.uploader.events import (
    AlbumNote,
    Counts,
    Event,
    FramedAnew,
    Listener,
    Missing,
    Paused,
    Recorded,
    Regulated,
    Shared,
    Spooled,
)
from albumup.uploader.judge import Aftermath, Judge
from albumup.uploader.queue import Queue
from albumup.uploader.upstream import Held, Upstream

_TOUCH_SECONDS = 1.0


class End(Struct, frozen=True):
    """How an attempt ended. ``began``: monotonic seconds. ``is_refunded``: it costs no try
    (``MOST_REFUNDS`` times).

    ``is_well``: the target answered a question afterwards. ``is_held``: refused by an unproven
    target.
    """

    finding: Finding
    sent: Sent | None
    began: float
    chance: float
    is_refunded: bool = False
    is_well: bool = True
    is_held: bool = False


class Outcomes:
    """The outcomes of one run. Methods that take the journal are called inside a transaction."""

    def __init__(
        self,
        queue: Queue,
        judge: Judge,
        causes: Causes,
        listener: Listener,
        clock: Callable[[], float],
    ) -> None:
        self.run_id = 0
        self.counts = Counts()
        self._queue = queue
        self._judge = judge
        self._causes = causes
        self._clock = clock
        self._touched: dict[int, float] = {}
        self._listener = listener

    def note_accepted(self, journal: Journal, upstream: Upstream) -> None:
        """Note, once, that the target at this address has accepted a photo."""
        if not upstream.is_journaled:
            upstream.is_journaled = True
            journal.accepted(upstream.target.name, identity_of(upstream.target.at))

    def spooled(self, album: str, target: str, photos: int) -> None:
        """Tell that all photos of an album to be copied are on this disk and journaled."""
        self.tell(Spooled(self._clock(), album, target, photos))

    def accepted(
        self, journal: Journal, one: InHand, state: State, finding: Finding, sent: Sent
    ) -> None:
        """Record that an attempt succeeded: the server has the photo."""
        task = one.task
        _end_attempt(journal, one.attempt.id, finding.outcome, finding, sent)
        if task.sidecar_path is not None and state is State.UPLOADED:
            journal.sidecar_sent(task.id)
        self.store(journal, task, state, finding.remote_id, finding.url, task.tries + 1)
        self._changed(journal, task.album_id)
        self.note_accepted(journal, one.upstream)

    def ended(
        self, journal: Journal, task: Task, attempt_id: int, upstream: Upstream, end: End
    ) -> Step:
        """Record how an attempt ended and whose fault it was, and move its task; the step."""
        finding, sent, now = end.finding, end.sent, journal.clock()
        counts = pauses.counts(journal, task.id)
        is_refunded = end.is_refunded and counts.refunds < MOST_REFUNDS
        ruling = (
            self._ruling(journal, task, upstream, end, counts)
            if finding.spent and not is_refunded
            else None
        )
        wait = 0.0
        if ruling is not None and ruling.given_back and finding.spent is not None:
            pauses.count_back(journal, task.id, finding.spent)
            if finding.spent is Spent.TOO_MANY:
                wait = wait_after_429(counts.back_429 + 1, finding.retry_after)
        step = step_after(
            finding,
            upstream.rules,
            tries=counts.tries,
            doubted=finding.outcome in (Outcome.NOT_TAKEN, Outcome.BROKEN)
            and journal.has_doubts(task.id),
            now=now,
            chance=end.chance,
            costs=not is_refunded and not (ruling and ruling.given_back),
            is_held=end.is_held or bool(ruling and ruling.is_held),
            wait=wait,
        )
        outcome = Outcome.IN_DOUBT if finding.is_doubt else finding.outcome
        _end_attempt(journal, attempt_id, outcome, finding, sent)
        is_held = step.state is State.PENDING and (end.is_held or bool(ruling and ruling.is_held))
        refunds = counts.refunds + (is_refunded and finding.outcome is Outcome.BROKEN)
        self._apply(journal, task, step, refunds=refunds, is_held=is_held)
        return step

    def _ruling(
        self, journal: Journal, task: Task, upstream: Upstream, end: End, counts: TryCounts
    ) -> Ruling:
        """Decide whose fault it was, and give tries back that were not their photos' fault."""
        finding = end.finding
        assert finding.spent is not None
        ruling = self._judge.inconclusive(
            upstream,
            task,
            Ended(
                task.id,
                finding.spent,
                UsedUp(counts.tries, counts.back_whole, counts.back_cut, counts.back_429),
                end.began,
                finding.reason,
                is_well=end.is_well,
                is_portal=finding.is_portal,
                is_in_doubt=finding.outcome is Outcome.IN_DOUBT,
                retry_after=finding.retry_after,
            ),
            finding,
        )
        for task_id, spent in ruling.refunds:
            is_back = pauses.give_back(journal, task_id, spent, MOST_BACK[spent])
            held = self._judge.unheld(upstream, task_id)
            if held is not None and is_back:
                self.unhold(journal, task_id, upstream.rules)
            elif held is not None:
                self.own(journal, upstream, held)
        if upstream.breaker.is_sick and self._queue.is_present(upstream):
            breaker = upstream.breaker
            self._causes.sick(journal, upstream, breaker.words, breaker.spent_photos)
        return ruling

    def aftermath(self, journal: Journal, upstream: Upstream, after: Aftermath) -> None:
        """Record what follows from an accepted or refused photo: the end of a pause, and held
        outcomes."""
        if after.ends_pause and self._queue.is_present(upstream):
            self._causes.well(journal, upstream)
        for held in after.own:
            self.own(journal, upstream, held)

    def unhold(self, journal: Journal, task_id: int, rules: Rules | None) -> None:
        """Let a held task be sent again; if in doubt, it may then be there twice, unless its target
        dedupes."""
        is_risky = rules is None or (rules.resend == "allowed" and not rules.can_ask)
        if pauses.is_held(journal, task_id):
            pauses.unhold(journal, task_id, maybe_twice=is_risky and journal.has_doubts(task_id))
        elif is_risky and journal.was_ever_doubted(task_id):  # it may be edited back
            journal.mark_twice(task_id)

    def own(self, journal: Journal, upstream: Upstream, held: Held) -> None:
        """Record that a held task was at fault itself: it is failed, in doubt or rejected now."""
        task, finding = held.task, held.finding
        if not pauses.is_held(journal, task.id):  # it was edited, and has tries of its own
            self.unhold(journal, task.id, upstream.rules)
            journal.after_commit(lambda: self._judge.let_go(upstream, task))
            return
        try:
            if finding.outcome is Outcome.REJECTED:
                step = Step(
                    State.REJECTED, finding.reason, pauses.counts(journal, task.id).tries + 1
                )
            else:
                tries = pauses.counts(journal, task.id).tries
                step = gave_up(finding, tries, doubted=journal.has_doubts(task.id))
            journal.settle_task(task.id, step.state, step.reason, tries=step.tries)
        except LostTask:
            return  # cancelled or forgotten meanwhile
        pauses.unhold(journal, task.id)
        self.settled(journal, task.album_id)

        def told() -> None:
            self.count(step.state, task)
            self.tell(Recorded(*self.about(task), step.state, step.reason, task.size))
            self._judge.let_go(upstream, task)

        journal.after_commit(told)

    def cut_off(self, journal: Journal, cut: CutOff, rules: Rules) -> None:
        """Settle a task found ``sending`` while nobody held the lock: free, or in doubt if its body
        was whole."""
        task = journal.task(cut.task_id)
        assert task is not None
        attempt_id = journal.last_attempt(task.id)
        if cut.whole_at is None:
            journal.end_attempt(attempt_id, Outcome.REFUNDED, error="cut off")
            journal.try_later(
                task.id, "", tries=task.tries, refunds=task.refunds, next_at=0.0, maybe_twice=False
            )
            return
        finding = Finding(Outcome.IN_DOUBT, "cut off after the whole photo was sent")
        journal.end_attempt(attempt_id, Outcome.IN_DOUBT, error=finding.reason)
        since = cut.whole_at if rules.can_ask else journal.clock()
        step = step_after(
            finding, rules, tries=task.tries, doubted=True, now=since, chance=0.0, costs=False
        )
        self._apply(journal, task, step, refunds=task.refunds)

    def store(
        self,
        journal: Journal,
        task: Task,
        state: State,
        remote_id: str,
        url: str,
        tries: int | None = None,
    ) -> None:
        """Record that the server has the photo, and that it has to be put into its album."""
        keeps = bool(remote_id) and self._queue.keeps_albums(task.album_id)
        membership = Membership.PENDING if keeps else Membership.SETTLED
        journal.settle_task(
            task.id, state, tries=tries, remote_id=remote_id, url=url, membership=membership
        )
        if task.sidecar_path is not None:
            journal.sidecar_left(task.id)

    def _apply(
        self, journal: Journal, task: Task, step: Step, *, refunds: int, is_held: bool = False
    ) -> None:
        """Move a task from ``sending`` by a step, and owe the user a notice if its album
        settles."""
        match step.state:
            case State.PENDING:
                journal.try_later(
                    task.id,
                    step.reason,
                    tries=step.tries,
                    refunds=refunds,
                    next_at=step.next_at,
                    maybe_twice=step.maybe_twice,
                    is_held=is_held,
                )
            case State.IN_DOUBT:
                journal.doubt(task.id, step.reason, tries=step.tries, ask_at=step.ask_at)
            case _:
                journal.settle_task(task.id, step.state, step.reason, tries=step.tries)
        self._changed(journal, task.album_id)

    def _changed(self, journal: Journal, album_id: int) -> None:
        """Note that a task of an album changed its state, which may settle the album."""
        self.settled(journal, album_id)
        now = journal.clock()
        if abs(now - self._touched.get(album_id, float("-inf"))) >= _TOUCH_SECONDS:
            self._touched[album_id] = now
            runs.touch(journal, album_id)

    def missing(self, journal: Journal, task: Task, words: str) -> None:
        """Record that a task's source is gone or unreadable; call ``tell_missing`` once that is
        durable."""
        journal.settle_task(task.id, State.MISSING, words)
        self.settled(journal, task.album_id)

    def tell_missing(self, task: Task, words: str) -> None:
        """Count and tell a missing photo."""
        self.count(State.MISSING, task)
        self.tell(Missing(*self.about(task), words))

    def settled(self, journal: Journal, album_id: int) -> None:
        """Owe a notice when the album has just settled; in the transaction of its last change."""
        if self.run_id:
            journal.before_commit(("settled", album_id), partial(self._owe, journal, album_id))

    def _owe(self, journal: Journal, album_id: int) -> None:
        if not runs.is_unfinished(journal, album_id):
            self._causes.settled(journal, album_id)
            runs.touch(journal, album_id)

    def count(self, state: State, task: Task) -> None:
        """Count a task that was recorded as ``state``; after the commit."""
        counts = self.counts.albums[task.album_id]
        if state in DONE:
            counts.done += 1
            counts.done_bytes += task.size
        elif state is not State.PENDING:
            counts.given_up += 1
            counts.given_up_bytes += task.size

    def framed_anew(self, upstream: Upstream) -> None:
        """Tell that ready bodies for a target are framed anew by its present definition."""
        self.tell(FramedAnew(self._clock(), None, upstream.target.name))

    def tell_of_pause(self, upstream: Upstream, reason: str, seconds: float) -> None:
        """Tell that a target is paused, and for how many seconds at most."""
        now = self._clock()
        self.tell(Paused(now, None, upstream.target.name, reason, upstream.sick_for(now), seconds))

    def tell_of_album(self, album: Album, words: str) -> None:
        """Tell what was found or done about an album on its server."""
        self.tell(AlbumNote(self._clock(), album.name, album.target, words))

    def tell_of_options(self, changed: Mapping[str, Any]) -> None:
        """Tell the options with which the run goes on."""
        self.tell(Regulated(self._clock(), None, None, **changed))

    def tell_of_share(self, album: Album, url: str) -> None:
        """Tell an album's link for people."""
        self.tell(Shared(self._clock(), album.name, album.target, url))

    def tell(self, event: Event) -> None:
        self._listener(event)

    def about(self, task: Task) -> tuple[float, str, str, bytes]:
        """The first fields of each event about a photo."""
        album = self._queue.albums.get(task.album_id)
        return self._clock(), task.album, album.target if album else "", task.path


def _end_attempt(
    journal: Journal, attempt_id: int, outcome: Outcome, finding: Finding, sent: Sent | None
) -> None:
    if sent is None:
        journal.end_attempt(attempt_id, outcome, error=finding.reason)
        return
    status = sent.answer.status if sent.answer else None
    journal.end_attempt(
        attempt_id,
        outcome,
        status=status,
        sent=sent.bytes,
        error=finding.reason,
        stayed=not sent.whole,
    )
