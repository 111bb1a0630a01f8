"""Notices that the computer slept, or that this process stood still.

Connections and time-outs from before a sleep mean nothing after it: nobody is to blame for what
broke meanwhile. A clock that was only set is no sleep, if the system tells the two apart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

SHORTEST = 10.0
"""Seconds of sleep after which connections are not used any more."""
LATE = 30.0
"""Seconds by which a late loop has stood still; a slow disk may cause shorter delays."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A sleep that is over.

    ``seconds``: its length; ``ran_on``: the part of it that the loop's time has counted.
    """

    seconds: float
    ran_on: float = 0.0


class SleepWatch:
    """Compares clocks. ``now``: the loop's time; ``asleep``: as ``seconds_asleep``."""

    def __init__(self, now: Callable[[], float], asleep: Callable[[], float]) -> None:
        self.count = 0
        """The number of sleeps and changes of the network so far."""
        self.wakes = 0
        """The number of sleeps so far."""
        self.on_wake: list[Callable[[Gap], None]] = []
        """Functions to call as soon as a sleep is noticed."""
        self.on_renew: list[Callable[[], None]] = []
        """Functions to call when connections are no longer to be used, for either reason."""
        self._now, self._asleep = now, asleep
        self._slept = asleep()
        self._due = float("inf")
        """The time when a rest of the loop ends."""

    async def rest(self, seconds: float) -> None:
        """Wait, and notice a sleep meanwhile; a late return counts as one."""
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
        if late:
            self._due = float("inf")  # noticed; what rests will go on soon
        self.wakes += 1
        self.renew()
        for call in self.on_wake:
            call(Gap(max(since, late), late))

    def renew(self) -> None:
        """Have no earlier connection used any more, because the network has changed."""
        self.count += 1
        for call in self.on_renew:
            call()

    def has_slept_since(self, wakes: int) -> bool:
        """Whether there was a sleep since ``wakes`` had this value; looks for one first."""
        self.look()
        return self.wakes > wakes


def seconds_asleep() -> float:
    """The seconds for which this computer has slept, counted from any fixed moment.

    Linux and macOS have a clock that counts sleep and one that does not (clock_gettime(2)). On
    other systems the wall clock replaces the first one, and a clock that is set forward looks like
    a sleep.
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
