"""One target's condition during a run: unproven, well, sick, or closed; and whether it was the line that broke.

Not thread-safe: the engine calls it under its own lock. Times are monotonic seconds.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from albumup.journal.rows import Task
from albumup.retry import LONGEST_WAIT, Rules
from albumup.targets.base import Target
from albumup.transfer.wire import Keeping

LINE_SECONDS = 10.0
"""All uploads that break within this time of each other broke because the line went."""


@dataclass(frozen=True, slots=True)
class Closing:
    """Why a target is not tried again in this run: its exit code, and words for the person."""

    exit_code: int
    words: str
    hint: str = ""


class Lane:
    """The uploads to one target. Its tasks are reserved in memory and stay pending in the journal until they start."""

    def __init__(
        self, target: Target, rules: Rules, patience: float, *, proven: bool, definition: int | None = None
    ) -> None:
        self.target = target
        self.rules = rules
        self.patience = patience
        self.proven = proven
        self.definition = definition
        """The journal's number of its definition: bodies framed under another one are framed anew."""
        self.keeping = Keeping()
        self.is_journaled = proven
        """The journal knows that the target has accepted a photo."""
        self.is_ready = not target.keeps_albums
        """Its albums were looked for: what speaks against sending anything is known."""
        self.closing: Closing | None = None
        self.albums_closing: Closing | None = None
        """Why nothing more is done about its albums in this run, while photos go on."""
        self.reserved: deque[Task] = deque()
        self.taken: set[int] = set()
        """Ids of tasks that are reserved, in flight, or whose outcome is not yet recorded."""
        self.refilling = False
        self.dry = False
        """The last look at the journal found nothing ready."""
        self.in_flight: set[int] = set()
        self.accepted_at = float("-inf")
        self.sick_since: float | None = None
        self.sick_words = ""
        self.is_told = False
        """The user knows of this sickness; one that the first probe ends is not worth a word."""
        self.next_probe = 0.0
        self._wait = 1.0
        self._probe: int | None = None
        self._suspects: set[int] = set()
        self._broken: set[int] = set()
        self._first_break = 0.0

    def may_start(self, now: float) -> bool:
        """One at a time while nothing is proven or the target is being probed, none while it is paused or closed."""
        if self.closing is not None or not self.is_ready:
            return False
        if self.sick_since is not None:
            return self._probe is None and now >= self.next_probe
        return self.proven or not self.in_flight

    def start(self, task_id: int) -> None:
        self.in_flight.add(task_id)
        if self.sick_since is not None:
            self._probe = task_id

    def accepted(self, now: float) -> None:
        """A photo was taken: the target is right, and well."""
        self.accepted_at = now
        self.proven = True
        self.answered()

    def answered(self) -> None:
        """An answer about the photo itself, good or bad: the target is not sick."""
        self.sick_since = None
        self.is_told = False
        self._wait = 1.0

    def ailing(self, task_id: int | None, words: str, retry_after: float | None, now: float, chance: float) -> None:
        """The target, not the photo, is at fault: pause it, or give it up when patience would run out."""
        if self.closing is not None:
            return
        if self.sick_since is None:
            self.sick_since = now
            self._wait = 1.0
        elif task_id is not None and task_id != self._probe:
            return
        else:
            self._wait = min(LONGEST_WAIT, self._wait * 2)
        self.sick_words = words
        ends = self.sick_since + self.patience
        if now >= ends or now + (retry_after or 0.0) > ends:
            self.closing = Closing(75, words)
            return
        # Half the wait at least: a probe that comes at once tells nothing.
        wait = max(self._wait * (0.5 + chance / 2), retry_after or 0.0)
        self.next_probe = min(now + wait, ends)

    def gives_up_at(self) -> float:
        """When patience ends; only meaningful while sick."""
        return (self.sick_since or 0.0) + self.patience

    def end(self, task_id: int) -> list[tuple[int, bool]]:
        """An attempt ended other than by a broken line; broken ones that this decides come back as (id, free)."""
        self.in_flight.discard(task_id)
        if self._probe == task_id:
            self._probe = None
        if task_id in self._suspects:
            return self._decide(free=False)
        return []

    def broke(self, task_id: int, now: float) -> list[tuple[int, bool]]:
        """An upload broke in the middle; which broken ones are decided now, and whether they are free.

        Free if all that were in flight at the first break, two or more, broke within LINE_SECONDS.
        """
        decided = self.tick(now)
        if not self._suspects:
            self._suspects = set(self.in_flight)
            self._first_break = now
        self.in_flight.discard(task_id)
        if self._probe == task_id:
            self._probe = None
        self._broken.add(task_id)
        self._suspects.add(task_id)
        if self._broken >= self._suspects:
            decided += self._decide(free=len(self._suspects) > 1)
        return decided

    def tick(self, now: float) -> list[tuple[int, bool]]:
        """Broken uploads that waited long enough for the others to break as well."""
        if self._broken and now - self._first_break > LINE_SECONDS:
            return self._decide(free=False)
        return []

    def flush(self) -> list[tuple[int, bool]]:
        """The run ends: nobody waits for more."""
        return self._decide(free=False)

    @property
    def undecided(self) -> bool:
        return bool(self._broken)

    def _decide(self, *, free: bool) -> list[tuple[int, bool]]:
        decided = [(task_id, free) for task_id in sorted(self._broken)]
        self._broken.clear()
        self._suspects.clear()
        return decided
