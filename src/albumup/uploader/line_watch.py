"""Decides whether broken uploads of one target broke because of the line. Times are monotonic
seconds."""

from __future__ import annotations

from collections.abc import Iterable

LINE_SECONDS = 10.0
"""The longest time between the first break and the last of one failure of the line."""

Verdicts = list[tuple[int, bool]]
"""Decided uploads: the task's id, and whether it was the line, so that the try is refunded."""


class LineWatch:
    """It was the line if all uploads in flight at the first break, two or more, broke within
    LINE_SECONDS."""

    def __init__(self) -> None:
        self._watched: set[int] = set()
        """The tasks in flight at the first break."""
        self._broken: set[int] = set()
        self._first_break = 0.0

    @property
    def is_waiting(self) -> bool:
        """Are there broken uploads without a verdict?"""
        return bool(self._broken)

    def broke(self, task_id: int, in_flight: Iterable[int], now: float) -> Verdicts:
        """Note that an upload broke, one of those ``in_flight``."""
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
        """Note that an upload ended without breaking."""
        return self._decide(is_line=False) if task_id in self._watched else []

    def tick(self, now: float) -> Verdicts:
        """Decide broken uploads that have waited long enough for the others to break."""
        is_late = self._broken and now - self._first_break > LINE_SECONDS
        return self._decide(is_line=False) if is_late else []

    def went(self) -> Verdicts:
        """Decide all broken uploads: it was the line, for the computer slept."""
        return self._decide(is_line=True)

    def flush(self) -> Verdicts:
        """Decide all broken uploads, as the run ends."""
        return self._decide(is_line=False)

    def _decide(self, *, is_line: bool) -> Verdicts:
        decided = [(task_id, is_line) for task_id in sorted(self._broken)]
        self._broken.clear()
        self._watched.clear()
        return decided
