"""One target in a run: its breaker, its tasks reserved and in flight, and its broken uploads.

"Upstream" is a proxy's word for the server that it sends to. Times are monotonic seconds unless
stated otherwise.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from albumup.journal.rows import Task
from albumup.retry import Finding, Rules
from albumup.targets.base import Target
from albumup.transfer.connection import KeepAlive
from albumup.uploader.breaker import SAME_REFUSALS, Breaker
from albumup.uploader.events import Pause
from albumup.uploader.line_watch import LineWatch, Verdicts

SAYS_NO = "may_run says no"
"""The first words of the user's own command's answer, unless it does not answer."""


@dataclass(frozen=True, slots=True)
class Closing:
    """Why a target is given up in this run: an exit code, and a message with a hint."""

    exit_code: int
    words: str
    hint: str = ""
    is_waiting: bool = False
    """Nothing is wrong: the user's own command says that uploads have to wait."""


@dataclass(frozen=True, slots=True)
class Held:
    """A task that stays pending until it is decided whose fault its last outcome was."""

    task: Task
    finding: Finding


class Upstream:
    """The uploads to one target. Reserved tasks stay pending until their attempts start."""

    def __init__(
        self, target: Target, rules: Rules, breaker: Breaker, *, definition: int | None = None
    ) -> None:
        self.target = target
        self.rules = rules
        self.breaker = breaker
        self.definition = definition
        """The journal's number of the target's definition: bodies framed under another one are
        framed anew."""
        self.keep_alive = KeepAlive()
        self.is_journaled = breaker.proven
        """The journal knows that the target has accepted a photo."""
        self.is_ready = not target.keeps_albums
        """Photos may be sent: the target's albums, if it keeps any, were looked for."""
        self.closing: Closing | None = None
        self.albums_closing: Closing | None = None
        """Why no more work is done on the target's albums, while photos are still sent."""
        self.reserved: deque[Task] = deque()
        self.taken: set[int] = set()
        """Ids of tasks that are reserved, in flight, held, or whose outcome is not yet recorded."""
        self.is_refilling = False
        self.has_ready = True
        """The journal may have ready tasks that are not reserved."""
        self.in_flight: set[int] = set()
        self.unread: set[int] = set()
        """Ids of tasks in flight whose photos a disk does not yield: they are no reason to send
        nothing else."""
        self.sick_from: float | None = None
        """When the target fell sick (Unix seconds), also before this run; None if it is well."""
        self.is_told = False
        """The user was told of this pause; one that the first look ends is not worth a message."""
        self.held: dict[int, Held] = {}
        """Tasks after their last try: the next outcomes show whose fault it was."""
        self.refusals: dict[int, Held] = {}
        """Tasks refused by a target that never accepted a photo."""
        self.unknown: dict[int, Held] = {}
        """Tasks that such a target answered with a 2xx against its rules; these are not held."""
        self.line = LineWatch()
        self.seeks = len(target.addresses) > 1
        """It is to be found out which of the target's addresses to use."""
        self.is_seeking = False
        """That is under way."""
        self.is_misled = False
        """At none of the addresses is anybody to wait for."""
        self.confirmed_at = float("-inf")
        """When the server last answered at the address in use as the right one."""
        self.notes: set[str] = set()
        """What was told of the addresses."""
        self.may_run: Sequence[str] = ()
        """The command (argv) that says whether uploads may start; empty: they may."""
        self.waits: str | None = ""
        """Why nothing new may start; "" if it may, None while that is not known."""
        self.waits_since: float | None = None
        """Since when it may not (Unix seconds)."""

    @property
    def proven(self) -> bool:
        return self.breaker.proven

    def sick_for(self, now: float) -> float:
        """Seconds for which the target has been sick at ``now`` (Unix seconds)."""
        return max(0.0, now - self.sick_from) if self.sick_from is not None else 0.0

    def pause(self, clock: float, now: float) -> Pause | None:
        """The pause to show at ``clock`` (Unix seconds), ``now`` (monotonic); None if there is
        none."""
        if self.closing is not None:
            return None
        if self.waits:
            lasted = clock - (self.waits_since or clock)
            return Pause(self.target.name, self.waits, lasted, 0.0, is_waiting=True)
        if not self.breaker.is_sick:
            return None
        gives_up = self.breaker.gives_up_at() - now
        return Pause(self.target.name, self.breaker.words, self.sick_for(clock), gives_up)

    def may_start(self) -> bool:
        """May another upload start? Only one at a time while the target is unproven; none during a
        pause, which only a look can end."""
        if self.closing is not None or self.waits != "" or self.seeks:
            return False
        if not self.is_ready or self.breaker.is_sick:
            return False
        going = len(self.in_flight) - len(self.unread)
        return going < (self.breaker.jobs if self.proven else 1)

    def may_probe(self, now: float) -> bool:
        """Is it time for a look during a pause?"""
        return self.closing is None and self.waits == "" and self.breaker.may_probe(now)

    def may_seek(self) -> bool:
        """Is the address to be found now? In a pause its looks find it."""
        is_free = self.closing is None and self.waits == "" and not self.is_seeking
        return is_free and self.seeks and not self.breaker.is_sick

    def seek_again(self) -> None:
        """Look which address to use before anything else starts: the network may be another."""
        self.seeks = len(self.target.addresses) > 1
        self.confirmed_at = float("-inf")

    def may_ask(self, now: float) -> bool:
        """May the target be asked about photos or albums now?"""
        if self.closing is not None or self.waits != "" or self.seeks:
            return False
        return not self.breaker.is_sick or now >= self.breaker.next_at

    def put_back(self) -> None:
        """Give up all reservations; tasks are reserved anew when they can be sent."""
        self.taken -= {one.id for one in self.reserved}
        self.reserved.clear()
        self.has_ready = True

    def unreserve(self, is_meant: Callable[[Task], bool]) -> None:
        """Give up the reservations of the tasks that are meant."""
        self.taken -= {one.id for one in self.reserved if is_meant(one)}
        kept = [one for one in self.reserved if not is_meant(one)]
        self.reserved.clear()
        self.reserved.extend(kept)

    def start(self, task_id: int) -> None:
        self.in_flight.add(task_id)

    def same_refusals(self) -> list[Held]:
        """Three or more photos that an unproven target refused alike; empty if there are fewer.

        A 2xx that the rules do not accept counts as a refusal: "wrong password" often comes so.
        """
        if len(self.refusals) + len(self.unknown) < SAME_REFUSALS:
            return []
        alike: dict[tuple[int | None, str], list[Held]] = {}
        for held in (*self.refusals.values(), *self.unknown.values()):
            alike.setdefault((held.finding.status, _outline(held)), []).append(held)
        longest = max(alike.values(), key=len, default=[])
        return longest if len(longest) >= SAME_REFUSALS else []

    def end(self, task_id: int) -> Verdicts:
        """Note that an attempt ended without breaking; the broken uploads that this decides."""
        self.in_flight.discard(task_id)
        return self.line.ended(task_id)

    def broke(self, task_id: int, now: float) -> Verdicts:
        """Note that an upload broke; the broken uploads that this decides."""
        decided = self.line.broke(task_id, self.in_flight, now)
        self.in_flight.discard(task_id)
        return decided


def _outline(held: Held) -> str:
    """A refusal's reason without the photo's name and numbers: the same for all photos."""
    words = held.finding.reason.replace(held.task.sent_as or "\0", "")
    return re.sub(r"[0-9a-fA-F]*[0-9][0-9a-fA-F]*", "#", words)
