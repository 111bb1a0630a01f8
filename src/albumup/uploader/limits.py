"""``--limit-rate``: one bucket of bytes for all uploads together, by a timetable in local time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime

from albumup.config import Timetable

_BLOCKS_A_SECOND = 20
_LEAST_BLOCK = 1 << 10
_MOST_BLOCK = 256 << 10


class RateLimit:
    """Shares a rate (bytes a second) between uploads; a :class:`albumup.transfer.Throttle`."""

    def __init__(
        self,
        timetable: Timetable,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        local_time: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._timetable = timetable
        self._clock = clock
        self._sleep = sleep
        self._local_time = local_time
        self._lock = threading.Lock()
        self._free_at = clock()

    def block(self) -> int:
        """Small enough that the rate is smooth and a cut is prompt; 0 while there is no limit."""
        rate = self._timetable.at(self._local_time())
        return 0 if rate is None else max(_LEAST_BLOCK, min(_MOST_BLOCK, rate // _BLOCKS_A_SECOND))

    def take(self, size: int) -> None:
        """Sleep until ``size`` bytes may go. Whoever comes first goes first; idle time is not saved up."""
        rate = self._timetable.at(self._local_time())
        if rate is None:
            return
        with self._lock:
            start = max(self._free_at, self._clock())
            self._free_at = start + size / rate
        if (wait := start - self._clock()) > 0:
            self._sleep(wait)
