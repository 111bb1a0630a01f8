"""Settles what an earlier run left: tasks that were cut off, and those that were held.

Each target's are settled by its rules, so that waits until the target is built.
"""

from __future__ import annotations

from collections.abc import Sequence

from albumup.journal import pauses
from albumup.journal.journal import Journal
from albumup.journal.rows import CutOff
from albumup.retry import Rules
from albumup.uploader.run import Run
from albumup.uploader.upstream import Upstream

_UNKNOWN = Rules(0, True, "never", settle=30.0)
"""The rules of a target that cannot be built now: until it can, a task waits to be asked about, and
no sooner than by default."""


class LeftBehind:
    """What was left for one run, by target. Methods are called inside a transaction.

    Nothing else changes tasks that are cut off while a run is on: they count as being sent.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._cut_off: dict[str, list[CutOff]] = {}
        self._held: dict[str, list[int]] = {}

    def note(self, journal: Journal) -> None:
        """Note what there is, at the run's beginning."""
        for cut in journal.cut_off():
            self._cut_off.setdefault(cut.target, []).append(cut)
        for task_id, name in pauses.held(journal):
            self._held.setdefault(name, []).append(task_id)

    def targets(self) -> Sequence[str]:
        """The names of the targets at which something is still to be settled."""
        return sorted(self._cut_off.keys() | self._held.keys())

    def settle(self, journal: Journal, name: str, upstream: Upstream | None) -> None:
        """Settle what was left at a target. ``upstream``: None if it cannot be built now."""
        for task_id in self._held.pop(name, ()):
            unhold(self._run, journal, task_id, upstream)
        for cut in self._cut_off.pop(name, ()):
            self._settle(journal, cut, upstream)

    def _settle(self, journal: Journal, cut: CutOff, upstream: Upstream | None) -> None:
        self._run.outcomes.cut_off(journal, cut, self._rules_of(journal, upstream, cut.task_id))
        if (
            upstream is not None
            and cut.whole_at is not None
            and upstream.breaker.sends_once
            and upstream.breaker.is_sick
        ):
            # The photo was sent during a pause, and a kill hid the outcome: it counts as spent.
            upstream.breaker.spent_photos += 1
            breaker = upstream.breaker
            self._run.causes.sick(journal, upstream, breaker.words, breaker.spent_photos)

    def _rules_of(self, journal: Journal, upstream: Upstream | None, task_id: int) -> Rules:
        """The rules for a task that was cut off: those under which it was sent."""
        if upstream is None:
            return _UNKNOWN
        task = journal.task(task_id)
        body = task.body if task is not None else None
        definition = body.definition if body is not None else None
        return self._run.formers.upstream_for(journal, upstream, definition).rules


def unhold(run: Run, journal: Journal, task_id: int, upstream: Upstream | None) -> None:
    """Let a held task be sent again. ``upstream``: None if its target cannot be built now."""
    run.outcomes.unhold(journal, task_id, upstream.rules if upstream is not None else None)
