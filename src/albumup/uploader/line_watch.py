"""Was it the line? Broken uploads of one target that await a verdict on it. Times are monotonic seconds."""

from __future__ import annotations

from collections.abc import Iterable

LINE_SECONDS = 10.0
"""All uploads that break within this time of each other broke because the line went."""

Verdicts = list[tuple[int, bool]]
"""Uploads that are decided: the task's id, and whether it was the line, so that the try is refunded."""


class LineWatch:
    """It was the line if all that were in flight at the first break, two or more, broke within LINE_SECONDS."""

    def __init__(self) -> None:
        self._watched: set[int] = set()
        """In flight at the first break."""
        self._broken: set[int] = set()
        self._first_break = 0.0

    @property
    def is_waiting(self) -> bool:
        """Are there broken uploads without a verdict?"""
        return bool(self._broken)

    def broke(self, task_id: int, in_flight: Iterable[int], now: float) -> Verdicts:
        """An upload broke in the middle, one of those ``in_flight``."""
        decided = self.tick(now)
        if not self._watched:
            self._watched = set(in_flight)
            self._first_break = now
        self._broken.add(task_id)
        self._watched.add(task_id)
        if self._broken >= self._watched:
            decided += self._decide(is_line=len(self._watched) > 1)
        return decided

    def ended(self, task_id: int) -> Verdicts:
        """An upload ended otherwise."""
        return self._decide(is_line=False) if task_id in self._watched else []

    def tick(self, now: float) -> Verdicts:
        """What has waited long enough for the others to break as well."""
        is_late = self._broken and now - self._first_break > LINE_SECONDS
        return self._decide(is_line=False) if is_late else []

    def flush(self) -> Verdicts:
        """The run ends: nobody waits for more."""
        return self._decide(is_line=False)

    def _decide(self, *, is_line: bool) -> Verdicts:
        decided = [(task_id, is_line) for task_id in sorted(self._broken)]
        self._broken.clear()
        self._watched.clear()
        return decided
