"""Notices that the computer slept, or that this process stood still.

Connections and time-outs of before mean nothing afterwards: what broke meanwhile is nobody's fault.
A clock that was only set is no sleep, where the system tells the two apart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

SHORTEST = 10.0
"""Seconds of sleep after which connections are not used any more."""
LATE = 30.0
"""Seconds by which the loop must be late to show that it stood still: a slow disk may hold it up,
too."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A sleep that is over. ``seconds`` that it lasted; ``ran_on``: of these, the seconds that the
    loop's time counted."""

    seconds: float
    ran_on: float = 0.0


class SleepWatch:
    """Compares clocks. ``now``: the loop's time; ``asleep``: as ``seconds_asleep``."""

    def __init__(self, now: Callable[[], float], asleep: Callable[[], float]) -> None:
        self.count = 0
        """The sleeps and changes of the network so far."""
        self.on_wake: list[Callable[[Gap], None]] = []
        """Called at once when a sleep is noticed."""
        self.on_renew: list[Callable[[], None]] = []
        """Called when connections are not to be used any more, for either reason."""
        self._now, self._asleep = now, asleep
        self._slept = asleep()
        self._woke_at = float("-inf")
        self._due = float("inf")
        """When the loop is to go on, while it rests."""

    async def rest(self, seconds: float) -> None:
        """Wait, and notice a sleep meanwhile, also by coming back too late."""
        self._due = self._now() + seconds
        await asyncio.sleep(seconds)
        self.look()
        self._due = float("inf")

    def look(self) -> None:
        """Notice a sleep since the last look."""
        now, slept = self._now(), self._asleep()
        since, self._slept = slept - self._slept, slept
        late = now - self._due
        if late <= LATE:
            late = 0.0
        if since < SHORTEST and not late:
            return
        self._due = float("inf")
        self._woke_at = now
        self.renew()
        for call in self.on_wake:
            call(Gap(max(since, late), late))

    def renew(self) -> None:
        """Let no connection of before be used any more: the network has changed."""
        self.count += 1
        for call in self.on_renew:
            call()

    def spans(self, began: float) -> bool:
        """Was there a sleep since ``began`` (the loop's time)? This looks, too."""
        self.look()
        return began < self._woke_at


def seconds_asleep() -> float:
    """The seconds for which this computer has slept, counted from any moment.

    Linux and macOS have a clock that counts sleep and one that does not (clock_gettime(2)).
    Elsewhere the wall clock stands in for the first, and a clock that is set forward looks like a
    sleep.
    """
    if _COUNTS_SLEEP is None or _STANDS_STILL is None:
        return time.time() - time.monotonic()
    return time.clock_gettime(_COUNTS_SLEEP) - time.clock_gettime(_STANDS_STILL)


_MONOTONIC: int | None = getattr(time, "CLOCK_MONOTONIC", None)
_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)
_UPTIME: int | None = getattr(time, "CLOCK_UPTIME_RAW", None)
_COUNTS_SLEEP, _STANDS_STILL = (
    (_BOOTTIME, _MONOTONIC) if _BOOTTIME is not None else (_MONOTONIC, _UPTIME)
)
