"""The rate of what goes up, by its last seconds."""

from __future__ import annotations

from collections import deque

_SECONDS = 10.0


class Rate:
    """Bytes a second over the last ten seconds. A failed try gives its bytes back, and the rate
    knows."""

    def __init__(self) -> None:
        self._notes: deque[tuple[float, int]] = deque()

    def note(self, now: float, done: int) -> None:
        """``now``: monotonic seconds; ``done``: bytes."""
        if not done:
            self._notes.clear()  # it has not begun, and begins at its own speed
        self._notes.append((now, done))
        while len(self._notes) > 2 and now - self._notes[0][0] > _SECONDS:
            self._notes.popleft()

    def value(self) -> float | None:
        """None until there is a second to judge by."""
        if len(self._notes) < 2:
            return None
        (start, before), (end, after) = self._notes[0], self._notes[-1]
        return max(0.0, (after - before) / (end - start)) if end - start >= 1.0 else None
