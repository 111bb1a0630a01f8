"""One target in a run: its breaker, what is reserved and in flight, and whether it was the line that broke.

It is called as proxies call a server that they send to.

Times are monotonic seconds, but where something else is said.
"""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass

from albumup.journal.rows import Task
from albumup.retry import Finding, Rules
from albumup.targets.base import Target
from albumup.transfer.connection import KeepAlive
from albumup.uploader.breaker import SAME_REFUSALS, Breaker
from albumup.uploader.line_watch import LineWatch, Verdicts


@dataclass(frozen=True, slots=True)
class Closing:
    """Why a target is not tried again in this run: its exit code, and words for the person."""

    exit_code: int
    words: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Held:
    """A task that stays pending until it is known whose fault its last outcome was."""

    task: Task
    finding: Finding


class Upstream:
    """The uploads to one target. Its tasks are reserved in memory and stay pending in the journal until they start."""

    def __init__(self, target: Target, rules: Rules, breaker: Breaker, *, definition: int | None = None) -> None:
        self.target = target
        self.rules = rules
        self.breaker = breaker
        self.definition = definition
        """The journal's number of its definition: bodies framed under another one are framed anew."""
        self.keep_alive = KeepAlive()
        self.is_journaled = breaker.proven
        """The journal knows that the target has accepted a photo."""
        self.is_ready = not target.keeps_albums
        """Its albums were looked for: what speaks against sending anything is known."""
        self.closing: Closing | None = None
        self.albums_closing: Closing | None = None
        """Why nothing more is done about its albums in this run, while photos go on."""
        self.reserved: deque[Task] = deque()
        self.taken: set[int] = set()
        """Ids of tasks that are reserved, in flight, held, or whose outcome is not yet recorded."""
        self.is_refilling = False
        self.has_ready = True
        """The last look at the journal found nothing ready."""
        self.in_flight: set[int] = set()
        self.sick_from: float | None = None
        """Since when it is sick (Unix seconds), also from earlier runs."""
        self.is_told = False
        """The user knows of this pause; one that the first look ends is not worth a word."""
        self.held: dict[int, Held] = {}
        """After their last try: what comes next tells whether it was theirs."""
        self.refusals: dict[int, Held] = {}
        """Refused by a target that never accepted a photo."""
        self.unknown: dict[int, Held] = {}
        """Answered by such a target with a 2xx that its rules do not take; these are not held."""
        self.line = LineWatch()

    @property
    def proven(self) -> bool:
        return self.breaker.proven

    def sick_for(self, now: float) -> float:
        """Seconds for which it has been sick at ``now`` (Unix seconds)."""
        return max(0.0, now - self.sick_from) if self.sick_from is not None else 0.0

    def may_start(self) -> bool:
        """One at a time while nothing is proven, none while it is paused or closed: a look ends a pause, not a wait."""
        if self.closing is not None or not self.is_ready or self.breaker.is_sick:
            return False
        return len(self.in_flight) < (self.breaker.jobs if self.proven else 1)

    def may_probe(self, now: float) -> bool:
        """Is it time to look at it, in a pause?"""
        return self.closing is None and self.breaker.may_probe(now)

    def may_ask(self, now: float) -> bool:
        """Is it time to ask it something about photos or albums?"""
        if self.closing is not None:
            return False
        return not self.breaker.is_sick or now >= self.breaker.next_at

    def put_back(self) -> None:
        """What is reserved is reserved anew, when it can be sent."""
        self.taken -= {one.id for one in self.reserved}
        self.reserved.clear()
        self.has_ready = True

    def start(self, task_id: int) -> None:
        self.in_flight.add(task_id)

    def same_refusals(self) -> list[Held]:
        """Three or more photos that an unproven target refused alike; empty as long as there are none.

        A 2xx that its rules do not take refuses, too: "wrong password" is often said so.
        """
        if len(self.refusals) + len(self.unknown) < SAME_REFUSALS:
            return []
        alike: dict[tuple[int | None, str], list[Held]] = {}
        for held in (*self.refusals.values(), *self.unknown.values()):
            alike.setdefault((held.finding.status, _outline(held)), []).append(held)
        longest = max(alike.values(), key=len, default=[])
        return longest if len(longest) >= SAME_REFUSALS else []

    def end(self, task_id: int) -> Verdicts:
        """An attempt ended other than by a broken line; broken ones that this decides come back."""
        self.in_flight.discard(task_id)
        return self.line.ended(task_id)

    def broke(self, task_id: int, now: float) -> Verdicts:
        """An upload broke in the middle; which broken ones are decided now."""
        decided = self.line.broke(task_id, self.in_flight, now)
        self.in_flight.discard(task_id)
        return decided


def _outline(held: Held) -> str:
    """A refusal's words without the photo's own name and numbers: what is alike from photo to photo."""
    words = held.finding.reason.replace(held.task.sent_as or "\0", "")
    return re.sub(r"[0-9a-fA-F]*[0-9][0-9a-fA-F]*", "#", words)
