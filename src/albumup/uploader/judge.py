"""Judges targets by the outcomes of photos and questions: well, sick, given up, or wrongly
configured.

Methods are called in the order of the outcomes, inside the transaction that records them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from albumup.errors import AlbumupError
from albumup.journal.commits import Commits
from albumup.journal.rows import Task
from albumup.retry import Finding, Outcome
from albumup.targets.base import Unasked
from albumup.targets.tokens import how_to_mend
from albumup.uploader import closings
from albumup.uploader.breaker import NEVER_PHOTOS, Ended, Ruling
from albumup.uploader.causes import Causes
from albumup.uploader.health import Health
from albumup.uploader.queue import Queue
from albumup.uploader.upstream import Closing, Held, Upstream
from albumup.uploader.world import World


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What follows from an accepted or refused photo: a pause may end; ``own`` held outcomes are
    the photos' fault."""

    ends_pause: bool
    own: tuple[Held, ...]


_NO_AFTERMATH = Aftermath(ends_pause=False, own=())


class Judge:
    """Judges the targets of one run. ``on_pause`` is called with (upstream, words, seconds) when a
    pause lasts.

    ``now``: monotonic seconds.
    """

    def __init__(
        self,
        queue: Queue,
        commits: Commits,
        world: World,
        now: Callable[[], float],
        causes: Causes,
    ) -> None:
        self.on_pause: Callable[[Upstream, str, float], None] = lambda *_: None
        self._queue = queue
        self._commits = commits
        self._world = world
        self._now = now
        self._causes = causes

    def accepted(self, upstream: Upstream, when: float) -> Aftermath:
        """Note that a photo was taken, or was there: the target is right, and well."""
        was_sick = upstream.breaker.is_sick
        upstream.breaker.accepted(when)
        return self._release_held(upstream, was_sick)

    def refused(self, upstream: Upstream, task: Task, finding: Finding) -> Aftermath | None:
        """Note that a photo was refused for what it is. None if it is held, as the address may be
        at fault."""
        if not upstream.proven and not upstream.target.is_local:
            upstream.refusals[task.id] = Held(task, finding)
            self._look_for_alike(upstream)
            return None
        was_sick = upstream.breaker.is_sick
        upstream.breaker.refused()
        return self._release_held(upstream, was_sick)

    def unknown_answer(self, upstream: Upstream, task: Task, finding: Finding) -> None:
        """Note that a whole photo got a 2xx that the target's rules do not accept."""
        if not upstream.proven:
            upstream.unknown.setdefault(task.id, Held(task, finding))
            self._look_for_alike(upstream)

    def _look_for_alike(self, upstream: Upstream) -> None:
        """After three photos were refused alike, send one of another type next, not the whole
        folder."""
        if upstream.same_refusals():
            upstream.put_back()
        self._queue.changed.wake()

    def _release_held(self, upstream: Upstream, was_sick: bool) -> Aftermath:
        """Release held outcomes: they were the photos' own fault."""
        upstream.is_told, upstream.sick_from = False, None
        own: tuple[Held, ...] = ()
        if upstream.held or upstream.refusals:
            own = (
                (*upstream.held.values(), *upstream.refusals.values())
                if upstream.proven
                else tuple(upstream.held.values())
            )
        if own:
            upstream.held.clear()
            upstream.refusals.clear()
        if was_sick:
            upstream.has_ready = True
            self._queue.changed.wake()
        return Aftermath(was_sick, own) if was_sick or own else _NO_AFTERMATH

    def inconclusive(self, upstream: Upstream, task: Task, end: Ended, finding: Finding) -> Ruling:
        """Decide whose fault it was that a photo was neither taken nor refused."""
        now = self._now()
        alone = not (upstream.in_flight - {task.id})
        ruling = upstream.breaker.ended(replace(end, is_alone=alone), now, self._world.chance())
        if ruling.is_held:
            upstream.held[task.id] = Held(task, finding)
        self._after_look(upstream, now)
        return ruling

    def unheld(self, upstream: Upstream, task_id: int) -> Held | None:
        """Take a task out of the held ones, as it is decided; None if it was not held."""
        held = upstream.held.pop(task_id, None)
        if held is not None:
            upstream.taken.discard(task_id)
            upstream.has_ready = True
        return held

    def last_held(self) -> list[tuple[Upstream, Held]]:
        """The outcomes that nothing else can decide: they were the photos' own fault."""
        found = []
        for upstream in self._queue.upstreams.values():
            if upstream.closing is None:
                found += [
                    (upstream, held)
                    for held in (*upstream.held.values(), *upstream.refusals.values())
                ]
                upstream.held.clear()
                upstream.refusals.clear()
        return found

    def let_go(self, upstream: Upstream, task: Task) -> None:
        """Release a task that was held, as it is finished or has been edited."""
        upstream.taken.discard(task.id)
        upstream.has_ready = True
        self._queue.changed.wake()

    def unwell(
        self,
        upstream: Upstream,
        words: str,
        retry_after: float | None = None,
        *,
        task_id: int | None = None,
    ) -> None:
        """Note that a target did not answer a question, or could not be connected for a photo
        (``task_id``)."""
        now = self._now()
        upstream.breaker.unwell(words, retry_after, now, self._world.chance(), task_id)
        self._after_look(upstream, now)

        is_news = upstream.breaker.is_sick and not upstream.breaker.has_just_woken(now)
        if is_news and self._queue.is_present(upstream):
            spent = upstream.breaker.spent_photos
            self._commits.note(lambda journal: self._causes.sick(journal, upstream, words, spent))

    def not_well(self, upstream: Upstream, asked: Health) -> None:
        """Note the answer to a question without a photo that is no good one."""
        if upstream.is_misled and not upstream.proven:
            self._queue.close(upstream, closings.no_address(upstream, asked.words))
            return
        self.unwell(upstream, asked.words, asked.retry_after)

    def _after_look(self, upstream: Upstream, now: float) -> None:
        """After a failure: begin a pause, tell that it lasts, or give the target up."""
        breaker = upstream.breaker
        if breaker.is_sick and upstream.sick_from is None:
            upstream.sick_from = self._world.clock()
            upstream.put_back()  # their tries may have been given back
        if breaker.gave_up:
            self._queue.close(upstream, Closing(75, breaker.words))
        elif (
            breaker.is_sick
            and not upstream.is_told
            and upstream.closing is None
            and self._queue.is_present(upstream)
        ):
            upstream.is_told = True
            self.on_pause(upstream, breaker.words, breaker.gives_up_at() - now)
        self._queue.changed.wake()

    def spends_no_more(self, upstream: Upstream) -> None:
        """Close a target that is sent no photo twice: the pause has put as many photos in doubt as
        it may."""
        doubts = f"{NEVER_PHOTOS} photos are in doubt because of it (resend = never)"
        words = f"{upstream.breaker.words}; {doubts}"
        self._queue.close(upstream, Closing(75, words, "The others wait for: albumup resume"))

    def judge(self, upstream: Upstream, task: Task, finding: Finding) -> None:
        """Close the target if an outcome speaks against the target itself."""
        match finding.outcome:
            case Outcome.REFUSED if upstream.target.is_local:
                words = f"{upstream.target.address}: {finding.reason}"
                self._queue.close(
                    upstream, Closing(1, words, "Make room on this disk, then: albumup resume")
                )
            case Outcome.REFUSED:
                words = f"{upstream.target.title}: refused: {finding.reason}"
                self._queue.close(
                    upstream, Closing(4, words, how_to_mend(upstream.target, finding.status))
                )
            case Outcome.WRONG_ADDRESS:
                self._queue.close(upstream, closings.wrong_address(upstream, finding, task))
            case _:
                pass
        self._queue.changed.wake()

    def close_upstream(self, upstream: Upstream, error: AlbumupError) -> None:
        """Close a target whose configuration does not work."""
        self._queue.close(upstream, Closing(error.exit_code, str(error), error.hint))

    def close_albums(self, upstream: Upstream, error: AlbumupError) -> None:
        """Give up the albums of a target, which may not be looked at; photos are still sent."""
        upstream.albums_closing = Closing(error.exit_code, str(error), error.hint)
        upstream.is_ready = True
        self._queue.changed.wake()

    def answered(self, upstream: Upstream) -> None:
        """Note that a target answered a question; this ends a pause only without photos to send."""
        is_over = (
            upstream.breaker.is_sick
            and not upstream.has_ready
            and not upstream.in_flight
            and not upstream.reserved
        )
        if is_over:
            upstream.breaker.refused()
            upstream.sick_from = None
        if is_over and self._queue.is_present(upstream):
            self._commits.note(lambda journal: self._causes.well(journal, upstream))

    def unanswered(self, upstream: Upstream, unasked: Unasked) -> None:
        """Note that a question, or work on an album, got no reliable answer."""
        if unasked.is_wrong_address and not upstream.proven:
            self._queue.close(
                upstream,
                closings.wrong_address_asked(
                    upstream, str(unasked), has_answered=unasked.has_answered
                ),
            )
            return
        self.unwell(upstream, str(unasked), unasked.retry_after)
