"""The rate of uploads over the last seconds."""

from __future__ import annotations

from collections import deque

_SECONDS = 10.0


class Rate:
    """Bytes a second over the last ten seconds.

    A failed try takes its bytes back, and the rate takes that into account.
    """

    def __init__(self) -> None:
        self._notes: deque[tuple[float, int]] = deque()
        self._of: object = None

    def note(self, now: float, done: int, of: object = None) -> None:
        """Note the progress. ``now``: monotonic seconds; ``done``: bytes so far.

        ``of``: what they are bytes of; with anything else the rate begins anew.
        """
        if not done or of != self._of:
            self._notes.clear()  # nothing is done yet; the first bytes set the speed
        self._of = of
        self._notes.append((now, done))
        while len(self._notes) > 2 and now - self._notes[0][0] > _SECONDS:
            self._notes.popleft()

    def value(self) -> float | None:
        """The rate in bytes a second; None before there is a second to judge by."""
        if len(self._notes) < 2:
            return None
        (start, before), (end, after) = self._notes[0], self._notes[-1]
        return max(0.0, (after - before) / (end - start)) if end - start >= 1.0 else None
